//! Which backup a replication copies: a named one, or the newest that was found VALID.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::operation::{BackupFound, SnapshotResult};
use holdfast_core::ports::Rds;
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::request::{BackupRequest, ReplicationRequest, Tier};
use holdfast_core::tags::{self, Tags, is_reserved};
use holdfast_core::validation::Verdict;
use holdfast_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What the state machine asks before anything is copied.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The replication.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: ReplicationRequest,
}

/// The backup, as its copies are made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// For the record.
    pub backup: BackupFound,
    /// Its snapshot.
    pub snapshot: SnapshotResult,
    /// What the copies are asked for with, as far as the snapshot's tags tell what its backup was asked for with.
    pub copy: BackupRequest,
}

/// Finds the backup in `home`.
///
/// # Errors
/// `RecoveryPointNotFound`, `InvalidInput` when it is of another database or its copies could not be proven as asked for, `ValidationFailed` when it was refused,
/// `SnapshotFailed`, `NameTaken`, or what the call met.
pub async fn handle(rds: &impl Rds, home: &Region, input: Input) -> Result<Answer<Planned>> {
    let request = &input.request;
    let (operation_id, snapshot) = match &request.backup {
        Some(backup) => (backup.clone(), named(rds, home, request, backup).await?),
        None => newest(rds, home, request).await?,
    };
    let verdict = verdict_of(&snapshot)?;
    provable(request, &operation_id, verdict)?;
    let message = format!("{} is {}", snapshot.id, verdict.as_str());
    let planned = Planned {
        backup: BackupFound { operation_id, verdict, taken_at: snapshot.taken_at },
        copy: copy(request, &snapshot),
        snapshot: SnapshotResult::from(&snapshot),
    };
    Ok(Answer::Final { progress: Progress::new("plan", None, message), result: planned })
}

/// A copy is proven against what its backup held (`manifests/<operationId>.json`), which nobody wrote down of a backup that was
/// never proven. A proof that was asked for and cannot be had is refused before anything is copied.
fn provable(request: &ReplicationRequest, backup: &OperationId, verdict: Verdict) -> Result<()> {
    match verdict {
        Verdict::NotRun if request.validation.copy_share > 0.0 => Err(Error::invalid(format!(
            "validation.copyShare: {backup} was never proven, so there is nothing that a copy of it could be held against; leave \
             the share out, and its copies are not proven either, or copy a backup that was found VALID"
        ))),
        Verdict::NotRun | Verdict::Valid | Verdict::Invalid | Verdict::Inconclusive => Ok(()),
    }
}

fn not_found(message: String) -> Error {
    Error::new(ErrorKind::RecoveryPointNotFound, message)
}

async fn named(
    rds: &impl Rds,
    home: &Region,
    request: &ReplicationRequest,
    backup: &OperationId,
) -> Result<Snapshot> {
    let id = backup.snapshot_id();
    let snapshot = rds
        .snapshot(home, &id)
        .await?
        .ok_or_else(|| not_found(format!("backup: there is no snapshot {id} in {home}")))?;
    if snapshot.database() != request.database_id.as_str() {
        return Err(Error::invalid(format!(
            "backup: {backup} is of {}, not of {}",
            snapshot.database(),
            request.database_id
        )));
    }
    if !snapshot.is_complete(backup, ErrorKind::SnapshotFailed)? {
        return Err(not_found(format!("backup: {id} in {home} is still being taken")));
    }
    Ok(snapshot)
}

async fn newest(
    rds: &impl Rds,
    home: &Region,
    request: &ReplicationRequest,
) -> Result<(OperationId, Snapshot)> {
    let database = request.database_id.as_str();
    let own = |snapshot: &Snapshot| {
        let id = OperationId::parse(snapshot.tags.get(tags::OPERATION)?).ok()?;
        (snapshot.id == id.snapshot_id()).then_some(id)
    };
    let all = rds.manual_snapshots(home).await?;
    all.into_iter()
        .filter(|snapshot| snapshot.database() == database && snapshot.status == SnapshotStatus::Available)
        .filter(|snapshot| matches!(verdict_of(snapshot), Ok(Verdict::Valid)))
        .filter_map(|snapshot| Some((own(&snapshot)?, snapshot)))
        .max_by_key(|(id, snapshot)| (snapshot.taken_at, id.clone()))
        .ok_or_else(|| {
            not_found(format!(
                "there is no backup of {database} in {home} that was found VALID; name one that was not with backup"
            ))
        })
}

/// What its validation said; `NotRun` where there was none.
fn verdict_of(snapshot: &Snapshot) -> Result<Verdict> {
    let tag = snapshot.tags.get(tags::VERDICT).map_or(tags::UNPROVEN, String::as_str);
    let verdict = if tag == tags::UNPROVEN { Some(Verdict::NotRun) } else { Verdict::read(tag) };
    match verdict {
        Some(verdict @ (Verdict::Valid | Verdict::NotRun)) => Ok(verdict),
        Some(verdict @ (Verdict::Invalid | Verdict::Inconclusive)) => Err(Error::new(
            ErrorKind::ValidationFailed,
            format!("snapshot {} is {}; it is not copied", snapshot.id, verdict.as_str()),
        )),
        None => Err(Error::new(
            ErrorKind::UnreadableRecord,
            format!("snapshot {}: its tag {} is {tag:?}, which is no verdict", snapshot.id, tags::VERDICT),
        )),
    }
}

/// As the backup would have asked for its copies.
fn copy(request: &ReplicationRequest, snapshot: &Snapshot) -> BackupRequest {
    let users: Tags = snapshot.tags.iter().filter(|(key, _)| !is_reserved(key)).map(owned).collect();
    let tier = snapshot.tags.get(tags::TIER).and_then(|tier| Tier::read(tier)).unwrap_or_default();
    BackupRequest {
        database_id: request.database_id.clone(),
        run_id: request.run_id.clone(),
        tier,
        target_regions: request.target_regions.clone(),
        tags: users,
        baseline: None,
        validation: request.validation.clone(),
        deadline_minutes: request.deadline_minutes,
    }
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}
