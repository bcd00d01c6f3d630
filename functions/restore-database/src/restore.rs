//! From a plan to a database that is there, as it was asked for.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::blueprint::Blueprint;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RestorePlan, RestoreResult, RestoreTimings, seconds_between};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{LastSettings, NewDatabase, Rds, RestoreAnswer, Restores};
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
            ended_as(&instance),
            format!("{id} in {region} ended as {}; it is left as it is", instance.status),
        )),
    }
}

/// What is to be done about an instance that does not become a database.
fn ended_as(instance: &Instance) -> ErrorKind {
    if instance.lacks_its_key() {
        ErrorKind::KeyUnusable
    } else if instance.life() == Life::NoCapacity {
        ErrorKind::NoCapacity
    } else {
        ErrorKind::RestoreFailed
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
            allocated_storage: plan.wanted.allocated_storage,
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
    let carry = Carry { available_seconds: Some(available_seconds), ..job.carry.clone() };
    if carry.settling == 0 {
        let carry = ask_for_last_settings(ports, job, carry).await?;
        let message = format!("{} is available; its last settings are being made", instance.id);
        return Ok(job.waiting(message, &carry));
    }
    let carry = Carry { settling: carry.settling + 1, ..carry };
    let (Some(endpoint), false) = (instance.endpoint.clone(), instance.change_pending) else {
        return Ok(
            job.waiting(format!("{} is available; its last settings are pending", instance.id), &carry)
        );
    };
    let came: Blueprint = ports.rds.blueprint(region, &instance.id).await?.ok_or_else(|| {
        Error::new(ErrorKind::OutcomeUnknown, format!("{} was there and cannot be seen", instance.id))
    })?;
    let mut differences = came.differences(&plan.wanted);
    if !differences.is_empty() && carry.settling < LOOKS_AT_DIFFERENCES {
        let message =
            format!("{} is available; not yet as asked for: {}", instance.id, differences.join("; "));
        return Ok(job.waiting(message, &carry));
    }
    differences.extend(carry.refused);
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

/// Asks for all of the last settings or, once RDS has refused that, for the next of them: a database that is back is not given up
/// for one that cannot be had. What is refused is said beside the differences.
async fn ask_for_last_settings<K, D, N>(
    ports: &Ports<'_, impl Rds + Restores, K, D, N>,
    job: &Job,
    mut carry: Carry,
) -> Result<Carry> {
    let (region, plan) = (&job.plan.region, &job.plan);
    let which = match carry.one_by_one {
        Some(next) => LastSettings::ONE_BY_ONE.get(next).copied(),
        None => Some(LastSettings::All),
    };
    let Some(which) = which else { return Ok(Carry { settling: 1, ..carry }) };
    match ports.rds.settle(region, plan.target_id.as_str(), &plan.wanted.settings, which).await {
        Ok(()) if which == LastSettings::All => carry.settling = 1,
        Err(error) if error.kind.retryable() => return Err(error),
        Err(_) if which == LastSettings::All => carry.one_by_one = Some(0),
        done => {
            if let Err(error) = done {
                carry.refused.push(format!("{}: RDS refused it: {}", which.what(), error.message));
            }
            carry.one_by_one = carry.one_by_one.map(|place| place + 1);
        }
    }
    Ok(carry)
}

fn requested_at(instance: &Instance) -> Option<Timestamp> {
    instance.tags.get(tags::REQUESTED_AT)?.parse().ok()
}

/// From asking RDS to now. Polls make it longer than the truth, never shorter.
fn seconds_since_request(instance: &Instance, now: Timestamp) -> f64 {
    seconds_between(requested_at(instance).unwrap_or(now), now)
}
