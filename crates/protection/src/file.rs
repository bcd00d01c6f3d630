//! What a plan says, every default filled in.

use std::collections::BTreeMap;
use std::fmt;

use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::objectives::{Importance, Objectives};
use holdfast_core::protection::Notification;
use holdfast_core::request::{BackupRequest, Defaults, TargetRegion, Tier};
use holdfast_core::retention::PolicyChange;
use holdfast_core::tags::Tags;
use serde_json::{Value, json};

use crate::cadence::Cadence;
use crate::node::Place;

/// What EventBridge Scheduler replaces by the time that was scheduled: the run's id. Source: EventBridge Scheduler User
/// Guide, "Adding context attributes".
pub const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";

/// A time as EventBridge Scheduler fills it in.
const EXAMPLE_TIME: &str = "2026-11-20T06:00:00Z";

/// A protection plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFile {
    /// Its name.
    pub name: String,
    /// What it protects, in the order of the file.
    pub entries: Vec<Entry>,
    /// Databases that it protects no more, and whose own rules of retention are to be dropped.
    pub forget: Vec<(DatabaseId, Place)>,
}

/// One database, or all that carry some tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which.
    pub selector: Selector,
    /// Whether there may be none.
    pub allow_empty: bool,
    /// How they are protected.
    pub settings: Settings,
    /// Where it stands in the file.
    pub place: Place,
}

/// Which databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The one of this identifier.
    Id(DatabaseId),
    /// Every instance that carries all of these.
    Tags(BTreeMap<String, String>),
}

impl fmt::Display for Selector {
    /// `prod-db`, or `tags Holdfast=protect, Team=shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Id(id) => write!(f, "{id}"),
            Selector::Tags(tags) => {
                let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "tags {}", pairs.join(", "))
            }
        }
    }
}

/// How a database is protected.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `production`, ...
    pub environment: String,
    /// How much it matters.
    pub importance: Importance,
    /// What it is held to.
    pub objectives: Objectives,
    /// When it is backed up.
    pub schedules: BTreeMap<Tier, Cadence>,
    /// Minutes after each time within which the backup begins.
    pub window_minutes: u32,
    /// Where copies go.
    pub targets: Vec<TargetRegion>,
    /// How a backup is proven, as the input of a backup says it.
    pub validation: Option<Value>,
    /// How the source is read, as the input of a backup says it.
    pub baseline: Option<Value>,
    /// Tags of the snapshots.
    pub tags: Tags,
    /// Minutes after which a backup gives up, when the plan says it.
    pub deadline_minutes: Option<u32>,
    /// How many backups are kept: the numbers that the plan says, when it says any.
    pub retention: Option<PolicyChange>,
    /// Who is to be told.
    pub notifications: Vec<Notification>,
}

impl Settings {
    /// What a backup makes of [`Settings::input`], every default filled in. `home` is the Region of the database, where
    /// that is known.
    ///
    /// # Errors
    /// What the backup would refuse it for, in its own sentence.
    pub fn request(
        &self,
        database: &str,
        tier: Tier,
        home: Option<&Region>,
    ) -> Result<BackupRequest, String> {
        // A form that no Region has: nothing is refused for being at home when nobody knows where that is.
        let nowhere = || Region::parse("no-where-0").map_err(|error| error.message);
        let region = home.map_or_else(nowhere, |home| Ok(home.clone()))?;
        let defaults = Defaults { region, target_regions: vec![] };
        let mut input = self.input(database, tier);
        input["runId"] = EXAMPLE_TIME.into();
        BackupRequest::parse(&input, EXAMPLE_TIME, &defaults).map_err(|error| error.message)
    }

    /// The input of a scheduled backup, as `BackupRequest::parse` reads it once the time is filled in.
    pub fn input(&self, database: &str, tier: Tier) -> Value {
        let mut input = json!({
            "databaseId": database,
            "runId": SCHEDULED_TIME,
            "tier": tier,
            "targetRegions": self.targets,
        });
        if !self.tags.is_empty() {
            input["tags"] = json!(self.tags);
        }
        if let Some(minutes) = self.deadline_minutes {
            input["deadlineMinutes"] = json!(minutes);
        }
        for (name, said) in [("validation", &self.validation), ("baseline", &self.baseline)] {
            if let Some(said) = said {
                input[name] = said.clone();
            }
        }
        input
    }
}
