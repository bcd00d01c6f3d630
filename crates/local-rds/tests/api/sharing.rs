//! Who may restore a snapshot, and how many a Region may hold.

use std::collections::BTreeMap;

use aws_sdk_rds::Client;

use crate::support::{Local, PASSWORD, code};

async fn shared_with(rds: &Client, id: &str) -> Vec<String> {
    let answer = rds.describe_db_snapshot_attributes().db_snapshot_identifier(id).send().await.unwrap();
    let result = answer.db_snapshot_attributes_result().unwrap();
    assert_eq!(result.db_snapshot_identifier(), Some(id));
    let attribute = &result.db_snapshot_attributes()[0];
    assert_eq!(attribute.attribute_name(), Some("restore"));
    attribute.attribute_values().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_shared_and_taken_back_and_an_encrypted_one_is_never_public() {
    // GIVEN a snapshot of an encrypted instance and one of an instance that is not
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "closed").await;
    rds.create_db_instance()
        .db_instance_identifier("open")
        .engine("postgres")
        .db_instance_class("db.t4g.micro")
        .master_username("owner")
        .master_user_password(PASSWORD)
        .allocated_storage(20)
        .send()
        .await
        .unwrap();
    local.await_instance(&rds, "open", "available").await;
    local.snapshot(&rds, "closed", "closed-1").await;
    local.snapshot(&rds, "open", "open-1").await;
    assert_eq!(shared_with(&rds, "closed-1").await, [""; 0]);
    // WHEN they are shared, THEN that is told, and everybody is refused where it is encrypted
    let change =
        |id: &str| rds.modify_db_snapshot_attribute().db_snapshot_identifier(id).attribute_name("restore");
    change("closed-1").values_to_add("123456789012").send().await.unwrap();
    assert_eq!(shared_with(&rds, "closed-1").await, ["123456789012"]);
    assert_eq!(code(change("closed-1").values_to_add("all").send().await), "InvalidParameterCombination");
    assert_eq!(code(change("closed-1").values_to_add("somebody").send().await), "InvalidParameterValue");
    change("open-1").values_to_add("all").values_to_add("123456789012").send().await.unwrap();
    assert_eq!(shared_with(&rds, "open-1").await, ["123456789012", "all"]);
    // AND taken back
    change("open-1").values_to_remove("all").send().await.unwrap();
    assert_eq!(shared_with(&rds, "open-1").await, ["123456789012"]);
    assert_eq!(code(change("none").values_to_add("all").send().await), "DBSnapshotNotFound");
    let other = rds.modify_db_snapshot_attribute().db_snapshot_identifier("open-1").attribute_name("x");
    assert_eq!(code(other.send().await), "InvalidParameterValue");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_region_may_hold_another_number_of_snapshots() {
    let local = Local::with(|settings| {
        settings.tuning.max_manual_snapshots_in = BTreeMap::from([("eu-west-1".to_owned(), 0)]);
    })
    .await;
    let quota = async |region: &str| {
        let answer = local.client(region).describe_account_attributes().send().await.unwrap();
        let quotas = answer.account_quotas();
        quotas.iter().find(|quota| quota.account_quota_name() == Some("ManualSnapshots")).unwrap().max()
    };
    assert_eq!((quota("us-east-1").await, quota("eu-west-1").await), (Some(100), Some(0)));
    let there = local.client("eu-west-1");
    local.create(&there, "a").await;
    let refused = there.create_db_snapshot().db_instance_identifier("a").db_snapshot_identifier("a-1");
    assert_eq!(code(refused.send().await), "SnapshotQuotaExceeded");
    local.stop().await;
}
