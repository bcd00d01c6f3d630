//! The plan carried out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use holdfast_core::ports::Documents;
use holdfast_core::rds::{Creation, SnapshotStatus};
use holdfast_core::retention::{Action, DeletionResult, Plan};
use holdfast_core::tags;
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_fakes::sample::{at, home, snapshot};
use holdfast_fakes::{Call, FakeDocuments, Trouble};
use prune_backups::{Ports, handle};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::{World, backup, deletion, operation, results, west};

#[tokio::test]
async fn what_the_plan_says_goes_and_the_rest_stays() {
    // GIVEN six days of backups; one old one on hold, one in the west refused long ago, and one that is not ours
    let world = World::of_days(6);
    let mut held = backup(&home(), 4);
    held.tags.insert(tags::HOLD.into(), "case 4711".into());
    world.rds.lay_snapshot(held);
    let mut refused = backup(&west(), 1);
    refused.tags.insert(tags::VERDICT.into(), "INVALID".into());
    world.rds.lay_snapshot(refused);
    let mut foreign = snapshot(&home(), "holdfast-by-hand", backup(&home(), 3).tags);
    foreign.taken_at = backup(&home(), 3).taken_at;
    world.rds.lay_snapshot(foreign);
    // WHEN it is pruned
    let plan = world.prune().await;
    // THEN two proven days stay in each Region, what is held, what can be looked at, and what is not ours
    assert_eq!(world.left(&home(), 6), [0, 1, 4]);
    assert_eq!(world.left(&west(), 6), [0, 1, 2]);
    assert!(world.rds.snapshots_in(&home()).contains(&"holdfast-by-hand".to_owned()));
    assert_eq!(plan.action, Action::Delete);
    assert_eq!(results(&plan), [DeletionResult::Deleted; 6]);
    assert!(
        plan.deletions.iter().all(|deletion| deletion.why.starts_with("VALID, and fills no slot: ")),
        "{plan:#?}"
    );
    // AND the document says what became of each
    let document = world.documents.now(&plan.document_key).unwrap();
    assert_eq!(serde_json::from_value::<Plan>(document).unwrap(), plan);
    // AND the second time there is nothing to do
    let again = world.prune().await;
    assert_eq!((again.totals.delete, again.deletions), (0, vec![]));
    assert_eq!(world.left(&home(), 6), [0, 1, 4]);
}

#[tokio::test]
async fn the_daily_run_does_what_it_was_deployed_to_do() {
    // GIVEN a deployment that only plans, THEN nothing goes
    let mut world = World::of_days(4);
    let output = world.run(json!({})).await.unwrap();
    assert_eq!((output.plan.action, world.left(&home(), 4).len()), (Action::Plan, 4));
    // GIVEN one that deletes, THEN it does
    world.settings.daily = Action::Delete;
    let output = world.run(json!({})).await.unwrap();
    assert_eq!((output.plan.action, world.left(&home(), 4).len()), (Action::Delete, 2));
    assert_eq!(output.progress.message, "4 to keep, 4 to delete: 4 deleted, 0 not");
}

#[tokio::test]
async fn one_that_cannot_be_deleted_does_not_keep_the_others_and_is_heard_of() {
    // GIVEN a daily run that deletes, and a snapshot that may not be deleted
    let mut world = World::of_days(5);
    world.settings.daily = Action::Delete;
    let id = operation(3).snapshot_id();
    world.rds.troubles.always_for(Call::DeleteSnapshot, &id, Trouble::refused(ErrorKind::AccessDenied));
    // WHEN it runs, THEN the others go, and it fails with that error and the plan's name
    let error = world.run(json!({})).await.unwrap_err();
    assert_eq!(world.left(&home(), 5), [0, 1, 3]);
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert!(error.message.contains("the plan is retention/2026-11-20-"), "{}", error.message);
    // AND asked for by a person, it answers with what became of each
    let plan = world.prune().await;
    assert_eq!(deletion(&plan, &home(), 3).unwrap().result, DeletionResult::NotDone);
    assert!(deletion(&plan, &home(), 3).unwrap().why.starts_with("Holdfast.AccessDenied: "));
}

#[tokio::test]
async fn an_answer_that_got_lost_is_found_out_by_the_next_run() {
    let world = World::of_days(4);
    let id = operation(3).snapshot_id();
    world.rds.troubles.once_for(Call::DeleteSnapshot, &id, Trouble::AnswerLost);
    let plan = world.prune().await;
    assert_eq!(results(&plan).iter().filter(|result| **result == DeletionResult::NotDone).count(), 1);
    let again = world.prune().await;
    assert_eq!(
        (again.totals.delete, world.left(&home(), 4), world.left(&west(), 4)),
        (0, vec![0, 1], vec![0, 1])
    );
}

#[tokio::test]
async fn what_rds_does_not_delete_is_kept_with_what_it_said() {
    // GIVEN a copy that RDS ended as failed: no deletion is even tried
    let world = World::of_days(4);
    let mut failed = backup(&west(), 3);
    failed.status = SnapshotStatus::Failed;
    world.rds.lay_snapshot(failed);
    let plan = world.prune().await;
    assert_eq!(deletion(&plan, &west(), 3), None);
    assert_eq!(world.left(&west(), 4), [0, 1, 3]);
}

