//! What an instance was made with, so that it can be made again.
//!
//! A snapshot holds the data, the storage and the master user. Class, network, groups, Multi-AZ, backups, logs and
//! everything else are the instance's and are gone with it: `RestoreDBInstanceFromDBSnapshot` takes the default security
//! group, the default parameter group and a single zone unless told otherwise. So every backup keeps them beside it.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ids::OperationId;
use crate::ports::{Documents, Referred};
use crate::rds::{Snapshot, parameter_group_family};
use crate::request::{Login, PerformanceInsights, RestoreOptions};
use crate::tags::{self, Tags};

mod attached;
mod compared;

pub use attached::{Attached, FeatureRole};
pub use compared::Difference;

/// The settings of an instance, as `DescribeDBInstances` gave them at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blueprint {
    /// `DBInstanceIdentifier`.
    pub instance_id: String,
    /// `DbiResourceId`: stays the same when the instance is renamed, and names its automated backups when it is gone.
    pub resource_id: String,
    /// `postgres`, ...
    pub engine: String,
    /// `15.4`.
    pub engine_version: String,
    /// `DBInstanceClass`.
    pub class: String,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// `DBSubnetGroupName`.
    pub subnet_group: Option<String>,
    /// Ids of VPC security groups.
    pub security_groups: Vec<String>,
    /// `DBParameterGroupName`.
    pub parameter_group: Option<String>,
    /// `OptionGroupName`.
    pub option_group: Option<String>,
    /// `gp3`, `io2`, ...
    pub storage_type: Option<String>,
    /// GiB.
    pub allocated_gib: u32,
    /// GiB up to which storage grows by itself.
    pub max_allocated_gib: Option<u32>,
    /// Provisioned IOPS.
    pub iops: Option<u32>,
    /// MiB per second, of gp3.
    pub storage_throughput: Option<u32>,
    /// Whether it had a public address.
    pub publicly_accessible: bool,
    /// Where it listened.
    pub port: Option<u16>,
    /// Whether it could not be deleted.
    pub deletion_protection: bool,
    /// Days of automated backups.
    pub backup_retention_days: u32,
    /// `PreferredBackupWindow`, UTC.
    pub backup_window: Option<String>,
    /// `PreferredMaintenanceWindow`, UTC.
    pub maintenance_window: Option<String>,
    /// Whether IAM tokens are passwords.
    pub iam_authentication: bool,
    /// `CACertificateIdentifier`.
    pub ca_certificate: Option<String>,
    /// Logs that go to CloudWatch.
    pub log_exports: Vec<String>,
    /// Performance Insights; `None` when they were off.
    pub performance_insights: Option<PerformanceInsights>,
    /// Enhanced Monitoring; `None` when it was off.
    pub monitoring: Option<Monitoring>,
    /// Whether minor versions came by themselves.
    pub auto_minor_version_upgrade: bool,
    /// Whether its tags went to its snapshots.
    pub copy_tags_to_snapshot: bool,
    /// `NetworkType`: `IPV4` or `DUAL`.
    #[serde(default)]
    pub network_type: Option<String>,
    /// `EngineLifecycleSupport`: whether it goes on, for a fee, after the end of its version's standard support. RDS says yes of
    /// whoever says nothing.
    #[serde(default)]
    pub engine_lifecycle_support: Option<String>,
    /// Whether its log had a volume of its own.
    #[serde(default)]
    pub dedicated_log_volume: bool,
    /// `DatabaseInsightsMode`: `standard` or `advanced`.
    #[serde(default)]
    pub database_insights_mode: Option<String>,
    /// Whether its storage was encrypted.
    pub encrypted: bool,
    /// The key.
    pub kms_key_id: Option<String>,
    /// Master user.
    pub master_username: String,
    /// What it had beside itself.
    #[serde(default)]
    pub attached: Attached,
    /// Its tags.
    pub tags: Tags,
}

/// Enhanced Monitoring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Seconds between two looks.
    pub interval_seconds: u32,
    /// The role that writes them down.
    pub role_arn: String,
}

/// A blueprint as it lies beside a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptBlueprint {
    /// What the source was made with when its backup began.
    pub blueprint: Blueprint,
    /// How the backup logged in to the source, where it did: what is restored lets the same user in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login: Option<Login>,
}

/// Backups that are asked for a login, the newest first: each is a document to be read.
const ASKED_FOR_A_LOGIN: usize = 20;

