//! The input of a backup: strict on the way in, complete on the way out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::ids::{DatabaseId, Region, RunId};
use crate::polling::{MAX_DEADLINE_MINUTES, MAX_TARGET_REGIONS, MAX_WORKERS};
use crate::tags::{MAX_TAGS, Tags};
use crate::validation::{Assertion, CheckSettings};

mod baseline;

pub use baseline::{BaselineRequest, Login};

/// Tags that Holdfast sets itself, kept free under [`MAX_TAGS`].
const RESERVED_TAGS: usize = 8;

/// Largest request: it travels in every payload of the workflow, which may have 256 KiB, beside the results.
const MAX_REQUEST_BYTES: usize = 48 * 1024;

/// Which retention rule the backup falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Kept for days.
    #[default]
    Daily,
    /// Kept for weeks.
    Weekly,
    /// Kept for months.
    Monthly,
    /// Kept for years.
    Yearly,
}

impl Tier {
    /// The word used in tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Daily => "daily",
            Tier::Weekly => "weekly",
            Tier::Monthly => "monthly",
            Tier::Yearly => "yearly",
        }
    }
}

/// One Region the backup is copied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetRegion {
    /// The Region.
    pub region: Region,
    /// The key there: id, ARN or `alias/...`.
    pub kms_key_id: String,
}

/// Functions that work on one validation at once, when the input does not say.
const PARALLELISM: u32 = 4;

/// Mebibytes that one piece of work reads, when the input does not say. A gibibyte takes seconds from a warm volume
/// and a minute or so from one that still loads from S3.
const CHUNK_MIB: u64 = 1024;

/// The largest piece of work: what a small instance still reads within the bound of one statement.
const MAX_CHUNK_MIB: u64 = 16 * 1024;

/// How the backup is validated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether it is restored and checked at all.
    pub enabled: bool,
    /// Instance classes to try, in order, until one has capacity.
    pub instance_classes: Vec<String>,
    /// The team's own statements.
    pub assertions: Vec<Assertion>,
    /// Tables (`database.schema.table`) that may be missing though the last validated backup had them.
    pub allow_missing_tables: Vec<String>,
    /// Which checks, and how thoroughly.
    #[serde(default)]
    pub checks: CheckSettings,
    /// Functions that work on it at once, at most.
    #[serde(default = "default_parallelism")]
    pub parallelism: u32,
    /// Mebibytes that one piece of work reads, about.
    #[serde(default = "default_chunk_mib")]
    pub chunk_mib: u64,
}

fn default_parallelism() -> u32 {
    PARALLELISM
}

fn default_chunk_mib() -> u64 {
    CHUNK_MIB
}

/// A backup request with every default filled in. This is what the record keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupRequest {
    /// What to back up.
    pub database_id: DatabaseId,
    /// Which run this is.
    pub run_id: RunId,
    /// Which retention rule it falls under.
    pub tier: Tier,
    /// Where copies go; may be empty.
    pub target_regions: Vec<TargetRegion>,
    /// Tags put on the snapshot and its copies.
    pub tags: Tags,
    /// How the source is read around the snapshot; not at all when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<BaselineRequest>,
    /// How it is validated.
    pub validation: Validation,
    /// Minutes from the execution's start after which the operation gives up.
    pub deadline_minutes: f64,
}

/// What fills the gaps of an input: the deployment's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// The Region Holdfast runs in (`AWS_REGION`).
    pub region: Region,
    /// Where copies go when the input does not say (`DR_TARGET_REGIONS`, `DR_KMS_KEY_ID`).
    pub target_regions: Vec<TargetRegion>,
}