#[tokio::test]
async fn only_what_was_agreed_to_goes_and_what_stays_after_all_says_why() {
    // GIVEN a plan that somebody agreed to: the oldest two of each Region, and one more at home that is gone since
    let world = World::of_days(6);
    let id = |days| operation(days).snapshot_id();
    let mut agreed = json!({"us-east-1": [id(4), id(5), id(9)], "us-west-2": [id(4), id(5)]});
    // WHEN one of them is held meanwhile, and the numbers would let more go
    let mut held = backup(&home(), 5);
    held.tags.insert(tags::HOLD.into(), "case 4711".into());
    world.rds.lay_snapshot(held);
    let plan = world.run(json!({"action": "delete", "agreed": agreed})).await.unwrap().plan;
    // THEN nothing else goes
    assert_eq!((world.left(&home(), 6), world.left(&west(), 6)), (vec![0, 1, 2, 3, 5], vec![0, 1, 2, 3]));
    let of = |days| {
        let deletion = deletion(&plan, &home(), days).unwrap();
        (deletion.result, deletion.why.as_str())
    };
    assert_eq!(of(5), (DeletionResult::Kept, "on hold (tag holdfast:hold): case 4711"));
    assert_eq!((of(9).0, of(4).0), (DeletionResult::Gone, DeletionResult::Deleted));
    assert_eq!(plan.deletions.len(), 5, "{:#?}", plan.deletions);
    // AND where nothing is to go any more, that is said as well
    agreed = json!({"us-east-1": [id(0)]});
    let plan = world.run(json!({"action": "delete", "agreed": agreed})).await.unwrap().plan;
    assert_eq!(results(&plan), [DeletionResult::Kept]);
    assert!(plan.deletions[0].why.starts_with("the newest validated backup"), "{plan:#?}");
    // AND what could not be looked at is not taken to be gone
    world.rds.troubles.always_for(
        Call::ManualSnapshots,
        home().as_str(),
        Trouble::refused(ErrorKind::AccessDenied),
    );
    let agreed = json!({"us-east-1": [id(3)]});
    let plan = world.run(json!({"action": "delete", "agreed": agreed})).await.unwrap().plan;
    assert_eq!(results(&plan), [DeletionResult::NotDone]);
}

#[tokio::test]
async fn a_run_deletes_two_hundred_and_the_next_one_goes_on() {
    let mut world = World::of_days(252);
    world.settings.regions = vec![home()];
    let plan = world.prune().await;
    let of = |result| results(&plan).iter().filter(|one| **one == result).count();
    assert_eq!((of(DeletionResult::Deleted), of(DeletionResult::Kept)), (200, 50));
    assert!(deletion(&plan, &home(), 2).unwrap().why.contains("the next one goes on"));
    assert_eq!(world.left(&home(), 252).len(), 52);
    world.prune().await;
    assert_eq!(world.left(&home(), 252), [0, 1]);
}

#[tokio::test]
async fn a_run_whose_time_is_nearly_up_deletes_nothing_more_and_leaves_its_account() {
    let mut world = World::of_days(4);
    world.ends = Some(Instant::now() + Duration::from_secs(60));
    let plan = world.prune().await;
    assert_eq!(results(&plan), [DeletionResult::Kept; 4]);
    assert!(plan.deletions[0].why.contains("the time of this run is used up"), "{plan:#?}");
    assert_eq!(world.left(&home(), 4).len(), 4);
    let document = world.documents.now(&plan.document_key).unwrap();
    assert_eq!(document["deletions"].as_array().unwrap().len(), 4);
    world.ends = Some(Instant::now() + Duration::from_secs(600));
    world.prune().await;
    assert_eq!(world.left(&home(), 4), [0, 1]);
}

#[tokio::test]
async fn nothing_is_deleted_that_cannot_be_written_down() {
    // GIVEN a plan that cannot be written, THEN nothing goes
    let refused = || Trouble::refused(ErrorKind::AccessDenied);
    let mut world = World::of_days(60);
    world.settings.regions = vec![home()];
    world.documents.troubles.once(Call::PutDocument, refused());
    let error = world.run(json!({"action": "delete"})).await.unwrap_err();
    assert_eq!((error.kind, world.left(&home(), 60).len()), (ErrorKind::AccessDenied, 60));
    // GIVEN an account that is lost on the way, THEN no more goes than was to be written down then
    let documents = FailsFrom { documents: &world.documents, from: 2, puts: AtomicUsize::new(0) };
    let ports = Ports {
        rds: &world.rds,
        store: &world.store,
        documents: &documents,
        settings: &world.settings,
        now: at(0),
        ends: None,
    };
    let input = serde_json::from_value(json!({"action": "delete"})).unwrap();
    assert_eq!(handle(&ports, input).await.unwrap_err().kind, ErrorKind::AccessDenied);
    assert_eq!(world.left(&home(), 60).len(), 60 - 25);
    // AND where the end of a run is lost, what was written on the way is there
    let documents = FailsFrom { documents: &world.documents, from: 3, puts: AtomicUsize::new(0) };
    let ports = Ports { documents: &documents, ..ports };
    let input = serde_json::from_value(json!({"action": "delete"})).unwrap();
    handle(&ports, input).await.unwrap_err();
    let keys = world.documents.keys_now("retention/");
    let document = world.documents.now(keys.last().unwrap()).unwrap();
    assert_eq!(document["deletions"].as_array().unwrap().len(), 25);
}

/// A bucket that takes no document any more from the n-th on.
struct FailsFrom<'a> {
    documents: &'a FakeDocuments,
    from: usize,
    puts: AtomicUsize,
}

#[async_trait]
impl Documents for FailsFrom<'_> {
    async fn create<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<Creation<()>> {
        self.documents.create(key, document).await
    }

    async fn put<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<()> {
        if self.puts.fetch_add(1, Ordering::SeqCst) + 1 >= self.from {
            return Err(Error::new(ErrorKind::AccessDenied, "no"));
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
