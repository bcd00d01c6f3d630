//! One database's way through the service with the real SDK: made, filled, snapshotted, restored, copied, deleted.

use crate::support::{Local, PASSWORD, code, until};
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, Parameter, Tag};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_backed_up_restored_and_copied() {
    let local = Local::start().await;
    let east = local.client("us-east-1");
    local.create(&east, "prod-db").await;
    local.fill(&east, "prod-db").await;
    master_is_not_a_superuser(&local, &east).await;

    let making = east
        .create_db_snapshot()
        .db_instance_identifier("prod-db")
        .db_snapshot_identifier("holdfast-1")
        .tags(tag("holdfast:operation", "op <1> & \"2\""))
        .send()
        .await
        .unwrap();
    let making = making.db_snapshot().unwrap();
    assert_eq!((making.status(), making.percent_progress()), (Some("creating"), Some(0)));
    assert_eq!(local.await_snapshot(&east, "holdfast-1", &["available", "failed"]).await, "available");
    let found = east.describe_db_snapshots().db_instance_identifier("prod-db").send().await.unwrap();
    let snapshot = &found.db_snapshots()[0];
    assert_eq!(snapshot.tag_list()[0].value(), Some("op <1> & \"2\""));
    assert_eq!((snapshot.percent_progress(), snapshot.encrypted()), (Some(100), Some(true)));
    assert!(snapshot.snapshot_create_time().is_some());
    local.await_instance(&east, "prod-db", "available").await;

    restored_with_a_new_password(&local, &east).await;
    copied_to_another_region(&local, &east, snapshot.db_snapshot_arn().unwrap()).await;
    deleted(&local, &east).await;
    local.stop().await;
}

async fn master_is_not_a_superuser(local: &Local, east: &Client) {
    let session = local.connect(east, "prod-db", PASSWORD, "shop").await.unwrap();
    let row = session
        .query_one(
            "select rolsuper, rolcreaterole, pg_has_role(rolname, 'rds_superuser', 'member'), current_setting('data_checksums')
               from pg_roles where rolname = current_user",
            &[],
        )
        .await
        .unwrap();
    assert!(!row.get::<_, bool>(0) && row.get::<_, bool>(1) && row.get::<_, bool>(2));
    assert_eq!(row.get::<_, &str>(3), "on");
    assert!(local.connect(east, "prod-db", PASSWORD, "rdsadmin").await.is_err());
    assert!(local.connect(east, "prod-db", "wrong password", "shop").await.is_err());
}

async fn restored_with_a_new_password(local: &Local, east: &Client) {
    east.create_db_parameter_group()
        .db_parameter_group_name("holdfast-validation")
        .db_parameter_group_family(family(east).await)
        .description("for validation")
        .send()
        .await
        .unwrap();
    for (name, value) in
        [("rds.force_ssl", "1"), ("max_logical_replication_workers", "0"), ("log_statement", "all")]
    {
        let parameter = Parameter::builder()
            .parameter_name(name)
            .parameter_value(value)
            .apply_method(ApplyMethod::PendingReboot)
            .build();
        east.modify_db_parameter_group()
            .db_parameter_group_name("holdfast-validation")
            .parameters(parameter)
            .send()
            .await
            .unwrap();
    }
    east.restore_db_instance_from_db_snapshot()
        .db_instance_identifier("hfv-1")
        .db_snapshot_identifier("holdfast-1")
        .db_instance_class("db.t4g.medium")
        .db_parameter_group_name("holdfast-validation")
        .vpc_security_group_ids("sg-isolated")
        .db_subnet_group_name("made-elsewhere")
        .publicly_accessible(false)
        .backup_retention_period(0)
        .tags(tag("holdfast:temporary", "validation"))
        .send()
        .await
        .unwrap();
    local.await_instance(east, "hfv-1", "available").await;
    let found = east.describe_db_instances().db_instance_identifier("hfv-1").send().await.unwrap();
    let restored = &found.db_instances()[0];
    assert_eq!(restored.db_parameter_groups()[0].db_parameter_group_name(), Some("holdfast-validation"));
    assert_eq!(restored.vpc_security_groups()[0].vpc_security_group_id(), Some("sg-isolated"));
    assert_eq!(restored.publicly_accessible(), Some(false));
    assert_eq!(restored.backup_retention_period(), Some(0));

    let session = local.connect(east, "hfv-1", PASSWORD, "shop").await.unwrap();
    let row = session
        .query_one("select count(*), current_setting('max_logical_replication_workers') from orders", &[])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (2000, "0"));

    let modify = east.modify_db_instance().db_instance_identifier("hfv-1");
    let answer = modify.master_user_password("a new password".replace(' ', "-")).send().await.unwrap();
    let pending = answer.db_instance().unwrap().pending_modified_values().unwrap();
    assert_eq!(pending.master_user_password(), Some("****"));
    until("the new password", async || local.connect(east, "hfv-1", "a-new-password", "shop").await.ok())
        .await;
    assert!(local.connect(east, "hfv-1", PASSWORD, "shop").await.is_err());
    local.await_instance(east, "hfv-1", "available").await;
    let logs = local.server_logs();
    assert!(logs.contains("select count(*)"), "statements are logged here: {logs}");
    assert!(!logs.contains("a-new-password"), "but not the one with the password");
}

