//! A source's counters come late: what its sessions may not have reported yet is known, and judged by.

use std::time::{Duration, Instant};

use holdfast_core::validation::CheckResult::{self, *};
use holdfast_core::validation::{Baseline, BaselineDepth, Manifest, Reading};
use holdfast_local_postgres::Binaries;
use holdfast_verify::{Options, reading};

use crate::server::{Seen, Server, only};

const TABLE: &str = "CREATE TABLE public.t AS SELECT n FROM generate_series(1, 10) AS n;
    CREATE ROLE reader LOGIN PASSWORD 'reader'; CREATE ROLE monitor LOGIN PASSWORD 'monitor';
    GRANT pg_monitor TO monitor; GRANT SELECT ON public.t TO reader, monitor";

/// Held against a source that was read before the snapshot, and `waited` seconds later after it.
async fn held(server: &Server, before: &Reading, after: &Reading, rows: &Manifest, waited: u64) -> Seen {
    let mut after = after.clone();
    let database = after.databases.get_mut("shop").unwrap();
    database.sessions.iter_mut().for_each(|session| session.seconds += waited);
    let baseline = Baseline {
        depth: BaselineDepth::Full,
        before: Some(before.clone()),
        after: Some(after),
        manifest: Some(rows.clone()),
        ..Baseline::default()
    };
    server.verify_with(&Options { baseline: Some(baseline), ..only(&["content"]) }).await
}

/// What became of it, and what is said of the one table.
fn against(seen: &Seen) -> (CheckResult, &str) {
    let check = seen.check("against-baseline", "instance");
    let said = check.findings.iter().find(|finding| finding.object == "shop.public.t");
    (check.result, said.map_or("", |finding| &finding.message))
}

async fn until(server: &Server, sql: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.value("shop", sql).await != "true" {
        assert!(Instant::now() < deadline, "{sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_procedure_that_commits_in_between_does_not_make_a_good_copy_a_bad_one() {
    // The oldest and the newest: they count by different means.
    let mut majors = Binaries::majors().await.unwrap();
    majors.drain(1..majors.len().saturating_sub(1).max(1));
    for binaries in majors {
        // GIVEN a source, one reader at work since before it was read, and its rows
        let server = Server::of(binaries).await;
        server.database("shop", TABLE).await;
        let options = Options::default();
        let quiet = server.connect("shop").await;
        quiet.batch_execute("BEGIN; SELECT 1").await.unwrap();
        until(
            &server,
            "SELECT coalesce(bool_or(n_tup_ins = 10), false) FROM pg_stat_all_tables WHERE relname = 't'",
        )
        .await;
        let before = reading(&server.target(), &options).await.unwrap();
        let rows = server.verify_with(&only(&["content"])).await.outcome.manifest;
        // WHEN a procedure commits a row, and is not done when the source is read again
        let gate = server.connect("shop").await;
        gate.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
        let writer = server.connect("shop").await;
        let writing = tokio::spawn(async move {
            let sql =
                "DO $$ BEGIN INSERT INTO public.t VALUES (11); COMMIT; PERFORM pg_advisory_lock(1); END $$";
            writer.batch_execute(sql).await
        });
        until(&server, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").await;
        let after = reading(&server.target(), &options).await.unwrap();
        // THEN its counters know nothing of the row
        let counters = |reading: &Reading| reading.databases["shop"].counters["public.t"].clone();
        assert_eq!(counters(&before).inserted, counters(&after).inserted, "{}", before.server_version);
        // AND the table is not one that stood still, though it looks like it
        let seen = held(&server, &before, &after, &rows, 70).await;
        let (result, reason) = against(&seen);
        assert_eq!(result, Errored, "{:#?}", seen.check("against-baseline", "instance"));
        assert!(reason.contains("may not have reported"), "{reason:?}");
        // AND without that session it would be
        let mut blind = after.clone();
        blind.databases.get_mut("shop").unwrap().sessions.clear();
        assert_eq!(against(&held(&server, &before, &blind, &rows, 70).await).0, Failed);
        // AND the one that was in a transaction before is no reason
        let mut idle = after.clone();
        let sessions = &mut idle.databases.get_mut("shop").unwrap().sessions;
        sessions.retain(|session| session.began < before.at);
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        assert_eq!(against(&held(&server, &before, &idle, &rows, 70).await).0, Failed);
        drop(gate);
        writing.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_idle_session_reports_by_itself_since_15_and_never_before() {
    for binaries in Binaries::majors().await.unwrap() {
        let server = Server::of(binaries).await;
        server.database("shop", TABLE).await;
        let idle = server.connect("shop").await;
        idle.batch_execute("INSERT INTO public.t VALUES (11)").await.unwrap();
        until(&server, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'shop' AND state = 'idle'")
            .await;
        let read = reading(&server.target(), &Options::default()).await.unwrap();
        let suspects = read.databases["shop"].sessions.len();
        let before_15 = server.value("shop", "current_setting('server_version_num')::int4 < 150000").await;
        assert_eq!(suspects > 0, before_15 == "true", "{}", read.server_version);
    }
}

#[tokio::test]
async fn a_reader_that_may_not_see_sessions_says_so() {
    // GIVEN a session of somebody else, and a reader that sees no more of it than that it is there
    let server = Server::start().await;
    server.database("shop", TABLE).await;
    let other = server.connect("shop").await;
    let mut target = server.target();
    (target.user, target.password) = ("reader".into(), "reader".into());
    let before = reading(&target, &Options::default()).await.unwrap();
    let rows = server.verify_with(&only(&["content"])).await.outcome.manifest;
    let after = reading(&target, &Options::default()).await.unwrap();
    assert!(after.databases["shop"].hidden_sessions > 0);
    (target.user, target.password) = ("monitor".into(), "monitor".into());
    let seen_through = reading(&target, &Options::default()).await.unwrap();
    assert_eq!(seen_through.databases["shop"].hidden_sessions, 0);
    // WHEN the copy differs, THEN it is not known whether the source changed
    server.sql("shop", "UPDATE public.t SET n = 99 WHERE n = 1").await;
    let seen = held(&server, &before, &after, &rows, 70).await;
    let (result, reason) = against(&seen);
    assert_eq!(result, Errored);
    assert!(reason.contains("GRANT pg_monitor"), "{reason:?}");
    // AND a reader that may see them knows
    assert_eq!(against(&held(&server, &before, &seen_through, &rows, 70).await).0, Failed);
    drop(other);
}
