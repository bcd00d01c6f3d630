//! Real servers: a source that is read as a reader may, and a standby that follows it.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use capture_baseline::{Ports, ServerSource, handle};
use holdfast_core::baseline::Captured;
use holdfast_core::rds::Endpoint;
use holdfast_core::validation::{Reading, TableManifest};
use holdfast_fakes::sample::{home, instance, operation, request, snapshot, tags_of};
use holdfast_fakes::{FakeDocuments, FakeLogins, FakeRds};
use holdfast_local_postgres::{Binaries, CertificateAuthority, Cluster, ClusterOptions, StopMode};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};

const OWNER: &str = "the-0wners-password";
const READER: &str = "the-readers-passw0rd";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:holdfast/prod-db-AbCdEf";

const SHOP: &str = "
    CREATE TABLE public.orders (id int8 PRIMARY KEY, total numeric NOT NULL, note text);
    INSERT INTO public.orders SELECT n, n * 1.5, repeat('x', (n % 50)::int) FROM generate_series(1, 5000) n;
    CREATE TABLE public.\"Odd name\" (at timestamptz);
    INSERT INTO public.\"Odd name\" SELECT now() FROM generate_series(1, 7);
    CREATE ROLE holdfast_reader LOGIN PASSWORD 'the-readers-passw0rd';
    GRANT pg_read_all_data, pg_monitor TO holdfast_reader;";

fn options(directory: &Path, name: &str) -> ClusterOptions {
    ClusterOptions::new(directory.join(name))
        .password(OWNER)
        .setting("max_connections", "20")
        .setting("autovacuum", "off")
        .fast()
}

struct World {
    source: Cluster,
    standby: Option<Cluster>,
    directory: tempfile::TempDir,
    rds: FakeRds,
    documents: FakeDocuments,
    logins: FakeLogins,
}

impl World {
    /// A source with a database that a reader may read.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (binaries, authority) = (Binaries::find().await.unwrap(), CertificateAuthority::new().unwrap());
        let mut source =
            Cluster::create(binaries, authority, options(directory.path(), "source")).await.unwrap();
        source.start().await.unwrap();
        let logins = FakeLogins::default();
        logins.keep(SECRET, &json!({"username": "holdfast_reader", "password": READER}).to_string());
        let (rds, documents) = (FakeRds::default(), FakeDocuments::default());
        let world = World { source, standby: None, directory, rds, documents, logins };
        world.place("prod-db", world.source.port());
        sql(&world.source, "postgres", "CREATE DATABASE shop").await;
        sql(&world.source, "shop", SHOP).await;
        world
    }

    /// A standby of it, which has all that the source has by now and follows where `follows`.
    async fn with_standby(follows: bool) -> Self {
        let mut world = World::new().await;
        let copy = world.directory.path().join("standby");
        world.source.base_backup(&copy).await.unwrap();
        std::fs::write(copy.join("standby.signal"), "").unwrap();
        let conninfo = format!(
            "host=127.0.0.1 port={} user=postgres password={OWNER}",
            if follows { world.source.port() } else { 1 }
        );
        let options = options(world.directory.path(), "standby").setting("primary_conninfo", conninfo);
        let (binaries, authority) = (Binaries::find().await.unwrap(), CertificateAuthority::new().unwrap());
        let mut standby = Cluster::open(binaries, authority, options).await.unwrap();
        standby.start().await.unwrap();
        world.place("prod-db-replica", standby.port());
        world.standby = Some(standby);
        world
    }

    fn place(&self, id: &str, port: u16) {
        let mut placed = instance(id);
        placed.endpoint = Some(Endpoint { host: "localhost".into(), port });
        self.rds.lay_instance(&home(), placed);
    }

    async fn ask(&self, when: &str, input: &Value, poll: u32, carry: &Value) -> Value {
        let mut authorities = self.source.ca_pem().to_owned();
        authorities.push_str(self.standby.as_ref().map_or("", Cluster::ca_pem));
        let (source, region) = (ServerSource::new(authorities), home());
        let ports = Ports {
            rds: &self.rds,
            logins: &self.logins,
            documents: &self.documents,
            source: &source,
            region: &region,
            budget: Duration::from_secs(60),
            piece_bytes: 64 << 10,
        };
        let payload = json!({"operationId": operation(), "request": request(input.clone()), "when": when,
                             "poll": poll, "carry": carry});
        let answer = handle(&ports, serde_json::from_value(payload).unwrap()).await.unwrap();
        serde_json::to_value(answer).unwrap()
    }

    async fn all(&self, when: &str, input: &Value) -> Vec<Value> {
        let (mut answers, mut carry) = (Vec::new(), json!({}));
        for poll in 1..=200 {
            let answer = self.ask(when, input, poll, &carry).await;
            carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
            answers.push(answer.clone());
            if answer["status"] == "FINAL" {
                return answers;
            }
            // A replica catches up in its own time; nothing else is waited for.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no end: {:?}", answers.last());
    }

    fn snapshot(&self) {
        self.rds.lay_snapshot(snapshot(&home(), &operation().snapshot_id(), tags_of(operation().as_str())));
    }

    /// Both sides of a snapshot, with nothing happening in between.
    async fn captured(&self, baseline: Value) -> Captured {
        let input = json!({"baseline": baseline});
        self.all("before", &input).await;
        self.snapshot();
        self.all("after", &input).await;
        self.kept()
    }

    fn kept(&self) -> Captured {
        let everything = self.documents.everything();
        assert!(!everything.contains(READER) && !everything.contains(OWNER));
        serde_json::from_value(self.documents.now(&operation().baseline_key()).unwrap()).unwrap()
    }
}

