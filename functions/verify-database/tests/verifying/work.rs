//! The work: how it is wanted, over several calls, once.

use std::time::Duration;

use holdfast_core::ErrorKind;
use holdfast_core::operation::RecoveryPoint;
use holdfast_core::validation::{CheckResult, Verdict};
use holdfast_fakes::sample::at;
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::server::check;
use crate::support::{BUDGET, World, operation};

#[tokio::test]
async fn what_the_input_wants_reaches_the_proof_and_nothing_is_made_in_the_database() {
    // GIVEN an input with checks, assertions and tables of its own
    let mut world = World::restored();
    world.validation = json!({
        "checks": {"indexes": "off"},
        "assertions": [{"name": "orders", "database": "shop", "sql": "select count(*) from orders", "expect": ">= 1"}],
        "allowMissingTables": ["shop.public.old_*"],
        "chunkMib": 64,
    });
    // WHEN it is verified, THEN every plan, call and sum is made so
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
    let all = world.server.get(|server| server.options.clone());
    assert_eq!(all.len(), 3);
    for options in all {
        assert_eq!(json!(options.checks)["indexes"], "off");
        assert_eq!(options.assertions[0].name, "orders");
        assert_eq!(options.allow_missing_tables, ["shop.public.old_*"]);
        assert_eq!((options.chunk_bytes, options.time_budget), (64 << 20, BUDGET));
        // AND it is somebody's database: nothing is made in it, and it may reach whom it likes
        assert!(!options.may_create_extensions && !options.expect_isolated);
        assert_eq!(options.snapshot_time, Some(at(0).to_string()));
    }
}

#[tokio::test]
async fn freshness_counts_from_the_time_that_was_restored() {
    for (time, expected) in [(Some(at(400)), at(400)), (None, at(900))] {
        let point = RecoveryPoint::PointInTime { resource_id: "db-LOG".into(), time, latest: at(900) };
        let world = World { point, ..World::restored() };
        world.verdict().await;
        let times = world.server.get(|server| server.options[0].snapshot_time.clone());
        assert_eq!(times, Some(expected.to_string()));
    }
}

#[tokio::test]
async fn what_one_call_has_no_time_for_is_left_to_the_next_and_nothing_is_done_twice() {
    // GIVEN five units, and calls that have time for two
    let world = World::restored();
    world.server.set(|server| (server.units, server.time_for) = (5, Some(2)));
    // WHEN it is verified, THEN each call goes on at once where the last one stopped
    let answers = world.all().await;
    let waits: Vec<&Value> = answers.iter().map(|answer| &answer["waitSeconds"]).collect();
    assert_eq!(waits, [&json!(1), &json!(1), &Value::Null]);
    assert!(answers[0]["progress"]["message"].as_str().unwrap().contains("3 of 5"), "{answers:?}");
    // AND it was planned once, and each unit was worked through once
    assert_eq!(world.server.get(|server| (server.plans, server.worked.clone())), (1, vec![0, 1, 2, 3, 4]));
    assert_eq!((world.units_kept(), &answers[2]["validation"]["verdict"]), (5, &json!("VALID")));
}

#[tokio::test]
async fn a_result_that_cannot_be_kept_stops_the_work_and_is_tried_again() {
    for (trouble, worked) in [
        (Trouble::refused(ErrorKind::ServiceUnavailable), vec![0, 1, 1, 2]),
        (Trouble::AnswerLost, vec![0, 1, 2]),
    ] {
        // GIVEN a bucket that refuses the second result, or takes it and whose answer is lost
        let world = World::restored();
        world.server.set(|server| server.units = 3);
        world.documents.troubles.once_for(Call::PutDocument, &operation().unit_key(1), trouble);
        // WHEN it is verified, THEN the error is one that is tried again, and only what is left is done
        assert!(world.ask(1, &Value::Null).await.unwrap_err().kind.retryable());
        assert_eq!(world.kept(), None);
        assert_eq!(world.verdict().await.verdict, Verdict::Valid);
        assert_eq!(world.server.get(|server| server.worked.clone()), worked);
    }
}

#[tokio::test]
async fn a_verdict_that_is_kept_is_not_made_again() {
    // GIVEN a verdict, and a server that changed since and that nobody can log in to any more
    let world = World::restored();
    let first = world.verdict().await;
    let logins = world.server.get(|server| server.logins.len());
    world.server.set(|server| {
        server.rows = 1;
        server.admitted.clear();
    });
    // Nothing of it is needed any more: neither the secret nor what it was held against.
    world.logins.troubles.always(Call::Secret, Trouble::refused(ErrorKind::ServiceUnavailable));
    // WHEN it is asked for again, THEN it is the same, and nobody looked
    assert_eq!(world.verdict().await, first);
    assert_eq!(world.server.get(|server| server.logins.len()), logins);
}

#[tokio::test]
async fn a_verdict_whose_answer_was_lost_stands() {
    // GIVEN a verdict that was kept, and its answer lost
    let world = World::restored();
    world.documents.troubles.once_for(Call::PutDocument, &operation().validation_key(), Trouble::AnswerLost);
    assert!(world.ask(1, &Value::Null).await.unwrap_err().kind.retryable());
    // WHEN the server would be found otherwise now, THEN the first verdict stands
    world.server.set(|server| server.checks = vec![check("content", CheckResult::Failed)]);
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
}

#[tokio::test]
async fn a_plan_that_was_made_by_an_earlier_attempt_is_worked_by() {
    // GIVEN a plan that was kept, and its answer lost, and a server that would be planned otherwise now
    let world = World::restored();
    world.server.set(|server| server.units = 2);
    world.documents.troubles.once_for(Call::PutDocument, &operation().plan_key(), Trouble::AnswerLost);
    assert!(world.ask(1, &Value::Null).await.unwrap_err().kind.retryable());
    world.server.set(|server| server.units = 9);
    // WHEN it goes on, THEN it works by the plan that is kept
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
    assert_eq!(world.server.get(|server| (server.plans, server.worked.clone())), (1, vec![0, 1]));
    assert!(
        world
            .server
            .get(|server| server.options.iter().all(|options| options.statement_timeout > Duration::ZERO))
    );
}
