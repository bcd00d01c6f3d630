//! From a plan to an instance: made once, whatever is lost on the way, and never anybody else's.

use holdfast_core::ErrorKind;
use holdfast_core::operation::RestorePlan;
use holdfast_core::ports::RestoreWindow;
use holdfast_core::rds::SnapshotStatus;
use holdfast_fakes::sample::{at, home, instance, tags_of};
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::support::{World, operation};

/// A world and its plan for classes `db.a` and `db.b`.
async fn two_classes() -> (World, RestorePlan) {
    let world = World::lost();
    let plan = world.plan(json!({"options": {"instanceClasses": ["db.a", "db.b"]}})).await.unwrap();
    (world, plan)
}

#[tokio::test]
async fn a_database_comes_back_as_it_was_planned() {
    // GIVEN a plan, WHEN it is carried out
    let world = World::lost();
    let plan = world.plan(json!({})).await.unwrap();
    let restore = world.restore(&plan).await.unwrap();
    // THEN what was asked of RDS is all of the plan, from its recovery point
    let asked = world.rds.databases_asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0].from, asked[0].class.as_str()), (&plan.recovery_point, "db.m6g.large"));
    // AND what came back is what was wanted, with what a restore does not take
    assert_eq!(restore.differences, [""; 0]);
    assert_eq!((restore.instance_id.as_str(), restore.class.as_str()), ("prod-db", "db.m6g.large"));
    assert_eq!(Some(restore.endpoint), world.target().unwrap().endpoint);
    let is = world.rds.blueprint_now(&home(), "prod-db").unwrap();
    let wanted = &plan.wanted.settings;
    assert_eq!(is.performance_insights, wanted.performance_insights);
    assert_eq!(is.max_allocated_gib, wanted.max_allocated_gib);
    assert_eq!(is.tags["holdfast:operation"], operation().to_string());
    assert_eq!(world.rds.settled(), 1);
}

#[tokio::test]
async fn a_point_in_time_is_restored_from_the_log_that_was_planned() {
    let world = World::lost();
    let window =
        RestoreWindow { resource_id: "db-LOG".into(), operation: None, earliest: at(0), latest: at(900) };
    world.rds.lay_window(&home(), "prod-db", window);
    let plan = world.plan(json!({"restoreTime": at(400).to_string()})).await.unwrap();
    assert_eq!(world.restore(&plan).await.unwrap().differences, [""; 0]);
    assert_eq!(world.rds.databases_asked()[0].from, plan.recovery_point);
}

#[tokio::test]
async fn it_is_made_once_whatever_answers_are_lost() {
    for call in [Call::Instance, Call::RestoreDatabase, Call::Settle, Call::Blueprint] {
        for unseen in [0, 3] {
            // GIVEN a call whose answer is lost, and an RDS that does not show at once what it has made
            let world = World::lost();
            let plan = world.plan(json!({})).await.unwrap();
            world.rds.set(|rds| rds.unseen = unseen);
            world.rds.troubles.once(call, Trouble::AnswerLost);
            // WHEN the state machine goes on, THEN one instance was asked for, and it is there
            let restore = world.restore(&plan).await.unwrap();
            assert_eq!(restore.differences, [""; 0], "{call:?}");
            assert_eq!(world.rds.databases_asked().len(), 1, "{call:?} {unseen}");
            assert_eq!(world.rds.instances_in(&home()), ["prod-db"]);
        }
    }
}

#[tokio::test]
async fn the_next_class_is_tried_when_there_is_no_capacity_for_one() {
    // GIVEN no capacity for the first class
    let (world, plan) = two_classes().await;
    world.rds.set(|rds| rds.no_capacity.extend(["db.a".to_owned()]));
    // WHEN it is restored, THEN the second is taken, and that is no difference
    let restore = world.restore(&plan).await.unwrap();
    assert_eq!((restore.class.as_str(), restore.differences), ("db.b", vec![]));
    assert_eq!(world.rds.databases_asked().len(), 1);
}

#[tokio::test]
async fn without_room_in_the_account_no_other_class_is_tried() {
    let (world, plan) = two_classes().await;
    world.rds.troubles.once(Call::RestoreDatabase, Trouble::refused(ErrorKind::InstanceQuotaExceeded));
    let error = world.restore(&plan).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InstanceQuotaExceeded);
    assert_eq!(world.rds.instances_in(&home()), [""; 0]);
}

