//! The way back.

use holdfast_core::ErrorKind;
use holdfast_core::ports::{LastSettings, Renames as _, Restores as _};
use holdfast_fakes::sample::{blueprint, home, instance};
use serde_json::json;

use crate::support::{AS_BEFORE, SAID, SECRET, World, of};

#[tokio::test]
async fn it_is_undone_from_wherever_it_got_to() {
    for polls in 0..12 {
        let mut world = World::with_both().and_pointers();
        world.plan().await.unwrap();
        for _ in 0..polls {
            world.poll("swap").await.unwrap();
        }
        let swap = world.all("undo").await.unwrap();
        assert!(swap.undone && swap.instance_id == "prod-db");
        assert_eq!(of(&world.places()), AS_BEFORE, "after {polls} polls");
        assert_eq!(world.secrets.text_now(SECRET).as_deref(), Some(SAID), "after {polls} polls");
        assert!(world.cname().is_none_or(|value| value == "elsewhere"), "after {polls} polls");
        // Undone twice is undone once.
        let renames = world.rds.renames().len();
        world.all("undo").await.unwrap();
        assert_eq!(world.rds.renames().len(), renames);
    }
}

#[tokio::test]
async fn a_rename_that_shows_late_is_undone_too() {
    // GIVEN an old instance that may have been asked to give its name away, which does not show yet
    let mut world = World::with_both();
    world.plan().await.unwrap();
    // WHEN it is undone, THEN one look at which all seems well is not enough
    assert_eq!(world.poll("undo").await.unwrap(), None);
    assert_eq!(world.poll("undo").await.unwrap(), None);
    assert!(world.poll("undo").await.unwrap().is_some());
    // AND when the rename shows after the first look, it is turned round.
    let mut world = World::with_both();
    world.plan().await.unwrap();
    assert_eq!(world.poll("undo").await.unwrap(), None);
    let aside = world.aside();
    world.rds.rename(&home(), "prod-db", &aside).await.unwrap();
    while world.poll("undo").await.unwrap().is_none() {}
    assert_eq!(of(&world.places()), AS_BEFORE);
}

#[tokio::test]
async fn a_name_that_nobody_had_is_nobodys_again() {
    let mut world = World::with_new();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    let swap = world.all("undo").await.unwrap();
    assert!(swap.undone && swap.endpoint.is_none());
    assert_eq!(of(&world.places()), [None, None, Some("db-NEW")]);
}

#[tokio::test]
async fn what_cannot_be_undone_says_so_and_where_to_look() {
    // GIVEN an old instance that somebody deleted after it was swapped out
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    let aside = world.aside();
    world.rds.lose_instance(&home(), &aside);
    let renames = world.rds.renames().len();
    let error = world.all("undo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SwapNotUndone);
    assert!(error.message.contains(&aside), "{error}");
    // THEN what was restored goes on answering
    assert_eq!(of(&world.places()), [Some("db-NEW"), None, None]);
    assert_eq!(world.rds.renames().len(), renames);
    // GIVEN a stranger that took the name
    let mut world = World::with_both();
    world.plan().await.unwrap();
    let mut stranger = instance("prod-db");
    stranger.resource_id = "db-STRANGER".into();
    world.rds.lay_instance(&home(), stranger);
    let error = world.all("undo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SwapNotUndone);
    assert!(error.message.contains("somebody else has the name prod-db"), "{error}");
}

#[tokio::test]
async fn a_new_one_that_broke_goes_out_of_the_way_all_the_same() {
    // RDS may refuse it; it is asked.
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    let mut broken = world.rds.instance_now(&home(), "prod-db").unwrap();
    broken.status = "storage-full".into();
    world.rds.lay_instance(&home(), broken.clone());
    assert_eq!(world.poll("undo").await.unwrap(), None);
    broken.status = "available".into();
    world.rds.lay_instance(&home(), broken);
    world.all("undo").await.unwrap();
    assert_eq!(of(&world.places()), AS_BEFORE);
}

#[tokio::test]
async fn an_old_one_that_was_stopped_is_started_before_the_name_is_taken_for_it() {
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    let (aside, says) = (world.aside(), world.says().await);
    world.change(&aside, |old| old.status = "stopped".into());
    (world.poll, world.carry) = (1, json!({}));
    let mut polls = 0;
    while world.poll("undo").await.unwrap().is_none() {
        let [own, old, _] = world.places();
        let runs = |name: &str| world.rds.instance_now(&home(), name).unwrap().status == "available";
        // WHILE the old one does not run, the new one answers, and clients are led to it
        if old.is_some() && !runs(&aside) && own.is_some() {
            assert_eq!((own.as_deref(), world.says().await), (Some("db-NEW"), says.clone()));
            polls += 1;
        }
    }
    assert!(polls > 1, "it was started and waited for");
    assert_eq!(of(&world.places()), AS_BEFORE);
    assert_eq!(world.says().await.as_deref(), Some("elsewhere"));
    assert_eq!(world.rds.instance_now(&home(), "prod-db").unwrap().status, "available");
}

#[tokio::test]
async fn an_old_one_that_broke_leaves_the_new_one_where_it_answers() {
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    let (aside, says) = (world.aside(), world.says().await);
    world.change(&aside, |old| old.status = "storage-full".into());
    let error = world.all("undo").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SwapNotUndone);
    assert!(error.message.contains("storage-full"), "{error}");
    assert_eq!(of(&world.places()), [Some("db-NEW"), Some("db-PROD-DB"), None]);
    assert_eq!(world.says().await, says);
    // GIVEN one that breaks when the new one has gone out of its way
    world.change(&aside, |old| old.status = "available".into());
    (world.poll, world.carry) = (1, json!({}));
    while world.who("prod-db").is_some() {
        assert_eq!(world.poll("undo").await.unwrap(), None);
    }
    world.change(&aside, |old| old.status = "storage-full".into());
    // THEN the new one has the name again, rather than nobody
    assert_eq!(world.all("undo").await.unwrap_err().kind, ErrorKind::SwapNotUndone);
    assert_eq!(of(&world.places()), [Some("db-NEW"), Some("db-PROD-DB"), None]);
}

#[tokio::test]
async fn what_waits_for_the_maintenance_window_does_not_keep_the_old_one_from_being_what_it_was() {
    // GIVEN a swap that was refused because somebody queued a change meanwhile
    let mut world = World::with_both();
    world.plan().await.unwrap();
    world.rds.set(|rds| rds.settings_pend = 500);
    let old = blueprint(&instance("prod-db"));
    world.rds.lay_blueprint(&home(), old.clone());
    world.rds.settle(&home(), "prod-db", &old, LastSettings::All).await.unwrap();
    world.change("prod-db", |old| old.pending = vec!["BackupRetentionPeriod".into()]);
    assert_eq!(world.all("swap").await.unwrap_err().kind, ErrorKind::SourceUnusable);
    // WHEN it is undone, THEN it is, at once
    assert!(world.all("undo").await.unwrap().undone);
    assert_eq!(world.poll, 4);
}
