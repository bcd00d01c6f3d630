//! Every row of the source, or of its replica: planned once, read in pieces over as many calls as it takes.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::answer::Answer;
use holdfast_core::health::NamedCause;
use holdfast_core::ports::{Documents, Logins, Rds};
use holdfast_core::validation::{Check, Manifest, Verdict, verdict};
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_verify::{Plan, Standing, conclude};

use crate::before::missed;
use crate::login::{self, Miss};
use crate::parts::{PLAN, Parts, STANDING};
use crate::source::{self, Server};
use crate::{Carry, Job, Output, Ports, Source};

/// A replica that is behind is looked at this often, a quarter of an hour in all: the snapshot waits for it.
const MAX_BEHIND: u32 = 25;

/// Issues named in a reason; more are counted.
const ISSUES_NAMED: usize = 3;

/// Does the next thing towards all rows.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
) -> Result<Answer<Output>> {
    let parts = Parts { documents: ports.documents, operation: &job.operation };
    if ports.rds.snapshot(ports.region, &job.operation.snapshot_id()).await?.is_some() {
        // What is not read by now is named when all is summed up.
        return Ok(job.done(None));
    }
    match read_on(ports, job, &parts).await {
        Ok(answer) => Ok(answer),
        Err(miss) => missed(&parts, job, miss).await,
    }
}

async fn read_on(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
    parts: &Parts<'_, impl Documents>,
) -> std::result::Result<Answer<Output>, Miss> {
    let options = source::options(ports.budget, ports.piece_bytes, job);
    let place = job.asked.replica.as_ref().unwrap_or(&job.request.database_id);
    let Some(plan) = parts.get::<Plan>(PLAN).await? else {
        let server = login::server(ports, job, place).await?;
        if job.asked.replica.is_some()
            && let Some(answer) = behind(ports, job, parts, &server).await?
        {
            return Ok(answer);
        }
        let plan = ports.source.plan(&server, &options).await;
        let plan = plan.map_err(|error| Miss::connecting(place.as_str(), &error))?;
        parts.keep(PLAN, &plan).await?;
        return Ok(job.going_on(format!("the rows of {place} are about to be read")));
    };
    let done = parts.done().await?;
    let left: Vec<u32> = plan.units.iter().map(|unit| unit.id).filter(|id| !done.contains(id)).collect();
    if left.is_empty() {
        return Ok(job.done(None));
    }
    let server = login::server(ports, job, place).await?;
    let progress = ports.source.work(&server, &options, &plan.units, &left, parts).await;
    let progress = progress.map_err(|error| Miss::connecting(place.as_str(), &error))?;
    if let Some(reason) = progress.journal_failed {
        return Err(
            Error::new(ErrorKind::OutcomeUnknown, format!("a piece could not be kept: {reason}")).into()
        );
    }
    let read = plan.units.len() - progress.left.len();
    let message = format!("{read} of {} pieces of {place} are read", plan.units.len());
    Ok(if progress.left.is_empty() { job.done(None) } else { job.going_on(message) })
}

/// Whether the replica is still behind what the first reading saw: then what it shows is older than that.
async fn behind(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
    parts: &Parts<'_, impl Documents>,
    server: &Server,
) -> std::result::Result<Option<Answer<Output>>, Miss> {
    let (options, place) =
        (source::options(ports.budget, ports.piece_bytes, job), job.asked.replica.as_ref());
    let place = place.map_or("the replica", |place| place.as_str());
    if parts.get::<Standing>(STANDING).await?.is_none() {
        let source = login::server(ports, job, &job.request.database_id).await?;
        let standing = ports.source.standing(&source, &options).await;
        parts.keep(STANDING, &standing.map_err(|error| Miss::connecting("the source", &error))?).await?;
    }
    let Some(source) = parts.get::<Standing>(STANDING).await? else {
        return Err(Error::new(ErrorKind::OutcomeUnknown, "what was kept cannot be seen yet").into());
    };
    let replica = ports.source.standing(server, &options).await;
    let replica = replica.map_err(|error| Miss::connecting(place, &error))?;
    match replica.has_reached(&source) {
        Ok(true) => Ok(None),
        Ok(false) if job.carry.behind + 1 < MAX_BEHIND => {
            let carry = Carry { behind: job.carry.behind + 1, ..job.carry.clone() };
            Ok(Some(job.waiting(format!("{place} is behind the source"), carry)))
        }
        Ok(false) => Err(Miss::lasting(format!("{place} did not catch up with the source"))),
        Err(why) => Err(Miss::lasting(format!("{place} cannot be read in the source's place: {why}"))),
    }
}

/// What is known of the source's rows.
#[derive(Default)]
pub(crate) struct Rows {
    pub manifest: Option<Manifest>,
    /// Tables that were read in several statements.
    pub in_pieces: BTreeMap<String, BTreeSet<String>>,
    /// What was not read, and why.
    pub missing: Option<NamedCause>,
}

/// What was read of the rows, and what of them was not.
pub(crate) async fn sum(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
) -> Result<Rows> {
    let parts = Parts { documents: ports.documents, operation: &job.operation };
    let Some(plan) = parts.get::<Plan>(PLAN).await? else {
        let missing = Some(unread("the rows of the source were not read before the snapshot"));
        return Ok(Rows { missing, ..Rows::default() });
    };
    let results = parts.results().await?;
    let outcome = conclude(&plan, &results, &source::options(ports.budget, ports.piece_bytes, job));
    let missing = (verdict(&outcome.checks) != Verdict::Valid).then(|| unread(&issues(&outcome.checks)));
    // A manifest without a table is one of nothing.
    let manifest = Some(outcome.manifest).filter(|manifest| missing.is_none() || manifest.table_count() > 0);
    Ok(Rows { manifest, in_pieces: plan.read_in_pieces(), missing })
}

fn issues(checks: &[Check]) -> String {
    let issues: Vec<String> = checks.iter().filter_map(Check::issue).collect();
    let named = issues[..issues.len().min(ISSUES_NAMED)].join("; ");
    let more = match issues.len().saturating_sub(ISSUES_NAMED) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    format!("the source's rows were not all read: {named}{more}")
}

fn unread(cause: &str) -> NamedCause {
    NamedCause::from(&Error::new(ErrorKind::BaselineUnreadable, cause))
}
