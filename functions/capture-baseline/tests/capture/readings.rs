//! Catalog and counters, on both sides of the snapshot.

use holdfast_core::ErrorKind;
use holdfast_core::validation::BaselineDepth;
use holdfast_fakes::sample::operation;
use holdfast_fakes::{Call, Trouble};
use holdfast_verify::ConnectError;
use serde_json::{Value, json};

use crate::support::{PASSWORD, SECRET, World, lay_snapshot};

fn unreachable() -> ConnectError {
    ConnectError::Unreachable("no answer within 10 s".into())
}

#[tokio::test]
async fn the_source_is_read_once_on_either_side() {
    // GIVEN a source, WHEN it is read before the snapshot and after it
    let world = World::new();
    assert_eq!(world.before().await, json!({"status": "TAKEN", "depth": "catalog"}));
    world.snapshot();
    assert_eq!(world.after().await, json!({"status": "TAKEN", "depth": "catalog"}));
    // THEN both readings are kept, in their order, and the source was asked twice
    let captured = world.captured().unwrap();
    assert_eq!((&captured.reason, captured.baseline.depth), (&None, BaselineDepth::Catalog));
    assert_eq!(captured.baseline.before.as_ref().unwrap().at, "2026-11-20T06:00:01Z");
    assert_eq!(captured.baseline.after.as_ref().unwrap().at, "2026-11-20T06:00:02Z");
    assert!(captured.usable().is_some());
    // AND asking again changes nothing
    assert_eq!(world.before().await["status"], "TAKEN");
    assert_eq!(world.after().await["status"], "TAKEN");
    assert_eq!((world.source.readings(), world.captured().unwrap()), (2, captured));
    // AND it was asked for nothing that costs, or that would have to be made
    let options = world.source.options();
    assert!(!options.may_create_extensions && !options.expect_isolated && options.connections <= 2);
}

#[tokio::test]
async fn a_crash_between_repeats_nothing_that_is_kept() {
    // GIVEN a reading that was kept by a call whose answer was lost
    let world = World::new();
    world.documents.troubles.once(Call::PutDocument, Trouble::AnswerLost);
    let error = world.ask("before", 1, &json!({}), &Value::Null).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
    let kept = world.part("before").unwrap();
    // WHEN it is asked again, THEN the first reading stands
    assert_eq!(world.before().await["status"], "TAKEN");
    assert_eq!((world.part("before").unwrap(), world.source.readings()), (kept, 1));
    // GIVEN the same after the snapshot, THEN the same
    world.snapshot();
    world.documents.troubles.once(Call::PutDocument, Trouble::AnswerLost);
    world.ask("after", 1, &json!({}), &Value::Null).await.unwrap_err();
    let kept = world.captured().unwrap();
    assert_eq!(world.after().await["status"], "TAKEN");
    assert_eq!((world.captured().unwrap(), world.source.readings()), (kept, 2));
}

#[tokio::test]
async fn of_two_attempts_at_once_the_first_stands() {
    // GIVEN another attempt that keeps its reading while this one reads
    let world = World::new();
    world.before().await;
    let mut theirs = world.part("before").unwrap();
    theirs["at"] = json!("2026-11-20T05:59:59Z");
    let key = operation().baseline_part_key("before");
    world.documents.lose(&key);
    let (documents, document) = (world.documents.clone(), theirs.clone());
    world.source.meanwhile(move || documents.lay(&key, document));
    // WHEN this one is done, THEN theirs is the one
    assert_eq!(world.before().await["status"], "TAKEN");
    assert_eq!(world.part("before").unwrap(), theirs);
    // GIVEN the same after the snapshot, THEN the same
    world.snapshot();
    world.after().await;
    let mut theirs = world.documents.now(&operation().baseline_key()).unwrap();
    theirs["reason"] = json!({"name": "Holdfast.BaselineUnreadable", "cause": "theirs"});
    theirs["status"] = json!("UNREADABLE");
    let key = operation().baseline_key();
    world.documents.lose(&key);
    let (documents, document) = (world.documents.clone(), theirs.clone());
    world.source.meanwhile(move || documents.lay(&key, document));
    assert_eq!(world.after().await["reason"]["cause"], "theirs");
    assert_eq!(world.documents.now(&operation().baseline_key()).unwrap(), theirs);
}

