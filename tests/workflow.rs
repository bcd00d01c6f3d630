//! Whole-stack tests: the real template, the real state machine and the real binaries, with IAM enforced.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_rds::types::DbInstance;
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_testkit::seed;
use holdfast_tests::World;
use holdfast_tests::world::{python, tag, until};
use serde_json::{Value, json};

/// The source without the one thing that moves by itself.
async fn described_source(world: &World) -> DbInstance {
    let mut source = world.instance(&world.database).await.expect("the source");
    source.latest_restorable_time = None;
    source
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_proven_and_copied() {
    let world = World::new("good").await;
    let source_before = described_source(&world).await;
    let operation = world.operation("run-1");

    let ended = world.run(&world.input("run-1")).await;

    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let summary = &ended.output;
    assert_eq!(summary["status"], "SUCCEEDED", "{summary:#}");
    assert_eq!(summary["operationId"], operation.as_str());
    assert_eq!(summary["validation"]["verdict"], "VALID", "{summary:#}");
    let checks = summary["validation"]["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["result"] == "passed"), "{summary:#}");
    for name in
        ["restore", "isolation", "inventory", "schema", "content", "foreign-keys", "indexes", "sequences"]
    {
        assert!(checks.iter().any(|check| check["name"] == name), "no check {name}: {summary:#}");
    }
    assert!(checks.iter().any(|check| check["name"] == "assertion: orders have lines"));
    assert_eq!(summary["validation"]["rows"], 500 + 3000 + 9000 + 10);
    assert!(summary["validation"]["restoreSeconds"].as_f64().unwrap() > 0.0);
    assert_eq!(summary["leftovers"], json!([]));
    assert!(summary["apiCalls"].as_u64().unwrap() > 10);

    // What exists in RDS.
    let id = operation.snapshot_id();
    let snapshot = world.snapshot("us-east-1", &id).await.expect("the snapshot");
    assert_eq!(snapshot.status(), Some("available"));
    assert_eq!(tag(&snapshot, "holdfast:operation"), Some(operation.as_str()));
    assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("VALID"));
    assert_eq!(tag(&snapshot, "Environment"), Some("test"));
    for region in ["us-west-2", "eu-west-1"] {
        let copy = world.snapshot(region, &id).await.expect("the copy");
        assert_eq!(copy.status(), Some("available"));
        assert_eq!(copy.encrypted(), Some(true));
        assert!(copy.kms_key_id().unwrap().contains(region), "{:?}", copy.kms_key_id());
        assert_eq!(copy.source_region(), Some("us-east-1"));
        assert_eq!(tag(&copy, "holdfast:verdict"), Some("VALID"));
        assert_eq!(summary["replicas"][region]["status"], "AVAILABLE");
        assert_eq!(summary["replicas"][region]["snapshotArn"], copy.db_snapshot_arn().unwrap());
    }
    world.assert_clean(&operation).await;

    // The source is what it was.
    assert_eq!(described_source(&world).await, source_before);

    // The record and the report say the same.
    let record = world.record(&operation).await.expect("a record");
    for part in ["status", "snapshot", "validation", "replicas", "timings", "report"] {
        assert_eq!(record[part], summary[part], "{part}");
    }
    assert_eq!(record["type"], "BACKUP");
    let phases: Vec<&str> = record["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["name"].as_str().unwrap())
        .collect();
    let expected =
        ["HEALTH_CHECKING", "SNAPSHOTTING", "VALIDATING", "REPLICATING", "CLEANING_UP", "SUCCEEDED"];
    assert_eq!(phases, expected);
    assert!(record["expiresAt"].as_i64().unwrap() > 1_700_000_000);
    let report = world.document(&operation.report_key()).await.expect("a report");
    assert_eq!(report["status"], "SUCCEEDED");
    assert_eq!(report["validationDetails"]["verdict"], "VALID");
    let shop = &report["validationDetails"]["manifest"]["databases"]["shop"];
    assert_eq!(shop["tables"]["public.orders"]["rows"], 3000, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_run_started_twice_at_once_is_one_operation() {
    let world = World::new("twice").await;
    let input = world.input("run-1");
    let (first, second) = tokio::join!(world.start(&input), world.start(&input));
    let (first, second) = tokio::join!(world.ended(&first), world.ended(&second));
    assert_eq!(first.output["status"], "SUCCEEDED", "{first:?}");
    assert_eq!(first.output, second.output);
    assert_eq!(world.effects("CreateDBSnapshot").await, 1);
    assert_eq!(world.effects("RestoreDBInstanceFromDBSnapshot").await, 1);
    assert_eq!(world.effects("CopyDBSnapshot").await, 2);

    // A third start, after the end: the same answer, and nothing is done.
    let third = world.run(&input).await;
    assert_eq!(third.output, first.output);
    assert_eq!(world.effects("CreateDBSnapshot").await, 1);

    // The same run with other options is refused, not quietly ignored.
    let mut other = input.clone();
    other["tier"] = json!("yearly");
    let refused = world.run(&other).await;
    assert_eq!(refused.error, "Holdfast.RequestMismatch", "{refused:?}");
    world.assert_clean(&world.operation("run-1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_names_the_key_and_does_nothing() {
    let world = World::without_database("bad-input").await;
    let bad: [(Value, &str); 4] = [
        (json!({"databaseId": world.database, "databseId": 1}), "databseId"),
        (json!({"databaseId": world.database, "validation": {"enabledd": true}}), "enabledd"),
        (json!({"databaseId": "not--a-name"}), "databaseId"),
        (json!({"databaseId": world.database, "targetRegions": [{"region": "us-east-1"}]}), "us-east-1"),
    ];
    for (input, named) in bad {
        let ended = world.run(&input).await;
        assert_eq!(ended.status, ExecutionStatus::Failed, "{ended:?}");
        assert_eq!(ended.error, "Holdfast.InvalidInput", "{ended:?}");
        assert!(ended.cause.contains(named), "{} does not name {named}", ended.cause);
        assert!(!ended.cause.starts_with('{'), "a sentence, not JSON: {}", ended.cause);
    }
    assert_eq!(world.calls().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_fails_with_its_name() {
    let world = World::without_database("nowhere").await;
    let ended = world.run(&world.input("run-1")).await;
    assert_eq!(ended.error, "Holdfast.SourceNotFound", "{ended:?}");
    assert!(ended.cause.contains(&world.database));
    let record = world.record(&world.operation("run-1")).await.expect("a record");
    assert_eq!(record["status"], "FAILED");
    assert_eq!(record["failure"]["name"], "Holdfast.SourceNotFound");
    assert_eq!(record["failure"]["leftovers"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_nobody_wanted_validated_never_claims_to_be() {
    let world = World::new("unproven").await;
    let mut input = world.input("run-1");
    input["validation"] = json!({"enabled": false});
    let ended = world.run(&input).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["validation"]["verdict"], "NOT_RUN");
    assert_eq!(world.effects("RestoreDBInstanceFromDBSnapshot").await, 0);
    let id = world.operation("run-1").snapshot_id();
    for region in ["us-east-1", "us-west-2"] {
        let snapshot = world.snapshot(region, &id).await.expect("a snapshot");
        assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("UNPROVEN"), "{region}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_refuses_the_backup_until_it_is_allowed() {
    let world = World::new("dropped").await;
    assert_eq!(world.run(&world.input("run-1")).await.output["status"], "SUCCEEDED");
    world.sql("drop table public.\"we\"\"ird; drop\"").await;

    let refused = world.run(&world.input("run-2")).await;
    assert_eq!(refused.error, "Holdfast.ValidationFailed", "{refused:?}");
    assert!(refused.cause.contains("we\"\"ird; drop"), "{}", refused.cause);
    let operation = world.operation("run-2");
    let snapshot = world.snapshot("us-east-1", &operation.snapshot_id()).await.expect("kept");
    assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("INVALID"));
    assert!(
        world.snapshot("us-west-2", &operation.snapshot_id()).await.is_none(),
        "a refused backup was copied"
    );
    world.assert_clean(&operation).await;

    let mut input = world.input("run-3");
    input["validation"]["allowMissingTables"] = json!(["shop.public.we\"ird; drop"]);
    let allowed = world.run(&input).await;
    assert_eq!(allowed.output["status"], "SUCCEEDED", "{allowed:?}");
    // From then on that backup is what the next is held against.
    let next = world.run(&world.input("run-4")).await;
    assert_eq!(next.output["status"], "SUCCEEDED", "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_does_not_hold_refuses_the_backup() {
    let world = World::new("assertion").await;
    let mut input = world.input("run-1");
    input["validation"]["assertions"] = json!([
        {"name": "no order is free", "database": "shop", "sql": "select 1 from public.orders limit 1", "expect": "zero rows"},
        {"name": "customers stay", "database": "shop", "sql": "delete from public.customers", "expect": "zero rows"}]);
    let ended = world.run(&input).await;
    assert_eq!(ended.error, "Holdfast.ValidationFailed", "{ended:?}");
    assert!(ended.cause.contains("no order is free"), "{}", ended.cause);
    world.assert_clean(&world.operation("run-1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_finds_the_local_rds_to_be_rds() {
    let world = World::without_database("boto3").await;
    python("tests/data/rds_smoke.py", &[&world.database]).await;
    assert_eq!(world.effects("CopyDBSnapshot").await, 1);
    assert!(world.instance(&world.database).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedules_event_starts_a_run_named_after_its_time() {
    let world = World::new("schedule").await;
    // The Scheduler calls with the template's role; boto3 is the client, as any deployment script would be. The local
    // Scheduler does not fill in <aws.scheduler.scheduled-time>, so the script does.
    let output = tokio::process::Command::new(holdfast_tests::files::project(".venv/bin/python"))
        .arg(holdfast_tests::files::project("tests/data/schedule.py"))
        .args([
            &world.database,
            &world.resource("ScheduleRole").await,
            &world.resource("BackupStateMachine").await,
        ])
        .output()
        .await
        .expect("python of the project's environment");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let execution = until("the schedule's execution", Duration::from_secs(90), async || {
        let machine = world.resource("BackupStateMachine").await;
        let running =
            world.home.sfn.list_executions().state_machine_arn(machine).send().await.expect("executions");
        for execution in running.executions() {
            let arn = execution.execution_arn();
            let described = world.home.sfn.describe_execution().execution_arn(arn).send().await.ok()?;
            if described.input().is_some_and(|input| input.contains(&world.database)) {
                return Some(arn.to_owned());
            }
        }
        None
    })
    .await;
    let ended = world.ended(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let run = ended.output["runId"].as_str().expect("a run id");
    assert!(run.starts_with("20") && run.ends_with('Z'), "{run} is not the scheduled time");
    // The template's default target Region.
    assert_eq!(ended.output["replicas"]["us-west-2"]["status"], "AVAILABLE", "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_database_is_validated_by_several_workers() {
    let world = World::new("workers").await;
    world
        .sql(
            "create table public.readings (id bigint primary key, note text not null);
             insert into public.readings select n, repeat(md5(n::text), 8) from generate_series(1, 100000) n",
        )
        .await;
    let mut input = world.input("run-1");
    // Pieces so small that 30 MB are as many as hundreds of gigabytes else.
    input["validation"]["chunkMib"] = json!(1);
    input["validation"]["parallelism"] = json!(3);
    let execution = world.start(&input).await;
    let ended = world.ended(&execution).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["validation"]["verdict"], "VALID");
    assert_eq!(ended.output["validation"]["rows"], 500 + 3000 + 9000 + 10 + 100_000);

    // The workflow fanned out, and every worker did its share.
    let history = world.history(&execution).await;
    assert!(history.contains("WorkOnUnits"), "no Map in {history}");
    let operation = world.operation("run-1");
    let logs = python("tests/data/function_logs.py", &[]).await;
    for worker in 0..3 {
        let share = format!("worker {worker}: nothing is left of ");
        assert!(
            logs.lines().any(|line| line.contains(operation.as_str()) && line.contains(&share)),
            "worker {worker} did not end"
        );
    }

    // Every unit of the one plan was done once.
    let plan = world.document(&operation.plan_key()).await.expect("a plan");
    let units = plan["plan"]["units"].as_array().expect("units").len();
    assert!(units >= 10, "only {units} units");
    let expected: BTreeMap<String, usize> =
        (0..u32::try_from(units).unwrap()).map(|unit| (operation.unit_key(unit), 1)).collect();
    assert_eq!(world.writes(&operation.units_prefix()).await, expected);
    assert_eq!(world.writes(&operation.plan_key()).await.into_values().collect::<Vec<_>>(), [1]);
    world.assert_clean(&operation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_held_against_its_source() {
    // GIVEN a live source on which nothing happens, and a user that may read it
    let world = World::new("baseline").await;
    let mut input = world.input("run-1");
    input["baseline"] = json!({"secretArn": world.reader(true).await, "depth": "full"});
    // AND a table into which it writes a row before the snapshot
    let table = "create table public.heartbeat (operation_id text primary key, beat_at timestamptz not null)";
    world.sql(table).await;
    world.sql(&format!("grant select, insert, update on public.heartbeat to {}", seed::READER)).await;
    let heartbeat = json!({"database": "shop", "table": "public.heartbeat"});
    input["validation"]["checks"] = json!({"freshness": {"heartbeat": heartbeat, "maxAgeMinutes": 5}});
    // WHEN it is backed up, THEN the backup is proven against the source as well
    let ended = world.run(&input).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let summary = &ended.output;
    assert_eq!(summary["baseline"], json!({"status": "TAKEN", "depth": "full"}), "{summary:#}");
    let checks = summary["validation"]["checks"].as_array().unwrap();
    let against = checks.iter().find(|check| check["name"] == "against-baseline").expect("held against it");
    assert_eq!(against["result"], "passed", "{against:#}");
    // AND the row is in the restored copy, and shows how new it is
    for name in ["freshness", "assertion: the heartbeat of this backup is there"] {
        let check = checks.iter().find(|check| check["name"] == name).expect("a check");
        assert_eq!(check["result"], "passed", "{check:#}");
    }
    // AND what was read lies there: both readings, and every row between them
    let operation = world.operation("run-1");
    let baseline = world.document(&operation.baseline_key()).await.expect("a baseline");
    assert_eq!(
        baseline["manifest"]["databases"]["shop"]["tables"]["public.orders"]["rows"], 3000,
        "{baseline:#}"
    );
    for side in ["before", "after"] {
        let counters = &baseline[side]["databases"]["shop"]["counters"]["public.orders"];
        assert!(counters["inserted"].as_u64().unwrap() >= 3000, "{side}: {counters}");
    }
    assert!(baseline["before"]["at"].as_str() < baseline["after"]["at"].as_str());
    let snapshot = &summary["snapshot"]["createdAt"];
    assert!(snapshot.as_str() < baseline["after"]["at"].as_str(), "{snapshot}");
    assert_eq!(world.record(&operation).await.unwrap()["baseline"], summary["baseline"]);
    world.assert_clean(&operation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_read_costs_the_proof_and_not_the_snapshot() {
    // GIVEN a secret that is not the one the database knows
    let world = World::new("unreadable").await;
    let secret = world.reader(false).await;
    let mut input = world.input("run-1");
    input["baseline"] = json!({"secretArn": secret});
    // WHEN it is backed up, THEN the snapshot is there, nothing is proven, and the reason is named
    let ended = world.run(&input).await;
    assert_eq!(ended.error, "Holdfast.ValidationInconclusive", "{ended:?}");
    assert!(ended.cause.contains("wrong credentials"), "{}", ended.cause);
    let operation = world.operation("run-1");
    let snapshot = world.snapshot("us-east-1", &operation.snapshot_id()).await.expect("the snapshot");
    assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("INCONCLUSIVE"));
    let baseline = &world.record(&operation).await.unwrap()["baseline"];
    assert_eq!(baseline["status"], "UNREADABLE", "{baseline:#}");
    assert_eq!(baseline["reason"]["name"], "Holdfast.BaselineUnreadable");
    assert_eq!(
        world.document(&operation.baseline_key()).await.expect("a document")["reason"],
        baseline["reason"]
    );
    world.assert_clean(&operation).await;
    // GIVEN a baseline that may be missing, THEN the backup is proven without it, and the report says so
    let mut input = world.input("run-2");
    input["baseline"] = json!({"secretArn": secret, "required": false});
    let ended = world.run(&input).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    let not_checked = ended.output["validation"]["notChecked"].to_string();
    assert!(not_checked.contains("wrong credentials"), "{not_checked}");
    world.assert_clean(&world.operation("run-2")).await;
}
