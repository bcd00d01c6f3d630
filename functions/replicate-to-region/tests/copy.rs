//! `replicate-to-region` against an RDS in memory: which copy lies in the target Region afterwards.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use holdfast_core::answer::Answer;
use holdfast_core::ids::Region;
use holdfast_core::operation::ReplicaStatus;
use holdfast_core::rds::SnapshotStatus;
use holdfast_core::request::TargetRegion;
use holdfast_core::tags::{self, Tags};
use holdfast_core::validation::Verdict;
use holdfast_core::{ErrorKind, Result, regions};
use holdfast_fakes::rds::Fate;
use holdfast_fakes::sample::{home, operation, region, request, snapshot, snapshot_result, tags_of};
use holdfast_fakes::{Call, FakeDocuments, FakeRds, FakeRegionStack, Trouble};
use replicate_to_region::{Input, MAX_COPIES_IN_FLIGHT, Output, Ports, handle};
use serde_json::json;

fn west() -> Region {
    region("us-west-2")
}

/// An RDS with the snapshot to copy.
fn rds() -> FakeRds {
    let rds = FakeRds::default();
    rds.lay_snapshot(snapshot(&home(), &operation().snapshot_id(), tags_of(operation().as_str())));
    rds
}

fn input(verdict: Verdict, poll: u32) -> Input {
    Input {
        operation_id: operation(),
        request: request(json!({})),
        snapshot: snapshot_result(),
        verdict,
        target: TargetRegion { region: west(), kms_key_id: "alias/other".into() },
        poll,
        elapsed_seconds: 12.5 * f64::from(poll),
        carry: None,
    }
}

