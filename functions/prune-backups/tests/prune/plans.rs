//! The plan: what it says, and that it does nothing.

use holdfast_core::ErrorKind;
use holdfast_core::ids::DatabaseId;
use holdfast_core::operation::Phase;
use holdfast_core::ports::Unended;
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::retention::{Action, Fate, Plan};
use holdfast_core::tags;
use holdfast_fakes::rds::Fate as Ends;
use holdfast_fakes::sample::{home, instance, region, snapshot, tags_of};
use holdfast_fakes::{Call, Trouble};
use serde_json::json;

use crate::support::{World, backup, days_ago, entry, kept, operation, record, west};

#[tokio::test]
async fn a_plan_says_of_every_backup_what_becomes_of_it_and_does_nothing() {
    // GIVEN four days of backups in two Regions, and a snapshot of somebody else's
    let world = World::of_days(4);
    world.rds.lay_snapshot(snapshot(&home(), "mine", tags_of("not an operation")));
    // WHEN a plan is asked for
    let output = world.run(json!({"action": "plan"})).await.unwrap();
    let plan = &output.plan;
    // THEN two days stay in each Region, and two go
    for at in [home(), west()] {
        assert_eq!(kept(plan, &at, 0).unwrap(), ["newest-valid", "daily", "minimum"]);
        assert_eq!(kept(plan, &at, 1).unwrap(), ["daily"]);
        assert_eq!((kept(plan, &at, 2), kept(plan, &at, 3)), (None, None));
    }
    assert_eq!((plan.totals.keep, plan.totals.delete, plan.totals.not_ours), (4, 4, 1));
    assert_eq!(output.progress.message, "4 to keep, 4 to delete");
    // AND nothing was done
    assert_eq!((world.left(&home(), 4).len(), world.left(&west(), 4).len()), (4, 4));
    // AND the whole plan lies in the bucket, as it was answered
    let document = world.documents.now(&plan.document_key).unwrap();
    assert!(plan.document_key.starts_with("retention/2026-11-20-"), "{}", plan.document_key);
    assert_eq!(serde_json::from_value::<Plan>(document).unwrap(), *plan);
    assert_eq!(plan.backups.len(), 9);
}