/// The login of the newest backup that was taken with one. `backups`: the newest first.
///
/// # Errors
/// What reading a blueprint met.
pub async fn known_login(documents: &impl Documents, backups: &[OperationId]) -> Result<Option<Login>> {
    for backup in backups.iter().take(ASKED_FOR_A_LOGIN) {
        let kept: Option<KeptBlueprint> = documents.get(&backup.blueprint_key()).await?;
        if let Some(login) = kept.and_then(|kept| kept.login) {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

/// The backups of Holdfast's that these are snapshots of, the newest first: each may have a blueprint beside it.
pub fn own_backups(snapshots: &[Snapshot]) -> Vec<OperationId> {
    let mut snapshots: Vec<&Snapshot> = snapshots.iter().collect();
    snapshots.sort_by_key(|snapshot| Reverse((snapshot.taken_at, snapshot.id.clone())));
    let operation = |snapshot: &Snapshot| OperationId::parse(snapshot.tags.get(tags::OPERATION)?).ok();
    snapshots.into_iter().filter_map(operation).collect()
}

/// What is to be made: the blueprint, with what the input says instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// Classes to try, in order, until one has capacity.
    pub instance_classes: Vec<String>,
    /// GiB of storage, where more is asked for than the recovery point has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allocated_storage: Option<u32>,
    /// Everything else, as in a blueprint; the class in it is the first to try.
    #[serde(flatten)]
    pub settings: Blueprint,
}

impl Wanted {
    /// The key that Performance Insights are to have, where it is named.
    pub fn insights_key(&self) -> Option<&str> {
        self.settings.performance_insights.as_ref()?.kms_key_id.as_deref()
    }

    /// The role that Enhanced Monitoring is to have, where it is on.
    pub fn monitoring_role(&self) -> Option<&str> {
        Some(self.settings.monitoring.as_ref()?.role_arn.as_str())
    }

    /// What RDS itself knows of what an instance refers to, in the order in which a person would look.
    pub fn referred(&self) -> Vec<Referred> {
        let settings = &self.settings;
        let (engine, version) = (&settings.engine, &settings.engine_version);
        let family = settings.family();
        let mut all: Vec<Referred> = Vec::new();
        all.extend(settings.subnet_group.clone().map(Referred::SubnetGroup));
        let major_version = family.as_ref().and_then(|family| family.strip_prefix(engine.as_str()));
        let option_group = settings.option_group.clone().map(|name| Referred::OptionGroup {
            name,
            engine: engine.clone(),
            major_version: major_version.map(str::to_owned),
        });
        all.extend(settings.parameter_group.clone().map(|name| Referred::ParameterGroup { name, family }));
        all.extend(option_group);
        all.extend(settings.ca_certificate.clone().map(Referred::Certificate));
        all.extend(self.instance_classes.iter().map(|class| Referred::Class {
            class: class.clone(),
            engine: engine.clone(),
            version: version.clone(),
        }));
        all
    }
}

impl Blueprint {
    /// What is to be made of it. Publicly accessible it is only when the input says so: a restored copy of production
    /// that anybody can reach is worse than one that somebody has to open. Its zone is not asked for: it may be the one that is lost.
    pub fn wanted(&self, asked: &RestoreOptions, own: &Tags) -> Wanted {
        let or = |asked: &Option<String>, had: &Option<String>| asked.clone().or_else(|| had.clone());
        let instance_classes = if asked.instance_classes.is_empty() {
            vec![self.class.clone()]
        } else {
            asked.instance_classes.clone()
        };
        let mut tags = self.tags.clone();
        tags.retain(|key, _| !tags::is_reserved(key));
        tags.extend(asked.tags.clone());
        tags.extend(own.clone());
        let storage_type = or(&asked.storage_type, &self.storage_type);
        let gib = asked.allocated_storage.unwrap_or(self.allocated_gib).max(self.allocated_gib);
        let least = self.least_provisioned(storage_type.as_deref(), gib);
        let settings = Blueprint {
            class: instance_classes[0].clone(),
            multi_az: asked.multi_az.unwrap_or(self.multi_az),
            subnet_group: or(&asked.subnet_group, &self.subnet_group),
            security_groups: asked.security_groups.clone().unwrap_or_else(|| self.security_groups.clone()),
            parameter_group: or(&asked.parameter_group, &self.parameter_group),
            option_group: or(&asked.option_group, &self.option_group),
            storage_type,
            iops: asked.iops.or(self.iops.filter(|iops| least.is_some_and(|least| *iops >= least.0))),
            storage_throughput: asked
                .storage_throughput
                .or(self.storage_throughput.filter(|mib| least.is_some_and(|least| *mib >= least.1))),
            publicly_accessible: asked.publicly_accessible.unwrap_or(false),
            port: asked.port.or(self.port),
            deletion_protection: asked.deletion_protection.unwrap_or(self.deletion_protection),
            backup_retention_days: asked.backup_retention_days.unwrap_or(self.backup_retention_days),
            iam_authentication: asked.iam_authentication.unwrap_or(self.iam_authentication),
            ca_certificate: or(&asked.ca_certificate, &self.ca_certificate),
            log_exports: asked.log_exports.clone().unwrap_or_else(|| self.log_exports.clone()),
            performance_insights: match &asked.performance_insights {
                Some(asked) => asked.clone().on(),
                None => self.performance_insights.clone(),
            },
            monitoring: match &asked.monitoring {
                Some(asked) => asked.clone().on(),
                None => self.monitoring.clone(),
            },
            // Advanced needs Performance Insights of its own kind: whoever names others takes what goes with them.
            database_insights_mode: self
                .database_insights_mode
                .clone()
                .filter(|_| asked.performance_insights.is_none()),
            tags,
            ..self.clone()
        };
        Wanted { instance_classes, allocated_storage: asked.allocated_storage, settings }
    }

    /// The least IOPS and MiB per second that RDS lets itself be told; `None` where it takes none. It describes those that a small
    /// gp3 volume has anyway, and refuses to be told them, of a small one and of a large one (Amazon RDS User Guide, "gp3
    /// storage": large is 400 GiB, of Oracle 200; SQL Server makes no difference).
    fn least_provisioned(&self, storage_type: Option<&str>, gib: u32) -> Option<(u32, u32)> {
        let (large_from, least) = match self.engine.split('-').next() {
            Some("sqlserver") => (0, (3000, 125)),
            Some("oracle") => (200, (12_000, 500)),
            Some(_) | None => (400, (12_000, 500)),
        };
        match storage_type {
            Some("io1" | "io2") => Some((0, 0)),
            Some("gp3") if gib >= large_from => Some(least),
            _ => None,
        }
    }

    /// The parameter group family that its version needs, where it is known.
    pub fn family(&self) -> Option<String> {
        parameter_group_family(&self.engine, &self.engine_version)
    }
}

#[cfg(test)]
pub(crate) mod tests;
