//! `sweep-temporary` against an RDS in memory: which instances are left.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use holdfast_core::rds::Instance;
use holdfast_core::{ErrorKind, tags};
use holdfast_fakes::sample::{at, home, instance};
use holdfast_fakes::{Call, FakeRds, Trouble};
use sweep_temporary::{Output, handle};

/// A validation's instance that expires `seconds` after the beginning.
fn temporary(id: &str, seconds: i64) -> Instance {
    let mut instance = instance(id);
    for (key, value) in [
        (tags::OPERATION, "prod-db-r1-0123456789".to_owned()),
        (tags::TEMPORARY, "validation".to_owned()),
        (tags::EXPIRES_AT, at(seconds).to_string()),
    ] {
        instance.tags.insert(key.to_owned(), value);
    }
    instance
}

fn rds(instances: impl IntoIterator<Item = Instance>) -> FakeRds {
    let rds = FakeRds::default();
    instances.into_iter().for_each(|instance| rds.lay_instance(&home(), instance));
    rds
}

async fn sweep(rds: &FakeRds, seconds: i64) -> Output {
    handle(rds, &home(), at(seconds)).await.unwrap()
}

fn status(rds: &FakeRds, id: &str) -> Option<String> {
    rds.instance_now(&home(), id).map(|instance| instance.status)
}

#[tokio::test]
async fn the_expired_goes_and_the_living_stays() {
    // GIVEN two temporary instances, one of them expired, and the database itself
    let rds = rds([temporary("hfv-old", 100), temporary("hfv-new", 101), instance("prod-db")]);
    // WHEN the sweep runs
    let output = sweep(&rds, 100).await;
    // THEN one goes, and is named
    assert_eq!((output.deleted, output.kept), (vec!["hfv-old".to_owned()], vec!["hfv-new".to_owned()]));
    assert_eq!(status(&rds, "hfv-old").as_deref(), Some("deleting"));
    assert_eq!(status(&rds, "hfv-new").as_deref(), Some("available"));
    // AND later sweeps find nothing more to do about it until it is gone
    while status(&rds, "hfv-old").is_some() {
        assert!(sweep(&rds, 100).await.deleted.is_empty());
    }
    assert_eq!(rds.instances_in(&home()), ["hfv-new", "prod-db"]);
}

#[tokio::test]
async fn what_carries_no_tag_of_ours_is_never_touched() {
    // GIVEN instances that only look like ours: by name, or by an expiry alone
    let named_like_ours = instance("hfv-prod");
    let mut expiring = instance("reports");
    expiring.tags.insert(tags::EXPIRES_AT.into(), at(0).to_string());
    let rds = rds([named_like_ours.clone(), expiring.clone()]);
    // WHEN the sweep runs long after, THEN they are as they were
    let output = sweep(&rds, 1_000_000).await;
    assert!(output.deleted.is_empty() && output.suspicious.is_empty() && output.kept.is_empty());
    assert_eq!(rds.instance_now(&home(), "hfv-prod"), Some(named_like_ours));
    assert_eq!(rds.instance_now(&home(), "reports"), Some(expiring));
}

#[tokio::test]
async fn what_cannot_be_judged_is_reported_and_stays() {
    // GIVEN instances marked as temporary that lack something: another name, no operation, no expiry, or none readable
    let change = |id: &str, change: fn(&mut Instance)| {
        let mut instance = temporary(id, 0);
        change(&mut instance);
        instance
    };
    let rds = rds([
        temporary("prod-db", 0),
        change("hfv-a", |instance| drop(instance.tags.remove(tags::OPERATION))),
        change("hfv-b", |instance| drop(instance.tags.remove(tags::EXPIRES_AT))),
        change("hfv-c", |instance| drop(instance.tags.insert(tags::EXPIRES_AT.into(), "soon".into()))),
    ]);
    // WHEN the sweep runs, THEN each is named for a person to look at, and none goes
    let output = sweep(&rds, 1_000_000).await;
    assert_eq!(output.suspicious, ["hfv-a", "hfv-b", "hfv-c", "prod-db"]);
    for id in rds.instances_in(&home()) {
        assert_eq!(status(&rds, &id).as_deref(), Some("available"), "{id}");
    }
}

#[tokio::test]
async fn one_that_cannot_be_deleted_does_not_keep_the_others() {
    // GIVEN two expired instances, the first of which refuses to go
    let rds = rds([temporary("hfv-a", 0), temporary("hfv-b", 0)]);
    let refused = Trouble::refused(ErrorKind::AccessDenied);
    rds.troubles.always_for(Call::DeleteInstance, "hfv-a", refused);
    // WHEN the sweep runs
    let error = handle(&rds, &home(), at(1)).await.unwrap_err();
    // THEN it fails with that error, so that somebody hears of it, and the other one goes all the same
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert_eq!(status(&rds, "hfv-a").as_deref(), Some("available"));
    assert_eq!(status(&rds, "hfv-b").as_deref(), Some("deleting"));
}

#[tokio::test]
async fn nothing_to_do_is_fine() {
    // GIVEN no temporary instance, THEN the sweep says so
    let output = sweep(&rds([instance("prod-db")]), 0).await;
    assert_eq!(output.progress.message, "0 deleted, 0 kept, 0 suspicious");
}
