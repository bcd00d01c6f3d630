//! The name, and what the database is to be like.

use holdfast_core::ErrorKind;
use holdfast_core::ports::RestoreWindow;
use holdfast_core::request::Login;
use holdfast_core::tags;
use holdfast_fakes::sample::{at, blueprint, home, instance, tags_of};
use holdfast_fakes::{Call, FakeKeys, Trouble};
use serde_json::json;

use crate::support::{World, operation, snapshot_of};

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:holdfast/prod-db-AbCdEf";

#[tokio::test]
async fn a_name_that_somebody_else_has_is_refused() {
    for owner in [None, Some("prod-db-another-0123456789")] {
        // GIVEN an instance of that name, of nobody or of another operation
        let world = World::lost();
        let mut there = instance("prod-db");
        there.tags = owner.map(tags_of).unwrap_or_default();
        world.rds.lay_instance(&home(), there.clone());
        // WHEN the database is asked back under it, THEN that is refused, with the field to change
        let error = world.plan(json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NameTaken, "{owner:?}");
        assert!(error.message.contains("never overwrites; name another targetId"), "{error}");
        assert_eq!(world.target(), Some(there.clone()));
        // AND whoever only asks whether it could be brought back is told that, and all the rest of it
        let asked = world.plan(json!({"verifyOnly": true})).await.unwrap();
        assert!(asked.name_taken.unwrap().contains("name another targetId"));
        let lacking = World::lost();
        lacking.rds.lay_instance(&home(), there);
        lacking.rds.lay_problem("production", "is not there");
        let missing = lacking.plan(json!({"verifyOnly": true})).await.unwrap_err();
        assert_eq!(missing.kind, ErrorKind::ReferenceUnresolved);
        // AND of one that is going that it is waited for: nothing can be swapped with it
        let mut going = world.target().unwrap();
        going.status = "deleting".into();
        world.rds.lay_instance(&home(), going);
        let error = world.plan(json!({})).await.unwrap_err();
        assert!(error.message.contains("it is being deleted: the name is free when it is gone"), "{error}");
        assert!(!error.message.contains("--swap"), "{error}");
        // AND under another it can be had
        let plan = world.plan(json!({"targetId": "prod-db-2"})).await.unwrap();
        assert_eq!(plan.target_id.as_str(), "prod-db-2");
    }
}

#[tokio::test]
async fn a_name_that_this_operation_has_is_gone_on_with() {
    // GIVEN an instance that an attempt of this operation made
    let world = World::lost();
    let mut there = instance("prod-db");
    there.tags = tags_of(operation().as_str());
    world.rds.lay_instance(&home(), there);
    // WHEN it is planned again, THEN the plan is the same as if it was the first
    let plan = world.plan(json!({})).await.unwrap();
    assert_eq!(plan, World::lost().plan(json!({})).await.unwrap());
}

