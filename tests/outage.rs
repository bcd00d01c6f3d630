//! A total outage of an action of RDS, on the whole stack. It runs alone: breakers are shared by all executions.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_tests::World;
use holdfast_tests::world::{holdfast, until};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// The breaker of `action` as `holdfast status --breakers` shows it, and the exit code.
async fn breaker(action: &str) -> (i32, Option<Value>) {
    let (code, said, complaint) = holdfast(&["status", "--breakers", "--output", "json"]).await;
    assert!(code == 0 || code == 3, "{code}: {complaint}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let mut all = said["breakers"].as_array().expect("breakers").iter();
    (code, all.find(|breaker| breaker["action"] == action && breaker["service"] == "rds").cloned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_for_by_all_executions_with_a_few_calls() {
    // GIVEN an RDS that takes no snapshots, and three backups
    let world = World::new("outage").await;
    let effect = json!({"type": "error", "code": "ServiceUnavailable", "message": "down", "status": 503});
    let fault = world.fault(json!({"action": "CreateDBSnapshot", "effect": effect})).await;
    let mut executions = Vec::new();
    for run in ["run-1", "run-2", "run-3"] {
        let mut input = world.input(run);
        input["validation"] = json!({"enabled": false});
        input["targetRegions"] = json!([]);
        executions.push(world.start(&input).await);
    }
    // WHEN it stays down until one has tried, and failed
    let tried = until("a probe", PATIENCE, async || {
        let (code, breaker) = breaker("CreateDBSnapshot").await;
        breaker.filter(|breaker| {
            assert!(breaker["state"] == "CLOSED" || code == 3, "{code}: {breaker}");
            breaker["opened"].as_u64() >= Some(2)
        })
    })
    .await;
    let asked = world.calls().await.iter().filter(|(action, _)| action == "CreateDBSnapshot").count() as u64;
    // THEN all together made a few calls: five, the tries, and what three executions had under way
    let tries = tried["opened"].as_u64().expect("a number") + 1;
    assert!((6..=5 + tries + 6).contains(&asked), "{asked} calls, {tried}");
    assert_eq!(tried["error"], "HTTP 503");
    let (_, table, _) = holdfast(&["status", "--breakers"]).await;
    assert!(table.contains("rds CreateDBSnapshot in us-east-1"), "{table}");
    // Nobody gave up.
    for run in ["run-1", "run-2", "run-3"] {
        assert_eq!(world.record(&world.operation(run)).await.expect("a record")["status"], "SNAPSHOTTING");
    }

    // WHEN it is well again, THEN everybody goes on, and nothing is held against it
    world.heal(fault).await;
    for (execution, run) in executions.iter().zip(["run-1", "run-2", "run-3"]) {
        let ended = world.ended(execution).await;
        assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
        let snapshot = world.operation(run).snapshot_id();
        assert!(world.snapshot("us-east-1", &snapshot).await.is_some(), "{snapshot}");
    }
    assert_eq!(world.effects("CreateDBSnapshot").await, 3);
    assert_eq!(breaker("CreateDBSnapshot").await.1, None);
}
