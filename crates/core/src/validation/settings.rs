//! Which checks are made, and how thoroughly.

use serde::{Deserialize, Serialize};

/// How much of it a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Coverage {
    /// Everything.
    #[default]
    Full,
    /// This share of the pages, spread evenly, in per cent: above 0, below 100.
    SamplePercent(f64),
    /// Nothing; the report says so.
    Off,
}

/// Against what a fingerprint is proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Digest {
    /// Accidents: 128 bits of the server's own hash functions, at the speed of reading.
    #[default]
    Fast,
    /// A person who chooses the data, too: SHA-256 per row, summed as LtHash. Several times slower.
    Cryptographic,
}

/// One column that shows how new the data is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreshnessColumn {
    /// The database.
    pub database: String,
    /// `schema.table`, quoted where PostgreSQL would.
    pub table: String,
    /// A column of type date, timestamp or timestamptz (times without a zone are taken as UTC).
    pub column: String,
}

/// Column of a [`Heartbeat`]'s table that has the time.
pub const BEAT_AT: &str = "beat_at";

/// A table of the team's into which each backup writes a row just before its snapshot:
/// `(operation_id text PRIMARY KEY, beat_at timestamptz NOT NULL)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Heartbeat {
    /// The database.
    pub database: String,
    /// `schema.table`, quoted where PostgreSQL would.
    pub table: String,
}

/// How new the data must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freshness {
    /// Where to look; the newest of all counts.
    #[serde(default)]
    pub columns: Vec<FreshnessColumn>,
    /// A table that shows how new the data is because the backup itself writes to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heartbeat: Option<Heartbeat>,
    /// The newest value may be this much older than the snapshot.
    pub max_age_minutes: f64,
}

impl Freshness {
    /// All columns that show how new the data is, the heartbeat's among them.
    pub fn all_columns(&self) -> Vec<FreshnessColumn> {
        let beat = self.heartbeat.as_ref().map(|heartbeat| FreshnessColumn {
            database: heartbeat.database.clone(),
            table: heartbeat.table.clone(),
            column: BEAT_AT.to_owned(),
        });
        self.columns.iter().cloned().chain(beat).collect()
    }
}

/// Which checks are made. The default is everything that needs no further word from the team.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CheckSettings {
    /// `schema`: the catalog, object by object. On or off.
    pub schema: Coverage,
    /// `content`: rows counted and fingerprinted, every heap and TOAST value read.
    pub content: Coverage,
    /// `storage`: heap and TOAST pages by `amcheck`, all pages of every index.
    pub storage: Coverage,
    /// `indexes`: B-trees by `amcheck` with every heap row looked up, or by what they answer. On or off.
    pub indexes: Coverage,
    /// `uniqueness`: duplicates under unique indexes. On or off.
    pub uniqueness: Coverage,
    /// `foreign-keys`: rows that refer to nothing.
    pub foreign_keys: Coverage,
    /// `constraints`: rows that violate a check or not-null constraint.
    pub constraints: Coverage,
    /// `sequences`: behind their columns. On or off.
    pub sequences: Coverage,
    /// `collations`: versions that differ from the library's. On or off.
    pub collations: Coverage,
    /// `leftovers`: prepared transactions, replication slots, unlogged tables found empty. On or off.
    pub leftovers: Coverage,
    /// `freshness`: only when columns or a heartbeat are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Against what the fingerprints are proof.
    pub digest: Digest,
}

impl CheckSettings {
    /// None of them: what is left is what the team asks.
    pub fn none() -> Self {
        CheckSettings {
            schema: Coverage::Off,
            content: Coverage::Off,
            storage: Coverage::Off,
            indexes: Coverage::Off,
            uniqueness: Coverage::Off,
            foreign_keys: Coverage::Off,
            constraints: Coverage::Off,
            sequences: Coverage::Off,
            collations: Coverage::Off,
            leftovers: Coverage::Off,
            freshness: None,
            digest: Digest::default(),
        }
    }

    /// Says what is wrong with them, in one sentence that names the field.
    ///
    /// # Errors
    /// The sentence.
    pub fn validate(&self) -> Result<(), String> {
        for (name, coverage, may_sample) in [
            ("schema", self.schema, false),
            ("content", self.content, true),
            ("storage", self.storage, true),
            ("indexes", self.indexes, false),
            ("uniqueness", self.uniqueness, false),
            ("foreignKeys", self.foreign_keys, true),
            ("constraints", self.constraints, true),
            ("sequences", self.sequences, false),
            ("collations", self.collations, false),
            ("leftovers", self.leftovers, false),
        ] {
            let Coverage::SamplePercent(percent) = coverage else { continue };
            if !may_sample {
                return Err(format!("{name}: cannot be sampled; it is \"full\" or \"off\""));
            }
            if !(percent > 0.0 && percent < 100.0) {
                return Err(format!("{name}.samplePercent: {percent} is not above 0 and below 100"));
            }
        }
        if let Some(freshness) = &self.freshness {
            if freshness.all_columns().is_empty() || freshness.columns.len() > 20 {
                return Err("freshness.columns: name 1 to 20 columns, or a heartbeat".into());
            }
            if !(freshness.max_age_minutes > 0.0 && freshness.max_age_minutes <= 525_600.0) {
                return Err(format!(
                    "freshness.maxAgeMinutes: {} is not more than 0 and at most 525600",
                    freshness.max_age_minutes
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_input_means_everything_in_full() {
        let settings: CheckSettings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(settings, CheckSettings::default());
        assert_eq!(settings.content, Coverage::Full);
        assert!(settings.validate().is_ok());
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |input: serde_json::Value| {
            let settings: CheckSettings = serde_json::from_value(input).unwrap();
            settings.validate().unwrap_err()
        };
        assert!(refused(json!({"schema": {"samplePercent": 5}})).starts_with("schema:"));
        assert!(refused(json!({"content": {"samplePercent": 0}})).starts_with("content.samplePercent:"));
        assert!(refused(json!({"storage": {"samplePercent": 100}})).starts_with("storage.samplePercent:"));
        assert!(refused(json!({"freshness": {"columns": [], "maxAgeMinutes": 5}})).contains("columns"));
        let column = json!({"database": "shop", "table": "public.orders", "column": "at"});
        assert!(
            refused(json!({"freshness": {"columns": [column], "maxAgeMinutes": 0}}))
                .contains("maxAgeMinutes")
        );
        assert!(serde_json::from_value::<CheckSettings>(json!({"contents": "off"})).is_err());
    }
}
