//! Instances, snapshots and groups as elements of an answer.

use crate::names::{Arn, Kind};
use crate::state::{Instance, InstanceStatus, ParameterGroup, Pending, Snapshot, SubnetGroup};
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
        .text("PreferredBackupWindow", "03:00-03:30")
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
        .element("DBSubnetGroup", |xml| subnet_group_of(xml, &found.subnet_group))
        .text("PreferredMaintenanceWindow", "sun:04:00-sun:04:30");
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
            .maybe("MultiAZ", pending.multi_az);
    });
}

fn placement(xml: &mut Xml, found: &Instance) {
    xml.text("MultiAZ", found.multi_az)
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
        .text("CACertificateIdentifier", "rds-ca-rsa2048-g1")
        .element("DomainMemberships", |_| {})
        .text("CopyTagsToSnapshot", found.copy_tags)
        .text("MonitoringInterval", 0)
        .text("DBInstanceArn", &found.arn)
        .text("IAMDatabaseAuthenticationEnabled", false)
        .text("PerformanceInsightsEnabled", false)
        .text("DeletionProtection", found.deletion_protection)
        .element("AssociatedRoles", |_| {})
        .text("CustomerOwnedIpEnabled", false)
        .text("NetworkType", "IPV4")
        .text("BackupTarget", "region")
        .element("CertificateDetails", |xml| {
            xml.text("CAIdentifier", "rds-ca-rsa2048-g1");
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
        .text("VpcId", "vpc-local")
        .text("InstanceCreateTime", time(found.created))
        .text("MasterUsername", &found.master_user)
        .text("Engine", "postgres")
        .text("EngineVersion", &found.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("OptionGroupName", &found.option_group)
        .text("Encrypted", found.encrypted)
        .text("StorageType", &found.storage_type)
        .maybe("KmsKeyId", found.kms_key.as_deref())
        .text("IAMDatabaseAuthenticationEnabled", false)
        .text("BackupRetentionPeriod", found.backup_retention)
        .text("PreferredBackupWindow", "03:00-03:30")
        .text("DBInstanceAutomatedBackupsArn", arn)
        .text("BackupTarget", "region")
        .tags(&found.tags)
        .text("DedicatedLogVolume", false);
}

fn subnet_group_of(xml: &mut Xml, name: &str) {
    xml.text("DBSubnetGroupName", name)
        .text("DBSubnetGroupDescription", name)
        .text("VpcId", "vpc-local")
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
        .text("VpcId", "vpc-local")
        .text("InstanceCreateTime", time(found.instance_created))
        .text("MasterUsername", &found.master_user)
        .text("EngineVersion", &found.engine_version)
        .text("LicenseModel", "postgresql-license")
        .text("SnapshotType", "manual")
        .text("OptionGroupName", &found.option_group)
        .text("PercentProgress", found.percent());
    if let Some(origin) = &found.origin {
        xml.text("SourceRegion", &origin.region).text("SourceDBSnapshotIdentifier", &origin.arn);
    }
    xml.text("StorageType", &found.storage_type)
        .text("Encrypted", found.encrypted)
        .maybe("KmsKeyId", found.kms_key.as_deref())
        .text("DBSnapshotArn", &found.arn)
        .text("IAMDatabaseAuthenticationEnabled", false)
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

pub(crate) fn subnet_group(xml: &mut Xml, found: &SubnetGroup) {
    xml.text("DBSubnetGroupName", &found.arn.id)
        .text("DBSubnetGroupDescription", &found.description)
        .text("VpcId", "vpc-local")
        .text("SubnetGroupStatus", "Complete")
        .list("Subnets", "Subnet", &found.subnets, |xml, subnet| {
            xml.text("SubnetIdentifier", subnet).text("SubnetStatus", "Active");
        })
        .text("DBSubnetGroupArn", &found.arn);
}
