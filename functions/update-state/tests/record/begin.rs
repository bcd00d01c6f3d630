//! Who goes on with an operation: the first, the same again, a second, a successor, nobody.

use holdfast_core::ErrorKind;
use holdfast_core::operation::{Command, Phase, Request, transition};
use holdfast_fakes::sample::{at, input, operation};
use holdfast_fakes::{Call, Trouble};
use serde_json::json;
use update_state::Disposition;

use crate::support::{FIRST, SECOND, World, kind, validation};

#[tokio::test]
async fn a_new_operation_begins() {
    // GIVEN no record
    let world = World::default();
    // WHEN an execution begins
    let output = world.begin(FIRST).await.unwrap();
    // THEN it is the one that goes on, from the first phase, with every default of its request filled in
    assert_eq!((output.disposition, output.phase), (Disposition::Run, Phase::HealthChecking));
    assert_eq!(output.operation_id, operation());
    let Request::Backup(request) = &output.request else { panic!("{:?}", output.request) };
    assert!(request.validation.enabled && !request.validation.instance_classes.is_empty());
    assert_eq!((output.summary, output.reference_operation_id), (None, None));
    // AND the record says who drives it
    let record = world.record();
    assert_eq!((record.owner.as_str(), record.version), (FIRST, output.version));
    assert_eq!(record.checkpoints.len(), 1);
}

#[tokio::test]
async fn the_same_execution_again_finds_its_own_record() {
    // GIVEN a begin that took effect and whose answer was lost
    let world = World::default();
    world.store.troubles.once(Call::CreateRecord, Trouble::AnswerLost);
    assert_eq!(kind(world.begin(FIRST).await), ErrorKind::OutcomeUnknown);
    let before = world.record();
    // WHEN it begins again, twice
    for _ in 0..2 {
        let output = world.begin(FIRST).await.unwrap();
        // THEN it goes on with the same record, untouched
        assert_eq!((output.disposition, output.version), (Disposition::Run, before.version));
    }
    assert_eq!(world.record(), before);
    assert_eq!(world.store.count(), 1);
}

#[tokio::test]
async fn a_second_execution_joins_while_the_first_runs() {
    // GIVEN an operation whose execution is alive
    let world = World::begun().await;
    let before = world.record();
    // WHEN another one begins the same run
    let output = world.begin(SECOND).await.unwrap();
    // THEN it waits for the first, and changes nothing
    assert_eq!(output.disposition, Disposition::Join);
    assert!(output.wait_seconds > 0);
    assert_eq!(world.record(), before);
    assert_eq!(world.store.count(), 1);
}

#[tokio::test]
async fn when_the_owner_is_gone_another_goes_on_from_where_it_was() {
    // GIVEN an operation with a snapshot, whose execution is lost
    let world = World::at(Phase::Validating).await;
    world.executions.end(FIRST);
    let before = world.record();
    // WHEN another one begins the same run
    let output = world.begin(SECOND).await.unwrap();
    // THEN it goes on from that phase with what was found out
    assert_eq!((output.disposition, output.phase), (Disposition::Run, Phase::Validating));
    assert_eq!(output.results, before.results);
    let record = world.record();
    assert_eq!((record.owner.as_str(), record.version), (SECOND, before.version + 1));
    assert_eq!(record.checkpoints.last().unwrap().name, "TAKEN_OVER");
    // AND what the first one writes late is refused, whatever it writes
    let late =
        world.advance(FIRST, before.version, "REPLICATING", json!({"validation": validation("VALID")}));
    assert_eq!(kind(late.await), ErrorKind::StaleOwner);
    assert_eq!(kind(world.finish(FIRST, before.version, json!({})).await), ErrorKind::StaleOwner);
    assert_eq!(world.record(), record);
    // AND the new one's writes are taken
    world.advance(SECOND, output.version, "REPLICATING", json!({})).await.unwrap();
}

#[tokio::test]
async fn a_takeover_whose_answer_was_lost_is_found_again() {
    // GIVEN a takeover that took effect and whose answer was lost
    let world = World::begun().await;
    world.executions.end(FIRST);
    world.store.troubles.once(Call::ReplaceRecord, Trouble::AnswerLost);
    assert_eq!(kind(world.begin(SECOND).await), ErrorKind::OutcomeUnknown);
    let before = world.record();
    assert_eq!(before.owner, SECOND);
    // WHEN it begins again, THEN it goes on, and took over once
    assert_eq!(world.begin(SECOND).await.unwrap().disposition, Disposition::Run);
    assert_eq!(world.record(), before);
}

