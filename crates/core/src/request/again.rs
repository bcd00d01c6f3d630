//! The input of a validation by itself: of a backup that was validated before, or of a copy of it where it lies.

use serde::Deserialize;
use serde_json::Value;

use super::validation::{RawValidation, Validation, validation};
use super::{BackupRequest, Tier, deadline_minutes, strictly};
use crate::error::{Error, Result};
use crate::ids::{DatabaseId, OperationId, RunId};
use crate::tags::Tags;

/// A backup that is to be validated again, in the Region where this is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationRequest {
    /// The operation that made the backup.
    pub backup: OperationId,
    /// What makes two starts the same validation.
    pub run_id: RunId,
    /// How it is validated.
    pub validation: Validation,
    /// Minutes from the execution's start after which it gives up.
    pub deadline_minutes: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    operation_id: String,
    run_id: Option<String>,
    validation: Option<RawValidation>,
    deadline_minutes: Option<f64>,
}

impl ValidationRequest {
    /// Reads an execution's input. `started_at` (the execution's start) is the run id when none is given.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn parse(input: &Value, started_at: &str) -> Result<Self> {
        let raw: Raw = strictly(input)?;
        let validation = validation(raw.validation.unwrap_or_default())?;
        if !validation.enabled {
            return Err(Error::invalid("validation.enabled: validating is all that this does; leave it out"));
        }
        if validation.copy_share > 0.0 {
            return Err(Error::invalid(
                "validation.copyShare: this validates one copy and makes none; leave it out",
            ));
        }
        Ok(ValidationRequest {
            backup: OperationId::parse(&raw.operation_id)?,
            run_id: RunId::parse(raw.run_id.as_deref().unwrap_or(started_at))?,
            validation,
            deadline_minutes: deadline_minutes(raw.deadline_minutes)?,
        })
    }

    /// The request of a backup of `database` that is validated like this and of which nothing else is wanted.
    pub fn of_database(&self, database: DatabaseId) -> BackupRequest {
        BackupRequest {
            database_id: database,
            run_id: self.run_id.clone(),
            tier: Tier::default(),
            target_regions: vec![],
            tags: Tags::new(),
            baseline: None,
            validation: self.validation.clone(),
            deadline_minutes: self.deadline_minutes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BACKUP: &str = "prod-db-20261120t060000z-3f9a1c2b7d";

    #[test]
    fn the_backup_is_enough_and_the_rest_has_defaults() {
        let asked =
            ValidationRequest::parse(&json!({"operationId": BACKUP}), "2026-12-20T06:00:00Z").unwrap();
        assert_eq!((asked.backup.as_str(), asked.run_id.as_str()), (BACKUP, "2026-12-20T06:00:00Z"));
        assert_eq!(asked.deadline_minutes, 720.0);
        let request = asked.of_database(DatabaseId::parse("prod-db").unwrap());
        assert_eq!((request.baseline, request.target_regions.len()), (None, 0));
        assert!(request.validation.enabled);
    }

    #[test]
    fn bad_input_names_the_field() {
        for (more, expected) in [
            (json!({"operationId": "x"}), "operationId"),
            (json!({"databaseId": "prod-db"}), "input.databaseId"),
            (json!({"runId": "a b"}), "runId"),
            (json!({"deadlineMinutes": 0}), "deadlineMinutes"),
            (json!({"validation": {"enabled": false}}), "validation.enabled"),
            (json!({"validation": {"copyShare": 1}}), "validation.copyShare"),
            (json!({"validation": {"chunkMib": 0}}), "validation.chunkMib"),
        ] {
            let mut input = json!({"operationId": BACKUP});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let error = ValidationRequest::parse(&input, "r1").unwrap_err();
            assert_eq!(error.kind, crate::ErrorKind::InvalidInput);
            assert!(error.message.contains(expected), "{input} gave {:?}", error.message);
        }
    }
}
