//! Whole-stack tests with something going wrong: each asserts what is recorded, what exists and what does not.

use std::time::Duration;

use aws_sdk_rds::types::Tag;
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::ids::OperationId;
use holdfast_tests::World;
use holdfast_tests::world::{Ended, tag, until};
use serde_json::{Value, json};

/// Asserts a failed end: its name on the execution and on the record, nothing temporary, no copy anywhere.
async fn assert_failed(world: &World, operation: &OperationId, ended: &Ended, name: &str) -> Value {
    assert_eq!(ended.status, ExecutionStatus::Failed, "{ended:?}");
    assert_eq!(ended.error, name, "{ended:?}");
    let record = world.record(operation).await.expect("a record");
    assert_eq!(record["status"], "FAILED", "{record:#}");
    assert_eq!(record["failure"]["name"], name);
    assert!(!record["failure"]["cause"].as_str().expect("a cause").is_empty());
    let report = world.document(&operation.report_key()).await.expect("a report");
    assert_eq!(report["failure"]["name"], name);
    for region in ["us-west-2", "eu-west-1"] {
        assert!(world.snapshot(region, &operation.snapshot_id()).await.is_none(), "a copy in {region}");
    }
    world.assert_clean(operation).await;
    record
}

/// Asserts a good end with one snapshot, one restore and one copy per Region, however often the steps ran.
async fn assert_one_of_each(world: &World, ended: &Ended) {
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    assert_eq!(ended.output["status"], "SUCCEEDED", "{:#}", ended.output);
    assert_eq!(world.effects("CreateDBSnapshot").await, 1);
    assert_eq!(world.effects("RestoreDBInstanceFromDBSnapshot").await, 1);
    assert_eq!(world.effects("CopyDBSnapshot").await, 2);
    world.assert_clean(&world.operation("run-1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_killed_after_its_call_is_resumed() {
    let world = World::new("killed").await;
    let calls = [
        "CreateDBSnapshot",
        "RestoreDBInstanceFromDBSnapshot",
        "CreateDBParameterGroup",
        "ModifyDBInstance",
        "AddTagsToResource",
        "DeleteDBInstance",
        "CopyDBSnapshot",
        "DescribeDBInstances",
    ];
    for action in calls {
        world.fault(json!({"action": action, "times": 1, "effect": {"type": "killCaller"}})).await;
    }
    let execution = world.start(&world.input("run-1")).await;
    let ended = world.ended(&execution).await;
    assert_one_of_each(&world, &ended).await;
    // The faults did strike: the history shows invocations that ended without an answer.
    let history = world.history(&execution).await;
    let deaths = history.matches("TaskFailed").count() + history.matches("LambdaFunctionFailed").count();
    assert!(deaths >= 5, "only {deaths} invocations died");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_faults_of_rds_are_outlasted() {
    let world = World::new("throttled").await;
    for action in ["CreateDBSnapshot", "RestoreDBInstanceFromDBSnapshot", "CopyDBSnapshot"] {
        // More often than the SDK itself tries again.
        world
            .fault(json!({"action": action, "times": 4,
                "effect": {"type": "error", "code": "Throttling", "message": "Rate exceeded", "status": 400}}))
            .await;
    }
    world
        .fault(json!({"action": "DescribeDBSnapshots", "times": 2,
            "effect": {"type": "error", "code": "InternalFailure", "message": "internal", "status": 500}}))
        .await;
    let ended = world.run(&world.input("run-1")).await;
    assert_one_of_each(&world, &ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up_not_repeated() {
    let world = World::new("lost").await;
    for action in
        ["CreateDBSnapshot", "RestoreDBInstanceFromDBSnapshot", "CopyDBSnapshot", "DeleteDBInstance"]
    {
        world.fault(json!({"action": action, "times": 1, "effect": {"type": "dropAnswer"}})).await;
    }
    let ended = world.run(&world.input("run-1")).await;
    assert_one_of_each(&world, &ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_fails_ends_the_operation_and_is_named() {
    let world = World::new("snap-failed").await;
    world.fault(json!({"action": "CreateDBSnapshot", "times": 1, "effect": {"type": "failSnapshot"}})).await;
    let ended = world.run(&world.input("run-1")).await;
    let operation = world.operation("run-1");
    let record = assert_failed(&world, &operation, &ended, "Holdfast.SnapshotFailed").await;
    let leftovers = record["failure"]["leftovers"].to_string();
    assert!(leftovers.contains(&operation.snapshot_id()) && leftovers.contains("failed"), "{leftovers}");
    assert_eq!(world.effects("RestoreDBInstanceFromDBSnapshot").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_is_refused_and_the_table_named() {
    let world = World::new("damaged").await;
    world
        .fault(json!({"action": "CreateDBSnapshot", "times": 1,
            "effect": {"type": "damage", "kind": "flipHeapBytes", "relation": "public.order_lines"}}))
        .await;
    let ended = world.run(&world.input("run-1")).await;
    let operation = world.operation("run-1");
    let record = assert_failed(&world, &operation, &ended, "Holdfast.ValidationFailed").await;
    assert_eq!(record["validation"]["verdict"], "INVALID");
    assert!(record["validation"]["issues"].to_string().contains("order_lines"), "{record:#}");
    let snapshot = world.snapshot("us-east-1", &operation.snapshot_id()).await.expect("kept for inspection");
    assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("INVALID"));
    assert!(world.document(&operation.manifest_key()).await.is_none(), "a refused backup became a reference");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_does_not_start_is_refused() {
    let world = World::new("no-start").await;
    world
        .fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "times": 1,
            "effect": {"type": "restoreEnds", "status": "incompatible-restore"}}))
        .await;
    let ended = world.run(&world.input("run-1")).await;
    let record = assert_failed(&world, &world.operation("run-1"), &ended, "Holdfast.ValidationFailed").await;
    assert!(record["failure"]["cause"].as_str().unwrap().contains("incompatible-restore"), "{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_without_room_proves_nothing() {
    let world = World::new("no-room").await;
    world
        .fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "times": 1,
            "effect": {"type": "restoreEnds", "status": "storage-full"}}))
        .await;
    let ended = world.run(&world.input("run-1")).await;
    let operation = world.operation("run-1");
    let record = assert_failed(&world, &operation, &ended, "Holdfast.ValidationInconclusive").await;
    assert_eq!(record["validation"]["verdict"], "INCONCLUSIVE");
    let snapshot = world.snapshot("us-east-1", &operation.snapshot_id()).await.expect("kept");
    assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("INCONCLUSIVE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_capacity_for_one_class_tries_the_next() {
    let world = World::new("capacity").await;
    world
        .fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "times": 1,
            "effect": {"type": "error", "code": "InsufficientDBInstanceCapacity", "message": "none", "status": 400}}))
        .await;
    let mut input = world.input("run-1");
    input["validation"]["instanceClass"] = json!("db.r6g.16xlarge");
    input["validation"]["fallbackInstanceClasses"] = json!(["db.t3.medium"]);
    let ended = world.run(&input).await;
    assert_one_of_each(&world, &ended).await;
    let report = world.document(&world.operation("run-1").report_key()).await.expect("a report");
    assert_eq!(report["validationDetails"]["instanceClass"], "db.t3.medium");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_never_comes_up_meets_the_deadline() {
    let world = World::new("never-up").await;
    world
        .fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "times": 1, "effect": {"type": "neverAvailable"}}))
        .await;
    let mut input = world.input("run-1");
    input["deadlineMinutes"] = json!(0.25);
    let ended = world.run(&input).await;
    let operation = world.operation("run-1");
    assert_failed(&world, &operation, &ended, "Holdfast.DeadlineExceeded").await;
    let snapshot = world.snapshot("us-east-1", &operation.snapshot_id()).await.expect("kept");
    assert_eq!(tag(&snapshot, "holdfast:verdict"), Some("UNPROVEN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_takes_too_long_meets_the_deadline() {
    let world = World::new("too-slow").await;
    world
        .fault(json!({"action": "CreateDBSnapshot", "times": 1, "effect": {"type": "slow", "seconds": 60}}))
        .await;
    let mut input = world.input("run-1");
    input["deadlineMinutes"] = json!(0.1);
    let ended = world.run(&input).await;
    let record = assert_failed(&world, &world.operation("run-1"), &ended, "Holdfast.DeadlineExceeded").await;
    assert!(record["failure"]["leftovers"].to_string().contains("still being made"), "{record:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_in_one_region_loses_that_region_only() {
    let world = World::new("wrong-key").await;
    let mut input = world.input("run-1");
    input["targetRegions"][1]["kmsKeyId"] = json!("alias/not-there");
    let ended = world.run(&input).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let summary = &ended.output;
    assert_eq!(summary["status"], "PARTIAL", "{summary:#}");
    assert_eq!(summary["replicas"]["us-west-2"]["status"], "AVAILABLE");
    assert_eq!(summary["replicas"]["eu-west-1"]["status"], "FAILED");
    assert_eq!(summary["replicas"]["eu-west-1"]["error"]["name"], "Holdfast.KeyUnusable");
    assert_eq!(summary["leftovers"], json!([]));
    let operation = world.operation("run-1");
    assert_eq!(world.record(&operation).await.unwrap()["status"], "PARTIAL");
    assert!(world.snapshot("us-west-2", &operation.snapshot_id()).await.is_some());
    assert!(world.snapshot("eu-west-1", &operation.snapshot_id()).await.is_none());
    assert_eq!(world.effects("CopyDBSnapshot").await, 1);
    world.assert_clean(&operation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_key_is_found_before_anything_is_copied() {
    let world = World::new("key-off").await;
    let west = world.region("us-west-2");
    let key = west.kms.create_key().send().await.unwrap().key_metadata.unwrap();
    west.kms.disable_key().key_id(key.key_id()).send().await.unwrap();
    let mut input = world.input("run-1");
    input["targetRegions"] = json!([{"region": "us-west-2", "kmsKeyId": key.arn()}]);
    let ended = world.run(&input).await;
    assert_eq!(ended.output["status"], "PARTIAL", "{ended:?}");
    assert_eq!(ended.output["replicas"]["us-west-2"]["error"]["name"], "Holdfast.KeyUnusable");
    assert_eq!(world.effects("CopyDBSnapshot").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_stuck_loses_its_region_at_the_deadline() {
    let world = World::new("stuck").await;
    world
        .fault(json!({"action": "CopyDBSnapshot", "region": "eu-west-1", "effect": {"type": "copyStuck", "percent": 0}}))
        .await;
    // Without a proof, which on a busy machine takes as long as the other copy has.
    let mut input = world.input("run-1");
    input["validation"] = json!({"enabled": false});
    input["deadlineMinutes"] = json!(0.5);
    let ended = world.run(&input).await;
    let summary = &ended.output;
    assert_eq!(summary["status"], "PARTIAL", "{ended:?}");
    assert_eq!(summary["replicas"]["us-west-2"]["status"], "AVAILABLE", "{summary:#}");
    assert_eq!(summary["replicas"]["eu-west-1"]["error"]["name"], "Holdfast.DeadlineExceeded");
    assert!(summary["leftovers"].to_string().contains("eu-west-1"), "{summary:#}");
    world.assert_clean(&world.operation("run-1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owners_snapshot_of_that_name_is_left_alone() {
    let world = World::new("taken").await;
    let operation = world.operation("run-1");
    let other = Tag::builder().key("holdfast:operation").value("somebody-else").build();
    world
        .home
        .rds
        .create_db_snapshot()
        .db_snapshot_identifier(operation.snapshot_id())
        .db_instance_identifier(&world.database)
        .tags(other)
        .send()
        .await
        .expect("a snapshot of somebody else's");
    let ended = world.run(&world.input("run-1")).await;
    assert_failed(&world, &operation, &ended, "Holdfast.NameTaken").await;
    let snapshot = world.snapshot("us-east-1", &operation.snapshot_id()).await.expect("still there");
    assert_eq!(tag(&snapshot, "holdfast:operation"), Some("somebody-else"));
    assert_eq!(tag(&snapshot, "holdfast:verdict"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_execution_was_stopped_is_taken_over() {
    let world = World::new("stopped").await;
    let operation = world.operation("run-1");
    let input = world.input("run-1");
    let first = world.start(&input).await;
    until("the restore to begin", Duration::from_secs(60), async || {
        world.instance(&operation.validation_instance_id()).await.map(drop)
    })
    .await;
    world.home.sfn.stop_execution().execution_arn(&first).send().await.expect("stopped");

    let ended = world.run(&input).await;
    assert_one_of_each(&world, &ended).await;
    let record = world.record(&operation).await.expect("a record");
    let names: Vec<&str> = record["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"TAKEN_OVER"), "{names:?}");
    assert_ne!(record["owner"], first.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_removes_what_expired_and_nothing_else() {
    let world = World::new("sweep").await;
    // A backup's own snapshot, so that an orphan can be restored from it.
    let mut input = world.input("run-1");
    input["validation"] = json!({"enabled": false});
    input["targetRegions"] = json!([]);
    assert_eq!(world.run(&input).await.output["status"], "SUCCEEDED");
    let snapshot = world.operation("run-1").snapshot_id();
    let orphan = |expires: &str| {
        vec![
            Tag::builder().key("holdfast:operation").value("an-operation-that-died").build(),
            Tag::builder().key("holdfast:temporary").value("validation").build(),
            Tag::builder().key("holdfast:expires-at").value(expires).build(),
        ]
    };
    let instances = [
        (format!("hfv-{}-old", world.database), orphan("2020-01-01T00:00:00Z")),
        (format!("hfv-{}-new", world.database), orphan("2099-01-01T00:00:00Z")),
        (format!("hfv-{}-bare", world.database), vec![]),
        (format!("{}-other", world.database), orphan("2020-01-01T00:00:00Z")),
    ];
    for (id, tags) in &instances {
        world
            .home
            .rds
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(id)
            .db_snapshot_identifier(&snapshot)
            .set_tags(Some(tags.clone()))
            .send()
            .await
            .expect("a restore");
        until("the instance", Duration::from_secs(60), async || {
            (world.instance(id).await?.db_instance_status() == Some("available")).then_some(())
        })
        .await;
    }
    let answer = world.invoke("SweepTemporaryFunction", &json!({"source": "aws.scheduler"})).await;
    let [old, new, bare, other] = instances.map(|(id, _)| id);
    let listed = |list: &str, id: &str| answer[list].as_array().unwrap().iter().any(|found| found == id);
    assert!(listed("deleted", &old), "{answer:#}");
    assert!(listed("kept", &new), "{answer:#}");
    assert!(listed("suspicious", &other), "{answer:#}");
    until("the orphan to be gone", Duration::from_secs(60), async || {
        world.instance(&old).await.is_none().then_some(())
    })
    .await;
    for kept in [&new, &bare, &other, &world.database] {
        assert!(world.instance(kept).await.is_some(), "{kept} was removed");
    }
}

/// Processes of this machine with a connection to `port` of it, from `/proc` (proc(5)).
fn clients_of(port: i32) -> Vec<u32> {
    let remote = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the connections");
    let sockets: Vec<String> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(2).is_some_and(|address| address.ends_with(&remote)))
        .filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect();
    let holds = |process: &std::fs::DirEntry| {
        std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path())
                .is_ok_and(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
        })
    };
    std::fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .filter_map(|process| Some((process.file_name().to_str()?.parse().ok()?, process)))
        .filter(|(pid, process)| *pid != std::process::id() && holds(process))
        .map(|(pid, _)| pid)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_repeats_nothing_that_was_finished() {
    let world = World::new("mid-work").await;
    world
        .sql(
            "create table public.readings (id bigint primary key, note text not null);
             insert into public.readings select n, repeat(md5(n::text), 8) from generate_series(1, 100000) n",
        )
        .await;
    let mut input = world.input("run-1");
    input["validation"]["chunkMib"] = json!(1);
    input["validation"]["parallelism"] = json!(2);
    // One unit that lasts, so that there is a middle.
    input["validation"]["assertions"] = json!([{"name": "takes long", "database": "shop", "expect": "zero rows",
        "sql": "select 1 from pg_sleep(8) offset 1"}]);
    let execution = world.start(&input).await;
    let operation = world.operation("run-1");
    let finished = until("units to be finished", Duration::from_secs(90), async || {
        let writes = world.writes(&operation.units_prefix()).await;
        (writes.len() >= 4).then_some(writes)
    })
    .await;
    let port = world.instance(&operation.validation_instance_id()).await.expect("the server");
    let port = port.endpoint().and_then(|endpoint| endpoint.port()).expect("its port");
    let workers = clients_of(port);
    assert!(!workers.is_empty(), "nobody works on it");
    for worker in &workers {
        let killed = std::process::Command::new("kill").args(["-KILL", &worker.to_string()]).status();
        assert!(killed.expect("kill").success(), "worker {worker} was gone already");
    }

    let ended = world.ended(&execution).await;
    assert_one_of_each(&world, &ended).await;
    assert_eq!(ended.output["validation"]["verdict"], "VALID");
    let plan = world.document(&operation.plan_key()).await.expect("a plan");
    assert_eq!(world.writes(&operation.plan_key()).await.into_values().collect::<Vec<_>>(), [1]);
    let writes = world.writes(&operation.units_prefix()).await;
    assert_eq!(writes.len(), plan["plan"]["units"].as_array().expect("units").len());
    assert!(finished.len() < writes.len(), "everything was finished before anybody was killed");
    for unit in finished.keys() {
        assert_eq!(writes[unit], 1, "{unit} was done again");
    }
}
