//! What bringing a database back needs of RDS.

use std::cmp::Reverse;

use async_trait::async_trait;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder;
use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DatabaseInsightsMode};
use aws_smithy_types::DateTime;
use holdfast_core::blueprint::Blueprint;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::operation::RecoveryPoint;
use holdfast_core::ports::{LastSettings, NewDatabase, Referred, RestoreAnswer, RestoreWindow, Restores};
use holdfast_core::rds::Instance;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

use super::convert::{blueprint_from, instance_from, operation_of, sdk_tags, timestamp};
use super::{RdsApi, busy_or, empty};
use crate::classify::{classify, code, message};

#[async_trait]
impl Restores for RdsApi {
    async fn blueprint(&self, region: &Region, id: &str) -> Result<Option<Blueprint>> {
        match self.client(region).describe_db_instances().db_instance_identifier(id).send().await {
            Ok(answer) => answer.db_instances().first().map(blueprint_from).transpose(),
            Err(error) if code(&error) == Some("DBInstanceNotFound") => Ok(None),
            Err(error) => Err(classify(&format!("DescribeDBInstances {id} in {region}"), &error)),
        }
    }

    async fn restore_windows(&self, region: &Region, database: &DatabaseId) -> Result<Vec<RestoreWindow>> {
        let asked = self
            .client(region)
            .describe_db_instance_automated_backups()
            .db_instance_identifier(database.as_str())
            .send()
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error)
                if matches!(
                    code(&error),
                    Some("DBInstanceAutomatedBackupNotFound" | "DBInstanceNotFound")
                ) =>
            {
                return Ok(vec![]);
            }
            Err(error) => {
                return Err(classify(
                    &format!("DescribeDBInstanceAutomatedBackups {database} in {region}"),
                    &error,
                ));
            }
        };
        // Of an instance that is there, and of others that had its name before and left theirs.
        let windows = answer.db_instance_automated_backups().iter().filter_map(|backup| {
            let window = backup.restore_window()?;
            Some(RestoreWindow {
                resource_id: backup.dbi_resource_id()?.to_owned(),
                operation: operation_of(backup.tag_list()),
                earliest: timestamp(window.earliest_time()?)?,
                latest: timestamp(window.latest_time()?)?,
            })
        });
        let mut windows: Vec<RestoreWindow> = windows.collect();
        windows.sort_by_key(|window| Reverse(window.latest));
        Ok(windows)
    }

    async fn problem_with(&self, region: &Region, referred: &Referred) -> Result<Option<String>> {
        match referred {
            Referred::SubnetGroup(name) => self.subnet_group(region, name).await,
            Referred::ParameterGroup { name, family } => {
                self.parameter_group(region, name, family.as_deref()).await
            }
            Referred::OptionGroup { name, engine, major_version } => {
                self.option_group(region, name, engine, major_version.as_deref()).await
            }
            Referred::Certificate(name) => self.certificate(region, name).await,
            Referred::Class { class, engine, version } => self.class(region, class, engine, version).await,
        }
    }

    async fn subnet_group_vpc(&self, region: &Region, name: &str) -> Result<Option<String>> {
        let action = format!("DescribeDBSubnetGroups {name} in {region}");
        match self.client(region).describe_db_subnet_groups().db_subnet_group_name(name).send().await {
            Ok(answer) => {
                let group = answer.db_subnet_groups().first();
                let vpc = group.and_then(|group| group.vpc_id()).ok_or_else(|| empty(&action))?;
                Ok(Some(vpc.to_owned()))
            }
            Err(error) if code(&error) == Some("DBSubnetGroupNotFoundFault") => Ok(None),
            Err(error) => Err(classify(&action, &error)),
        }
    }

    async fn restore_database(&self, region: &Region, new: &NewDatabase) -> Result<RestoreAnswer> {
        match &new.from {
            RecoveryPoint::Snapshot { id, .. } => self.restore_from_snapshot(region, new, id).await,
            RecoveryPoint::PointInTime { resource_id, time, .. } => {
                self.restore_to_point_in_time(region, new, resource_id, *time).await
            }
        }
    }

    async fn settle(
        &self,
        region: &Region,
        id: &str,
        settings: &Blueprint,
        which: LastSettings,
    ) -> Result<()> {
        let Some(call) = last_settings(
            self.client(region).modify_db_instance().db_instance_identifier(id).apply_immediately(true),
            settings,
            which,
        ) else {
            return Ok(());
        };
        let action = format!("ModifyDBInstance {id} in {region}");
        call.send().await.map_err(|error| busy_or(&action, &error))?;
        Ok(())
    }
}

