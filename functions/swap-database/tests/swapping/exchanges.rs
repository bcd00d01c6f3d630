//! The way there.

use holdfast_core::ErrorKind;
use holdfast_core::ports::{LastSettings, Restores as _};
use holdfast_fakes::sample::{blueprint, home, instance};
use serde_json::{Value, json};

use crate::support::{SAID, SECRET, SWAPPED, World, of};

#[tokio::test]
async fn the_new_one_gets_the_name_and_the_old_one_another() {
    let mut world = World::with_both();
    world.now = 90;
    let plan = world.plan().await.unwrap();
    assert_eq!(plan.old.unwrap().aside_id.as_str(), world.aside());
    let swap = world.all("swap").await.unwrap();
    assert_eq!(of(&world.places()), SWAPPED);
    // The old one first: nothing is ever renamed to a name that is taken.
    let aside = world.aside();
    let order = [("prod-db".to_owned(), aside.clone()), (world.beside(), "prod-db".to_owned())];
    assert_eq!(world.rds.renames(), order);
    assert_eq!((swap.instance_id.as_str(), swap.old_id), ("prod-db", Some(aside)));
    assert_eq!(swap.endpoint.unwrap().host, "prod-db.x.us-east-1.rds.amazonaws.com");
    // From the first rename, asked for at 90 s, until the new one was seen to be available, four looks later: they are a
    // minute apart.
    assert_eq!(swap.outage_seconds, Some(180.0));
    assert!(!swap.undone && swap.repointed.is_empty());
    // The recovery point is from the beginning; at the look after the asking the old one was seen without its name.
    assert_eq!(swap.lost_seconds, Some(150.0));
}

#[tokio::test]
async fn the_old_one_is_written_to_until_it_has_another_name() {
    // GIVEN a rename that is asked for, takes two minutes, and is asked for again meanwhile
    let mut world = World::with_both();
    world.plan().await.unwrap();
    let mut old = world.rds.instance_now(&home(), "prod-db").unwrap();
    let aside = world.aside();
    for _ in 0..2 {
        assert_eq!(world.poll("swap").await.unwrap(), None);
        world.rds.lose_instance(&home(), &aside);
        old.status = "available".into();
        world.rds.lay_instance(&home(), old.clone());
    }
    // WHEN it is done at last
    let swap = loop {
        if let Some(swap) = world.poll("swap").await.unwrap() {
            break swap;
        }
    };
    // THEN the outage counts from the first asking, and what is lost to when the name was gone
    assert_eq!(of(&world.places()), SWAPPED);
    assert_eq!((swap.lost_seconds, swap.outage_seconds), (Some(180.0), Some(300.0)));
}

#[tokio::test]
async fn what_waits_for_the_maintenance_window_is_not_done_by_a_rename() {
    // GIVEN an upgrade that was queued after the plan
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.change("prod-db", |old| old.pending = vec!["EngineVersion".into(), "MultiAZ".into()]);
    // WHEN it is to be swapped, THEN it is waited a moment for, then told by name
    for _ in 0..11 {
        assert_eq!(world.poll("swap").await.unwrap(), None);
        assert!(world.said.contains("EngineVersion, MultiAZ"), "{}", world.said);
    }
    let error = world.poll("swap").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SourceUnusable);
    assert!(error.message.contains("prod-db has changes pending (EngineVersion, MultiAZ)"), "{error}");
    assert!(world.rds.renames().is_empty());
    // AND one that is made meanwhile is no obstacle.
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.change("prod-db", |old| old.pending = vec!["MultiAZ".into()]);
    assert_eq!(world.poll("swap").await.unwrap(), None);
    world.change("prod-db", |old| old.pending = vec![]);
    while world.poll("swap").await.unwrap().is_none() {}
    assert_eq!(of(&world.places()), SWAPPED);
}

#[tokio::test]
async fn record_and_secret_point_to_it_and_nothing_else_in_the_secret_changes() {
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    let swap = world.all("swap").await.unwrap();
    let endpoint = swap.endpoint.unwrap();
    assert_eq!(world.cname(), Some(endpoint.host.clone()));
    let mut expected: Value = serde_json::from_str(SAID).unwrap();
    expected["host"] = json!(endpoint.host);
    expected["port"] = json!(endpoint.port);
    let said: Value = serde_json::from_str(&world.secrets.text_now(SECRET).unwrap()).unwrap();
    assert_eq!(said, expected);
    assert_eq!(swap.repointed.len(), 2);
    // Asked again, nothing is changed again.
    world.all("swap").await.unwrap();
    assert_eq!((world.dns.changes().len(), world.secrets.versions(SECRET)), (1, 2));
}

