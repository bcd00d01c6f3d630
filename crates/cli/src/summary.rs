//! What an operation ended with: the JSON of the execution's output and of the record's `summary`.
//!
//! Read leniently: a newer Holdfast may say more, and an operation that failed early says less.

use std::collections::BTreeMap;

use holdfast_core::ErrorKind;
use serde::{Deserialize, Deserializer};

use crate::restore::summary::{RestorePlan, Restored, Swapped};

/// How an operation ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Everything that was asked for.
    Succeeded,
    /// The backup is good; a Region has no copy.
    Partial,
    /// No backup to rely on.
    Failed,
    /// A word that this version does not know. Unknown is not success.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What validation concluded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every configured check ran and passed.
    Valid,
    /// A check failed: the backup is refused.
    Invalid,
    /// A check could not be run to its end.
    Inconclusive,
    /// Validation was switched off, or the operation ended before it.
    NotRun,
    /// A word that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Verdict {
    /// The word as it stands in the record.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Valid => "VALID",
            Verdict::Invalid => "INVALID",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::NotRun => "NOT RUN",
            Verdict::Unknown => "UNKNOWN",
        }
    }
}

/// How one check ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckResult {
    /// It ran and holds.
    Passed,
    /// It ran and does not hold.
    Failed,
    /// It could not be run to its end.
    Errored,
    /// It was not run.
    NotRun,
    /// A word that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One operation, ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Summary {
    /// The operation.
    pub operation_id: String,
    /// The database that was backed up.
    pub database_id: String,
    /// The run: usually the scheduled time.
    pub run_id: String,
    /// How it ended.
    pub status: Status,
    /// `BACKUP`, `RESTORE` or `REPLICATION`; empty for a backup of before there was anything else.
    #[serde(rename = "type")]
    pub kind: String,
    /// What a restore planned.
    pub plan: Option<RestorePlan>,
    /// The database that a restore brought back.
    pub restore: Option<Restored>,
    /// Who has which name after a swap.
    pub swap: Option<Swapped>,
    /// The backup that a replication copies.
    pub backup: Option<BackupFound>,
    /// The snapshot, if one was made.
    pub snapshot: Option<Snapshot>,
    /// Whether the source was read around the snapshot.
    pub baseline: Option<Baseline>,
    /// What validation found.
    pub validation: Option<Validation>,
    /// The copies by Region.
    #[serde(deserialize_with = "null_is_default")]
    pub replicas: BTreeMap<String, Replica>,
    /// How long everything took.
    #[serde(deserialize_with = "null_is_default")]
    pub timings: Timings,
    /// Calls made to RDS.
    pub api_calls: Option<u64>,
    /// Where the full report is.
    pub report: Option<Report>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What is still there that should not be, or stays on purpose.
    #[serde(deserialize_with = "null_is_default")]
    pub leftovers: Vec<String>,
}

impl Summary {
    /// Whether it ended because somebody asked for that.
    pub fn is_cancelled(&self) -> bool {
        let failure = self.failure.as_ref();
        self.status == Status::Failed
            && failure.is_some_and(|failure| failure.name == ErrorKind::Cancelled.name())
    }
}

/// The backup that a replication copies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupFound {
    /// The operation that took it.
    pub operation_id: String,
    /// What its validation said.
    pub verdict: Verdict,
}

/// A snapshot.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// Its identifier.
    pub id: String,
    /// Where it lies.
    pub region: String,
    /// Allocated storage.
    #[serde(rename = "sizeGiB")]
    pub size_gib: Option<u64>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// When it was taken.
    pub created_at: Option<String>,
}

/// Whether the source was read around the snapshot.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Baseline {
    /// TAKEN, UNREADABLE or NOT_ASKED.
    pub status: String,
    /// How much was asked for: catalog or full.
    pub depth: Option<String>,
    /// What is missing of it and why.
    pub reason: Option<Failure>,
}

/// What validation found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Validation {
    /// The conclusion.
    pub verdict: Verdict,
    /// Every check.
    #[serde(deserialize_with = "null_is_default")]
    pub checks: Vec<Check>,
    /// One sentence per check that did not pass.
    #[serde(deserialize_with = "null_is_default")]
    pub issues: Vec<String>,
    /// From the restore's start to a server that answers.
    pub restore_seconds: Option<f64>,
    /// The user databases that were read.
    #[serde(deserialize_with = "null_is_default")]
    pub databases: Vec<String>,
    /// Tables read.
    pub tables: Option<u64>,
    /// Rows counted.
    pub rows: Option<u64>,
    /// What was not looked at; the first of it.
    #[serde(deserialize_with = "null_is_default")]
    pub not_checked: Vec<NotChecked>,
}

/// Something that was not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotChecked {
    /// The check.
    pub check: String,
    /// Why.
    pub reason: String,
}

/// One check.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What it was about: a database, as a rule.
    pub scope: Option<String>,
    /// How it ended.
    pub result: CheckResult,
    /// Why, when it did not pass.
    pub reason: Option<String>,
    /// How long it took.
    pub duration_ms: Option<f64>,
    /// What exactly does not hold.
    #[serde(deserialize_with = "null_is_default")]
    pub findings: Vec<Finding>,
}

/// One thing that does not hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Finding {
    /// The table, index or sequence.
    pub object: String,
    /// What is wrong with it.
    pub message: String,
}

/// The copy in one Region.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Replica {
    /// AVAILABLE or FAILED.
    pub status: String,
    /// The copy.
    pub snapshot_arn: Option<String>,
    /// Why there is none.
    pub error: Option<Failure>,
    /// How long the copy took.
    pub seconds: Option<f64>,
    /// What restoring it in its Region showed, where that was wanted.
    pub validation: Option<CopyValidation>,
}

impl Replica {
    /// Whether the copy is there. A word that is not known is no copy.
    pub fn is_available(&self) -> bool {
        self.status == "AVAILABLE"
    }
}

/// A copy restored in its Region and held against the manifest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CopyValidation {
    /// The sum of its checks.
    pub verdict: Verdict,
    /// Why it is not VALID.
    pub issues: Vec<String>,
    /// How long the restore took there.
    pub restore_seconds: Option<f64>,
    /// The execution there.
    pub execution: Option<String>,
}

/// How long everything took.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timings {
    /// From start to end.
    pub total_seconds: Option<f64>,
    /// Phase by phase, in order.
    #[serde(deserialize_with = "null_is_default")]
    pub phases: Vec<Phase>,
}

/// One phase of an operation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Phase {
    /// Its name, as in the record's `status`.
    pub name: String,
    /// How long it took.
    pub seconds: Option<f64>,
}

/// Where the full report is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// The metadata bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// A named error.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failure {
    /// Such as `Holdfast.Throttled`.
    pub name: String,
    /// In a sentence.
    pub cause: String,
}

/// JSONata writes null where Rust has nothing to say.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
