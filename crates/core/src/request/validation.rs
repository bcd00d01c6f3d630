//! How a backup is validated: what the input says of it, and what holds when it does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::ids::{OperationId, Region};
use crate::polling::MAX_WORKERS;
use crate::validation::{Assertion, CheckSettings};

/// Classes tried after the one that was asked for: burstable and general, Graviton and Intel.
const FALLBACK_CLASSES: [&str; 4] = ["db.t4g.medium", "db.t3.medium", "db.m6g.large", "db.m6i.large"];

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
    /// Which share of the copies is restored where it lies and held against the manifest, from 0 (none) to 1 (each).
    #[serde(default)]
    pub copy_share: f64,
}

fn default_parallelism() -> u32 {
    PARALLELISM
}

fn default_chunk_mib() -> u64 {
    CHUNK_MIB
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawValidation {
    enabled: Option<bool>,
    instance_class: Option<String>,
    fallback_instance_classes: Option<Vec<String>>,
    assertions: Option<Vec<Assertion>>,
    allow_missing_tables: Option<Vec<String>>,
    checks: Option<CheckSettings>,
    parallelism: Option<u32>,
    chunk_mib: Option<u64>,
    copy_share: Option<f64>,
}

impl Validation {
    /// Whether the copy of this operation in `region` is one of the share that is restored where it lies. Always the
    /// same answer for the same copy, whoever asks and however often; over many copies the share is met.
    pub fn proves_copy(&self, operation: &OperationId, region: &Region) -> bool {
        let digest = Sha256::digest(format!("{operation} {region}"));
        let drawn = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        f64::from(drawn) / (f64::from(u32::MAX) + 1.0) < self.copy_share
    }

    /// The same as an input says it, for the validation of a copy: checked alike, with nothing said of copies.
    pub fn as_input(&self) -> Value {
        let (first, rest) = match self.instance_classes.split_first() {
            Some((first, rest)) => (Some(first), rest),
            None => (None, &[][..]),
        };
        json!({
            "instanceClass": first,
            "fallbackInstanceClasses": rest,
            "assertions": self.assertions,
            "allowMissingTables": self.allow_missing_tables,
            "checks": self.checks,
            "parallelism": self.parallelism,
            "chunkMib": self.chunk_mib,
        })
    }
}

/// Fills in the defaults and refuses what cannot be.
pub(super) fn validation(raw: RawValidation) -> Result<Validation> {
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
    let enabled = raw.enabled.unwrap_or(true);
    let copy_share = raw.copy_share.unwrap_or_default();
    if !(0.0..=1.0).contains(&copy_share) {
        return Err(Error::invalid(format!(
            "validation.copyShare: {copy_share} is not from 0 to 1 (0.25: every fourth copy)"
        )));
    }
    if copy_share > 0.0 && !enabled {
        return Err(Error::invalid(
            "validation.copyShare: a copy is held against its backup's manifest, and validation.enabled is false; \
             set it to 0",
        ));
    }
    Ok(Validation {
        enabled,
        instance_classes,
        assertions,
        allow_missing_tables: raw.allow_missing_tables.unwrap_or_default(),
        checks,
        parallelism,
        chunk_mib,
        copy_share,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: Value) -> Validation {
        validation(serde_json::from_value(input).unwrap()).unwrap()
    }

    fn copies(share: f64) -> usize {
        let validation = read(json!({"copyShare": share}));
        let drawn = |n: usize| {
            let operation = OperationId::parse(&format!("prod-db-r{n}-0123456789")).unwrap();
            let region = |name| Region::parse(name).unwrap();
            ["us-west-2", "eu-west-1"]
                .iter()
                .filter(|name| validation.proves_copy(&operation, &region(name)))
                .count()
        };
        (0..500).map(drawn).sum()
    }

    #[test]
    fn the_share_of_copies_is_met_and_the_same_copy_always_meets_the_same_answer() {
        assert_eq!((copies(0.0), copies(1.0)), (0, 1000));
        let quarter = copies(0.25);
        assert!((200..300).contains(&quarter), "{quarter} of 1000");
        assert_eq!(copies(0.25), quarter);
    }

    #[test]
    fn as_an_input_it_is_read_as_the_same() {
        let asked = read(json!({
            "instanceClass": "db.r6g.large", "fallbackInstanceClasses": ["db.m6g.large"], "copyShare": 0.5,
            "assertions": [{"name": "a", "sql": "select true", "expect": "true"}], "parallelism": 7, "chunkMib": 64,
            "checks": {"foreignKeys": "off", "content": {"samplePercent": 10}}, "allowMissingTables": ["a.b.c"],
        }));
        assert_eq!(read(asked.as_input()), Validation { copy_share: 0.0, ..asked });
    }
}