/// Classes tried after the one that was asked for: burstable and general, Graviton and Intel.
const FALLBACK_CLASSES: [&str; 4] = ["db.t4g.medium", "db.t3.medium", "db.m6g.large", "db.m6i.large"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawRequest {
    database_id: String,
    run_id: Option<String>,
    tier: Option<Tier>,
    target_regions: Option<Vec<RawTarget>>,
    tags: Option<Tags>,
    baseline: Option<baseline::RawBaseline>,
    validation: Option<RawValidation>,
    deadline_minutes: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawTarget {
    region: String,
    kms_key_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawValidation {
    enabled: Option<bool>,
    instance_class: Option<String>,
    fallback_instance_classes: Option<Vec<String>>,
    assertions: Option<Vec<Assertion>>,
    allow_missing_tables: Option<Vec<String>>,
    checks: Option<CheckSettings>,
    parallelism: Option<u32>,
    chunk_mib: Option<u64>,
}

impl BackupRequest {
    /// Reads an execution's input. `started_at` (the execution's start) is the run id when none is given.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn parse(input: &Value, started_at: &str, defaults: &Defaults) -> Result<Self> {
        let raw: RawRequest = serde_path_to_error::deserialize(input).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { "input".to_owned() } else { format!("input.{path}") };
            Error::invalid(format!("{place}: {}", error.inner()))
        })?;
        let deadline_minutes = raw.deadline_minutes.unwrap_or(720.0);
        if !(deadline_minutes > 0.0 && deadline_minutes <= MAX_DEADLINE_MINUTES) {
            return Err(Error::invalid(format!(
                "deadlineMinutes: {deadline_minutes} is not more than 0 and at most {MAX_DEADLINE_MINUTES}"
            )));
        }
        let database_id = DatabaseId::parse(&raw.database_id)?;
        let request = BackupRequest {
            baseline: raw.baseline.map(|raw| baseline::baseline(raw, &database_id)).transpose()?,
            database_id,
            run_id: RunId::parse(raw.run_id.as_deref().unwrap_or(started_at))?,
            tier: raw.tier.unwrap_or_default(),
            target_regions: target_regions(raw.target_regions, defaults)?,
            tags: user_tags(raw.tags.unwrap_or_default())?,
            validation: validation(raw.validation.unwrap_or_default())?,
            deadline_minutes,
        };
        let bytes = serde_json::to_vec(&request).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_REQUEST_BYTES {
            return Err(Error::invalid(format!(
                "input: {bytes} bytes with its defaults, {MAX_REQUEST_BYTES} allowed; move long assertions into views"
            )));
        }
        Ok(request)
    }
}

fn target_regions(raw: Option<Vec<RawTarget>>, defaults: &Defaults) -> Result<Vec<TargetRegion>> {
    let Some(raw) = raw else { return Ok(defaults.target_regions.clone()) };
    if raw.len() > MAX_TARGET_REGIONS {
        return Err(Error::invalid(format!(
            "targetRegions: {} Regions asked for, {MAX_TARGET_REGIONS} allowed",
            raw.len()
        )));
    }
    let mut targets: Vec<TargetRegion> = Vec::new();
    for target in raw {
        let region = Region::parse(&target.region)
            .map_err(|error| Error::invalid(format!("targetRegions.{}", error.message)))?;
        if region == defaults.region {
            return Err(Error::invalid(format!(
                "targetRegions: {region} is the Region of the database itself; name another"
            )));
        }
        if targets.iter().any(|known| known.region == region) {
            return Err(Error::invalid(format!("targetRegions: {region} is named twice; name it once")));
        }
        let kms_key_id = target.kms_key_id.unwrap_or_else(|| "alias/holdfast".into());
        if kms_key_id.is_empty() || kms_key_id.len() > 2048 {
            return Err(Error::invalid("targetRegions.kmsKeyId: must be a key id, an ARN or alias/..."));
        }
        targets.push(TargetRegion { region, kms_key_id });
    }
    Ok(targets)
}

fn user_tags(tags: Tags) -> Result<Tags> {
    if tags.len() > MAX_TAGS - RESERVED_TAGS {
        return Err(Error::invalid(format!(
            "tags: {} given, {} allowed",
            tags.len(),
            MAX_TAGS - RESERVED_TAGS
        )));
    }
    for (key, value) in &tags {
        let lower = key.to_ascii_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("rds:") || lower.starts_with("holdfast:") {
            return Err(Error::invalid(format!(
                "tags: {key:?} has a reserved prefix (aws:, rds:, holdfast:)"
            )));
        }
        let allowed = |text: &str| {
            text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
        };
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Error::invalid(format!(
                "tags: {key:?} must be 1-128 characters and its value at most 256"
            )));
        }
        if !allowed(key) || !allowed(value) {
            return Err(Error::invalid(format!(
                "tags: {key:?} or its value has a character other than letters, digits, spaces and _.:/=+-@"
            )));
        }
    }
    Ok(tags)
}

