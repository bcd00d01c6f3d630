//! From a snapshot to a server that answers to the derived password.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::operation::SnapshotResult;
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{Documents, Keys, NewRestore, Rds, RestoreAnswer};
use holdfast_core::rds::{Instance, Life, require_own};
use holdfast_core::request::BackupRequest;
use holdfast_core::tags::{self, Tags};
use holdfast_core::validation::CheckResult;
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_proving::Prover;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::verdict::Verdicts;
use crate::{Carry, Output, Ports, check, family_to_validate};

/// A restored copy starts with everything its source had configured: it must not take over production's
/// replication slots, and it must refuse a connection without TLS.
pub const PARAMETERS: [(&str, &str); 2] = [("max_logical_replication_workers", "0"), ("rds.force_ssl", "1")];

/// Kept past the deadline before the sweep may take the instance.
const GRACE_MINUTES: f64 = 120.0;

/// One validation, as one poll sees it.
pub(crate) struct Job {
    /// Whose instance, plan, units and verdict these are.
    pub operation: OperationId,
    /// Whose snapshot it is, when it is not this operation's own.
    pub backup_of: Option<OperationId>,
    pub request: BackupRequest,
    pub snapshot: SnapshotResult,
    pub reference: Option<OperationId>,
    pub same_as: Option<OperationId>,
    pub poll: u32,
    pub carry: Carry,
}

impl Job {
    /// The operation whose tag the snapshot carries.
    pub fn backup(&self) -> &OperationId {
        self.backup_of.as_ref().unwrap_or(&self.operation)
    }

    /// Not there yet: what is being waited for, and what the next poll must know.
    pub fn waiting(&self, stage: &str, message: String, carry: Carry) -> Answer<Output> {
        Answer::Waiting {
            wait_seconds: wait_seconds(self.poll),
            progress: Progress::new(stage, None, message),
            carry: Some(json!(carry)),
        }
    }
}

/// Does the next thing towards a verdict.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    job: &Job,
) -> Result<Answer<Output>> {
    let verdicts = Verdicts { rds: ports.rds, documents: ports.documents, region: &ports.settings.region };
    if let Some(known) = verdicts.known(job).await? {
        return verdicts.conclude(job, known).await;
    }
    let id = job.operation.validation_instance_id();
    let Some(instance) = ports.rds.instance(&ports.settings.region, &id).await? else {
        return start(ports, job).await;
    };
    require_own(&format!("instance {id}"), &instance.tags, &job.operation)?;
    keep_from_the_sweep(ports, job, &instance).await?;
    match instance.life() {
        Life::Coming => Ok(job.waiting("restore", format!("{id} is {}", instance.status), job.carry.clone())),
        Life::Up => {
            if let Some(wrong) = not_as_asked(ports, &instance) {
                return verdicts.refuse(job, CheckResult::Errored, wrong).await;
            }
            check::step(ports, job, &instance).await
        }
        Life::NotRestorable => {
            let reason = format!("the snapshot does not restore: {id} ended as {}", instance.status);
            verdicts.refuse(job, CheckResult::Failed, reason).await
        }
        Life::NoCapacity => {
            ports.rds.delete_instance(&ports.settings.region, &id).await?;
            let next = Carry { class_index: job.carry.class_index + 1, ..Carry::default() };
            Ok(job.waiting(
                "restore",
                format!("no capacity for {}; trying the next class", instance.class),
                next,
            ))
        }
        Life::Unusable => {
            let reason = format!("{id} ended as {}", instance.status);
            verdicts.refuse(job, CheckResult::Errored, reason).await
        }
    }
}

