//! `restore-database`: make it so that the database is back, and say how far it is.
//!
//! Everything that can be known to go wrong is found before anything is made: the recovery point, the name, every group,
//! class and key that the instance will refer to. Then the instance is restored with all that its source had, held
//! against what was asked for, and measured. What was made by a restore that failed later is left where it is: nobody
//! but its owner knows what it is worth.

use holdfast_core::Result;
use holdfast_core::answer::Answer;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RestorePlan, RestoreResult};
use holdfast_core::ports::{Documents, Keys, Networks, Rds, Restores, Roles};
use holdfast_core::request::RestoreRequest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod leftovers;
mod plan;
mod point;
mod references;
mod restore;

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Input {
    /// Find the recovery point, and whether everything it needs is there.
    Plan {
        /// The operation.
        operation_id: OperationId,
        /// What was asked for.
        request: Box<RestoreRequest>,
    },
    /// Bring the restore one step further.
    Restore {
        /// The operation.
        operation_id: OperationId,
        /// What was planned.
        plan: Box<RestorePlan>,
        /// Which poll this is, from 1.
        poll: u32,
        /// What the last answer asked to be handed back.
        #[serde(default)]
        carry: Option<Carry>,
    },
    /// Say what a restore that failed left behind.
    Leftovers {
        /// The operation.
        operation_id: OperationId,
        /// What was asked for.
        request: Box<RestoreRequest>,
    },
}

/// What one poll hands to the next. Lost in a crash without harm: every step can be taken again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carry {
    /// Which of the instance classes is tried.
    #[serde(default)]
    pub class_index: usize,
    /// Seconds from the request until the instance was seen available for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_seconds: Option<f64>,
    /// How often it was looked at since what a restore does not take was asked for; 0 when it was not.
    #[serde(default)]
    pub settling: u32,
    /// Which of these settings is asked for next, where RDS refused them all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_by_one: Option<usize>,
    /// What RDS refused of them, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// What each action ends with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// What is about to be restored.
    Planned {
        /// What the record keeps.
        plan: Box<RestorePlan>,
    },
    /// The database.
    Restored {
        /// What the record keeps.
        restore: Box<RestoreResult>,
    },
    /// What a restore that failed left behind.
    Left {
        /// Each with its name.
        leftovers: Vec<String>,
    },
}

/// What the function works with.
pub struct Ports<'a, R, K, D, N> {
    /// RDS.
    pub rds: &'a R,
    /// KMS.
    pub keys: &'a K,
    /// The metadata bucket.
    pub documents: &'a D,
    /// Networks.
    pub networks: &'a N,
    /// IAM.
    pub roles: &'a dyn Roles,
    /// Now.
    pub now: Timestamp,
}

/// Does the next thing.
///
/// # Errors
/// `RecoveryPointNotFound`, `OutsideRestoreWindow`, `ReferenceUnresolved`, `NameTaken`, `NoCapacity`,
/// `InstanceQuotaExceeded`, `RestoreFailed`,
/// `KeyUnusable`, `SnapshotGone`, or what a call met.
pub async fn handle(
    ports: &Ports<'_, impl Rds + Restores, impl Keys, impl Documents, impl Networks>,
    input: Input,
) -> Result<Answer<Output>> {
    match input {
        Input::Plan { operation_id, request } => plan::step(ports, &operation_id, &request).await,
        Input::Restore { operation_id, plan, poll, carry } => {
            let job =
                restore::Job { operation: operation_id, plan: *plan, poll, carry: carry.unwrap_or_default() };
            restore::step(ports, &job).await
        }
        Input::Leftovers { operation_id, request } => {
            leftovers::step(ports.rds, &operation_id, &request).await
        }
    }
}