#[tokio::test]
async fn of_two_that_take_over_at_once_one_goes_on() {
    // GIVEN an operation whose execution is gone, and a third one that takes it over first
    let world = World::begun().await;
    world.executions.end(FIRST);
    world.store.meanwhile(|there| {
        *there = transition(there, Command::TakeOver { owner: "third".into() }, at(1)).unwrap();
    });
    // WHEN the second begins, THEN it joins the third
    assert_eq!(world.begin(SECOND).await.unwrap().disposition, Disposition::Join);
    assert_eq!(world.record().owner, "third");
    // GIVEN that the winner is this very execution, by a write of its own that was repeated
    let world = World::begun().await;
    world.executions.end(FIRST);
    world.store.meanwhile(|there| {
        *there = transition(there, Command::TakeOver { owner: SECOND.into() }, at(1)).unwrap();
    });
    // WHEN it begins, THEN it goes on
    assert_eq!(world.begin(SECOND).await.unwrap().disposition, Disposition::Run);
    assert_eq!(world.record().version, 2);
}

#[tokio::test]
async fn whether_the_owner_lives_is_never_guessed() {
    // GIVEN a Step Functions that does not answer
    let world = World::begun().await;
    world.executions.troubles.once(Call::IsRunning, Trouble::refused(ErrorKind::Throttled));
    // WHEN another execution begins, THEN it fails by that name and takes nothing over
    assert_eq!(kind(world.begin(SECOND).await), ErrorKind::Throttled);
    assert_eq!(world.record().owner, FIRST);
}

#[tokio::test]
async fn what_has_ended_answers_the_same_summary_and_mends_its_report() {
    // GIVEN an operation that has ended, and lost its report in a crash
    let world = World::at(Phase::CleaningUp).await;
    let ended = world.finish(FIRST, 5, json!({"leftovers": []})).await.unwrap();
    let (record, report) = (world.record(), world.report());
    world.documents.lose(&operation().report_key());
    for execution in [FIRST, SECOND] {
        // WHEN anybody begins it again
        let output = world.begin(execution).await.unwrap();
        // THEN there is nothing to do, the summary is the same, and the report is there again
        assert_eq!(output.disposition, Disposition::Ended);
        assert_eq!(output.summary, ended.summary);
        assert_eq!(world.report(), report);
        assert_eq!(world.record(), record);
    }
}

#[tokio::test]
async fn other_options_for_the_same_run_are_refused() {
    // GIVEN an operation that has begun
    let world = World::begun().await;
    let before = world.record();
    // WHEN the same run is asked for with another tier, THEN it is refused and the record stays
    let other = world.begin_with(FIRST, input(json!({"tier": "yearly"}))).await;
    assert_eq!(kind(other), ErrorKind::RequestMismatch);
    assert_eq!(world.record(), before);
    // WHEN it is asked for as another run, THEN that is another operation
    let input = input(json!({"tier": "yearly", "runId": "r2"}));
    assert_eq!(world.begin_with(SECOND, input).await.unwrap().disposition, Disposition::Run);
    assert_eq!(world.store.count(), 2);
}

#[tokio::test]
async fn bad_input_is_named_and_leaves_no_record() {
    // GIVEN an input with a key nobody knows, WHEN it begins
    let world = World::default();
    let error = world.begin_with(FIRST, input(json!({"retention": 7}))).await.unwrap_err();
    // THEN the key is named, and nothing was written
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("retention"), "{}", error.message);
    assert_eq!(world.store.count(), 0);
}

#[tokio::test]
async fn without_a_run_id_the_start_of_the_execution_is_the_run() {
    // GIVEN an input of nothing but the database
    let world = World::default();
    // WHEN it begins, THEN the execution's start is the run
    let output = world.begin_with(FIRST, json!({"databaseId": "prod-db"})).await.unwrap();
    assert_eq!(output.request.run_id().as_str(), "2026-11-20T06:00:01.5Z");
}

#[tokio::test]
async fn the_last_valid_backup_of_the_database_is_what_to_compare_with() {
    // GIVEN earlier runs of this database: a VALID one, a later one that was refused, and another database's
    let world = World::at(Phase::Snapshotting).await;
    let mut earlier = world.record();
    for (run, verdict, started) in [("r1", "VALID", 1), ("r2", "INVALID", 2)] {
        let run = json!({"runId": run});
        let output = world.begin_with(FIRST, input(run)).await.unwrap();
        earlier = world.store.now(&output.operation_id).unwrap();
        earlier.started_at = at(started - 1000);
        earlier.results.validation = Some(serde_json::from_value(validation(verdict)).unwrap());
        world.store.lay(&earlier);
    }
    let mut other = earlier.clone();
    let Request::Backup(request) = &mut other.request else { panic!("{:?}", other.request) };
    request.database_id = holdfast_core::ids::DatabaseId::parse("other-db").unwrap();
    other.id = holdfast_core::ids::OperationId::parse("other-db-r1-0123456789").unwrap();
    other.results.validation = Some(serde_json::from_value(validation("VALID")).unwrap());
    world.store.lay(&other);
    // WHEN the next one begins
    let output = world.begin_with(FIRST, input(json!({"runId": "r3"}))).await.unwrap();
    // THEN the VALID one is named
    let r1 = world.begin_with(FIRST, input(json!({"runId": "r1"}))).await.unwrap().operation_id;
    assert_eq!(output.reference_operation_id, Some(r1));
    // THEN an older one that is resumed now is not held against it
    let old = world.begin_with(FIRST, input(json!({"runId": "r0"}))).await.unwrap().operation_id;
    let mut old = world.store.now(&old).unwrap();
    old.started_at = at(-2000);
    world.store.lay(&old);
    let resumed = world.begin_with(FIRST, input(json!({"runId": "r0"}))).await.unwrap();
    assert_eq!(resumed.reference_operation_id, None);
}

