//! The protection plan as it is stored: what has been applied, for whoever acts by it.
//!
//! `holdfast plan apply` writes it into the metadata bucket under [`KEY`]. What the file `holdfast.yaml` says is read
//! elsewhere (`crates/protection`): functions know this JSON and no YAML.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{DatabaseId, Region};
use crate::objectives::{Importance, Objectives};
use crate::request::{TargetRegion, Tier};
use crate::retention::{Policies, Policy};

/// Where the plan lies in the metadata bucket.
pub const KEY: &str = "protection/plan.json";

/// The form that this version writes and understands.
pub const VERSION: u32 = 1;

/// How an operation ended, as somebody may want to be told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything was done.
    Succeeded,
    /// The backup is there, but a copy is missing or something is left behind.
    Partial,
    /// There is no backup to rely on.
    Failed,
}

/// Somebody who is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// ARN of an SNS topic.
    pub topic: String,
    /// Of which ends.
    pub on: Vec<Outcome>,
}

/// One schedule of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledBackup {
    /// Name of the schedule in EventBridge Scheduler.
    pub name: String,
    /// When, as EventBridge Scheduler writes it: `cron(...)`, in UTC.
    pub expression: String,
    /// Minutes after each time within which the backup begins.
    pub window_minutes: u32,
}

/// How one database is protected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protection {
    /// `production`, `staging`, `development`, or one of the plan's own.
    pub environment: String,
    /// How much it matters.
    pub importance: Importance,
    /// What it is held to.
    pub objectives: Objectives,
    /// When it is backed up, by the tier of the backups.
    pub schedules: BTreeMap<Tier, ScheduledBackup>,
    /// Where copies go.
    pub targets: Vec<TargetRegion>,
    /// How a backup is proven, as the input of a backup says it; as a backup does by itself when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<Value>,
    /// How many backups are kept; as `prune-backups` was deployed when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retention: Option<Policy>,
    /// Who is to be told of what.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notifications: Vec<Notification>,
}

/// The plan that was applied last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionPlan {
    /// [`VERSION`].
    pub version: u32,
    /// Its name, as its file says it.
    pub name: String,
    /// The databases.
    pub databases: BTreeMap<DatabaseId, Protection>,
}

impl ProtectionPlan {
    /// This plan, if it is one that can be acted by.
    ///
    /// # Errors
    /// `UnreadableRecord` when another version wrote it, or when nobody could mean how much it keeps.
    pub fn checked(self) -> Result<Self> {
        let unreadable = |why: String| Error::new(ErrorKind::UnreadableRecord, format!("{KEY}: {why}"));
        if self.version != VERSION {
            return Err(unreadable(format!("it is of version {}, not {VERSION}", self.version)));
        }
        for (id, protection) in &self.databases {
            let policy = protection.retention.unwrap_or_default();
            policy.checked().map_err(|error| unreadable(format!("{id}: {}", error.message)))?;
        }
        Ok(self)
    }

    /// How many backups are kept of each database; `deployed` holds for those of which the plan does not say it.
    pub fn policies(&self, deployed: Policy) -> Policies {
        let own =
            |(id, protection): (&DatabaseId, &Protection)| Some((id.to_string(), protection.retention?));
        Policies { default: deployed, by_database: self.databases.iter().filter_map(own).collect() }
    }

    /// Every Region that any database is copied to.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.databases.values().flat_map(|protection| &protection.targets).map(|target| &target.region)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(retention: Value) -> Value {
        json!({"version": 1, "name": "shop", "databases": {"prod-db": {
            "environment": "production", "importance": "critical",
            "objectives": {"rtoSeconds": 900, "rpoSeconds": 300},
            "schedules": {"daily": {"name": "n", "expression": "cron(0 0/6 * * ? *)", "windowMinutes": 15}},
            "targets": [{"region": "us-west-2", "kmsKeyId": "alias/holdfast"}], "retention": retention}}})
    }

    fn read(stored: Value) -> Result<ProtectionPlan> {
        serde_json::from_value::<ProtectionPlan>(stored).unwrap().checked()
    }

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        let was = stored(
            json!({"daily": 30, "weekly": 0, "monthly": 0, "yearly": 0, "minimum": 1, "inspectionDays": 1}),
        );
        let plan = read(was.clone()).unwrap();
        assert_eq!(serde_json::to_value(&plan).unwrap(), was);
        let policies = plan.policies(Policy::default());
        assert_eq!((policies.of("prod-db").daily, policies.of("other").daily), (30, 7));
        assert_eq!(plan.regions().map(Region::as_str).collect::<Vec<_>>(), ["us-west-2"]);
    }

    #[test]
    fn a_database_without_rules_goes_by_the_deployed_ones() {
        let deployed = Policy { daily: 99, ..Policy::default() };
        assert_eq!(read(stored(json!(null))).unwrap().policies(deployed).of("prod-db"), &deployed);
    }

    #[test]
    fn what_nobody_can_have_meant_is_not_acted_by() {
        let mut newer = stored(json!(null));
        newer["version"] = json!(2);
        let error = read(newer).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnreadableRecord);
        assert!(error.message.contains("version 2, not 1"), "{error}");
        let nothing =
            json!({"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0, "minimum": 1, "inspectionDays": 1});
        let error = read(stored(nothing)).unwrap_err();
        assert!(error.message.contains("prod-db: policy: daily"), "{error}");
    }
}
