//! `swap-database`: make it so that what was restored has the database's place, or that everything is as it was.
//!
//! Three names take part: the database's own, the one that the old instance gets, and the one beside it under which the
//! new one was restored. Who has which is looked up each time, the old one by its resource id, the new one by its tag, and
//! from that alone follows the next step, forwards ([`places`]) or backwards. So a crash between two renames is no
//! special case. Backwards the new one keeps the name, and answers, until the old one can take it. DNS record and secret go
//! back only where they say what the swap made them say ([`pointers`]).
//!
//! Nothing is deleted here, and nothing that is neither the old instance nor the new one is renamed.

use holdfast_core::Result;
use holdfast_core::answer::Answer;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RestorePlan, SmokeResult, SwapPlan, SwapResult};
use holdfast_core::ports::{Dns, Rds, Renames, Secrets};
use holdfast_core::request::RestoreRequest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod conclude;
mod exchange;
pub mod places;
mod plan;
mod pointers;

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Input {
    /// Whether it could be done, and what is there now.
    Plan {
        /// The operation.
        operation_id: OperationId,
        /// What was asked for.
        request: Box<RestoreRequest>,
    },
    /// Bring the swap one step further.
    Swap(Box<Step>),
    /// Bring the way back one step further.
    Undo(Box<Step>),
    /// It has proven itself: stop the old instance where that is wanted.
    Conclude {
        /// What the restore planned, the swap with it.
        plan: Box<RestorePlan>,
        /// What the swap came to.
        swap: Box<SwapResult>,
        /// What was looked at since.
        #[serde(default)]
        smoke_checks: Vec<SmokeResult>,
        /// Which poll this is, from 1.
        poll: u32,
    },
}

/// One step of a swap.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// The operation.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: Box<RestoreRequest>,
    /// What was planned.
    pub plan: Box<RestorePlan>,
    /// Which poll this is, from 1.
    pub poll: u32,
    /// What the last answer asked to be handed back.
    #[serde(default)]
    pub carry: Option<Carry>,
}

/// What one poll hands to the next. Lost in a crash without harm.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carry {
    /// When the old instance was first asked to give its name away: from then on it may be that nobody answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The first look at which it did not have the name any more: until then it was written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// Where the new one listened under the database's name: what a swap sets the record to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Looks in a row at which an instance was to be seen nowhere.
    #[serde(default)]
    pub unseen: u32,
    /// Looks in a row at which everything was where it has to be.
    #[serde(default)]
    pub steady: u32,
}

/// What each action ends with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// What is there before.
    Planned {
        /// For the plan of the restore.
        swap: Box<SwapPlan>,
    },
    /// Who has which name.
    Swapped {
        /// What the record keeps.
        swap: Box<SwapResult>,
    },
}

/// What the function works with.
pub struct Ports<'a, R, N, S> {
    /// RDS.
    pub rds: &'a R,
    /// Route 53.
    pub dns: &'a N,
    /// Secrets Manager.
    pub secrets: &'a S,
    /// What time it is: a look takes its time.
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
}

/// Does the next thing.
///
/// # Errors
/// `NameTaken`, `SourceUnusable`, `ReferenceUnresolved`, `RestoreFailed`, `SwapNotUndone`, or what a call met.
pub async fn handle(
    ports: &Ports<'_, impl Rds + Renames, impl Dns, impl Secrets>,
    input: Input,
) -> Result<Answer<Output>> {
    match input {
        Input::Plan { operation_id, request } => plan::step(ports, &operation_id, &request).await,
        Input::Swap(step) => exchange::forwards(ports, &step).await,
        Input::Undo(step) => exchange::backwards(ports, &step).await,
        Input::Conclude { plan, swap, smoke_checks, poll } => {
            conclude::step(ports.rds, &plan, *swap, smoke_checks, poll).await
        }
    }
}
