//! What is looked at before anything is made.

use holdfast_core::ErrorKind;
use holdfast_core::ports::{FoundRecord, LastSettings, Restores as _};
use holdfast_fakes::sample::{blueprint, home, instance};
use serde_json::json;

use crate::support::{RECORD, SECRET, World, ZONE};

#[tokio::test]
async fn what_is_there_is_kept_as_it_is() {
    let mut world = World::with_both().and_pointers();
    let plan = world.plan().await.unwrap();
    assert_eq!(plan.old.unwrap().resource_id, "db-PROD-DB");
    let record = plan.record.unwrap();
    assert_eq!((record.ttl, record.value.as_str()), (30, "elsewhere"));
    assert_eq!(plan.secret.unwrap().version_id, "v1");
    assert!(world.rds.renames().is_empty() && world.dns.changes().is_empty());
}

#[tokio::test]
async fn an_old_one_that_rds_would_not_rename_is_told_before_anything_is_made() {
    for status in ["stopped", "modifying", "storage-full"] {
        let mut world = World::with_both();
        let mut old = instance("prod-db");
        old.status = status.into();
        world.rds.lay_instance(&home(), old);
        let error = world.plan().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::SourceUnusable, "{status}");
        assert!(error.message.contains(status), "{error}");
    }
    // Available, with changes that wait for the maintenance window: a rename would make them at once.
    let mut world = World::with_both();
    world.change("prod-db", |old| old.pending = vec!["EngineVersion".into()]);
    let error = world.plan().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SourceUnusable);
    assert!(error.message.contains("pending (EngineVersion)"), "{error}");
    // Available, and about to change.
    let mut world = World::with_both();
    world.rds.set(|rds| rds.settings_pend = 1);
    let old = blueprint(&instance("prod-db"));
    world.rds.lay_blueprint(&home(), old.clone());
    world.rds.settle(&home(), "prod-db", &old, LastSettings::All).await.unwrap();
    let error = world.plan().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SourceUnusable);
    assert!(error.message.contains("with a change pending"), "{error}");
}

#[tokio::test]
async fn the_name_aside_has_to_be_free() {
    let mut world = World::with_both();
    world.rds.lay_instance(&home(), instance(&world.aside()));
    let error = world.plan().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NameTaken);
    assert!(error.message.contains(&world.aside()), "{error}");
}

#[tokio::test]
async fn a_record_that_cannot_be_pointed_is_told() {
    let a = || FoundRecord::Other("A".into());
    for (zone, found, said) in [
        ("Z9", None, "there is no hosted zone Z9"),
        (ZONE, Some(FoundRecord::Missing), "is not there"),
        (ZONE, Some(a()), "is A"),
    ] {
        let mut world = World::with_both();
        if let Some(found) = found {
            world.dns.lay(ZONE, RECORD, found);
        }
        world.swap = json!({"record": {"hostedZoneId": zone, "name": RECORD}});
        let error = world.plan().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
        assert!(error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_secret_without_a_host_to_set_is_told_and_not_shown() {
    for (text, said) in [(None, "there is no secret"), (Some("s3cret"), "is not a JSON object")] {
        let mut world = World::with_both();
        let arn = SECRET.replace("AbCdEf", "ZzZzZz");
        if let Some(text) = text {
            world.secrets.keep(&arn, text);
        }
        world.swap = json!({"secretArn": arn});
        let error = world.plan().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
        assert!(error.message.contains(said) && !error.message.contains("s3cret"), "{error}");
    }
}
