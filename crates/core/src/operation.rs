//! One operation, a backup or a restore: its phases, its record, and the one function that moves it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::baseline::BaselineResult;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{DatabaseId, OperationId, Region, RunId};
use crate::request::{BackupRequest, RestoreRequest, Tier};
use crate::validation::Verdict;

mod restore;
mod results;

pub use restore::{Lost, RecoveryPoint, Reference, RestorePlan, RestoreResult, RestoreTimings};
pub use results::{CopyValidation, ReplicaResult, ReplicaStatus, Results, SnapshotResult, ValidationResult};

/// What kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A snapshot, proven and copied.
    Backup,
    /// A database, brought back.
    Restore,
}

impl Kind {
    /// The word kept in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Backup => "BACKUP",
            Kind::Restore => "RESTORE",
        }
    }

    /// Where an operation of this kind begins.
    fn first_phase(self) -> Phase {
        match self {
            Kind::Backup => Phase::HealthChecking,
            Kind::Restore => Phase::Planning,
        }
    }
}

/// What was asked for, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// A backup.
    Backup(Box<BackupRequest>),
    /// A restore.
    Restore(Box<RestoreRequest>),
}

impl Request {
    /// What kind of operation this asks for.
    pub fn kind(&self) -> Kind {
        match self {
            Request::Backup(_) => Kind::Backup,
            Request::Restore(_) => Kind::Restore,
        }
    }

    /// The database.
    pub fn database_id(&self) -> &DatabaseId {
        match self {
            Request::Backup(request) => &request.database_id,
            Request::Restore(request) => &request.database_id,
        }
    }

    /// The run.
    pub fn run_id(&self) -> &RunId {
        match self {
            Request::Backup(request) => &request.run_id,
            Request::Restore(request) => &request.run_id,
        }
    }

    /// The operation that this asks for, run from `home`. The same request is always the same operation.
    pub fn operation_id(&self, home: &Region) -> OperationId {
        match self {
            Request::Backup(request) => OperationId::derive(home, &request.database_id, &request.run_id),
            Request::Restore(request) => OperationId::of_restore(home, &request.database_id, &request.run_id),
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

/// Where an operation is. The last three are end states and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Source, keys and quotas are looked at; nothing exists yet.
    HealthChecking,
    /// The snapshot is being taken.
    Snapshotting,
    /// The snapshot is restored and checked.
    Validating,
    /// Copies go to the target Regions.
    Replicating,
    /// The recovery point is looked for, and everything that the restore refers to; nothing exists yet.
    Planning,
    /// The database is being restored.
    Restoring,
    /// Temporary resources are removed.
    CleaningUp,
    /// Everything that was wanted is there, and the proof where one was wanted.
    Succeeded,
    /// The snapshot, or the restored database, is there, but something named in the record is missing.
    Partial,
    /// There is no backup, or no database, to rely on; the record says why.
    Failed,
}

impl Phase {
    /// Every phase of every kind of operation.
    pub const ALL: [Phase; 10] = [
        Phase::HealthChecking,
        Phase::Snapshotting,
        Phase::Validating,
        Phase::Replicating,
        Phase::Planning,
        Phase::Restoring,
        Phase::CleaningUp,
        Phase::Succeeded,
        Phase::Partial,
        Phase::Failed,
    ];

    /// The word kept in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::HealthChecking => "HEALTH_CHECKING",
            Phase::Snapshotting => "SNAPSHOTTING",
            Phase::Validating => "VALIDATING",
            Phase::Replicating => "REPLICATING",
            Phase::Planning => "PLANNING",
            Phase::Restoring => "RESTORING",
            Phase::CleaningUp => "CLEANING_UP",
            Phase::Succeeded => "SUCCEEDED",
            Phase::Partial => "PARTIAL",
            Phase::Failed => "FAILED",
        }
    }

    /// Whether it is an end state.
    pub fn is_end(self) -> bool {
        match self {
            Phase::Succeeded | Phase::Partial | Phase::Failed => true,
            Phase::HealthChecking
            | Phase::Snapshotting
            | Phase::Validating
            | Phase::Replicating
            | Phase::Planning
            | Phase::Restoring
            | Phase::CleaningUp => false,
        }
    }

