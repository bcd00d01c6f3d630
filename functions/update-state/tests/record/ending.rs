//! The end of an operation: one end state, one summary, one report.

use holdfast_core::ErrorKind;
use holdfast_core::operation::Phase;
use holdfast_fakes::sample::operation;
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};
use update_state::Disposition;

use crate::support::{FIRST, World, kind, replica, validation, way};

#[tokio::test]
async fn the_end_is_what_the_results_amount_to() {
    let both = json!([replica("us-west-2", "AVAILABLE"), replica("eu-west-1", "AVAILABLE")]);
    let one = json!([replica("us-west-2", "AVAILABLE"), replica("eu-west-1", "FAILED")]);
    let failure = json!({"name": "Holdfast.SnapshotFailed", "cause": "RDS ended it as failed"});
    let cases: [(Value, Value, &str); 6] = [
        // GIVEN everything there and nothing left behind
        (json!({"replicas": both}), json!({"leftovers": []}), "SUCCEEDED"),
        // GIVEN a Region that failed
        (json!({"replicas": one}), json!({"leftovers": []}), "PARTIAL"),
        // GIVEN something left behind, or a clean-up that does not say
        (json!({"replicas": both}), json!({"leftovers": ["instance hfv-x"]}), "PARTIAL"),
        (json!({"replicas": both}), json!({}), "PARTIAL"),
        // GIVEN a failure, or a proof that was replaced by a refusal
        (json!({"replicas": both, "failure": failure}), json!({"leftovers": []}), "FAILED"),
        (
            json!({"replicas": both, "validation": validation("INCONCLUSIVE")}),
            json!({"leftovers": []}),
            "FAILED",
        ),
    ];
    for (found, cleaned, expected) in cases {
        let world = World::at(Phase::Replicating).await;
        world.advance(FIRST, 4, "CLEANING_UP", found.clone()).await.unwrap();
        // WHEN the clean-up is over
        let output = world.finish(FIRST, 5, cleaned).await.unwrap();
        // THEN the end state says what there is, in the answer, the record and the report alike
        assert_eq!(output.disposition, Disposition::Ended);
        let summary = output.summary.unwrap();
        assert_eq!(summary["status"], expected, "{found}");
        assert_eq!(world.record().phase.as_str(), expected);
        assert_eq!(world.store.summary(&operation()).unwrap(), summary);
        assert_eq!(world.report().unwrap()["status"], expected);
    }
}