#[tokio::test]
async fn a_restore_of_the_same_run_is_an_operation_of_its_own() {
    // GIVEN a backup of a run
    let world = World::begun().await;
    // WHEN a restore of the same run begins
    let input = json!({"databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z", "latestRestorable": true});
    let payload = json!({"action": "begin", "kind": "RESTORE", "input": input, "execution": SECOND,
                         "startedAt": "2026-11-20T06:00:01.5Z"});
    let output = world.call(payload.clone(), 0).await.unwrap();
    // THEN it has a record of its own, at the first phase of its kind
    assert_eq!((output.disposition, output.phase), (Disposition::Run, Phase::Planning));
    assert_ne!(output.operation_id, operation());
    assert_eq!(world.store.count(), 2);
    // AND no backup is ever held against it
    assert_eq!(output.reference_operation_id, None);
    // AND what a restore does not know is refused
    let mut unknown = payload;
    unknown["input"]["tier"] = json!("yearly");
    assert_eq!(kind(world.call(unknown, 0).await), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn an_execution_of_before_there_were_restores_goes_on() {
    // GIVEN an execution whose workflow does not say of what kind it is
    let world = World::begun().await;
    let payload = json!({"action": "begin", "input": input(json!({})), "execution": FIRST,
                         "startedAt": "2026-11-20T06:00:01.5Z"});
    // WHEN it asks again, THEN its operation is the backup that it was
    let output = world.call(payload, 0).await.unwrap();
    assert_eq!((output.disposition, output.operation_id), (Disposition::Run, operation()));
}

#[tokio::test]
async fn an_operation_is_gone_on_with_by_its_id_alone() {
    // GIVEN an operation whose execution is gone and not even known any more
    let world = World::at(Phase::Validating).await;
    world.executions.end(FIRST);
    // WHEN another execution is told its id and nothing else
    let resume = json!({"resume": operation()});
    let output = world.begin_with(SECOND, resume.clone()).await.unwrap();
    // THEN it goes on from there, with the request as it was
    assert_eq!(
        (output.disposition, output.phase, output.cancelled),
        (Disposition::Run, Phase::Validating, false)
    );
    let first = world.record().request;
    assert_eq!(output.request, first);
    assert_eq!(world.record().owner, SECOND);
    // AND one that lives is joined
    world.executions.start(SECOND);
    let third = "arn:aws:states:us-east-1:000000000000:execution:backup:third";
    assert_eq!(world.begin_with(third, resume).await.unwrap().disposition, Disposition::Join);
    // AND one that is not there, or is of another kind, is not begun
    let unknown = world.begin_with(third, json!({"resume": "other-db-r1-0123456789"})).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::InvalidInput);
    assert!(unknown.message.contains("there is no operation other-db-r1-0123456789"), "{unknown}");
    let payload = json!({"action": "begin", "kind": "RESTORE", "input": {"resume": operation()}, "execution": third,
                         "startedAt": "2026-11-20T06:00:00Z"});
    let other = world.call(payload, 0).await.unwrap_err();
    assert!(other.message.contains("is a BACKUP, and this workflow is for a RESTORE"), "{other}");
    assert_eq!(world.store.count(), 1);
}

#[tokio::test]
async fn to_be_cancelled_is_told_to_the_execution_that_takes_it_over_and_to_no_other() {
    let world = World::at(Phase::Validating).await;
    let cancel = json!({"cancel": operation()});
    // WHEN its owner lives, THEN that is waited for
    let output = world.begin_with(SECOND, cancel.clone()).await.unwrap();
    assert_eq!((output.disposition, output.cancelled), (Disposition::Join, false));
    // WHEN it does not, THEN it is ended, also when the answer was lost
    world.executions.end(FIRST);
    for _ in 0..2 {
        let output = world.begin_with(SECOND, cancel.clone()).await.unwrap();
        assert_eq!((output.disposition, output.cancelled), (Disposition::Run, true));
    }
}