    /// Forward by one, or to the clean-up from anywhere that is not an end.
    fn may_advance_to(self, kind: Kind, to: Phase) -> bool {
        match (kind, self, to) {
            (Kind::Backup, Phase::HealthChecking, Phase::Snapshotting)
            | (Kind::Backup, Phase::Snapshotting, Phase::Validating)
            | (Kind::Backup, Phase::Validating, Phase::Replicating)
            | (Kind::Restore, Phase::Planning, Phase::Restoring)
            | (Kind::Restore, Phase::Restoring, Phase::Validating) => true,
            (_, from, Phase::CleaningUp) => !from.is_end() && from != Phase::CleaningUp,
            _ => false,
        }
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
            Request::Backup(_) | Request::Restore(_) => None,
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
        match self.request.kind() {
            Kind::Backup => {
                let replicas: BTreeMap<&Region, &ReplicaResult> = self
                    .results
                    .replicas
                    .iter()
                    .flatten()
                    .map(|replica| (&replica.region, replica))
                    .collect();
                summary["snapshot"] = json!(self.results.snapshot);
                summary["baseline"] = json!(self.results.baseline);
                summary["replicas"] = json!(replicas);
                summary["report"]["htmlKey"] = json!(self.id.report_page_key());
            }
            Kind::Restore => {
                summary["type"] = json!(Kind::Restore);
                summary["plan"] = json!(self.results.plan);
                summary["restore"] = json!(self.results.restore);
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
    if let Some(validation) = &results.validation {
        return format!("verdict {} over {} rows", validation.verdict.as_str(), validation.rows);
    }
    if let Some(restore) = &results.restore {
        return restore.describe();
    }
    if let Some(plan) = &results.plan {
        return plan.describe();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::NamedCause;
    use crate::request::Defaults;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn operation() -> Operation {
        let defaults = Defaults { region: Region::parse("us-east-1").unwrap(), target_regions: vec![] };
        let request = BackupRequest::parse(&json!({"databaseId": "prod-db"}), "r1", &defaults).unwrap();
        let id = OperationId::derive(&defaults.region, &request.database_id, &request.run_id);
        Operation::begin(id, request.into(), "execution-1".into(), at(0))
    }

    fn advance(current: &Operation, to: Phase, results: Results) -> Result<Operation> {
        transition(current, Command::Advance { to, results: Box::new(results) }, at(5))
    }

    fn finish(current: &Operation, results: Results) -> Result<Operation> {
        transition(current, Command::Finish { results: Box::new(results) }, at(9))
    }

    fn good() -> Results {
        Results {
            snapshot: Some(SnapshotResult {
                id: "holdfast-x".into(),
                arn: "arn".into(),
                region: Region::parse("us-east-1").unwrap(),
                size_gib: 20,
                encrypted: true,
                created_at: None,
            }),
            validation: Some(ValidationResult { verdict: Verdict::Valid, ..ValidationResult::not_run() }),
            replicas: Some(vec![]),
            leftovers: Some(vec![]),
            ..Results::default()
        }
    }

    fn restore(input: Value) -> Operation {
        let home = Region::parse("us-east-1").unwrap();
        let request: Request = RestoreRequest::parse(&input, "r1", &home).unwrap().into();
        Operation::begin(request.operation_id(&home), request, "execution-1".into(), at(0))
    }

    #[test]
    fn an_end_state_never_changes() {
        let mut ended = operation();
        for end in [Phase::Succeeded, Phase::Partial, Phase::Failed] {
            ended.phase = end;
            for to in Phase::ALL {
                let error = advance(&ended, to, Results::default()).unwrap_err();
                assert_eq!(error.kind, ErrorKind::OperationEnded);
            }
            assert_eq!(finish(&ended, good()).unwrap_err().kind, ErrorKind::OperationEnded);
            let takeover = transition(&ended, Command::TakeOver { owner: "x".into() }, at(1));
            assert_eq!(takeover.unwrap_err().kind, ErrorKind::OperationEnded);
        }
    }

    #[test]
    fn phases_only_go_forward() {
        let backup = [Phase::HealthChecking, Phase::Snapshotting, Phase::Validating, Phase::Replicating];
        let restored = [Phase::Planning, Phase::Restoring, Phase::Validating];
        for (begun, way) in
            [(operation(), &backup[..]), (restore(json!({"databaseId": "prod-db"})), &restored[..])]
        {
            assert_eq!(begun.phase, way[0]);
            for from in Phase::ALL {
                for to in Phase::ALL {
                    let current = Operation { phase: from, ..begun.clone() };
                    let allowed = advance(&current, to, Results::default()).is_ok();
                    let forward_by_one = way.windows(2).any(|pair| pair == [from, to]);
                    let to_clean_up = to == Phase::CleaningUp && from != Phase::CleaningUp && !from.is_end();
                    assert_eq!(allowed, forward_by_one || to_clean_up, "{from:?} -> {to:?}");
                }
            }
        }
    }

    #[test]
    fn each_step_counts_a_version_and_appends_a_checkpoint() {
        let first = operation();
        let second = advance(&first, Phase::Snapshotting, Results::default()).unwrap();
        assert_eq!(second.version, first.version + 1);
        assert_eq!(second.checkpoints.len(), 2);
        assert_eq!(second.checkpoints[0], first.checkpoints[0]);
    }

    #[test]
    fn success_needs_every_part() {
        let end = |change: fn(&mut Results)| {
            let mut results = good();
            change(&mut results);
            let mut current = operation();
            current.phase = Phase::CleaningUp;
            finish(&current, results).unwrap().phase
        };
        assert_eq!(end(|_| {}), Phase::Succeeded);
        assert_eq!(end(|r| r.snapshot = None), Phase::Failed);
        assert_eq!(end(|r| r.validation = None), Phase::Failed);
        assert_eq!(end(|r| r.validation.as_mut().unwrap().verdict = Verdict::Inconclusive), Phase::Failed);
        assert_eq!(end(|r| r.validation.as_mut().unwrap().verdict = Verdict::Invalid), Phase::Failed);
        assert_eq!(end(|r| r.replicas = None), Phase::Partial);
        assert_eq!(end(|r| r.leftovers = None), Phase::Partial);
        assert_eq!(end(|r| r.leftovers = Some(vec!["hfv-x".into()])), Phase::Partial);
        assert_eq!(
            end(|r| r.failure = Some(NamedCause { name: "Holdfast.X".into(), cause: "y".into() })),
            Phase::Failed
        );
        assert_eq!(end(|r| r.replicas = Some(vec![replica(ReplicaStatus::Failed, None)])), Phase::Partial);
        for (verdict, phase) in [
            (Verdict::Valid, Phase::Succeeded),
            (Verdict::Invalid, Phase::Partial),
            (Verdict::Inconclusive, Phase::Partial),
            (Verdict::NotRun, Phase::Partial),
        ] {
            let mut current = operation();
            current.phase = Phase::CleaningUp;
            let replicas = Some(vec![replica(ReplicaStatus::Available, Some(verdict))]);
            let ended = finish(&current, Results { replicas, ..good() }).unwrap();
            assert_eq!(ended.phase, phase, "{verdict:?}");
            if phase == Phase::Partial {
                let detail = &ended.checkpoints.last().unwrap().detail;
                assert_eq!(detail, &format!("the copy in us-west-2 is {}", verdict.as_str()));
            }
        }
    }

    fn replica(status: ReplicaStatus, verdict: Option<Verdict>) -> ReplicaResult {
        ReplicaResult {
            region: Region::parse("us-west-2").unwrap(),
            status,
            snapshot_arn: None,
            kms_key_id: None,
            error: None,
            seconds: None,
            validation: verdict.map(|verdict| CopyValidation::ended(verdict, "a reason".into())),
        }
    }

    #[test]
    fn what_a_restored_copy_left_behind_is_named_with_its_region() {
        let mut left = replica(ReplicaStatus::Available, Some(Verdict::Valid));
        left.validation.as_mut().unwrap().leftovers = vec!["instance hfv-x (deleting)".into()];
        let mut current = operation();
        current.phase = Phase::CleaningUp;
        let ended = finish(&current, Results { replicas: Some(vec![left]), ..good() }).unwrap();
        assert_eq!(ended.phase, Phase::Partial);
        assert_eq!(ended.results.leftovers.unwrap(), ["instance hfv-x (deleting) in us-west-2"]);
    }

    #[test]
    fn the_first_failure_is_the_one_recorded() {
        let cause = |name: &str| Some(NamedCause { name: name.into(), cause: String::new() });
        let first = advance(
            &operation(),
            Phase::CleaningUp,
            Results { failure: cause("Holdfast.SnapshotFailed"), ..Results::default() },
        )
        .unwrap();
        let last =
            finish(&first, Results { failure: cause("Holdfast.CleanUpIncomplete"), ..Results::default() })
                .unwrap();
        assert_eq!(last.results.failure.unwrap().name, "Holdfast.SnapshotFailed");
    }
}
