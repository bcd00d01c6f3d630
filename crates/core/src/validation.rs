//! What a validation found, and the verdict that follows from it.
//!
//! The rule that carries Holdfast: *unknown is not success*. A backup is VALID only when every
//! check that was asked for ran and passed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckResult {
    /// It ran to its end and found nothing wrong.
    Passed,
    /// It ran and found something wrong with the data.
    Failed,
    /// It could not finish (connection, permission, timeout): nothing is known.
    Errored,
    /// It was not started; the reason says why.
    NotRun,
}

/// One thing a check found, named so that a person can go and look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The object, quoted as PostgreSQL would (`shop.public.orders`).
    pub object: String,
    /// One sentence: what is wrong with it.
    pub message: String,
}

/// One check of one scope, with what it found and how long it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Stable name, kebab-case: `schema`, `content`, `foreign-keys`, `assertion: orders have lines`.
    pub name: String,
    /// The database it looked at, or `instance`.
    pub scope: String,
    /// How it ended.
    pub result: CheckResult,
    /// Why it errored, was not run, or the one-line outcome of what it looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// What it found; empty when it passed.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

impl Check {
    /// One sentence that says what is wrong, or `None` when the check passed.
    pub fn issue(&self) -> Option<String> {
        let verb = match self.result {
            CheckResult::Passed => return None,
            CheckResult::Failed => "failed",
            CheckResult::Errored => "could not finish",
            CheckResult::NotRun => "was not run",
        };
        let detail = match (self.findings.as_slice(), &self.reason) {
            ([first], _) => format!(": {}: {}", first.object, first.message),
            ([first, rest @ ..], _) => {
                format!(": {}: {} (and {} more)", first.object, first.message, rest.len())
            }
            ([], Some(reason)) => format!(": {reason}"),
            ([], None) => String::new(),
        };
        Some(format!("{} of {} {verb}{detail}", self.name, self.scope))
    }
}

/// What the checks together say of the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Every check that was asked for ran and passed.
    Valid,
    /// At least one check failed: the backup is refused.
    Invalid,
    /// Nothing failed, but something could not be finished: nothing is proven.
    Inconclusive,
    /// Validation was not asked for.
    NotRun,
}

impl Verdict {
    /// The word used in tags, records and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Valid => "VALID",
            Verdict::Invalid => "INVALID",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::NotRun => "NOT_RUN",
        }
    }
}

/// Sums checks up. No check at all is INCONCLUSIVE: an empty proof proves nothing.
pub fn verdict(checks: &[Check]) -> Verdict {
    if checks.iter().any(|check| check.result == CheckResult::Failed) {
        return Verdict::Invalid;
    }
    let all_passed = checks.iter().all(|check| check.result == CheckResult::Passed);
    if all_passed && !checks.is_empty() { Verdict::Valid } else { Verdict::Inconclusive }
}

/// What a team's own SQL must answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expectation {
    /// The statement returns no row.
    #[serde(rename = "zero rows")]
    ZeroRows,
    /// The statement returns exactly one row with one column that is true.
    #[serde(rename = "true")]
    True,
}

/// A statement that must hold on the restored data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assertion {
    /// What it says, in the team's words; shown in the report.
    pub name: String,
    /// The database it runs in; every user database when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<String>,
    /// One read-only statement.
    pub sql: String,
    /// What the statement must answer.
    pub expect: Expectation,
}

/// What the data was, so that another restore can be held against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of the hashing and fingerprinting; manifests of different versions are not comparable.
    pub algorithm: String,
    /// `server_version` of the restored server.
    pub server_version: String,
    /// By database name.
    pub databases: BTreeMap<String, DatabaseManifest>,
}

impl Manifest {
    /// User tables in all databases.
    pub fn table_count(&self) -> u64 {
        self.databases.values().map(|database| database.tables.len() as u64).sum()
    }

    /// Rows in all tables.
    pub fn row_count(&self) -> u64 {
        self.databases.values().flat_map(|database| database.tables.values()).map(|table| table.rows).sum()
    }
}

/// One database of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseManifest {
    /// Hash over all objects, hexadecimal.
    pub schema_hash: String,
    /// Object identity (`table public.orders`, `index public.orders_pkey`, ...) to its definition's hash.
    pub objects: BTreeMap<String, String>,
    /// Quoted `schema.table` to what it holds. Partitions appear under their own names.
    pub tables: BTreeMap<String, TableManifest>,
}

/// One table of a [`DatabaseManifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableManifest {
    /// Exact number of rows.
    pub rows: u64,
    /// Order-independent fingerprint of all rows, hexadecimal, 128 bits.
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: CheckResult) -> Check {
        Check {
            name: "content".into(),
            scope: "shop".into(),
            result,
            reason: None,
            duration_ms: 1,
            findings: vec![],
        }
    }

    #[test]
    fn only_all_passed_is_valid() {
        use CheckResult::*;
        assert_eq!(verdict(&[check(Passed), check(Passed)]), Verdict::Valid);
        assert_eq!(verdict(&[check(Passed), check(Failed), check(Errored)]), Verdict::Invalid);
        assert_eq!(verdict(&[check(Passed), check(Errored)]), Verdict::Inconclusive);
        assert_eq!(verdict(&[check(Passed), check(NotRun)]), Verdict::Inconclusive);
        assert_eq!(verdict(&[]), Verdict::Inconclusive);
    }

    #[test]
    fn an_issue_names_the_object() {
        let mut failed = check(CheckResult::Failed);
        failed.findings =
            vec![Finding { object: "public.orders".into(), message: "page 7 is damaged".into() }];
        assert_eq!(failed.issue().unwrap(), "content of shop failed: public.orders: page 7 is damaged");
        assert_eq!(check(CheckResult::Passed).issue(), None);
    }
}
