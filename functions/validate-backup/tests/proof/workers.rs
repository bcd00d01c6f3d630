//! Several functions at once: each does its share, and one that fails is named and does not lose the others' work.

use futures::FutureExt;
use holdfast_core::ErrorKind;
use holdfast_core::rds::Instance;
use holdfast_core::tags::Tags;
use holdfast_core::validation::CheckResult;
use holdfast_fakes::sample::{home, operation};
use holdfast_fakes::{Call, Trouble};
use holdfast_verify::ConnectError;
use serde_json::{Value, json};

use crate::server::check;
use crate::support::{World, gone};

const GIB: u64 = 1 << 30;

/// A world with 32 GiB to be read in 32 units, for four workers.
async fn much() -> (World, Value) {
    let world = World::whole();
    world.server.has_units(32, GIB);
    let (workers, carry) = world.handed_out().await;
    assert_eq!(workers, 4);
    (world, carry)
}

/// What the workflow does with `carry` after the workers.
fn with_troubles(carry: &Value, troubles: Value) -> Value {
    let mut carry = carry.clone();
    carry["troubles"] = troubles;
    carry
}

#[tokio::test]
async fn much_is_shared_and_nothing_is_done_twice() {
    // GIVEN more than one function should read, WHEN it is planned
    let (world, carry) = much().await;
    // THEN the work is handed out and not begun
    assert_eq!(world.server.worked(), [0; 0]);
    // WHEN each worker does its share, in any order
    let mut units = 0;
    for worker in [2, 0, 3, 1] {
        let answer = world.work(worker, 4, 1, &json!({})).await.unwrap();
        assert_eq!((&answer["status"], &answer["worker"]), (&json!("FINAL"), &json!(worker)));
        units += answer["units"].as_u64().unwrap();
    }
    // THEN every unit was done once, by the one plan
    assert_eq!(units, 32);
    assert_eq!(world.server.worked(), (0..32).collect::<Vec<_>>());
    assert_eq!(world.server.plans().len(), 1);
    // AND the sum is drawn over all, without working again and without handing out again
    let answer = world.ask(20, &with_troubles(&carry, json!([]))).await.unwrap();
    assert_eq!(answer["validation"]["verdict"], "VALID");
    assert_eq!(world.server.worked().len(), 32);
    assert!(gone(&world));
}

#[tokio::test]
async fn the_number_of_workers_follows_the_work_the_input_the_instance_and_the_deadline() {
    let large = |deadline: f64| json!({"validation": {"parallelism": 40, "instanceClass": "db.r6g.8xlarge"}, "deadlineMinutes": deadline});
    for (units, gib, input, workers) in [
        (9, 1, json!({}), Some(2)),
        (8, 1, json!({}), None),
        (2, 64, json!({}), Some(2)),
        (64, 1, json!({}), Some(4)),
        (64, 1, json!({"validation": {"parallelism": 8, "instanceClass": "db.m6g.xlarge"}}), Some(8)),
        (640, 1, large(720.0), Some(23)),
        (640, 1, large(60.0), Some(40)),
        (64, 1, json!({"validation": {"parallelism": 8, "instanceClass": "db.t4g.medium"}}), Some(4)),
        (64, 1, json!({"validation": {"instanceClass": "db.t4g.micro"}}), None),
        (64, 1, json!({"validation": {"parallelism": 1}}), None),
        (64, 1, json!({"validation": {"chunkMib": 16384}}), None),
    ] {
        // GIVEN so much to read, and such an input
        let mut world = World::whole();
        world.server.has_units(units, gib * GIB);
        world.input = input.clone();
        // WHEN it is planned
        let answers = world
            .until(|answer| {
                answer["progress"]["stage"] != "restore" && answer["progress"]["stage"] != "credentials"
            })
            .await
            .unwrap();
        // THEN so many workers are asked for; for one alone, the call itself goes on
        let last = answers.last().unwrap();
        assert_eq!(last["carry"]["workers"].as_u64(), workers, "{units} units, {input}");
        assert_eq!(last["status"] == "FINAL", workers.is_none(), "{units} units, {input}");
    }
}

#[tokio::test]
async fn the_work_is_handed_out_only_by_the_answer_that_says_so() {
    // GIVEN workers that came back, and a server that lets nobody in at the moment
    let (world, carry) = much().await;
    world.server.refuse(ConnectError::Unreachable("nobody answers".into()));
    // WHEN it is asked, THEN the state machine is told to wait and not to send workers again
    let answer = world.ask(20, &with_troubles(&carry, json!([]))).await.unwrap();
    assert_eq!(answer["progress"]["stage"], "credentials");
    assert_eq!(answer["carry"]["workers"], Value::Null);
}

