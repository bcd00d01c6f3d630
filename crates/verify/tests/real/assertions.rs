//! The team's SQL is asked, bounded, and changes nothing.

use std::time::{Duration, Instant};

use holdfast_core::validation::{Assertion, CheckResult, CheckResult::*, Expectation};
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::server::{Seen, Server, only};

/// Only what the team asks: the checks of the data are made by other tests.
fn options(assertion: Assertion) -> Options {
    Options { assertions: vec![assertion], statement_timeout: Duration::from_secs(2), ..only(&[]) }
}

fn assertion(expect: Expectation, sql: &str, show_rows: bool) -> Assertion {
    Assertion { name: "a".into(), database: Some("shop".into()), sql: sql.into(), expect, show_rows }
}

async fn ask(server: &Server, expect: Expectation, sql: &str) -> Seen {
    server.verify_with(&options(assertion(expect, sql, false))).await
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
            database: database.map(String::from),
            ..assertion(ZeroRows, "SELECT * FROM orders WHERE total < 0", false)
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
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "data-modifying statements"),
        ("SELECT * INTO copied FROM orders", "INTO is not allowed"),
        ("SELECT * FROM orders FOR UPDATE", "read-only transaction"),
        ("SELECT nextval('orders_id_seq')", "permission denied for sequence"),
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

fn compares(text: &str) -> Expectation {
    serde_json::from_value(serde_json::json!(text)).unwrap()
}

#[tokio::test]
async fn numbers_are_compared_exactly() {
    let server = Server::start().await;
    small_shop(&server).await;
    let big = "SELECT 12345678901234567890.000000001";
    for (sql, expectation, result, message) in [
        ("SELECT count(*) FROM orders;", ">= 5000", Passed, ""),
        ("SELECT count(*) FROM orders -- all", "> 5000", Failed, "is not > 5000"),
        ("SELECT count(*) FROM orders", "<> 5000", Failed, "is not <> 5000"),
        ("SELECT min(total)::smallint FROM orders", "<= 1", Passed, ""),
        // More digits than a float has, and a float that a person reads as it is written.
        (big, "= 12345678901234567890.000000001", Passed, ""),
        (big, "= 12345678901234567890", Failed, "is not = "),
        (big, "> 12345678901234567890.0000000009", Passed, ""),
        ("SELECT 0.1::float8", "= 0.1", Passed, ""),
        ("SELECT 1e20::float8", "> -5.5", Passed, ""),
        ("SELECT 1.10::numeric", "= 1.1", Passed, ""),
        ("SELECT 'NaN'::numeric", ">= 1000", Failed, "is not >= 1000"),
        ("SELECT 'Infinity'::float8", ">= 1000", Failed, "is not >= 1000"),
        ("SELECT sum(total) FROM orders WHERE false", ">= 0", Failed, "is NULL, which is not >= 0"),
        ("SELECT total FROM orders WHERE false", ">= 0", Failed, "gives no row"),
        ("SELECT total FROM orders", ">= 0", Failed, "gives several rows"),
        ("SELECT 'x'", ">= 0", Errored, "one column of a numeric type"),
        ("SELECT 1, 2", ">= 0", Errored, "one column of a numeric type"),
        // What the statement does to the search path does not change how it is compared.
        ("SELECT 3 FROM set_config('search_path', 'evil', true)", "= 4", Failed, "is not = 4"),
    ] {
        expect(&server, compares(expectation), sql, result, message).await;
    }
    let shown = server
        .verify_with(&options(assertion(compares("> 5000"), "SELECT count(*) FROM orders", true)))
        .await;
    shown.expect("assertion: a", "shop", Failed, "a", "is 5000, which is not > 5000");
}