/// Starts the restore with the first class that has capacity.
async fn start(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    job: &Job,
) -> Result<Answer<Output>> {
    let region = &ports.settings.region;
    let snapshot = ports.rds.snapshot(region, &job.snapshot.id).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::SnapshotGone,
            format!("snapshot {} is not in {region} any more", job.snapshot.id),
        )
    })?;
    if !snapshot.is_complete(job.backup(), ErrorKind::SnapshotFailed)? {
        return Ok(job.waiting(
            "restore",
            format!("{} is not available yet", snapshot.id),
            job.carry.clone(),
        ));
    }
    let family = family_to_validate(&snapshot.engine, &snapshot.engine_version)?;
    let parameter_group = format!("holdfast-validation-{family}");
    ports.rds.ensure_parameter_group(region, &parameter_group, &family, &PARAMETERS).await?;
    let verdicts = Verdicts { rds: ports.rds, documents: ports.documents, region };
    let classes = &job.request.validation.instance_classes;
    for (index, class) in classes.iter().enumerate().skip(job.carry.class_index) {
        let new = NewRestore {
            id: job.operation.validation_instance_id(),
            snapshot_id: snapshot.id.clone(),
            class: class.clone(),
            parameter_group: parameter_group.clone(),
            subnet_group: ports.settings.subnet_group.clone(),
            security_group: ports.settings.security_group.clone(),
            tags: instance_tags(job, ports.now),
        };
        let carry = Carry { class_index: index, ..Carry::default() };
        let answer = match ports.rds.restore(region, &new).await {
            // It says nothing of the snapshot, and no other class would do.
            Err(error) if error.kind == ErrorKind::InstanceQuotaExceeded => {
                return verdicts.refuse(job, CheckResult::Errored, error.message).await;
            }
            answer => answer?,
        };
        match answer {
            RestoreAnswer::Started(_) | RestoreAnswer::AlreadyThere => {
                return Ok(job.waiting("restore", format!("restoring to {} ({class})", new.id), carry));
            }
            RestoreAnswer::NotYet => {
                return Ok(job.waiting("restore", format!("{} is busy", snapshot.id), carry));
            }
            RestoreAnswer::NoCapacity => {}
        }
    }
    let reason = format!("no capacity for any of {}", classes.join(", "));
    verdicts.refuse(job, CheckResult::Errored, reason).await
}

/// When the sweep may take the instance of an execution that began `now`.
fn expiry(job: &Job, now: Timestamp) -> Timestamp {
    let minutes = job.request.deadline_minutes + GRACE_MINUTES;
    now + SignedDuration::from_secs((minutes * 60.0) as i64)
}

/// An execution that takes over finds the instance with the expiry of the one before, and has a deadline of its own:
/// its first poll moves the expiry.
async fn keep_from_the_sweep(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    job: &Job,
    instance: &Instance,
) -> Result<()> {
    let expires_at = expiry(job, ports.now);
    let known: Option<Timestamp> = instance.tags.get(tags::EXPIRES_AT).and_then(|text| text.parse().ok());
    if job.poll > 1 || instance.status == "deleting" || known.is_some_and(|known| known >= expires_at) {
        return Ok(());
    }
    let tags = Tags::from([(tags::EXPIRES_AT.to_owned(), expires_at.to_string())]);
    ports.rds.tag_instance(&ports.settings.region, instance, &tags).await
}

fn instance_tags(job: &Job, now: Timestamp) -> Tags {
    let expires_at = expiry(job, now);
    Tags::from([
        (tags::OPERATION.to_owned(), job.operation.to_string()),
        (tags::DATABASE.to_owned(), job.request.database_id.to_string()),
        (tags::TEMPORARY.to_owned(), tags::TEMPORARY_VALIDATION.to_owned()),
        (tags::EXPIRES_AT.to_owned(), expires_at.to_string()),
        (tags::REQUESTED_AT.to_owned(), now.to_string()),
    ])
}

/// A restore takes the default groups unless told otherwise: what came back is held against what was asked.
pub(crate) fn not_as_asked(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    instance: &Instance,
) -> Option<String> {
    let id = &instance.id;
    if instance.publicly_accessible {
        return Some(format!("{id} came back publicly accessible"));
    }
    if instance.security_groups != [ports.settings.security_group.clone()] {
        return Some(format!("{id} came back with security groups {}", instance.security_groups.join(", ")));
    }
    if !instance.parameter_groups.iter().all(|group| group.starts_with("holdfast-validation-")) {
        return Some(format!(
            "{id} came back with parameter groups {}",
            instance.parameter_groups.join(", ")
        ));
    }
    None
}
