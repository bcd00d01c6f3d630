//! One function does it all: planned once, kept unit by unit, and after a crash only what is left.

use futures::FutureExt;
use holdfast_core::ErrorKind;
use holdfast_core::validation::Verdict;
use holdfast_fakes::sample::operation;
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::server::plan;
use crate::support::World;

/// A world whose next call would plan and work.
async fn logged_in() -> (World, Value) {
    let world = World::whole();
    world.server.has_units(5, 1 << 20);
    // The derived password is set; the next poll finds it applied.
    let answers = world.until(|answer| answer["carry"]["takenOver"] == true).await.unwrap();
    let carry = answers.last().unwrap()["carry"].clone();
    (world, carry)
}

#[tokio::test]
async fn little_is_planned_worked_through_and_summed_up_in_one_call() {
    // GIVEN a server that is taken over, WHEN it is asked once more
    let (world, carry) = logged_in().await;
    let answer = world.ask(9, &carry).await.unwrap();
    // THEN there is a verdict, and plan and units lie in the bucket all the same
    assert_eq!(answer["validation"]["verdict"], "VALID");
    assert_eq!(world.units_kept(), [0, 1, 2, 3, 4]);
    let kept = world.documents.now(&operation().plan_key()).unwrap();
    assert_eq!(kept["plan"], json!(plan(&[1 << 20; 5])));
    assert_eq!((world.server.plans().len(), world.server.works().len()), (1, 1));
}

#[tokio::test]
async fn finished_units_are_not_done_again_after_a_crash() {
    // GIVEN a function that dies in the middle of the third unit
    let (world, carry) = logged_in().await;
    world.server.dies_after(2);
    assert!(world.ask(9, &carry).now_or_never().is_none(), "it did not die");
    assert_eq!(world.units_kept(), [0, 1]);
    world.server.dies_after(None);
    // WHEN it is asked again
    let ended = world.run().await.unwrap();
    // THEN the plan is the first one, every unit was worked through once, and the verdict is over all
    assert_eq!(world.server.plans().len(), 1);
    assert_eq!(world.server.worked(), [0, 1, 2, 3, 4]);
    assert_eq!(ended.validation.verdict, Verdict::Valid);
}

#[tokio::test]
async fn of_two_plans_the_first_stands() {
    // GIVEN an attempt that plans while another one has kept a plan of three units
    let (world, carry) = logged_in().await;
    let documents = world.documents.clone();
    let first = json!({"restoreSeconds": 7.0, "plan": plan(&[1 << 20; 3])});
    let kept = first.clone();
    world.server.while_planning(move || documents.lay(&operation().plan_key(), kept));
    // WHEN it goes on, THEN it works by that one, and the restore took what the first attempt measured
    let answer = world.ask(9, &carry).await.unwrap();
    assert_eq!(world.documents.now(&operation().plan_key()), Some(first));
    assert_eq!(world.server.worked(), [0, 1, 2]);
    assert_eq!(answer["validation"]["restoreSeconds"], 7.0);
}

#[tokio::test]
async fn a_plan_that_could_not_be_kept_is_not_worked_by() {
    // GIVEN a bucket that refuses the plan
    let (world, carry) = logged_in().await;
    let refused = Trouble::refused(ErrorKind::ServiceUnavailable);
    world.documents.troubles.once_for(Call::PutDocument, &operation().plan_key(), refused);
    // WHEN it is asked for, THEN nothing was done by a plan that nobody will find again
    assert_eq!(world.ask(9, &carry).await.unwrap_err().kind, ErrorKind::ServiceUnavailable);
    assert_eq!(world.server.worked(), [0; 0]);
}

