//! Which recovery point.

use holdfast_core::blueprint;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{FurtherLog, NewerBackup, RecoveryPoint, in_place_since};
use holdfast_core::ports::{Documents, Rds, RestoreWindow, Restores};
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::request::{RestoreFrom, RestoreRequest};
use holdfast_core::tags;
use holdfast_core::validation::Verdict;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

/// A recovery point, with its snapshot where it is one.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub point: RecoveryPoint,
    pub snapshot: Option<Snapshot>,
}

/// Finds what was asked for.
pub(crate) async fn find(
    rds: &(impl Rds + Restores),
    documents: &impl Documents,
    request: &RestoreRequest,
) -> Result<Found> {
    match &request.from {
        RestoreFrom::Snapshot(id) => named(rds, request, id).await,
        RestoreFrom::NewestValidated(at) => match newest_validated(rds, request, *at).await {
            Err(error) if error.kind == ErrorKind::RecoveryPointNotFound => {
                Err(or_by_its_log(rds, request, error).await)
            }
            found => found,
        },
        RestoreFrom::PointInTime(time) => in_time(rds, documents, request, *time).await,
    }
}

/// Without a proven backup there may still be the log, which loses less than a snapshot that nobody proved.
async fn or_by_its_log(rds: &impl Restores, request: &RestoreRequest, error: Error) -> Error {
    // What cannot be looked at now is no other error than the one there is.
    let windows = rds.restore_windows(&request.region, &request.database_id).await.unwrap_or_default();
    match windows.first() {
        Some(window) => Error::new(
            error.kind,
            format!(
                "{}; its log reaches to {}: latestRestorable (holdfast restore {} --latest)",
                error.message, window.latest, request.database_id
            ),
        ),
        None => error,
    }
}

fn not_found(message: String) -> Error {
    Error::new(ErrorKind::RecoveryPointNotFound, message)
}

async fn named(rds: &(impl Rds + Restores), request: &RestoreRequest, id: &str) -> Result<Found> {
    let (region, database) = (&request.region, &request.database_id);
    let snapshot = rds
        .snapshot(region, id)
        .await?
        .ok_or_else(|| not_found(format!("snapshotId: there is no snapshot {id} in {region}")))?;
    if snapshot.database() != database.as_str() {
        return Err(Error::invalid(format!(
            "snapshotId: {id} is of {}, not of {database}",
            snapshot.database()
        )));
    }
    if snapshot.status != SnapshotStatus::Available {
        return Err(not_found(format!(
            "snapshotId: {id} in {region} is {:?}, not available",
            snapshot.status
        )));
    }
    Ok(found(snapshot))
}

/// Every manual snapshot of the database, copies included, whoever made it.
async fn snapshots_of(rds: &impl Rds, request: &RestoreRequest) -> Result<Vec<Snapshot>> {
    let mut all = rds.manual_snapshots(&request.region).await?;
    // Not asked of RDS by the instance: the snapshots of one that was renamed have its old name.
    all.retain(|snapshot| snapshot.database() == request.database_id.as_str());
    Ok(all)
}

/// Of those of Holdfast's own that were found VALID, the one with the newest data.
async fn newest_validated(
    rds: &(impl Rds + Restores),
    request: &RestoreRequest,
    at: Option<Timestamp>,
) -> Result<Found> {
    let (region, database) = (&request.region, &request.database_id);
    let all = snapshots_of(rds, request).await?;
    let there = all.len();
    let own = all.into_iter().filter(|snapshot| {
        snapshot.tags.contains_key(tags::OPERATION) && snapshot.status == SnapshotStatus::Available
    });
    let proven: Vec<Snapshot> = own.filter(|snapshot| verdict_of(snapshot) == Some(Verdict::Valid)).collect();
    let validated = proven.len();
    let in_time = proven.into_iter().filter(|snapshot| match (snapshot.taken_at, at) {
        (Some(taken), Some(at)) => taken <= at,
        // When its data is from is not known: it is not known to be from that time either.
        (None, Some(_)) => false,
        (_, None) => true,
    });
    in_time.max_by_key(|snapshot| (snapshot.taken_at, snapshot.id.clone())).map(found).ok_or_else(|| {
        let when = at.map_or_else(String::new, |at| format!(" of data from {at} or before"));
        not_found(format!(
            "there is no backup of {database} in {region} that was found VALID{when}: of {there} manual snapshots \
             {validated} were; name one that was not with snapshotId, if you must"
        ))
    })
}

