//! Taking the restored server over, and checking what it holds.

use std::time::Instant;

use holdfast_core::Result;
use holdfast_core::answer::{Answer, Progress};
use holdfast_core::operation::seconds_between;
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{Documents, Keys, Rds};
use holdfast_core::rds::Instance;
use holdfast_core::tags;
use holdfast_core::validation::{CheckResult, NotChecked};
use holdfast_proving::{Kept, MAX_FAILED_LOGINS, Planned, Prover, Server, Units};
use holdfast_verify::{ConnectError, Options};
use jiff::Timestamp;
use serde_json::json;

use crate::against::{self, Against};
use crate::restore::Job;
use crate::verdict::{Verdicts, restored, unfinished};
use crate::work::{self, Worked};
use crate::{Carry, Output, Ports};

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
    let against = match against::read(ports.documents, job).await? {
        Ok(against) => against,
        Err(reason) => return verdicts.refuse(job, CheckResult::Errored, reason).await,
    };
    let Against { reference, same_as, baseline, unheld, heartbeat, mut not_checked } = against;
    let mut options = Options {
        reference,
        same_as,
        baseline,
        snapshot_time: job.snapshot.created_at.map(|time| time.to_string()),
        ..work::options(&job.request.validation, ports.settings.verify_budget, job.snapshot.size_gib)
    };
    match heartbeat {
        Some(heartbeat) => options.assertions.push(heartbeat.assertion(&job.operation)),
        None => not_checked.extend(without_heartbeat(&mut options)),
    }
    let check = Check { ports, job, instance, server: &server, options: &options };
    match check.worked_through(restore_seconds).await? {
        Through::Done(planned) => {
            let mut kept = check.sum(*planned).await?;
            kept.add(unheld, not_checked);
            verdicts.settle(job, kept).await
        }
        Through::Not(answer) => Ok(answer),
        Through::NotConnected(error) => not_connected(&verdicts, job, &error).await,
    }
}

/// A heartbeat that nobody wrote says nothing: not by being missing either.
fn without_heartbeat(options: &mut Options) -> Option<NotChecked> {
    let freshness = options.checks.freshness.as_mut()?;
    let heartbeat = freshness.heartbeat.take()?;
    if freshness.columns.is_empty() {
        options.checks.freshness = None;
    }
    Some(NotChecked {
        check: "freshness".into(),
        scope: "instance".into(),
        object: Some(heartbeat.table),
        reason: "no heartbeat was written for this validation".into(),
    })
}

/// One call with a server that lets us in.
struct Check<'a, R, K, D, P> {
    ports: &'a Ports<'a, R, K, D, P>,
    job: &'a Job,
    instance: &'a Instance,
    server: &'a Server,
    options: &'a Options,
}

/// How far the units got.
enum Through {
    /// There is nothing left to be done, or nobody left to do it.
    Done(Box<Planned>),
    /// There is; this is what the state machine is told.
    Not(Answer<Output>),
    /// The server lets nobody in.
    NotConnected(ConnectError),
}

impl<R: Rds, K: Keys, D: Documents, P: Prover> Check<'_, R, K, D, P> {
    fn units(&self) -> Units<'_, D> {
        Units::of(self.ports.documents, &self.job.operation)
    }

    /// Plans, unless that was done, and works, unless others are to do that.
    async fn worked_through(&self, restore_seconds: Option<f64>) -> Result<Through> {
        let begun = Instant::now();
        let units = self.units();
        let planned = match units.plan().await? {
            Some(planned) => planned,
            None => match self.ports.prover.plan(self.server, self.options).await {
                Ok(plan) => units.keep_plan(Planned { restore_seconds, plan }).await?,
                Err(error) => return Ok(Through::NotConnected(error)),
            },
        };
        let plan = &planned.plan;
        let done = units.done().await?;
        let left: Vec<u32> = plan.units.iter().map(|unit| unit.id).filter(|id| !done.contains(id)).collect();
        // Workers that ended early will not do better a second time: what was done is summed up, the rest is named.
        if left.is_empty() || !self.job.carry.troubles.is_empty() {
            return Ok(Through::Done(Box::new(planned)));
        }
        let all = plan.units.len();
        let workers = work::workers(plan, self.options, &self.job.request, &self.instance.class);
        if workers > 1 {
            return Ok(Through::Not(self.left(all, left.len(), 1, Some(workers))));
        }
        let time_budget = self.options.time_budget.saturating_sub(begun.elapsed());
        // A unit that does not fit into a whole call is given up; it must have had a whole call.
        if time_budget < self.options.time_budget.mul_f64(0.9) {
            return Ok(Through::Not(self.left(all, left.len(), 1, None)));
        }
        let options = Options { time_budget, ..self.options.clone() };
        match work::work_on(self.ports.prover, self.server, &options, &plan.units, &left, &units).await? {
            Ok(Worked { left: 0, .. }) => Ok(Through::Done(Box::new(planned))),
            Ok(Worked { done, left }) => {
                let seconds = if done > 0 { 1 } else { wait_seconds(self.job.poll) };
                Ok(Through::Not(self.left(all, left, seconds, None)))
            }
            Err(error) => Ok(Through::NotConnected(error)),
        }
    }

    /// Units are left, for so many workers or for the next poll.
    fn left(&self, all: usize, left: usize, wait_seconds: u32, workers: Option<u32>) -> Answer<Output> {
        let message = match workers {
            Some(workers) => format!("{left} of {all} units are left, for {workers} workers"),
            None => format!("{left} of {all} units are left"),
        };
        let carry = Carry { failed_logins: 0, workers, ..self.job.carry.clone() };
        Answer::Waiting {
            wait_seconds,
            progress: Progress::new("work", work::percent(all - left, all), message),
            carry: Some(json!(carry)),
        }
    }

    /// What all that was done amounts to.
    async fn sum(&self, planned: Planned) -> Result<Kept> {
        let units = self.units();
        let done = units.done().await?;
        let undone = planned.plan.units.iter().any(|unit| !done.contains(&unit.id));
        let results = units.results(&done).await?;
        let outcome = self.ports.prover.conclude(&planned.plan, &results, self.options);
        // Where everything is done it does not matter how a worker ended.
        let troubles = if undone { &self.job.carry.troubles[..] } else { &[] };
        let (seconds, class) = (planned.restore_seconds, &*self.instance.class);
        let before = [restored(seconds, class)].into_iter().chain(unfinished(troubles)).collect();
        Ok(Kept::from_outcome(before, outcome, seconds, class))
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
    Some(seconds_between(requested, now))
}
