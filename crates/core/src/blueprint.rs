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
    /// Whether its storage was encrypted.
    pub encrypted: bool,
    /// The key.
    pub kms_key_id: Option<String>,
    /// Master user.
    pub master_username: String,
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
    /// Everything else, as in a blueprint; the class in it is the first to try.
    #[serde(flatten)]
    pub settings: Blueprint,
}

/// A setting that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which: `class`, `subnet group`, ...
    pub what: &'static str,
    /// What it is.
    pub is: String,
    /// What it should be.
    pub wanted: String,
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
        all.extend(settings.parameter_group.clone().map(|name| Referred::ParameterGroup { name, family }));
        all.extend(settings.option_group.clone().map(Referred::OptionGroup));
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
    /// that anybody can reach is worse than one that somebody has to open.
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
        let provisioned = self.takes_provisioned_storage(storage_type.as_deref());
        let settings = Blueprint {
            class: instance_classes[0].clone(),
            multi_az: asked.multi_az.unwrap_or(self.multi_az),
            subnet_group: or(&asked.subnet_group, &self.subnet_group),
            security_groups: asked.security_groups.clone().unwrap_or_else(|| self.security_groups.clone()),
            parameter_group: or(&asked.parameter_group, &self.parameter_group),
            option_group: or(&asked.option_group, &self.option_group),
            storage_type,
            iops: asked.iops.or(self.iops.filter(|_| provisioned)),
            storage_throughput: asked.storage_throughput.or(self.storage_throughput.filter(|_| provisioned)),
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
            tags,
            ..self.clone()
        };
        Wanted { instance_classes, settings }
    }

    /// Whether IOPS may be said. RDS describes those that small gp3 volumes have anyway, and refuses to be told them (Amazon
    /// RDS User Guide, "gp3 storage": below 400 GiB for PostgreSQL and MySQL).
    fn takes_provisioned_storage(&self, storage_type: Option<&str>) -> bool {
        match storage_type {
            Some("io1" | "io2") => true,
            Some("gp3") => self.allocated_gib >= 400,
            _ => false,
        }
    }

    /// The parameter group family that its version needs, where it is known.
    pub fn family(&self) -> Option<String> {
        parameter_group_family(&self.engine, &self.engine_version)
    }

    /// What is not as it was wanted, a sentence each. What RDS may choose or round up (a zone, more storage) is no
    /// difference.
    pub fn differences(&self, wanted: &Wanted) -> Vec<String> {
        let said = |found: Difference| format!("{}: {}; asked for: {}", found.what, found.is, found.wanted);
        self.compared(wanted).into_iter().map(said).collect()
    }

    /// What is not as it was wanted, one by one.
    pub fn compared(&self, wanted: &Wanted) -> Vec<Difference> {
        let asked = &wanted.settings;
        let mut found = Vec::new();
        let mut differ = |what: &'static str, is: String, wanted: String| {
            if is != wanted {
                found.push(Difference { what, is, wanted });
            }
        };
        let name = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        if !wanted.instance_classes.contains(&self.class) {
            differ("class", self.class.clone(), wanted.instance_classes.join(" or "));
        }
        differ("Multi-AZ", on_off(self.multi_az), on_off(asked.multi_az));
        differ("subnet group", name(&self.subnet_group), name(&asked.subnet_group));
        differ("security groups", set(&self.security_groups), set(&asked.security_groups));
        differ("parameter group", name(&self.parameter_group), name(&asked.parameter_group));
        differ("option group", name(&self.option_group), name(&asked.option_group));
        differ("storage type", name(&self.storage_type), name(&asked.storage_type));
        differ("public access", on_off(self.publicly_accessible), on_off(asked.publicly_accessible));
        differ("deletion protection", on_off(self.deletion_protection), on_off(asked.deletion_protection));
        differ(
            "days of automated backups",
            self.backup_retention_days.to_string(),
            asked.backup_retention_days.to_string(),
        );
        differ("IAM authentication", on_off(self.iam_authentication), on_off(asked.iam_authentication));
        differ("log exports", set(&self.log_exports), set(&asked.log_exports));
        differ(
            "Performance Insights",
            on_off(self.performance_insights.is_some()),
            on_off(asked.performance_insights.is_some()),
        );
        differ("Enhanced Monitoring", on_off(self.monitoring.is_some()), on_off(asked.monitoring.is_some()));
        differ("encryption", on_off(self.encrypted), on_off(asked.encrypted));
        found
    }
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn set(names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn blueprint() -> Blueprint {
        Blueprint {
            instance_id: "prod-db".into(),
            resource_id: "db-ABC".into(),
            engine: "postgres".into(),
            engine_version: "15.4".into(),
            class: "db.m6g.large".into(),
            multi_az: true,
            subnet_group: Some("prod".into()),
            security_groups: vec!["sg-2".into(), "sg-1".into()],
            parameter_group: Some("prod-postgres15".into()),
            option_group: Some("default:postgres-15".into()),
            storage_type: Some("gp3".into()),
            allocated_gib: 100,
            max_allocated_gib: Some(500),
            iops: None,
            storage_throughput: None,
            publicly_accessible: true,
            port: Some(5432),
            deletion_protection: true,
            backup_retention_days: 7,
            backup_window: Some("03:00-04:00".into()),
            maintenance_window: Some("sun:05:00-sun:06:00".into()),
            iam_authentication: true,
            ca_certificate: Some("rds-ca-rsa2048-g1".into()),
            log_exports: vec!["postgresql".into()],
            performance_insights: Some(PerformanceInsights {
                enabled: true,
                kms_key_id: None,
                retention_days: Some(7),
            }),
            monitoring: None,
            auto_minor_version_upgrade: true,
            copy_tags_to_snapshot: true,
            encrypted: true,
            kms_key_id: Some("arn:aws:kms:us-east-1:123456789012:key/1".into()),
            master_username: "app".into(),
            tags: Tags::from([
                ("Team".to_owned(), "shop".to_owned()),
                ("aws:cloudformation:stack-name".to_owned(), "x".to_owned()),
                ("holdfast:operation".to_owned(), "another".to_owned()),
            ]),
        }
    }

    fn own() -> Tags {
        Tags::from([(tags::OPERATION.to_owned(), "this".to_owned())])
    }

    #[test]
    fn what_the_input_does_not_say_is_as_it_was_but_for_public_access() {
        let wanted = blueprint().wanted(&RestoreOptions::default(), &own());
        assert_eq!(wanted.instance_classes, ["db.m6g.large"]);
        assert!(!wanted.settings.publicly_accessible, "a restored copy is not opened by default");
        let tags = Tags::from([
            ("Team".to_owned(), "shop".to_owned()),
            ("holdfast:operation".to_owned(), "this".to_owned()),
        ]);
        let unchanged =
            Blueprint { publicly_accessible: true, tags: blueprint().tags, ..wanted.settings.clone() };
        assert_eq!((unchanged, wanted.settings.tags), (blueprint(), tags));
    }

    #[test]
    fn what_the_input_says_wins() {
        let asked = RestoreOptions {
            instance_classes: vec!["db.r6g.large".into(), "db.r6i.large".into()],
            multi_az: Some(false),
            subnet_group: Some("dr".into()),
            security_groups: Some(vec!["sg-9".into()]),
            publicly_accessible: Some(true),
            deletion_protection: Some(false),
            performance_insights: Some(PerformanceInsights {
                enabled: false,
                kms_key_id: None,
                retention_days: None,
            }),
            log_exports: Some(vec![]),
            tags: Tags::from([("Team".to_owned(), "night".to_owned())]),
            ..RestoreOptions::default()
        };
        let Wanted { instance_classes, settings } = blueprint().wanted(&asked, &own());
        assert_eq!(instance_classes, ["db.r6g.large", "db.r6i.large"]);
        assert_eq!((settings.class.as_str(), settings.subnet_group.as_deref()), ("db.r6g.large", Some("dr")));
        assert!(!settings.multi_az && settings.publicly_accessible && !settings.deletion_protection);
        assert_eq!((settings.performance_insights, settings.log_exports.len()), (None, 0));
        assert_eq!(
            (settings.security_groups, settings.tags["Team"].as_str()),
            (vec!["sg-9".to_owned()], "night")
        );
        assert_eq!(settings.parameter_group.as_deref(), Some("prod-postgres15"));
    }

    #[test]
    fn iops_that_a_volume_has_anyway_are_not_asked_for() {
        for (storage_type, allocated_gib, iops) in
            [("gp3", 100, None), ("gp3", 400, Some(3000)), ("io2", 100, Some(3000)), ("gp2", 1000, None)]
        {
            let had = Blueprint {
                storage_type: Some(storage_type.into()),
                allocated_gib,
                iops: Some(3000),
                storage_throughput: Some(125),
                ..blueprint()
            };
            let wanted = had.wanted(&RestoreOptions::default(), &own());
            assert_eq!(wanted.settings.iops, iops, "{storage_type} {allocated_gib}");
            assert_eq!(wanted.settings.storage_throughput.is_some(), iops.is_some());
            let asked = RestoreOptions { iops: Some(5000), ..RestoreOptions::default() };
            assert_eq!(had.wanted(&asked, &own()).settings.iops, Some(5000));
        }
    }

    #[test]
    fn each_setting_that_came_out_otherwise_is_named() {
        let wanted = blueprint().wanted(&RestoreOptions::default(), &own());
        assert_eq!(wanted.settings.differences(&wanted), Vec::<String>::new());
        let same = Blueprint {
            security_groups: vec!["sg-1".into(), "sg-2".into()],
            allocated_gib: 200,
            ..wanted.settings.clone()
        };
        assert_eq!(
            same.differences(&wanted),
            Vec::<String>::new(),
            "order and more storage are no difference"
        );
        type Change = fn(&mut Blueprint);
        let changes: [(Change, &str); 14] = [
            (|came| came.class = "db.t3.micro".into(), "class: db.t3.micro; asked for: db.m6g.large"),
            (|came| came.multi_az = false, "Multi-AZ: off; asked for: on"),
            (|came| came.subnet_group = None, "subnet group: none; asked for: prod"),
            (
                |came| came.security_groups = vec!["sg-default".into()],
                "security groups: sg-default; asked for: sg-1, sg-2",
            ),
            (
                |came| came.parameter_group = Some("default.postgres15".into()),
                "parameter group: default.postgres15",
            ),
            (|came| came.option_group = None, "option group: none"),
            (|came| came.storage_type = Some("standard".into()), "storage type: standard"),
            (|came| came.publicly_accessible = true, "public access: on; asked for: off"),
            (|came| came.deletion_protection = false, "deletion protection: off"),
            (|came| came.backup_retention_days = 1, "days of automated backups: 1; asked for: 7"),
            (|came| came.iam_authentication = false, "IAM authentication: off"),
            (|came| came.log_exports.clear(), "log exports: none; asked for: postgresql"),
            (|came| came.performance_insights = None, "Performance Insights: off"),
            (|came| came.encrypted = false, "encryption: off"),
        ];
        for (change, said) in changes {
            let mut came = wanted.settings.clone();
            change(&mut came);
            let found = came.differences(&wanted);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(said), "{found:?} does not say {said}");
        }
    }
}
