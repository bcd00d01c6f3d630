//! `capture-baseline`: make it so that it is kept what the source was around the snapshot.
//!
//! Asked before the snapshot is taken and again when it is complete. Each time it reads the source's catalog and
//! counters, and in between, when the input wants that, every row. What was read is kept in the metadata bucket piece
//! by piece, each written once: of two attempts the first stands, and a crash repeats one piece at most.
//!
//! A source that cannot be read is not an error of this function: the snapshot is worth having all the same. It is its
//! answer, and the validation goes by it (`holdfast_core::baseline::held_against`).

use std::time::Duration;

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::baseline::{BaselineResult, BaselineStatus};
use holdfast_core::health::NamedCause;
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{Documents, Logins, Rds};
use holdfast_core::request::{BackupRequest, BaselineRequest};
use holdfast_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

mod after;
mod before;
mod login;
mod parts;
mod rows;
mod source;

/// Bytes that one statement reads of the source: under a minute where a disk gives 100 MB/s. Larger tables are read in
/// ranges of pages, so that none needs a call longer than a function may run, and no snapshot of the source is held long.
pub const PIECE_BYTES: u64 = 4 << 30;

pub use source::{Server, ServerSource, Source};

/// On which side of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before it is asked for.
    Before,
    /// After it is complete.
    After,
}

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The operation.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: BackupRequest,
    /// On which side of the snapshot.
    pub when: When,
    /// Which poll this is, from 1.
    pub poll: u32,
    /// What the last answer asked to be handed back.
    #[serde(default)]
    pub carry: Option<Carry>,
    /// What kept the state machine from waiting for the other side's final answer.
    #[serde(default)]
    pub trouble: Option<NamedCause>,
}

/// What one poll hands to the next. Lost in a crash without harm: patience begins again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carry {
    /// How often the source could not be read.
    #[serde(default)]
    pub failures: u32,
    /// How often the replica was found behind its source.
    #[serde(default)]
    pub behind: u32,
}

/// What is there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// What the record keeps, once the snapshot is complete.
    pub baseline: BaselineResult,
}

/// What the function works with.
pub struct Ports<'a, R, L, D, S> {
    /// RDS.
    pub rds: &'a R,
    /// Secrets and tokens.
    pub logins: &'a L,
    /// The metadata bucket.
    pub documents: &'a D,
    /// The source itself.
    pub source: &'a S,
    /// The Region of the source.
    pub region: &'a Region,
    /// Bound for what one invocation reads, under Lambda's 15 minutes.
    pub budget: Duration,
    /// Bytes that one statement reads at most, about: what a call that ends too early reads again.
    pub piece_bytes: u64,
}

/// One capture, as one poll sees it.
pub(crate) struct Job {
    pub operation: OperationId,
    pub request: BackupRequest,
    pub asked: BaselineRequest,
    pub poll: u32,
    pub carry: Carry,
    pub trouble: Option<NamedCause>,
}

/// Captures the next part.
///
/// # Errors
/// `InvalidInput` when no baseline was asked for, `UnreadableRecord` when a part that was kept cannot be read, or what
/// a call met that may be passing.
pub async fn handle(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    input: Input,
) -> Result<Answer<Output>> {
    let asked = input
        .request
        .baseline
        .clone()
        .ok_or_else(|| Error::invalid("baseline: the request does not ask for one"))?;
    let job = Job {
        operation: input.operation_id,
        request: input.request,
        asked,
        poll: input.poll,
        carry: input.carry.unwrap_or_default(),
        trouble: input.trouble,
    };
    match input.when {
        When::Before => before::step(ports, &job).await,
        When::After => after::step(ports, &job).await,
    }
}

impl Job {
    /// Not there yet, and nothing comes of asking at once.
    pub fn waiting(&self, message: impl Into<String>, carry: Carry) -> Answer<Output> {
        self.answer(wait_seconds(self.poll), message, carry)
    }

    /// Not there yet, and the next call goes on where this one stopped.
    pub fn going_on(&self, message: impl Into<String>) -> Answer<Output> {
        self.answer(1, message, Carry::default())
    }

    /// What was done on the source has to reach its counters first.
    pub fn settling(&self, seconds: u32) -> Answer<Output> {
        self.answer(
            seconds,
            "the source's sessions report what they changed a minute late",
            self.carry.clone(),
        )
    }

    fn answer(&self, wait_seconds: u32, message: impl Into<String>, carry: Carry) -> Answer<Output> {
        let progress = Progress::new("baseline", None, message);
        Answer::Waiting { wait_seconds, progress, carry: Some(json!(carry)) }
    }

    /// As far as it goes on this side of the snapshot.
    pub fn done(&self, reason: Option<NamedCause>) -> Answer<Output> {
        let status = if reason.is_none() { BaselineStatus::Taken } else { BaselineStatus::Unreadable };
        self.ended(BaselineResult { status, depth: Some(self.asked.depth), reason })
    }

    /// The end.
    pub fn ended(&self, baseline: BaselineResult) -> Answer<Output> {
        let message = match &baseline.reason {
            Some(reason) => reason.cause.clone(),
            None => "the source was read".to_owned(),
        };
        let progress = Progress::new("baseline", Some(100), message);
        Answer::Final { progress, result: Output { baseline } }
    }
}
