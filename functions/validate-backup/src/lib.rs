//! `validate-backup`: make it so that this operation's snapshot is proven, and say how far it is.
//!
//! Restores into a temporary instance of its own, takes it over with a derived password, checks it, keeps what was
//! found, deletes it. Every call looks at what is there and does the next thing; none waits.
//!
//! The checking is planned once, then done in units: by the same call where they are few, by several workers at once
//! where they are many. Plan, units and verdict are kept in the metadata bucket before anything else happens to them,
//! so that a crash never repeats what was finished.
//!
//! A validation by itself, of a copy in another Region or of a backup that was proven before, is an operation of its own
//! over the backup of another ([`Input::Begin`]), and must find what the first validation found.

use holdfast_core::answer::Answer;
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::operation::{SnapshotResult, ValidationResult};
use holdfast_core::ports::{Documents, Keys, Rds};
use holdfast_core::rds::parameter_group_family;
use holdfast_core::request::BackupRequest;
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_proving::Prover;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod against;
mod begin;
mod check;
mod cleanup;
mod restore;
mod verdict;
mod work;

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "decoded once per invocation")]
pub enum Input {
    /// Read the input of a validation by itself, and find what it is about.
    Begin {
        /// The execution's input: [`ValidationRequest`](holdfast_core::request::ValidationRequest).
        input: Value,
        /// The execution's start, the run id where none is given.
        started_at: String,
    },
    /// Bring the validation one step further.
    Validate {
        /// The operation.
        operation_id: OperationId,
        /// What was asked for.
        request: BackupRequest,
        /// The snapshot to prove.
        snapshot: SnapshotResult,
        /// The last operation of this database that was found VALID, if any.
        #[serde(default)]
        reference_operation_id: Option<OperationId>,
        /// The operation that made the snapshot, when this is a validation by itself.
        #[serde(default)]
        backup_of: Option<OperationId>,
        /// An operation whose manifest this snapshot must equal exactly: another restore of the same data.
        #[serde(default)]
        same_as: Option<OperationId>,
        /// Which poll this is, from 1.
        poll: u32,
        /// What the last answer asked to be handed back.
        #[serde(default)]
        carry: Option<Carry>,
    },
    /// Do one worker's share of the planned units.
    Work {
        /// The operation.
        operation_id: OperationId,
        /// What was asked for.
        request: BackupRequest,
        /// Which worker this is, from 0.
        worker: u32,
        /// How many there are.
        workers: u32,
        /// Which poll this is, from 1.
        poll: u32,
        /// What the last answer asked to be handed back.
        #[serde(default)]
        carry: Option<WorkCarry>,
    },
    /// Remove what is temporary and say what stays.
    Cleanup {
        /// The operation.
        operation_id: OperationId,
        /// Whether the operation failed: then the snapshot, too, is something left behind.
        failed: bool,
        /// Which poll this is, from 1.
        poll: u32,
    },
}

/// What one poll hands to the next. Lost in a crash without harm: every step can be taken again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carry {
    /// Which of the instance classes is tried.
    #[serde(default)]
    pub class_index: usize,
    /// Whether the derived password was set.
    #[serde(default)]
    pub taken_over: bool,
    /// How often the server could not be logged in to or reached since.
    #[serde(default)]
    pub failed_logins: u32,
    /// Set when the units are to be done by so many workers at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Workers that ended before their share was done, as the state machine saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<WorkerTrouble>,
}

/// What one poll of a worker hands to its next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkCarry {
    /// How often the server could not be reached since something was done.
    #[serde(default)]
    pub failed_logins: u32,
}

/// How a worker ended that did not finish its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerTrouble {
    /// Which worker.
    pub worker: u32,
    /// Name of its error.
    pub name: String,
    /// The error's sentence.
    pub cause: String,
}

/// A validation by itself, ready to be driven.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// The operation that made the backup.
    pub operation_id: OperationId,
    /// This validation, an operation of its own.
    pub validation_id: OperationId,
    /// What is asked of it.
    pub request: BackupRequest,
    /// The snapshot in this Region.
    pub snapshot: SnapshotResult,
    /// Where in the metadata bucket every check and finding will be.
    pub document_key: String,
}

/// What each action ends with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// What a validation by itself is about.
    Begun(Box<Begun>),
    /// The proof.
    Validated {
        /// What the record keeps.
        validation: Box<ValidationResult>,
    },
    /// A worker's share.
    Worked {
        /// Which worker.
        worker: u32,
        /// Units of its share, all of them done.
        units: usize,
    },
    /// The clean-up.
    CleanedUp {
        /// What is still there.
        leftovers: Vec<String>,
    },
}

/// The deployment's settings for validation instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The Region of the snapshot and the instance.
    pub region: Region,
    /// Subnet group with no way out (`HOLDFAST_VALIDATION_SUBNET_GROUP`).
    pub subnet_group: String,
    /// Security group that lets only this function in (`HOLDFAST_VALIDATION_SECURITY_GROUP_ID`).
    pub security_group: String,
    /// Bound for the checks of one invocation, under Lambda's 15 minutes (`HOLDFAST_VERIFY_BUDGET_SECONDS`).
    pub verify_budget: std::time::Duration,
}

/// What the function works with.
pub struct Ports<'a, R, K, D, P> {
    /// RDS.
    pub rds: &'a R,
    /// KMS.
    pub keys: &'a K,
    /// The metadata bucket.
    pub documents: &'a D,
    /// The proof itself.
    pub prover: &'a P,
    /// The deployment's settings.
    pub settings: &'a Settings,
    /// Now.
    pub now: Timestamp,
}

/// Does the next thing.
///
/// # Errors
/// `NameTaken`, `SnapshotGone`, `KeyUnusable`, or what a call met. A backup that is bad is not an error of this
/// function: it is its answer.
pub async fn handle(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    input: Input,
) -> Result<Answer<Output>> {
    match input {
        Input::Begin { input, started_at } => begin::step(ports, &input, &started_at).await,
        Input::Validate {
            operation_id,
            request,
            snapshot,
            reference_operation_id,
            backup_of,
            same_as,
            poll,
            carry,
        } => {
            let job = restore::Job {
                operation: operation_id,
                backup_of,
                request,
                snapshot,
                reference: reference_operation_id,
                same_as,
                poll,
                // Told to the state machine, once: an answer that does not say it again is waited on.
                carry: Carry { workers: None, ..carry.unwrap_or_default() },
            };
            restore::step(ports, &job).await
        }
        Input::Work { operation_id, request, worker, workers, poll, carry } => {
            let share = work::Share {
                operation: operation_id,
                request,
                worker,
                workers,
                poll,
                carry: carry.unwrap_or_default(),
            };
            work::step(ports, &share).await
        }
        Input::Cleanup { operation_id, failed, poll } => {
            cleanup::step(ports.rds, &ports.settings.region, &operation_id, failed, poll).await
        }
    }
}

/// The parameter group family of a version that can be validated.
fn family_to_validate(engine: &str, version: &str) -> Result<String> {
    let family = parameter_group_family(engine, version).filter(|_| engine == "postgres");
    family.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            format!(
                "validation.enabled: {engine} {version} cannot be validated; only postgres can, set it to false"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::family_to_validate;

    #[test]
    fn only_postgres_is_validated() {
        assert_eq!(family_to_validate("postgres", "15.4").unwrap(), "postgres15");
        assert!(family_to_validate("mysql", "8.0.36").is_err());
        assert!(family_to_validate("postgres", "").is_err());
    }
}