#[tokio::test]
async fn without_capacity_for_any_class_nothing_is_made() {
    let (world, plan) = two_classes().await;
    world.rds.set(|rds| rds.no_capacity.extend(["db.a".to_owned(), "db.b".to_owned()]));
    let error = world.restore(&plan).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoCapacity);
    assert!(error.message.contains("us-east-1 for any of db.a, db.b"), "{error}");
    assert_eq!(world.rds.instances_in(&home()), [""; 0]);
}

#[tokio::test]
async fn a_busy_recovery_point_is_waited_for_and_one_that_is_gone_is_not() {
    // GIVEN a snapshot that is being copied since it was planned
    let world = World::lost();
    let plan = world.plan(json!({})).await.unwrap();
    let backup = world.backup("run-1", 0, |made| made.status = SnapshotStatus::Creating);
    let answer = world.ask(&plan, 1, &Value::Null).await.unwrap();
    assert_eq!(answer["status"], "WAITING");
    assert_eq!(world.rds.instances_in(&home()), [""; 0]);
    // WHEN it is available again, THEN it is restored
    world.backup("run-1", 0, |_| {});
    assert_eq!(world.ask(&plan, 2, &answer["carry"]).await.unwrap()["status"], "WAITING");
    assert_eq!(world.rds.instances_in(&home()), ["prod-db"]);
    // GIVEN one that is gone, THEN that is its name
    let world = World::lost();
    world.rds.lose_snapshot(&home(), &backup.snapshot_id());
    assert_eq!(world.restore(&plan).await.unwrap_err().kind, ErrorKind::SnapshotGone);
}

#[tokio::test]
async fn what_is_not_its_own_is_never_touched() {
    for owner in [None, Some("prod-db-another-0123456789")] {
        for status in ["available", "creating", "failed"] {
            for unseen in [0, 2] {
                // GIVEN a name that somebody else took after it was planned, shown at once or a little later
                let world = World::lost();
                let plan = world.plan(json!({})).await.unwrap();
                let mut other = instance("prod-db");
                other.status = status.into();
                other.tags = owner.map(tags_of).unwrap_or_default();
                world.rds.lay_instance(&home(), other.clone());
                world.rds.hide_instance(&home(), "prod-db", unseen);
                world.rds.set(|rds| rds.looks = 99);
                // WHEN it goes on, THEN that is refused, and theirs is what it was
                let error = world.restore(&plan).await.unwrap_err();
                assert_eq!(error.kind, ErrorKind::NameTaken, "{owner:?} {status} {unseen}");
                assert_eq!(world.target(), Some(other));
                assert_eq!((world.rds.settled(), world.rds.databases_asked().len()), (0, 0));
            }
        }
    }
}

#[tokio::test]
async fn an_instance_that_ends_badly_is_named_and_stays() {
    let ends = [
        ("incompatible-restore", ErrorKind::RestoreFailed),
        ("restore-error", ErrorKind::RestoreFailed),
        ("insufficient-capacity", ErrorKind::NoCapacity),
        ("failed", ErrorKind::RestoreFailed),
        ("incompatible-network", ErrorKind::RestoreFailed),
        ("incompatible-parameters", ErrorKind::RestoreFailed),
        ("inaccessible-encryption-credentials", ErrorKind::KeyUnusable),
        ("inaccessible-encryption-credentials-recoverable", ErrorKind::KeyUnusable),
        ("storage-full", ErrorKind::RestoreFailed),
        ("stopped", ErrorKind::RestoreFailed),
    ];
    for (end, kind) in ends {
        // GIVEN a restore that ends like this, with another class that could be tried
        let (world, plan) = two_classes().await;
        world.rds.set(|rds| rds.restores_end_as = end);
        // WHEN it is restored, THEN that is said, and what there is stays, as the only one
        let error = world.restore(&plan).await.unwrap_err();
        assert_eq!(error.kind, kind, "{end}");
        assert!(error.message.contains(&format!("ended as {end}; it is left as it is")), "{error}");
        assert_eq!(world.target().unwrap().status, end);
        assert_eq!((world.rds.databases_asked().len(), world.rds.settled()), (1, 0));
    }
}

#[tokio::test]
async fn what_loads_its_blocks_is_there() {
    // GIVEN an RDS that goes on loading from S3 for longer than anybody waits
    let world = World::lost();
    let plan = world.plan(json!({})).await.unwrap();
    world.rds.set(|rds| rds.restores_end_as = "storage-initialization");
    // THEN the database is back: it can be used
    let restore = world.restore(&plan).await.unwrap();
    assert_eq!(restore.differences, [""; 0]);
    assert_eq!(world.target().unwrap().status, "storage-initialization");
}