async fn connect(cluster: &Cluster, database: &str) -> tokio_postgres::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cluster.ca_pem().as_bytes()).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
    let place = format!(
        "host=localhost port={} user=postgres password={OWNER} dbname={database} sslmode=require",
        cluster.port()
    );
    let (client, connection) = tokio_postgres::connect(&place, tls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn sql(cluster: &Cluster, database: &str, statements: &str) {
    connect(cluster, database).await.batch_execute(statements).await.unwrap();
}

fn tables(captured: &Captured) -> &std::collections::BTreeMap<String, TableManifest> {
    &captured.baseline.manifest.as_ref().unwrap().databases["shop"].tables
}

#[tokio::test]
async fn a_source_on_which_nothing_happens_is_the_same_on_both_sides() {
    // GIVEN a source that a reader may read, WHEN it is captured to its rows
    let world = World::new().await;
    let captured = world.captured(json!({"secretArn": SECRET, "depth": "full"})).await;
    // THEN nothing is missing, and catalog and counters did not move
    assert_eq!(captured.reason, None);
    let (before, after) =
        (captured.baseline.before.as_ref().unwrap(), captured.baseline.after.as_ref().unwrap());
    assert_eq!(before.databases["shop"].counters, after.databases["shop"].counters);
    assert_eq!(before.databases["shop"].schema_hash, after.databases["shop"].schema_hash);
    assert!(before.databases["shop"].counters["public.orders"].inserted >= 5000);
    // AND the rows are all there
    assert_eq!(tables(&captured)["public.orders"].rows, 5000);
    assert_eq!(tables(&captured)["public.\"Odd name\""].rows, 7);
    // AND it is known which of them were read in pieces
    assert_eq!(captured.baseline.in_pieces["shop"].iter().collect::<Vec<_>>(), ["public.orders"]);
    // AND nothing was made on the source
    let client = connect(&world.source, "shop").await;
    let extensions: i64 = client.query_one("SELECT count(*) FROM pg_extension", &[]).await.unwrap().get(0);
    assert_eq!(extensions, 1, "plpgsql and nothing else");
}

#[tokio::test]
async fn a_heartbeat_is_a_row_of_its_operation() {
    // GIVEN a table with a name that needs quotes, in which the reader may write
    let mut world = World::new().await;
    let table =
        "CREATE TABLE public.\"Heart beat\" (operation_id text PRIMARY KEY, beat_at timestamptz NOT NULL);
        GRANT SELECT, INSERT, UPDATE ON public.\"Heart beat\" TO holdfast_reader;
        ALTER ROLE holdfast_reader SET default_transaction_read_only = on;
        CREATE TABLE public.bare (operation_id text PRIMARY KEY, beat_at timestamp);
        CREATE TABLE public.closed (operation_id text PRIMARY KEY, beat_at timestamptz)";
    sql(&world.source, "shop", table).await;
    let asking = |table: &str| {
        let heartbeat = json!({"database": "shop", "table": table});
        let checks = json!({"freshness": {"heartbeat": heartbeat, "maxAgeMinutes": 5}});
        json!({"baseline": {"secretArn": SECRET}, "validation": {"checks": checks}})
    };
    // WHEN the source is captured, THEN the row is there, and at the time that is kept
    let input = asking("public.Heart beat");
    world.all("before", &input).await;
    world.snapshot();
    world.all("after", &input).await;
    let beat = world.kept().heartbeat.unwrap();
    assert_eq!(beat.table, "public.\"Heart beat\"");
    let client = connect(&world.source, "shop").await;
    let there = "SELECT count(*), bool_and(operation_id = $1 AND beat_at = $2::text::timestamptz) FROM public.\"Heart beat\"";
    let row = client.query_one(there, &[&operation().as_str(), &beat.beat_at]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (1, true));
    // AND what is promised holds in a copy that has it, and in none that has only what was there before
    let sql_of = beat.assertion(&operation()).sql;
    let holds = async || client.query_one(&*sql_of, &[]).await.unwrap().get::<_, bool>(0);
    assert!(holds().await);
    client
        .batch_execute("UPDATE public.\"Heart beat\" SET beat_at = beat_at - interval '1 us'")
        .await
        .unwrap();
    assert!(!holds().await);
    // GIVEN no such table, one of another shape, or one without the right, THEN each is named, and the rest is read
    for (table, named) in [
        ("public.nothing", "public.nothing: it is not there in shop"),
        ("public.bare", "it has no columns operation_id text and beat_at timestamptz"),
        ("public.closed", "permission denied for table closed"),
    ] {
        world = World { documents: FakeDocuments::default(), rds: FakeRds::default(), ..world };
        world.place("prod-db", world.source.port());
        let input = asking(table);
        world.all("before", &input).await;
        world.snapshot();
        world.all("after", &input).await;
        let captured = world.kept();
        assert!(captured.usable().is_some() && captured.heartbeat.is_none());
        let reason = captured.reason.unwrap();
        assert!(reason.cause.contains(named), "{}", reason.cause);
    }
}

#[tokio::test]
async fn what_a_session_reports_late_is_in_the_counters_all_the_same() {
    // GIVEN a row that is written before the snapshot, by a session that reported a moment ago and does not again yet
    let world = World::new().await;
    let input = json!({"baseline": {"secretArn": SECRET, "depth": "full"}});
    world.all("before", &input).await;
    let writer = connect(&world.source, "shop").await;
    let report =
        "DO $$ BEGIN PERFORM pg_stat_force_next_flush(); EXCEPTION WHEN undefined_function THEN NULL; END $$";
    writer.batch_execute(report).await.unwrap();
    writer.batch_execute("INSERT INTO public.orders VALUES (0, 0)").await.unwrap();
    world.snapshot();
    // WHEN it reports while the state machine waits as it is told to
    let (mut poll, mut carry) = (1, json!({}));
    loop {
        let answer = world.ask("after", &input, poll, &carry).await;
        if answer["status"] == "FINAL" {
            break;
        }
        assert!(poll < 5, "{answer}");
        // Before PostgreSQL 15 a session reports when it ends, at the latest.
        writer.batch_execute(report).await.unwrap();
        (poll, carry) = (poll + 1, answer["carry"].clone());
    }
    // THEN the table is not one that stood still
    let Captured { baseline, .. } = world.kept();
    let inserted = |reading: &Reading| reading.databases["shop"].counters["public.orders"].inserted;
    assert_eq!(inserted(baseline.after.as_ref().unwrap()), inserted(baseline.before.as_ref().unwrap()) + 1);
}

#[tokio::test]
async fn a_table_that_the_reader_may_not_read_whole_is_named() {
    // GIVEN a table whose rows the reader sees in part only
    let world = World::new().await;
    sql(&world.source, "shop", "ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY").await;
    let captured = world.captured(json!({"secretArn": SECRET, "depth": "full"})).await;
    // THEN it is not counted as if those were all, and its name is in the reason
    assert!(!tables(&captured).contains_key("public.orders"));
    let reason = captured.reason.unwrap();
    assert!(reason.cause.contains("public.orders"), "{}", reason.cause);
}

#[tokio::test]
async fn a_standby_shows_the_same_rows_and_none_older() {
    // GIVEN a standby that follows, and a source that writes until it is captured
    let world = World::with_standby(true).await;
    sql(&world.source, "shop", "INSERT INTO public.orders SELECT n, 0 FROM generate_series(5001, 20000) n")
        .await;
    let asked = json!({"secretArn": SECRET, "depth": "full", "replica": "prod-db-replica"});
    let from_standby = world.captured(asked).await;
    // THEN the rows of the standby are those of the source
    assert_eq!(from_standby.reason, None);
    assert_eq!(tables(&from_standby)["public.orders"].rows, 20_000);
    let again = World { documents: FakeDocuments::default(), rds: FakeRds::default(), ..world };
    again.place("prod-db", again.source.port());
    let from_source = again.captured(json!({"secretArn": SECRET, "depth": "full"})).await;
    assert_eq!(tables(&from_source), tables(&from_standby));
}

#[tokio::test]
async fn a_standby_that_stands_still_is_not_read() {
    // GIVEN a standby that follows nobody, and a source that has written since
    let world = World::with_standby(false).await;
    sql(&world.source, "shop", "INSERT INTO public.orders SELECT n, 0 FROM generate_series(5001, 6000) n")
        .await;
    let asked = json!({"secretArn": SECRET, "depth": "full", "replica": "prod-db-replica"});
    let captured = world.captured(asked).await;
    // THEN it is waited for, and then its rows are not taken for the source's
    let reason = captured.reason.as_ref().unwrap();
    assert!(reason.cause.contains("did not catch up"), "{}", reason.cause);
    assert!(captured.baseline.manifest.is_none() && captured.usable().is_some());
}

#[tokio::test]
async fn a_standby_is_not_a_source_and_another_server_is_no_replica() {
    // GIVEN a database whose identifier is that of a standby
    let world = World::with_standby(true).await;
    world.place("prod-db", world.standby.as_ref().unwrap().port());
    let captured = world.captured(json!({"secretArn": SECRET})).await;
    assert!(captured.reason.unwrap().cause.contains("standby"));
    // GIVEN a replica that is another server altogether
    let (mut other, world) = (World::new().await, World::new().await);
    world.place("prod-db-replica", other.source.port());
    let world = World { standby: None, ..world };
    let authorities = format!("{}{}", world.source.ca_pem(), other.source.ca_pem());
    assert!(authorities.matches("BEGIN CERTIFICATE").count() == 2);
    other.standby = Some(world.source);
    // The other one's rows are asked for in the place of this one's.
    let swapped = World { rds: world.rds, documents: world.documents, ..other };
    swapped.place("prod-db", swapped.standby.as_ref().unwrap().port());
    let asked = json!({"secretArn": SECRET, "depth": "full", "replica": "prod-db-replica"});
    let captured = swapped.captured(asked).await;
    let reason = captured.reason.unwrap();
    assert!(reason.cause.contains("not a replica of the source"), "{}", reason.cause);
    let mut stopped = swapped.source;
    stopped.stop(StopMode::Immediate).await.unwrap();
}