#[tokio::test]
async fn a_name_that_nobody_has_is_taken_by_one_rename() {
    let mut world = World::with_new();
    assert_eq!(world.plan().await.unwrap().old, None);
    let swap = world.all("swap").await.unwrap();
    assert_eq!(of(&world.places()), [Some("db-NEW"), None, None]);
    assert_eq!(world.rds.renames().len(), 1);
    assert_eq!((swap.old_id, swap.outage_seconds), (None, None));
}

#[tokio::test]
async fn the_old_one_keeps_its_name_until_the_new_one_can_be_used() {
    for (status, kind) in [("storage-full", ErrorKind::RestoreFailed), ("failed", ErrorKind::RestoreFailed)] {
        let mut world = World::with_both();
        world.plan().await.unwrap();
        let mut new = world.rds.instance_now(&home(), &world.beside()).unwrap();
        new.status = status.into();
        world.rds.lay_instance(&home(), new);
        assert_eq!(world.all("swap").await.unwrap_err().kind, kind, "{status}");
        assert!(world.rds.renames().is_empty(), "{status}");
    }
    let mut world = World::with_both();
    world.plan().await.unwrap();
    let mut new = world.rds.instance_now(&home(), &world.beside()).unwrap();
    new.status = "modifying".into();
    world.rds.lay_instance(&home(), new);
    assert_eq!(world.poll("swap").await.unwrap(), None);
    assert!(world.rds.renames().is_empty());
}

#[tokio::test]
async fn a_stranger_at_any_of_the_names_ends_it_before_anything_else_is_renamed() {
    for name in ["prod-db", "aside", "beside"] {
        let mut world = World::with_both();
        world.plan().await.unwrap();
        let name = match name {
            "aside" => world.aside(),
            "beside" => world.beside(),
            own => own.to_owned(),
        };
        let mut stranger = instance(&name);
        stranger.resource_id = "db-STRANGER".into();
        world.rds.lay_instance(&home(), stranger);
        let error = world.all("swap").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NameTaken, "{name}");
        assert!(error.message.contains(&name), "{error}");
        assert!(world.rds.renames().is_empty());
    }
}

#[tokio::test]
async fn an_old_one_that_was_deleted_meanwhile_does_not_keep_the_name_free() {
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.rds.lose_instance(&home(), "prod-db");
    world.all("swap").await.unwrap();
    assert_eq!(of(&world.places()), [Some("db-NEW"), None, None]);
    // Not at the first look, at which it may be between two names.
    assert!(world.poll > 10, "{}", world.poll);
}

#[tokio::test]
async fn a_new_one_that_is_gone_is_not_waited_for_for_ever() {
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.rds.lose_instance(&home(), &world.beside());
    assert_eq!(world.all("swap").await.unwrap_err().kind, ErrorKind::RestoreFailed);
    assert!(world.rds.renames().is_empty());
}

#[tokio::test]
async fn a_secret_that_says_it_already_is_left_as_it_is() {
    let mut world = World::with_both().and_pointers();
    world.secrets.keep(SECRET, r#"{"host":"prod-db.x.us-east-1.rds.amazonaws.com","port":5432}"#);
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    assert_eq!(world.secrets.versions(SECRET), 1);
    // There is nothing to give back either.
    assert!(world.all("undo").await.unwrap().undone);
    assert_eq!(world.secrets.versions(SECRET), 1);
}

#[tokio::test]
async fn an_instance_that_is_about_to_change_is_not_renamed() {
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.rds.set(|rds| rds.settings_pend = 2);
    let old = blueprint(&instance("prod-db"));
    world.rds.lay_blueprint(&home(), old.clone());
    world.rds.settle(&home(), "prod-db", &old, LastSettings::All).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.poll("swap").await.unwrap(), None);
        assert!(world.rds.renames().is_empty());
    }
    world.all("swap").await.unwrap();
    assert_eq!(of(&world.places()), SWAPPED);
}
