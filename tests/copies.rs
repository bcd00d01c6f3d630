//! Copies in other Regions, proven where they lie, and backups that are proven again.

use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_tests::World;
use holdfast_tests::world::tag;
use serde_json::json;

const WEST: &str = "us-west-2";

#[tokio::test(flavor = "multi_thread")]
async fn every_copy_is_restored_in_its_region_and_must_equal_the_backup() {
    let world = World::new("copies").await;
    let operation = world.operation("run-1");
    let mut input = world.input("run-1");
    input["validation"]["copyShare"] = json!(1);

    let ended = world.run(&input).await;

    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(ended.output["status"], "SUCCEEDED", "{:#}", ended.output);
    let manifest = world.document(&operation.manifest_key()).await.expect("a manifest");
    for region in [WEST, "eu-west-1"] {
        let copy = &ended.output["replicas"][region];
        let found = &copy["validation"];
        assert_eq!((&copy["status"], &found["verdict"]), (&json!("AVAILABLE"), &json!("VALID")), "{copy:#}");
        assert_eq!(found["rows"], 500 + 3000 + 9000 + 10, "{found:#}");
        assert!(found["restoreSeconds"].as_f64().unwrap() > 0.0, "{found:#}");
        assert!(found["execution"].as_str().unwrap().contains(region), "{found:#}");
        // What it must equal lies beside it: nothing of the home Region is asked for it.
        assert_eq!(world.document_in(region, &operation.manifest_key()).await.as_ref(), Some(&manifest));
        assert_eq!(world.temporary_in(region).await, [] as [String; 0]);
    }
    world.assert_clean(&operation).await;
    let page = world.text(&operation.report_page_key()).await.expect("a page");
    assert_eq!(page.matches("restored, equal").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_not_what_the_backup_was_is_refused_by_name_and_the_backup_is_not() {
    // GIVEN a proven backup and its copy, of which somebody changes rows
    let world = World::new("copy-spoilt").await;
    let operation = world.operation("run-1");
    let mut input = world.input("run-1");
    input["targetRegions"] = json!([{"region": WEST}]);
    assert_eq!(world.run(&input).await.output["status"], "SUCCEEDED");
    let snapshot = operation.snapshot_id();
    let order =
        json!({"kind": "changeRows", "relation": "public.order_lines", "database": "shop", "rows": 3});
    world.damage(WEST, &snapshot, order).await;

    // WHEN it is validated where it lies, by nothing but what that Region has
    let ended = world.validate(WEST, &json!({"operationId": operation})).await;

    // THEN it is refused, by the name of the table, and says so itself
    assert_eq!((ended.status, ended.error.as_str()), (ExecutionStatus::Failed, "Holdfast.ValidationFailed"));
    assert!(ended.cause.contains("order_lines"), "{}", ended.cause);
    let copy = world.snapshot(WEST, &snapshot).await.expect("the copy is kept");
    assert_eq!(tag(&copy, "holdfast:verdict"), Some("INVALID"));
    assert_eq!(world.temporary_in(WEST).await, [] as [String; 0]);

    // AND the backup itself, proven again at home, is what it was, down to the row
    let again =
        world.validate("us-east-1", &json!({"operationId": operation, "runId": "a-month-later"})).await;
    assert_eq!(again.status, ExecutionStatus::Succeeded, "{again:?}");
    assert_eq!(again.output["validation"]["verdict"], "VALID", "{again:?}");
    let checks = again.output["validation"]["checks"].to_string();
    assert!(checks.contains("against-manifest"), "{checks}");
    let key = again.output["documentKey"].as_str().expect("a key");
    assert_eq!(world.document(key).await.expect("a document")["verdict"], "VALID");
    let source = world.snapshot("us-east-1", &snapshot).await.expect("the snapshot");
    assert_eq!(tag(&source, "holdfast:verdict"), Some("VALID"));
    assert_eq!(world.temporary_in("us-east-1").await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_proof_comes_to_no_end_is_there_and_not_proven() {
    // GIVEN a Region in which nothing can be restored
    let world = World::new("copy-unproven").await;
    let operation = world.operation("run-1");
    let mut input = world.input("run-1");
    input["targetRegions"] = json!([{"region": WEST}]);
    input["validation"]["copyShare"] = json!(1);
    world
        .fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "region": WEST, "times": 1,
            "effect": {"type": "restoreEnds", "status": "storage-full"}}))
        .await;

    let ended = world.run(&input).await;

    // THEN the backup is there, and its copy; and the record says that the copy is not proven, and why
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(ended.output["status"], "PARTIAL", "{:#}", ended.output);
    assert_eq!(ended.output["validation"]["verdict"], "VALID");
    let copy = &ended.output["replicas"][WEST];
    assert_eq!(
        (&copy["status"], &copy["validation"]["verdict"]),
        (&json!("AVAILABLE"), &json!("INCONCLUSIVE"))
    );
    assert!(copy["validation"]["issues"].to_string().contains("storage-full"), "{copy:#}");
    let record = world.record(&operation).await.expect("a record");
    let last = record["checkpoints"].as_array().unwrap().last().unwrap();
    assert_eq!(last["detail"], "the copy in us-west-2 is INCONCLUSIVE", "{record:#}");
    // AND nothing is taken from what is known of it
    let copy = world.snapshot(WEST, &operation.snapshot_id()).await.expect("the copy");
    assert_eq!(tag(&copy, "holdfast:verdict"), Some("VALID"));
    assert_eq!(world.temporary_in(WEST).await, [] as [String; 0]);
    world.assert_clean(&operation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_the_deadline_overtakes_does_not_lose_the_copy() {
    // GIVEN a Region whose restores never come to an end
    let world = World::new("copy-late").await;
    let operation = world.operation("run-1");
    let mut input = world.input("run-1");
    input["targetRegions"] = json!([{"region": WEST}]);
    input["validation"]["copyShare"] = json!(1);
    input["deadlineMinutes"] = json!(1);
    world
        .fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "region": WEST,
            "effect": {"type": "neverAvailable"}}))
        .await;

    let ended = world.run(&input).await;

    // THEN the copy counts as one, and its proof as what it is
    assert_eq!(ended.output["status"], "PARTIAL", "{ended:?}");
    let copy = &ended.output["replicas"][WEST];
    assert_eq!(
        (&copy["status"], &copy["validation"]["verdict"]),
        (&json!("AVAILABLE"), &json!("INCONCLUSIVE")),
        "{copy:#}"
    );
    assert!(copy["snapshotArn"].as_str().unwrap().contains(WEST), "{copy:#}");
    let issues = copy["validation"]["issues"].to_string();
    assert!(
        issues.contains("Holdfast.DeadlineExceeded") && issues.contains("validating the copy"),
        "{issues}"
    );
    // AND the execution there comes to an end of its own and leaves nothing
    let execution = copy["validation"]["execution"].as_str().expect("an execution");
    let there = world.ended_in(WEST, execution).await;
    assert_eq!(there.error, "Holdfast.DeadlineExceeded", "{there:?}");
    assert_eq!(world.temporary_in(WEST).await, [] as [String; 0]);
    world.assert_clean(&operation).await;
}
