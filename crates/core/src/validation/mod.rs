//! What a validation found, and the verdict that follows from it.
//!
//! The rule that carries Holdfast: *unknown is not success*. A backup is VALID only when every
//! check that was asked for ran and passed.

use serde::{Deserialize, Serialize};

mod baseline;
mod manifest;
mod settings;

pub use baseline::{Baseline, Counters, DatabaseReading, Depth as BaselineDepth, Reading, Session};
pub use manifest::{DatabaseManifest, Manifest, ObjectManifest, TableManifest};
pub use settings::{BEAT_AT, CheckSettings, Coverage, Digest, Freshness, FreshnessColumn, Heartbeat};

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

/// Something that was not looked at, said as clearly as what was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotChecked {
    /// The check that would have looked (`content`, `indexes`, ...).
    pub check: String,
    /// The database, or `instance`.
    pub scope: String,
    /// The object, quoted as PostgreSQL would; absent when the whole check is meant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub object: Option<String>,
    /// Why: switched off by the input, sampled, no extension, holds no data here.
    pub reason: String,
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

    /// Reads the word back; `None` for any other (`UNPROVEN` among them).
    pub fn read(word: &str) -> Option<Self> {
        let all = [Verdict::Valid, Verdict::Invalid, Verdict::Inconclusive, Verdict::NotRun];
        all.into_iter().find(|verdict| verdict.as_str() == word)
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
    /// The statement returns exactly one row with one number that compares as this says: `>= 1000`, `= 0`, `< 5.5`.
    #[serde(untagged)]
    Compares(Comparison),
}

/// A comparison with a number: `>= 1000`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Comparison {
    /// How it compares.
    pub operator: Operator,
    /// A decimal number, as it was written.
    pub number: String,
}

/// The operators of a [`Comparison`], as SQL writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Longest first, so that `<=` is not read as `<`.
    const ALL: [Operator; 6] = [
        Operator::LessOrEqual,
        Operator::GreaterOrEqual,
        Operator::NotEqual,
        Operator::Equal,
        Operator::Less,
        Operator::Greater,
    ];

    /// As SQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "<>",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        }
    }
}

impl TryFrom<String> for Comparison {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not \"zero rows\", \"true\", or a comparison with a number such as \">= 1000\""
            )
        };
        let trimmed = text.trim();
        let operator = Operator::ALL
            .into_iter()
            .find(|operator| trimmed.starts_with(operator.as_str()))
            .ok_or_else(wrong)?;
        let number = trimmed[operator.as_str().len()..].trim();
        let digits = number.strip_prefix('-').unwrap_or(number);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || number.len() > 60 {
            return Err(wrong());
        }
        Ok(Comparison { operator, number: number.to_owned() })
    }
}

impl From<Comparison> for String {
    fn from(comparison: Comparison) -> String {
        format!("{} {}", comparison.operator.as_str(), comparison.number)
    }
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
    /// Whether the report shows what it answered when that is not as expected: up to 5 rows, each cut to 200
    /// characters. They are rows of the data.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub show_rows: bool,
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
    fn an_expectation_is_read_strictly() {
        let read = |text: &str| serde_json::from_value::<Expectation>(serde_json::json!(text));
        assert_eq!(read("zero rows").unwrap(), Expectation::ZeroRows);
        assert_eq!(read("true").unwrap(), Expectation::True);
        let many = Expectation::Compares(Comparison {
            operator: Operator::GreaterOrEqual,
            number: "-1000.5".into(),
        });
        assert_eq!(read(">= -1000.5").unwrap(), many);
        assert_eq!(serde_json::to_value(&many).unwrap(), ">= -1000.5");
        for bad in ["", "false", ">=", "=> 5", "> 1e5", "> 1; drop", "= .", "1", "> five", "> --5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
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
