//! The input of a replication: which backup, and the Regions that it is copied to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::validation::{RawValidation, Validation, validation};
use super::{Defaults, RawTarget, TargetRegion, deadline_minutes, strictly, target_regions};
use crate::error::{Error, Result};
use crate::ids::{DatabaseId, OperationId, RunId};

/// A replication that is asked for, with every default filled in. This is what the record keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationRequest {
    /// Whose backup it is.
    pub database_id: DatabaseId,
    /// Which run this is.
    pub run_id: RunId,
    /// The operation that took the backup; the newest that was found VALID when it is not said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backup: Option<OperationId>,
    /// Where copies go; at least one.
    pub target_regions: Vec<TargetRegion>,
    /// How the share of the copies that `copyShare` draws is proven where it lies.
    pub validation: Validation,
    /// Minutes from the execution's start after which the operation gives up.
    pub deadline_minutes: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    database_id: String,
    run_id: Option<String>,
    backup: Option<String>,
    target_regions: Option<Vec<RawTarget>>,
    validation: Option<RawValidation>,
    deadline_minutes: Option<f64>,
}

impl ReplicationRequest {
    /// Reads an execution's input. `started_at` (the execution's start) is the run id when none is given.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn parse(input: &Value, started_at: &str, defaults: &Defaults) -> Result<Self> {
        let raw: Raw = strictly(input)?;
        let target_regions = target_regions(raw.target_regions, defaults)?;
        if target_regions.is_empty() {
            return Err(Error::invalid(
                "targetRegions: there is nowhere to copy to; name at least one Region",
            ));
        }
        let backup = raw.backup.as_deref().map(|id| {
            OperationId::parse(id)
                .map_err(|error| Error::invalid(error.message.replacen("operationId", "backup", 1)))
        });
        Ok(ReplicationRequest {
            database_id: DatabaseId::parse(&raw.database_id)?,
            run_id: RunId::parse(raw.run_id.as_deref().unwrap_or(started_at))?,
            backup: backup.transpose()?,
            target_regions,
            validation: validation(raw.validation.unwrap_or_default())?,
            deadline_minutes: deadline_minutes(raw.deadline_minutes)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::Region;

    fn defaults(targets: &[&str]) -> Defaults {
        let region = |name: &str| Region::parse(name).unwrap();
        let target = |name: &&str| TargetRegion { region: region(name), kms_key_id: "alias/holdfast".into() };
        Defaults { region: region("us-east-1"), target_regions: targets.iter().map(target).collect() }
    }

    fn parse(input: &Value) -> Result<ReplicationRequest> {
        ReplicationRequest::parse(input, "2026-11-20T06:00:00Z", &defaults(&["us-west-2"]))
    }

    #[test]
    fn the_database_is_enough_and_its_newest_proven_backup_goes_where_backups_go() {
        let request = parse(&json!({"databaseId": "Prod-DB"})).unwrap();
        assert_eq!((request.database_id.as_str(), &request.backup), ("prod-db", &None));
        assert_eq!(request.run_id.as_str(), "2026-11-20T06:00:00Z");
        assert_eq!(request.target_regions, defaults(&["us-west-2"]).target_regions);
        assert_eq!(request.validation.copy_share, 0.0);
        let again: ReplicationRequest =
            serde_json::from_value(serde_json::to_value(&request).unwrap()).unwrap();
        assert_eq!(again, request);
    }

    #[test]
    fn a_backup_and_a_region_are_named() {
        let input = json!({"databaseId": "prod-db", "backup": "prod-db-r1-0123456789",
            "targetRegions": [{"region": "eu-west-1", "kmsKeyId": "alias/other"}], "validation": {"copyShare": 1}});
        let request = parse(&input).unwrap();
        assert_eq!(request.backup.unwrap().as_str(), "prod-db-r1-0123456789");
        assert_eq!(request.target_regions[0].kms_key_id, "alias/other");
        assert_eq!(request.validation.copy_share, 1.0);
    }

    #[test]
    fn bad_input_names_the_field() {
        for (input, said) in [
            (json!({}), "databaseId"),
            (json!({"databaseId": "prod-db", "backup": "X"}), "backup: \"X\" is not an operation id"),
            (json!({"databaseId": "prod-db", "targetRegions": []}), "targetRegions: there is nowhere"),
            (
                json!({"databaseId": "prod-db", "targetRegions": [{"region": "us-east-1"}]}),
                "targetRegions: us-east-1",
            ),
            (json!({"databaseId": "prod-db", "tier": "daily"}), "unknown field `tier`"),
        ] {
            let error = parse(&input).unwrap_err();
            assert!(error.message.contains(said), "{input} gave {}", error.message);
        }
        let nowhere = ReplicationRequest::parse(&json!({"databaseId": "prod-db"}), "r1", &defaults(&[]));
        assert!(nowhere.unwrap_err().message.contains("nowhere to copy to"));
    }
}
