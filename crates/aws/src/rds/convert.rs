//! From the SDK's types to the domain's.

use aws_sdk_rds::types::{DatabaseInsightsMode, DbInstance, DbSnapshot, PendingModifiedValues, Tag};
use aws_smithy_types::DateTime;
use holdfast_core::blueprint::{Attached, Blueprint, FeatureRole, Monitoring};
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::rds::{Endpoint, Instance, Snapshot, SnapshotStatus};
use holdfast_core::request::PerformanceInsights;
use holdfast_core::tags::{self, Tags};
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

/// Tags for a request.
pub(super) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn domain_tags(tags: &[Tag]) -> Tags {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect()
}

/// The operation that made what carries these tags.
pub(super) fn operation_of(list: &[Tag]) -> Option<OperationId> {
    OperationId::parse(domain_tags(list).get(tags::OPERATION)?).ok()
}

/// An instance as described.
pub(super) fn instance_from(instance: &DbInstance) -> Result<Instance> {
    let id = instance.db_instance_identifier().ok_or_else(|| missing("DBInstanceIdentifier"))?;
    let endpoint = instance.endpoint().and_then(|endpoint| {
        Some(Endpoint { host: endpoint.address()?.to_owned(), port: u16::try_from(endpoint.port()?).ok()? })
    });
    let pending = instance.pending_modified_values();
    Ok(Instance {
        id: id.to_owned(),
        arn: instance.db_instance_arn().unwrap_or_default().to_owned(),
        resource_id: instance.dbi_resource_id().unwrap_or_default().to_owned(),
        status: instance.db_instance_status().unwrap_or("unknown").to_owned(),
        engine: instance.engine().unwrap_or_default().to_owned(),
        engine_version: instance.engine_version().unwrap_or_default().to_owned(),
        class: instance.db_instance_class().unwrap_or_default().to_owned(),
        endpoint,
        master_username: instance.master_username().unwrap_or_default().to_owned(),
        encrypted: instance.storage_encrypted().unwrap_or(false),
        change_pending: pending.is_some_and(|pending| {
            pending.master_user_password().is_some()
                || pending.backup_retention_period().is_some()
                || pending.db_instance_identifier().is_some()
        }),
        pending: pending.map(all_pending).unwrap_or_default(),
        backup_retention_days: instance.backup_retention_period().unwrap_or(0),
        publicly_accessible: instance.publicly_accessible().unwrap_or(false),
        parameter_groups: instance
            .db_parameter_groups()
            .iter()
            .filter_map(|group| group.db_parameter_group_name().map(str::to_owned))
            .collect(),
        security_groups: instance
            .vpc_security_groups()
            .iter()
            .filter_map(|group| group.vpc_security_group_id().map(str::to_owned))
            .collect(),
        tags: domain_tags(instance.tag_list()),
    })
}

