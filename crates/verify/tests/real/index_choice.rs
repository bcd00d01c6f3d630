//! How each index is looked at, and what is said of one that is not or not wholly.

use holdfast_core::validation::CheckResult::*;
use holdfast_core::validation::{Check, Finding};
use holdfast_local_postgres::Binaries;
use holdfast_verify::{Options, Target};

use crate::server::{Seen, Server, only};

/// Some of each kind: two that give the same order, one that is searched by another, and some of other access methods.
const KINDS: &str = "
    CREATE TABLE t (id int, v text, n int, doc jsonb, spot point, at timestamptz);
    INSERT INTO t SELECT n, md5(n::text), n, jsonb_build_object('n', n), point(n, n), now() FROM generate_series(1, 2000) AS n;
    CREATE INDEX twin_1 ON t (id); CREATE INDEX twin_2 ON t (id); CREATE INDEX by_n ON t (n) WHERE n > 5;
    CREATE INDEX id_and_v ON t (id, v);
    CREATE INDEX by_hash ON t USING hash (v); CREATE INDEX by_gin ON t USING gin (doc);
    CREATE INDEX by_gist ON t USING gist (spot); CREATE INDEX by_brin ON t USING brin (at);
    CHECKPOINT; VACUUM ANALYZE t";

/// A table's indexes as one that may be changed, as one of others, and in pieces.
fn ways() -> [(&'static str, Options); 3] {
    let indexes = only(&["indexes"]);
    [
        ("others", indexes.clone()),
        ("own", Options { may_create_extensions: true, ..indexes.clone() }),
        ("pieces", Options { chunk_bytes: 1024, ..indexes }),
    ]
}

/// What is said of the indexes of a database: `object: reason`.
fn said(seen: &Seen, database: &str) -> Vec<String> {
    let entries = seen.outcome.not_checked.iter();
    let entries = entries.filter(|entry| entry.check == "indexes" && entry.scope == database);
    entries.map(|entry| format!("{}: {}", entry.object.as_deref().unwrap_or("-"), entry.reason)).collect()
}

#[track_caller]
fn says(said: &[String], object: &str, reason: &str) {
    let found = said.iter().any(|said| said.starts_with(&format!("{object}: ")) && said.contains(reason));
    assert!(found, "{object}: {reason}: {said:#?}");
}

#[tokio::test]
async fn what_is_not_asked_of_an_index_is_said_whatever_the_settings_of_the_database() {
    let server = Server::start().await;
    for name in ["shop", "odd"] {
        server.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        for statement in KINDS.split(';') {
            server.sql(name, statement).await;
        }
    }
    for setting in [
        "enable_indexscan = off",
        "enable_indexonlyscan = off",
        "max_parallel_workers_per_gather = 4",
        "min_parallel_table_scan_size = 0",
        "min_parallel_index_scan_size = 0",
        "parallel_setup_cost = 0",
        "parallel_tuple_cost = 0",
        "random_page_cost = 0",
        "force_parallel_mode = on",
    ] {
        server.sql("postgres", &format!("ALTER DATABASE odd SET {setting}")).await;
    }
    for (way, options) in ways() {
        let seen = server.verify_with(&options).await;
        assert_eq!(seen.check("indexes", "shop").result, Passed, "{way}");
        assert_eq!(seen.check("indexes", "odd").result, Passed, "{way}");
        let said_of = said(&seen, "shop");
        assert_eq!(said_of, said(&seen, "odd"), "{way}");
        for object in ["public.by_gin", "public.by_gist", "public.by_brin"] {
            says(&said_of, object, "its structure, and whether it has every row, was not looked through");
        }
        says(&said_of, "public.by_hash", "its own structure was not looked through");
        let unasked =
            |said: &&String| said.starts_with("public.twin_") && said.contains("PostgreSQL prefers");
        assert!(said_of.iter().filter(unasked).count() > 0, "one of the two is never asked: {said_of:#?}");
        if way == "others" {
            let walked =
                said_of.iter().filter(|said| said.contains("walked from end to end, not searched")).count();
            assert_eq!(walked, 1, "each of the two is searched for by the other: {said_of:#?}");
        }
        assert!(
            !said_of.iter().any(|said| said.starts_with("public.by_n:") && way != "pieces"),
            "{said_of:#?}"
        );
    }
}

#[tokio::test]
async fn nulls_are_in_order_where_the_index_has_them() {
    let server = Server::start().await;
    let sql = "CREATE TABLE t AS SELECT n % 3 AS k, CASE WHEN n % 5 > 0 THEN n END AS m FROM generate_series(1, 1000) AS n;
        CREATE INDEX first ON t (m NULLS FIRST); CREATE INDEX last ON t (m NULLS LAST);
        CREATE INDEX down_last ON t (k, m DESC NULLS LAST); CREATE INDEX down_first ON t (k, m DESC NULLS FIRST)";
    server.database("shop", sql).await;
    let seen = server.verify_with(&only(&["indexes"])).await;
    assert_eq!(seen.check("indexes", "shop").result, Passed, "{:#?}", seen.check("indexes", "shop"));
    let said = said(&seen, "shop");
    assert!(!said.iter().any(|said| said.contains("not held against the table")), "{said:#?}");
}

#[tokio::test]
async fn an_index_that_an_older_transaction_keeps_from_use_is_said_to_be_unasked() {
    let server = Server::start().await;
    server
        .database("shop", "CREATE TABLE t AS SELECT n AS id, n::text AS v FROM generate_series(1, 2000) AS n")
        .await;
    server.sql("shop", "CREATE INDEX by_id ON t (id); CREATE INDEX by_hash ON t USING hash (v)").await;
    // As CREATE INDEX does it where rows were changed on their pages under an older snapshot.
    let older = server.connect("shop").await;
    older.batch_execute("BEGIN; SELECT txid_current()").await.unwrap();
    let broken = "UPDATE pg_index SET indcheckxmin = true WHERE indrelid = 't'::regclass";
    server.sql("shop", broken).await;
    let cannot = "PostgreSQL cannot use its order";
    for (way, options) in ways() {
        let seen = server.verify_with(&options).await;
        // amcheck says by an error that it cannot look at such an index.
        let result = if way == "own" { Errored } else { Passed };
        assert_eq!(
            seen.check("indexes", "shop").result,
            result,
            "{way}: {:#?}",
            seen.check("indexes", "shop")
        );
        let said = said(&seen, "shop");
        says(&said, "public.by_hash", "rows were not looked for in it: PostgreSQL does not use it");
        match way {
            "others" => {
                says(&said, "public.by_id", &format!("its entries were not held against the table: {cannot}"))
            }
            "own" => says(&said, "public.by_id", &format!("what it leads to was not counted: {cannot}")),
            _ => says(&said, "public.by_id", "rows were not looked for in it: PostgreSQL does not use it"),
        }
    }
}

fn as_reader(server: &Server) -> Target {
    let mut target = server.target();
    (target.user, target.password) = ("reader".into(), "reader".into());
    target
}

/// `amcheck` cannot be called for what lies in a schema that one may not use: that is unknown, and all that is.
#[track_caller]
fn only_schemas_are_closed(check: &Check) {
    let closed = |finding: &Finding| finding.message.contains("permission denied for schema");
    assert!(check.findings.iter().all(closed), "{check:#?}");
}

#[tokio::test]
async fn an_index_of_a_table_that_may_not_be_read_is_said_to_be_unasked() {
    let server = Server::start().await;
    server.sql("postgres", "CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_monitor TO reader").await;
    let closed = "CREATE TABLE t AS SELECT n AS id, n::text AS v FROM generate_series(1, 2000) AS n;
        CREATE INDEX by_id ON t (id); CREATE INDEX by_hash ON t USING hash (v);
        CREATE SCHEMA shut; CREATE TABLE shut.t AS SELECT 1 AS id; CREATE UNIQUE INDEX inside ON shut.t (id);
        GRANT SELECT ON shut.t TO reader";
    for name in ["bare", "checked"] {
        server.database(name, closed).await;
    }
    // It may look at the structure, and at nothing more: not even by the function that would lock.
    let may = "CREATE EXTENSION amcheck; GRANT EXECUTE ON FUNCTION bt_index_check(regclass, bool) TO reader";
    server.sql("checked", may).await;
    let no_right = "this user has no right to read the table";
    for (way, options) in ways() {
        let options = Options { may_create_extensions: false, ..options };
        let seen = server.verify_as("reader", "reader", &options).await;
        for name in ["bare", "checked"] {
            only_schemas_are_closed(seen.check("indexes", name));
            let said = said(&seen, name);
            says(&said, "public.by_hash", &format!("{no_right}: its rows were not looked for"));
            let kept = match (way, name) {
                ("pieces", _) => "its rows were not looked for",
                (_, "checked") => "what the index leads to was not counted",
                _ => "it was not held against it",
            };
            says(&said, "public.by_id", &format!("{no_right}: {kept}"));
            let inside = if name == "checked" { "was not counted" } else { "it was not held against it" };
            if way != "pieces" {
                says(&said, "shut.inside", inside);
            }
        }
    }
    let options = Options { may_create_extensions: true, ..only(&["indexes"]) };
    let outcome = holdfast_verify::verify(&as_reader(&server), &options).await.unwrap();
    let checked =
        outcome.checks.iter().find(|check| check.name == "indexes" && check.scope == "checked").unwrap();
    only_schemas_are_closed(checked);
}

#[tokio::test]
async fn a_server_in_use_is_not_locked_against_its_writers() {
    let server = Server::start().await;
    server
        .database(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE EXTENSION amcheck",
        )
        .await;
    let writer = server.connect("shop").await;
    writer.batch_execute("BEGIN; INSERT INTO t VALUES (2)").await.unwrap();
    let seen = server.verify_with(&only(&["indexes"])).await;
    assert_eq!(seen.check("indexes", "shop").result, Passed, "{:#?}", seen.check("indexes", "shop"));
}

#[tokio::test]
async fn every_state_in_which_an_index_is_of_no_use_has_its_words() {
    let server = Server::start().await;
    let sql = "CREATE TABLE t (id int); CREATE INDEX dropped ON t (id); CREATE INDEX unready ON t (id); CREATE INDEX invalid ON t (id);
        UPDATE pg_index SET indislive = false, indisready = false, indisvalid = false WHERE indexrelid = 'dropped'::regclass;
        UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'unready'::regclass;
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'invalid'::regclass;
        CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
        CREATE INDEX of_parts ON ONLY parts (id);
        CREATE TEMPORARY TABLE mine (id int PRIMARY KEY);
        CREATE MATERIALIZED VIEW later AS SELECT 1 AS one WITH NO DATA; CREATE INDEX of_later ON later (one)";
    server.database("shop", sql).await;
    let seen = server.verify_with(&only(&["indexes"])).await;
    for (index, state) in [
        ("public.dropped", "is being dropped; it belongs to public.t"),
        ("public.unready", "is not ready for writes; it belongs to public.t"),
        ("public.invalid", "is invalid; it belongs to public.t"),
    ] {
        seen.expect("indexes", "shop", Failed, index, state);
    }
    // The index of a partitioned table has no file, and is invalid until each partition has one.
    assert_eq!(seen.check("indexes", "shop").findings.len(), 3, "{:#?}", seen.check("indexes", "shop"));
}

#[tokio::test]
async fn a_gin_index_is_looked_through_where_amcheck_can() {
    let Some(binaries) = Binaries::major(18).await.unwrap() else {
        return eprintln!("PostgreSQL 18 is not installed, not tested");
    };
    let server = Server::of(binaries).await;
    let gin = "CREATE TABLE t AS SELECT jsonb_build_object('n', n) AS doc FROM generate_series(1, 2000) AS n;
        CREATE INDEX by_gin ON t USING gin (doc)";
    server.database("shop", gin).await;
    // An extension is as old as when it was created.
    server.database("older", &format!("{gin}; CREATE EXTENSION amcheck VERSION '1.4'")).await;
    for (way, options) in ways() {
        let seen = server.verify_with(&Options { may_create_extensions: true, ..options }).await;
        for name in ["shop", "older"] {
            assert_eq!(
                seen.check("indexes", name).result,
                Passed,
                "{way}: {:#?}",
                seen.check("indexes", name)
            );
            let whole = name == "shop" && way != "pieces";
            let reason = if whole {
                "its structure was looked through, the table's rows were not"
            } else {
                "was not looked through"
            };
            says(&said(&seen, name), "public.by_gin", reason);
        }
    }
}
