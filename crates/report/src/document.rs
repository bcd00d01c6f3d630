//! What the page needs of a report.
//!
//! What has always been there must be there: a report without `leftovers` is not one that left nothing behind. Members
//! that older versions did not write are options, and the page says that they are not there.

use std::collections::BTreeMap;

use holdfast_core::baseline::BaselineResult;
use holdfast_core::health::{Health, NamedCause};
use holdfast_core::operation::{Phase, ReplicaResult, SnapshotResult};
use holdfast_core::validation::{Check, NotChecked, Verdict, verdict};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Error;

/// The report of one operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub operation_id: String,
    pub database_id: String,
    pub run_id: String,
    pub status: Phase,
    #[serde(deserialize_with = "said")]
    pub snapshot: Option<SnapshotResult>,
    /// Older reports do not say.
    pub baseline: Option<BaselineResult>,
    #[serde(deserialize_with = "said")]
    pub validation: Option<Conclusion>,
    pub replicas: BTreeMap<String, ReplicaResult>,
    pub timings: Timings,
    pub api_calls: u64,
    pub report: Place,
    #[serde(deserialize_with = "said")]
    pub failure: Option<NamedCause>,
    pub leftovers: Vec<String>,
    pub request: Request,
    #[serde(deserialize_with = "said")]
    pub health: Option<Health>,
    pub owner: String,
    #[serde(deserialize_with = "said")]
    pub validation_details: Option<Details>,
}

/// An option that may be null and must be there: serde takes a member that is missing for null otherwise.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// What the record keeps of the validation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conclusion {
    pub verdict: Verdict,
    /// Only where the details are not there; cut to size.
    #[serde(default)]
    pub checks: Vec<Check>,
    #[serde(default)]
    pub not_checked: Vec<NotChecked>,
    pub restore_seconds: Option<f64>,
    pub databases: Vec<String>,
    pub tables: u64,
    pub rows: u64,
}

/// Everything that the validation found.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details {
    pub verdict: Verdict,
    pub checks: Vec<Check>,
    /// Older reports do not say.
    pub not_checked: Option<Vec<NotChecked>>,
    pub manifest: Option<Manifest>,
    pub restore_seconds: Option<f64>,
    pub instance_class: Option<String>,
    /// The validated backup that this one was held against.
    pub reference_operation_id: Option<String>,
}

/// How much there was. Definitions and fingerprints stay where they are: the fingerprint of a column with few
/// different values tells the values to whoever tries them all.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub server_version: String,
    pub databases: BTreeMap<String, Database>,
}

/// One database of a [`Manifest`], by counts.
#[derive(Debug, Deserialize)]
pub(crate) struct Database {
    pub objects: BTreeMap<String, IgnoredAny>,
}

/// When and how long.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timings {
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub total_seconds: Option<f64>,
    pub phases: Vec<PhaseTime>,
}

/// One phase.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhaseTime {
    pub name: String,
    pub started_at: Timestamp,
    pub seconds: f64,
}

/// Where the report lies.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    pub bucket: String,
    pub key: String,
    /// Older versions wrote no page.
    pub html_key: Option<String>,
}

/// What was asked for, as far as a reader asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub tier: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub target_regions: Vec<Target>,
    pub deadline_minutes: f64,
    pub validation: Wanted,
}

/// A Region that was asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub region: String,
}

/// The validation that was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wanted {
    pub enabled: bool,
    #[serde(default)]
    pub assertions: Vec<IgnoredAny>,
    #[serde(default)]
    pub allow_missing_tables: Vec<String>,
    /// Older requests do not say: none.
    #[serde(default)]
    pub copy_share: f64,
    /// Check by check, as the input has it.
    #[serde(default)]
    pub checks: BTreeMap<String, Value>,
}

impl Report {
    /// The verdict: the record's; where there is none, that of a validation that was not recorded any more.
    pub fn verdict(&self) -> Option<Verdict> {
        let recorded = self.validation.as_ref().map(|validation| validation.verdict);
        recorded.or(self.validation_details.as_ref().map(|details| details.verdict))
    }

    /// Every check, as whole as there is.
    pub fn checks(&self) -> &[Check] {
        match (&self.validation_details, &self.validation) {
            (Some(details), _) => &details.checks,
            (None, Some(validation)) => &validation.checks,
            (None, None) => &[],
        }
    }

    /// What was not looked at, as far as it is told.
    pub fn not_checked(&self) -> &[NotChecked] {
        match (&self.validation_details, &self.validation) {
            (Some(details), _) => details.not_checked.as_deref().unwrap_or_default(),
            (None, Some(validation)) => &validation.not_checked,
            (None, None) => &[],
        }
    }

    /// Whether that is all of it: older reports do not say, and the record's list is cut to size.
    pub fn not_checked_is_whole(&self) -> bool {
        self.validation_details.as_ref().is_some_and(|details| details.not_checked.is_some())
    }

    /// From asking for the restore until the data could be read.
    pub fn restore_seconds(&self) -> Option<f64> {
        let kept = self.validation_details.as_ref().and_then(|details| details.restore_seconds);
        kept.or(self.validation.as_ref().and_then(|validation| validation.restore_seconds))
    }

    /// Objects of all databases.
    pub fn objects(&self) -> Option<u64> {
        let manifest = self.validation_details.as_ref()?.manifest.as_ref()?;
        Some(manifest.databases.values().map(|database| database.objects.len() as u64).sum())
    }
}

/// Reads a report, and makes sure that its verdict is the one that its checks amount to.
pub(crate) fn read(report: &Value) -> Result<Report, Error> {
    let report: Report = serde_path_to_error::deserialize(report).map_err(|error| Error::Unreadable {
        place: error.path().to_string(),
        cause: error.inner().to_string(),
    })?;
    if let Some(details) = &report.validation_details {
        let follows = verdict(&details.checks);
        for said in report
            .validation
            .as_ref()
            .map(|validation| validation.verdict)
            .into_iter()
            .chain([details.verdict])
        {
            if said != follows {
                return Err(Error::Contradiction { said: said.as_str(), follows: follows.as_str() });
            }
        }
    }
    Ok(report)
}
