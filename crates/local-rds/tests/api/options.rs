//! What a caller chooses about an instance: accepted, kept, described, and refused where RDS refuses it.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DbInstance};

use crate::support::{Local, PASSWORD, code, until};

const ROLE: &str = "arn:aws:iam::000000000000:role/monitoring";

async fn described(rds: &Client, id: &str) -> DbInstance {
    let found = rds.describe_db_instances().db_instance_identifier(id).send().await.unwrap();
    found.db_instances()[0].clone()
}

fn create(
    rds: &Client,
    id: &str,
) -> aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder {
    rds.create_db_instance()
        .db_instance_identifier(id)
        .engine("postgres")
        .db_instance_class("db.m6g.large")
        .master_username("owner")
        .master_user_password(PASSWORD)
        .allocated_storage(100)
}

async fn created(local: &Local, rds: &Client) {
    create(rds, "prod-db")
        .storage_type("io1")
        .iops(3000)
        .max_allocated_storage(1000)
        .multi_az(true)
        .enable_performance_insights(true)
        .performance_insights_retention_period(93)
        .monitoring_interval(60)
        .monitoring_role_arn(ROLE)
        .deletion_protection(true)
        .publicly_accessible(false)
        .enable_iam_database_authentication(true)
        .ca_certificate_identifier("rds-ca-ecc384-g1")
        .enable_cloudwatch_logs_exports("upgrade")
        .enable_cloudwatch_logs_exports("postgresql")
        .preferred_backup_window("02:00-02:45")
        .preferred_maintenance_window("Mon:05:00-Mon:05:30")
        .backup_retention_period(14)
        .auto_minor_version_upgrade(false)
        .copy_tags_to_snapshot(true)
        .option_group_name("mine")
        .db_subnet_group_name("private")
        .vpc_security_group_ids("sg-1")
        .license_model("postgresql-license")
        .send()
        .await
        .unwrap();
    local.await_instance(rds, "prod-db", "available").await;
    let found = described(rds, "prod-db").await;
    assert_eq!((found.storage_type(), found.iops()), (Some("io1"), Some(3000)));
    assert_eq!((found.allocated_storage(), found.max_allocated_storage()), (Some(100), Some(1000)));
    assert_eq!((found.multi_az(), found.secondary_availability_zone()), (Some(true), Some("us-east-1b")));
    assert_eq!(found.performance_insights_enabled(), Some(true));
    assert_eq!(found.performance_insights_retention_period(), Some(93));
    assert!(found.performance_insights_kms_key_id().unwrap().starts_with("arn:aws:kms:us-east-1:"));
    assert_eq!((found.monitoring_interval(), found.monitoring_role_arn()), (Some(60), Some(ROLE)));
    assert_eq!((found.deletion_protection(), found.publicly_accessible()), (Some(true), Some(false)));
    assert_eq!(found.iam_database_authentication_enabled(), Some(true));
    assert_eq!(found.ca_certificate_identifier(), Some("rds-ca-ecc384-g1"));
    assert_eq!(found.enabled_cloudwatch_logs_exports(), ["postgresql", "upgrade"]);
    assert_eq!(found.preferred_backup_window(), Some("02:00-02:45"));
    assert_eq!(found.preferred_maintenance_window(), Some("mon:05:00-mon:05:30"));
    assert_eq!(found.backup_retention_period(), Some(14));
    assert_eq!(
        (found.auto_minor_version_upgrade(), found.copy_tags_to_snapshot()),
        (Some(false), Some(true))
    );
    assert_eq!(found.option_group_memberships()[0].option_group_name(), Some("mine"));
    assert_eq!(found.db_subnet_group().unwrap().db_subnet_group_name(), Some("private"));
    assert_eq!(found.license_model(), Some("postgresql-license"));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_kept_and_described_and_a_restore_has_its_own() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    created(&local, &rds).await;
    local.snapshot(&rds, "prod-db", "s").await;
    local.await_instance(&rds, "prod-db", "available").await;
    let found = rds.describe_db_snapshots().db_snapshot_identifier("s").send().await.unwrap();
    let snapshot = &found.db_snapshots()[0];
    assert_eq!((snapshot.storage_type(), snapshot.iops()), (Some("io1"), Some(3000)));
    assert_eq!(snapshot.iam_database_authentication_enabled(), Some(true));
    assert_eq!((snapshot.backup_retention_period(), snapshot.option_group_name()), (Some(14), Some("mine")));

    restored_plainly(&local, &rds).await;
    restored_as_chosen(&local, &rds).await;
    changed(&local, &rds).await;
    local.stop().await;
}

async fn restored_plainly(local: &Local, rds: &Client) {
    rds.restore_db_instance_from_db_snapshot()
        .db_snapshot_identifier("s")
        .db_instance_identifier("plain")
        .send()
        .await
        .unwrap();
    local.await_instance(rds, "plain", "available").await;
    let plain = described(rds, "plain").await;
    assert_eq!(
        (plain.storage_type(), plain.iops(), plain.allocated_storage()),
        (Some("io1"), Some(3000), Some(100))
    );
    assert_eq!((plain.multi_az(), plain.deletion_protection()), (Some(false), Some(false)), "RDS's defaults");
    assert_eq!(
        (plain.iam_database_authentication_enabled(), plain.monitoring_interval()),
        (Some(false), Some(0))
    );
    assert_eq!(
        (plain.backup_retention_period(), plain.preferred_backup_window()),
        (Some(14), Some("02:00-02:45"))
    );
    assert_eq!(
        plain.option_group_memberships()[0].option_group_name().unwrap().split(':').next(),
        Some("default")
    );
}

