//! Every row, piece by piece, from the source or from its replica.

use capture_baseline::PIECE_BYTES;
use holdfast_core::ErrorKind;
use holdfast_core::validation::BaselineDepth;
use holdfast_fakes::sample::{instance, operation};
use holdfast_fakes::{Call, Trouble};
use holdfast_verify::ConnectError;
use serde_json::{Value, json};

use crate::support::{SECRET, World};

fn with_replica() -> World {
    let baseline = json!({"secretArn": SECRET, "depth": "full", "replica": "prod-db-replica"});
    let world = World { baseline, ..World::new() };
    world.source.stands("prod-db", &[("7", false, 100)]);
    world
}

fn rows(world: &World) -> Vec<(String, u64)> {
    let manifest = world.captured().unwrap().baseline.manifest.unwrap();
    manifest.databases["shop"].tables.iter().map(|(table, held)| (table.clone(), held.rows)).collect()
}

#[tokio::test]
async fn every_row_is_read_in_pieces_over_many_calls() {
    // GIVEN three tables in four pieces, and time for one piece in a call
    let world = World::full();
    world.source.pace(1);
    let answers = world.all("before", &Value::Null).await.unwrap();
    // THEN nothing is read twice
    assert_eq!(world.source.works(), [vec![0, 1, 2, 3], vec![1, 2, 3], vec![2, 3], vec![3]]);
    // AND the next call follows at once: there is work, not something to wait for
    assert!(answers[..answers.len() - 1].iter().all(|answer| answer["waitSeconds"] == 1), "{answers:?}");
    // AND after the snapshot all of it is in one place
    world.snapshot();
    assert_eq!(world.after().await, json!({"status": "TAKEN", "depth": "full"}));
    assert_eq!(rows(&world).len(), 3);
    assert_eq!(world.captured().unwrap().baseline.depth, BaselineDepth::Full);
    // AND it is known of which table that was not one snapshot of it
    let in_pieces = world.captured().unwrap().baseline.in_pieces;
    assert_eq!(json!(in_pieces), json!({"shop": ["public.larger"]}));
    let options = world.source.options();
    assert_eq!((options.chunk_bytes, options.statement_timeout), (PIECE_BYTES, options.time_budget));
}

