//! Error codes as they are on the wire, paging, quotas, parameter groups.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, Filter, Parameter, Tag};

use crate::support::{Local, code, until};

#[tokio::test(flavor = "multi_thread")]
async fn instances_and_snapshots_answer_the_real_codes() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    let create = |id: &str| {
        rds.create_db_instance()
            .db_instance_identifier(id)
            .engine("postgres")
            .db_instance_class("db.t4g.micro")
            .master_username("owner")
            .master_user_password("password1")
    };
    assert_eq!(code(create("-bad").send().await), "InvalidParameterValue");
    assert_eq!(code(create("a").master_user_password("short").send().await), "InvalidParameterValue");
    assert_eq!(code(create("a").master_username("rdsadmin").send().await), "InvalidParameterValue");
    assert_eq!(code(create("a").engine_version("9.4").send().await), "InvalidParameterCombination");
    assert_eq!(code(create("a").db_parameter_group_name("no").send().await), "DBParameterGroupNotFound");
    let reserved = Tag::builder().key("aws:owner").value("x").build();
    assert_eq!(code(create("a").tags(reserved).send().await), "InvalidParameterValue");
    create("a").send().await.unwrap();
    assert_eq!(code(create("A").send().await), "DBInstanceAlreadyExists");

    let snapshot = |id: &str| rds.create_db_snapshot().db_instance_identifier("a").db_snapshot_identifier(id);
    assert_eq!(code(snapshot("s").send().await), "InvalidDBInstanceState", "it is still creating");
    local.await_instance(&rds, "a", "available").await;
    assert_eq!(code(snapshot("s--s").send().await), "InvalidParameterValue");
    snapshot("s").send().await.unwrap();
    assert_eq!(code(snapshot("s").send().await), "DBSnapshotAlreadyExists");
    let delete = || rds.delete_db_snapshot().db_snapshot_identifier("s");
    assert_eq!(code(delete().send().await), "InvalidDBSnapshotState");
    let restore = rds.restore_db_instance_from_db_snapshot().db_instance_identifier("b");
    assert_eq!(code(restore.db_snapshot_identifier("s").send().await), "InvalidDBSnapshotState");
    local.await_snapshot(&rds, "s", &["available"]).await;
    local.await_instance(&rds, "a", "available").await;
    delete().send().await.unwrap();
    assert_eq!(code(delete().send().await), "DBSnapshotNotFound");
    let find = rds.describe_db_snapshots().db_snapshot_identifier("s");
    assert_eq!(code(find.send().await), "DBSnapshotNotFound");
    let find = rds.describe_db_instances().db_instance_identifier("none");
    assert_eq!(code(find.send().await), "DBInstanceNotFound");

    rds.modify_db_instance().db_instance_identifier("a").deletion_protection(true).send().await.unwrap();
    let delete = || rds.delete_db_instance().db_instance_identifier("a").skip_final_snapshot(true);
    assert_eq!(code(delete().send().await), "InvalidParameterCombination");
    rds.stop_db_instance().db_instance_identifier("a").send().await.unwrap();
    local.await_instance(&rds, "a", "stopped").await;
    assert_eq!(code(snapshot("t").send().await), "InvalidDBInstanceState");
    rds.start_db_instance().db_instance_identifier("a").send().await.unwrap();
    local.await_instance(&rds, "a", "available").await;
    tags_and_groups(&rds).await;
    local.stop().await;
}

