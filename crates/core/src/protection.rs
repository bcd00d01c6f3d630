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
use crate::retention::{Policies, Policy, PolicyChange};

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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notification {
    /// ARN of an SNS topic.
    pub topic: String,
    /// Of which ends.
    pub on: Vec<Outcome>,
}

/// One schedule of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
    /// How many backups are kept: the numbers that the plan says. As `prune-backups` was deployed where it says none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retention: Option<PolicyChange>,
    /// Who is to be told of what.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notifications: Vec<Notification>,
}

/// What is left of a database that the plan protects no more, and whose backups stay by its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kept {
    /// How many backups are kept: the numbers that the plan said of it last.
    pub retention: PolicyChange,
}

/// The plan that was applied last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtectionPlan {
    /// [`VERSION`].
    pub version: u32,
    /// Its name, as its file says it.
    pub name: String,
    /// The databases that are protected.
    pub databases: BTreeMap<DatabaseId, Protection>,
    /// Those that were: their instance is gone, or no longer meant. Nobody has said that their backups may go sooner, so
    /// that their rules stay until somebody does.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub kept: BTreeMap<DatabaseId, Kept>,
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
        for (id, said) in self.retentions() {
            said.checked().map_err(|error| unreadable(format!("{id}: {}", error.message)))?;
        }
        Ok(self)
    }

    /// What the plan says of how many backups are kept, by database: of those that it protects, and of those that it did.
    pub fn retentions(&self) -> BTreeMap<&DatabaseId, PolicyChange> {
        let kept = self.kept.iter().map(|(id, kept)| (id, kept.retention));
        let protected = self.databases.iter();
        // What is protected goes by what is said of it now.
        kept.chain(protected.filter_map(|(id, protection)| Some((id, protection.retention?)))).collect()
    }

    /// How many backups are kept of each database: what the plan says of it, laid over what is `deployed`.
    ///
    /// # Errors
    /// `UnreadableRecord` when the plan and the deployment together keep nothing of a database: nobody can have meant it.
    pub fn policies(&self, deployed: Policy) -> Result<Policies> {
        let own = self.retentions().into_iter().map(|(id, said)| {
            let policy = said.laid_over(deployed).checked().map_err(|error| {
                let why = format!("{KEY}: {id}, with what is deployed: {}", error.message);
                Error::new(ErrorKind::UnreadableRecord, why)
            });
            Ok((id.to_string(), policy?))
        });
        Ok(Policies { default: deployed, by_database: own.collect::<Result<_>>()? })
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
        let policies = plan.policies(Policy::default()).unwrap();
        assert_eq!((policies.of("prod-db").daily, policies.of("other").daily), (30, 7));
        assert_eq!(plan.regions().map(Region::as_str).collect::<Vec<_>>(), ["us-west-2"]);
    }

    #[test]
    fn a_database_without_rules_goes_by_the_deployed_ones() {
        let deployed = Policy { daily: 99, ..Policy::default() };
        let policies = read(stored(json!(null))).unwrap().policies(deployed).unwrap();
        assert_eq!(policies.of("prod-db"), &deployed);
    }

    #[test]
    fn what_a_plan_does_not_say_is_as_it_is_deployed() {
        // GIVEN a deployment that keeps five years of months, and a plan that says something of days only
        let deployed = Policy { monthly: 60, ..Policy::default() };
        let plan = read(stored(json!({"daily": 30}))).unwrap();
        // THEN the months stay
        assert_eq!(plan.policies(deployed).unwrap().of("prod-db"), &Policy { daily: 30, ..deployed });
        assert_eq!(json!(plan)["databases"]["prod-db"]["retention"], json!({"daily": 30}));
        // AND what keeps nothing together is not acted by
        let plan = read(stored(json!({"daily": 0, "weekly": 0}))).unwrap();
        let error = plan.policies(Policy { monthly: 0, yearly: 0, ..deployed }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnreadableRecord);
        assert!(error.message.contains("prod-db, with what is deployed: policy: daily"), "{error}");
        assert!(plan.policies(deployed).is_ok());
    }

    #[test]
    fn a_database_that_is_protected_no_more_is_kept_by_its_rules() {
        let mut plan = stored(json!({"daily": 30}));
        plan["kept"] =
            json!({"old-db": {"retention": {"monthly": 60}}, "prod-db": {"retention": {"daily": 1}}});
        let plan = read(plan).unwrap();
        let policies = plan.policies(Policy::default()).unwrap();
        assert_eq!((policies.of("old-db").monthly, policies.of("old-db").daily), (60, 7));
        assert_eq!(policies.of("prod-db").daily, 30, "what is protected goes by what is said of it now");
        let mut odd = stored(json!(null));
        odd["kept"] = json!({"old-db": {"retention": {"minimum": 0}}});
        assert!(read(odd).unwrap_err().message.contains("old-db: policy.minimum"));
    }

    #[test]
    fn what_is_stored_is_read_strictly() {
        // What is not understood may be what keeps something.
        for place in [
            "",
            "/databases/prod-db",
            "/databases/prod-db/retention",
            "/databases/prod-db/schedules/daily",
            "/databases/prod-db/notifications/0",
            "/kept/old-db",
            "/kept/old-db/retention",
        ] {
            let mut plan = stored(json!({"daily": 30}));
            plan["kept"] = json!({"old-db": {"retention": {"monthly": 60}}});
            plan["databases"]["prod-db"]["notifications"] = json!([{"topic": "t", "on": ["failed"]}]);
            assert!(serde_json::from_value::<ProtectionPlan>(plan.clone()).is_ok());
            plan.pointer_mut(place).unwrap()["retentoin"] = json!({"monthly": 60});
            let error = serde_json::from_value::<ProtectionPlan>(plan).unwrap_err();
            assert!(error.to_string().contains("retentoin"), "{place}: {error}");
        }
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