#[tokio::test]
async fn a_worker_that_died_goes_on_where_it_was() {
    // GIVEN a worker that dies in the middle of its third unit
    let (world, _) = much().await;
    world.server.dies_after(2);
    assert!(world.work(1, 4, 1, &json!({})).now_or_never().is_none(), "it did not die");
    assert_eq!(world.units_kept(), [1, 5]);
    world.server.dies_after(None);
    // WHEN it is started again, THEN it does what is left of its share, and of nobody else's
    world.work(1, 4, 1, &json!({})).await.unwrap();
    assert_eq!(world.server.worked(), [1, 5, 9, 13, 17, 21, 25, 29]);
    // AND once more changes nothing and does not even log in
    let logins = world.server.logins();
    assert_eq!(world.work(1, 4, 1, &json!({})).await.unwrap()["status"], "FINAL");
    assert_eq!((world.server.worked().len(), world.server.logins()), (8, logins));
}

#[tokio::test]
async fn a_worker_without_time_left_is_asked_again() {
    // GIVEN calls that have time for five units
    let (world, _) = much().await;
    world.server.time_for(5);
    // WHEN a worker has eight to do, THEN two calls do them
    let answer = world.work(3, 4, 1, &json!({})).await.unwrap();
    assert_eq!((&answer["status"], &answer["waitSeconds"]), (&json!("WAITING"), &json!(1)));
    assert_eq!(answer["progress"]["message"], "worker 3: 3 of 8 units are left");
    let answer = world.work(3, 4, 2, &answer["carry"]).await.unwrap();
    assert_eq!(answer["status"], "FINAL");
    assert_eq!(world.server.worked(), [3, 7, 11, 15, 19, 23, 27, 31]);
}

#[tokio::test]
async fn a_result_that_cannot_be_kept_fails_the_worker_with_its_name() {
    for kind in [ErrorKind::ServiceUnavailable, ErrorKind::AccessDenied] {
        let (world, _) = much().await;
        // GIVEN a bucket that does not take the result of a unit
        world.documents.troubles.once_for(
            Call::PutDocument,
            &operation().unit_key(6),
            Trouble::refused(kind),
        );
        // WHEN the worker comes to it, THEN it stops there, and what was kept before stays
        assert_eq!(world.work(2, 4, 1, &json!({})).await.unwrap_err().kind, kind);
        assert_eq!(world.server.worked(), [2, 6]);
        assert_eq!(world.units_kept(), [2]);
    }
}

#[tokio::test]
async fn a_worker_that_failed_proves_nothing_and_is_named() {
    // GIVEN three workers that did their shares and one that did not
    let (world, carry) = much().await;
    for worker in [0, 1, 3] {
        world.work(worker, 4, 1, &json!({})).await.unwrap();
    }
    let trouble =
        json!([{"worker": 2, "name": "Holdfast.AccessDenied", "cause": "PutObject is not allowed"}]);
    // WHEN it is summed up
    let answer = world.ask(20, &with_troubles(&carry, trouble)).await.unwrap();
    // THEN nothing is proven, the worker is named with its error, and its work is not begun again
    let validation = &answer["validation"];
    assert_eq!(validation["verdict"], "INCONCLUSIVE");
    let issues = validation["issues"].to_string();
    assert!(issues.contains("worker 2: Holdfast.AccessDenied: PutObject is not allowed"), "{issues}");
    assert!(issues.contains("8 units were not done"), "{issues}");
    assert_eq!(world.server.worked().len(), 24);
    assert_eq!(world.tagged().as_deref(), Some("INCONCLUSIVE"));
    assert!(gone(&world));
}

#[tokio::test]
async fn damage_that_the_others_found_is_damage() {
    // GIVEN a worker that failed, and damage in what the others looked at
    let (world, carry) = much().await;
    world.work(0, 4, 1, &json!({})).await.unwrap();
    world.server.finds(vec![check("content", CheckResult::Failed)]);
    let trouble = json!([{"worker": 2, "name": "Lambda.Unknown", "cause": "died"}]);
    // WHEN it is summed up, THEN the backup is refused for what was found
    let answer = world.ask(20, &with_troubles(&carry, trouble)).await.unwrap();
    assert_eq!(answer["validation"]["verdict"], "INVALID");
}

#[tokio::test]
async fn a_worker_that_failed_after_its_last_unit_is_no_trouble() {
    // GIVEN that every unit is done, although a worker ended with an error
    let (world, carry) = much().await;
    for worker in 0..4 {
        world.work(worker, 4, 1, &json!({})).await.unwrap();
    }
    let trouble = json!([{"worker": 2, "name": "States.Timeout", "cause": "late"}]);
    // WHEN it is summed up, THEN the proof is whole
    let answer = world.ask(20, &with_troubles(&carry, trouble)).await.unwrap();
    assert_eq!(answer["validation"]["verdict"], "VALID");
}

