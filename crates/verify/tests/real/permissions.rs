//! What this user may not see is unknown, never whole.

use holdfast_core::validation::{CheckResult::*, Verdict, verdict};
use holdfast_verify::Options;

use crate::server::Server;

#[tokio::test]
async fn what_may_not_be_seen_is_inconclusive() {
    let server = Server::start().await;
    server.sql("postgres", "CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_monitor TO reader").await;
    server.database("shop", "CREATE TABLE open (id serial PRIMARY KEY); CREATE TABLE closed (id serial PRIMARY KEY, r int REFERENCES open);
        CREATE TABLE hidden (id int NOT NULL CHECK (id > 0)); INSERT INTO hidden VALUES (1), (2);
        ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON hidden USING (id = 1);
        GRANT SELECT ON open, open_id_seq, hidden TO reader").await;
    server.database("private", "CREATE TABLE t ()").await;
    for sql in [
        "REVOKE CONNECT ON DATABASE private FROM PUBLIC",
        "CREATE DATABASE shut",
        "ALTER DATABASE shut ALLOW_CONNECTIONS false",
    ] {
        server.sql("postgres", sql).await;
    }

    let seen = server.verify_as("reader", "reader", &Options::default()).await;
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Inconclusive);
    seen.expect("content", "shop", Errored, "public.closed", "permission denied");
    seen.expect("content", "shop", Errored, "public.hidden", "row-level security");
    assert_eq!(seen.check("content", "shop").findings.len(), 2);
    assert_eq!(seen.rows("shop", "public.open"), 0);
    assert!(!seen.outcome.manifest.databases["shop"].tables.contains_key("public.hidden"));
    seen.expect("foreign-keys", "shop", Errored, "closed_r_fkey on public.closed", "permission denied");
    seen.expect("sequences", "shop", Errored, "public.closed_id_seq", "permission denied");
    seen.expect("inventory", "instance", Errored, "private", "no right to connect");
    assert!(seen.reason("inventory", "instance").contains("allow no connection: shut"));
    seen.expect("constraints", "shop", Errored, "public.closed", "permission denied");
    seen.expect("constraints", "shop", Errored, "public.hidden", "row-level security");
    assert_eq!(seen.check("constraints", "shop").findings.len(), 2);
    for check in [
        "schema",
        "content",
        "foreign-keys",
        "constraints",
        "indexes",
        "sequences",
        "collations",
        "leftovers",
        "isolation",
    ] {
        assert_eq!(seen.check(check, "private").result, NotRun);
    }
    assert!(!seen.outcome.databases.contains(&"shut".to_owned()));
}
