//! From a plan to a database that is there, as it was asked for.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::blueprint::Blueprint;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RestorePlan, RestoreResult, RestoreTimings, seconds_between};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{NewDatabase, Rds, RestoreAnswer, Restores};
use holdfast_core::rds::{Instance, Life, require_own};
use holdfast_core::tags;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde_json::json;

use crate::{Carry, Output, Ports};

/// A change is shown as done late, and a refused one like one that nobody asked for: so often what is not as it was asked
/// for is looked at again.
const LOOKS_AT_DIFFERENCES: u32 = 8;

/// One restore, as one poll sees it.
pub(crate) struct Job {
    pub operation: OperationId,
    pub plan: RestorePlan,
    pub poll: u32,
    pub carry: Carry,
}

impl Job {
    fn waiting(&self, message: String, carry: &Carry) -> Answer<Output> {
        Answer::Waiting {
            wait_seconds: wait_seconds(self.poll),
            progress: Progress::new("restore", None, message),
            carry: Some(json!(carry)),
        }
    }
}

/// Does the next thing.
pub(crate) async fn step<K, D, N>(
    ports: &Ports<'_, impl Rds + Restores, K, D, N>,
    job: &Job,
) -> Result<Answer<Output>> {
    let (region, id) = (&job.plan.region, job.plan.target_id.as_str());
    let Some(instance) = ports.rds.instance(region, id).await? else {
        return start(ports, job).await;
    };
    require_own(&format!("instance {id} in {region}"), &instance.tags, &job.operation)?;
    match instance.life() {
        Life::Coming => Ok(job.waiting(format!("{id} is {}", instance.status), &job.carry)),
        Life::Up => settle(ports, job, &instance).await,
        // Nothing is deleted here, not even to try another class: this function may not.
        Life::NotRestorable | Life::NoCapacity | Life::Unusable => Err(Error::new(
            ErrorKind::RestoreFailed,
            format!("{id} in {region} ended as {}; it is left as it is", instance.status),
        )),
    }
}

/// Starts the restore with the first class that has capacity.
async fn start<K, D, N>(
    ports: &Ports<'_, impl Rds + Restores, K, D, N>,
    job: &Job,
) -> Result<Answer<Output>> {
    let plan = &job.plan;
    let mut settings = plan.wanted.settings.clone();
    settings.tags.insert(tags::REQUESTED_AT.to_owned(), ports.now.to_string());
    let classes = &plan.wanted.instance_classes;
    for (index, class) in classes.iter().enumerate().skip(job.carry.class_index) {
        let new = NewDatabase {
            id: plan.target_id.clone(),
            from: plan.recovery_point.clone(),
            class: class.clone(),
            settings: settings.clone(),
        };
        let carry = Carry { class_index: index, ..Carry::default() };
        match ports.rds.restore_database(&plan.region, &new).await? {
            RestoreAnswer::Started(_) | RestoreAnswer::AlreadyThere => {
                return Ok(job.waiting(format!("restoring to {} ({class})", new.id), &carry));
            }
            RestoreAnswer::NotYet => {
                return Ok(job.waiting("the recovery point is busy".to_owned(), &carry));
            }
            RestoreAnswer::NoCapacity => {}
        }
    }
    Err(Error::new(
        ErrorKind::NoCapacity,
        format!("no capacity in {} for any of {}", plan.region, classes.join(", ")),
    ))
}

/// With an instance that is available: ask for what a restore does not take, once; then hold it against what was wanted.
async fn settle<K, D, N>(
    ports: &Ports<'_, impl Rds + Restores, K, D, N>,
    job: &Job,
    instance: &Instance,
) -> Result<Answer<Output>> {
    let (region, plan) = (&job.plan.region, &job.plan);
    let seconds = seconds_since_request(instance, ports.now);
    let available_seconds = job.carry.available_seconds.unwrap_or(seconds);
    let carry = Carry {
        available_seconds: Some(available_seconds),
        settling: job.carry.settling + 1,
        ..job.carry.clone()
    };
    if job.carry.settling == 0 {
        ports.rds.settle(region, &instance.id, &plan.wanted.settings).await?;
        return Ok(
            job.waiting(format!("{} is available; its last settings are being made", instance.id), &carry)
        );
    }
    let (Some(endpoint), false) = (instance.endpoint.clone(), instance.change_pending) else {
        return Ok(
            job.waiting(format!("{} is available; its last settings are pending", instance.id), &carry)
        );
    };
    let came: Blueprint = ports.rds.blueprint(region, &instance.id).await?.ok_or_else(|| {
        Error::new(ErrorKind::OutcomeUnknown, format!("{} was there and cannot be seen", instance.id))
    })?;
    let differences = came.differences(&plan.wanted);
    if !differences.is_empty() && carry.settling < LOOKS_AT_DIFFERENCES {
        let message =
            format!("{} is available; not yet as asked for: {}", instance.id, differences.join("; "));
        return Ok(job.waiting(message, &carry));
    }
    let restore = RestoreResult {
        instance_id: instance.id.clone(),
        arn: instance.arn.clone(),
        endpoint,
        class: instance.class.clone(),
        differences,
        timings: RestoreTimings {
            requested_at: requested_at(instance).unwrap_or(ports.now),
            available_seconds,
            settled_seconds: seconds,
        },
    };
    Ok(Answer::Final {
        progress: Progress::new("restore", Some(100), restore.describe()),
        result: Output::Restored { restore: Box::new(restore) },
    })
}

fn requested_at(instance: &Instance) -> Option<Timestamp> {
    instance.tags.get(tags::REQUESTED_AT)?.parse().ok()
}

/// From asking RDS to now. Polls make it longer than the truth, never shorter.
fn seconds_since_request(instance: &Instance, now: Timestamp) -> f64 {
    seconds_between(requested_at(instance).unwrap_or(now), now)
}
