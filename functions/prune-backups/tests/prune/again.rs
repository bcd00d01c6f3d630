//! The second look: what changed since the plan was made is seen before each deletion.

use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::operation::Phase;
use holdfast_core::ports::{Documents, Rds};
use holdfast_core::protection::KEY;
use holdfast_core::rds::{Creation, Snapshot, SnapshotStatus};
use holdfast_core::retention::{DeletionResult, Plan};
use holdfast_core::tags::{self, Tags};
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::{at, home};
use holdfast_fakes::{Call, FakeDocuments, Trouble};
use prune_backups::{Ports, handle};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::{World, backup, deletion, operation, record, west};

type Change<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A bucket during whose first write, which is the plan's, something else happens.
struct Meanwhile<'a> {
    documents: &'a FakeDocuments,
    change: Mutex<Option<Change<'a>>>,
}

#[async_trait]
impl Documents for Meanwhile<'_> {
    async fn create<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<Creation<()>> {
        self.documents.create(key, document).await
    }

    async fn put<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<()> {
        if let Some(change) = self.change.lock().unwrap().take() {
            change();
        }
        self.documents.put(key, document).await
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.documents.get(key).await
    }

    async fn put_page(&self, key: &str, html: &str) -> Result<()> {
        self.documents.put_page(key, html).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.documents.keys(prefix).await
    }
}

/// Prunes while `change` happens between plan and deletions.
async fn pruned<'a>(world: &'a World, change: impl FnOnce() + Send + 'a) -> Plan {
    let documents = Meanwhile { documents: &world.documents, change: Mutex::new(Some(Box::new(change))) };
    let ports = Ports {
        rds: &world.rds,
        store: &world.store,
        documents: &documents,
        settings: &world.settings,
        now: at(0),
        ends: None,
    };
    handle(&ports, serde_json::from_value(json!({"action": "delete"})).unwrap()).await.unwrap().plan
}

/// The backup of that many days ago with another tag.
fn tagged(days: i64, key: &str, value: &str) -> Snapshot {
    let mut changed = backup(&home(), days);
    changed.tags.insert(key.to_owned(), value.to_owned());
    changed
}

#[tokio::test]
async fn a_hold_set_after_the_plan_is_respected() {
    let world = World::of_days(4);
    let plan = pruned(&world, || world.rds.lay_snapshot(tagged(3, tags::HOLD, "wait"))).await;
    let kept = deletion(&plan, &home(), 3).unwrap();
    assert_eq!((kept.result, kept.why.as_str()), (DeletionResult::Kept, "on hold (tag holdfast:hold): wait"));
    assert_eq!((world.left(&home(), 4), world.left(&west(), 4)), (vec![0, 1, 3], vec![0, 1]));
}

#[tokio::test]
async fn the_last_good_backup_stays_when_the_newer_ones_turn_out_bad() {
    // GIVEN four days, of which two are to go; meanwhile the two that were to stay are refused by another validation
    let world = World::of_days(4);
    let plan = pruned(&world, || {
        world.rds.lay_snapshot(tagged(0, tags::VERDICT, "INVALID"));
        world.rds.lay_snapshot(tagged(1, tags::VERDICT, "INVALID"));
    })
    .await;
    // THEN the newest that is proven still is kept
    let kept = deletion(&plan, &home(), 2).unwrap();
    assert_eq!(kept.result, DeletionResult::Kept);
    assert!(kept.why.starts_with("the newest validated backup; "), "{}", kept.why);
    assert_eq!(world.left(&home(), 4), [0, 1, 2, 3]);
    assert_eq!(world.left(&west(), 4), [0, 1]);
}

#[tokio::test]
async fn the_last_good_backup_stays_when_the_newer_ones_are_gone() {
    let world = World::of_days(4);
    pruned(&world, || {
        for days in [0, 1] {
            world.rds.lose_snapshot(&home(), &operation(days).snapshot_id());
        }
    })
    .await;
    assert_eq!(world.left(&home(), 4), [2, 3]);
}

