//! `replicate-to-region`: make it so that a copy of this operation's snapshot lies in one Region, with what it must
//! equal beside it, and is proven there where that is wanted.
//!
//! The copy is found by its derived name in the target Region and adopted only when it carries this
//! operation's tag. Copies in flight per Region are limited by RDS; the limit is respected by waiting.
//! A copy that is there stays a copy whatever becomes of its proof ([`proof`]).

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{ReplicaResult, ReplicaStatus, SnapshotResult};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{CopyAnswer, Documents, NewCopy, Rds, RegionStack};
use holdfast_core::rds::Snapshot;
use holdfast_core::request::{BackupRequest, TargetRegion};
use holdfast_core::tags::{self, Tags};
use holdfast_core::validation::Verdict;
use holdfast_core::{Error, ErrorKind, Result, regions};
use serde::{Deserialize, Serialize};

pub mod plan;
mod proof;

/// Copies from other Regions into one Region that RDS runs at once, per account (Amazon RDS User Guide,
/// "Copying a DB snapshot").
pub const MAX_COPIES_IN_FLIGHT: usize = 20;

/// What a workflow asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Asked {
    /// Which backup is to be copied.
    Plan(Box<plan::Input>),
    /// A copy of it in one Region.
    Copy(Box<Input>),
}

/// What a workflow asks of one Region.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The operation that took the backup: the copy is called after it.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: BackupRequest,
    /// The snapshot to copy.
    pub snapshot: SnapshotResult,
    /// What validation said of it; a copy carries it as a tag.
    pub verdict: Verdict,
    /// Where to.
    pub target: TargetRegion,
    /// Which poll this is, from 1.
    pub poll: u32,
    /// Seconds since the replication began, by the state machine's clock.
    pub elapsed_seconds: f64,
    /// What the last answer asked to be handed back.
    #[serde(default)]
    pub carry: Option<Carry>,
}

/// What one poll hands to the next, from the moment that the copy is there. The state machine keeps the copy by it
/// when the proof comes to no end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carry {
    /// The copy, not proven yet.
    pub replica: ReplicaResult,
    /// The execution in the target Region that proves it.
    pub execution: String,
}

/// What the function works with.
#[derive(Debug)]
pub struct Ports<'a, R, D, S> {
    /// RDS.
    pub rds: &'a R,
    /// The metadata bucket of the home Region.
    pub documents: &'a D,
    /// What the target Regions have deployed.
    pub regions: &'a S,
}

/// The copy, complete.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// What the record keeps of this Region.
    pub replica: ReplicaResult,
}

/// Ensures the copy, and its proof.
///
/// # Errors
/// `NameTaken`, `CopyFailed`, `SnapshotGone`, `KeyUnusable`, `SnapshotQuotaExceeded`, `ValidationFailed` when the
/// snapshot was refused, or what the call itself met. Whatever is wrong with the proof only is not an error: it stands
/// in the answer.
pub async fn handle(
    ports: &Ports<'_, impl Rds, impl Documents, impl RegionStack>,
    input: Input,
) -> Result<Answer<Output>> {
    if let Some(carry) = &input.carry {
        return proof::follow(ports, &input, carry).await;
    }
    match copy(ports.rds, ports.documents, &input).await? {
        Copied::NotYet(answer) => Ok(answer),
        Copied::There(replica) => proof::begin(ports, &input, replica).await,
    }
}

/// How far the copy is.
enum Copied {
    /// On its way.
    NotYet(Answer<Output>),
    /// Complete.
    There(ReplicaResult),
}

async fn copy(rds: &impl Rds, documents: &impl Documents, input: &Input) -> Result<Copied> {
    if !matches!(input.verdict, Verdict::Valid | Verdict::NotRun) {
        return Err(Error::new(
            ErrorKind::ValidationFailed,
            format!("snapshot {} is {}; it is not copied", input.snapshot.id, input.verdict.as_str()),
        ));
    }
    let id = input.operation_id.snapshot_id();
    let to = &input.target.region;
    if let Some(found) = rds.snapshot(to, &id).await? {
        return look(&found, input);
    }
    let in_flight = rds.copies_in_flight(to).await?;
    if in_flight >= MAX_COPIES_IN_FLIGHT {
        return Ok(not_yet(
            input,
            None,
            format!("{in_flight} copies in flight to {to}, {MAX_COPIES_IN_FLIGHT} allowed"),
        ));
    }
    let new = NewCopy {
        id: id.clone(),
        to: to.clone(),
        from: input.snapshot.region.clone(),
        source_arn: input.snapshot.arn.clone(),
        kms_key_id: input.target.kms_key_id.clone(),
        tags: copy_tags(input),
    };
    // Before there is one: a copy that nobody looks for would be kept, and paid for, for ever.
    regions::note(documents, to).await?;
    match rds.copy_snapshot(&new).await? {
        CopyAnswer::Created(made) => Ok(not_yet(input, Some(made.percent), format!("copying to {to}"))),
        CopyAnswer::AlreadyThere => match rds.snapshot(to, &id).await? {
            Some(found) => look(&found, input),
            None => Ok(not_yet(input, None, format!("{id} is in {to} but cannot be seen yet"))),
        },
        CopyAnswer::TooManyInFlight => {
            Ok(not_yet(input, None, format!("RDS runs as many copies to {to} as it allows")))
        }
    }
}

fn look(copy: &Snapshot, input: &Input) -> Result<Copied> {
    let to = &input.target.region;
    if !copy.is_complete(&input.operation_id, ErrorKind::CopyFailed)? {
        // 0 % for hours is legal (Amazon RDS User Guide): only the deadline ends the wait.
        return Ok(not_yet(input, Some(copy.percent), format!("copying to {to}")));
    }
    if !copy.encrypted {
        return Err(Error::new(ErrorKind::CopyFailed, format!("the copy in {to} is not encrypted")));
    }
    Ok(Copied::There(ReplicaResult {
        region: to.clone(),
        status: ReplicaStatus::Available,
        snapshot_arn: Some(copy.arn.clone()),
        kms_key_id: copy.kms_key_id.clone(),
        error: None,
        seconds: Some(input.elapsed_seconds),
        validation: None,
    }))
}

fn not_yet(input: &Input, percent: Option<u8>, message: String) -> Copied {
    Copied::NotYet(Answer::waiting(wait_seconds(input.poll), Progress::new("copy", percent, message)))
}

/// Explicit tags: `CopyTags` would fail on `aws:` ones, and the verdict is known by now.
fn copy_tags(input: &Input) -> Tags {
    let mut tags = input.request.tags.clone();
    tags.insert(tags::OPERATION.into(), input.operation_id.to_string());
    tags.insert(tags::DATABASE.into(), input.request.database_id.to_string());
    tags.insert(tags::TIER.into(), input.request.tier.as_str().into());
    let verdict = match input.verdict {
        Verdict::NotRun => tags::UNPROVEN,
        verdict => verdict.as_str(),
    };
    tags.insert(tags::VERDICT.into(), verdict.into());
    tags
}