/// What these settings ask of a call; nothing where there is nothing to set.
fn last_settings(
    mut call: ModifyDBInstanceFluentBuilder,
    settings: &Blueprint,
    which: LastSettings,
) -> Option<ModifyDBInstanceFluentBuilder> {
    let number = |number: u32| i32::try_from(number).ok();
    // Performance Insights that are on by themselves are switched off.
    let mut asks = which.include(LastSettings::Insights);
    if asks {
        let insights = settings.performance_insights.as_ref();
        call = call
            .enable_performance_insights(insights.is_some())
            .set_performance_insights_kms_key_id(insights.and_then(|insights| insights.kms_key_id.clone()))
            .set_performance_insights_retention_period(
                insights.and_then(|insights| insights.retention_days).and_then(number),
            )
            .set_database_insights_mode(
                settings.database_insights_mode.as_deref().map(DatabaseInsightsMode::from),
            );
    }
    if let Some(gib) = settings.max_allocated_gib.filter(|_| which.include(LastSettings::Storage)) {
        call = call.set_max_allocated_storage(number(gib));
        asks = true;
    }
    if let Some(on) = settings.monitoring.as_ref().filter(|_| which.include(LastSettings::Monitoring)) {
        call = call.set_monitoring_interval(number(on.interval_seconds)).monitoring_role_arn(&on.role_arn);
        asks = true;
    }
    if !settings.log_exports.is_empty() && which.include(LastSettings::Logs) {
        call = call.cloudwatch_logs_export_configuration(
            CloudwatchLogsExportConfiguration::builder()
                .set_enable_log_types(Some(settings.log_exports.clone()))
                .build(),
        );
        asks = true;
    }
    let window =
        settings.maintenance_window.as_ref().filter(|_| which.include(LastSettings::MaintenanceWindow));
    if let Some(window) = window {
        call = call.preferred_maintenance_window(window);
        asks = true;
    }
    asks.then_some(call)
}

/// The settings that both ways to restore take, on either's builder.
macro_rules! with_settings {
    ($call:expr, $new:expr) => {{
        let settings = &$new.settings;
        $call
            .db_instance_class(&$new.class)
            .multi_az(settings.multi_az)
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids(
                Some(settings.security_groups.clone()).filter(|groups| !groups.is_empty()),
            )
            .set_db_parameter_group_name(settings.parameter_group.clone())
            .set_option_group_name(settings.option_group.clone())
            .set_storage_type(settings.storage_type.clone())
            .set_iops(settings.iops.and_then(|iops| i32::try_from(iops).ok()))
            .set_storage_throughput(settings.storage_throughput.and_then(|mib| i32::try_from(mib).ok()))
            .publicly_accessible(settings.publicly_accessible)
            .set_port(settings.port.map(i32::from))
            .set_backup_retention_period(i32::try_from(settings.backup_retention_days).ok())
            .set_preferred_backup_window(settings.backup_window.clone())
            .enable_iam_database_authentication(settings.iam_authentication)
            .set_ca_certificate_identifier(settings.ca_certificate.clone())
            .set_enable_cloudwatch_logs_exports(
                Some(settings.log_exports.clone()).filter(|logs| !logs.is_empty()),
            )
            .auto_minor_version_upgrade(settings.auto_minor_version_upgrade)
            .copy_tags_to_snapshot(settings.copy_tags_to_snapshot)
            .deletion_protection(settings.deletion_protection)
            .set_network_type(settings.network_type.clone())
            .set_engine_lifecycle_support(settings.engine_lifecycle_support.clone())
            .set_dedicated_log_volume(settings.dedicated_log_volume.then_some(true))
            .set_allocated_storage($new.allocated_storage.and_then(|gib| i32::try_from(gib).ok()))
            .set_tags(Some(sdk_tags(&settings.tags)))
    }};
}