#[tokio::test]
async fn what_came_into_use_after_the_plan_stays() {
    let world = World::of_days(6);
    let plan = pruned(&world, || {
        // Its operation is taken up again.
        world.store.lay(&record(2, Phase::Replicating));
        // It is being copied, by whom ever.
        world.rds.set(|behaviour| behaviour.looks = 1000);
        let mut copy = backup(&west(), 99);
        (copy.status, copy.source_arn) = (SnapshotStatus::Creating, Some(backup(&home(), 3).arn));
        copy.tags = Tags::new();
        world.rds.lay_snapshot(copy);
        // It is no snapshot of Holdfast's any more.
        let mut foreign = backup(&home(), 4);
        foreign.tags.remove(tags::OPERATION);
        world.rds.lay_snapshot(foreign);
    })
    .await;
    let why = |days| {
        (deletion(&plan, &home(), days).unwrap().result, deletion(&plan, &home(), days).unwrap().why.clone())
    };
    for (days, said) in
        [(2, "is REPLICATING"), (3, "it is being copied to us-west-2"), (4, "not a backup of Holdfast's")]
    {
        let (result, why) = why(days);
        assert!(result == DeletionResult::Kept && why.contains(said), "{days}: {why}");
    }
    assert_eq!(world.left(&home(), 6), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn nothing_goes_by_a_plan_that_is_applied_no_more() {
    // GIVEN a plan that keeps two days, and one that keeps all of them which is applied meanwhile
    let plan = |days: u32| {
        json!({"version": 1, "name": "shop", "databases": {"prod-db": {
            "environment": "production", "importance": "standard", "schedules": {}, "targets": [],
            "objectives": {"rtoSeconds": 3600, "rpoSeconds": 900}, "retention": {"daily": days}}}})
    };
    let world = World::of_days(4);
    world.documents.lay(KEY, plan(2));
    let done = pruned(&world, || world.documents.lay(KEY, plan(9))).await;
    // THEN nothing goes by the first
    let kept = deletion(&done, &home(), 3).unwrap();
    assert!(kept.result == DeletionResult::Kept && kept.why.contains("another protection plan"), "{kept:?}");
    assert_eq!((world.left(&home(), 4).len(), world.left(&west(), 4).len()), (4, 4));
    // AND neither while it cannot be read any more
    world.documents.lay(KEY, plan(2));
    let done = pruned(&world, || world.documents.lay(KEY, json!({"version": 2}))).await;
    assert_eq!(deletion(&done, &home(), 3).unwrap().result, DeletionResult::NotDone);
    assert_eq!(world.left(&home(), 4).len(), 4);
}

#[tokio::test]
async fn a_region_that_does_not_answer_at_the_second_look_loses_nothing() {
    let world = World::of_days(4);
    let refused = || Trouble::refused(ErrorKind::ServiceUnavailable);
    let plan = pruned(&world, || {
        world.rds.troubles.always_for(Call::ManualSnapshots, home().as_str(), refused());
    })
    .await;
    let kept = deletion(&plan, &home(), 3).unwrap();
    assert_eq!(kept.result, DeletionResult::NotDone);
    assert!(kept.why.starts_with("Holdfast.ServiceUnavailable: "), "{}", kept.why);
    assert_eq!(world.left(&home(), 4).len(), 4);
}

#[tokio::test]
async fn what_is_gone_meanwhile_is_gone() {
    let world = World::of_days(4);
    let plan = pruned(&world, || world.rds.lose_snapshot(&home(), &operation(3).snapshot_id())).await;
    assert_eq!(deletion(&plan, &home(), 3).unwrap().result, DeletionResult::Gone);
    assert_eq!(world.left(&home(), 4), [0, 1]);
}

#[tokio::test]
async fn two_runs_at_once_delete_what_one_would() {
    let world = World::of_days(8);
    let (one, other) = tokio::join!(world.prune(), world.prune());
    assert_eq!((world.left(&home(), 8), world.left(&west(), 8)), (vec![0, 1], vec![0, 1]));
    for plan in [one, other] {
        let done = |result| [DeletionResult::Deleted, DeletionResult::Gone].contains(result);
        assert!(plan.deletions.iter().all(|deletion| done(&deletion.result)), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_year_is_pruned_through_the_function() {
    // GIVEN a year of a backup a day in two Regions, and the policy as it is deployed
    let mut world = World::of_days(365);
    world.settings.policy = holdfast_core::retention::Policy::default();
    let plan = world.run(json!({"action": "plan"})).await.unwrap().plan;
    assert_eq!(plan.backups.len(), 730);
    assert!(plan.backups.iter().all(|entry| !entry.reasons.is_empty()));
    // WHEN it is pruned until nothing is left to do: the work of one invocation is bounded
    let mut runs = 0;
    while world.prune().await.totals.delete > 0 {
        runs += 1;
        assert!(runs < 10, "no end");
    }
    // THEN what is left in each Region is what the first plan said
    let kept = |at| {
        let of = plan.backups.iter().filter(move |entry| entry.region == at);
        let kept = of.filter(|entry| entry.fate == holdfast_core::retention::Fate::Keep);
        let mut ids: Vec<String> = kept.map(|entry| entry.snapshot_id.clone()).collect();
        ids.sort();
        ids
    };
    for at in [home(), west()] {
        assert_eq!(world.rds.snapshots_in(&at), kept(at.clone()));
        println!("{at}: {} of 365 left after {runs} runs", kept(at.clone()).len());
    }
    assert_eq!(world.rds.manual_snapshots(&home()).await.unwrap().len(), kept(home()).len());
}
