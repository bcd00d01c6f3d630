//! One operation, a backup, a restore or a replication: its phases, its record, and the one function that moves it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::baseline::BaselineResult;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{DatabaseId, OperationId, Region, RunId};
use crate::request::{BackupRequest, ReplicationRequest, RestoreRequest, Tier};
use crate::validation::Verdict;

mod phase;
mod place;
mod replication;
mod restore;
mod results;
mod swap;
#[cfg(test)]
mod tests;

pub use phase::{Kind, Phase};
pub use place::{in_place_since, left};
pub use replication::BackupFound;
pub use restore::{
    FurtherLog, Lost, NewerBackup, RecoveryPoint, Reference, RestorePlan, RestoreResult, RestoreTimings,
};
pub use results::{CopyValidation, ReplicaResult, ReplicaStatus, Results, SnapshotResult, ValidationResult};
pub use swap::{OldInstance, RecordBefore, SecretBefore, SmokeResult, SwapPlan, SwapResult};

/// What was asked for, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// A backup.
    Backup(Box<BackupRequest>),
    /// A restore.
    Restore(Box<RestoreRequest>),
    /// A replication.
    Replication(Box<ReplicationRequest>),
}

impl Request {
    /// What kind of operation this asks for.
    pub fn kind(&self) -> Kind {
        match self {
            Request::Backup(_) => Kind::Backup,
            Request::Restore(_) => Kind::Restore,
            Request::Replication(_) => Kind::Replication,
        }
    }

    /// The database.
    pub fn database_id(&self) -> &DatabaseId {
        match self {
            Request::Backup(request) => &request.database_id,
            Request::Restore(request) => &request.database_id,
            Request::Replication(request) => &request.database_id,
        }
    }

    /// The run.
    pub fn run_id(&self) -> &RunId {
        match self {
            Request::Backup(request) => &request.run_id,
            Request::Restore(request) => &request.run_id,
            Request::Replication(request) => &request.run_id,
        }
    }

    /// The operation that this asks for, run from `home`. The same request is always the same operation.
    pub fn operation_id(&self, home: &Region) -> OperationId {
        match self {
            Request::Backup(request) => OperationId::derive(home, &request.database_id, &request.run_id),
            Request::Restore(request) => OperationId::of_restore(home, &request.database_id, &request.run_id),
            Request::Replication(request) => {
                OperationId::of_replication(home, &request.database_id, &request.run_id)
            }
        }
    }

    /// Reads a request of this kind back from its JSON.
    ///
    /// # Errors
    /// serde's own, when it is none.
    pub fn read(kind: Kind, json: &str) -> serde_json::Result<Self> {
        Ok(match kind {
            Kind::Backup => Request::Backup(serde_json::from_str(json)?),
            Kind::Restore => Request::Restore(serde_json::from_str(json)?),
            Kind::Replication => Request::Replication(serde_json::from_str(json)?),
        })
    }
}

impl From<BackupRequest> for Request {
    fn from(request: BackupRequest) -> Self {
        Request::Backup(Box::new(request))
    }
}

impl From<RestoreRequest> for Request {
    fn from(request: RestoreRequest) -> Self {
        Request::Restore(Box::new(request))
    }
}

impl From<ReplicationRequest> for Request {
    fn from(request: ReplicationRequest) -> Self {
        Request::Replication(Box::new(request))
    }
}

/// One line of the operation's history; appended, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The phase entered, or `TAKEN_OVER`.
    pub name: String,
    /// When, by the clock of the function that wrote it.
    pub time: Timestamp,
    /// One sentence.
    pub detail: String,
}

/// The record of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What was asked for, defaults filled in.
    pub request: Request,
    /// Where it is.
    pub phase: Phase,
    /// Counts the transitions; every write is conditional on it.
    pub version: u64,
    /// The execution that drives it.
    pub owner: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What has been found out.
    pub results: Results,
    /// Its history.
    pub checkpoints: Vec<Checkpoint>,
    /// AWS API calls its functions made, as far as they answered.
    pub api_calls: u64,
}

/// One step of the record.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// The phase's work is done: on to the next.
    Advance {
        /// The next phase.
        to: Phase,
        /// What the phase found out.
        results: Box<Results>,
    },
    /// Clean-up is over: to the end state that the results amount to.
    Finish {
        /// What the clean-up found out.
        results: Box<Results>,
    },
    /// The owner is gone: another execution goes on from here.
    TakeOver {
        /// The execution that goes on.
        owner: String,
    },
}