async fn ask(rds: &FakeRds, verdict: Verdict, poll: u32) -> Result<Answer<Output>> {
    let documents = FakeDocuments::default();
    documents.lay(&operation().manifest_key(), json!({"a": "manifest"}));
    let ports = Ports { rds, documents: &documents, regions: &FakeRegionStack::default() };
    handle(&ports, input(verdict, poll)).await
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
async fn one_copy_however_often_it_is_asked_for() {
    // GIVEN a proven snapshot, WHEN its copy is asked for until it is final, and then again
    let rds = rds();
    assert!(waits(&ask(&rds, Verdict::Valid, 1).await));
    assert!(waits(&ask(&rds, Verdict::Valid, 2).await));
    let done = output(ask(&rds, Verdict::Valid, 3).await);
    assert!(matches!(ask(&rds, Verdict::Valid, 4).await, Ok(Answer::Final { .. })));
    // THEN there is one copy, of the derived name, with the target's key
    assert_eq!(rds.snapshots_in(&west()), [operation().snapshot_id()]);
    let copy = rds.snapshot_now(&west(), &operation().snapshot_id()).unwrap();
    assert_eq!((copy.source_region.clone(), copy.encrypted), (Some(home()), true));
    assert_eq!(copy.kms_key_id.as_deref(), Some("alias/other"));
    // AND the record is told which, and how long it took by the state machine's clock
    let replica = done.replica;
    assert_eq!((replica.region, replica.status), (west(), ReplicaStatus::Available));
    assert_eq!((replica.snapshot_arn, replica.kms_key_id), (Some(copy.arn), copy.kms_key_id));
    assert_eq!(replica.seconds, Some(37.5));
    assert_eq!(replica.error, None);
}

#[tokio::test]
async fn where_a_copy_goes_is_on_record_before_there_is_one() {
    // GIVEN a bucket that refuses, WHEN a copy is asked for
    let (rds, documents) = (rds(), FakeDocuments::default());
    documents.troubles.once(Call::PutDocument, Trouble::refused(ErrorKind::AccessDenied));
    let input = || input(Verdict::Valid, 1);
    let ports = Ports { rds: &rds, documents: &documents, regions: &FakeRegionStack::default() };
    assert_eq!(handle(&ports, input()).await.unwrap_err().kind, ErrorKind::AccessDenied);
    // THEN there is no copy that nobody would look for
    assert!(rds.snapshots_in(&west()).is_empty());
    // AND once it takes the note, there are both
    handle(&ports, input()).await.unwrap();
    assert_eq!(regions::noted(&documents).await.unwrap(), [west()]);
    assert_eq!(rds.snapshots_in(&west()), [operation().snapshot_id()]);
}

#[tokio::test]
async fn it_carries_explicit_tags_and_the_verdict() {
    for (verdict, word) in [(Verdict::Valid, "VALID"), (Verdict::NotRun, tags::UNPROVEN)] {
        // GIVEN a snapshot with that verdict, WHEN it is copied
        let rds = rds();
        ask(&rds, verdict, 1).await.unwrap();
        // THEN the copy says whose it is and what is known of it
        let expected = Tags::from(
            [
                (tags::OPERATION, operation().as_str()),
                (tags::DATABASE, "prod-db"),
                (tags::TIER, "daily"),
                (tags::VERDICT, word),
                ("Environment", "production"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        assert_eq!(rds.snapshot_now(&west(), &operation().snapshot_id()).unwrap().tags, expected);
    }
}

#[tokio::test]
async fn a_refused_backup_is_never_copied() {
    for verdict in [Verdict::Invalid, Verdict::Inconclusive] {
        // GIVEN a snapshot that was not proven, WHEN its copy is asked for
        let rds = rds();
        let error = ask(&rds, verdict, 1).await.unwrap_err();
        // THEN there is none
        assert_eq!(error.kind, ErrorKind::ValidationFailed);
        assert!(rds.snapshots_in(&west()).is_empty());
    }
}

#[tokio::test]
async fn the_limit_of_copies_in_flight_waits_and_starts_nothing() {
    // GIVEN as many copies of others on their way to the Region as are allowed, and an RDS that would take one more
    let rds = rds();
    rds.set(|rds| {
        rds.snapshot_fate = Fate::Stuck;
        rds.copies_in_flight_allowed = MAX_COPIES_IN_FLIGHT + 1;
    });
    let other = |n: usize| {
        let mut copy = snapshot(&west(), &format!("other-{n}"), Tags::new());
        copy.status = SnapshotStatus::Creating;
        copy.source_region = Some(home());
        copy
    };
    (0..MAX_COPIES_IN_FLIGHT).for_each(|n| rds.lay_snapshot(other(n)));
    // WHEN ours is asked for, THEN it waits and starts nothing
    assert!(waits(&ask(&rds, Verdict::Valid, 1).await));
    assert_eq!(rds.snapshot_now(&west(), &operation().snapshot_id()), None);
    // AND when one of the others is there, ours starts
    rds.lay_snapshot(snapshot(&west(), "other-0", Tags::new()));
    assert!(waits(&ask(&rds, Verdict::Valid, 2).await));
    assert!(rds.snapshot_now(&west(), &operation().snapshot_id()).is_some());
}

#[tokio::test]
async fn a_limit_that_only_rds_knows_waits_too() {
    // GIVEN an RDS that allows no copy now, whatever can be counted
    let rds = rds();
    rds.set(|rds| rds.copies_in_flight_allowed = 0);
    // WHEN the copy is asked for, THEN it waits and nothing is there
    assert!(waits(&ask(&rds, Verdict::Valid, 1).await));
    assert!(rds.snapshots_in(&west()).is_empty());
}

#[tokio::test]
async fn a_crash_right_after_the_call_is_mended_by_adopting_what_it_made() {
    // GIVEN a call that took effect and whose answer never came, in an RDS that shows things late
    let rds = rds();
    rds.set(|rds| rds.unseen = 2);
    rds.troubles.once(Call::CopySnapshot, Trouble::AnswerLost);
    assert_eq!(ask(&rds, Verdict::Valid, 1).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    // WHEN it is asked again while nothing can be seen, THEN it waits
    assert!(waits(&ask(&rds, Verdict::Valid, 1).await));
    // AND adopts the copy of the first attempt when it shows
    assert!(waits(&ask(&rds, Verdict::Valid, 2).await));
    output(ask(&rds, Verdict::Valid, 3).await);
    assert_eq!(rds.snapshots_in(&west()), [operation().snapshot_id()]);
}

#[tokio::test]
async fn anothers_snapshot_of_that_name_is_left_alone() {
    // GIVEN a snapshot of the derived name in the target Region that somebody else made
    let rds = rds();
    let theirs = snapshot(&west(), &operation().snapshot_id(), tags_of("other-db-r1-0123456789"));
    rds.lay_snapshot(theirs.clone());
    // WHEN the copy is asked for, THEN it is refused and theirs is as it was
    assert_eq!(ask(&rds, Verdict::Valid, 1).await.unwrap_err().kind, ErrorKind::NameTaken);
    assert_eq!(rds.snapshot_now(&west(), &theirs.id), Some(theirs));
}

#[tokio::test]
async fn an_unencrypted_copy_is_refused() {
    // GIVEN an RDS whose copies come out unencrypted
    let rds = rds();
    rds.set(|rds| rds.copies_encrypted = false);
    // WHEN the copy is complete, THEN it does not count as one
    assert!(waits(&ask(&rds, Verdict::Valid, 1).await));
    assert!(waits(&ask(&rds, Verdict::Valid, 2).await));
    assert_eq!(ask(&rds, Verdict::Valid, 3).await.unwrap_err().kind, ErrorKind::CopyFailed);
}

#[tokio::test]
async fn how_a_copy_can_end_badly_is_named() {
    // GIVEN a copy that RDS ends as failed, THEN it is named
    let fails = rds();
    fails.set(|rds| rds.snapshot_fate = Fate::Fails);
    assert!(waits(&ask(&fails, Verdict::Valid, 1).await));
    assert!(waits(&ask(&fails, Verdict::Valid, 2).await));
    assert_eq!(ask(&fails, Verdict::Valid, 3).await.unwrap_err().kind, ErrorKind::CopyFailed);
    // GIVEN a source snapshot that is gone, THEN that is named and nothing is started
    let gone = rds();
    gone.lose_snapshot(&home(), &operation().snapshot_id());
    assert_eq!(ask(&gone, Verdict::Valid, 1).await.unwrap_err().kind, ErrorKind::SnapshotGone);
    assert!(gone.snapshots_in(&west()).is_empty());
    // GIVEN a target Region without room, THEN the quota is named
    let full = rds();
    full.allow_snapshots(&west(), 0);
    assert_eq!(ask(&full, Verdict::Valid, 1).await.unwrap_err().kind, ErrorKind::SnapshotQuotaExceeded);
}

#[tokio::test]
async fn nothing_for_hours_is_legal() {
    // GIVEN a copy that stays at 0 %
    let rds = rds();
    rds.set(|rds| rds.snapshot_fate = Fate::Stuck);
    // WHEN it is asked for a hundred times, THEN every answer is to wait: only the deadline ends it
    for poll in 1..=100 {
        assert!(waits(&ask(&rds, Verdict::Valid, poll).await));
    }
    assert_eq!(rds.snapshots_in(&west()), [operation().snapshot_id()]);
}
