//! Taking the restored server over, and checking what it holds.

use std::time::Instant;

use holdfast_core::Result;
use holdfast_core::answer::Answer;
use holdfast_core::ports::{Documents, Keys, Rds};
use holdfast_core::rds::Instance;
use holdfast_core::tags;
use holdfast_core::validation::{CheckResult, Manifest};
use holdfast_verify::{ConnectError, Options};
use jiff::Timestamp;
use serde::Deserialize as _;

use crate::prover::Server;
use crate::restore::Job;
use crate::verdict::{Kept, Verdicts};
use crate::{Carry, Output, Ports, Prover};

/// A password change shows late: this many polls may fail to log in before the trouble counts as lasting.
const MAX_FAILED_LOGINS: u32 = 12;

/// With a server that is up: set the password, then log in, then check.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    job: &Job,
    instance: &Instance,
) -> Result<Answer<Output>> {
    let region = &ports.settings.region;
    let password = ports.keys.derive_password(job.operation.as_str()).await?;
    if !job.carry.taken_over {
        ports.rds.take_over_instance(region, &instance.id, &password).await?;
        let carry = Carry { taken_over: true, ..job.carry.clone() };
        return Ok(job.waiting("credentials", "the derived password is being set".to_owned(), carry));
    }
    let Some(endpoint) = instance.endpoint.clone().filter(|_| !instance.change_pending) else {
        let message = "the derived password is being applied".to_owned();
        return Ok(job.waiting("credentials", message, job.carry.clone()));
    };
    let server = Server { endpoint, user: instance.master_username.clone(), password };
    let verdicts = Verdicts { rds: ports.rds, documents: ports.documents, region };
    let probe = Instant::now();
    if let Err(error) = ports.prover.probe(&server).await {
        return not_connected(&verdicts, job, &error).await;
    }
    let restore_seconds =
        restore_seconds(instance, ports.now).map(|seconds| seconds + probe.elapsed().as_secs_f64());
    let options = Options {
        assertions: job.request.validation.assertions.clone(),
        reference: reference(ports.documents, job).await?,
        allow_missing_tables: job.request.validation.allow_missing_tables.clone(),
        time_budget: ports.settings.verify_budget,
        ..Options::default()
    };
    match ports.prover.prove(&server, &options).await {
        Ok(outcome) => {
            let kept = Kept::from_outcome(outcome, restore_seconds, &instance.class);
            verdicts.settle(job, kept).await
        }
        Err(error) => not_connected(&verdicts, job, &error).await,
    }
}

/// A login that fails is tried again for a while, then INCONCLUSIVE: nothing is known of the data.
async fn not_connected(
    verdicts: &Verdicts<'_, impl Rds, impl Documents>,
    job: &Job,
    error: &ConnectError,
) -> Result<Answer<Output>> {
    let failed_logins = job.carry.failed_logins + 1;
    let lasting = !error.is_retryable() || failed_logins >= MAX_FAILED_LOGINS;
    if lasting {
        let reason = format!("the restored server could not be checked: {error}");
        return verdicts.refuse(job, CheckResult::Errored, reason).await;
    }
    let carry = Carry { failed_logins, ..job.carry.clone() };
    Ok(job.waiting("credentials", format!("no login yet ({error})"), carry))
}

/// From asking for the restore to the first login. Polls make it longer than the truth, never shorter.
fn restore_seconds(instance: &Instance, now: Timestamp) -> Option<f64> {
    let requested: Timestamp = instance.tags.get(tags::REQUESTED_AT)?.parse().ok()?;
    Some((now.duration_since(requested).as_millis() as f64 / 1000.0).max(0.0))
}

/// The manifest of the last backup that was found VALID.
async fn reference(documents: &impl Documents, job: &Job) -> Result<Option<Manifest>> {
    let Some(operation) = job.reference.as_ref().filter(|reference| **reference != job.operation) else {
        return Ok(None);
    };
    let Some(document) = documents.get(&operation.manifest_key()).await? else { return Ok(None) };
    match Manifest::deserialize(&document) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(error) => {
            // A manifest of another version of Holdfast: nothing to be held against, and no reason to fail.
            tracing::warn!(key = operation.manifest_key(), %error, "the reference manifest cannot be read");
            Ok(None)
        }
    }
}
