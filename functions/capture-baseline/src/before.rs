//! Before the snapshot: catalog and counters first, then the rows where they are wanted.

use holdfast_core::answer::Answer;
use holdfast_core::baseline::Beat;
use holdfast_core::health::NamedCause;
use holdfast_core::ports::{Documents, Logins, Rds};
use holdfast_core::validation::{BaselineDepth, Reading};
use holdfast_core::{Error, ErrorKind, Result};

use crate::login::{self, Miss};
use crate::parts::{BEFORE, HEARTBEAT, NO_HEARTBEAT, Parts, TROUBLE};
use crate::{Carry, Job, Output, Ports, Source, rows, source};

/// Does the next thing that has to be done before the snapshot.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
) -> Result<Answer<Output>> {
    let parts = Parts { documents: ports.documents, operation: &job.operation };
    if parts.get::<Reading>(BEFORE).await?.is_some() {
        return match job.asked.depth {
            BaselineDepth::Catalog => Ok(job.done(None)),
            BaselineDepth::Full => rows::step(ports, job).await,
        };
    }
    if let Some(answer) = beat(ports, job, &parts).await? {
        return Ok(answer);
    }
    let read = reading(ports, job).await;
    // Looked at after the reading and not before it: only this shows that the reading is the earlier of the two.
    if ports.rds.snapshot(ports.region, &job.operation.snapshot_id()).await?.is_some() {
        return give_up(&parts, job, late()).await;
    }
    match read {
        Ok(reading) => {
            parts.keep(BEFORE, &reading).await?;
            match job.asked.depth {
                BaselineDepth::Catalog => Ok(job.done(None)),
                BaselineDepth::Full => Ok(job.going_on("the source's catalog was read; its rows are next")),
            }
        }
        Err(miss) => missed(&parts, job, miss).await,
    }
}

/// Writes the heartbeat where one is wanted and none is written. It comes before the reading, so that a snapshot which is
/// later than the reading has it. What keeps it from being written is kept, and the rest goes on.
async fn beat(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
    parts: &Parts<'_, impl Documents>,
) -> Result<Option<Answer<Output>>> {
    let freshness = job.request.validation.checks.freshness.as_ref();
    let Some(heartbeat) = freshness.and_then(|freshness| freshness.heartbeat.as_ref()) else {
        return Ok(None);
    };
    if parts.get::<Beat>(HEARTBEAT).await?.is_some() || parts.get::<NamedCause>(NO_HEARTBEAT).await?.is_some()
    {
        return Ok(None);
    }
    let written = async {
        let server = login::server(ports, job, &job.request.database_id).await?;
        let written = ports.source.beat(&server, heartbeat, &job.operation).await;
        written.map_err(|error| Miss::unwritten(&error))
    };
    match written.await {
        Ok(beat) => parts.keep(HEARTBEAT, &beat).await?,
        Err(miss) if miss.error.kind.retryable() => return Err(miss.error),
        Err(miss) if miss.is_passing(job) => {
            let carry = Carry { failures: job.carry.failures + 1, ..job.carry.clone() };
            return Ok(Some(job.waiting(miss.error.message, carry)));
        }
        Err(miss) => {
            tracing::warn!(error.message = miss.error.message, "there is no heartbeat");
            parts.keep(NO_HEARTBEAT, &NamedCause::from(&miss.error)).await?;
        }
    }
    Ok(None)
}

/// A reading of the source itself: counters are those of the server that is asked.
pub(crate) async fn reading(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
) -> std::result::Result<Reading, Miss> {
    let server = login::server(ports, job, &job.request.database_id).await?;
    let options = source::options(ports.budget, ports.piece_bytes, job);
    ports.source.reading(&server, &options).await.map_err(|error| Miss::connecting("the source", &error))
}

/// Asks again while that can help, then keeps the reason. A run that is resumed before its snapshot asks once more: what
/// is whole in the end needs no reason.
pub(crate) async fn missed(
    parts: &Parts<'_, impl Documents>,
    job: &Job,
    miss: Miss,
) -> Result<Answer<Output>> {
    if miss.error.kind.retryable() {
        // The state machine has the patience for these.
        return Err(miss.error);
    }
    if miss.is_passing(job) {
        let carry = Carry { failures: job.carry.failures + 1, ..job.carry.clone() };
        return Ok(job.waiting(miss.error.message, carry));
    }
    give_up(parts, job, miss.error).await
}

/// The snapshot is taken without what is missing; what is missing is named.
pub(crate) async fn give_up(
    parts: &Parts<'_, impl Documents>,
    job: &Job,
    error: Error,
) -> Result<Answer<Output>> {
    tracing::warn!(error.name = error.kind.name(), error.message, "the baseline is not whole");
    parts.keep(TROUBLE, &NamedCause::from(&error)).await?;
    Ok(job.done(parts.trouble().await?))
}

fn late() -> Error {
    let message = "the snapshot was there before the source was read: a later reading says nothing of it";
    Error::new(ErrorKind::BaselineUnreadable, message)
}