impl Operation {
    /// A new operation at its first phase.
    pub fn begin(id: OperationId, request: Request, owner: String, now: Timestamp) -> Self {
        let phase = request.kind().first_phase();
        let checkpoint =
            Checkpoint { name: phase.as_str().to_owned(), time: now, detail: format!("begun by {owner}") };
        let baseline = match &request {
            Request::Backup(request) if request.baseline.is_none() => Some(BaselineResult::not_asked()),
            Request::Backup(_) | Request::Restore(_) | Request::Replication(_) => None,
        };
        Operation {
            id,
            request,
            phase,
            version: 1,
            owner,
            started_at: now,
            ended_at: None,
            results: Results { baseline, ..Results::default() },
            checkpoints: vec![checkpoint],
            api_calls: 0,
        }
    }

    /// When the record may be forgotten: past the longest time its tier keeps a snapshot; for a restore, when its measured
    /// time says nothing of today any more.
    pub fn expires_at(&self) -> Timestamp {
        let days = match &self.request {
            Request::Restore(_) => 800,
            Request::Replication(_) => 90,
            Request::Backup(request) => match request.tier {
                Tier::Daily => 90,
                Tier::Weekly => 180,
                Tier::Monthly => 800,
                Tier::Yearly => 3000,
            },
        };
        self.started_at + jiff::SignedDuration::from_hours(days * 24)
    }

    /// The facts of each phase: name, start, seconds; from the checkpoints.
    fn timings(&self) -> Value {
        let phases: Vec<Value> = self
            .checkpoints
            .windows(2)
            .map(|pair| {
                json!({"name": pair[0].name, "startedAt": pair[0].time,
                       "seconds": seconds_between(pair[0].time, pair[1].time)})
            })
            .collect();
        json!({
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "totalSeconds": self.ended_at.map(|end| seconds_between(self.started_at, end)),
            "phases": phases,
        })
    }

    /// What the execution puts out and the record shows: one shape for both.
    pub fn summary(&self, bucket: &str) -> Value {
        let leftovers = self.results.leftovers.clone().unwrap_or_default();
        let failure = self
            .results
            .failure
            .as_ref()
            .map(|failure| json!({"name": failure.name, "cause": failure.cause, "leftovers": leftovers}));
        let mut summary = json!({
            "operationId": self.id,
            "databaseId": self.request.database_id(),
            "runId": self.request.run_id(),
            "status": self.phase,
            "validation": self.results.validation,
            "timings": self.timings(),
            "apiCalls": self.api_calls,
            "report": {"bucket": bucket, "key": self.id.report_key()},
            "failure": failure,
            "leftovers": leftovers,
        });
        let replicas: BTreeMap<&Region, &ReplicaResult> =
            self.results.replicas.iter().flatten().map(|replica| (&replica.region, replica)).collect();
        match self.request.kind() {
            Kind::Backup => {
                summary["snapshot"] = json!(self.results.snapshot);
                summary["baseline"] = json!(self.results.baseline);
                summary["replicas"] = json!(replicas);
                summary["report"]["htmlKey"] = json!(self.id.report_page_key());
            }
            Kind::Restore => {
                summary["type"] = json!(Kind::Restore);
                summary["plan"] = json!(self.results.plan);
                summary["restore"] = json!(self.results.restore);
                summary["swap"] = json!(self.results.swap);
            }
            Kind::Replication => {
                summary["type"] = json!(Kind::Replication);
                summary["backup"] = json!(self.results.backup);
                summary["snapshot"] = json!(self.results.snapshot);
                summary["replicas"] = json!(replicas);
            }
        }
        summary
    }
}

/// From one time to another, to the millisecond; 0 when the clocks say that it was backwards.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_millis() as f64 / 1000.0).max(0.0)
}

