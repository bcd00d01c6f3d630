//! What came back, held against what was wanted.

use super::{Blueprint, Wanted};
use crate::request::PerformanceInsights;

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

impl Blueprint {
    /// What is not as it was wanted, a sentence each. What RDS may choose or round up (a zone, more storage) is no
    /// difference.
    pub fn differences(&self, wanted: &Wanted) -> Vec<String> {
        let said = |found: Difference| format!("{}: {}; asked for: {}", found.what, found.is, found.wanted);
        self.compared(wanted).into_iter().map(said).collect()
    }

    /// What is not as it was wanted, one by one: everything that was asked for by name, and what is on or off.
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
        differ(
            "minor versions by themselves",
            on_off(self.auto_minor_version_upgrade),
            on_off(asked.auto_minor_version_upgrade),
        );
        differ("tags to snapshots", on_off(self.copy_tags_to_snapshot), on_off(asked.copy_tags_to_snapshot));
        differ("dedicated log volume", on_off(self.dedicated_log_volume), on_off(asked.dedicated_log_volume));
        found.extend(self.named(wanted));
        found
    }

    /// What is not as it was wanted of what RDS chooses where nobody says it. Not the port: the endpoint says it, and on one machine
    /// no two instances have the same.
    fn named(&self, wanted: &Wanted) -> Vec<Difference> {
        let asked = &wanted.settings;
        let (insights, asked_insights) = (&self.performance_insights, &asked.performance_insights);
        let key = |insights: &Option<PerformanceInsights>| insights.as_ref()?.kms_key_id.clone();
        let kept = |insights: &Option<PerformanceInsights>| insights.as_ref()?.retention_days;
        let every = |blueprint: &Blueprint| Some(blueprint.monitoring.as_ref()?.interval_seconds);
        let by = |blueprint: &Blueprint| Some(blueprint.monitoring.as_ref()?.role_arn.clone());
        // Of what is off nothing more is to be said.
        let both_watched = insights.is_some() && asked_insights.is_some();
        let both_monitored = self.monitoring.is_some() && asked.monitoring.is_some();
        let found = [
            other("IOPS", self.iops, asked.iops),
            other("storage throughput", self.storage_throughput, asked.storage_throughput),
            other("GiB that storage may grow to", self.max_allocated_gib, asked.max_allocated_gib),
            other("certificate authority", self.ca_certificate.clone(), asked.ca_certificate.clone()),
            other("backup window", self.backup_window.clone(), asked.backup_window.clone()),
            other("maintenance window", self.maintenance_window.clone(), asked.maintenance_window.clone()),
            other("network type", self.network_type.clone(), asked.network_type.clone()),
            other(
                "engine lifecycle support",
                self.engine_lifecycle_support.clone(),
                asked.engine_lifecycle_support.clone(),
            ),
            other(
                "Database Insights",
                self.database_insights_mode.clone(),
                asked.database_insights_mode.clone(),
            ),
            other("key", self.kms_key_id.clone(), asked.kms_key_id.clone().filter(|_| asked.encrypted)),
            other("key of Performance Insights", key(insights), key(asked_insights)).filter(|_| both_watched),
            other("days of Performance Insights", kept(insights), kept(asked_insights))
                .filter(|_| both_watched),
            other("seconds of Enhanced Monitoring", every(self), every(asked)).filter(|_| both_monitored),
            other("role of Enhanced Monitoring", by(self), by(asked)).filter(|_| both_monitored),
        ];
        let short = wanted.allocated_storage.filter(|gib| self.allocated_gib < *gib);
        let short = short.and_then(|gib| other("GiB of storage", Some(self.allocated_gib), Some(gib)));
        found.into_iter().flatten().chain(short).collect()
    }
}

/// A setting that was asked for by name and is another.
fn other<T: PartialEq + ToString>(
    what: &'static str,
    is: Option<T>,
    wanted: Option<T>,
) -> Option<Difference> {
    let wanted = wanted?;
    if is.as_ref() == Some(&wanted) {
        return None;
    }
    let is = is.map_or_else(|| "none".to_owned(), |is| is.to_string());
    Some(Difference { what, is, wanted: wanted.to_string() })
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn set(names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