async fn tags_and_groups(rds: &Client) {
    let found = rds.describe_db_instances().db_instance_identifier("a").send().await.unwrap();
    let arn = found.db_instances()[0].db_instance_arn().unwrap();
    let tag = Tag::builder().key("Environment").value("test").build();
    rds.add_tags_to_resource().resource_name(arn).tags(tag).send().await.unwrap();
    let listed = rds.list_tags_for_resource().resource_name(arn).send().await.unwrap();
    assert_eq!(listed.tag_list()[0].value(), Some("test"));
    rds.remove_tags_from_resource().resource_name(arn).tag_keys("Environment").send().await.unwrap();
    let listed = rds.list_tags_for_resource().resource_name(arn).send().await.unwrap();
    assert!(listed.tag_list().is_empty());

    let create = |family: &str| {
        rds.create_db_parameter_group()
            .db_parameter_group_name("mine")
            .db_parameter_group_family(family)
            .description("mine")
    };
    create("postgres9").send().await.unwrap();
    assert_eq!(code(create("postgres9").send().await), "DBParameterGroupAlreadyExists");
    let use_it = rds.modify_db_instance().db_instance_identifier("a").db_parameter_group_name("mine");
    assert_eq!(code(use_it.send().await), "InvalidParameterCombination", "another family");
    let set = |name: &str, value: &str| {
        let parameter = Parameter::builder()
            .parameter_name(name)
            .parameter_value(value)
            .apply_method(ApplyMethod::Immediate);
        rds.modify_db_parameter_group().db_parameter_group_name("mine").parameters(parameter.build())
    };
    assert_eq!(code(set("no_such_parameter", "1").send().await), "InvalidParameterValue");
    set("work_mem", "8192").send().await.unwrap();
    let found =
        rds.describe_db_parameters().db_parameter_group_name("mine").source("user").send().await.unwrap();
    assert_eq!(found.parameters()[0].parameter_value(), Some("8192"));
    let delete = || rds.delete_db_parameter_group().db_parameter_group_name("mine");
    delete().send().await.unwrap();
    assert_eq!(code(delete().send().await), "DBParameterGroupNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_snapshots_page_and_meet_their_quota() {
    let local = Local::with(|settings| {
        settings.tuning.snapshot_seconds = 0.0;
        settings.tuning.copy_seconds = 0.0;
        settings.tuning.max_manual_snapshots = 23;
        settings.tuning.max_copies_in_flight = 2;
    })
    .await;
    let rds = local.client("us-east-1");
    local.create(&rds, "a").await;
    local.snapshot(&rds, "a", "s-00").await;
    for n in 1..22 {
        copy(&rds, "s-00", &format!("s-{n:02}")).send().await.unwrap();
    }
    let mut pages = rds.describe_db_snapshots().max_records(20).into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.db_snapshots().len() <= 20);
        seen.extend(
            page.db_snapshots().iter().map(|found| found.db_snapshot_identifier().unwrap().to_owned()),
        );
    }
    assert_eq!(seen, (0..22).map(|n| format!("s-{n:02}")).collect::<Vec<_>>());
    let page = rds.describe_db_snapshots().max_records(5).send().await;
    assert_eq!(code(page), "InvalidParameterValue");
    let filter = Filter::builder().name("db-instance-id").values("other").build();
    let found = rds.describe_db_snapshots().filters(filter).send().await.unwrap();
    assert!(found.db_snapshots().is_empty());

    copy(&rds, "s-00", "s-22").send().await.unwrap();
    let refused = copy(&rds, "s-00", "s-23").send().await.unwrap_err().into_service_error();
    assert!(refused.is_snapshot_quota_exceeded_fault());
    assert!(refused.to_string().contains("Cannot create more than 23 manual snapshots"), "{refused}");
    let quotas = rds.describe_account_attributes().send().await.unwrap();
    let manual =
        quotas.account_quotas().iter().find(|quota| quota.account_quota_name() == Some("ManualSnapshots"));
    assert_eq!(manual.map(|quota| (quota.used(), quota.max())), Some((Some(23), Some(23))));
    too_many_copies(&local, &rds).await;
    local.stop().await;
}

fn copy(
    rds: &Client,
    source: &str,
    target: &str,
) -> aws_sdk_rds::operation::copy_db_snapshot::builders::CopyDBSnapshotFluentBuilder {
    rds.copy_db_snapshot().source_db_snapshot_identifier(source).target_db_snapshot_identifier(target)
}

async fn too_many_copies(local: &Local, rds: &Client) {
    // An unencrypted source needs no pre-signed request.
    let create = rds.create_db_instance().db_instance_identifier("plain").engine("postgres");
    let create = create.db_instance_class("db.t4g.micro").master_username("owner");
    create.master_user_password("password1").send().await.unwrap();
    local.await_instance(rds, "plain", "available").await;
    rds.delete_db_snapshot().db_snapshot_identifier("s-22").send().await.unwrap();
    local.snapshot(rds, "plain", "plain").await;
    local.fault(serde_json::json!({"action": "CopyDBSnapshot", "effect": {"type": "slow", "seconds": 1.5}}));
    let west = local.client("us-west-2");
    let arn = "arn:aws:rds:us-east-1:000000000000:snapshot:plain";
    copy(&west, arn, "c-1").send().await.unwrap();
    copy(&west, arn, "c-2").send().await.unwrap();
    let refused = copy(&west, arn, "c-3").send().await.unwrap_err().into_service_error();
    assert!(refused.is_snapshot_quota_exceeded_fault());
    assert!(refused.to_string().contains("Cannot copy more than 2 snapshots across regions"), "{refused}");
    until("room for another copy", async || copy(&west, arn, "c-3").send().await.ok()).await;
}
