//! Whole-stack tests of a swap: under clients that only know the database's name, with what points to it, and back.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_rds::types::DbInstance;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use holdfast_core::operation::in_place_since;
use holdfast_tests::World;
use holdfast_tests::world::{holdfast, until};
use serde_json::{Value, json};

const LINES: &str = "select count(*) from order_lines";
const PATIENCE: Duration = Duration::from_secs(90);

fn operation(world: &World, run: &str) -> OperationId {
    OperationId::of_restore(
        &Region::parse("us-east-1").expect("a Region"),
        &DatabaseId::parse(&world.database).expect("a database id"),
        &RunId::parse(run).expect("a run id"),
    )
}

/// A database with a proven backup, whose lines were deleted since.
async fn damaged(name: &str) -> (World, i64) {
    let world = World::new(name).await;
    let secret = world.reader(true).await;
    let lines = world.number(&world.database, LINES).await;
    let backup = json!({"databaseId": world.database, "runId": "run-1", "targetRegions": [],
                        "baseline": {"secretArn": secret}, "deadlineMinutes": 10});
    let ended = world.run(&backup).await;
    assert_eq!(ended.output["validation"]["verdict"], "VALID", "{ended:?}");
    world.sql("delete from order_lines").await;
    (world, lines)
}

/// A record and a secret that say where the database is.
struct Pointers {
    zone: String,
    name: String,
    secret: String,
}

impl Pointers {
    async fn make(world: &World) -> Pointers {
        let route53 = world.route53();
        let domain = format!("{}.example.com", world.database);
        let zone = route53.create_hosted_zone().name(&domain).caller_reference(&domain).send().await;
        let zone = zone.expect("a zone").hosted_zone().expect("a zone").id().replace("/hostedzone/", "");
        let name = format!("db.{domain}");
        let secret = world.home.secrets.create_secret().name(format!("holdfast/app/{}", world.database));
        let secret = secret.secret_string("{}").send().await.expect("a secret");
        let pointers = Pointers { zone, name, secret: secret.arn().expect("an ARN").to_owned() };
        pointers.lead_elsewhere(world, "App-secret-77aa").await;
        pointers
    }

    /// Both lead to another host; the secret has this password.
    async fn lead_elsewhere(&self, world: &World, password: &str) {
        let record = ResourceRecord::builder().value("before.example.com").build().expect("a value");
        let set = ResourceRecordSet::builder().name(&self.name).r#type(RrType::Cname).ttl(30);
        let set = set.resource_records(record).build().expect("a set");
        let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(set);
        let batch =
            ChangeBatch::builder().changes(change.build().expect("a change")).build().expect("a batch");
        let made = world.route53().change_resource_record_sets().hosted_zone_id(&self.zone);
        made.change_batch(batch).send().await.expect("a record");
        let said = json!({"username": "app", "password": password, "host": "before.example.com", "port": 1});
        let put = world.home.secrets.put_secret_value().secret_id(&self.secret);
        put.secret_string(said.to_string()).send().await.expect("a version");
    }

    fn input(&self) -> Value {
        json!({"record": {"hostedZoneId": self.zone, "name": self.name}, "secretArn": self.secret})
    }

    /// The host that the record says, and what the secret says.
    async fn say(&self, world: &World) -> (String, Value) {
        let sets = world.route53().list_resource_record_sets().hosted_zone_id(&self.zone).send().await;
        let sets = sets.expect("records");
        let set =
            sets.resource_record_sets().iter().find(|set| set.name().trim_end_matches('.') == self.name);
        let host = set.expect("the record").resource_records()[0].value().to_owned();
        let secret = world.home.secrets.get_secret_value().secret_id(&self.secret).send().await;
        let secret = secret.expect("a secret").secret_string.expect("text");
        (host, serde_json::from_str(&secret).expect("JSON"))
    }
}

/// What uses the database, as a load balancer would see it: one address that answers.
struct Health {
    port: u16,
    status: Arc<AtomicU16>,
    over: Arc<AtomicBool>,
}

impl Health {
    fn answering(status: u16) -> Health {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (status, over) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicBool::new(false)));
        let (answers, ends) = (status.clone(), over.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                answer(stream, answers.load(Ordering::Relaxed));
            }
        });
        Health { port, status, over }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/health", self.port)
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(mut stream: TcpStream, status: u16) {
    let mut request = [0; 2048];
    let _ = stream.read(&mut request);
    let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nup");
}

