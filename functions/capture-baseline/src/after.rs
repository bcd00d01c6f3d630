//! After the snapshot: the second reading, once the counters can have it all, and the sum of all that was read.

use holdfast_core::answer::Answer;
use holdfast_core::baseline::{Beat, Captured};
use holdfast_core::health::NamedCause;
use holdfast_core::ports::{Documents, Logins, Rds};
use holdfast_core::validation::{Baseline, BaselineDepth, Reading};
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_verify::COUNTERS_SETTLE_SECONDS;

use crate::parts::{BEFORE, HEARTBEAT, NO_HEARTBEAT, Parts};
use crate::{Carry, Job, Output, Ports, Source, before, rows};

/// Reads the source once more and keeps everything together.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
) -> Result<Answer<Output>> {
    if let Some(captured) = kept(ports.documents, job).await? {
        return Ok(job.ended(captured.result(&job.asked)));
    }
    let parts = Parts { documents: ports.documents, operation: &job.operation };
    let Some(before) = parts.get::<Reading>(BEFORE).await? else {
        // Nothing to be held against: the source is left in peace.
        let reason = parts.trouble().await?.or(job.trouble.clone()).unwrap_or_else(|| {
            NamedCause::from(&Error::new(
                ErrorKind::BaselineUnreadable,
                "the source was not read before the snapshot",
            ))
        });
        return keep(ports.documents, job, Captured::new(Baseline::default(), Some(reason))).await;
    };
    if job.asked.depth == BaselineDepth::Full && job.poll == 1 {
        // Counters that are read too soon call a table still that is not, and its copy would be refused.
        return Ok(job.settling(COUNTERS_SETTLE_SECONDS));
    }
    let (after, unread) = match before::reading(ports, job).await {
        Ok(after) => (Some(after), None),
        Err(miss) if miss.error.kind.retryable() => return Err(miss.error),
        Err(miss) if miss.is_passing(job) => {
            let carry = Carry { failures: job.carry.failures + 1, ..job.carry.clone() };
            return Ok(job.waiting(miss.error.message, carry));
        }
        Err(miss) => (None, Some(NamedCause::from(&miss.error))),
    };
    let rows = match job.asked.depth {
        BaselineDepth::Catalog => rows::Rows::default(),
        BaselineDepth::Full => rows::sum(ports, job).await?,
    };
    // Why the rows are not all there is known best by what kept them from being read.
    let not_all = match rows.missing {
        Some(not_all) => Some(parts.trouble().await?.or(job.trouble.clone()).unwrap_or(not_all)),
        None => None,
    };
    let baseline = Baseline {
        before: Some(before),
        after,
        manifest: rows.manifest,
        in_pieces: rows.in_pieces,
        ..Baseline::default()
    };
    // Written before that reading, which the snapshot is later than.
    let heartbeat = parts.get::<Beat>(HEARTBEAT).await?;
    let missing = unread.or(not_all).or(parts.get(NO_HEARTBEAT).await?);
    keep(ports.documents, job, Captured::new(baseline, missing).with(heartbeat)).await
}

async fn keep(documents: &impl Documents, job: &Job, captured: Captured) -> Result<Answer<Output>> {
    documents.create(&job.operation.baseline_key(), &captured).await?;
    // Of two attempts the first stands.
    let stands = kept(documents, job).await?.unwrap_or(captured);
    Ok(job.ended(stands.result(&job.asked)))
}

async fn kept(documents: &impl Documents, job: &Job) -> Result<Option<Captured>> {
    let key = job.operation.baseline_key();
    documents.get(&key).await
}