impl RdsApi {
    async fn restore_from_snapshot(
        &self,
        region: &Region,
        new: &NewDatabase,
        snapshot: &str,
    ) -> Result<RestoreAnswer> {
        let call = self
            .client(region)
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(new.id.as_str())
            .db_snapshot_identifier(snapshot);
        let action = format!("RestoreDBInstanceFromDBSnapshot {snapshot} to {} in {region}", new.id);
        match with_settings!(call, new).send().await {
            Ok(answer) => started(answer.db_instance().map(instance_from), &action),
            Err(error) => refused(&action, &error),
        }
    }

    async fn restore_to_point_in_time(
        &self,
        region: &Region,
        new: &NewDatabase,
        resource_id: &str,
        time: Option<Timestamp>,
    ) -> Result<RestoreAnswer> {
        let time = time.map(|time| {
            DateTime::from_secs_and_nanos(time.as_second(), time.subsec_nanosecond().unsigned_abs())
        });
        let call = self
            .client(region)
            .restore_db_instance_to_point_in_time()
            .target_db_instance_identifier(new.id.as_str())
            .source_dbi_resource_id(resource_id)
            .use_latest_restorable_time(time.is_none())
            .set_restore_time(time);
        let action = format!("RestoreDBInstanceToPointInTime {} in {region}", new.id);
        match with_settings!(call, new).send().await {
            Ok(answer) => started(answer.db_instance().map(instance_from), &action),
            Err(error) => refused(&action, &error),
        }
    }

    async fn subnet_group(&self, region: &Region, name: &str) -> Result<Option<String>> {
        let asked = self.client(region).describe_db_subnet_groups().db_subnet_group_name(name).send().await;
        missing(
            asked,
            "DBSubnetGroupNotFoundFault",
            &format!("DescribeDBSubnetGroups {name} in {region}"),
            || "is not there: make it, or name another with --subnet-group (options.subnetGroup)".to_owned(),
        )
    }

    async fn parameter_group(
        &self,
        region: &Region,
        name: &str,
        family: Option<&str>,
    ) -> Result<Option<String>> {
        let action = format!("DescribeDBParameterGroups {name} in {region}");
        let asked =
            self.client(region).describe_db_parameter_groups().db_parameter_group_name(name).send().await;
        if let Ok(answer) = &asked
            && let Some(group) = answer.db_parameter_groups().first()
            && let Some(family) = family
            && let Some(other) = group.db_parameter_group_family().filter(|found| *found != family)
        {
            return Ok(Some(format!(
                "is for {other} and this is {family}: name another with --parameter-group (options.parameterGroup)"
            )));
        }
        missing(asked, "DBParameterGroupNotFound", &action, || {
            "is not there: make it with the same parameters, or name another with --parameter-group (options.parameterGroup)"
                .to_owned()
        })
    }

    async fn option_group(
        &self,
        region: &Region,
        name: &str,
        engine: &str,
        major_version: Option<&str>,
    ) -> Result<Option<String>> {
        let asked = self.client(region).describe_option_groups().option_group_name(name).send().await;
        if let Ok(answer) = &asked
            && let Some(group) = answer.option_groups_list().first()
            && let (Some(of), Some(version)) = (group.engine_name(), group.major_engine_version())
            && (of != engine || major_version.is_some_and(|major| major != version))
        {
            return Ok(Some(format!(
                "is for {of} {version} and this is {engine} {}: name another with --option-group (options.optionGroup)",
                major_version.unwrap_or_default()
            )));
        }
        missing(
            asked,
            "OptionGroupNotFoundFault",
            &format!("DescribeOptionGroups {name} in {region}"),
            || "is not there: make it, or name another with --option-group (options.optionGroup)".to_owned(),
        )
    }