#[tokio::test]
async fn a_reading_from_after_the_snapshot_is_none_from_before_it() {
    // GIVEN a run that is resumed when its snapshot is there already, or that loses a race against it
    for late in [false, true] {
        let world = World::new();
        if late {
            let rds = world.rds.clone();
            world.source.meanwhile(move || lay_snapshot(&rds, &operation()));
        } else {
            world.snapshot();
        }
        // WHEN the source is read, THEN the reading is not taken for one from before the snapshot, and that is said
        assert_eq!(world.before().await["status"], "UNREADABLE");
        assert_eq!(world.part("before"), None);
        assert_eq!(world.after().await["status"], "UNREADABLE");
        let (name, cause) = world.reason();
        assert_eq!(name, "Holdfast.BaselineUnreadable");
        assert!(cause.contains("the snapshot was there before"), "{cause}");
        assert!(world.captured().unwrap().usable().is_none());
    }
}

#[tokio::test]
async fn what_was_read_before_a_crash_counts_after_it() {
    // GIVEN a reading from before the snapshot, and a run that is resumed after it
    let world = World::new();
    world.before().await;
    let kept = world.part("before");
    world.snapshot();
    // WHEN both sides are asked again, THEN the reading from before the snapshot is still the one
    assert_eq!(world.before().await["status"], "TAKEN");
    assert_eq!(world.after().await["status"], "TAKEN");
    assert_eq!(world.part("before"), kept);
}

#[tokio::test]
async fn a_source_that_comes_back_is_read() {
    // GIVEN a source that cannot be reached three times
    let world = World::new();
    world.source.refuse(&[unreachable(), unreachable(), unreachable()]);
    // WHEN it is asked, THEN it is waited for, with a wait each
    let answers = world.all("before", &Value::Null).await.unwrap();
    assert_eq!(answers.len(), 4);
    assert!(answers[..3].iter().all(|answer| answer["waitSeconds"].as_u64().unwrap() >= 10), "{answers:?}");
    assert!(answers[0]["progress"]["message"].as_str().unwrap().contains("no answer within 10 s"));
    assert_eq!(answers[3]["baseline"]["status"], "TAKEN");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_named_and_the_backup_goes_on() {
    let standby = ConnectError::Refused("the server is a standby: its counters do not tell".into());
    for (refusal, looks, named) in [
        (unreachable(), 4, "unreachable: no answer within 10 s"),
        (ConnectError::WrongCredentials("for user holdfast_reader".into()), 4, "wrong credentials"),
        (standby, 4, "the server is a standby"),
        // A certificate does not repair itself.
        (ConnectError::Tls("unknown issuer".into()), 1, "TLS: unknown issuer"),
    ] {
        // GIVEN a source that lets nobody in, WHEN it is asked
        let world = World::new();
        world.source.refuse_always(refusal);
        let answers = world.all("before", &Value::Null).await.unwrap();
        // THEN it is asked so often and no more, and the answer is an end like any other
        assert_eq!(answers.len(), looks, "{named}");
        let baseline = &answers.last().unwrap()["baseline"];
        assert_eq!((&baseline["status"], &baseline["depth"]), (&json!("UNREADABLE"), &json!("catalog")));
        // AND after the snapshot it is left in peace, and the reason stands in document and result
        world.snapshot();
        let after = world.all("after", &Value::Null).await.unwrap();
        assert_eq!((after.len(), world.source.readings()), (1, 0));
        assert_eq!(after[0]["baseline"], *baseline);
        let (name, cause) = world.reason();
        assert_eq!(name, "Holdfast.BaselineUnreadable");
        assert!(cause.contains(named), "{cause}");
        assert!(!world.documents.everything().contains(PASSWORD));
    }
}

#[tokio::test]
async fn a_run_that_is_resumed_before_its_snapshot_asks_once_more() {
    // GIVEN a source that was given up, and an execution that died before the snapshot
    let world = World::new();
    world.source.refuse(&[unreachable(), unreachable(), unreachable(), unreachable()]);
    assert_eq!(world.before().await["status"], "UNREADABLE");
    // WHEN another goes on and the source is back, THEN the baseline is whole, and needs no reason
    assert_eq!(world.before().await["status"], "TAKEN");
    world.snapshot();
    assert_eq!(world.after().await, json!({"status": "TAKEN", "depth": "catalog"}));
    assert_eq!(world.captured().unwrap().reason, None);
}

#[tokio::test]
async fn a_source_that_is_lost_after_the_snapshot_leaves_the_first_reading() {
    // GIVEN a source that can be read before the snapshot and not after it
    let world = World::new();
    world.before().await;
    world.snapshot();
    world.source.refuse_always(unreachable());
    // WHEN it is asked, THEN it is waited for, and then the first reading is kept with the reason
    let answers = world.all("after", &Value::Null).await.unwrap();
    assert_eq!(answers.len(), 4);
    let captured = world.captured().unwrap();
    assert!(captured.baseline.before.is_some() && captured.baseline.after.is_none());
    assert!(world.reason().1.contains("unreachable"), "{:?}", world.reason());
    assert!(captured.usable().is_none());
}

#[tokio::test]
async fn what_may_pass_by_itself_is_left_to_the_state_machine() {
    // GIVEN calls that were throttled, THEN their names are handed out and nothing is kept as a reason
    for (call, side) in [(Call::Instance, "before"), (Call::Secret, "before"), (Call::Instance, "after")] {
        let world = World::new();
        if side == "after" {
            world.before().await;
            world.snapshot();
        }
        let troubles = if call == Call::Secret { &world.logins.troubles } else { &world.rds.troubles };
        troubles.once(call, Trouble::refused(ErrorKind::Throttled));
        let error = world.ask(side, 1, &json!({}), &Value::Null).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Throttled);
        assert_eq!((world.part("trouble"), world.captured()), (None, None));
    }
}