fn validation(raw: RawValidation) -> Result<Validation> {
    let first = raw.instance_class.unwrap_or_else(|| FALLBACK_CLASSES[0].to_owned());
    let rest = raw
        .fallback_instance_classes
        .unwrap_or_else(|| FALLBACK_CLASSES.iter().map(|class| (*class).to_owned()).collect());
    let mut instance_classes = vec![first];
    for class in rest {
        if !instance_classes.contains(&class) {
            instance_classes.push(class);
        }
    }
    for class in &instance_classes {
        if !class.starts_with("db.") || class.len() > 40 {
            return Err(Error::invalid(format!(
                "validation.instanceClass: {class:?} is not a DB instance class such as db.t4g.medium"
            )));
        }
    }
    let assertions = raw.assertions.unwrap_or_default();
    let mut names = BTreeMap::new();
    for assertion in &assertions {
        if assertion.name.trim().is_empty() || assertion.name.len() > 200 || assertion.sql.len() > 20_000 {
            return Err(Error::invalid(format!(
                "validation.assertions: {:?} needs a name of 1-200 characters and at most 20000 of SQL",
                assertion.name
            )));
        }
        if names.insert((&assertion.name, &assertion.database), ()).is_some() {
            return Err(Error::invalid(format!(
                "validation.assertions: the name {:?} is used twice; each needs its own",
                assertion.name
            )));
        }
    }
    if assertions.len() > 50 {
        return Err(Error::invalid(format!("validation.assertions: {} given, 50 allowed", assertions.len())));
    }
    let checks = raw.checks.unwrap_or_default();
    checks.validate().map_err(|sentence| Error::invalid(format!("validation.checks.{sentence}")))?;
    let parallelism = raw.parallelism.unwrap_or(PARALLELISM);
    if !(1..=MAX_WORKERS).contains(&parallelism) {
        return Err(Error::invalid(format!(
            "validation.parallelism: {parallelism} is not from 1 to {MAX_WORKERS}"
        )));
    }
    let chunk_mib = raw.chunk_mib.unwrap_or(CHUNK_MIB);
    if !(1..=MAX_CHUNK_MIB).contains(&chunk_mib) {
        return Err(Error::invalid(format!(
            "validation.chunkMib: {chunk_mib} is not from 1 to {MAX_CHUNK_MIB}"
        )));
    }
    Ok(Validation {
        enabled: raw.enabled.unwrap_or(true),
        instance_classes,
        assertions,
        allow_missing_tables: raw.allow_missing_tables.unwrap_or_default(),
        checks,
        parallelism,
        chunk_mib,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            region: Region::parse("us-east-1").unwrap(),
            target_regions: vec![TargetRegion {
                region: Region::parse("us-west-2").unwrap(),
                kms_key_id: "alias/holdfast".into(),
            }],
        }
    }

    fn parse(input: Value) -> Result<BackupRequest> {
        BackupRequest::parse(&input, "2026-11-20T06:00:00.123Z", &defaults())
    }

    #[test]
    fn everything_but_the_database_has_a_default() {
        let request = parse(json!({"databaseId": "prod-db"})).unwrap();
        assert_eq!(request.run_id.as_str(), "2026-11-20T06:00:00.123Z");
        assert_eq!(request.tier, Tier::Daily);
        assert_eq!(request.target_regions, defaults().target_regions);
        assert!(request.validation.enabled);
        assert_eq!(request.validation.instance_classes[0], "db.t4g.medium");
        assert!(request.validation.instance_classes.len() > 1);
        assert_eq!(request.deadline_minutes, 720.0);
        assert_eq!(request.validation.checks, CheckSettings::default());
        assert_eq!((request.validation.parallelism, request.validation.chunk_mib), (4, 1024));
    }

    #[test]
    fn a_request_recorded_before_there_were_check_settings_is_the_same_with_the_defaults() {
        let request = parse(json!({"databaseId": "prod-db"})).unwrap();
        let mut recorded = serde_json::to_value(&request).unwrap();
        for later in ["checks", "parallelism", "chunkMib"] {
            recorded["validation"].as_object_mut().unwrap().remove(later).expect("a later field");
        }
        assert_eq!(serde_json::from_value::<BackupRequest>(recorded).unwrap(), request);
    }

    #[test]
    fn the_whole_sample_is_understood() {
        let request = parse(json!({
            "databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z", "tier": "weekly",
            "targetRegions": [{"region": "eu-west-1", "kmsKeyId": "alias/other"}],
            "tags": {"Environment": "production"},
            "validation": {"enabled": true, "instanceClass": "db.r6g.large",
                "assertions": [{"name": "orders have lines", "sql": "select 1 where false", "expect": "zero rows"}]},
            "deadlineMinutes": 60
        }))
        .unwrap();
        assert_eq!(request.target_regions[0].kms_key_id, "alias/other");
        assert_eq!(request.validation.instance_classes[0], "db.r6g.large");
        let again: BackupRequest = serde_json::from_value(serde_json::to_value(&request).unwrap()).unwrap();
        assert_eq!(again, request);
    }

    #[test]
    fn a_request_too_large_for_the_payloads_is_refused() {
        let assertion =
            |n: usize| json!({"name": format!("a{n}"), "sql": "s".repeat(10_000), "expect": "true"});
        let assertions: Vec<Value> = (0..5).map(assertion).collect();
        let error =
            parse(json!({"databaseId": "prod-db", "validation": {"assertions": assertions}})).unwrap_err();
        assert!(error.message.contains("allowed"), "{}", error.message);
    }

    #[test]
    fn bad_input_names_the_field() {
        let bad = [
            (json!({}), "databaseId"),
            (json!("prod-db"), "input"),
            (json!({"databaseId": "prod-db", "databseId": 1}), "databseId"),
            (json!({"databaseId": "prod-db", "validation": {"enabledd": true}}), "input.validation.enabledd"),
            (json!({"databaseId": "prod-db", "targetRegions": [{"region": "moon"}]}), "targetRegions.region"),
            (json!({"databaseId": "prod-db", "targetRegions": [{"region": "us-east-1"}]}), "itself"),
            (
                json!({"databaseId": "prod-db", "targetRegions": [{"region": "eu-west-1"}, {"region": "eu-west-1"}]}),
                "twice",
            ),
            (json!({"databaseId": "prod-db", "tier": "hourly"}), "input.tier"),
            (json!({"databaseId": "prod-db", "tags": {"aws:x": "y"}}), "aws:x"),
            (json!({"databaseId": "prod-db", "tags": {"holdfast:operation": "y"}}), "holdfast:operation"),
            (
                json!({"databaseId": "prod-db", "baseline": {"iamUser": "a", "pasword": "b"}}),
                "input.baseline.pasword",
            ),
            (json!({"databaseId": "prod-db", "baseline": {}}), "either secretArn or iamUser"),
            (json!({"databaseId": "prod-db", "deadlineMinutes": 0}), "deadlineMinutes"),
            (json!({"databaseId": "prod-db", "deadlineMinutes": 99999}), "deadlineMinutes"),
            (json!({"databaseId": "prod-db", "runId": "a b"}), "runId"),
            (json!({"databaseId": "prod-db", "validation": {"instanceClass": "t4g"}}), "instanceClass"),
            (
                json!({"databaseId": "prod-db", "validation": {"assertions": [{"name": "a", "sql": "b", "expect": "c"}]}}),
                "expect",
            ),
            (
                json!({"databaseId": "prod-db", "validation": {"checks": {"contents": "off"}}}),
                "input.validation.checks.contents",
            ),
            (
                json!({"databaseId": "prod-db", "validation": {"checks": {"schema": {"samplePercent": 5}}}}),
                "validation.checks.schema: cannot be sampled",
            ),
            (json!({"databaseId": "prod-db", "validation": {"parallelism": 0}}), "validation.parallelism: 0"),
            (json!({"databaseId": "prod-db", "validation": {"parallelism": 41}}), "from 1 to 40"),
            (json!({"databaseId": "prod-db", "validation": {"chunkMib": 0}}), "validation.chunkMib: 0"),
            (json!({"databaseId": "prod-db", "validation": {"chunkMib": 16385}}), "from 1 to 16384"),
        ];
        for (input, expected) in bad {
            let error = parse(input.clone()).unwrap_err();
            assert_eq!(error.kind, crate::ErrorKind::InvalidInput);
            assert!(error.message.contains(expected), "{input} gave {:?}", error.message);
        }
    }
}