#[tokio::test]
async fn the_summary_has_what_the_contract_names() {
    // GIVEN a backup that went well, WHEN it ends
    let world = World::at(Phase::CleaningUp).await;
    let summary = world.finish(FIRST, 5, json!({"leftovers": []})).await.unwrap().summary.unwrap();
    // THEN its summary names it and its parts
    assert_eq!(summary["operationId"], operation().as_str());
    assert_eq!(
        (&summary["databaseId"], &summary["runId"]),
        (&json!("prod-db"), &json!("2026-11-20T06:00:00Z"))
    );
    assert_eq!(summary["snapshot"]["id"], operation().snapshot_id());
    assert_eq!(summary["validation"]["verdict"], "VALID");
    assert_eq!(summary["replicas"]["us-west-2"]["status"], "AVAILABLE");
    assert_eq!(summary["apiCalls"], 42);
    assert_eq!(
        summary["report"],
        json!({"bucket": "metadata", "key": operation().report_key(), "htmlKey": operation().report_page_key()})
    );
    assert_eq!(summary["failure"], Value::Null);
    // AND how long it took, in all and by phase
    assert_eq!(summary["timings"]["totalSeconds"], 100.0);
    let phases: Vec<(&str, f64)> = summary["timings"]["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| (phase["name"].as_str().unwrap(), phase["seconds"].as_f64().unwrap()))
        .collect();
    let expected = [
        ("HEALTH_CHECKING", 10.0),
        ("SNAPSHOTTING", 10.0),
        ("VALIDATING", 10.0),
        ("REPLICATING", 10.0),
        ("CLEANING_UP", 60.0),
    ];
    assert_eq!(phases, expected);
}

#[tokio::test]
async fn a_failure_names_what_stays() {
    // GIVEN an operation that failed, WHEN the clean-up names what stays
    let world = World::begun().await;
    let failure = json!({"failure": {"name": "Holdfast.SnapshotFailed", "cause": "RDS ended it as failed"}});
    world.advance(FIRST, 1, "CLEANING_UP", failure).await.unwrap();
    let summary =
        world.finish(FIRST, 2, json!({"leftovers": ["snapshot s"]})).await.unwrap().summary.unwrap();
    // THEN the summary has the name, the cause and the leftovers
    let expected = json!({"name": "Holdfast.SnapshotFailed", "cause": "RDS ended it as failed",
                          "leftovers": ["snapshot s"]});
    assert_eq!(summary["failure"], expected);
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_is_the_same_end() {
    // GIVEN an end that was written and whose answer was lost
    let world = World::at(Phase::CleaningUp).await;
    world.store.troubles.once(Call::ReplaceRecord, Trouble::AnswerLost);
    let results = json!({"leftovers": []});
    assert_eq!(kind(world.finish(FIRST, 5, results.clone()).await), ErrorKind::OutcomeUnknown);
    let before = world.record();
    assert_eq!(world.report(), None);
    // WHEN it is asked for again
    let output = world.finish(FIRST, 5, results).await.unwrap();
    // THEN the record stays, and the report is there now
    assert_eq!(output.summary, Some(before.summary("metadata")));
    assert_eq!(world.record(), before);
    assert!(world.report().is_some());
}

#[tokio::test]
async fn a_report_that_could_not_be_written_is_written_by_the_next_attempt() {
    // GIVEN a bucket that does not answer once the record is written
    let world = World::at(Phase::CleaningUp).await;
    world.documents.troubles.once(Call::PutDocument, Trouble::refused(ErrorKind::ServiceUnavailable));
    let results = json!({"leftovers": []});
    assert_eq!(kind(world.finish(FIRST, 5, results.clone()).await), ErrorKind::ServiceUnavailable);
    assert_eq!(world.record().phase, Phase::Succeeded);
    // WHEN it is asked for again, THEN the report is there
    world.finish(FIRST, 5, results).await.unwrap();
    assert_eq!(world.report().unwrap()["status"], "SUCCEEDED");
}

#[tokio::test]
async fn a_second_end_state_is_refused() {
    // GIVEN an operation that has ended as SUCCEEDED
    let world = World::at(Phase::CleaningUp).await;
    world.finish(FIRST, 5, json!({"leftovers": []})).await.unwrap();
    let (record, report) = (world.record(), world.report());
    let failure = json!({"failure": {"name": "Holdfast.Internal", "cause": "late"}});
    // WHEN the same step comes again with other results, THEN the end that is there is answered
    let output = world.finish(FIRST, 5, failure.clone()).await.unwrap();
    assert_eq!(output.summary.unwrap()["status"], "SUCCEEDED");
    // WHEN another end, or any step, is asked for from there, THEN it is refused
    assert_eq!(kind(world.finish(FIRST, 6, failure.clone()).await), ErrorKind::OperationEnded);
    assert_eq!(
        kind(world.advance(FIRST, 6, "CLEANING_UP", failure.clone()).await),
        ErrorKind::OperationEnded
    );
    assert_eq!(kind(world.advance(FIRST, 5, "CLEANING_UP", failure).await), ErrorKind::OperationEnded);
    // AND neither the record nor the report has changed
    assert_eq!((world.record(), world.report()), (record, report));
}

/// Everything that a validation found, with more checks than a payload takes.
fn details() -> Value {
    let check = |n: u32| json!({"name": format!("check {n}"), "scope": "shop", "result": "passed", "durationMs": n, "findings": []});
    let checks: Vec<Value> = (0..300).map(check).collect();
    let manifest = json!({"algorithm": "a", "serverVersion": "15.4", "databases": {}});
    let not_checked =
        json!([{"check": "content", "scope": "shop", "object": "public.logs", "reason": "sampled"}]);
    json!({"verdict": "VALID", "checks": checks, "notChecked": not_checked, "manifest": manifest, "databases": ["shop"],
           "restoreSeconds": 12.5, "instanceClass": "db.t4g.medium"})
}

#[tokio::test]
async fn the_report_has_every_check_the_request_and_the_history() {
    // GIVEN a validation whose whole is in the bucket
    let world = World::at(Phase::CleaningUp).await;
    world.documents.lay(&operation().validation_key(), details());
    // WHEN the operation ends
    let output = world.finish(FIRST, 5, json!({"leftovers": []})).await.unwrap();
    // THEN the report is the summary and all the rest, every list once and whole
    let report = world.report().unwrap();
    let mut summary = output.summary.unwrap();
    for list in ["checks", "notChecked"] {
        assert!(summary["validation"].as_object_mut().unwrap().remove(list).is_some(), "{list}");
    }
    for (name, value) in summary.as_object().unwrap() {
        assert_eq!(&report[name], value, "{name}");
    }
    assert_eq!(report["validationDetails"], details());
    assert_eq!(report["owner"], FIRST);
    assert_eq!(report["request"]["tier"], "daily");
    assert_eq!(report["health"], way()[0].1["health"]);
    assert_eq!(report["checkpoints"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn the_page_tells_what_the_report_does() {
    // GIVEN a validation whose whole is in the bucket
    let world = World::at(Phase::CleaningUp).await;
    world.documents.lay(&operation().validation_key(), details());
    // WHEN the operation ends
    world.finish(FIRST, 5, json!({"leftovers": ["instance hfv-x"]})).await.unwrap();
    // THEN there is a page of it, where the summary says
    let page = world.page().unwrap();
    assert_eq!(world.report().unwrap()["report"]["htmlKey"], operation().report_page_key());
    for said in ["<h1>VALID</h1>", "check 299", "public.logs", "instance hfv-x", operation().as_str(), FIRST]
    {
        assert!(page.contains(said), "{said}");
    }
    // GIVEN that it gets lost, WHEN the same run is started again, THEN it is there again
    world.documents.lose(&operation().report_page_key());
    world.begin(FIRST).await.unwrap();
    assert_eq!(world.page(), Some(page));
}

#[tokio::test]
async fn a_failure_has_a_report_and_a_page_too() {
    // GIVEN an operation that failed before there was anything, WHEN it ends
    let world = World::begun().await;
    let failure = json!({"failure": {"name": "Holdfast.SnapshotFailed", "cause": "RDS ended it as failed"}});
    world.advance(FIRST, 1, "CLEANING_UP", failure).await.unwrap();
    world.finish(FIRST, 2, json!({"leftovers": []})).await.unwrap();
    // THEN both say so
    assert_eq!(world.report().unwrap()["validationDetails"], Value::Null);
    let page = world.page().unwrap();
    assert!(page.contains("<h1>NO VERDICT</h1>") && page.contains("RDS ended it as failed"), "{page}");
}

#[tokio::test]
async fn a_page_that_cannot_be_made_does_not_change_how_it_ended() {
    // GIVEN a validation whose verdict is not the one of its checks
    let world = World::at(Phase::CleaningUp).await;
    let mut contradiction = details();
    contradiction["checks"][7]["result"] = json!("failed");
    world.documents.lay(&operation().validation_key(), contradiction.clone());
    // WHEN the operation ends, THEN its end stands, the evidence is there as it is, and no page says VALID
    let output = world.finish(FIRST, 5, json!({"leftovers": []})).await.unwrap();
    assert_eq!(output.summary.unwrap()["status"], "SUCCEEDED");
    let written = world.documents.now(&operation().report_key()).unwrap();
    assert_eq!(written["validationDetails"], contradiction);
    assert_eq!(world.page(), None);
}