#[tokio::test]
async fn workers_whose_fate_is_not_known_are_sent_again() {
    // GIVEN workers of an execution that is gone, which did some of it
    let (world, _) = much().await;
    world.work(0, 4, 1, &json!({})).await.unwrap();
    // WHEN another execution takes over, with nothing carried
    let (workers, _) = world.handed_out().await;
    // THEN it hands the work out again, and only what is left is done
    for worker in 0..workers {
        world.work(worker, workers, 1, &json!({})).await.unwrap();
    }
    assert_eq!(world.server.worked(), (0..32).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_that_lets_no_worker_in_is_asked_for_a_while() {
    // GIVEN a server that lets nobody in any more
    let (world, _) = much().await;
    let before = world.server.logins();
    world.server.refuse(ConnectError::Unreachable("nobody answers".into()));
    let mut carry = json!({});
    for poll in 1..=30 {
        // WHEN a worker asks for long
        match world.work(1, 4, poll, &carry).await {
            Ok(answer) => {
                assert_eq!(answer["status"], "WAITING");
                assert!(answer["waitSeconds"].as_u64().unwrap() >= 10);
                carry = answer["carry"].clone();
            }
            // THEN it ends with a name and a reason
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::ValidationInconclusive);
                assert!(error.message.contains("nobody answers"), "{}", error.message);
                assert_eq!(world.server.logins() - before, 12);
                return;
            }
        }
    }
    panic!("no end");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_ends_a_worker_at_once() {
    let (world, _) = much().await;
    world.server.refuse(ConnectError::Tls("unknown issuer".into()));
    assert_eq!(world.work(1, 4, 1, &json!({})).await.unwrap_err().kind, ErrorKind::ValidationInconclusive);
}

#[tokio::test]
async fn a_worker_logs_in_only_where_it_should() {
    type Change = fn(&mut Instance);
    let changes: [(ErrorKind, &str, Change); 5] = [
        (ErrorKind::ValidationInconclusive, "deleting", |instance| instance.status = "deleting".into()),
        (ErrorKind::ValidationInconclusive, "storage-full", |instance| {
            instance.status = "storage-full".into()
        }),
        (ErrorKind::ValidationInconclusive, "public", |instance| instance.publicly_accessible = true),
        (ErrorKind::ValidationInconclusive, "security groups", |instance| {
            instance.security_groups = vec!["sg-default".into()];
        }),
        (ErrorKind::NameTaken, "", |instance| instance.tags = Tags::new()),
    ];
    for (kind, word, change) in changes {
        // GIVEN an instance that is going, broken, less isolated than it was, or somebody else's
        let (world, _) = much().await;
        let mut instance = world.temporary().unwrap();
        change(&mut instance);
        world.rds.lay_instance(&home(), instance);
        let logins = world.server.logins();
        // WHEN a worker is sent, THEN it does not log in, and says why
        let error = world.work(0, 4, 1, &json!({})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{word}");
        assert!(error.message.contains(word), "{}", error.message);
        assert_eq!(world.server.logins(), logins);
    }
    // GIVEN one that is busy for a moment, THEN it is waited for
    let (world, _) = much().await;
    let busy = Instance { status: "rebooting".into(), ..world.temporary().unwrap() };
    world.rds.lay_instance(&home(), busy);
    assert_eq!(world.work(0, 4, 1, &json!({})).await.unwrap()["status"], "WAITING");
}

#[tokio::test]
async fn a_worker_of_a_backup_that_has_a_verdict_does_nothing() {
    // GIVEN a verdict that another execution came to, and the server going
    let (world, _) = much().await;
    world.documents.lay(&operation().validation_key(), json!({}));
    // WHEN a worker is late, THEN that is no error
    assert_eq!(world.work(0, 4, 1, &json!({})).await.unwrap()["status"], "FINAL");
    assert_eq!(world.server.worked(), [0; 0]);
}

#[tokio::test]
async fn a_worker_that_cannot_be_is_refused() {
    let (world, _) = much().await;
    assert_eq!(world.work(4, 4, 1, &json!({})).await.unwrap_err().kind, ErrorKind::InvalidInput);
    // GIVEN no plan, THEN there is nothing to have a share of
    world.documents.lose(&operation().plan_key());
    assert_eq!(world.work(0, 4, 1, &json!({})).await.unwrap_err().kind, ErrorKind::UnreadableRecord);
}