#[tokio::test]
async fn databases_regions_and_numbers_can_be_asked_for() {
    let world = World::of_days(4);
    let mut other = backup(&home(), 5);
    other.tags.insert(tags::DATABASE.into(), "other-db".into());
    world.rds.lay_snapshot(other);
    let asked =
        json!({"action": "plan", "databases": ["PROD-DB"], "regions": ["us-west-2"], "policy": {"daily": 3}});
    let plan = world.run(asked).await.unwrap().plan;
    assert!(plan.backups.iter().all(|entry| entry.region == west() && entry.database_id == "prod-db"));
    assert_eq!((plan.totals.keep, plan.totals.delete, plan.policy.daily), (3, 1, 3));
    // What makes no sense is refused by its name.
    for (input, named) in [
        (json!({"databases": ["a--b"]}), "databaseId"),
        (json!({"regions": ["moon"]}), "region"),
        (json!({"policy": {"minimum": 0}}), "policy.minimum"),
    ] {
        let error = world.run(input).await.unwrap_err();
        assert!(error.kind == ErrorKind::InvalidInput && error.message.contains(named), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_in_use_stays_and_says_by_what() {
    // GIVEN old backups, each in use by something else
    let world = World::of_days(9);
    world.rds.set(|behaviour| behaviour.snapshot_fate = Ends::Stuck);
    let copy = Snapshot {
        status: SnapshotStatus::Creating,
        source_arn: Some(backup(&home(), 2).arn),
        ..snapshot(&west(), "a-copy-by-hand", Default::default())
    };
    world.rds.lay_snapshot(copy);
    let mut by_name = backup(&west(), 3);
    (by_name.status, by_name.source_region) = (SnapshotStatus::Creating, Some(home()));
    world.rds.lay_snapshot(by_name);
    world.store.lay(&record(4, Phase::Validating));
    let mut temporary = instance(&operation(5).validation_instance_id());
    temporary.tags = tags_of(operation(5).as_str());
    temporary.tags.insert(tags::TEMPORARY.into(), "validation".into());
    world.rds.lay_instance(&home(), temporary.clone());
    // Of a validation by itself, whose operation has other digits.
    let again = operation(6).validated_again(&west(), &holdfast_core::ids::RunId::parse("r").unwrap());
    temporary.id = again.validation_instance_id();
    temporary.tags.insert(tags::OPERATION.into(), again.to_string());
    world.rds.lay_instance(&west(), temporary);
    world.store.troubles.always_for(
        Call::GetRecord,
        operation(7).as_str(),
        Trouble::refused(ErrorKind::UnreadableRecord),
    );
    // WHEN it is planned
    let plan = world.run(json!({"action": "plan"})).await.unwrap().plan;
    // THEN each stays, with that reason, where it is in use
    for (at, days, said) in [
        (home(), 2, "it is being copied to us-west-2 as a-copy-by-hand"),
        (home(), 3, "it is being copied to us-west-2 as holdfast-prod-db-"),
        (west(), 3, "its status is creating, not available"),
        (home(), 4, "is VALIDATING"),
        (home(), 5, "temporary instance hfv-prod-db-"),
        (west(), 6, "temporary instance hfv-prod-db-"),
        (home(), 7, "whether its operation"),
        (west(), 7, "not known"),
    ] {
        let entry = entry(&plan, &at, days);
        let text = &entry.reasons[0].text;
        assert!(
            entry.fate == Fate::Keep && text.starts_with("in use: ") && text.contains(said),
            "{days}: {entry:?}"
        );
    }
    // AND where it is not, it goes
    assert_eq!(
        (kept(&plan, &west(), 2), kept(&plan, &west(), 5), kept(&plan, &home(), 6)),
        (None, None, None)
    );
    assert_eq!((kept(&plan, &home(), 8), kept(&plan, &west(), 8)), (None, None));
}

#[tokio::test]
async fn a_copy_within_the_region_is_seen_though_rds_does_not_say_of_what() {
    // GIVEN old backups, and a snapshot of the same instance that is being made beside them, without a source
    let being_made = |change: &dyn Fn(&mut Snapshot)| {
        let mut copy = Snapshot {
            status: SnapshotStatus::Creating,
            ..snapshot(&home(), "a-copy-by-hand", Default::default())
        };
        copy.instance_id = backup(&home(), 4).instance_id;
        copy.taken_at = None;
        change(&mut copy);
        copy
    };
    let kept_of = async |copy: Snapshot| {
        let world = World::of_days(6);
        world.rds.set(|behaviour| behaviour.snapshot_fate = Ends::Stuck);
        world.rds.lay_snapshot(copy);
        let plan = world.prune().await;
        let used = |days: &i64| kept(&plan, &home(), *days).is_some_and(|words| words == ["in-use"]);
        ((2..6).filter(used).collect::<Vec<i64>>(), world.left(&west(), 6))
    };
    // WHEN RDS does not say how old it is, THEN it may be of any of them; of one that says it, not of a later one
    assert_eq!(kept_of(being_made(&|_| ())).await, (vec![2, 3, 4, 5], vec![0, 1]));
    let of_four = being_made(&|copy| copy.taken_at = Some(days_ago(4)));
    assert_eq!(kept_of(of_four).await.0, [4, 5]);
    // AND another instance's, one from elsewhere, and a backup that is being taken, are no copies of them
    for other in [
        being_made(&|copy| copy.instance_id = "other-db".into()),
        being_made(&|copy| copy.source_region = Some(west())),
        Snapshot { status: SnapshotStatus::Creating, taken_at: None, ..backup(&home(), 99) },
    ] {
        assert_eq!(kept_of(other.clone()).await.0, Vec::<i64>::new(), "{other:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_counts_as_a_use() {
    for (call, said) in [
        (Call::ManualSnapshots, "whether it is being copied to us-west-2 is not known"),
        (Call::GetRecord, "has ended is not known"),
        (Call::Unended, "what goes on with its database is not known"),
        (Call::TemporaryInstances, "whether it is being validated is not known"),
    ] {
        // GIVEN something that does not answer
        let world = World::of_days(4);
        let troubles = if matches!(call, Call::GetRecord | Call::Unended) {
            &world.store.troubles
        } else {
            &world.rds.troubles
        };
        let trouble = Trouble::refused(ErrorKind::ServiceUnavailable);
        match call {
            Call::ManualSnapshots => troubles.always_for(call, "us-west-2", trouble),
            _ => troubles.always(call, trouble),
        }
        // WHEN everything is to be pruned, THEN nothing goes, and it is said why
        let plan = world.prune().await;
        let old = entry(&plan, &home(), 3);
        assert_eq!(old.fate, Fate::Keep, "{call:?}");
        assert!(old.reasons.iter().any(|reason| reason.text.contains(said)), "{call:?}: {old:?}");
        assert_eq!((world.left(&home(), 4).len(), world.left(&west(), 4).len()), (4, 4), "{call:?}");
    }
}

#[tokio::test]
async fn a_restore_of_the_database_keeps_all_of_its_backups() {
    let world = World::of_days(4);
    let database = DatabaseId::parse("prod-db").unwrap();
    let restore = Unended { id: operation(99), kind: "RESTORE".into(), phase: "RESTORING".into() };
    world.store.lay_unended(&database, restore);
    let plan = world.prune().await;
    let old = entry(&plan, &home(), 3);
    assert!(old.reasons[0].text.contains("(RESTORE) is RESTORING"), "{old:?}");
    assert_eq!(world.left(&home(), 4).len(), 4);
    // The backup of another day does not.
    let world = World::of_days(4);
    world.store.lay(&record(0, Phase::Validating));
    world.prune().await;
    assert_eq!(world.left(&home(), 4), [0, 1]);
}

#[tokio::test]
async fn a_backup_without_a_record_is_at_rest_only_when_the_record_may_have_expired() {
    let world = World::of_days(2);
    for days in [89, 91] {
        world.rds.lay_snapshot(backup(&home(), days));
    }
    let plan = world.run(json!({"action": "plan"})).await.unwrap().plan;
    assert_eq!(kept(&plan, &home(), 89).unwrap(), ["in-use"]);
    assert_eq!(kept(&plan, &home(), 91), None);
}

#[tokio::test]
async fn a_quota_that_fills_is_warned_of() {
    // GIVEN a backup a day, room for few more, and a daily run that deletes nothing
    let world = World::of_days(10);
    world.rds.allow_snapshots(&home(), 20);
    let output = world.run(json!({"action": "plan"})).await.unwrap();
    let quota = &output.plan.quotas[0];
    assert_eq!((quota.region.clone(), quota.used, quota.max), (home(), 10, 20));
    assert_eq!(quota.full_at, Some(days_ago(-10)));
    assert!(output.progress.message.contains("it is full on 2026-11-30"), "{}", output.progress.message);
    // GIVEN one that deletes, THEN it is not
    let world = World {
        settings: prune_backups::Settings { daily: Action::Delete, ..world.settings.clone() },
        ..world
    };
    let output = world.run(json!({"action": "plan"})).await.unwrap();
    assert_eq!((output.plan.quotas[0].full_at, output.plan.quotas[0].warning.clone()), (None, None));
}

#[tokio::test]
async fn a_region_that_does_not_answer_is_named_and_the_others_are_planned() {
    let world = World::of_days(4);
    let nowhere = region("eu-west-1");
    world.rds.troubles.always_for(
        Call::ManualSnapshots,
        nowhere.as_str(),
        Trouble::refused(ErrorKind::AccessDenied),
    );
    let plan =
        world.run(json!({"action": "plan", "regions": ["us-east-1", "eu-west-1"]})).await.unwrap().plan;
    assert_eq!(
        (plan.problems[0].region.clone(), plan.problems[0].error.name.as_str()),
        (nowhere, "Holdfast.AccessDenied")
    );
    assert_eq!(plan.backups.len(), 4);
}
