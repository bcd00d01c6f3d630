//! `create-snapshot` against an RDS in memory: what exists afterwards, however often it was asked.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use create_snapshot::{Input, Output, handle};
use holdfast_core::answer::Answer;
use holdfast_core::rds::SnapshotStatus;
use holdfast_core::tags::{self, Tags};
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::rds::Fate;
use holdfast_fakes::sample::{home, instance, operation, request, snapshot, tags_of};
use holdfast_fakes::{Call, FakeRds, Trouble};
use serde_json::json;

/// An RDS with the database to back up.
fn rds() -> FakeRds {
    let rds = FakeRds::default();
    rds.lay_instance(&home(), instance("prod-db"));
    rds
}

async fn ask(rds: &FakeRds, poll: u32) -> Result<Answer<Output>> {
    let input = Input { operation_id: operation(), request: request(json!({"tier": "weekly"})), poll };
    handle(rds, &home(), input).await
}

fn waits(answer: &Result<Answer<Output>>) -> bool {
    matches!(answer, Ok(Answer::Waiting { .. }))
}

fn output(answer: Result<Answer<Output>>) -> Output {
    match answer.unwrap() {
        Answer::Final { result, .. } => result,
        waiting @ Answer::Waiting { .. } => panic!("{waiting:?}"),
    }
}

#[tokio::test]
async fn one_snapshot_however_often_it_is_asked_for() {
    // GIVEN a database without a snapshot of this operation
    let rds = rds();
    // WHEN the function is asked until it is final, and then again
    assert!(waits(&ask(&rds, 1).await));
    let halfway = ask(&rds, 2).await.unwrap();
    let Answer::Waiting { progress, .. } = &halfway else { panic!("{halfway:?}") };
    assert_eq!(progress.percent, Some(50));
    let first = output(ask(&rds, 3).await);
    let again = output(ask(&rds, 4).await);
    // THEN there is one snapshot, and every final answer tells the same of it
    assert_eq!(rds.snapshots_in(&home()), [operation().snapshot_id()]);
    assert_eq!(first, again);
    assert_eq!(first.snapshot.id, operation().snapshot_id());
    assert_eq!(first.snapshot.region, home());
    assert!(first.snapshot.encrypted && first.snapshot.created_at.is_some());
}

