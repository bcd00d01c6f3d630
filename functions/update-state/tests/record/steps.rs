//! One step: taken once, by its owner, from where the owner saw the operation last.

use holdfast_core::ErrorKind;
use holdfast_core::operation::{Command, Phase, transition};
use holdfast_fakes::sample::{at, snapshot_result};
use holdfast_fakes::{Call, Trouble};
use serde_json::json;

use crate::support::{FIRST, World, kind, way};

#[tokio::test]
async fn each_step_keeps_what_its_phase_found_out() {
    // GIVEN an operation that has begun, WHEN each phase ends
    let world = World::at(Phase::CleaningUp).await;
    // THEN the record has every part, and a line of history for each phase, in order
    let record = world.record();
    assert!(record.results.health.is_some() && record.results.validation.is_some());
    assert_eq!(record.results.snapshot, Some(snapshot_result()));
    assert_eq!(record.results.replicas.as_ref().unwrap().len(), 2);
    let names: Vec<&str> = record.checkpoints.iter().map(|checkpoint| checkpoint.name.as_str()).collect();
    assert_eq!(names, ["HEALTH_CHECKING", "SNAPSHOTTING", "VALIDATING", "REPLICATING", "CLEANING_UP"]);
    assert!(record.checkpoints.windows(2).all(|pair| pair[0].time <= pair[1].time));
    // AND the summary beside it is the record's
    let id = holdfast_fakes::sample::operation();
    assert_eq!(world.store.summary(&id), Some(record.summary("metadata")));
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_is_taken_once() {
    for (version, (to, results)) in (1_u64..).zip(way()) {
        // GIVEN a step that took effect and whose answer was lost
        let world = World::begun().await;
        for (earlier, (to, results)) in (1_u64..version).zip(way()) {
            world.advance(FIRST, earlier, to, results).await.unwrap();
        }
        world.store.troubles.once(Call::ReplaceRecord, Trouble::AnswerLost);
        assert_eq!(kind(world.advance(FIRST, version, to, results.clone()).await), ErrorKind::OutcomeUnknown);
        let before = world.record();
        // WHEN it is asked for again, twice
        for _ in 0..2 {
            let output = world.advance(FIRST, version, to, results.clone()).await.unwrap();
            // THEN the answer is the one that was lost, and the record stays
            assert_eq!((output.version, output.phase), (before.version, before.phase));
        }
        assert_eq!(world.record(), before);
    }
}

#[tokio::test]
async fn a_write_that_meets_its_own_effect_is_a_success() {
    // GIVEN a write that the SDK sent twice: the first took effect between our look and our write
    let world = World::begun().await;
    world.store.meanwhile(|there| {
        let command = Command::Advance { to: Phase::Snapshotting, results: Box::default() };
        *there = transition(there, command, at(10)).unwrap();
    });
    // WHEN the step is asked for, THEN it is done, once
    let output = world.advance(FIRST, 1, "SNAPSHOTTING", json!({})).await.unwrap();
    assert_eq!((output.version, world.record().version), (2, 2));
}

#[tokio::test]
async fn a_write_that_meets_anothers_loses() {
    // GIVEN a takeover between our look and our write
    let world = World::begun().await;
    world.store.meanwhile(|there| {
        *there = transition(there, Command::TakeOver { owner: "third".into() }, at(10)).unwrap();
    });
    // WHEN the step is asked for, THEN its execution is told to stop
    assert_eq!(kind(world.advance(FIRST, 1, "SNAPSHOTTING", json!({})).await), ErrorKind::StaleOwner);
    assert_eq!(world.record().phase, Phase::HealthChecking);
    // GIVEN another step of the same execution in between (two attempts at once, one of them old)
    let world = World::begun().await;
    world.store.meanwhile(|there| {
        let command = Command::Advance { to: Phase::CleaningUp, results: Box::default() };
        *there = transition(there, command, at(10)).unwrap();
    });
    // WHEN the step is asked for, THEN it is refused and the other one's stays
    assert_eq!(kind(world.advance(FIRST, 1, "SNAPSHOTTING", json!({})).await), ErrorKind::IllegalTransition);
    assert_eq!(world.record().phase, Phase::CleaningUp);
}

#[tokio::test]
async fn an_old_version_and_a_skipped_phase_are_refused() {
    // GIVEN an operation that is VALIDATING at version 3
    let world = World::at(Phase::Validating).await;
    let before = world.record();
    assert_eq!(before.version, 3);
    // WHEN an old attempt asks for its step again, THEN it is refused
    assert_eq!(kind(world.advance(FIRST, 1, "SNAPSHOTTING", json!({})).await), ErrorKind::IllegalTransition);
    // WHEN a step back, a step too far, or an end is asked for, THEN it is refused
    for to in ["SNAPSHOTTING", "VALIDATING", "SUCCEEDED", "HEALTH_CHECKING"] {
        assert_eq!(kind(world.advance(FIRST, 3, to, json!({})).await), ErrorKind::IllegalTransition, "{to}");
    }
    assert_eq!(kind(world.finish(FIRST, 3, json!({})).await), ErrorKind::IllegalTransition);
    // AND nothing of it was written
    assert_eq!(world.record(), before);
}

#[tokio::test]
async fn without_a_record_there_is_nothing_to_move() {
    // GIVEN no record, THEN a step is refused and makes none
    let world = World::default();
    assert_eq!(kind(world.advance(FIRST, 1, "SNAPSHOTTING", json!({})).await), ErrorKind::UnreadableRecord);
    assert_eq!(world.store.count(), 0);
}

#[tokio::test]
async fn the_cause_of_a_failure_is_a_sentence_and_not_json() {
    // GIVEN a failure as Lambda tells it: JSON in a string, for the operation and for one Region
    let lambda =
        json!({"errorType": "Holdfast.SnapshotFailed", "errorMessage": "RDS ended it as failed"}).to_string();
    let world = World::begun().await;
    let results = json!({
        "failure": {"name": "Holdfast.SnapshotFailed", "cause": lambda},
        "replicas": [
            {"region": "us-west-2", "status": "FAILED", "error": {"name": "Holdfast.CopyFailed", "cause": lambda}},
            {"region": "eu-west-1", "status": "FAILED", "error": {"name": "States.Timeout", "cause": "took 60 s"}},
        ],
    });
    // WHEN it is recorded
    world.advance(FIRST, 1, "CLEANING_UP", results).await.unwrap();
    // THEN the record has the sentence; what was one already stays as it is
    let results = world.record().results;
    assert_eq!(results.failure.unwrap().cause, "RDS ended it as failed");
    let causes: Vec<String> = results.replicas.unwrap().into_iter().map(|r| r.error.unwrap().cause).collect();
    assert_eq!(causes, ["RDS ended it as failed", "took 60 s"]);
    assert!(world.record().checkpoints.last().unwrap().detail.ends_with(": RDS ended it as failed"));
}