#[tokio::test]
async fn the_counters_are_read_when_they_can_have_everything() {
    // GIVEN rows that were read, and a snapshot that has just become complete
    let world = World::full();
    world.before().await;
    world.snapshot();
    let readings = world.source.readings();
    // WHEN the other side is asked for, THEN the source's sessions have a minute and more to report first
    let answer = world.ask("after", 1, &json!({}), &Value::Null).await.unwrap();
    assert_eq!((&answer["status"], world.source.readings()), (&json!("WAITING"), readings));
    assert!(answer["waitSeconds"].as_u64().unwrap() >= 60, "{answer}");
    // AND then they are read
    let answer = world.ask("after", 2, &answer["carry"], &Value::Null).await.unwrap();
    assert_eq!((&answer["status"], world.source.readings()), (&json!("FINAL"), readings + 1));
    // AND where no row is held against them, nobody waits
    let catalog = World::new();
    catalog.before().await;
    catalog.snapshot();
    assert_eq!(catalog.all("after", &Value::Null).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_piece_that_was_kept_before_a_crash_is_not_read_again() {
    // GIVEN a call that keeps a piece and loses the answer
    let world = World::full();
    for poll in 1..=2 {
        world.ask("before", poll, &json!({}), &Value::Null).await.unwrap();
    }
    let key = operation().baseline_part_key("units/0");
    world.documents.troubles.once_for(Call::PutDocument, &key, Trouble::AnswerLost);
    let error = world.ask("before", 3, &json!({}), &Value::Null).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
    // WHEN it is asked again, THEN only what is not there is read
    assert_eq!(world.before().await["status"], "TAKEN");
    assert_eq!(world.source.works(), [vec![0, 1, 2, 3], vec![1, 2, 3]]);
}

#[tokio::test]
async fn rows_are_not_read_once_the_snapshot_is_there() {
    // GIVEN a run that crashed half way, and whose snapshot was taken all the same
    let world = World::full();
    world.source.pace(1);
    for poll in 1..=5 {
        world.ask("before", poll, &json!({}), &Value::Null).await.unwrap();
    }
    world.snapshot();
    // WHEN it is resumed, THEN no more rows are read, what is missing is said, and what is there is kept
    world.before().await;
    assert_eq!(world.source.works().len(), 3);
    assert_eq!(world.after().await["status"], "UNREADABLE");
    // Both halves of the larger table, and the large one.
    assert_eq!(rows(&world).len(), 2);
    assert!(world.reason().1.contains("pieces were not done"), "{:?}", world.reason());
    assert!(world.captured().unwrap().usable().is_some());
}

#[tokio::test]
async fn when_half_of_the_time_has_passed_that_is_the_reason() {
    // GIVEN a state machine that went on to the snapshot before any row was read
    let world = World::full();
    world.ask("before", 1, &json!({}), &Value::Null).await.unwrap();
    world.snapshot();
    let why =
        json!({"name": "Holdfast.DeadlineExceeded", "cause": "half of the deadline of 60 minutes passed"});
    world.all("after", &why).await.unwrap();
    // THEN both readings are of use, the depth is what was read, and the reason is the deadline
    let captured = world.captured().unwrap();
    assert!(captured.usable().is_some() && captured.baseline.manifest.is_none());
    assert_eq!(captured.baseline.depth, BaselineDepth::Catalog);
    assert_eq!(world.reason().0, "Holdfast.DeadlineExceeded");
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_named() {
    // GIVEN a table that the reader may not read
    let world = World::full();
    world.source.cannot_read("public.large");
    world.before().await;
    world.snapshot();
    // THEN the others are there, and this one is the reason
    assert_eq!(world.after().await["status"], "UNREADABLE");
    let tables: Vec<String> = rows(&world).into_iter().map(|(table, _)| table).collect();
    assert_eq!(tables, ["public.larger", "public.small"]);
    let (_, cause) = world.reason();
    assert!(cause.contains("public.large: permission denied"), "{cause}");
}

#[tokio::test]
async fn rows_are_read_from_the_replica_once_it_has_caught_up() {
    // GIVEN a replica that is behind what the first reading saw, and then is not
    let world = with_replica();
    world.source.stands("prod-db-replica", &[("7", true, 90), ("7", true, 99), ("7", true, 100)]);
    let answers = world.all("before", &Value::Null).await.unwrap();
    // THEN it is waited for, and its rows are the ones that are read
    let behind = |answer: &&Value| answer["progress"]["message"] == "prod-db-replica is behind the source";
    assert_eq!(answers.iter().filter(behind).count(), 2, "{answers:?}");
    let replica = instance("prod-db-replica").endpoint.unwrap().host;
    assert!(world.source.hosts().iter().all(|host| *host == replica), "{:?}", world.source.hosts());
    // AND the counters are the source's own on both sides
    world.snapshot();
    assert_eq!(world.after().await["status"], "TAKEN");
}

#[tokio::test]
async fn the_source_moving_on_does_not_move_the_goal() {
    // GIVEN a source that writes on, and a replica that is always a little behind it
    let world = with_replica();
    world.source.stands("prod-db", &[("7", false, 100), ("7", false, 1000), ("7", false, 9000)]);
    world.source.stands("prod-db-replica", &[("7", true, 99), ("7", true, 990), ("7", true, 8990)]);
    assert_eq!(world.before().await["status"], "TAKEN");
}

#[tokio::test]
async fn a_replica_that_is_none_is_not_read() {
    for (standing, named) in [
        (("8", true, 500), "not a replica of the source"),
        (("7", false, 500), "not a replica any more"),
        (("7", true, 99), "did not catch up"),
    ] {
        let world = with_replica();
        world.source.stands("prod-db-replica", &[standing]);
        // WHEN its rows are to be read, THEN none is, and the readings of the source itself are of use
        let answers = world.all("before", &Value::Null).await.unwrap();
        assert!(answers.len() < 40, "{named}");
        world.snapshot();
        world.after().await;
        assert!(world.reason().1.contains(named), "{:?}", world.reason());
        assert!(world.source.hosts().is_empty() && world.captured().unwrap().usable().is_some());
    }
}

#[tokio::test]
async fn a_server_that_is_lost_while_it_is_read_is_asked_again_and_then_named() {
    // GIVEN a plan, and a server that lets nobody in any more
    let world = World::full();
    for poll in 1..=2 {
        world.ask("before", poll, &json!({}), &Value::Null).await.unwrap();
    }
    let gone = ConnectError::Refused("too many connections".into());
    world.source.refuse(&[gone.clone(), gone.clone()]);
    // WHEN it comes back, THEN the rows are read
    assert_eq!(world.before().await["status"], "TAKEN");
    // GIVEN one that does not come back, THEN it is named
    let world = World::full();
    for poll in 1..=2 {
        world.ask("before", poll, &json!({}), &Value::Null).await.unwrap();
    }
    world.source.refuse(&[gone.clone(), gone.clone(), gone.clone(), gone]);
    assert_eq!(world.before().await["status"], "UNREADABLE");
    world.snapshot();
    world.after().await;
    assert!(world.reason().1.contains("too many connections"), "{:?}", world.reason());
}
