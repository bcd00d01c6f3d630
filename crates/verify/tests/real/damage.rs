//! Damage to files is named, table by table and index by index, and the rest is still read.
//!
//! Everything is looked at three times: as a server of others (nothing is created), as one of one's own (`amcheck` and
//! `pg_prewarm` are), and again as one of others that has `amcheck`.

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_core::validation::{CheckResult::*, Verdict, verdict};
use holdfast_verify::Options;

use crate::pages::Page;
use crate::server::{PAGE, Seen, Server, flip, only};

const ROWS: &str = "INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 5000) AS n;
    CREATE TABLE sound AS SELECT 1 AS n";

/// Long keys: three levels of pages.
const DEEP: &str = "CREATE TABLE t (id int, v text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 12) FROM generate_series(1, 5000) AS n; CREATE INDEX by_v ON t (v)";

const TOAST: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
    INSERT INTO t SELECT n, repeat(md5(n::text), 1000) FROM generate_series(1, 10) AS n;
    CREATE TABLE sound AS SELECT 1 AS n";

/// As a server of one's own.
fn own() -> Options {
    Options { may_create_extensions: true, ..Options::default() }
}

fn cut(file: &Path, length: u64) {
    fs::File::options().write(true).open(file).unwrap().set_len(length).unwrap();
}

fn not_checked(seen: &Seen, check: &str, scope: &str, reason: &str) -> bool {
    let mut all = seen.outcome.not_checked.iter();
    all.any(|not| not.check == check && not.scope == scope && not.reason.contains(reason))
}

async fn settle(server: &Server, name: &str) {
    // These servers commit asynchronously: pages count as all-visible once that is flushed.
    server.sql(name, "CHECKPOINT").await;
    server.sql(name, "VACUUM (FREEZE, ANALYZE) t").await;
}

async fn toast_of(server: &Server, name: &str) -> PathBuf {
    let toast = "SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 't'::regclass";
    let toast = server.value(name, toast).await;
    server.file_of(name, &toast).await
}

#[tokio::test]
async fn damaged_files_are_named() {
    let mut server = Server::start().await;
    let with_key = format!("CREATE TABLE t (id int PRIMARY KEY, v text); {ROWS}");
    let without_key = format!("CREATE TABLE t (id int, v text); {ROWS}");
    let names =
        ["flipped", "cut", "cut_without_index", "cut_in_a_page", "gone", "index_flipped", "index_cut"];
    for name in names {
        let sql = if name == "cut_without_index" { &without_key } else { &with_key };
        server.database(name, sql).await;
        // Without a visibility map the index leads into what is missing; with one it does not.
        if name == "cut_in_a_page" {
            settle(&server, name).await;
        } else {
            server.sql(name, "ANALYZE t").await;
        }
    }
    for name in ["toast_flipped", "toast_cut", "toast_dead"] {
        server.database(name, TOAST).await;
    }
    server.sql("toast_dead", "DELETE FROM t WHERE id = 10").await;

    let mut files = Vec::new();
    for name in names {
        let relation = if name.starts_with("index") { "t_pkey" } else { "t" };
        files.push(server.file_of(name, relation).await);
    }
    for name in ["toast_flipped", "toast_cut", "toast_dead"] {
        files.push(toast_of(&server, name).await);
    }
    server
        .while_stopped(|| {
            flip(&files[0], 3 * PAGE + 5000);
            cut(&files[1], 10 * PAGE);
            cut(&files[2], 10 * PAGE);
            cut(&files[3], 10 * PAGE + 100);
            fs::remove_file(&files[4]).unwrap();
            flip(&files[5], 2 * PAGE + 4000);
            cut(&files[6], 5 * PAGE);
            flip(&files[7], 2 * PAGE + 4000);
            cut(&files[8], 2 * PAGE);
            let last = fs::metadata(&files[9]).unwrap().len() / PAGE - 1;
            flip(&files[9], last * PAGE + 6000);
        })
        .await;

    let seen = server.verify().await;
    named_in_both(&seen);
    assert_eq!(seen.check("storage", "flipped").result, Passed, "the heap is content's");
    let seen = server.verify_with(&own()).await;
    named_in_both(&seen);
    seen.expect("storage", "flipped", Failed, "public.t", "invalid page in block 3");
    seen.expect("storage", "index_flipped", Failed, "public.t_pkey", "invalid page in block 2");
    seen.expect("storage", "toast_flipped", Failed, "TOAST of public.t", "invalid page in block 2");
    let seen = server.verify().await;
    named_in_both(&seen);
    seen.expect("storage", "flipped", Failed, "public.t", "invalid page in block 3");
    // Where `content` counts nothing, the rows of the table are counted for the index.
    let seen = server.verify_with(&Options { may_create_extensions: true, ..only(&["indexes"]) }).await;
    seen.expect("indexes", "cut_in_a_page", Failed, "public.t_pkey", "leads to 5000 rows, public.t holds 1");
}