#[tokio::test]
async fn what_kept_the_state_machine_from_waiting_is_the_reason() {
    // GIVEN a reading that never came, and a state machine that knows why
    let world = World::new();
    world.snapshot();
    let why = json!({"name": "Holdfast.Configuration", "cause": "the environment variable X is not set"});
    world.all("after", &why).await.unwrap();
    // THEN its reason is kept; and none at all is a reason, too
    assert_eq!(world.reason().0, "Holdfast.Configuration");
    let silent = World::new();
    silent.snapshot();
    silent.after().await;
    assert_eq!(silent.reason().1, "the source was not read before the snapshot");
}

#[tokio::test]
async fn nothing_is_captured_that_nobody_asked_for() {
    let mut world = World::new();
    world.baseline = Value::Null;
    let error = world.ask("before", 1, &json!({}), &Value::Null).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(world.baseline, Value::Null);
    assert!(!SECRET.is_empty() && world.source.readings() == 0);
}

/// A source into which a heartbeat is to be written.
fn with_heartbeat() -> World {
    let heartbeat = json!({"database": "shop", "table": "public.heartbeat"});
    World { checks: json!({"freshness": {"heartbeat": heartbeat, "maxAgeMinutes": 5}}), ..World::new() }
}

#[tokio::test]
async fn a_heartbeat_is_written_once_and_before_anything_is_read() {
    // GIVEN an input that asks for one, and an attempt that is lost when it was written
    let world = with_heartbeat();
    world.documents.troubles.once(Call::PutDocument, Trouble::refused(ErrorKind::Throttled));
    world.ask("before", 1, &json!({}), &Value::Null).await.unwrap_err();
    assert_eq!(world.source.readings(), 0);
    // WHEN the source is read (the fake refuses a heartbeat after a reading), THEN there is one, of this operation
    assert_eq!(world.before().await["status"], "TAKEN");
    let by_reader = ("holdfast_reader".to_owned(), operation().to_string());
    assert_eq!(world.source.beats(), [by_reader.clone(), by_reader]);
    world.snapshot();
    assert_eq!(world.after().await["status"], "TAKEN");
    let beat = world.captured().unwrap().heartbeat.unwrap();
    assert_eq!((&*beat.table, &*beat.beat_at), ("public.heartbeat", "2026-11-20T05:59:02Z"));
    // AND asking again writes no other; nor does a backup that was not asked to
    world.before().await;
    assert_eq!(world.source.beats().len(), 2);
    let unasked = World::new();
    unasked.before().await;
    assert_eq!(unasked.source.beats(), []);
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_written_is_named_and_the_rest_is_read() {
    // GIVEN a table that is not there
    let world = with_heartbeat();
    world.source.refuse_beats(ConnectError::WrongCredentials("it is not there in shop".into()));
    // WHEN the source is read, THEN its readings are there, no heartbeat is promised, and the reason is named
    world.before().await;
    world.snapshot();
    assert_eq!(world.after().await["status"], "UNREADABLE");
    let captured = world.captured().unwrap();
    assert!(captured.usable().is_some() && captured.heartbeat.is_none());
    assert!(world.reason().1.contains("it is not there in shop"), "{:?}", world.reason());
    // GIVEN a snapshot that is there before the source was read, THEN no heartbeat is promised to be in it
    let late = with_heartbeat();
    late.snapshot();
    late.before().await;
    late.after().await;
    assert_eq!(late.captured().unwrap().heartbeat, None);
}