    async fn certificate(&self, region: &Region, name: &str) -> Result<Option<String>> {
        let asked = self.client(region).describe_certificates().certificate_identifier(name).send().await;
        missing(asked, "CertificateNotFound", &format!("DescribeCertificates {name} in {region}"), || {
            "is not known there: name another with options.caCertificate (--input)".to_owned()
        })
    }

    async fn class(
        &self,
        region: &Region,
        class: &str,
        engine: &str,
        version: &str,
    ) -> Result<Option<String>> {
        let answer = self
            .client(region)
            .describe_orderable_db_instance_options()
            .engine(engine)
            .engine_version(version)
            .db_instance_class(class)
            .send()
            .await
            .map_err(|error| {
                classify(&format!("DescribeOrderableDBInstanceOptions {class} in {region}"), &error)
            })?;
        let offered = !answer.orderable_db_instance_options().is_empty();
        Ok((!offered).then(|| {
            format!(
                "is not offered for {engine} {version}: name others with --class (options.instanceClasses)"
            )
        }))
    }
}

/// Whether RDS knows it: one code means that it does not.
fn missing<T, E>(
    asked: std::result::Result<T, SdkError<E>>,
    not_found: &str,
    action: &str,
    problem: impl FnOnce() -> String,
) -> Result<Option<String>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match asked {
        Ok(_) => Ok(None),
        Err(error) if code(&error) == Some(not_found) => Ok(Some(problem())),
        Err(error) => Err(classify(action, &error)),
    }
}

fn started(made: Option<Result<Instance>>, action: &str) -> Result<RestoreAnswer> {
    Ok(RestoreAnswer::Started(Box::new(made.ok_or_else(|| empty(action))??)))
}

/// Reads why a restore was not started.
fn refused<E>(action: &str, error: &SdkError<E>) -> Result<RestoreAnswer>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let said = format!("{action}: {}", message(error));
    let kind = match code(error) {
        Some("DBInstanceAlreadyExists") => return Ok(RestoreAnswer::AlreadyThere),
        // The zones of the subnet group have no such volumes left, which is no other than having no such machine.
        Some("InsufficientDBInstanceCapacity" | "ProvisionedIopsNotAvailableInAZFault") => {
            return Ok(RestoreAnswer::NoCapacity);
        }
        // Another class needs as much of it.
        Some("InstanceQuotaExceeded" | "StorageQuotaExceeded") => ErrorKind::InstanceQuotaExceeded,
        // A class that this engine version or zone does not have: the next on the list may be one it has.
        Some("InvalidParameterCombination" | "InvalidParameterValue")
            if message(error).to_ascii_lowercase().contains("class") =>
        {
            return Ok(RestoreAnswer::NoCapacity);
        }
        Some(
            "InvalidDBSnapshotState" | "InvalidDBInstanceState" | "InvalidDBInstanceAutomatedBackupState",
        ) => {
            return Ok(RestoreAnswer::NotYet);
        }
        Some("DBSnapshotNotFound") => ErrorKind::SnapshotGone,
        Some("DBInstanceNotFound" | "DBInstanceAutomatedBackupNotFound" | "PointInTimeRestoreNotEnabled") => {
            ErrorKind::RecoveryPointNotFound
        }
        Some("InvalidRestoreFault") => ErrorKind::OutsideRestoreWindow,
        Some(
            "DBSubnetGroupNotFoundFault"
            | "DBParameterGroupNotFound"
            | "OptionGroupNotFoundFault"
            | "CertificateNotFound"
            | "InvalidSubnet"
            | "InvalidVPCNetworkStateFault"
            | "DBSubnetGroupDoesNotCoverEnoughAZs"
            | "DomainNotFoundFault"
            | "NetworkTypeNotSupported"
            | "StorageTypeNotSupported"
            | "DBSecurityGroupNotFound",
        ) => ErrorKind::ReferenceUnresolved,
        Some("KMSKeyNotAccessibleFault") => ErrorKind::KeyUnusable,
        // Settings that do not go together, or not with this recovery point: RDS's own words say which.
        Some("InvalidParameterCombination" | "InvalidParameterValue") => ErrorKind::ReferenceUnresolved,
        _ => return Err(classify(action, error)),
    };
    Err(Error::new(kind, said))
}