fn named_in_both(seen: &Seen) {
    seen.expect("content", "flipped", Failed, "public.t", "invalid page in block 3");
    seen.expect("indexes", "cut", Failed, "public.t", "could not read block");
    seen.expect("storage", "cut_without_index", Errored, "public.t", "10 pages");
    seen.expect("indexes", "cut_in_a_page", Failed, "public.t_pkey", "leads to 5000 rows, public.t holds 1");
    seen.expect("content", "gone", Failed, "public.t", "could not open file");
    seen.expect("indexes", "index_flipped", Failed, "public.t_pkey", "invalid page in block 2");
    seen.expect("indexes", "index_cut", Failed, "public.t_pkey", "could not read block");
    seen.expect(
        "storage",
        "index_cut",
        Failed,
        "public.t_pkey",
        "its file has 5 pages, 16 by the last statistics",
    );
    seen.expect("content", "toast_flipped", Failed, "public.t", "invalid page in block 2");
    seen.expect("content", "toast_cut", Failed, "public.t", "could not read block 2");
    // Nothing but a look at every page finds what no row points to.
    seen.expect("storage", "toast_dead", Failed, "TOAST of public.t", "invalid page");
    assert_eq!(seen.check("content", "toast_dead").result, Passed);
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Invalid);
    for name in ["flipped", "cut", "gone", "toast_flipped"] {
        assert_eq!(seen.rows(name, "public.sound"), 1, "the tables beside it are still read");
    }
    assert!(!seen.outcome.manifest.databases["flipped"].tables.contains_key("public.t"));
}

