//! After every ending: nothing temporary is left, and what stays is named.

use holdfast_core::{ErrorKind, tags};
use holdfast_fakes::sample::{home, instance, operation, snapshot, tags_of};
use holdfast_fakes::{Call, Trouble};
use serde_json::json;

use crate::support::World;

/// A world in the middle of a restore.
async fn restoring() -> World {
    let world = World::whole();
    world.ask(1, &json!({})).await.unwrap();
    assert!(world.temporary().is_some());
    world
}

#[tokio::test]
async fn the_instance_is_gone_and_nothing_else() {
    // GIVEN a restore that was given up in the middle
    let world = restoring().await;
    // WHEN it is cleaned up, THEN the answer is to wait while the instance goes
    assert_eq!(world.cleanup(false, 1).await.unwrap()["status"], "WAITING");
    assert_eq!(world.temporary().unwrap().status, "deleting");
    // AND in the end it is gone, nothing is left to name, and source and snapshot are there
    assert_eq!(world.cleaned_up(false).await, [""; 0]);
    assert_eq!(world.rds.instances_in(&home()), ["prod-db"]);
    assert_eq!(world.rds.snapshots_in(&home()), [operation().snapshot_id()]);
    // AND once more changes nothing
    assert_eq!(world.cleaned_up(false).await, [""; 0]);
    assert_eq!(world.rds.instances_in(&home()), ["prod-db"]);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_found_done() {
    // GIVEN a deletion that took effect and whose answer never came
    let world = restoring().await;
    world.rds.troubles.once(Call::DeleteInstance, Trouble::AnswerLost);
    assert_eq!(world.cleanup(false, 1).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    // WHEN it is asked again, THEN it ends well
    assert_eq!(world.cleaned_up(false).await, [""; 0]);
    assert_eq!(world.temporary(), None);
}

#[tokio::test]
async fn anothers_instance_of_that_name_is_left_alone() {
    for tags in [tags::Tags::new(), tags_of("other-db-r1-0123456789")] {
        // GIVEN an instance of the derived name that is not this operation's
        let world = World::whole();
        let mut theirs = instance(&operation().validation_instance_id());
        theirs.tags = tags;
        world.rds.lay_instance(&home(), theirs.clone());
        // WHEN the clean-up comes, THEN it says so and leaves it alone
        assert_eq!(world.cleanup(false, 1).await.unwrap_err().kind, ErrorKind::NameTaken);
        assert_eq!(world.temporary(), Some(theirs));
    }
}

#[tokio::test]
async fn a_deletion_that_does_not_end_is_named() {
    // GIVEN an instance that stays in deleting
    let world = restoring().await;
    world.rds.set(|rds| rds.deletions_end = false);
    // WHEN it is cleaned up to the bound, THEN the record is told what is still there
    let leftovers = world.cleaned_up(false).await;
    assert_eq!(
        leftovers,
        [format!("instance {} in us-east-1 is deleting", operation().validation_instance_id())]
    );
}

#[tokio::test]
async fn after_a_failure_the_snapshot_is_something_that_stays() {
    // GIVEN a backup that was refused
    let world = World::whole();
    let verdict = [(tags::VERDICT.to_owned(), "INVALID".to_owned())].into();
    let kept = world.rds.snapshot_now(&home(), &operation().snapshot_id()).unwrap();
    holdfast_core::ports::Rds::tag_snapshot(&*world.rds, &kept, &verdict).await.unwrap();
    // WHEN the failed operation is cleaned up, THEN the snapshot is named with its verdict, and kept
    let line = format!("snapshot {} in us-east-1 (kept, verdict INVALID)", operation().snapshot_id());
    assert_eq!(world.cleaned_up(true).await, [line]);
    assert_eq!(world.rds.snapshots_in(&home()), [operation().snapshot_id()]);
    // AND when it did not fail, a snapshot is what was wanted
    assert_eq!(world.cleaned_up(false).await, [""; 0]);
}

#[tokio::test]
async fn anothers_snapshot_of_that_name_is_not_ours_to_name() {
    // GIVEN somebody else's snapshot of the derived name
    let world = World::whole();
    world.rds.lay_snapshot(snapshot(&home(), &operation().snapshot_id(), tags_of("other")));
    // WHEN the failed operation is cleaned up, THEN it is not among what it left
    assert_eq!(world.cleaned_up(true).await, [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_unknown_and_not_nothing() {
    // GIVEN a snapshot that cannot be looked at
    let world = World::whole();
    world.rds.troubles.always(Call::Snapshot, Trouble::refused(ErrorKind::AccessDenied));
    // WHEN the failed operation is cleaned up, THEN what it left is said to be unknown
    let leftovers = world.cleaned_up(true).await;
    assert!(leftovers.len() == 1 && leftovers[0].starts_with("unknown: snapshot "), "{leftovers:?}");
}
