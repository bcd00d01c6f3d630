//! What a restore ended with, beside what every operation does. Read as leniently as the rest of the summary.

use holdfast_core::blueprint::Attached;
use serde::Deserialize;

/// What was about to be restored, decided before anything was made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestorePlan {
    /// The Region.
    pub region: String,
    /// What the data was taken from.
    pub recovery_point: RecoveryPoint,
    /// A proven backup of newer data.
    pub newer: Option<NewerBackup>,
    /// A log that reaches further.
    pub further: Option<FurtherLog>,
    /// Why the name could not be had, of a plan alone.
    pub name_taken: Option<String>,
    /// What was not in it.
    pub lost: Option<Lost>,
    /// The instance.
    pub target_id: String,
    /// What it was to be like.
    pub wanted: Wanted,
    /// Where the settings that nobody asked for came from.
    pub blueprint_of: String,
    /// Everything it refers to.
    pub references: Vec<Reference>,
    /// Why what comes back could not be proven, where that was known beforehand.
    pub unproven: Option<String>,
    /// What is there before a swap, when one was asked for.
    pub swap: Option<SwapPlan>,
}

/// What is there before a swap.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SwapPlan {
    /// The instance that has the database's name.
    pub old: Option<OldInstance>,
    /// `keep` or `stop`.
    pub after: String,
    /// The record that is pointed at the new one.
    pub record: Option<Named>,
    /// The secret that is set.
    pub secret: Option<Named>,
}

/// The instance that gives its name away.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OldInstance {
    /// The name it gets.
    pub aside_id: String,
}

/// A record or a secret.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Named {
    /// The record's name.
    pub name: String,
    /// The secret's ARN.
    pub arn: String,
}

/// Who has which name after a swap, or after it was undone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Swapped {
    /// The database's name.
    pub instance_id: String,
    /// The instance that had it before, under its name now.
    pub old_id: Option<String>,
    /// Whether that one is stopped.
    pub old_stopped: bool,
    /// Where the new one listens now.
    pub endpoint: Option<Endpoint>,
    /// How long nobody answered to the name.
    pub outage_seconds: Option<f64>,
    /// Seconds of writes that are in the old one only.
    pub lost_seconds: Option<f64>,
    /// What was repointed, a phrase each.
    pub repointed: Vec<String>,
    /// What was looked at afterwards.
    pub smoke_checks: Vec<SmokeCheck>,
    /// Whether everything was given back.
    pub undone: bool,
}

/// One look at what uses the database.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SmokeCheck {
    /// The address, or the statement's name.
    pub name: String,
    /// Whether it was as it must be.
    pub passed: bool,
}

/// A snapshot, or a point in time.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RecoveryPoint {
    /// The snapshot.
    pub id: Option<String>,
    /// What was found when it was validated.
    pub verdict: Option<String>,
    /// When its data is from.
    pub taken_at: Option<String>,
    /// The instance whose log it was.
    pub resource_id: Option<String>,
    /// The time asked for.
    pub time: Option<String>,
    /// The latest that could be had.
    pub latest: Option<String>,
}

/// What was not in it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lost {
    /// Everything written after this time.
    pub since: String,
    /// Seconds until the restore was planned.
    pub seconds: f64,
}

/// What the instance was to be like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wanted {
    /// Classes to try, in order.
    pub instance_classes: Vec<String>,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// What the source had beside itself, which nobody attaches again but a person.
    pub attached: Attached,
}

/// Something the instance refers to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reference {
    /// What it is.
    pub what: String,
    /// Its name.
    pub name: String,
    /// Why it could not be used.
    pub problem: Option<String>,
    /// Why nobody could look.
    pub unseen: Option<String>,
}

/// The database that came back.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Restored {
    /// Its identifier.
    pub instance_id: String,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Its class.
    pub class: String,
    /// What is not as it was asked for.
    pub differences: Vec<String>,
    /// How long it took.
    pub timings: RestoreTimings,
}

/// Where a server listens.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// How long the database took to be there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreTimings {
    /// Seconds until it was all that was asked for.
    pub settled_seconds: f64,
}

/// A log that reaches further than the snapshot that is restored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FurtherLog {
    /// The instance that it is the log of.
    pub resource_id: String,
    /// How far it reaches.
    pub latest: String,
}

/// A proven backup that has newer data than what is restored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewerBackup {
    /// The snapshot.
    pub id: String,
    /// When its data is from.
    pub taken_at: String,
}