#[tokio::test]
async fn damage_under_a_fitting_checksum_is_named() {
    let mut server = Server::start().await;
    for name in ["swapped", "key_changed", "led_astray", "inner_flipped", "inner_swapped"] {
        server.database(name, DEEP).await;
        settle(&server, name).await;
    }
    server.database("from_the_future", &format!("CREATE TABLE t (id int, v text); {ROWS}")).await;
    server.sql("from_the_future", "CHECKPOINT").await;
    server.sql("from_the_future", "SELECT count(*) FROM t").await;
    server.database("toast_disordered", TOAST).await;
    let index = async |name| server.file_of(name, "by_v").await;
    let (swapped, key, astray) =
        (index("swapped").await, index("key_changed").await, index("led_astray").await);
    let (inner_flipped, inner_swapped) = (index("inner_flipped").await, index("inner_swapped").await);
    let future = server.file_of("from_the_future", "t").await;
    let toast = toast_of(&server, "toast_disordered").await;
    let leaf = |file: &Path| Page::all(file).into_iter().find(Page::is_middle_leaf).unwrap();
    let inner = |file: &Path| Page::all(file).into_iter().find(Page::is_inner).unwrap();
    server
        .while_stopped(|| {
            let mut page = leaf(&swapped);
            page.swap_pointers(3, 5);
            page.seal();
            // The last character of a key: behind 6 bytes of place, 2 of size, 4 of length.
            let mut page = leaf(&key);
            let at = page.tuples()[3] + 12 + 12 * 32 - 1;
            page.bytes[at] ^= 1;
            page.seal();
            // Two entries lead to each other's rows.
            let mut page = leaf(&astray);
            let (one, other) = (page.tuples()[3], page.tuples()[5]);
            (0..6).for_each(|byte| page.bytes.swap(one + byte, other + byte));
            page.seal();
            let page = inner(&inner_flipped);
            flip(&inner_flipped, u64::from(page.number) * PAGE + 6000);
            let mut page = inner(&inner_swapped);
            let last = page.tuples().len() - 1;
            page.swap_pointers(2, last);
            page.seal();
            // Written by a transaction that is yet to come, and marked as committed.
            let mut page = Page::read(&future, 3);
            let at = page.tuples()[0];
            page.bytes[at..at + 4].copy_from_slice(&1_000_000u32.to_le_bytes());
            page.seal();
            // A piece of a value says that it is the seventh.
            let mut page = Page::read(&toast, 0);
            let at = page.tuples()[1] + 24 + 4;
            page.bytes[at..at + 4].copy_from_slice(&7u32.to_le_bytes());
            page.seal();
        })
        .await;

    let seen = server.verify().await;
    let by_v = "public.by_v";
    seen.expect("indexes", "swapped", Failed, by_v, "2 rows of public.t out of order");
    seen.expect("indexes", "key_changed", Failed, by_v, "the keys it holds are not those of public.t");
    seen.expect("indexes", "inner_flipped", Failed, by_v, "invalid page in block");
    seen.expect("content", "toast_disordered", Failed, "public.t", "unexpected chunk number");
    // These take amcheck, and the report says so. A search that goes down too far to the left goes on to the right.
    for name in ["led_astray", "inner_swapped"] {
        assert_eq!(seen.check("indexes", name).result, Passed);
        assert!(
            not_checked(&seen, "indexes", name, "leads to another row"),
            "{:#?}",
            seen.outcome.not_checked
        );
    }
    assert_eq!(seen.check("storage", "from_the_future").result, Passed);
    assert!(not_checked(&seen, "storage", "from_the_future", "not looked through: that takes amcheck"));

    for options in [own(), Options::default()] {
        let seen = server.verify_with(&options).await;
        seen.expect("indexes", "swapped", Failed, by_v, "item order invariant violated");
        seen.expect("indexes", "key_changed", Failed, by_v, "lacks matching index tuple");
        seen.expect("indexes", "led_astray", Failed, by_v, "lacks matching index tuple");
        seen.expect("indexes", "inner_flipped", Failed, by_v, "invalid page in block");
        seen.expect("indexes", "inner_swapped", Failed, by_v, "index \"by_v\"");
        seen.expect(
            "storage",
            "from_the_future",
            Failed,
            "public.t",
            "page 3, item 1: xmin 1000000 equals or exceeds",
        );
        seen.expect("storage", "toast_disordered", Failed, "public.t", "toast value");
        seen.expect("content", "toast_disordered", Failed, "public.t", "unexpected chunk number");
        assert!(!not_checked(&seen, "indexes", "led_astray", "leads to another row"));
    }
}

#[tokio::test]
async fn an_intact_index_does_not_hide_a_damaged_heap() {
    let mut server = Server::start().await;
    let sql = "CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t);
        INSERT INTO t SELECT n, n FROM generate_series(1, 5000) AS n; CREATE INDEX ON t (id, parent)";
    server.database("shop", sql).await;
    settle(&server, "shop").await;
    server.sql("shop", "ALTER DATABASE shop SET enable_seqscan = off").await;
    let file = server.file_of("shop", "t").await;
    server.while_stopped(|| flip(&file, 3 * PAGE + 5000)).await;
    let seen = server.verify().await;
    seen.expect("content", "shop", Failed, "public.t", "invalid page in block 3");
    seen.expect("uniqueness", "shop", Failed, "public.t", "invalid page in block 3");
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
