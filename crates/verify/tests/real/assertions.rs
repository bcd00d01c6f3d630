//! The team's SQL is asked, bounded, and changes nothing.

use std::time::{Duration, Instant};

use holdfast_core::validation::{Assertion, CheckResult, CheckResult::*, Expectation};
use holdfast_verify::Options;

use crate::server::{Seen, Server};

async fn ask(server: &Server, expect: Expectation, sql: &str) -> Seen {
    let assertion = Assertion { name: "a".into(), database: Some("shop".into()), sql: sql.into(), expect };
    let options = Options {
        assertions: vec![assertion],
        statement_timeout: Duration::from_secs(2),
        ..Options::default()
    };
    server.verify_with(&options).await
}

async fn expect(server: &Server, expectation: Expectation, sql: &str, result: CheckResult, message: &str) {
    let seen = ask(server, expectation, sql).await;
    let check = seen.check("assertion: a", "shop");
    assert_eq!(check.result, result, "{sql}: {check:#?}");
    let said = check.findings.first().map_or("", |finding| &finding.message);
    assert!(said.contains(message), "{sql}: {check:#?}");
}

async fn small_shop(server: &Server) {
    let sql = "CREATE TABLE orders (id serial PRIMARY KEY, total int);
        INSERT INTO orders (total) SELECT n FROM generate_series(1, 5000) AS n;
        CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.orders; RETURN 1; END $$;
        CREATE FUNCTION unlock() RETURNS int LANGUAGE plpgsql AS
            $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM public.orders; RETURN 1; END $$;
        CREATE FUNCTION leave() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'COMMIT'; RETURN 1; END $$";
    server.database("shop", sql).await;
}

#[tokio::test]
async fn assertions_are_asked() {
    use Expectation::{True, ZeroRows};
    let server = Server::start().await;
    small_shop(&server).await;
    // Unqualified names are found as the team's own sessions find them.
    expect(&server, ZeroRows, "SELECT * FROM orders WHERE total < 0", Passed, "").await;
    expect(
        &server,
        ZeroRows,
        "-- why\n (SELECT * FROM orders WHERE total <= 3);",
        Failed,
        "3 rows where none may be",
    )
    .await;
    expect(&server, ZeroRows, "TABLE orders", Failed, "more than 1000 rows").await;
    expect(&server, True, "SELECT count(*) = 5000 FROM public.orders", Passed, "").await;
    expect(&server, True, "SELECT count(*) = 1 FROM orders", Failed, "is false").await;
    expect(&server, True, "SELECT NULL::bool", Failed, "NULL").await;
    expect(&server, True, "SELECT true WHERE false", Failed, "no row").await;
    expect(&server, True, "VALUES (true), (true)", Failed, "several rows").await;
    expect(&server, True, "SELECT 1", Errored, "one boolean column").await;
    expect(&server, True, "SELECT true, true", Errored, "one boolean column").await;
    expect(&server, ZeroRows, "SELECT * FROM refunds", Failed, "relation \"refunds\" does not exist").await;
    expect(&server, ZeroRows, "SELECT discount FROM orders", Failed, "column \"discount\" does not exist")
        .await;
    expect(&server, ZeroRows, "SELECT * FROM nowhere.orders", Failed, "does not exist").await;
    expect(&server, ZeroRows, "SELECT FROM WHERE", Errored, "syntax error").await;
    expect(&server, ZeroRows, "SELECT 1 / (total - total) FROM orders", Errored, "division by zero").await;
    expect(&server, ZeroRows, "SELECT $1::int", Errored, "parameters").await;

    // No database named: asked where there are tables, and `postgres` has none.
    let everywhere = |database: Option<&str>| Options {
        assertions: vec![Assertion {
            name: "a".into(),
            database: database.map(String::from),
            sql: "SELECT * FROM orders WHERE total < 0".into(),
            expect: ZeroRows,
        }],
        ..Options::default()
    };
    let seen = server.verify_with(&everywhere(None)).await;
    seen.all_passed_but(&[]);
    assert_eq!(seen.outcome.checks.iter().filter(|check| check.name == "assertion: a").count(), 1);
    let seen = server.verify_with(&everywhere(Some("archive"))).await;
    seen.expect("assertion: a", "archive", Failed, "a", "not on this instance");
    server.sql("postgres", "DROP DATABASE shop").await;
    let seen = server.verify_with(&everywhere(None)).await;
    assert_eq!(seen.check("assertion: a", "instance").result, NotRun);
}

#[tokio::test]
async fn hostile_assertions_change_nothing() {
    use Expectation::{True, ZeroRows};
    let server = Server::start().await;
    small_shop(&server).await;
    for (sql, message) in [
        ("SELECT 1; DELETE FROM orders", "not one statement"),
        ("SELECT 1; COMMIT; DELETE FROM orders", "not one statement"),
        ("DELETE FROM orders", "begins with DELETE"),
        ("/* SELECT */ DELETE FROM orders", "begins with DELETE"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "read-only transaction"),
        ("SELECT * INTO copied FROM orders", "read-only transaction"),
        ("SELECT * FROM orders FOR UPDATE", "read-only transaction"),
        ("SELECT nextval('orders_id_seq')", "read-only transaction"),
        ("SELECT wipe()", "read-only transaction"),
        ("SELECT unlock()", "read-write mode"),
        ("SELECT set_config('transaction_read_only', 'off', true), wipe()", "read-write mode"),
        ("SELECT leave()", "transaction commands"),
        ("SET TRANSACTION READ WRITE", "begins with SET"),
        ("COMMIT", "begins with COMMIT"),
        ("DO $$ BEGIN DELETE FROM orders; END $$", "begins with DO"),
        ("COPY orders TO PROGRAM 'true'", "begins with COPY"),
        ("CALL wipe()", "begins with CALL"),
        ("EXPLAIN ANALYZE DELETE FROM orders", "begins with EXPLAIN"),
    ] {
        expect(&server, ZeroRows, sql, Errored, message).await;
    }
    let since = Instant::now();
    expect(&server, ZeroRows, "SELECT pg_sleep(100)", Errored, "statement timeout").await;
    expect(&server, True, "SELECT true FROM pg_sleep(100)", Errored, "statement timeout").await;
    assert!(since.elapsed() < Duration::from_secs(20));
    // Neither a setting nor a large object outlives its assertion.
    expect(
        &server,
        ZeroRows,
        "SELECT set_config('search_path', 'nowhere', false) IS NULL WHERE false",
        Passed,
        "",
    )
    .await;
    expect(&server, ZeroRows, "SELECT lo_create(4711)", Failed, "1 row").await;

    assert_eq!(server.value("shop", "SELECT count(*) FROM orders").await, "5000");
    assert_eq!(server.value("shop", "SELECT last_value FROM orders_id_seq").await, "5000");
    assert_eq!(server.value("shop", "SELECT count(*) FROM pg_largeobject_metadata").await, "0");
    assert_eq!(server.value("shop", "SELECT to_regclass('copied') IS NULL").await, "true");
}
