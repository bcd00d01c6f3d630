//! Any trouble: what gets in the way is tried again for a while, what was done is never done again, and what was not is
//! never called good.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use holdfast_core::validation::CheckResult::*;
use holdfast_core::validation::{Verdict, verdict};
use holdfast_verify::{Journal, Options, Plan, UnitResult, conclude, plan, work};

use crate::server::{Server, only};

const ROWS: &str = "CREATE TABLE t AS SELECT n AS id, jsonb_build_object('n', repeat(md5(n::text), 8)) AS doc
    FROM generate_series(1, 100000) AS n; CREATE TABLE u AS SELECT 1 AS n";

/// Pieces of 4 MB, one connection.
fn pieces() -> Options {
    Options { chunk_bytes: 4 << 20, connections: 1, ..Options::default() }
}

/// Cancels statements that hash, at most `times`, until dropped.
async fn canceller(server: &Server, times: u32) -> tokio::task::JoinHandle<u32> {
    let client = server.connect("postgres").await;
    tokio::spawn(async move {
        let mut done = 0;
        while done < times {
            let sql = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
                WHERE application_name = 'holdfast-verify' AND state = 'active' AND query LIKE '%hashint4extended%'
                  AND query_start < clock_timestamp() - interval '2 ms'";
            match client.query_one(sql, &[]).await {
                Ok(row) => done += u32::try_from(row.get::<_, i64>(0)).unwrap_or(0),
                Err(_) => break,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        done
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_was_cancelled_is_asked_again() {
    let server = Server::start().await;
    server.database("shop", ROWS).await;
    let canceller = canceller(&server, 3).await;
    // One piece: it takes long enough to be hit.
    let seen = server.verify_with(&Options { connections: 1, ..Options::default() }).await;
    assert_eq!(canceller.await.unwrap(), 3, "nothing was cancelled");
    seen.all_passed_but(&[]);
    assert_eq!(seen.rows("shop", "public.t"), 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_again_and_again_is_unknown_by_name() {
    let server = Server::start().await;
    server.database("shop", ROWS).await;
    let canceller = canceller(&server, u32::MAX).await;
    let seen = server.verify_with(&Options { connections: 1, ..Options::default() }).await;
    canceller.abort();
    seen.expect("content", "shop", Errored, "public.t", "tried 4 times");
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Inconclusive);
    assert!(!seen.outcome.manifest.databases["shop"].tables.contains_key("public.t"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_costs_time_and_nothing_else() {
    let mut server = Server::start().await;
    server.database("shop", ROWS).await;
    let target = server.target();
    let options = Options { chunk_bytes: 1 << 20, ..pieces() };
    let verifying = tokio::spawn(async move { holdfast_verify::verify(&target, &options).await });
    // In the midst of the work.
    let client = server.connect("postgres").await;
    let hashing = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
        AND query LIKE '%hashint4extended%'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.query_one(hashing, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(Instant::now() < deadline, "nothing is hashed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(client);
    server.while_stopped(|| {}).await;
    let outcome = verifying.await.unwrap().unwrap();
    let content =
        outcome.checks.iter().find(|check| check.name == "content" && check.scope == "shop").unwrap();
    assert_eq!(content.result, Passed, "{content:#?}");
    assert_eq!(outcome.manifest.databases["shop"].tables["public.t"].rows, 100_000);
}

/// Keeps what it is given, up to a number, then fails like a bucket that cannot be reached.
struct Kept {
    results: Mutex<BTreeMap<u32, UnitResult>>,
    takes: AtomicU32,
}

impl Kept {
    fn new(takes: u32) -> Self {
        Kept { results: Mutex::default(), takes: AtomicU32::new(takes) }
    }
}

#[async_trait::async_trait]
impl Journal for Kept {
    async fn keep(&self, result: &UnitResult) -> Result<(), String> {
        if self.takes.load(Ordering::SeqCst) == 0 {
            return Err("the bucket is full".into());
        }
        self.takes.fetch_sub(1, Ordering::SeqCst);
        let twice = self.results.lock().unwrap().insert(result.unit, result.clone());
        assert!(twice.is_none(), "unit {} was done twice", result.unit);
        Ok(())
    }
}

#[tokio::test]
async fn what_was_kept_is_never_done_again_and_what_was_not_is_missed() {
    let server = Server::start().await;
    server.database("shop", ROWS).await;
    let (target, options) = (server.target(), pieces());
    // The plan is handed on as a document.
    let planned = plan(&target, &options).await.unwrap();
    let plan: Plan = serde_json::from_str(&serde_json::to_string(&planned).unwrap()).unwrap();
    let ids: Vec<u32> = planned.units.iter().map(|unit| unit.id).collect();
    assert!(ids.len() > 5, "{} units", ids.len());

    let journal = Kept::new(3);
    let first = work(&target, &options, &plan.units, &ids, &journal).await.unwrap();
    assert_eq!((first.done.len(), first.left.len()), (3, ids.len() - 3));
    assert_eq!(first.journal_failed.as_deref(), Some("the bucket is full"));

    let part = conclude(&plan, &journal.results.lock().unwrap().clone(), &options);
    assert_eq!(verdict(&part.checks), Verdict::Inconclusive);
    let content = part.checks.iter().find(|check| check.name == "content" && check.scope == "shop").unwrap();
    assert!(content.findings.iter().any(|finding| finding.message.contains("not done")), "{content:#?}");
    assert!(!part.manifest.databases["shop"].tables.contains_key("public.t"));

    // Two other hands share what is left.
    journal.takes.store(u32::MAX, Ordering::SeqCst);
    let (even, odd): (Vec<u32>, Vec<u32>) = first.left.iter().partition(|id| *id % 2 == 0);
    let ends = tokio::join!(
        work(&target, &options, &plan.units, &even, &journal),
        work(&target, &options, &plan.units, &odd, &journal)
    );
    assert!(ends.0.unwrap().left.is_empty() && ends.1.unwrap().left.is_empty());
    let whole = conclude(&plan, &journal.results.lock().unwrap().clone(), &options);
    assert_eq!(verdict(&whole.checks), Verdict::Valid, "{:#?}", whole.checks);
    let alone = server.verify().await;
    assert_eq!(whole.manifest.databases["shop"].tables, alone.outcome.manifest.databases["shop"].tables);
}

#[tokio::test]
async fn a_call_without_time_leaves_its_units_to_the_next() {
    let server = Server::start().await;
    server.database("shop", ROWS).await;
    let (target, options) = (server.target(), pieces());
    let plan = plan(&target, &options).await.unwrap();
    let ids: Vec<u32> = plan.units.iter().map(|unit| unit.id).collect();
    let journal = Kept::new(u32::MAX);
    let none = Options { time_budget: Duration::ZERO, ..options.clone() };
    let end = work(&target, &none, &plan.units, &ids, &journal).await.unwrap();
    assert_eq!((end.done.len(), end.left.len()), (0, ids.len()));
    let end = work(&target, &options, &plan.units, &end.left, &journal).await.unwrap();
    assert_eq!((end.done.len(), end.left.len()), (ids.len(), 0));
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.value("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted").await == "0" {
        assert!(Instant::now() < deadline, "nobody waits for a lock");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes planning stand still at each kind of place, disturbs it there, and holds that it costs time and nothing else.
async fn disturbed_while_planning(disturb: impl AsyncFn(&mut Server)) {
    let mut server = Server::start().await;
    server
        .database(
            "shop",
            "CREATE TABLE t AS SELECT 1 AS n; CREATE INDEX ON t (n); CREATE TABLE u AS SELECT 1 AS n;
             CREATE FUNCTION held() RETURNS bool IMMUTABLE LANGUAGE plpgsql
                 AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END';
             CREATE INDEX ON u (n) WHERE held()",
        )
        .await;
    // The catalog, then the first check that opens tables, then one that opens indexes, then PostgreSQL's own plan for one
    // of these: there planning stands still.
    let places = [
        ("LOCK TABLE pg_catalog.pg_sequence IN ACCESS EXCLUSIVE MODE", Options::default()),
        ("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE", Options::default()),
        ("REINDEX INDEX public.t_n_idx", only(&["indexes"])),
        ("SELECT pg_advisory_xact_lock(1)", only(&["indexes"])),
    ];
    for (sql, options) in places {
        let peace = server.verify_with(&options).await.outcome;
        let client = server.connect("shop").await;
        client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
        let target = server.target();
        let verifying = tokio::spawn(async move { holdfast_verify::verify(&target, &options).await });
        somebody_waits(&server).await;
        disturb(&mut server).await;
        // The lock goes with its holder.
        drop(client);
        let outcome = verifying.await.unwrap().unwrap();
        assert_eq!(verdict(&outcome.checks), Verdict::Valid, "{sql}: {:#?}", outcome.checks);
        assert_eq!(outcome.not_checked, peace.not_checked, "{sql}");
        assert_eq!(outcome.manifest.databases, peace.manifest.databases, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_while_it_is_planned_costs_time_and_nothing_else() {
    disturbed_while_planning(async |server| server.while_stopped(|| {}).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_was_cancelled_while_it_is_planned_is_asked_again() {
    disturbed_while_planning(async |server| {
        let waiting = "SELECT pid || ' ' || query_start FROM pg_stat_activity
            WHERE application_name = 'holdfast-verify' AND wait_event_type = 'Lock'";
        let one = server.value("postgres", waiting).await;
        let pid = one.split(' ').next().unwrap();
        assert_eq!(server.value("postgres", &format!("pg_cancel_backend({pid})")).await, "true");
        // Another statement may wait already.
        let still = format!("SELECT count(*) FROM ({waiting}) AS w(one) WHERE one = '{one}'");
        server.until("postgres", &still, "0").await;
    })
    .await;
}

/// A way to the server on which these connections, counted from 0, end before they begin.
fn way_that_drops(port: u16, dropped: std::ops::Range<usize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let way = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let client = client.unwrap();
            if dropped.contains(&number) {
                continue;
            }
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let ways = [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)];
            for (mut from, mut to) in ways {
                std::thread::spawn(move || {
                    // Either end may go away at any time.
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    way
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_yet_is_waited_for() {
    let server = Server::start().await;
    server.database("shop", "CREATE TABLE t AS SELECT 1 AS n").await;
    let mut target = server.target();
    // The first one is the server's: who does not get that far is told so at once.
    target.port = way_that_drops(server.cluster.port(), 1..3);
    let planned = plan(&target, &Options::default()).await.unwrap();
    let not_run = planned.checks.iter().filter(|check| check.result == NotRun).count();
    assert_eq!((not_run, planned.databases.len()), (0, 2), "{:#?}", planned.checks);
    assert!(planned.databases.values().all(|database| database.objects.is_some()));
    target.port = way_that_drops(server.cluster.port(), 0..1);
    assert!(plan(&target, &Options::default()).await.is_err());
}
