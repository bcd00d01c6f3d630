//! Units of work: how many hands they need, and one worker's share of them.

use std::time::Duration;

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::polling::{max_workers, wait_seconds};
use holdfast_core::ports::{Documents, Keys, Rds};
use holdfast_core::rds::{Life, require_own};
use holdfast_core::request::{BackupRequest, Validation};
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_proving::{MAX_FAILED_LOGINS, Prover, Server, Units};
use holdfast_verify::{ConnectError, Options, Plan, Unit};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::restore::not_as_asked;
use crate::{Output, Ports, WorkCarry};

/// Pieces of full size that keep one worker busy: fewer are not worth another function.
const PIECES_PER_WORKER: u64 = 8;

/// One worker's share of the units, as one poll sees it.
pub(crate) struct Share {
    pub operation: OperationId,
    pub request: BackupRequest,
    pub worker: u32,
    pub workers: u32,
    pub poll: u32,
    pub carry: WorkCarry,
}

/// As the input wants it, on an instance that is restored for this and goes with the verdict.
pub(crate) fn options(validation: &Validation, budget: Duration, allocated_gib: u32) -> Options {
    Options { may_create_extensions: true, ..holdfast_proving::options(validation, budget, allocated_gib) }
}

/// How many workers the plan is worth, the input allows, the instance bears and the workflow's history has room for.
pub(crate) fn workers(plan: &Plan, options: &Options, request: &BackupRequest, class: &str) -> u32 {
    let bytes: u64 = plan.units.iter().map(|unit| unit.bytes).sum();
    let worth = bytes.div_ceil(options.chunk_bytes.max(1).saturating_mul(PIECES_PER_WORKER));
    let units = u32::try_from(plan.units.len()).unwrap_or(u32::MAX);
    u32::try_from(worth)
        .unwrap_or(u32::MAX)
        .min(units)
        .min(request.validation.parallelism)
        .min(bears(class))
        .min(max_workers(request.deadline_minutes))
        .max(1)
}

/// Workers that an instance of this class bears: two per virtual CPU, and fewer where there is little memory for
/// their sorts (Amazon RDS User Guide, "Hardware specifications for DB instance classes").
fn bears(class: &str) -> u32 {
    let size = class.rsplit('.').next().unwrap_or_default();
    match size {
        "micro" => 1,
        "small" => 2,
        "medium" | "large" => 4,
        "xlarge" => 8,
        _ => match size.strip_suffix("xlarge").and_then(|times| times.parse::<u32>().ok()) {
            Some(times) => times.saturating_mul(8),
            // A size that nobody here knows: as for the smallest that is of use.
            None => 4,
        },
    }
}

/// How far units got.
pub(crate) struct Worked {
    /// Units that were done by this call.
    pub done: usize,
    /// Units that are left.
    pub left: usize,
}

/// Does some units and keeps each. The inner error says that the server lets nobody in.
///
/// # Errors
/// Why a result could not be kept.
pub(crate) async fn work_on(
    prover: &impl Prover,
    server: &Server,
    options: &Options,
    pieces: &[Unit],
    ids: &[u32],
    units: &Units<'_, impl Documents>,
) -> Result<std::result::Result<Worked, ConnectError>> {
    let journal = units.journal();
    let progress = match prover.work(server, options, pieces, ids, &journal).await {
        Ok(progress) => progress,
        Err(error) => return Ok(Err(error)),
    };
    match (progress.journal_failed, journal.into_failure()) {
        (None, None) => Ok(Ok(Worked { done: progress.done.len(), left: progress.left.len() })),
        (_, Some(error)) => Err(error),
        (Some(reason), None) => Err(Error::new(ErrorKind::Internal, reason)),
    }
}

