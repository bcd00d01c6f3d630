//! Damage to files is named, table by table, and the rest is still read.

use std::fs;

use holdfast_core::validation::{CheckResult::*, Verdict, verdict};

use crate::server::{PAGE, Server, flip};

const ROWS: &str = "INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 5000) AS n;
    CREATE TABLE sound AS SELECT 1 AS n";

#[tokio::test]
async fn damaged_files_are_named() {
    let mut server = Server::start().await;
    let with_key = format!("CREATE TABLE t (id int PRIMARY KEY, v text); {ROWS}");
    let without_key = format!("CREATE TABLE t (id int, v text); {ROWS}");
    let names = ["flipped", "cut", "cut_without_index", "cut_in_a_page", "gone", "index_flipped"];
    for name in names {
        let sql = if name == "cut_without_index" { &without_key } else { &with_key };
        server.database(name, sql).await;
        // Without a visibility map the index leads into what is missing; with one it does not.
        // These servers commit asynchronously: pages count as all-visible once that is flushed.
        let vacuum = if name == "cut_in_a_page" { "VACUUM (FREEZE, ANALYZE) t" } else { "ANALYZE t" };
        server.sql(name, "CHECKPOINT").await;
        server.sql(name, vacuum).await;
    }
    let toast = "CREATE TABLE t (id int PRIMARY KEY, v text);
        ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
        INSERT INTO t SELECT n, repeat(md5(n::text), 1000) FROM generate_series(1, 10) AS n; CREATE TABLE sound AS SELECT 1 AS n";
    server.database("toast_flipped", toast).await;
    server.database("toast_cut", toast).await;

    let mut files = Vec::new();
    for name in names {
        let relation = if name == "index_flipped" { "t_pkey" } else { "t" };
        files.push(server.file_of(name, relation).await);
    }
    for name in ["toast_flipped", "toast_cut"] {
        let toast = server
            .value(name, "SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 't'::regclass")
            .await;
        files.push(server.file_of(name, &toast).await);
    }
    server
        .while_stopped(|| {
            flip(&files[0], 3 * PAGE + 5000);
            let cut =
                |file, length| fs::File::options().write(true).open(file).unwrap().set_len(length).unwrap();
            cut(&files[1], 10 * PAGE);
            cut(&files[2], 10 * PAGE);
            cut(&files[3], 10 * PAGE + 100);
            fs::remove_file(&files[4]).unwrap();
            flip(&files[5], 2 * PAGE + 4000);
            flip(&files[6], 2 * PAGE + 4000);
            cut(&files[7], 2 * PAGE);
        })
        .await;

    let seen = server.verify().await;
    seen.expect("content", "flipped", Failed, "public.t", "invalid page in block 3");
    seen.expect("content", "cut", Failed, "public.t", "could not read block 10");
    seen.expect("content", "cut_without_index", Errored, "public.t", "10 pages");
    seen.expect("content", "cut_in_a_page", Failed, "public.t", "cut short");
    seen.expect("content", "gone", Failed, "public.t", "could not open file");
    seen.expect("content", "index_flipped", Failed, "public.t", "invalid page in block 2");
    seen.expect("content", "toast_flipped", Failed, "public.t", "invalid page in block 2");
    seen.expect("content", "toast_cut", Failed, "public.t", "could not read block 2");
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Invalid);
    for name in ["flipped", "cut", "gone", "toast_flipped"] {
        assert_eq!(seen.rows(name, "public.sound"), 1, "the tables beside it are still read");
        assert!(!seen.outcome.manifest.databases["flipped"].tables.contains_key("public.t"));
        assert_eq!(seen.check("indexes", name).result, Passed);
    }
}

#[tokio::test]
async fn an_intact_index_does_not_hide_a_damaged_heap() {
    let mut server = Server::start().await;
    let sql = "CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t);
        INSERT INTO t SELECT n, n FROM generate_series(1, 5000) AS n; CREATE INDEX ON t (id, parent)";
    server.database("shop", sql).await;
    server.sql("shop", "CHECKPOINT").await;
    server.sql("shop", "VACUUM (FREEZE, ANALYZE) t").await;
    server.sql("shop", "ALTER DATABASE shop SET enable_seqscan = off").await;
    let file = server.file_of("shop", "t").await;
    server.while_stopped(|| flip(&file, 3 * PAGE + 5000)).await;
    let seen = server.verify().await;
    seen.expect("content", "shop", Failed, "public.t", "invalid page in block 3");
    seen.expect("foreign-keys", "shop", Failed, "t_parent_fkey on public.t", "invalid page in block 3");
}

#[tokio::test]
async fn a_server_that_passes_over_damage_proves_nothing() {
    let server =
        Server::start_with(&[("max_logical_replication_workers", "0"), ("zero_damaged_pages", "on")]).await;
    server.sql("postgres", "CREATE TABLE t AS SELECT 1").await;
    let seen = server.verify().await;
    seen.expect("content", "postgres", Errored, "the server", "zero_damaged_pages");
}