#[tokio::test]
async fn a_look_that_fails_is_no_free_name() {
    let world = World::lost();
    world.rds.troubles.once(Call::Instance, Trouble::refused(ErrorKind::AccessDenied));
    assert_eq!(world.plan(json!({})).await.unwrap_err().kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn what_lies_beside_the_backup_is_what_comes_back() {
    // GIVEN two backups that were made with different classes, and a source that has another by now
    let world = World::lost();
    let newer = world.backup("run-2", 500, |_| {});
    world.keep_blueprint(&newer, |kept| kept.blueprint.class = "db.r6g.large".into());
    let mut now = instance("prod-db");
    now.class = "db.x2g.large".into();
    world.rds.lay_instance(&home(), now);
    // WHEN each is asked for, THEN its own is what comes back
    let older = world.backup("run-1", 0, |_| {});
    for (backup, class) in [(newer, "db.r6g.large"), (older, "db.m6g.large")] {
        let plan = world.plan(json!({"targetId": "b", "snapshotId": backup.snapshot_id()})).await.unwrap();
        assert_eq!(
            (plan.blueprint_of, plan.wanted.instance_classes),
            (backup.to_string(), vec![class.into()])
        );
    }
}

#[tokio::test]
async fn without_a_blueprint_beside_it_the_source_says_how_it_was_and_then_the_newest_backup() {
    // GIVEN a snapshot of somebody else's, a source that lives, and a backup with a blueprint
    let world = World::lost();
    let kept_by = world.backup("run-1", 0, |_| {});
    let login = Login::IamUser("holdfast_reader".into());
    world.keep_blueprint(&kept_by, |kept| kept.login = Some(login.clone()));
    let other = world.backup("by-hand", -500, |made| drop(made.tags.remove(tags::OPERATION)));
    let mut source = blueprint(&instance("prod-db"));
    source.class = "db.x2g.large".into();
    world.rds.lay_instance(&home(), instance("prod-db"));
    world.rds.lay_blueprint(&home(), source);
    let asked = json!({"targetId": "b", "snapshotId": other.snapshot_id()});
    // WHEN it is asked for, THEN it is made like the source, and let in is who the backup was
    let plan = world.plan(asked.clone()).await.unwrap();
    assert_eq!(
        (plan.blueprint_of.as_str(), plan.wanted.settings.class.as_str()),
        ("the source", "db.x2g.large")
    );
    assert_eq!(plan.login, Some(login.clone()));
    // AND without the source like the newest backup
    world.rds.lose_instance(&home(), "prod-db");
    let plan = world.plan(asked.clone()).await.unwrap();
    assert_eq!((plan.blueprint_of, plan.wanted.settings.class), (kept_by.to_string(), "db.m6g.large".into()));
    assert_eq!(plan.login, Some(login));
    // AND when the newest backup has none, it is the newest that has one
    world.backup("run-2", 500, |_| {});
    assert_eq!(world.plan(asked.clone()).await.unwrap().blueprint_of, kept_by.to_string());
    // AND without either by hand
    world.documents.lose(&kept_by.blueprint_key());
    let error = world.plan(asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    assert!(error.message.contains("nobody knows what prod-db was made with"), "{error}");
}

#[tokio::test]
async fn a_point_in_time_is_made_like_the_source_or_like_its_newest_backup() {
    let world = World::lost();
    let backup = world.backup("run-1", 0, |_| {});
    let window =
        RestoreWindow { resource_id: "db-LOG".into(), operation: None, earliest: at(0), latest: at(900) };
    world.rds.lay_window(&home(), "prod-db", window);
    // GIVEN a source that is gone
    let asked = json!({"targetId": "b", "latestRestorable": true});
    assert_eq!(world.plan(asked.clone()).await.unwrap().blueprint_of, backup.to_string());
    // GIVEN one that lives
    world.rds.lay_instance(&home(), instance("prod-db"));
    assert_eq!(world.plan(asked).await.unwrap().blueprint_of, "the source");
}

#[tokio::test]
async fn a_blueprint_that_cannot_be_read_is_not_one_that_is_not_there() {
    let world = World::lost();
    let backup = world.backup("run-1", 0, |_| {});
    world.documents.lay(&backup.blueprint_key(), json!({"blueprint": {"class": 5}}));
    world.rds.lay_instance(&home(), instance("prod-db"));
    let error = world.plan(json!({"targetId": "b"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnreadableRecord);
}

#[tokio::test]
async fn what_a_snapshot_is_wins_over_what_its_source_became() {
    // GIVEN a snapshot from before an upgrade and from before it was encrypted, and the source's blueprint from after
    let world = World::empty();
    let old = world.backup("run-1", 0, |made| {
        made.engine_version = "13.9".into();
        made.encrypted = false;
        made.kms_key_id = None;
    });
    world.keep_blueprint(&old, |kept| kept.blueprint.engine_version = "15.4".into());
    let settings = world.plan(json!({})).await.unwrap().wanted.settings;
    assert_eq!(
        (settings.engine_version.as_str(), settings.family().as_deref()),
        ("13.9", Some("postgres13"))
    );
    assert_eq!((settings.encrypted, settings.kms_key_id), (false, None));
    // AND the other way round, with another key
    let other_key = "arn:aws:kms:us-east-1:000000000000:key/other";
    world.keys.add(&home(), other_key);
    let new = world.backup("run-2", 500, |made| made.kms_key_id = Some(other_key.into()));
    world.keep_blueprint(&new, |kept| {
        kept.blueprint.encrypted = false;
        kept.blueprint.kms_key_id = None;
    });
    let plan = world.plan(json!({})).await.unwrap();
    assert_eq!(snapshot_of(&plan), new.snapshot_id());
    assert_eq!(
        (plan.wanted.settings.encrypted, plan.wanted.settings.kms_key_id.as_deref()),
        (true, Some(other_key))
    );
}

#[tokio::test]
async fn the_request_says_how_to_log_in_and_else_the_backup_does() {
    // GIVEN a backup that logged in with a secret
    let world = World::lost();
    let backup = world.backup("run-1", 0, |_| {});
    world.keep_blueprint(&backup, |kept| kept.login = Some(Login::SecretArn(SECRET.into())));
    assert_eq!(world.plan(json!({})).await.unwrap().login, Some(Login::SecretArn(SECRET.into())));
    let plan = world.plan(json!({"login": {"iamUser": "auditor"}})).await.unwrap();
    assert_eq!(plan.login, Some(Login::IamUser("auditor".into())));
    assert_eq!(plan.unproven, None);
    // AND when nobody said, nobody did
    assert_eq!(World::lost().plan(json!({})).await.unwrap().login, None);
}

#[tokio::test]
async fn what_could_not_be_proven_is_said_before_anything_is_made_and_not_swapped_in() {
    // GIVEN a backup that knows no login
    let world = World::lost();
    let why = world.plan(json!({})).await.unwrap().unproven.unwrap();
    assert!(
        why.contains("no backup of prod-db was taken with a login") && why.contains("--login-secret"),
        "{why}"
    );
    // WHEN it is to be swapped in, THEN that is refused, as it would be an hour later
    let error = world.plan(json!({"swap": true})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    assert!(error.message.starts_with("login: ") && error.message.contains("--login-secret"), "{error}");
    // BUT with a login, or where nobody wants a proof, there is nothing to say
    for more in [json!({"login": {"iamUser": "auditor"}}), json!({"validation": {"enabled": false}})] {
        for swap in [false, true] {
            let mut asked = more.clone();
            asked["swap"] = json!(swap);
            assert_eq!(world.plan(asked).await.unwrap().unproven, None);
        }
    }
    // AND when an older backup knows one, that one is tried
    let older = world.backup("run-0", -3600, |_| {});
    world.keep_blueprint(&older, |kept| kept.login = Some(Login::IamUser("reader".into())));
    let plan = world.plan(json!({"swap": true})).await.unwrap();
    assert_eq!((plan.login, plan.unproven), (Some(Login::IamUser("reader".into())), None));
    assert_ne!(snapshot_of(&world.plan(json!({})).await.unwrap()), older.snapshot_id());
}

#[tokio::test]
async fn the_options_and_the_operations_own_tags_are_what_is_wanted() {
    let world = World::lost();
    let backup = world.backup("run-1", 0, |_| {});
    world.keep_blueprint(&backup, |kept| {
        kept.blueprint.tags =
            [("Team", "shop"), ("holdfast:operation", "x"), ("aws:cloudformation:stack-id", "y")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
    });
    let plan = world.plan(json!({"options": {"subnetGroup": "dr", "tags": {"Why": "drill"}}})).await.unwrap();
    let settings = &plan.wanted.settings;
    assert_eq!(settings.subnet_group.as_deref(), Some("dr"));
    assert_eq!(settings.kms_key_id, Some(FakeKeys::arn(&home())));
    let mut expected = tags_of(operation().as_str());
    for (key, value) in [
        ("Team", "shop"),
        ("Why", "drill"),
        (tags::DATABASE, "prod-db"),
        (tags::REQUESTED_AT, &at(3600).to_string()),
    ] {
        expected.insert(key.to_owned(), value.to_owned());
    }
    assert_eq!(settings.tags, expected);
}

#[tokio::test]
async fn storage_is_as_large_as_the_recovery_point_or_larger() {
    // GIVEN a source that has grown since the snapshot was taken, whose IOPS are those of a large volume
    let world = World::empty();
    let backup = world.backup("run-1", 0, |snapshot| snapshot.size_gib = 200);
    world.keep_blueprint(&backup, |kept| {
        kept.blueprint.allocated_gib = 500;
        kept.blueprint.iops = Some(12_000);
    });
    // THEN the volume of 200 GiB is asked for no IOPS, which RDS would refuse it
    let plan = world.plan(json!({})).await.unwrap();
    assert_eq!((plan.wanted.settings.allocated_gib, plan.wanted.settings.iops), (200, None));
    assert_eq!(plan.wanted.allocated_storage, None);
    // GIVEN more storage that is asked for, THEN it is, and with it the IOPS
    let plan = world.plan(json!({"options": {"allocatedStorage": 600}})).await.unwrap();
    assert_eq!((plan.wanted.allocated_storage, plan.wanted.settings.iops), (Some(600), Some(12_000)));
    world.restore(&plan).await.unwrap();
    assert_eq!(world.rds.databases_asked()[0].allocated_storage, Some(600));
    // GIVEN less, THEN it is refused before anything is made
    let world = World::lost();
    let error = world.plan(json!({"options": {"allocatedStorage": 19}})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("options.allocatedStorage: 19 GiB are less than the 20 GiB"), "{error}");
}