/// Does what is left of a worker's share, as far as the time goes.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    share: &Share,
) -> Result<Answer<Output>> {
    if share.worker >= share.workers {
        return Err(Error::invalid(format!("worker: {} is not below {}", share.worker, share.workers)));
    }
    let units = Units::of(ports.documents, &share.operation);
    let pieces = units.pieces().await?.ok_or_else(|| {
        Error::new(ErrorKind::UnreadableRecord, format!("{} is not there", share.operation.plan_key()))
    })?;
    let done = units.done().await?;
    let own: Vec<u32> =
        pieces.iter().map(|unit| unit.id).filter(|id| id % share.workers == share.worker).collect();
    let ids: Vec<u32> = own.iter().copied().filter(|id| !done.contains(id)).collect();
    let settled = || share.settled(own.len());
    // With a verdict the server goes: what another execution came to is not to be disturbed by waiting for it.
    if ids.is_empty() || ports.documents.get::<IgnoredAny>(&share.operation.validation_key()).await?.is_some()
    {
        return Ok(settled());
    }
    let Some(server) = server(ports, share).await? else {
        return Ok(share.waiting(wait_seconds(share.poll), own.len(), ids.len(), share.carry.clone()));
    };
    // What is read for the plan only is not needed again: no piece becomes another one here.
    let options = options(&share.request.validation, ports.settings.verify_budget, 0);
    match work_on(ports.prover, &server, &options, &pieces, &ids, &units).await? {
        Ok(Worked { left: 0, .. }) => Ok(settled()),
        Ok(Worked { done, left }) => {
            let seconds = if done > 0 { 1 } else { wait_seconds(share.poll) };
            Ok(share.waiting(seconds, own.len(), left, WorkCarry::default()))
        }
        Err(error) => {
            let failed_logins = share.carry.failed_logins + 1;
            if !error.is_retryable() || failed_logins >= MAX_FAILED_LOGINS {
                let message = format!("the restored server could not be worked on: {error}");
                return Err(Error::new(ErrorKind::ValidationInconclusive, message));
            }
            Ok(share.waiting(wait_seconds(failed_logins), own.len(), ids.len(), WorkCarry { failed_logins }))
        }
    }
}

impl Share {
    fn waiting(&self, wait_seconds: u32, units: usize, left: usize, carry: WorkCarry) -> Answer<Output> {
        let message = format!("worker {}: {left} of {units} units are left", self.worker);
        Answer::Waiting {
            wait_seconds,
            progress: Progress::new("work", percent(units - left, units), message),
            carry: Some(json!(carry)),
        }
    }

    fn settled(&self, units: usize) -> Answer<Output> {
        let message = format!("worker {}: nothing is left of {units} units", self.worker);
        Answer::Final {
            progress: Progress::new("work", Some(100), message),
            result: Output::Worked { worker: self.worker, units },
        }
    }
}

/// `done` of `all`, in per cent.
pub(crate) fn percent(done: usize, all: usize) -> Option<u8> {
    u8::try_from(done * 100 / all.max(1)).ok()
}

/// The server, or `None` while it is busy. A worker never restores and never changes the instance.
async fn server(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    share: &Share,
) -> Result<Option<Server>> {
    let id = share.operation.validation_instance_id();
    let lost = |message: String| Error::new(ErrorKind::ValidationInconclusive, message);
    let Some(instance) = ports.rds.instance(&ports.settings.region, &id).await? else {
        return Err(lost(format!("{id} is gone while it was worked on")));
    };
    require_own(&format!("instance {id}"), &instance.tags, &share.operation)?;
    match instance.life() {
        Life::Up => {}
        Life::Coming if instance.status != "deleting" => return Ok(None),
        Life::Coming | Life::NotRestorable | Life::NoCapacity | Life::Unusable => {
            return Err(lost(format!("{id} is {} while it was worked on", instance.status)));
        }
    }
    if let Some(wrong) = not_as_asked(ports, &instance) {
        return Err(lost(wrong));
    }
    let Some(endpoint) = instance.endpoint.clone() else { return Ok(None) };
    let password = ports.keys.derive_password(share.operation.as_str()).await?;
    Ok(Some(Server { endpoint, user: instance.master_username.clone(), password }))
}

#[cfg(test)]
mod tests {
    use super::bears;

    #[test]
    fn a_class_bears_two_workers_per_processor() {
        for (class, workers) in [
            ("db.t4g.micro", 1),
            ("db.t4g.small", 2),
            ("db.t4g.medium", 4),
            ("db.m6g.large", 4),
            ("db.m6g.xlarge", 8),
            ("db.r6g.4xlarge", 32),
            ("db.x2iedn.metal", 4),
            ("db.serverless", 4),
        ] {
            assert_eq!(bears(class), workers, "{class}");
        }
    }
}
