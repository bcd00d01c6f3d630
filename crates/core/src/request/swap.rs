//! What a restore says of taking the database's place.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::baseline::secret_arn;
use crate::error::{Error, Result};
use crate::ids::{DatabaseId, OperationId};
use crate::validation::Assertion;

/// Smoke checks of each kind, at most.
const MAX_SMOKE_CHECKS: usize = 10;

/// Seconds within which smoke checks must pass, when the input does not say: what uses the database has to notice that it
/// lost its connections.
const SMOKE_WITHIN_SECONDS: u32 = 120;

/// The longest that can be asked for: while it goes on, nobody knows whether the new database does.
const MAX_SMOKE_WITHIN_SECONDS: u32 = 3600;

/// What was restored takes the place of what is there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swap {
    /// What becomes of the old instance.
    pub old_instance: AfterSwap,
    /// A CNAME that is pointed at the new one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<Record>,
    /// A secret whose `host` and `port` are set to the new one's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret_arn: Option<String>,
    /// What must do afterwards; when it does not, all is given back.
    #[serde(default)]
    pub smoke_checks: SmokeChecks,
}

/// What becomes of the instance that gave its name away, once the new one has proven itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterSwap {
    /// It goes on under its other name.
    #[default]
    Keep,
    /// It is stopped. RDS starts it again after seven days (Amazon RDS User Guide, "Stopping an Amazon RDS DB instance
    /// temporarily").
    Stop,
}

/// A record of Route 53.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// The hosted zone, `Z0123456789ABCDEFGHIJ`.
    pub hosted_zone_id: String,
    /// The record's name, a CNAME that is there.
    pub name: String,
}

/// What is looked at once the new database has its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SmokeChecks {
    /// Addresses that must answer.
    pub http: Vec<HttpCheck>,
    /// Statements that must hold, as the validation's assertions.
    pub sql: Vec<Assertion>,
    /// Seconds within which all must pass.
    pub within_seconds: u32,
}

impl Default for SmokeChecks {
    fn default() -> Self {
        SmokeChecks { http: vec![], sql: vec![], within_seconds: SMOKE_WITHIN_SECONDS }
    }
}

impl SmokeChecks {
    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.sql.is_empty()
    }
}

/// An address that must answer to a GET. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpCheck {
    /// `https://shop.example.com/health`.
    pub url: String,
    /// The status that it must answer with.
    #[serde(default = "ok")]
    pub status: u16,
    /// Text that must be in its answer, which may then have 64 KiB at most.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contains: Option<String>,
}

fn ok() -> u16 {
    200
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Raw {
    old_instance: AfterSwap,
    record: Option<Record>,
    secret_arn: Option<String>,
    smoke_checks: SmokeChecks,
}

/// Reads `true`, `false`, or what a swap is to be like.
pub(super) fn swap(raw: Option<&Value>) -> Result<Option<Swap>> {
    let raw = match raw {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
        Some(Value::Bool(true)) => Raw::default(),
        Some(said @ Value::Object(_)) => serde_path_to_error::deserialize(said).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { "swap".to_owned() } else { format!("swap.{path}") };
            Error::invalid(format!("{place}: {}", error.inner()))
        })?,
        Some(other) => {
            return Err(Error::invalid(format!("swap: {other} is neither true, false nor an object")));
        }
    };
    raw.secret_arn.as_deref().map(|arn| secret_arn("swap", arn)).transpose()?;
    let record = raw.record.map(record).transpose()?;
    check(&raw.smoke_checks)?;
    Ok(Some(Swap {
        old_instance: raw.old_instance,
        record,
        secret_arn: raw.secret_arn,
        smoke_checks: raw.smoke_checks,
    }))
}

fn record(record: Record) -> Result<Record> {
    let zone = record.hosted_zone_id.trim_start_matches("/hostedzone/").to_owned();
    if !(1..=32).contains(&zone.len()) || !zone.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    {
        return Err(Error::invalid(format!(
            "swap.record.hostedZoneId: {:?} is not the id of a hosted zone such as Z0123456789ABCDEFGHIJ",
            record.hosted_zone_id
        )));
    }
    let name = record.name.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if name.len() > 253 || !name.contains('.') || !name.split('.').all(label) {
        return Err(Error::invalid(format!(
            "swap.record.name: {:?} is not a name such as db.example.com",
            record.name
        )));
    }
    Ok(Record { hosted_zone_id: zone, name })
}

fn check(checks: &SmokeChecks) -> Result<()> {
    let place = "swap.smokeChecks";
    for (name, count) in [("http", checks.http.len()), ("sql", checks.sql.len())] {
        if count > MAX_SMOKE_CHECKS {
            return Err(Error::invalid(format!("{place}.{name}: {count} given, {MAX_SMOKE_CHECKS} allowed")));
        }
    }
    for http in &checks.http {
        let address = http.url.strip_prefix("https://").or_else(|| http.url.strip_prefix("http://"));
        let well_formed = address.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && http.url.len() <= 2048
            && http.url.chars().all(|c| c.is_ascii_graphic());
        if !well_formed {
            return Err(Error::invalid(format!(
                "{place}.http.url: {:?} is not an address such as https://shop.example.com/health",
                http.url
            )));
        }
        if http.url.contains('@') {
            return Err(Error::invalid(format!(
                "{place}.http.url: it names a user; no secret may stand in an input"
            )));
        }
        if !(100..=599).contains(&http.status) {
            return Err(Error::invalid(format!(
                "{place}.http.status: {} is not from 100 to 599",
                http.status
            )));
        }
    }
    for sql in &checks.sql {
        if sql.name.trim().is_empty() || sql.name.len() > 200 || sql.sql.len() > 20_000 {
            return Err(Error::invalid(format!(
                "{place}.sql: {:?} needs a name of 1-200 characters and at most 20000 of SQL",
                sql.name
            )));
        }
    }
    if !(1..=MAX_SMOKE_WITHIN_SECONDS).contains(&checks.within_seconds) {
        return Err(Error::invalid(format!(
            "{place}.withinSeconds: {} is not from 1 to {MAX_SMOKE_WITHIN_SECONDS}",
            checks.within_seconds
        )));
    }
    Ok(())
}

/// The name under which a swap restores, beside what is there.
pub(super) fn beside(database: &DatabaseId, operation: &OperationId) -> Result<DatabaseId> {
    derived(database, "new", operation)
}

/// The name that the old instance of a swap gets.
pub fn aside(database: &DatabaseId, operation: &OperationId) -> Result<DatabaseId> {
    derived(database, "old", operation)
}

/// Whether an instance is called as a swap of `database` calls the one that it sets aside.
pub fn is_aside(database: &DatabaseId, instance: &DatabaseId) -> bool {
    let Some((stem, digits)) = instance.as_str().rsplit_once("-old-") else { return false };
    let of_an_operation = digits.len() == 10 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
    // The stem is cut to the length that RDS allows.
    let cut = instance.as_str().len() >= 62 && database.as_str().starts_with(stem);
    of_an_operation && (stem == database.as_str() || cut)
}

/// At most 63 characters, as RDS allows: the digits make it this operation's own.
fn derived(database: &DatabaseId, word: &str, operation: &OperationId) -> Result<DatabaseId> {
    let digits = operation.as_str().rsplit('-').next().unwrap_or_default();
    let room = 63 - word.len() - digits.len() - 2;
    let stem: String = database.as_str().chars().take(room).collect();
    DatabaseId::parse(&format!("{}-{word}-{digits}", stem.trim_end_matches('-')))
}