/// The one place that moves an operation. Pure: the caller writes the answer, conditional on the
/// version and owner of `current`.
///
/// # Errors
/// `OperationEnded` when it has an end state; `IllegalTransition` when the phases do not allow the step.
pub fn transition(current: &Operation, command: Command, now: Timestamp) -> Result<Operation> {
    if current.phase.is_end() {
        return Err(Error::new(
            ErrorKind::OperationEnded,
            format!("operation {} has ended as {}; that does not change", current.id, current.phase.as_str()),
        ));
    }
    let mut next = current.clone();
    next.version += 1;
    let (name, detail) = match command {
        Command::Advance { to, results } => {
            if !current.phase.may_advance_to(current.request.kind(), to) {
                return Err(Error::new(
                    ErrorKind::IllegalTransition,
                    format!(
                        "operation {} cannot go from {} to {}",
                        current.id,
                        current.phase.as_str(),
                        to.as_str()
                    ),
                ));
            }
            let detail = describe(&results);
            next.results.absorb(*results);
            next.fit_for(to)?;
            next.phase = to;
            (to.as_str(), detail)
        }
        Command::Finish { results } => {
            if current.phase != Phase::CleaningUp {
                return Err(Error::new(
                    ErrorKind::IllegalTransition,
                    format!(
                        "operation {} is {}; it ends from CLEANING_UP",
                        current.id,
                        current.phase.as_str()
                    ),
                ));
            }
            next.results.absorb(*results);
            let copies = next.results.copies_left(&current.id);
            if let Some(leftovers) = &mut next.results.leftovers {
                leftovers.extend(copies);
            }
            next.phase = next.results.end_state(&next.request);
            next.ended_at = Some(now);
            (next.phase.as_str(), next.end_detail())
        }
        Command::TakeOver { owner } => {
            let detail = format!("{} is not running any more; {owner} goes on", current.owner);
            next.owner = owner;
            ("TAKEN_OVER", detail)
        }
    };
    next.checkpoints.push(Checkpoint { name: name.to_owned(), time: now, detail });
    Ok(next)
}

impl Operation {
    /// What a phase needs of the results of those before it, beyond their order.
    fn fit_for(&self, to: Phase) -> Result<()> {
        let refuse = |why: String| {
            let from = self.phase.as_str();
            let message = format!("operation {} cannot go from {from} to {}: {why}", self.id, to.as_str());
            Err(Error::new(ErrorKind::IllegalTransition, message))
        };
        if let (Request::Restore(request), Phase::Swapping) = (&self.request, to)
            && let Some(why) = self.results.unfit_for_swap(request)
        {
            return refuse(why);
        }
        // Half a swap is neither here nor there: it is ended or undone.
        if self.phase == Phase::Swapping && to == Phase::CleaningUp && self.results.swap.is_none() {
            return refuse("the swap has not ended".to_owned());
        }
        Ok(())
    }

    fn end_detail(&self) -> String {
        if let Some(failure) = &self.results.failure {
            return format!("{}: {}", failure.name, failure.cause);
        }
        if let Request::Restore(request) = &self.request {
            return self.results.restored_detail(request);
        }
        let missing: Vec<String> =
            self.results.replicas.iter().flatten().filter_map(ReplicaResult::missing).collect();
        match (missing.is_empty(), self.results.leftovers.as_deref().unwrap_or_default()) {
            (true, []) if self.results.validation.as_ref().is_some_and(|v| v.verdict == Verdict::NotRun) => {
                "snapshot and every copy are there; nobody wanted a proof".to_owned()
            }
            (true, []) if self.request.kind() == Kind::Replication => "every copy is there".to_owned(),
            (true, []) => "snapshot, proof and every copy are there".to_owned(),
            (true, leftovers) => format!("left behind: {}", leftovers.join(", ")),
            (false, _) => missing.join(", "),
        }
    }
}

/// One sentence on what a phase found out.
fn describe(results: &Results) -> String {
    if let Some(failure) = &results.failure {
        return format!("{}: {}", failure.name, failure.cause);
    }
    if let Some(replicas) = &results.replicas {
        let there = replicas.iter().filter(|replica| replica.status == ReplicaStatus::Available).count();
        let proven = replicas.iter().filter_map(|replica| replica.validation.as_ref());
        let (wanted, valid) =
            (proven.clone().count(), proven.filter(|found| found.verdict == Verdict::Valid).count());
        let proven =
            if wanted == 0 { String::new() } else { format!("; {valid} of {wanted} proven where they lie") };
        return format!("{there} of {} copies there{proven}", replicas.len());
    }
    if let Some(swap) = &results.swap {
        return swap.describe();
    }
    if let Some(validation) = &results.validation {
        return format!("verdict {} over {} rows", validation.verdict.as_str(), validation.rows);
    }
    if let Some(restore) = &results.restore {
        return restore.describe();
    }
    if let Some(plan) = &results.plan {
        return plan.describe();
    }
    if let Some(backup) = &results.backup {
        return format!("backup {} is {}", backup.operation_id, backup.verdict.as_str());
    }
    if let Some(snapshot) = &results.snapshot {
        let baseline = results.baseline.as_ref().and_then(BaselineResult::describe);
        return match baseline {
            Some(baseline) => format!("snapshot {}; {baseline}", snapshot.arn),
            None => format!("snapshot {}", snapshot.arn),
        };
    }
    match &results.health {
        Some(health) => format!("source is {}", health.source_status),
        None => String::new(),
    }
}
