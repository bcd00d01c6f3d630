//! The plan carried out.

use holdfast_core::ErrorKind;
use holdfast_core::rds::SnapshotStatus;
use holdfast_core::retention::{Action, DeletionResult, Plan};
use holdfast_core::tags;
use holdfast_fakes::sample::{home, snapshot};
use holdfast_fakes::{Call, Trouble};
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
