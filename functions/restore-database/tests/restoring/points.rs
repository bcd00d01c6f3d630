//! Which recovery point.

use holdfast_core::ErrorKind;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::RecoveryPoint;
use holdfast_core::ports::RestoreWindow;
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::tags;
use holdfast_core::validation::Verdict;
use holdfast_fakes::sample::{at, home, instance, region, tags_of};
use holdfast_fakes::{Call, FakeKeys, Trouble};
use serde_json::{Value, json};

use crate::support::{World, copied_to, snapshot_of};

/// What is done to a newer backup, and the verdict that a plan with it shows.
type Flaw = (fn(&mut Snapshot), Option<Verdict>);

/// What is done to a newer backup, and how it is refused when it is named.
type Refusal = (fn(&mut Snapshot), ErrorKind, &'static str);

fn tagged(made: &mut Snapshot, tag: &str, value: &str) {
    made.tags.insert(tag.to_owned(), value.to_owned());
}

fn verdict_in(point: &RecoveryPoint) -> Option<Verdict> {
    match point {
        RecoveryPoint::Snapshot { verdict, .. } => *verdict,
        RecoveryPoint::PointInTime { .. } => panic!("not a snapshot: {point:?}"),
    }
}

/// A database that lives, and whose log reaches from 100 to 900 seconds after the beginning.
fn logged() -> World {
    let world = World::lost();
    world.rds.lay_instance(&home(), instance("prod-db"));
    let window =
        RestoreWindow { resource_id: "db-LOG".into(), operation: None, earliest: at(100), latest: at(900) };
    world.rds.lay_window(&home(), "prod-db", window);
    world
}

/// What asks for a point in time beside the database that lives.
fn time(seconds: i64) -> Value {
    json!({"targetId": "prod-db-2", "restoreTime": at(seconds).to_string()})
}

#[tokio::test]
async fn the_newest_data_that_was_found_valid_is_chosen() {
    // GIVEN backups whose names say nothing of the age of their data
    let world = World::empty();
    for (run, seconds) in [("run-b", 200), ("run-a", 300), ("run-z", 100)] {
        let backup = world.backup(run, seconds, |_| {});
        world.keep_blueprint(&backup, |_| {});
    }
    let newest = world.backup("run-a", 300, |_| {});
    // WHEN nothing is said of which, THEN the one with the newest data is it, with what is known of it
    let plan = world.plan(json!({})).await.unwrap();
    let expected = RecoveryPoint::Snapshot {
        id: newest.snapshot_id(),
        backup: Some(newest.clone()),
        verdict: Some(Verdict::Valid),
        taken_at: Some(at(300)),
    };
    assert_eq!((plan.recovery_point, plan.blueprint_of), (expected, newest.to_string()));
}

#[tokio::test]
async fn another_region_has_backups_of_its_own() {
    // GIVEN a newer backup here, and of two older ones a copy there, the newer of them copied first
    let (world, west) = (World::lost(), region("us-west-2"));
    world.keys.add(&west, &FakeKeys::arn(&west));
    world.backup("run-9", 900, |_| {});
    let newer = world.backup("run-a", 200, |made| copied_to(&west, made));
    let older = world.backup("run-z", 100, |made| copied_to(&west, made));
    for backup in [&newer, &older] {
        world.keep_blueprint(backup, |_| {});
    }
    // WHEN it is asked back there, THEN it is what lies there, encrypted with the key that lies there
    let plan = world.plan(json!({"region": "us-west-2"})).await.unwrap();
    assert_eq!(snapshot_of(&plan), newer.snapshot_id());
    assert_eq!(plan.wanted.settings.kms_key_id, Some(FakeKeys::arn(&west)));
    assert_eq!(plan.region, west);
}

#[tokio::test]
async fn data_may_be_from_the_time_that_is_named_at_the_latest() {
    // GIVEN backups of different times, and one whose time nobody knows
    let world = World::empty();
    let backups = [100, 200, 300].map(|seconds| world.backup(&format!("run-{seconds}"), seconds, |_| {}));
    let timeless = world.backup("run-zz", 0, |made| made.taken_at = None);
    world.keep_blueprint(&backups[2], |_| {});
    let chosen = async |seconds: i64| {
        let plan = world.plan(json!({"at": at(seconds).to_string()})).await?;
        Ok::<_, holdfast_core::Error>(snapshot_of(&plan).to_owned())
    };
    // WHEN a time is named, THEN it is the newest that is not newer, to the second
    assert_eq!(chosen(300).await.unwrap(), backups[2].snapshot_id());
    assert_eq!(chosen(299).await.unwrap(), backups[1].snapshot_id());
    assert_eq!(chosen(100).await.unwrap(), backups[0].snapshot_id());
    // AND before the first there is none: not even the one that may be older
    let error = chosen(99).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RecoveryPointNotFound);
    assert!(error.message.contains(&at(99).to_string()), "{error}");
    assert!(error.message.contains("of 4 manual snapshots 4 were"), "{error}");
    // AND one whose time nobody knows is better than nothing, and what is lost then is not known
    for backup in &backups {
        world.rds.lose_snapshot(&home(), &backup.snapshot_id());
    }
    world.keep_blueprint(&timeless, |_| {});
    let plan = world.plan(json!({})).await.unwrap();
    assert_eq!((snapshot_of(&plan), plan.lost.as_ref()), (timeless.snapshot_id().as_str(), None));
}

