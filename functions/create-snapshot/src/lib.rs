//! `create-snapshot`: make it so that this operation's snapshot exists, and say how far it is.
//!
//! Called once or twenty times it has one effect. The snapshot is found by its derived name and
//! adopted only when it carries this operation's tag.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::operation::SnapshotResult;
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{NewSnapshot, Rds, SnapshotAnswer};
use holdfast_core::rds::Snapshot;
use holdfast_core::request::BackupRequest;
use holdfast_core::tags::{self, Tags};
use holdfast_core::{ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The operation.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: BackupRequest,
    /// Which poll this is, from 1.
    pub poll: u32,
}

/// The snapshot, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// What the record keeps.
    pub snapshot: SnapshotResult,
}

/// Ensures the snapshot.
///
/// # Errors
/// `NameTaken`, `SnapshotFailed`, `SnapshotQuotaExceeded`, `SourceNotFound`, or what the call itself met.
pub async fn handle(rds: &impl Rds, region: &Region, input: Input) -> Result<Answer<Output>> {
    let id = input.operation_id.snapshot_id();
    let wait = wait_seconds(input.poll);
    if let Some(found) = rds.snapshot(region, &id).await? {
        return look(&found, &input.operation_id, wait);
    }
    let new = NewSnapshot {
        id: id.clone(),
        instance_id: input.request.database_id.to_string(),
        tags: snapshot_tags(&input.operation_id, &input.request),
    };
    match rds.create_snapshot(region, &new).await? {
        SnapshotAnswer::Created(made) => {
            Ok(waiting(wait, Some(made.percent), format!("{} is being taken", made.id)))
        }
        // Made by an attempt whose answer was lost, or by somebody else: the tag tells.
        SnapshotAnswer::AlreadyThere => match rds.snapshot(region, &id).await? {
            Some(found) => look(&found, &input.operation_id, wait),
            None => Ok(waiting(wait, None, format!("{id} is there but cannot be seen yet"))),
        },
        SnapshotAnswer::SourceBusy => {
            Ok(waiting(wait, None, format!("{} is busy; the snapshot waits for it", new.instance_id)))
        }
    }
}

fn look(snapshot: &Snapshot, operation: &OperationId, wait: u32) -> Result<Answer<Output>> {
    if !snapshot.is_complete(operation, ErrorKind::SnapshotFailed)? {
        let message = format!("{} is being taken", snapshot.id);
        return Ok(waiting(wait, Some(snapshot.percent), message));
    }
    Ok(Answer::Final {
        progress: Progress::new("snapshot", Some(100), format!("{} is available", snapshot.id)),
        result: Output { snapshot: SnapshotResult::from(snapshot) },
    })
}

fn waiting(wait: u32, percent: Option<u8>, message: String) -> Answer<Output> {
    Answer::waiting(wait, Progress::new("snapshot", percent, message))
}

fn snapshot_tags(operation: &OperationId, request: &BackupRequest) -> Tags {
    let mut tags = request.tags.clone();
    tags.insert(tags::OPERATION.into(), operation.to_string());
    tags.insert(tags::DATABASE.into(), request.database_id.to_string());
    tags.insert(tags::TIER.into(), request.tier.as_str().into());
    tags.insert(tags::VERDICT.into(), tags::UNPROVEN.into());
    tags
}
