//! Instances, snapshots and groups as elements of an answer.

use crate::names::{Arn, Kind};
use crate::state::{
    Instance, InstanceStatus, OptionGroup, ParameterGroup, Pending, Snapshot, SubnetGroup, performance,
};
use crate::wire::Xml;

/// Times as RDS writes them: milliseconds, `Z`.
fn time(timestamp: jiff::Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The same, never earlier than the time itself.
fn time_after(timestamp: jiff::Timestamp) -> String {
    let next = jiff::SignedDuration::from_micros(999);
    time(timestamp.checked_add(next).unwrap_or(timestamp))
}

fn has_endpoint(status: &InstanceStatus) -> bool {
    !matches!(status, InstanceStatus::Creating | InstanceStatus::Ended(_))
}

pub(crate) fn instance(xml: &mut Xml, found: &Instance) {
    xml.text("DBInstanceIdentifier", &found.arn.id)
        .text("DBInstanceClass", &found.class)
        .text("Engine", "postgres")
        .text("DBInstanceStatus", &found.status)
        .text("MasterUsername", &found.master_user)
        .maybe("DBName", found.database.as_deref());
    if has_endpoint(&found.status) {
        xml.element("Endpoint", |xml| {
            xml.text("Address", "localhost").text("Port", found.port).text("HostedZoneId", "ZLOCAL");
        });
        xml.text("InstanceCreateTime", time(found.created));
        let window = found.backup.as_ref().and_then(|backup| backup.window);
        xml.maybe("LatestRestorableTime", window.map(|(_, latest)| time(latest)));
    }
    xml.text("AllocatedStorage", found.allocated_storage)
        .text("PreferredBackupWindow", &found.options.backup_window)
        .text("BackupRetentionPeriod", found.backup_retention)
        .element("DBSecurityGroups", |_| {})
        .list("VpcSecurityGroups", "VpcSecurityGroupMembership", &found.security_groups, |xml, group| {
            xml.text("VpcSecurityGroupId", group).text("Status", "active");
        })
        .element("DBParameterGroups", |xml| {
            xml.element("DBParameterGroup", |xml| {
                xml.text("DBParameterGroupName", &found.parameter_group);
                xml.text("ParameterApplyStatus", found.parameter_status);
            });
        })
        .text("AvailabilityZone", &found.availability_zone)
        .element("DBSubnetGroup", |xml| subnet_group_of(xml, found))
        .text("PreferredMaintenanceWindow", &found.options.maintenance_window);
    pending(xml, &found.pending);
    placement(xml, found);
    xml.tags(&found.tags);
}

fn pending(xml: &mut Xml, pending: &Pending) {
    xml.element("PendingModifiedValues", |xml| {
        xml.maybe("DBInstanceClass", pending.class.as_deref())
            .maybe("AllocatedStorage", pending.allocated_storage)
            .maybe("DBInstanceIdentifier", pending.identifier.as_deref())
            .maybe("MasterUserPassword", pending.password.then_some("****"))
            .maybe("BackupRetentionPeriod", pending.backup_retention)
            .maybe("MultiAZ", pending.multi_az)
            .maybe("StorageType", pending.storage_type.as_deref())
            .maybe("Iops", pending.iops)
            .maybe("StorageThroughput", pending.storage_throughput);
    });
}

fn placement(xml: &mut Xml, found: &Instance) {
    let options = &found.options;
    let (iops, throughput) = found.performance();
    let zone = &found.availability_zone;
    let second = if zone.ends_with('a') { "b" } else { "a" };
    let second = format!("{}{second}", &zone[..zone.len().saturating_sub(1)]);
    xml.text("MultiAZ", found.multi_az)
        .maybe("SecondaryAvailabilityZone", found.multi_az.then_some(second))
        .maybe("Iops", iops)
        .maybe("StorageThroughput", throughput)
        .maybe("MaxAllocatedStorage", options.max_allocated_storage)
        .text("EngineVersion", &found.engine_version)
        .text("AutoMinorVersionUpgrade", found.auto_minor_upgrade)
        .element("ReadReplicaDBInstanceIdentifiers", |_| {})
        .text("LicenseModel", "postgresql-license")
        .element("OptionGroupMemberships", |xml| {
            xml.element("OptionGroupMembership", |xml| {
                xml.text("OptionGroupName", &found.option_group).text("Status", "in-sync");
            });
        })
        .text("PubliclyAccessible", found.public)
        .text("StorageType", &found.storage_type)
        .text("DbInstancePort", 0)
        .text("StorageEncrypted", found.encrypted)
        .maybe("KmsKeyId", found.kms_key.as_deref())
        .text("DbiResourceId", &found.resource_id)
        .text("CACertificateIdentifier", &options.certificate)
        .element("DomainMemberships", |_| {})
        .text("CopyTagsToSnapshot", found.copy_tags)
        .text("MonitoringInterval", options.monitoring.as_ref().map_or(0, |on| on.interval))
        .maybe("MonitoringRoleArn", options.monitoring.as_ref().map(|on| &on.role))
        .text("DBInstanceArn", &found.arn)
        .text("IAMDatabaseAuthenticationEnabled", options.iam_authentication)
        .text("PerformanceInsightsEnabled", options.insights.is_some())
        .maybe("PerformanceInsightsKMSKeyId", options.insights.as_ref().map(|on| &on.key))
        .maybe("PerformanceInsightsRetentionPeriod", options.insights.as_ref().map(|on| on.retention))
        .list("EnabledCloudwatchLogsExports", "member", &options.log_exports, |xml, name| {
            xml.inner(name);
        })
        .text("DeletionProtection", found.deletion_protection)
        .element("AssociatedRoles", |_| {})
        .text("CustomerOwnedIpEnabled", false)
        .text("NetworkType", "IPV4")
        .text("BackupTarget", "region")
        .element("CertificateDetails", |xml| {
            xml.text("CAIdentifier", &options.certificate);
        })
        .text("DedicatedLogVolume", false);
}

/// The automated backups of an instance, one that is gone among them.
pub(crate) fn automated_backup(xml: &mut Xml, found: &Instance) {
    let Some(backup) = &found.backup else { return };
    let arn = Arn { kind: Kind::AutomatedBackup, id: backup.id.clone(), ..found.arn.clone() };
    xml.text("DBInstanceArn", &found.arn)
        .text("DbiResourceId", &found.resource_id)
        .text("Region", &found.arn.region)
        .text("DBInstanceIdentifier", &found.arn.id)
        .element("RestoreWindow", |xml| {
            if let Some((earliest, latest)) = backup.window {
                xml.text("EarliestTime", time_after(earliest)).text("LatestTime", time(latest));
            }
        })
        .text("AllocatedStorage", found.allocated_storage)
        .text("Status", backup.status())
        .text("Port", found.port)
        .text("AvailabilityZone", &found.availability_zone)
        .text("VpcId", &found.vpc)
        .text("InstanceCreateTime", time(found.created))
        .text("MasterUsername", &found.master_user)
        .text("Engine", "postgres")
        .text("EngineVersion", &found.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("OptionGroupName", &found.option_group)
        .maybe("Iops", found.performance().0)
        .maybe("StorageThroughput", found.performance().1)
        .text("Encrypted", found.encrypted)
        .text("StorageType", &found.storage_type)
        .maybe("KmsKeyId", found.kms_key.as_deref())
        .text("IAMDatabaseAuthenticationEnabled", found.options.iam_authentication)
        .text("BackupRetentionPeriod", found.backup_retention)
        .text("PreferredBackupWindow", &found.options.backup_window)
        .text("DBInstanceAutomatedBackupsArn", arn)
        .text("BackupTarget", "region")
        .tags(&found.tags)
        .text("DedicatedLogVolume", false);
}

fn subnet_group_of(xml: &mut Xml, found: &Instance) {
    xml.text("DBSubnetGroupName", &found.subnet_group)
        .text("DBSubnetGroupDescription", &found.subnet_group)
        .text("VpcId", &found.vpc)
        .text("SubnetGroupStatus", "Complete")
        .element("Subnets", |_| {});
}

pub(crate) fn snapshot(xml: &mut Xml, found: &Snapshot) {
    xml.text("DBSnapshotIdentifier", &found.arn.id)
        .text("DBInstanceIdentifier", &found.instance)
        .maybe("SnapshotCreateTime", found.created.map(time))
        .maybe("OriginalSnapshotCreateTime", found.original_created.map(time))
        .text("Engine", "postgres")
        .text("AllocatedStorage", found.allocated_storage)
        .text("Status", found.status)
        .text("Port", found.port)
        .text("AvailabilityZone", &found.availability_zone)
        .text("InstanceCreateTime", time(found.instance_created))
        .text("MasterUsername", &found.master_user)
        .text("EngineVersion", &found.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("SnapshotType", "manual")
        .text("OptionGroupName", &found.option_group)
        .text("PercentProgress", found.percent());
    if let Some(origin) = &found.origin {
        // "It only has a value in the case of a cross-account or cross-Region copy" (API Reference, DBSnapshot).
        let elsewhere = origin.region != found.arn.region;
        xml.text("SourceRegion", &origin.region)
            .maybe("SourceDBSnapshotIdentifier", elsewhere.then_some(&origin.arn));
    }
    let (iops, throughput) = performance(&found.storage_type, found.allocated_storage, found.performance);
    xml.text("StorageType", &found.storage_type)
        .maybe("Iops", iops)
        .maybe("StorageThroughput", throughput)
        .text("Encrypted", found.encrypted)
        .maybe("KmsKeyId", found.kms_key.as_deref())
        .text("DBSnapshotArn", &found.arn)
        .text("IAMDatabaseAuthenticationEnabled", found.iam_authentication)
        .text("BackupRetentionPeriod", found.backup_retention)
        .text("PreferredBackupWindow", &found.backup_window)
        .element("ProcessorFeatures", |_| {})
        .text("DbiResourceId", &found.instance_resource_id)
        .tags(&found.tags)
        .text("SnapshotTarget", "region")
        .text("DedicatedLogVolume", false);
}

pub(crate) fn parameter_group(xml: &mut Xml, found: &ParameterGroup) {
    xml.text("DBParameterGroupName", &found.arn.id)
        .text("DBParameterGroupFamily", &found.family)
        .text("Description", &found.description)
        .text("DBParameterGroupArn", &found.arn);
}

pub(crate) fn option_group(xml: &mut Xml, found: &OptionGroup) {
    xml.text("OptionGroupName", &found.arn.id)
        .text("OptionGroupDescription", &found.description)
        .text("EngineName", "postgres")
        .text("MajorEngineVersion", &found.major)
        .element("Options", |_| {})
        .text("AllowsVpcAndNonVpcInstanceMemberships", true)
        .text("OptionGroupArn", &found.arn);
}

pub(crate) fn subnet_group(xml: &mut Xml, found: &SubnetGroup) {
    xml.text("DBSubnetGroupName", &found.arn.id)
        .text("DBSubnetGroupDescription", &found.description)
        .text("VpcId", &found.vpc)
        .text("SubnetGroupStatus", "Complete")
        .list("Subnets", "Subnet", &found.subnets, |xml, subnet| {
            xml.text("SubnetIdentifier", subnet).text("SubnetStatus", "Active");
        })
        .text("DBSubnetGroupArn", &found.arn);
}
