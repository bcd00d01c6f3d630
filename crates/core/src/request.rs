//! The input of a backup: strict on the way in, complete on the way out.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::ids::{DatabaseId, Region, RunId};
use crate::polling::{MAX_DEADLINE_MINUTES, MAX_TARGET_REGIONS};
use crate::tags::{MAX_TAGS, Tags, is_reserved};

mod again;
mod baseline;
mod reopen;
mod replication;
mod restore;
mod swap;
mod validation;

pub use again::ValidationRequest;
pub use baseline::{BaselineRequest, Login};
pub use reopen::Reopen;
pub use replication::ReplicationRequest;
pub use restore::{EnhancedMonitoring, PerformanceInsights, RestoreFrom, RestoreOptions, RestoreRequest};
pub use swap::{AfterSwap, HttpCheck, Record, SmokeChecks, Swap, aside, is_aside};
pub use validation::Validation;
use validation::{RawValidation, validation};

/// Tags that Holdfast sets itself, kept free under [`MAX_TAGS`].
const RESERVED_TAGS: usize = 8;

/// Largest request: it travels in every payload of the workflow, which may have 256 KiB, beside the results.
const MAX_REQUEST_BYTES: usize = 48 * 1024;

/// Which retention rule the backup falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
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

    /// The tier of a tag; `None` for a word that is none.
    pub fn read(word: &str) -> Option<Self> {
        [Tier::Daily, Tier::Weekly, Tier::Monthly, Tier::Yearly]
            .into_iter()
            .find(|tier| tier.as_str() == word)
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

impl BackupRequest {
    /// Reads an execution's input. `started_at` (the execution's start) is the run id when none is given.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn parse(input: &Value, started_at: &str, defaults: &Defaults) -> Result<Self> {
        let raw: RawRequest = strictly(input)?;
        let database_id = DatabaseId::parse(&raw.database_id)?;
        let request = BackupRequest {
            baseline: raw.baseline.map(|raw| baseline::baseline(raw, &database_id)).transpose()?,
            database_id,
            run_id: RunId::parse(raw.run_id.as_deref().unwrap_or(started_at))?,
            tier: raw.tier.unwrap_or_default(),
            target_regions: target_regions(raw.target_regions, defaults)?,
            tags: user_tags(raw.tags.unwrap_or_default())?,
            validation: validation(raw.validation.unwrap_or_default())?,
            deadline_minutes: deadline_minutes(raw.deadline_minutes)?,
        };
        let heartbeat =
            request.validation.checks.freshness.as_ref().and_then(|freshness| freshness.heartbeat.as_ref());
        if heartbeat.is_some() && request.baseline.is_none() {
            return Err(Error::invalid(
                "validation.checks.freshness.heartbeat: it is written with baseline's login; name one under baseline",
            ));
        }
        let bytes = serde_json::to_vec(&request).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_REQUEST_BYTES {
            return Err(Error::invalid(format!(
                "input: {bytes} bytes with its defaults, {MAX_REQUEST_BYTES} allowed; move long assertions into views"
            )));
        }
        Ok(request)
    }
}

/// Reads an input that has no key but the known ones; what is wrong is named by its path.
fn strictly<T: DeserializeOwned>(input: &Value) -> Result<T> {
    serde_path_to_error::deserialize(input).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { "input".to_owned() } else { format!("input.{path}") };
        Error::invalid(format!("{place}: {}", error.inner()))
    })
}

fn deadline_minutes(asked: Option<f64>) -> Result<f64> {
    let minutes = asked.unwrap_or(720.0);
    if !(minutes > 0.0 && minutes <= MAX_DEADLINE_MINUTES) {
        return Err(Error::invalid(format!(
            "deadlineMinutes: {minutes} is not more than 0 and at most {MAX_DEADLINE_MINUTES}"
        )));
    }
    Ok(minutes)
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
        if is_reserved(key) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validation::CheckSettings;

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
        for later in ["checks", "parallelism", "chunkMib", "copyShare"] {
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
    fn a_heartbeat_needs_somebody_who_writes_it() {
        let checks = json!({"freshness": {"heartbeat": {"database": "shop", "table": "public.h"}, "maxAgeMinutes": 5}});
        let input = json!({"databaseId": "prod-db", "validation": {"checks": checks}});
        let error = parse(input.clone()).unwrap_err();
        assert!(
            error.message.contains("freshness.heartbeat") && error.message.contains("baseline"),
            "{error}"
        );
        let mut with_login = input;
        with_login["baseline"] = json!({"iamUser": "holdfast_reader"});
        let freshness = parse(with_login).unwrap().validation.checks.freshness.unwrap();
        assert_eq!(freshness.all_columns()[0].column, "beat_at");
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
            (json!({"databaseId": "prod-db", "validation": {"copyShare": 1.5}}), "validation.copyShare: 1.5"),
            (json!({"databaseId": "prod-db", "validation": {"copyShare": -0.1}}), "from 0 to 1"),
            (
                json!({"databaseId": "prod-db", "validation": {"enabled": false, "copyShare": 1}}),
                "validation.copyShare: a copy is held against its backup's manifest",
            ),
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