async fn restored_as_chosen(local: &Local, rds: &Client) {
    rds.restore_db_instance_to_point_in_time()
        .source_db_instance_identifier("prod-db")
        .target_db_instance_identifier("chosen")
        .use_latest_restorable_time(true)
        .storage_type("gp3")
        .allocated_storage(400)
        .iops(13000)
        .storage_throughput(600)
        .max_allocated_storage(800)
        .multi_az(true)
        .enable_iam_database_authentication(true)
        .deletion_protection(true)
        .ca_certificate_identifier("rds-ca-rsa4096-g1")
        .enable_cloudwatch_logs_exports("postgresql")
        .preferred_backup_window("01:00-01:30")
        .backup_retention_period(0)
        .option_group_name("other")
        .send()
        .await
        .unwrap();
    local.await_instance(rds, "chosen", "available").await;
    let chosen = described(rds, "chosen").await;
    assert_eq!(
        (chosen.storage_type(), chosen.iops(), chosen.storage_throughput()),
        (Some("gp3"), Some(13000), Some(600))
    );
    assert_eq!((chosen.allocated_storage(), chosen.max_allocated_storage()), (Some(400), Some(800)));
    assert_eq!((chosen.multi_az(), chosen.deletion_protection()), (Some(true), Some(true)));
    assert_eq!(chosen.db_instance_class(), Some("db.m6g.large"), "the source's");
    assert_eq!(chosen.ca_certificate_identifier(), Some("rds-ca-rsa4096-g1"));
    assert_eq!(chosen.enabled_cloudwatch_logs_exports(), ["postgresql"]);
    assert_eq!(
        (chosen.backup_retention_period(), chosen.preferred_backup_window()),
        (Some(0), Some("01:00-01:30"))
    );
    assert!(chosen.latest_restorable_time().is_none());
}

/// What no restore takes is given by a change after it.
async fn changed(local: &Local, rds: &Client) {
    let logs = CloudwatchLogsExportConfiguration::builder().enable_log_types("upgrade");
    rds.modify_db_instance()
        .db_instance_identifier("chosen")
        .apply_immediately(true)
        .enable_performance_insights(true)
        .monitoring_interval(15)
        .monitoring_role_arn(ROLE)
        .iops(14000)
        .cloudwatch_logs_export_configuration(logs.disable_log_types("postgresql").build())
        .preferred_maintenance_window("tue:05:00-tue:05:30")
        .deletion_protection(false)
        .send()
        .await
        .unwrap();
    until("the change", async || (described(rds, "chosen").await.iops() == Some(14000)).then_some(())).await;
    local.await_instance(rds, "chosen", "available").await;
    let found = described(rds, "chosen").await;
    assert_eq!(found.performance_insights_retention_period(), Some(7));
    assert_eq!(found.monitoring_interval(), Some(15));
    assert_eq!(found.storage_throughput(), Some(600), "what is not named stays");
    assert_eq!(found.enabled_cloudwatch_logs_exports(), ["upgrade"]);
    assert_eq!(found.preferred_maintenance_window(), Some("tue:05:00-tue:05:30"));
    let delete = |id: &str| rds.delete_db_instance().db_instance_identifier(id).skip_final_snapshot(true);
    assert_eq!(code(delete("prod-db").send().await), "InvalidParameterCombination", "it is protected");
    delete("chosen").send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_do_not_fit_are_refused_as_by_rds() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    let new = || create(&rds, "a");
    for (refused, wanted) in [
        (new().storage_type("gp3").iops(3000), "InvalidParameterCombination"),
        (new().storage_type("gp3").storage_throughput(125), "InvalidParameterCombination"),
        (new().storage_type("gp2").iops(1000), "InvalidParameterCombination"),
        (new().storage_type("io1"), "InvalidParameterCombination"),
        (new().storage_type("floppy"), "InvalidParameterValue"),
        (new().max_allocated_storage(50), "InvalidParameterCombination"),
        (new().multi_az(true).availability_zone("us-east-1a"), "InvalidParameterCombination"),
        (new().monitoring_interval(60), "InvalidParameterCombination"),
        (new().monitoring_interval(7).monitoring_role_arn(ROLE), "InvalidParameterValue"),
        (new().performance_insights_retention_period(7), "InvalidParameterCombination"),
        (
            new().enable_performance_insights(true).performance_insights_retention_period(8),
            "InvalidParameterValue",
        ),
        (new().ca_certificate_identifier("rds-ca-2015"), "CertificateNotFound"),
        (new().enable_cloudwatch_logs_exports("slowquery"), "InvalidParameterCombination"),
        (new().preferred_backup_window("25:00-26:00"), "InvalidParameterValue"),
        (new().preferred_maintenance_window("05:00-05:30"), "InvalidParameterValue"),
        (new().license_model("bring-your-own-license"), "InvalidParameterCombination"),
    ] {
        assert_eq!(code(refused.send().await), wanted);
    }
    // The trap in what is described: the baseline may not be asked for.
    local.create(&rds, "small").await;
    let small = described(&rds, "small").await;
    assert_eq!(
        (small.storage_type(), small.iops(), small.storage_throughput()),
        (Some("gp3"), Some(3000), Some(125))
    );
    let restore = |target: &str| {
        rds.restore_db_instance_to_point_in_time()
            .source_db_instance_identifier("small")
            .target_db_instance_identifier(target)
            .use_latest_restorable_time(true)
    };
    assert_eq!(code(restore("b").set_iops(small.iops()).send().await), "InvalidParameterCombination");
    assert_eq!(code(restore("b").allocated_storage(10).send().await), "InvalidParameterValue");
    local.stop().await;
}
