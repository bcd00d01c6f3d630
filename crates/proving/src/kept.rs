//! Everything a validation found, as it lies in the metadata bucket.

use holdfast_core::operation::ValidationResult;
use holdfast_core::validation::{Check, Manifest, NotChecked, Verdict, verdict};
use holdfast_verify::Outcome;
use serde::{Deserialize, Serialize};

/// Bytes of a validation in a payload: Step Functions takes 256 KiB, and other results travel along.
const PAYLOAD_BYTES: usize = 64 * 1024;

/// Everything a validation found, as it is kept in the metadata bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The sum of the checks.
    pub verdict: Verdict,
    /// Every check.
    pub checks: Vec<Check>,
    /// What the server holds, where it was read.
    pub manifest: Option<Manifest>,
    /// Databases that were looked at.
    pub databases: Vec<String>,
    /// From asking for the restore until the data could be read.
    pub restore_seconds: Option<f64>,
    /// The class it was restored to.
    pub instance_class: Option<String>,
    /// What was not looked at, and why.
    #[serde(default)]
    pub not_checked: Vec<NotChecked>,
}

impl Kept {
    /// What the checks came to. `before` are those that were answered before the server was looked at.
    pub fn from_outcome(
        before: Vec<Check>,
        outcome: Outcome,
        restore_seconds: Option<f64>,
        class: &str,
    ) -> Self {
        let checks: Vec<Check> = before.into_iter().chain(outcome.checks).collect();
        Kept {
            verdict: verdict(&checks),
            checks,
            manifest: Some(outcome.manifest),
            databases: outcome.databases,
            restore_seconds,
            instance_class: Some(class.to_owned()),
            not_checked: outcome.not_checked,
        }
    }

    /// A validation that did not get as far as the data.
    pub fn without_data(check: Check) -> Self {
        Kept {
            verdict: verdict(std::slice::from_ref(&check)),
            checks: vec![check],
            manifest: None,
            databases: vec![],
            restore_seconds: None,
            instance_class: None,
            not_checked: vec![],
        }
    }

    /// Adds what was found out elsewhere; a check counts for the verdict like any other.
    pub fn add(&mut self, check: Option<Check>, not_checked: Vec<NotChecked>) {
        self.checks.extend(check);
        self.verdict = verdict(&self.checks);
        self.not_checked.extend(not_checked);
    }

    /// What of it travels and is recorded.
    pub fn summary(&self) -> ValidationResult {
        ValidationResult {
            verdict: self.verdict,
            issues: self.checks.iter().filter_map(Check::issue).collect(),
            checks: self.checks.clone(),
            restore_seconds: self.restore_seconds,
            databases: self.databases.clone(),
            tables: self.manifest.as_ref().map_or(0, Manifest::table_count),
            rows: self.manifest.as_ref().map_or(0, Manifest::row_count),
            not_checked: self.not_checked.clone(),
            not_checked_count: self.not_checked.len() as u64,
        }
        .bounded(PAYLOAD_BYTES)
    }
}