#[tokio::test]
async fn a_result_that_cannot_be_kept_stops_the_work_and_is_tried_again() {
    for (trouble, kept, worked) in [
        // GIVEN a bucket that refuses the second result: that unit is done again, and the first is not
        (Trouble::refused(ErrorKind::ServiceUnavailable), vec![0], vec![0, 1, 1, 2, 3, 4]),
        // GIVEN a bucket that takes it and whose answer is lost: it is found there
        (Trouble::AnswerLost, vec![0, 1], vec![0, 1, 2, 3, 4]),
    ] {
        let (world, carry) = logged_in().await;
        world.documents.troubles.once_for(Call::PutDocument, &operation().unit_key(1), trouble);
        // WHEN it works, THEN the error is one that the state machine tries again, and no more was done
        assert!(world.ask(9, &carry).await.unwrap_err().kind.retryable());
        assert_eq!(world.units_kept(), kept);
        assert_eq!(world.server.worked(), [0, 1]);
        // AND the next attempt does what is left
        assert_eq!(world.run().await.unwrap().validation.verdict, Verdict::Valid);
        assert_eq!(world.server.worked(), worked);
    }
    // GIVEN a bucket that may not be written to, THEN that is its name, and no retry helps
    let (world, carry) = logged_in().await;
    let denied = Trouble::refused(ErrorKind::AccessDenied);
    world.documents.troubles.always_for(Call::PutDocument, &operation().unit_key(1), denied);
    assert_eq!(world.ask(9, &carry).await.unwrap_err().kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn what_one_call_has_no_time_for_is_left_to_the_next() {
    // GIVEN calls that have time for two units
    let (world, mut carry) = logged_in().await;
    world.server.time_for(2);
    // WHEN they follow each other, THEN each says how far it is, and asks for the next at once
    for (poll, percent) in [(9, 40), (10, 80)] {
        let answer = world.ask(poll, &carry).await.unwrap();
        assert_eq!(answer["status"], "WAITING");
        assert_eq!((&answer["progress"]["stage"], &answer["waitSeconds"]), (&json!("work"), &json!(1)));
        assert_eq!(answer["progress"]["percent"], percent);
        assert_eq!(answer["carry"]["workers"], Value::Null);
        carry = answer["carry"].clone();
    }
    // AND the last one sums up; the restore is measured to the first login and not to the end of the work
    let answer = world.ask(11, &carry).await.unwrap();
    assert_eq!(answer["validation"]["verdict"], "VALID");
    assert_eq!(world.server.worked(), [0, 1, 2, 3, 4]);
    let seconds = answer["validation"]["restoreSeconds"].as_f64().unwrap();
    assert!((80.0..85.0).contains(&seconds), "{seconds} s from the first poll, at 10 s, to the ninth");
}

#[tokio::test]
async fn a_plan_that_took_long_leaves_the_work_to_the_next_call() {
    // GIVEN a budget that is used up by planning
    let (mut world, carry) = logged_in().await;
    world.budget = std::time::Duration::from_nanos(1);
    // WHEN it has planned, THEN it does not begin what it could not finish
    let answer = world.ask(9, &carry).await.unwrap();
    assert_eq!(answer["progress"]["stage"], "work");
    assert_eq!((world.server.plans().len(), world.server.works().len()), (1, 0));
    // AND no statement may take longer than the budget
    assert_eq!(world.server.plans()[0].statement_timeout, world.budget);
}

#[tokio::test]
async fn a_server_that_closes_while_it_is_worked_on_is_asked_for_a_while() {
    // GIVEN a server that lets in to plan, and then nobody any more
    let (world, carry) = logged_in().await;
    let gone = holdfast_verify::ConnectError::Unreachable("nobody answers".into());
    world.server.time_for(2);
    let answer = world.ask(9, &carry).await.unwrap();
    world.server.refuse(gone.clone());
    // WHEN it stays so, THEN it was tried for a while and nothing is proven
    let mut carry = answer["carry"].clone();
    for poll in 10..40 {
        let answer = world.ask(poll, &carry).await.unwrap();
        if answer["status"] == "FINAL" {
            assert_eq!(answer["validation"]["verdict"], "INCONCLUSIVE");
            assert!(answer["validation"]["issues"][0].as_str().unwrap().contains(&gone.to_string()));
            assert!(poll >= 20, "given up at poll {poll}");
            return;
        }
        carry = answer["carry"].clone();
    }
    panic!("no end");
}