async fn family(east: &Client) -> String {
    let found = east.describe_db_parameter_groups().send().await.unwrap();
    found.db_parameter_groups()[0].db_parameter_group_family().unwrap().to_owned()
}

async fn copied_to_another_region(local: &Local, east: &Client, arn: &str) {
    let west = local.client("us-west-2");
    let copy = |key: Option<&str>, url: Option<String>| {
        west.copy_db_snapshot()
            .source_db_snapshot_identifier(arn)
            .target_db_snapshot_identifier("holdfast-1")
            .set_kms_key_id(key.map(str::to_owned))
            .set_pre_signed_url(url)
            .tags(tag("holdfast:verdict", "VALID"))
    };
    assert_eq!(code(copy(None, None).send().await), "InvalidParameterCombination");
    assert_eq!(code(copy(Some("alias/holdfast"), None).send().await), "InvalidParameterCombination");
    let url = presigned(arn, "us-west-2", "alias/holdfast");
    assert_eq!(code(copy(Some("alias/other"), Some(url.clone())).send().await), "InvalidParameterValue");
    copy(Some("alias/holdfast"), Some(url)).send().await.unwrap();
    assert_eq!(local.await_snapshot(&west, "holdfast-1", &["available", "failed"]).await, "available");
    let found = west.describe_db_snapshots().db_snapshot_identifier("holdfast-1").send().await.unwrap();
    let copied = &found.db_snapshots()[0];
    assert_eq!(
        (copied.source_region(), copied.source_db_snapshot_identifier()),
        (Some("us-east-1"), Some(arn))
    );
    assert!(copied.kms_key_id().unwrap().starts_with("arn:aws:kms:us-west-2:"));
    assert!(copied.original_snapshot_create_time().unwrap() < copied.snapshot_create_time().unwrap());
    assert_eq!(copied.tag_list().len(), 1);

    west.restore_db_instance_from_db_snapshot()
        .db_instance_identifier("from-copy")
        .db_snapshot_identifier("holdfast-1")
        .send()
        .await
        .unwrap();
    local.await_instance(&west, "from-copy", "available").await;
    let session = local.connect(&west, "from-copy", PASSWORD, "shop").await.unwrap();
    let row = session.query_one("select count(*) from orders", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2000);
    east.delete_db_snapshot().db_snapshot_identifier("holdfast-1").send().await.unwrap();
    west.describe_db_snapshots().db_snapshot_identifier("holdfast-1").send().await.unwrap();
}

/// Not really signed: the local RDS looks at all of it but the signature's value.
fn presigned(source: &str, destination: &str, key: &str) -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let query = [
        ("Action", "CopyDBSnapshot"),
        ("Version", "2014-10-31"),
        ("SourceDBSnapshotIdentifier", source),
        ("DestinationRegion", destination),
        ("KmsKeyId", key),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", &format!("test/{}/us-east-1/rds/aws4_request", &now[..8])),
        ("X-Amz-Date", &now),
        ("X-Amz-Expires", "3600"),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", &"a".repeat(64)),
    ];
    url::Url::parse_with_params("https://rds.us-east-1.amazonaws.com/", query).unwrap().into()
}

async fn deleted(local: &Local, east: &Client) {
    let delete = |id: &str| east.delete_db_instance().db_instance_identifier(id);
    assert_eq!(code(delete("hfv-1").send().await), "InvalidParameterCombination");
    delete("hfv-1").skip_final_snapshot(true).delete_automated_backups(true).send().await.unwrap();
    assert_eq!(local.status(east, "hfv-1").await.as_deref(), Some("deleting"));
    assert_eq!(code(delete("hfv-1").skip_final_snapshot(true).send().await), "InvalidDBInstanceState");
    until("the instance to be gone", async || local.status(east, "hfv-1").await.is_none().then_some(()))
        .await;
    assert_eq!(code(delete("hfv-1").skip_final_snapshot(true).send().await), "DBInstanceNotFound");
    delete("prod-db").final_db_snapshot_identifier("last-one").send().await.unwrap();
    until("the source to be gone", async || local.status(east, "prod-db").await.is_none().then_some(()))
        .await;
    assert_eq!(local.await_snapshot(east, "last-one", &["available", "failed"]).await, "available");
}