/// The log of what a swap put in the database's place begins when that was made beside. At the times before the swap the database was
/// another instance: they are not this log's to give.
async fn since_the_swap(
    rds: &(impl Rds + Restores),
    documents: &impl Documents,
    request: &RestoreRequest,
    windows: &mut [RestoreWindow],
) -> Result<()> {
    let there = rds.instance(&request.region, request.database_id.as_str()).await?;
    for window in windows {
        // RDS need not say the tags of a log whose instance is there.
        let living = there.as_ref().filter(|instance| instance.resource_id == window.resource_id);
        let tagged = living.and_then(|instance| instance.tags.get(tags::OPERATION));
        let operation = window.operation.clone().or_else(|| OperationId::parse(tagged?).ok());
        let Some(operation) = operation else { continue };
        let report: Option<serde_json::Value> = documents.get(&operation.report_key()).await?;
        if let Some(since) = report.as_ref().and_then(in_place_since) {
            window.earliest = window.earliest.max(since);
        }
    }
    Ok(())
}

async fn in_time(
    rds: &(impl Rds + Restores),
    documents: &impl Documents,
    request: &RestoreRequest,
    time: Option<Timestamp>,
) -> Result<Found> {
    let (region, database) = (&request.region, &request.database_id);
    let mut windows = rds.restore_windows(region, database).await?;
    if time.is_some() {
        since_the_swap(rds, documents, request, &mut windows).await?;
    }
    if windows.is_empty() {
        return Err(not_found(format!(
            "there are no automated backups of {database} in {region}: a point in time needs a backup retention of a day or \
             more; restore a snapshot instead"
        )));
    }
    // An instance that is gone may have left its log beside that of the one which came after it.
    let reaches =
        |window: &RestoreWindow| time.is_none_or(|time| window.earliest <= time && time <= window.latest);
    let Some(window) = windows.iter().find(|window| reaches(window)).cloned() else {
        let all = windows.iter().map(|window| format!("from {} to {}", window.earliest, window.latest));
        return Err(Error::new(
            ErrorKind::OutsideRestoreWindow,
            format!(
                "restoreTime: {} is outside of what can be restored of {database} in {region}: {} (holdfast pitr {database} names \
                 every log, that of an instance which a swap set aside among them)",
                time.unwrap_or_default(),
                all.collect::<Vec<_>>().join(", "),
            ),
        ));
    };
    let point = RecoveryPoint::PointInTime { resource_id: window.resource_id, time, latest: window.latest };
    Ok(Found { point, snapshot: None })
}

/// The newest backup that was found VALID, when its data is newer than what `point` reaches: the log of an instance that is gone
/// ends where that one did.
pub(crate) async fn newer(
    rds: &(impl Rds + Restores),
    request: &RestoreRequest,
    point: &RecoveryPoint,
) -> Result<Option<NewerBackup>> {
    let RecoveryPoint::PointInTime { time: None, latest, .. } = point else { return Ok(None) };
    let newest = match newest_validated(rds, request, None).await {
        Ok(found) => found.snapshot,
        Err(error) if error.kind == ErrorKind::RecoveryPointNotFound => None,
        Err(error) => return Err(error),
    };
    Ok(newest.and_then(|snapshot| {
        let taken_at = snapshot.taken_at.filter(|taken_at| taken_at > latest)?;
        Some(NewerBackup { id: snapshot.id, taken_at })
    }))
}

/// The log that reaches further than the newest proven snapshot, when that is what is restored because nobody named anything else:
/// whoever wants the least loss takes the log.
pub(crate) async fn further(
    rds: &(impl Rds + Restores),
    request: &RestoreRequest,
    point: &RecoveryPoint,
) -> Result<Option<FurtherLog>> {
    let (RestoreFrom::NewestValidated(None), RecoveryPoint::Snapshot { taken_at, .. }) =
        (&request.from, point)
    else {
        return Ok(None);
    };
    let windows = rds.restore_windows(&request.region, &request.database_id).await?;
    let further = windows.into_iter().find(|window| taken_at.is_none_or(|taken_at| window.latest > taken_at));
    Ok(further.map(|window| FurtherLog { resource_id: window.resource_id, latest: window.latest }))
}

fn found(snapshot: Snapshot) -> Found {
    let backup = snapshot.tags.get(tags::OPERATION).and_then(|id| OperationId::parse(id).ok());
    let point = RecoveryPoint::Snapshot {
        id: snapshot.id.clone(),
        backup,
        verdict: verdict_of(&snapshot),
        taken_at: snapshot.taken_at,
    };
    Found { point, snapshot: Some(snapshot) }
}

fn verdict_of(snapshot: &Snapshot) -> Option<Verdict> {
    Verdict::read(snapshot.tags.get(tags::VERDICT)?)
}

/// The backups of Holdfast's that a blueprint may lie beside, the newest first.
pub(crate) async fn own_backups(rds: &impl Rds, request: &RestoreRequest) -> Result<Vec<OperationId>> {
    Ok(blueprint::own_backups(&snapshots_of(rds, request).await?))
}