#[tokio::test]
async fn what_was_not_found_valid_is_never_chosen_by_itself_and_can_be_named() {
    let flaws: [Flaw; 6] = [
        (|made| tagged(made, tags::VERDICT, tags::UNPROVEN), None),
        (|made| tagged(made, tags::VERDICT, "INVALID"), Some(Verdict::Invalid)),
        (|made| tagged(made, tags::VERDICT, "INCONCLUSIVE"), Some(Verdict::Inconclusive)),
        (|made| tagged(made, tags::VERDICT, "NOT_RUN"), Some(Verdict::NotRun)),
        (|made| drop(made.tags.remove(tags::VERDICT)), None),
        // Somebody else's, whoever says that it was found VALID.
        (|made| drop(made.tags.remove(tags::OPERATION)), Some(Verdict::Valid)),
    ];
    for (flaw, verdict) in flaws {
        // GIVEN a newer backup beside the one that was found VALID
        let world = World::lost();
        let valid = world.backup("run-1", 0, |_| {});
        let newer = world.backup("run-2", 500, flaw);
        // WHEN nothing is said of which, THEN it is not it
        let plan = world.plan(json!({})).await.unwrap();
        assert_eq!(snapshot_of(&plan), valid.snapshot_id(), "{verdict:?}");
        // AND named it is taken, and the plan says what was found
        let plan = world.plan(json!({"snapshotId": newer.snapshot_id()})).await.unwrap();
        assert_eq!(snapshot_of(&plan), newer.snapshot_id());
        assert_eq!(verdict_in(&plan.recovery_point), verdict);
        // AND without the other there is nothing to choose
        world.rds.lose_snapshot(&home(), &valid.snapshot_id());
        let error = world.plan(json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::RecoveryPointNotFound);
        assert!(error.message.contains("snapshotId"), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_restored_or_is_another_databases_is_neither_chosen_nor_taken_when_named() {
    let flaws: [Refusal; 4] = [
        (
            |made| made.status = SnapshotStatus::Failed,
            ErrorKind::RecoveryPointNotFound,
            "Failed, not available",
        ),
        (
            |made| made.status = SnapshotStatus::Other("restoring".into()),
            ErrorKind::RecoveryPointNotFound,
            "not available",
        ),
        // The tag counts: the instance had this name when another database had it.
        (
            |made| tagged(made, tags::DATABASE, "other-db"),
            ErrorKind::InvalidInput,
            "is of other-db, not of prod-db",
        ),
        (
            |made| {
                made.tags.remove(tags::DATABASE);
                made.instance_id = "other-db".into();
            },
            ErrorKind::InvalidInput,
            "is of other-db, not of prod-db",
        ),
    ];
    for (flaw, kind, said) in flaws {
        let world = World::lost();
        let valid = world.backup("run-1", 0, |_| {});
        let newer = world.backup("run-2", 500, flaw);
        assert_eq!(snapshot_of(&world.plan(json!({})).await.unwrap()), valid.snapshot_id(), "{said}");
        let error = world.plan(json!({"snapshotId": newer.snapshot_id()})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.starts_with("snapshotId: ") && error.message.contains(said), "{error}");
    }
    // AND one that is not there is not found
    let error = World::lost().plan(json!({"snapshotId": "nightly"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RecoveryPointNotFound);
    assert!(error.message.contains("no snapshot nightly in us-east-1"), "{error}");
}

#[tokio::test]
async fn a_snapshot_of_a_renamed_instance_is_its_databases() {
    // GIVEN a backup from the time when the instance had another name
    let world = World::lost();
    let renamed = world.backup("run-2", 500, |made| made.instance_id = "prod-db-old".into());
    // THEN it is chosen, and taken when it is named
    assert_eq!(snapshot_of(&world.plan(json!({})).await.unwrap()), renamed.snapshot_id());
    let plan = world.plan(json!({"snapshotId": renamed.snapshot_id()})).await.unwrap();
    assert_eq!(snapshot_of(&plan), renamed.snapshot_id());
}

#[tokio::test]
async fn a_point_in_time_lies_within_what_the_log_reaches() {
    let world = logged();
    // WHEN the first, the last, or the latest time is asked for, THEN it is planned, of the log that is there
    for (more, asked) in [
        (time(100), Some(at(100))),
        (time(900), Some(at(900))),
        (json!({"targetId": "prod-db-2", "latestRestorable": true}), None),
    ] {
        let plan = world.plan(more).await.unwrap();
        let expected =
            RecoveryPoint::PointInTime { resource_id: "db-LOG".into(), time: asked, latest: at(900) };
        assert_eq!(plan.recovery_point, expected);
    }
    // WHEN it is a second too early or too late, THEN the refusal says what there is
    for seconds in [99, 901] {
        let error = world.plan(time(seconds)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutsideRestoreWindow);
        let said = format!("from {} to {}", at(100), at(900));
        assert!(error.message.contains(&said) && error.message.starts_with("restoreTime: "), "{error}");
    }
}

#[tokio::test]
async fn a_time_is_found_in_the_log_that_an_instance_before_has_left() {
    // GIVEN a database that was dropped, with its log kept, and brought back: its own log begins later
    let world = logged();
    let left = RestoreWindow {
        resource_id: "db-LEFT".into(),
        operation: None,
        earliest: at(-500),
        latest: at(-100),
    };
    world.rds.lay_window(&home(), "prod-db", left);
    let from = async |seconds: i64| match world.plan(time(seconds)).await.unwrap().recovery_point {
        RecoveryPoint::PointInTime { resource_id, .. } => resource_id,
        other => panic!("{other:?}"),
    };
    // THEN each time comes from the log that has it, and one between them from none
    assert_eq!((from(-300).await.as_str(), from(500).await.as_str()), ("db-LEFT", "db-LOG"));
    let error = world.plan(time(0)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutsideRestoreWindow);
    let both = format!("from {} to {}, from {} to {}", at(100), at(900), at(-500), at(-100));
    assert!(error.message.contains(&both), "{error}");
}

#[tokio::test]
async fn a_log_of_what_was_swapped_in_is_the_databases_since_the_swap() {
    // GIVEN what a swap put in the place of the database: its log begins when it was made beside
    let by = OperationId::parse("prod-db-swap-1-0123456789").unwrap();
    let report = json!({"swap": {"undone": false}, "checkpoints": [
        {"name": "SWAPPING", "time": at(300)}, {"name": "CLEANING_UP", "time": at(400)}]});
    for tagged in [true, false] {
        let world = World::lost();
        let mut there = instance("prod-db");
        there.resource_id = "db-LOG".into();
        // By the tags of its log or, where RDS does not say these, by its own.
        if !tagged {
            there.tags = tags_of(by.as_str());
        }
        world.rds.lay_instance(&home(), there);
        let operation = tagged.then(|| by.clone());
        let window =
            RestoreWindow { resource_id: "db-LOG".into(), operation, earliest: at(100), latest: at(900) };
        world.rds.lay_window(&home(), "prod-db", window);
        world.documents.lay(&by.report_key(), report.clone());
        // WHEN a time before the swap is asked for, THEN it is not taken from there: the database was another then
        let error = world.plan(time(399)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutsideRestoreWindow, "{tagged}");
        assert!(error.message.contains(&format!("from {} to {}", at(400), at(900))), "{error}");
        // AND one after it is
        assert!(world.plan(time(400)).await.is_ok());
        // A report that cannot be read is no leave to guess.
        let denied = Trouble::refused(ErrorKind::AccessDenied);
        world.documents.troubles.always_for(Call::GetDocument, &by.report_key(), denied);
        assert_eq!(world.plan(time(500)).await.unwrap_err().kind, ErrorKind::AccessDenied);
    }
}

#[tokio::test]
async fn without_a_proven_backup_the_log_is_named() {
    let world = World::empty();
    let error = world.plan(json!({})).await.unwrap_err();
    assert!(!error.message.contains("--latest"), "{error}");
    let window =
        RestoreWindow { resource_id: "db-LOG".into(), operation: None, earliest: at(100), latest: at(900) };
    world.rds.lay_window(&home(), "prod-db", window);
    let error = world.plan(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RecoveryPointNotFound);
    assert!(error.message.contains(&format!("its log reaches to {}", at(900))), "{error}");
    assert!(error.message.ends_with("(holdfast restore prod-db --latest)"), "{error}");
}

#[tokio::test]
async fn a_proven_backup_that_is_newer_than_the_log_is_named() {
    // GIVEN a log that ends before the newest proven backup was taken: the instance is gone
    let world = logged();
    let latest = || json!({"targetId": "prod-db-2", "latestRestorable": true});
    assert_eq!(world.plan(latest()).await.unwrap().newer, None);
    let newest = world.backup("run-9", 901, |_| {});
    let newer = world.plan(latest()).await.unwrap().newer.unwrap();
    assert_eq!((newer.id, newer.taken_at), (newest.snapshot_id(), at(901)));
    // AND who asks for a time has said what is wanted
    assert_eq!(world.plan(time(400)).await.unwrap().newer, None);
}

#[tokio::test]
async fn without_automated_backups_there_is_no_point_in_time() {
    let world = World::lost();
    for more in [json!({"latestRestorable": true}), json!({"restoreTime": at(0).to_string()})] {
        let error = world.plan(more).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::RecoveryPointNotFound);
        assert!(error.message.contains("no automated backups of prod-db in us-east-1"), "{error}");
    }
}

#[tokio::test]
async fn what_is_lost_is_counted_from_the_data_to_now() {
    let world = logged();
    let lost = async |seconds: i64, more: Value| {
        let lost = world.plan_at(seconds, more).await.unwrap().lost.unwrap();
        (lost.since, lost.seconds)
    };
    let beside = json!({"targetId": "prod-db-2"});
    // GIVEN a snapshot of the beginning, a time that was asked for, and the latest that can be had
    assert_eq!(lost(3600, beside.clone()).await, (at(0), 3600.0));
    assert_eq!(lost(1000, time(400)).await, (at(400), 600.0));
    let latest = json!({"targetId": "prod-db-2", "latestRestorable": true});
    assert_eq!(lost(1000, latest).await, (at(900), 100.0));
    // AND a clock that runs behind makes it no gain
    assert_eq!(lost(-5, beside).await, (at(0), 0.0));
}

#[tokio::test]
async fn a_log_that_reaches_further_than_the_newest_proven_backup_is_named() {
    // GIVEN a log that reaches from 100 to 900 seconds, and a proven backup from before its end
    let world = logged();
    let backup = world.backup("run-8", 899, |_| {});
    let further = async |more: Value| world.plan(more).await.unwrap().further;
    let found = further(json!({"targetId": "prod-db-2"})).await.unwrap();
    assert_eq!((found.resource_id.as_str(), found.latest), ("db-LOG", at(900)));
    // AND who names a backup, or a time, has said what is wanted
    assert_eq!(further(json!({"targetId": "prod-db-2", "snapshotId": backup.snapshot_id()})).await, None);
    assert_eq!(further(json!({"targetId": "prod-db-2", "at": at(899).to_string()})).await, None);
    // AND a backup that is newer than all of the log is the best there is
    world.backup("run-9", 901, |_| {});
    assert_eq!(further(json!({"targetId": "prod-db-2"})).await, None);
}