#[tokio::test]
async fn it_carries_the_operation_and_the_tags_of_the_input() {
    // GIVEN a database, WHEN its snapshot is asked for
    let rds = rds();
    ask(&rds, 1).await.unwrap();
    // THEN it says whose it is, what of, that nothing is proven, and what the input wanted
    let expected = Tags::from(
        [
            (tags::OPERATION, operation().as_str()),
            (tags::DATABASE, "prod-db"),
            (tags::TIER, "weekly"),
            (tags::VERDICT, tags::UNPROVEN),
            ("Environment", "production"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    assert_eq!(rds.snapshot_now(&home(), &operation().snapshot_id()).unwrap().tags, expected);
}

#[tokio::test]
async fn a_crash_right_after_the_call_is_mended_by_adopting_what_it_made() {
    // GIVEN a call that took effect and whose answer never came
    let rds = rds();
    rds.troubles.once(Call::CreateSnapshot, Trouble::AnswerLost);
    assert_eq!(ask(&rds, 1).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    // WHEN it is asked again
    assert!(waits(&ask(&rds, 1).await));
    let adopted = output(ask(&rds, 2).await);
    // THEN the snapshot of the first attempt is the one
    assert_eq!(rds.snapshots_in(&home()), [operation().snapshot_id()]);
    assert_eq!(adopted.snapshot.id, operation().snapshot_id());
}

#[tokio::test]
async fn what_cannot_be_seen_yet_is_waited_for_and_not_made_twice() {
    // GIVEN an RDS that shows what was made only two looks later, and an answer that was lost
    let rds = rds();
    rds.set(|rds| rds.unseen = 2);
    rds.troubles.once(Call::CreateSnapshot, Trouble::AnswerLost);
    ask(&rds, 1).await.unwrap_err();
    // WHEN it is asked again and neither look shows it: the name is taken by what cannot be seen
    let answer = ask(&rds, 1).await;
    // THEN it waits, and adopts it when it shows
    assert!(waits(&answer), "{answer:?}");
    assert!(waits(&ask(&rds, 2).await));
    output(ask(&rds, 3).await);
}

#[tokio::test]
async fn anothers_snapshot_of_that_name_is_left_alone() {
    for theirs in [Tags::new(), tags_of("other-db-r1-0123456789")] {
        // GIVEN a snapshot of the derived name that somebody else made, shown at once, or only after it is in the way
        for unseen in [0, 1] {
            let rds = rds();
            rds.set(|rds| rds.unseen = unseen);
            let other = snapshot(&home(), &operation().snapshot_id(), theirs.clone());
            rds.lay_snapshot(other.clone());
            // WHEN ours is asked for
            let error = ask(&rds, 1).await.unwrap_err();
            // THEN it is refused, and theirs is as it was
            assert_eq!(error.kind, ErrorKind::NameTaken);
            assert_eq!(rds.snapshot_now(&home(), &other.id), Some(other));
        }
    }
}

#[tokio::test]
async fn a_failed_snapshot_is_an_error_and_stays_for_inspection() {
    // GIVEN an RDS that ends the snapshot as failed
    let rds = rds();
    rds.set(|rds| rds.snapshot_fate = Fate::Fails);
    // WHEN it is followed to its end
    assert!(waits(&ask(&rds, 1).await));
    assert!(waits(&ask(&rds, 2).await));
    let error = ask(&rds, 3).await.unwrap_err();
    // THEN the error says so, asking again changes nothing, and the snapshot is still there
    assert_eq!(error.kind, ErrorKind::SnapshotFailed);
    assert_eq!(ask(&rds, 4).await.unwrap_err().kind, ErrorKind::SnapshotFailed);
    let left = rds.snapshot_now(&home(), &operation().snapshot_id()).unwrap();
    assert_eq!(left.status, SnapshotStatus::Failed);
}

#[tokio::test]
async fn a_busy_source_is_waited_for() {
    // GIVEN a source that is being modified
    let rds = rds();
    let mut source = instance("prod-db");
    source.status = "modifying".into();
    rds.lay_instance(&home(), source);
    // WHEN the snapshot is asked for, THEN nothing is made and the answer is to wait
    assert!(waits(&ask(&rds, 1).await));
    assert!(rds.snapshots_in(&home()).is_empty());
    // AND once it is available, the snapshot is made
    rds.lay_instance(&home(), instance("prod-db"));
    assert!(waits(&ask(&rds, 2).await));
    assert_eq!(rds.snapshots_in(&home()), [operation().snapshot_id()]);
}

#[tokio::test]
async fn what_makes_it_impossible_is_named() {
    // GIVEN no database, THEN the source is not found
    let without = FakeRds::default();
    assert_eq!(ask(&without, 1).await.unwrap_err().kind, ErrorKind::SourceNotFound);
    // GIVEN no room for another manual snapshot, THEN the quota is named
    let full = rds();
    full.allow_snapshots(&home(), 0);
    assert_eq!(ask(&full, 1).await.unwrap_err().kind, ErrorKind::SnapshotQuotaExceeded);
    // GIVEN a throttled look, THEN the trouble passes on by its name and nothing is made
    let throttled = rds();
    throttled.troubles.once(Call::Snapshot, Trouble::refused(ErrorKind::Throttled));
    assert_eq!(ask(&throttled, 1).await.unwrap_err().kind, ErrorKind::Throttled);
    assert!(throttled.snapshots_in(&home()).is_empty());
}

#[tokio::test]
async fn the_wait_grows_with_the_polls() {
    // GIVEN a snapshot that gets nowhere
    let rds = rds();
    rds.set(|rds| rds.snapshot_fate = Fate::Stuck);
    // WHEN it is asked for early and late
    let mut waits = Vec::new();
    for poll in [1, 20, 200] {
        let Ok(Answer::Waiting { wait_seconds, .. }) = ask(&rds, poll).await else { panic!("not waiting") };
        waits.push(wait_seconds);
    }
    // THEN later answers ask for longer waits: the history of the execution is bounded
    assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
}