/// A client that knows where the database is and connects anew for each question, until it is told to stop. The longest
/// time without an answer.
async fn ask_on(world: &World, known: &DbInstance, over: &AtomicBool) -> Duration {
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    while !over.load(Ordering::Relaxed) {
        if world.answer(known, LINES).await.is_some() {
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        // How often this client asks; nothing is waited for by it.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_restored_takes_the_place_under_clients_that_reconnect() {
    // GIVEN a database that lost rows, and clients, a record and a secret that know it
    let (world, lines) = damaged("swap-in").await;
    let pointers = Pointers::make(&world).await;
    let health = Health::answering(200);
    let was = world.instance(&world.database).await.expect("the database");

    // WHEN its proven backup is swapped in while a client goes on asking
    let mut swap = pointers.input();
    swap["oldInstance"] = json!("stop");
    swap["smokeChecks"] = json!({"http": [{"url": health.url(), "contains": "up"}], "withinSeconds": 30, "sql": [
        {"name": "lines are back", "database": "shop", "sql": "select count(*) > 0 from order_lines", "expect": "true"}]});
    let input = json!({"databaseId": world.database, "runId": "in-1", "deadlineMinutes": 10, "swap": swap});
    let over = AtomicBool::new(false);
    let restore = async {
        let ended = world.restore(&input).await;
        // The client has seen the other side, too.
        until("the client to be answered", PATIENCE, async || world.answer(&was, LINES).await).await;
        over.store(true, Ordering::Relaxed);
        ended
    };
    let (ended, outage) = tokio::join!(restore, ask_on(&world, &was, &over));

    // THEN the client finds the rows where it always looked, and was without an answer for a moment only
    let summary = &ended.output;
    assert_eq!(summary["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(world.answer(&was, LINES).await, Some(lines));
    println!("no answer for {outage:?}; recorded: {}", summary["swap"]["outageSeconds"]);
    assert!(outage < Duration::from_secs(30), "no answer for {outage:?}");
    assert!(summary["swap"]["outageSeconds"].as_f64().expect("seconds") > 0.0, "{summary:#}");
    // What was written since the recovery point is in the old one only, and that is said.
    let (lost, planned) = (&summary["swap"]["lostSeconds"], &summary["plan"]["lost"]["seconds"]);
    assert!(lost.as_f64() > planned.as_f64() && planned.as_f64() > Some(0.0), "{summary:#}");
    let is = world.instance(&world.database).await.expect("the database");
    assert_ne!(is.dbi_resource_id(), was.dbi_resource_id());
    assert_eq!(is.endpoint().and_then(|e| e.port()), was.endpoint().and_then(|e| e.port()));
    // AND the old one is there under another name, stopped
    let old = summary["swap"]["oldId"].as_str().expect("a name");
    let there = world.instance(old).await.expect("the old one");
    assert_eq!(there.dbi_resource_id(), was.dbi_resource_id());
    assert!(matches!(there.db_instance_status(), Some("stopping" | "stopped")), "{there:?}");
    // AND record and secret say where it is, with everything else as it was
    let (host, secret) = pointers.say(&world).await;
    let endpoint = is.endpoint().expect("an endpoint");
    assert_eq!(Some(host.as_str()), endpoint.address());
    assert_eq!((&secret["port"], &secret["username"]), (&json!(endpoint.port()), &json!("app")));
    let phases = phases(&world, "in-1").await;
    assert_eq!(phases, ["PLANNING", "RESTORING", "VALIDATING", "SWAPPING", "CLEANING_UP", "SUCCEEDED"]);
    let checks = summary["swap"]["smokeChecks"].as_array().expect("checks");
    assert!(checks.len() == 2 && checks.iter().all(|check| check["passed"] == true), "{checks:?}");
    its_log_is_the_databases_since_the_swap(&world, "in-1").await;
}

/// Before, the name was another instance's: its log, which begins when it was made beside, has nothing to say of these times.
async fn its_log_is_the_databases_since_the_swap(world: &World, run: &str) {
    let record = world.record(&operation(world, run)).await.expect("the record");
    let since = in_place_since(&record).expect("the time of the swap");
    let (code, said, complaint) = holdfast(&["pitr", &world.database, "--output", "json"]).await;
    assert_eq!(code, 0, "{said}{complaint}");
    let found: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(found["window"]["earliest"], json!(since), "{found:#}");
    let before = since.checked_sub(jiff::SignedDuration::from_secs(1)).expect("a time");
    let input = json!({"databaseId": world.database, "runId": "before", "restoreTime": before, "verifyOnly": true,
                       "targetId": format!("{}-before", world.database)});
    let refused = world.restore(&input).await;
    assert_eq!(refused.error, "Holdfast.OutsideRestoreWindow", "{refused:?}");
    assert!(refused.cause.contains(&format!("from {since} to")), "{}", refused.cause);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_does_not_do_is_undone_by_whoever_goes_on_with_it() {
    // GIVEN the same, and what uses it does not do with what was swapped in
    let (world, lines) = damaged("swap-out").await;
    let pointers = Pointers::make(&world).await;
    let health = Health::answering(503);
    let was = world.instance(&world.database).await.expect("the database");
    let mut swap = pointers.input();
    swap["smokeChecks"] = json!({"http": [{"url": health.url()}], "withinSeconds": 600});
    let input = json!({"databaseId": world.database, "runId": "out-1", "deadlineMinutes": 10, "swap": swap});

    // WHEN its execution ends once the names have changed hands, before anybody said whether it does
    let first = world.start_restore(&input).await;
    until("the names to change hands", PATIENCE, async || {
        (world.answer(&was, LINES).await == Some(lines)).then_some(())
    })
    .await;
    world.home.sfn.stop_execution().execution_arn(&first).send().await.expect("it stops");
    assert_eq!(world.ended(&first).await.status, ExecutionStatus::Aborted);

    // THEN another request is refused, and the same one goes on from there
    let mut changed = input.clone();
    changed["swap"]["smokeChecks"]["withinSeconds"] = json!(1);
    let refused = world.restore(&changed).await;
    assert_eq!(refused.error, "Holdfast.RequestMismatch", "{refused:?}");
    let second = world.start_restore(&input).await;
    until("the checks to be tried", PATIENCE, async || {
        world.history(&second).await.contains("it answered 503, not 200").then_some(())
    })
    .await;
    health.status.store(200, Ordering::Relaxed);
    let ended = world.ended(&second).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(world.answer(&was, LINES).await, Some(lines));

    // WHEN another is swapped in and the checks fail for as long as they may
    health.status.store(503, Ordering::Relaxed);
    let before = world.instance(&world.database).await.expect("the database");
    pointers.lead_elsewhere(&world, "Rotated-since-77bb").await;
    let said = pointers.say(&world).await;
    let mut again = changed;
    again["runId"] = json!("out-2");
    let ended = world.restore(&again).await;

    // THEN everything is as it was before, and what was restored is there beside it, named
    assert_eq!(ended.error, "Holdfast.SmokeCheckFailed", "{ended:?}");
    assert!(ended.cause.contains("it answered 503, not 200"), "{}", ended.cause);
    let now = world.instance(&world.database).await.expect("the database");
    assert_eq!(now.dbi_resource_id(), before.dbi_resource_id());
    assert_eq!(world.answer(&was, LINES).await, Some(lines));
    assert_eq!(pointers.say(&world).await, said);
    let record = world.record(&operation(&world, "out-2")).await.expect("a record");
    assert_eq!(record["swap"]["undone"], true, "{record:#}");
    let beside = record["plan"]["targetId"].as_str().expect("a name");
    assert!(record["leftovers"].to_string().contains(beside), "{record:#}");
    assert!(world.instance(beside).await.is_some());
    let phases = phases(&world, "out-2").await;
    let expected =
        ["PLANNING", "RESTORING", "VALIDATING", "SWAPPING", "UNDOING_SWAP", "CLEANING_UP", "FAILED"];
    assert_eq!(phases, expected);
}

async fn phases(world: &World, run: &str) -> Vec<String> {
    let record = world.record(&operation(world, run)).await.expect("a record");
    let points = record["checkpoints"].as_array().expect("checkpoints");
    points.iter().map(|point| point["name"].as_str().unwrap_or_default().to_owned()).collect()
}