#[tokio::test]
async fn rows_are_shown_only_when_asked_for_and_only_a_few() {
    let server = Server::start().await;
    small_shop(&server).await;
    server
        .sql(
            "shop",
            "CREATE TABLE notes (id int, secret text);
        INSERT INTO notes SELECT n, 'hunter2 ' || n || repeat('x', 300) FROM generate_series(1, 20) AS n",
        )
        .await;
    let sql = "SELECT id, secret FROM notes ORDER BY id DESC; ";
    let hidden = server.verify_with(&options(assertion(Expectation::ZeroRows, sql, false))).await;
    hidden.expect("assertion: a", "shop", Failed, "a", "20 rows where none may be");
    assert!(!format!("{:?}", hidden.outcome).contains("hunter2"));

    let shown = server.verify_with(&options(assertion(Expectation::ZeroRows, sql, true))).await;
    let findings = &shown.check("assertion: a", "shop").findings;
    assert_eq!(findings.len(), 6, "{findings:#?}");
    assert_eq!(findings[0].message, "20 rows where none may be");
    assert_eq!(findings[1].object, "a, row 1");
    assert!(findings[1].message.starts_with("{\"id\":20,\"secret\":\"hunter2 20xxx"), "{findings:#?}");
    assert!(findings[1..].iter().all(|finding| finding.message.chars().count() == 201));
    assert!(findings[5].message.starts_with("{\"id\":16,"));

    // A hundred megabytes are counted where they are.
    let wide = "SELECT repeat('x', 100000000), n FROM generate_series(1, 3) AS n";
    let patient = options(assertion(Expectation::ZeroRows, wide, false));
    let patient = Options { statement_timeout: Duration::from_secs(60), ..patient };
    let shown = server.verify_with(&patient).await;
    shown.expect("assertion: a", "shop", Failed, "a", "3 rows where none may be");
}

/// Functions that do what a read-only transaction does not forbid.
const REACHING: &str = "
    CREATE EXTENSION dblink;
    CREATE FUNCTION run(command text) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', command); RETURN 1; END $$;
    CREATE FUNCTION write(file text) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE format('COPY (SELECT 1) TO %L', file); RETURN 1; END $$;
    CREATE FUNCTION import() RETURNS oid LANGUAGE sql AS $$ SELECT lo_import('/etc/hostname') $$;
    CREATE FUNCTION elsewhere() RETURNS text LANGUAGE sql AS
        $$ SELECT public.dblink_exec('host=127.0.0.1 user=postgres dbname=shop', 'DELETE FROM orders') $$;
    CREATE SCHEMA postgres; CREATE TABLE postgres.mine (n int);
    CREATE TABLE public.\"other one\" (n int); INSERT INTO public.\"other one\" VALUES (1)";

#[tokio::test]
async fn a_function_can_do_no_more_than_read() {
    use Expectation::ZeroRows;
    for binaries in Binaries::majors().await.unwrap() {
        let major: u32 = binaries.major_version().parse().unwrap();
        if ![12, 14, 18].contains(&major) {
            continue;
        }
        let server = Server::of(binaries).await;
        small_shop(&server).await;
        server.sql("shop", REACHING).await;
        expect(&server, ZeroRows, "SELECT wipe()", Errored, "read-only transaction").await;
        // Names are looked up as the user's, whatever the role.
        expect(&server, ZeroRows, "TABLE mine", Passed, "").await;
        expect(&server, ZeroRows, "TABLE \"other one\"", Failed, "1 row").await;
        let marker = server.cluster.data_dir().join("written");
        let file = marker.to_str().unwrap();
        if major >= 14 {
            expect(&server, ZeroRows, &format!("SELECT run('touch {file}')"), Errored, "(42501)").await;
            expect(&server, ZeroRows, &format!("SELECT write('{file}')"), Errored, "(42501)").await;
            expect(&server, ZeroRows, "SELECT import()", Errored, "permission denied").await;
            expect(&server, ZeroRows, "SELECT elsewhere()", Errored, "(2F003)").await;
        }
        assert!(!marker.exists());
        // A table with row security is asked by the user, who sees all of it.
        server
            .sql(
                "shop",
                "CREATE TABLE tenants (n int); INSERT INTO tenants VALUES (1), (2);
            ALTER TABLE tenants ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON tenants USING (n = 1)",
            )
            .await;
        expect(&server, compares("= 2"), "SELECT count(*) FROM tenants", Passed, "").await;
        expect(&server, ZeroRows, "SELECT wipe()", Errored, "read-only transaction").await;
        assert_eq!(server.value("shop", "SELECT count(*) FROM orders").await, "5000");
    }
}
