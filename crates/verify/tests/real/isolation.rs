//! A restored copy is alive: what could reach out on its own is named, and what keeps it from that is shown.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use holdfast_core::validation::CheckResult::*;
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::server::{PASSWORD, Server, only};

const SUBSCRIPTION: &str = "CREATE TABLE t (n int);
    CREATE SUBSCRIPTION \"from; prod\" CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false)";

#[tokio::test]
async fn what_is_kept_from_running_is_shown() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "14", "18"].contains(&binaries.major_version()) {
            continue;
        }
        let server = Server::of(binaries).await;
        server.database("shop", SUBSCRIPTION).await;
        let schema = "CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink;
            CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
            CREATE USER MAPPING FOR postgres SERVER elsewhere OPTIONS (password 'hunter2');
            CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
            CREATE EVENT TRIGGER watcher ON ddl_command_start EXECUTE FUNCTION watch();
            ALTER EVENT TRIGGER watcher ENABLE ALWAYS;
            CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int); INSERT INTO cron.job VALUES (1), (2)";
        server.sql("shop", schema).await;
        let seen = server.verify_with(&only(&[])).await;
        assert_eq!(seen.check("isolation", "instance").result, Passed, "{:#?}", seen.outcome.checks);
        let reason = seen.reason("isolation", "instance");
        let kept = "1 subscription kept from running, max_logical_replication_workers is 0: shop.\"from; prod\" (disabled)";
        assert!(reason.contains(kept), "{reason}");
        assert_eq!(seen.check("isolation", "shop").result, Passed);
        let reason = seen.reason("isolation", "shop");
        for part in [
            "elsewhere (postgres_fdw, 1 user mapping)",
            "can reach out when called: dblink, postgres_fdw",
            "run when the schema is changed: event triggers watcher",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert!(!format!("{:?}", seen.outcome).contains("hunter2"));
        assert!(seen.reason("isolation", "postgres").contains("no foreign server"));
    }
}

#[tokio::test]
async fn what_would_act_on_its_own_is_inconclusive() {
    // A library that calls itself pg_cron, as the server sees it.
    let directory = tempfile::tempdir().unwrap();
    let first = Server::start().await;
    let libraries = first.value("postgres", "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'").await;
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let library = directory.path().join("pg_cron.so");
    std::fs::copy(format!("{libraries}/auth_delay.so"), &library).unwrap();
    std::fs::set_permissions(&library, PermissionsExt::from_mode(0o755)).unwrap();

    let server = Server::start_with(&[
        ("max_logical_replication_workers", "4"),
        ("shared_preload_libraries", library.to_str().unwrap()),
        ("session_preload_libraries", "auto_explain"),
        ("wal_level", "replica"),
        ("archive_mode", "on"),
        ("archive_command", "true --password=hunter2"),
    ])
    .await;
    server.sql("postgres", SUBSCRIPTION).await;
    let seen = server.verify_with(&only(&[])).await;
    seen.expect("isolation", "instance", Errored, "max_logical_replication_workers", "is 4");
    seen.expect("isolation", "instance", Errored, "shared_preload_libraries", "loads pg_cron");
    seen.expect("isolation", "instance", Errored, "archive_mode", "is on");
    assert_eq!(seen.check("isolation", "instance").findings.len(), 3);
    let reason = seen.reason("isolation", "instance");
    assert!(reason.contains("every connection loads auto_explain"), "{reason}");
    assert!(!format!("{:?}", seen.outcome).contains("hunter2"));

    // RDS keeps WAL by a program of its own, which goes nowhere near production's.
    let rds = [
        ("max_logical_replication_workers", "0"),
        ("archive_mode", "on"),
        ("archive_command", "/etc/rds/archive %p"),
    ];
    let server = Server::start_with(&rds).await;
    server.sql("postgres", "CREATE TABLE t ()").await;
    assert_eq!(server.verify_with(&only(&[])).await.check("isolation", "instance").result, Passed);

    let seen = server.verify_with(&Options { expect_isolated: false, ..only(&[]) }).await;
    assert!(seen.outcome.checks.iter().all(|check| check.name != "isolation"));
}

#[tokio::test]
async fn a_subscription_at_work_is_named() {
    let publisher = Server::start_with(&[("wal_level", "logical")]).await;
    publisher.database("shop", "CREATE TABLE t (n int); CREATE PUBLICATION p FOR TABLE t").await;
    let copy = Server::start_with(&[("max_logical_replication_workers", "4")]).await;
    let subscription = format!(
        "CREATE TABLE t (n int); CREATE SUBSCRIPTION alive CONNECTION
         'host=127.0.0.1 port={} user=postgres password={PASSWORD} dbname=shop sslmode=require' PUBLICATION p",
        publisher.cluster.port()
    );
    // It makes a slot on the publisher, so it is a statement of its own.
    let client = copy.connect("postgres").await;
    for statement in subscription.split_inclusive("(n int); ") {
        client.batch_execute(statement).await.unwrap();
    }
    let end = Instant::now() + Duration::from_secs(30);
    while copy.value("postgres", "SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL").await
        == "0"
    {
        assert!(Instant::now() < end, "the subscription did not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = copy.verify_with(&only(&[])).await;
    seen.expect("isolation", "instance", Errored, "subscription alive", "is at work now");
}

#[tokio::test]
async fn what_a_database_does_at_changes_of_its_own_is_not_done_at_ours() {
    // GIVEN a database that counts every change of its catalog, and forbids what makes an extension
    let server = Server::start().await;
    let watched = "CREATE TABLE changes (n int); CREATE TABLE t AS SELECT 1 AS n;
        CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
          BEGIN INSERT INTO public.changes VALUES (1); END $$;
        CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE EXCEPTION 'no extensions here'; END $$;
        CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION watch();
        CREATE EVENT TRIGGER forbid ON ddl_command_end WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION forbid()";
    server.database("watched", watched).await;
    let changes = server.value("watched", "SELECT count(*)::text FROM changes").await;
    // WHEN it is looked at with the means of our own
    let seen = server.verify_with(&Options { may_create_extensions: true, ..Options::default() }).await;
    // THEN these are there, nothing of the database's own ran for it, and nothing is wrong
    let here =
        "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'";
    assert_eq!(server.value("watched", here).await, "amcheck pg_prewarm");
    assert_eq!(server.value("watched", "SELECT count(*)::text FROM changes").await, changes);
    for check in ["storage", "indexes", "content"] {
        assert_eq!(seen.check(check, "watched").result, Passed, "{:#?}", seen.check(check, "watched"));
    }
}
