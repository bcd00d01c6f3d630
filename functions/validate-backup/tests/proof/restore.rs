//! From the snapshot to a server: one instance, isolated, of a class that has capacity, or a verdict why not.

use holdfast_core::rds::{Instance, SnapshotStatus};
use holdfast_core::tags::Tags;
use holdfast_core::validation::Verdict;
use holdfast_core::{ErrorKind, tags};
use holdfast_fakes::sample::{at, home, instance, operation, snapshot, tags_of};
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::support::{World, gone};

fn restoring(world: &World) -> bool {
    world.temporary().is_some_and(|instance| instance.status == "creating")
}

#[tokio::test]
async fn one_isolated_instance_however_often_it_is_asked_for() {
    // GIVEN a snapshot, WHEN its validation is asked for twice
    let world = World::whole();
    world.rds.set(|rds| rds.looks = 100);
    let source = world.rds.instance_now(&home(), "prod-db");
    let first = world.ask(1, &json!({})).await.unwrap();
    assert_eq!(first["status"], "WAITING");
    world.ask(2, &first["carry"]).await.unwrap();
    // THEN there is one instance beside the source, with groups of its own, private, no backups
    let id = operation().validation_instance_id();
    assert_eq!(world.rds.instances_in(&home()), [id, "prod-db".to_owned()]);
    let instance = world.temporary().unwrap();
    assert_eq!(instance.class, "db.a");
    assert_eq!(instance.parameter_groups, ["holdfast-validation-postgres15"]);
    assert_eq!(instance.security_groups, ["sg-validation"]);
    assert!(!instance.publicly_accessible && instance.backup_retention_days == 0);
    // AND its parameters keep it from reaching out and from talking without TLS
    let parameters = world.rds.parameters_now(&home(), "holdfast-validation-postgres15").unwrap();
    assert_eq!(parameters["max_logical_replication_workers"], "0");
    assert_eq!(parameters["rds.force_ssl"], "1");
    // AND its tags say whose it is, what for, and when it may be swept: after the deadline and a grace
    let expected = Tags::from(
        [
            (tags::OPERATION, operation().to_string()),
            (tags::DATABASE, "prod-db".to_owned()),
            (tags::TEMPORARY, "validation".to_owned()),
            (tags::EXPIRES_AT, at(10 + (720 + 120) * 60).to_string()),
            (tags::REQUESTED_AT, at(10).to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    assert_eq!(instance.tags, expected);
    // AND the source is as it was
    assert_eq!(world.rds.instance_now(&home(), "prod-db"), source);
}

#[tokio::test]
async fn a_crash_right_after_the_call_is_mended_by_adopting_what_it_made() {
    // GIVEN a restore that took effect and whose answer never came, in an RDS that shows things late
    let world = World::whole();
    world.rds.set(|rds| rds.unseen = 1);
    world.rds.troubles.once(Call::Restore, Trouble::AnswerLost);
    assert_eq!(world.ask(1, &json!({})).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    let made = world.temporary();
    assert!(restoring(&world));
    // WHEN it is asked again, THEN the instance of the first attempt is the one, and it is proven
    let ended = world.run().await.unwrap();
    assert_eq!(ended.validation.verdict, Verdict::Valid);
    assert_eq!(world.temporary().unwrap().tags, made.unwrap().tags);
}

#[tokio::test]
async fn without_capacity_for_one_class_the_next_is_taken() {
    // GIVEN no capacity for the first class, WHEN the restore is asked for
    let world = World::whole();
    world.rds.set(|rds| rds.no_capacity = ["db.a".to_owned()].into());
    world.ask(1, &json!({})).await.unwrap();
    // THEN the instance is of the second
    assert_eq!(world.temporary().unwrap().class, "db.b");
}

#[tokio::test]
async fn a_capacity_that_is_missed_late_costs_the_instance_and_the_next_class_is_taken() {
    // GIVEN a restore of the first class that is accepted and then ends without capacity
    let world = World::whole();
    world.rds.set(|rds| rds.restores_end_as = "insufficient-capacity");
    let told = world.until(|answer| answer["carry"]["classIndex"] == 1).await.unwrap();
    assert!(gone(&world));
    // WHEN the next one would end well
    world.rds.set(|rds| rds.restores_end_as = "available");
    let mut carry = told.last().unwrap()["carry"].clone();
    for poll in 10..20 {
        let answer = world.ask(poll, &carry).await.unwrap();
        carry = answer["carry"].clone();
        if restoring(&world) {
            break;
        }
    }
    // THEN it is of the second class
    assert_eq!(world.temporary().unwrap().class, "db.b");
}

#[tokio::test]
async fn without_capacity_for_any_class_nothing_is_known() {
    for late in [false, true] {
        // GIVEN no capacity for any class, told at once or by the status afterwards
        let world = World::whole();
        world.rds.set(|rds| match late {
            false => rds.no_capacity = ["db.a".to_owned(), "db.b".to_owned()].into(),
            true => rds.restores_end_as = "insufficient-capacity",
        });
        // WHEN it is validated
        let ended = world.run().await.unwrap();
        // THEN the verdict is that nothing is known, with the reason, and nothing temporary stays
        assert_eq!(ended.validation.verdict, Verdict::Inconclusive, "late: {late}");
        assert!(ended.validation.issues[0].contains("no capacity"), "{:?}", ended.validation.issues);
        assert_eq!(world.tagged().as_deref(), Some("INCONCLUSIVE"));
        assert!(gone(&world));
    }
}

#[tokio::test]
async fn without_room_in_the_account_nothing_is_known_of_the_backup() {
    let world = World::whole();
    world.rds.troubles.once(Call::Restore, Trouble::refused(ErrorKind::InstanceQuotaExceeded));
    let ended = world.run().await.unwrap();
    assert_eq!(ended.validation.verdict, Verdict::Inconclusive);
    assert_eq!(world.tagged().as_deref(), Some("INCONCLUSIVE"));
    assert!(gone(&world));
}

#[tokio::test]
async fn anothers_instance_of_that_name_is_left_alone() {
    for unseen in [false, true] {
        // GIVEN an instance of the derived name that is not this operation's, shown at once or late
        let world = World::whole();
        let mut theirs = instance(&operation().validation_instance_id());
        theirs.tags = tags_of("other-db-r1-0123456789");
        // It looks like ours in everything else.
        theirs.security_groups = vec!["sg-validation".into()];
        theirs.parameter_groups = vec!["holdfast-validation-postgres15".into()];
        world.rds.lay_instance(&home(), theirs.clone());
        let mut carry = json!({});
        if unseen {
            world.rds.hide_instance(&home(), &theirs.id, 1);
            carry = world.ask(1, &carry).await.unwrap()["carry"].clone();
        }
        // WHEN ours is asked for
        let error = world.ask(2, &carry).await.unwrap_err();
        // THEN it is refused, and theirs is as it was: no password set, not deleted
        assert_eq!(error.kind, ErrorKind::NameTaken);
        assert_eq!(world.temporary(), Some(theirs.clone()));
        assert_eq!(world.rds.password_now(&theirs.id), None);
    }
}

#[tokio::test]
async fn a_parameter_group_that_is_not_ours_is_not_used() {
    // GIVEN a parameter group of that name that somebody else made
    let world = World::whole();
    world.rds.lay_foreign_parameter_group("holdfast-validation-postgres15");
    // WHEN the restore is asked for, THEN it is refused and nothing is restored
    assert_eq!(world.ask(1, &json!({})).await.unwrap_err().kind, ErrorKind::NameTaken);
    assert_eq!(world.temporary(), None);
}

#[tokio::test]
async fn what_cannot_be_restored_from_is_not() {
    // GIVEN a snapshot that is gone, THEN that is named
    let lost = World::whole();
    lost.rds.lose_snapshot(&home(), &operation().snapshot_id());
    assert_eq!(lost.ask(1, &json!({})).await.unwrap_err().kind, ErrorKind::SnapshotGone);
    // GIVEN one that is not this operation's, THEN it is not touched
    let foreign = World::whole();
    foreign.rds.lay_snapshot(snapshot(&home(), &operation().snapshot_id(), Tags::new()));
    assert_eq!(foreign.ask(1, &json!({})).await.unwrap_err().kind, ErrorKind::NameTaken);
    // GIVEN one of an engine that cannot be validated, THEN the field to change is named
    let mysql = World::whole();
    let mut other = snapshot(&home(), &operation().snapshot_id(), tags_of(operation().as_str()));
    other.engine = "mysql".into();
    mysql.rds.lay_snapshot(other.clone());
    let error = mysql.ask(1, &json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("validation.enabled"), "{}", error.message);
    for world in [lost, foreign, mysql] {
        assert_eq!(world.temporary(), None);
    }
    // GIVEN one that is still being made, THEN it is waited for
    let early = World::whole();
    early.rds.set(|rds| rds.looks = 5);
    let early_snapshot = holdfast_core::rds::Snapshot {
        status: SnapshotStatus::Creating,
        ..snapshot(&home(), &operation().snapshot_id(), tags_of(operation().as_str()))
    };
    early.rds.lay_snapshot(early_snapshot);
    assert_eq!(early.ask(1, &json!({})).await.unwrap()["status"], "WAITING");
    assert_eq!(early.temporary(), None);
    assert_eq!(early.run().await.unwrap().validation.verdict, Verdict::Valid);
}

#[tokio::test]
async fn how_a_restore_ends_decides_what_is_known() {
    for (status, verdict) in [
        // GIVEN a snapshot that does not become a database: that is the backup's fault
        ("incompatible-restore", Verdict::Invalid),
        ("restore-error", Verdict::Invalid),
        // GIVEN an instance that cannot be used for another reason: that says nothing of the backup
        ("storage-full", Verdict::Inconclusive),
        ("incompatible-parameters", Verdict::Inconclusive),
        ("inaccessible-encryption-credentials", Verdict::Inconclusive),
        ("failed", Verdict::Inconclusive),
    ] {
        let world = World::whole();
        world.rds.set(|rds| rds.restores_end_as = status);
        // WHEN it is validated
        let ended = world.run().await.unwrap();
        // THEN the verdict says which, the snapshot is tagged and kept, and the instance goes
        assert_eq!(ended.validation.verdict, verdict, "{status}");
        assert!(ended.validation.issues[0].contains(status), "{:?}", ended.validation.issues);
        assert_eq!(world.tagged().as_deref(), Some(verdict.as_str()));
        assert!(gone(&world));
        // AND nobody logged in, nothing was compared, and no manifest claims what the data was
        assert_eq!(world.server.logins(), 0);
        assert_eq!(world.documents.now(&operation().manifest_key()), None);
    }
}

#[tokio::test]
async fn an_instance_that_came_back_less_isolated_is_not_used() {
    type Change = fn(&mut Instance);
    let changes: [(&str, Change); 4] = [
        ("public", |instance| instance.publicly_accessible = true),
        ("security groups", |instance| instance.security_groups = vec!["sg-default".into()]),
        ("security groups", |instance| instance.security_groups.push("sg-default".into())),
        ("parameter groups", |instance| instance.parameter_groups = vec!["default.postgres15".into()]),
    ];
    for (word, change) in changes {
        // GIVEN a restore that comes back otherwise than it was asked for
        let world = World::whole();
        world.rds.set(|rds| rds.restores_come_back = change);
        // WHEN it is validated
        let ended = world.run().await.unwrap();
        // THEN nothing is known, the reason is named, nobody logged in, and the instance goes
        assert_eq!(ended.validation.verdict, Verdict::Inconclusive, "{word}");
        assert!(ended.validation.issues[0].contains(word), "{:?}", ended.validation.issues);
        assert_eq!(world.server.logins(), 0);
        assert_eq!(world.rds.password_now(&operation().validation_instance_id()), None);
        assert!(gone(&world));
    }
}

#[tokio::test]
async fn an_execution_that_takes_over_moves_the_expiry_and_nobody_else_does() {
    // GIVEN an instance that was restored at the first poll of one execution, and polled since
    let world = World::whole();
    world.rds.set(|rds| rds.looks = 100);
    let first = world.ask(1, &json!({})).await.unwrap();
    world.ask(2, &first["carry"]).await.unwrap();
    let expiry = |world: &World| world.temporary().unwrap().tags[tags::EXPIRES_AT].clone();
    assert_eq!(expiry(&world), at(10 + (720 + 120) * 60).to_string());
    // WHEN another execution takes over, an hour later
    world.begin_later(3600);
    world.ask(1, &json!({})).await.unwrap();
    // THEN the sweep waits for its deadline
    assert_eq!(expiry(&world), at(3600 + 10 + (720 + 120) * 60).to_string());
    // AND whose instance it is, and when the restore was asked for, is what it was
    let kept = world.temporary().unwrap().tags;
    assert_eq!(kept[tags::REQUESTED_AT], at(10).to_string());
    assert_eq!(kept[tags::OPERATION], operation().to_string());
    // AND an instance that is going is left to go
    world.begin_later(7200);
    world.cleanup(false, 1).await.unwrap();
    world.ask(1, &json!({})).await.unwrap();
    assert_eq!(expiry(&world), at(3600 + 10 + (720 + 120) * 60).to_string());
}

#[tokio::test]
async fn what_is_carried_may_be_lost() {
    // GIVEN a state machine that hands nothing back, as after a takeover
    let world = World::whole();
    let mut last = Value::Null;
    for poll in 1..=5 {
        last = world.ask(poll, &Value::Null).await.unwrap();
    }
    // THEN it goes on waiting with the one instance, and with the carry again it gets to the end
    assert_eq!(last["status"], "WAITING");
    assert_eq!(world.rds.instances_in(&home()).len(), 2);
    assert_eq!(world.run().await.unwrap().validation.verdict, Verdict::Valid);
}
