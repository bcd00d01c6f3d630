//! Whole data passes, and its manifest says the same however it lies on disk.

use holdfast_core::validation::{Verdict, verdict};

use crate::server::{Server, only};

const WEIRD: &str = r#""My Schema"."we""ird; drop""#;

#[tokio::test]
async fn a_whole_server_is_valid() {
    let server = Server::start().await;
    server.shop("shop").await;
    server.sql("shop", "VACUUM ANALYZE").await;
    let seen = server.verify().await;
    seen.all_passed_but(&[]);
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Valid);
    assert_eq!(seen.outcome.databases, ["postgres", "shop"]);
    let names: Vec<&str> = seen.outcome.checks.iter().map(|check| &*check.name).collect();
    let per_database = [
        "schema",
        "content",
        "storage",
        "indexes",
        "uniqueness",
        "foreign-keys",
        "constraints",
        "sequences",
        "collations",
        "leftovers",
        "isolation",
    ];
    assert_eq!(names, [&["isolation", "inventory", "leftovers"][..], &per_database, &per_database].concat());

    assert_eq!(seen.rows("shop", "public.customers"), 502);
    assert_eq!(seen.rows("shop", "public.orders_2025") + seen.rows("shop", "public.orders_2026"), 2000);
    assert_eq!(seen.rows("shop", WEIRD), 100);
    assert_eq!(seen.rows("shop", r#""My Schema"."'); DROP TABLE customers; --""#), 1);
    assert_eq!(seen.rows("shop", "public.no_columns"), 2);
    assert_eq!((seen.rows("shop", "public.parent_plain"), seen.rows("shop", "public.child_plain")), (0, 1));
    assert_eq!(seen.fingerprint("shop", "public.empty_table"), "0".repeat(32));
    assert!(!seen.outcome.manifest.databases["shop"].tables.contains_key("public.orders"));
    for (object, reason) in [("public.remote", "foreign table"), ("public.later", "without data")] {
        assert!(
            seen.outcome.not_checked.iter().any(|entry| entry.check == "content"
                && entry.object.as_deref() == Some(object)
                && entry.reason.contains(reason)),
            "{object}: {:#?}",
            seen.outcome.not_checked
        );
    }
    assert_eq!(seen.rows("shop", "pg_catalog.pg_largeobject"), 1);
    let keys = seen.reason("foreign-keys", "shop");
    assert!(keys.contains("doubtful_customer on public.doubtful is NOT VALID: 1 row"), "{keys}");
    for object in [
        "table public.orders",
        "column public.customers.doc",
        "view public.happy",
        "enum public.mood",
        "domain public.email",
        "type public.address",
        "policy everyone on public.tree",
        "extension citext",
        "function public.touch()",
        "procedure public.tidy()",
        "trigger touched on public.customers",
        "sequence public.orders_id_seq",
        "index public.lines_by_sku",
        "rule kept on public.tree",
        "statistics public.together",
        "event trigger watcher",
        "collation public.plain",
        "publication feed",
        "server elsewhere",
        "foreign table public.remote",
        "materialized view public.totals",
        "schema \"My Schema\"",
        "constraint \"lines of; orders\" on public.lines",
        "aggregate public.product(double precision)",
    ] {
        assert!(
            seen.outcome.manifest.databases["shop"].objects.contains_key(object),
            "{object} is not in the catalog"
        );
    }
    assert_eq!(server.value("shop", "SELECT count(*) FROM customers").await, "502");
    // What `content` does not read is counted here, but for what has no rows yet.
    server.verify_with(&only(&["storage"])).await.all_passed_but(&[]);
}

/// Runs SQL in `shop` and tells whether the fingerprint of a table stayed the same.
async fn stays(server: &Server, table: &str, sql: &str) -> bool {
    let before = server.verify().await;
    server.sql("shop", sql).await;
    let after = server.verify().await;
    after.all_passed_but(&[]);
    before.fingerprint("shop", table) == after.fingerprint("shop", table)
}

#[tokio::test]
async fn a_fingerprint_follows_the_rows_and_nothing_else() {
    let server = Server::start().await;
    let schema = "CREATE TABLE t (id int PRIMARY KEY, a text, b numeric, at timestamptz, f float8, span interval);
        INSERT INTO t SELECT n, 'a' || n, 1.0, '2026-01-01 UTC'::timestamptz + n * interval '1 day', 1.0 / n, '1 mon -3 days'
          FROM generate_series(1, 1000) AS n;
        CREATE TABLE bag (v text)";
    server.database("shop", schema).await;
    let t = "public.t";
    assert!(stays(&server, t, "CREATE INDEX by_a ON t (a DESC); CLUSTER t USING by_a").await);
    assert!(
        stays(
            &server,
            t,
            "UPDATE t SET a = a; DELETE FROM t WHERE id = 7; INSERT INTO t SELECT 7, 'a7', 1.0,
        '2026-01-08 UTC', 1.0 / 7, '1 mon -3 days'"
        )
        .await
    );
    assert!(stays(&server, t, "VACUUM FULL t").await);
    assert!(stays(&server, t, "ALTER DATABASE shop SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE shop SET DateStyle = 'SQL, DMY';
        ALTER DATABASE shop SET IntervalStyle = 'sql_standard'; ALTER DATABASE shop SET extra_float_digits = 0;
        ALTER ROLE postgres SET search_path = 'nowhere'; ALTER ROLE postgres SET bytea_output = 'escape'").await);
    // A schema that the database puts before PostgreSQL's own does not answer in its place.
    assert!(
        stays(
            &server,
            t,
            "CREATE SCHEMA evil; ALTER DATABASE shop SET search_path = evil, pg_catalog; ALTER ROLE postgres RESET ALL;
        CREATE FUNCTION evil.hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
        CREATE TABLE evil.pg_class AS SELECT * FROM pg_class WHERE relname = 'bag'"
        )
        .await
    );
    // Another physical order of the columns: `a` is dropped and comes back last.
    assert!(
        stays(
            &server,
            t,
            "ALTER TABLE public.t ADD COLUMN c text; UPDATE public.t SET c = a;
        ALTER TABLE public.t DROP COLUMN a; ALTER TABLE public.t RENAME c TO a"
        )
        .await
    );

    assert!(!stays(&server, t, "UPDATE public.t SET a = 'other' WHERE id = 3").await);
    assert!(!stays(&server, t, "UPDATE public.t SET b = 1.00 WHERE id = 4").await);
    assert!(!stays(&server, t, "UPDATE public.t SET a = '' WHERE id = 5").await);
    assert!(!stays(&server, t, "UPDATE public.t SET a = NULL WHERE id = 5").await);
    assert!(!stays(&server, t, "DELETE FROM public.t WHERE id = 6").await);
    // Two equal rows do not cancel out, and neither do their deletions.
    let bag = "public.bag";
    assert!(!stays(&server, bag, "INSERT INTO public.bag VALUES ('x'), ('x')").await);
    assert!(!stays(&server, bag, "INSERT INTO public.bag VALUES ('x'), ('x')").await);
    assert!(!stays(&server, bag, "DELETE FROM public.bag").await);
    // A value that moves to the neighbouring column is another row.
    server
        .sql("shop", "CREATE TABLE public.pair (a text, b text); INSERT INTO public.pair VALUES ('x', 'y')")
        .await;
    assert!(!stays(&server, "public.pair", "UPDATE public.pair SET a = 'y', b = 'x'").await);
    assert!(!stays(&server, "public.pair", "UPDATE public.pair SET a = 'y,x', b = ''").await);
}

/// Ten thousand tables are not rare. What is looked up for each of them must be found by an index of the catalogs:
/// otherwise the time goes with the square of their number, and planning alone takes an hour.
#[tokio::test]
async fn the_catalogs_are_not_gone_through_once_for_each_table() {
    let server = Server::start().await;
    let tables = "DO $$ BEGIN FOR i IN 1..400 LOOP
        EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text CHECK (v IS NOT NULL), d information_schema.cardinal_number)', i);
        EXECUTE format('CREATE INDEX ON t%s (v)', i); END LOOP; END $$";
    server.database("shop", tables).await;
    let walks = "SELECT sum(seq_scan)::text FROM pg_stat_sys_tables
                  WHERE relname IN ('pg_class', 'pg_type', 'pg_attribute', 'pg_depend')";
    let before: u32 = server.value("shop", walks).await.parse().unwrap();
    server.verify().await.all_passed_but(&[]);
    let others =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = 'shop' AND pid <> pg_backend_pid()";
    server.until("shop", others, "0").await;
    let after: u32 = server.value("shop", walks).await.parse().unwrap();
    assert!(after - before < 400, "{} walks through the catalogs for 400 tables", after - before);
}