/// What of `pending` is there, by the names of its members.
fn all_pending(pending: &PendingModifiedValues) -> Vec<String> {
    let logs = pending.pending_cloudwatch_logs_exports();
    let logs = logs.is_some_and(|logs| {
        !logs.log_types_to_enable().is_empty() || !logs.log_types_to_disable().is_empty()
    });
    [
        ("DBInstanceClass", pending.db_instance_class().is_some()),
        ("AllocatedStorage", pending.allocated_storage().is_some()),
        ("MasterUserPassword", pending.master_user_password().is_some()),
        ("Port", pending.port().is_some()),
        ("BackupRetentionPeriod", pending.backup_retention_period().is_some()),
        ("MultiAZ", pending.multi_az().is_some()),
        ("EngineVersion", pending.engine_version().is_some()),
        ("LicenseModel", pending.license_model().is_some()),
        ("Iops", pending.iops().is_some()),
        ("StorageThroughput", pending.storage_throughput().is_some()),
        ("DBInstanceIdentifier", pending.db_instance_identifier().is_some()),
        ("StorageType", pending.storage_type().is_some()),
        ("CACertificateIdentifier", pending.ca_certificate_identifier().is_some()),
        ("DBSubnetGroupName", pending.db_subnet_group_name().is_some()),
        ("PendingCloudwatchLogsExports", logs),
        ("ProcessorFeatures", !pending.processor_features().is_empty()),
        ("AutomationMode", pending.automation_mode().is_some()),
        ("ResumeFullAutomationModeTime", pending.resume_full_automation_mode_time().is_some()),
        ("MultiTenant", pending.multi_tenant().is_some()),
        ("IAMDatabaseAuthenticationEnabled", pending.iam_database_authentication_enabled().is_some()),
        ("DedicatedLogVolume", pending.dedicated_log_volume().is_some()),
        ("Engine", pending.engine().is_some()),
        ("AdditionalStorageVolumes", !pending.additional_storage_volumes().is_empty()),
        ("DBCapacityReservationIdentifier", pending.db_capacity_reservation_identifier().is_some()),
    ]
    .into_iter()
    .filter(|(_, there)| *there)
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// A snapshot as described in `region`.
pub(super) fn snapshot_from(snapshot: &DbSnapshot, region: &Region) -> Result<Snapshot> {
    let time = snapshot.original_snapshot_create_time().or(snapshot.snapshot_create_time());
    Ok(Snapshot {
        id: snapshot.db_snapshot_identifier().ok_or_else(|| missing("DBSnapshotIdentifier"))?.to_owned(),
        arn: snapshot.db_snapshot_arn().ok_or_else(|| missing("DBSnapshotArn"))?.to_owned(),
        region: region.clone(),
        instance_id: snapshot.db_instance_identifier().unwrap_or_default().to_owned(),
        status: match snapshot.status().unwrap_or("unknown") {
            "creating" | "copying" | "pending" => SnapshotStatus::Creating,
            "available" => SnapshotStatus::Available,
            "failed" => SnapshotStatus::Failed,
            word => SnapshotStatus::Other(word.to_owned()),
        },
        percent: u8::try_from(snapshot.percent_progress().unwrap_or(0).clamp(0, 100)).unwrap_or(0),
        size_gib: u32::try_from(snapshot.allocated_storage().unwrap_or(0)).unwrap_or(0),
        encrypted: snapshot.encrypted().unwrap_or(false),
        kms_key_id: snapshot.kms_key_id().map(str::to_owned),
        taken_at: time.and_then(timestamp),
        engine: snapshot.engine().unwrap_or_default().to_owned(),
        engine_version: snapshot.engine_version().unwrap_or_default().to_owned(),
        source_region: snapshot.source_region().and_then(|region| Region::parse(region).ok()),
        source_arn: snapshot.source_db_snapshot_identifier().map(str::to_owned),
        tags: domain_tags(snapshot.tag_list()),
    })
}

/// A time of the SDK's.
pub(super) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// What an instance is made with, as described.
pub(super) fn blueprint_from(instance: &DbInstance) -> Result<Blueprint> {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let Instance { id, class, parameter_groups, security_groups, tags, engine, engine_version, .. } =
        instance_from(instance)?;
    let interval_seconds = number(instance.monitoring_interval()).filter(|seconds| *seconds > 0);
    let insights = PerformanceInsights {
        enabled: instance.performance_insights_enabled().unwrap_or(false),
        kms_key_id: text(instance.performance_insights_kms_key_id()),
        retention_days: number(instance.performance_insights_retention_period()),
    };
    Ok(Blueprint {
        instance_id: id,
        resource_id: instance.dbi_resource_id().unwrap_or_default().to_owned(),
        engine,
        engine_version,
        class,
        multi_az: instance.multi_az().unwrap_or(false),
        subnet_group: text(instance.db_subnet_group().and_then(|group| group.db_subnet_group_name())),
        security_groups,
        parameter_group: parameter_groups.into_iter().next(),
        option_group: text(
            instance.option_group_memberships().first().and_then(|group| group.option_group_name()),
        ),
        storage_type: text(instance.storage_type()),
        allocated_gib: number(instance.allocated_storage()).unwrap_or(0),
        max_allocated_gib: number(instance.max_allocated_storage()),
        iops: number(instance.iops()),
        storage_throughput: number(instance.storage_throughput()).filter(|mib| *mib > 0),
        publicly_accessible: instance.publicly_accessible().unwrap_or(false),
        port: instance.endpoint().and_then(|endpoint| u16::try_from(endpoint.port()?).ok()),
        deletion_protection: instance.deletion_protection().unwrap_or(false),
        backup_retention_days: number(instance.backup_retention_period()).unwrap_or(0),
        backup_window: text(instance.preferred_backup_window()),
        maintenance_window: text(instance.preferred_maintenance_window()),
        iam_authentication: instance.iam_database_authentication_enabled().unwrap_or(false),
        ca_certificate: text(instance.ca_certificate_identifier()),
        log_exports: instance.enabled_cloudwatch_logs_exports().to_vec(),
        performance_insights: insights.on(),
        monitoring: interval_seconds.and_then(|interval_seconds| {
            Some(Monitoring { interval_seconds, role_arn: instance.monitoring_role_arn()?.to_owned() })
        }),
        auto_minor_version_upgrade: instance.auto_minor_version_upgrade().unwrap_or(false),
        copy_tags_to_snapshot: instance.copy_tags_to_snapshot().unwrap_or(false),
        network_type: text(instance.network_type()),
        engine_lifecycle_support: text(instance.engine_lifecycle_support()),
        dedicated_log_volume: instance.dedicated_log_volume().unwrap_or(false),
        database_insights_mode: text(instance.database_insights_mode().map(DatabaseInsightsMode::as_str)),
        encrypted: instance.storage_encrypted().unwrap_or(false),
        kms_key_id: text(instance.kms_key_id()),
        master_username: instance.master_username().unwrap_or_default().to_owned(),
        attached: attached_to(instance),
        tags,
    })
}

/// What is attached to an instance.
fn attached_to(instance: &DbInstance) -> Attached {
    let roles = instance.associated_roles().iter().filter_map(|role| {
        let feature = role.feature_name().unwrap_or_default().to_owned();
        Some(FeatureRole { feature, role_arn: role.role_arn()?.to_owned() })
    });
    let features = instance.processor_features().iter();
    let features = features.filter_map(|feature| Some(format!("{}={}", feature.name()?, feature.value()?)));
    let domains = instance.domain_memberships().iter().filter_map(|member| member.domain());
    let replications = instance.db_instance_automated_backups_replications().iter();
    let clusters = instance.read_replica_db_cluster_identifiers();
    Attached {
        roles: roles.collect(),
        master_user_secret: instance
            .master_user_secret()
            .and_then(|secret| secret.secret_arn())
            .map(str::to_owned),
        domains: domains.map(str::to_owned).collect(),
        processor_features: features.collect(),
        read_replicas: [instance.read_replica_db_instance_identifiers(), clusters].concat(),
        backup_replications: replications
            .filter_map(|one| one.db_instance_automated_backups_arn().map(str::to_owned))
            .collect(),
    }
}

fn missing(field: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("RDS answered without {field}"))
}
