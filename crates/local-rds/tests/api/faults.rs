//! Each fault that can be ordered, and what a caller then sees.

use aws_sdk_rds::Client;
use aws_sdk_rds::error::SdkError;
use serde_json::{Value, json};

use crate::support::{Local, PASSWORD, code, until};

fn create_snapshot(
    rds: &Client,
    id: &str,
) -> aws_sdk_rds::operation::create_db_snapshot::builders::CreateDBSnapshotFluentBuilder {
    rds.create_db_snapshot().db_instance_identifier("prod-db").db_snapshot_identifier(id)
}

fn restore(
    rds: &Client,
    snapshot: &str,
    id: &str,
) -> aws_sdk_rds::operation::restore_db_instance_from_db_snapshot::builders::RestoreDBInstanceFromDBSnapshotFluentBuilder
{
    rds.restore_db_instance_from_db_snapshot().db_snapshot_identifier(snapshot).db_instance_identifier(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_cut_and_misanswered() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    local.fault(json!({"action": "CreateDBSnapshot", "resource": "t-*", "times": 2,
        "effect": {"type": "error", "code": "Throttling", "message": "Rate exceeded", "status": 400}}));
    for _ in 0..2 {
        assert_eq!(code(create_snapshot(&rds, "t-1").send().await), "Throttling");
    }
    create_snapshot(&rds, "t-1").send().await.unwrap();
    local.await_instance(&rds, "prod-db", "available").await;

    local.fault(json!({"action": "CreateDBSnapshot", "resource": "cut", "times": 1, "effect": {"type": "dropAnswer"}}));
    let lost = create_snapshot(&rds, "cut").send().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(code(create_snapshot(&rds, "cut").send().await), "DBSnapshotAlreadyExists");
    local.await_instance(&rds, "prod-db", "available").await;

    local.fault(json!({"action": "CreateDBSnapshot", "resource": "odd", "times": 1, "effect": {"type": "answerThen503"}}));
    assert_eq!(code(create_snapshot(&rds, "odd").send().await), "ServiceUnavailable");
    assert_eq!(local.await_snapshot(&rds, "odd", &["available"]).await, "available");

    local.await_instance(&rds, "prod-db", "available").await;
    local.fault(json!({"action": "CreateDBSnapshot", "resource": "late", "effect": {"type": "unseen", "seconds": 0.7}}));
    create_snapshot(&rds, "late").send().await.unwrap();
    let find = || rds.describe_db_snapshots().db_snapshot_identifier("late").send();
    assert_eq!(code(find().await), "DBSnapshotNotFound");
    assert_eq!(code(create_snapshot(&rds, "late").send().await), "DBSnapshotAlreadyExists");
    until("it to be seen", async || find().await.ok()).await;

    let calls = local.rds.calls();
    let errors: Vec<_> = calls
        .recent
        .iter()
        .filter(|call| call.resource == "t-1" && call.action == "CreateDBSnapshot")
        .map(|call| call.error.as_deref())
        .collect();
    assert_eq!(errors, [Some("Throttling"), Some("Throttling"), None]);
    assert_eq!(calls.counts["CreateDBInstance"]["us-east-1"], 1);
    let journal = serde_json::to_string(&calls).unwrap();
    assert!(!journal.contains(PASSWORD), "no password may be written down");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_fail_copies_stick_restores_end_badly() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    local.fault(json!({"action": "CreateDBSnapshot", "resource": "bad", "effect": {"type": "failSnapshot"}}));
    assert_eq!(local.snapshot(&rds, "prod-db", "bad").await, "failed");
    assert_eq!(local.snapshot(&rds, "prod-db", "good").await, "available");

    local.fault(json!({"action": "CopyDBSnapshot", "resource": "stuck", "effect": {"type": "copyStuck", "percent": 7}}));
    let copy = rds.copy_db_snapshot().source_db_snapshot_identifier("good");
    copy.target_db_snapshot_identifier("stuck").send().await.unwrap();
    until("the copy to reach 7 %", async || {
        let found = rds.describe_db_snapshots().db_snapshot_identifier("stuck").send().await.unwrap();
        (found.db_snapshots()[0].percent_progress() == Some(7)).then_some(())
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    assert_eq!(local.await_snapshot(&rds, "stuck", &["copying", "available"]).await, "copying");

    for status in ["incompatible-restore", "storage-full"] {
        local.fault(json!({"action": "RestoreDBInstanceFromDBSnapshot", "resource": status,
            "effect": {"type": "restoreEnds", "status": status}}));
        restore(&rds, "good", status).send().await.unwrap();
        local.await_instance(&rds, status, status).await;
        let delete = rds.delete_db_instance().db_instance_identifier(status).skip_final_snapshot(true);
        delete.send().await.unwrap();
    }
    local.fault(json!({"action": "Restore*", "resource": "never", "effect": {"type": "neverAvailable"}}));
    restore(&rds, "good", "never").send().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1000)).await;
    assert_eq!(local.status(&rds, "never").await.as_deref(), Some("creating"));
    let delete = rds.delete_db_instance().db_instance_identifier("never").skip_final_snapshot(true);
    delete.send().await.unwrap();
    until("it to be gone", async || local.status(&rds, "never").await.is_none().then_some(())).await;
    parameters_that_the_server_refuses(&local, &rds).await;
    the_source_of_a_copy_goes(&local, &rds).await;
    local.stop().await;
}

async fn parameters_that_the_server_refuses(local: &Local, rds: &Client) {
    let groups = rds.describe_db_parameter_groups().send().await.unwrap();
    let family = groups.db_parameter_groups()[0].db_parameter_group_family().unwrap();
    let create =
        rds.create_db_parameter_group().db_parameter_group_name("odd").db_parameter_group_family(family);
    create.description("odd").send().await.unwrap();
    let parameter = aws_sdk_rds::types::Parameter::builder()
        .parameter_name("work_mem")
        .parameter_value("plenty")
        .apply_method(aws_sdk_rds::types::ApplyMethod::PendingReboot)
        .build();
    let modify = rds.modify_db_parameter_group().db_parameter_group_name("odd");
    modify.parameters(parameter).send().await.unwrap();
    restore(rds, "good", "odd").db_parameter_group_name("odd").send().await.unwrap();
    local.await_instance(rds, "odd", "incompatible-parameters").await;
    let delete = || rds.delete_db_parameter_group().db_parameter_group_name("odd").send();
    assert_eq!(code(delete().await), "InvalidDBParameterGroupState");
}

async fn the_source_of_a_copy_goes(local: &Local, rds: &Client) {
    local.fault(
        json!({"action": "CopyDBSnapshot", "resource": "late", "effect": {"type": "slow", "seconds": 1}}),
    );
    let copy = rds.copy_db_snapshot().source_db_snapshot_identifier("good");
    copy.target_db_snapshot_identifier("late").send().await.unwrap();
    rds.delete_db_snapshot().db_snapshot_identifier("good").send().await.unwrap();
    assert_eq!(local.await_snapshot(rds, "late", &["available", "failed"]).await, "failed");
}

/// Orders the damage, restores, and answers what a read of the table says.
async fn damaged(local: &Local, rds: &Client, name: &str, damage: Value) -> Result<i64, String> {
    let mut effect = json!({"type": "damage"});
    effect.as_object_mut().unwrap().extend(damage.as_object().unwrap().clone());
    local.fault(json!({"action": "CreateDBSnapshot", "resource": name, "times": 1, "effect": effect}));
    assert_eq!(local.snapshot(rds, "prod-db", name).await, "available");
    local.await_instance(rds, "prod-db", "available").await;
    restore(rds, name, name).send().await.unwrap();
    local.await_instance(rds, name, "available").await;
    let session = local.connect(rds, name, PASSWORD, "shop").await.unwrap();
    let read = session.query_one("select count(*) from orders where note <> ''", &[]).await;
    read.map(|row| row.get(0)).map_err(|cause| cause.as_db_error().unwrap().message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_there_when_the_snapshot_is_restored() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    local.fill(&rds, "prod-db").await;
    let flipped = damaged(&local, &rds, "flip", json!({"kind": "flipHeapBytes"})).await.unwrap_err();
    assert!(flipped.contains("invalid page in block"), "{flipped}");
    let half =
        damaged(&local, &rds, "half", json!({"kind": "truncateRelation", "relation": "public.orders"}));
    assert!((500..1500).contains(&half.await.unwrap()), "half of the pages are gone without an error");
    let dropped = damaged(&local, &rds, "drop", json!({"kind": "dropTable"})).await.unwrap_err();
    assert!(dropped.contains("does not exist"), "{dropped}");
    let fewer = damaged(&local, &rds, "fewer", json!({"kind": "deleteRows"})).await;
    assert_eq!(fewer, Ok(1800));
    let session = local.connect(&rds, "prod-db", PASSWORD, "shop").await.unwrap();
    let row = session.query_one("select count(*) from orders", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2000, "the source is untouched");

    local.fault(json!({"action": "CreateDBSnapshot", "resource": "control", "times": 1,
        "effect": {"type": "damage", "kind": "corruptControlFile"}}));
    assert_eq!(local.snapshot(&rds, "prod-db", "control").await, "available");
    restore(&rds, "control", "control").send().await.unwrap();
    local.await_instance(&rds, "control", "incompatible-restore").await;
    local.stop().await;
}
