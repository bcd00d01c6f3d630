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

mod phase;
mod restore;
mod results;
mod swap;

pub use phase::{Kind, Phase};
pub use restore::{Lost, RecoveryPoint, Reference, RestorePlan, RestoreResult, RestoreTimings};
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
                summary["swap"] = json!(self.results.swap);
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
        let no_swap = |from, to| from != Phase::Swapping && to != Phase::Swapping && to != Phase::UndoingSwap;
        for (begun, way) in
            [(operation(), &backup[..]), (restore(json!({"databaseId": "prod-db"})), &restored[..])]
        {
            assert_eq!(begun.phase, way[0]);
            for from in Phase::ALL {
                for to in Phase::ALL.into_iter().filter(|to| no_swap(from, *to)) {
                    let current = Operation { phase: from, ..begun.clone() };
                    let allowed = advance(&current, to, Results::default()).is_ok();
                    let forward_by_one = way.windows(2).any(|pair| pair == [from, to]);
                    let to_clean_up = to == Phase::CleaningUp && from != Phase::CleaningUp && !from.is_end();
                    assert_eq!(allowed, forward_by_one || to_clean_up, "{from:?} -> {to:?}");
                }
            }
        }
    }

    /// A restore that is to be swapped in, with what came of it so far.
    fn swapping(input: Value, change: fn(&mut Results)) -> Operation {
        let mut operation = restore(input);
        operation.phase = Phase::Validating;
        operation.results = restore::tests::good();
        change(&mut operation.results);
        operation
    }

    #[test]
    fn only_what_is_proven_and_as_asked_for_takes_the_place_of_another() {
        let asked = json!({"databaseId": "prod-db", "swap": true});
        let unproven = json!({"databaseId": "prod-db", "swap": true, "validation": {"enabled": false}});
        let to_swap = |input: &Value, change: fn(&mut Results)| {
            advance(&swapping(input.clone(), change), Phase::Swapping, Results::default())
        };
        assert_eq!(to_swap(&asked, |_| {}).unwrap().phase, Phase::Swapping);
        let set: [fn(&mut Results); 5] = [
            |results| results.validation.as_mut().unwrap().verdict = Verdict::Invalid,
            |results| results.validation.as_mut().unwrap().verdict = Verdict::Inconclusive,
            |results| results.validation.as_mut().unwrap().verdict = Verdict::NotRun,
            |results| results.validation = None,
            |results| {
                results.restore.as_mut().unwrap().differences.push("Multi-AZ: off; asked for: on".into())
            },
        ];
        for change in set {
            let error = to_swap(&asked, change).unwrap_err();
            assert_eq!(error.kind, ErrorKind::IllegalTransition, "{error}");
        }
        // Nobody wanted a proof: that is said in the input.
        assert!(to_swap(&unproven, set[2]).is_ok());
        assert!(to_swap(&json!({"databaseId": "prod-db"}), |_| {}).is_err());
    }

    #[test]
    fn half_a_swap_is_ended_or_undone() {
        let asked = json!({"databaseId": "prod-db", "swap": true});
        let current = Operation { phase: Phase::Swapping, ..swapping(asked, |_| {}) };
        let error = advance(&current, Phase::CleaningUp, Results::default()).unwrap_err();
        assert!(error.message.contains("the swap has not ended"), "{error}");
        let swapped = SwapResult {
            instance_id: "prod-db".into(),
            endpoint: None,
            old_id: Some("prod-db-old-0123456789".into()),
            old_stopped: false,
            outage_seconds: Some(60.0),
            lost_seconds: None,
            repointed: vec![],
            smoke_checks: vec![],
            undone: false,
        };
        let results = || Results { swap: Some(swapped.clone()), ..Results::default() };
        let ended = advance(&current, Phase::CleaningUp, results()).unwrap();
        assert_eq!(
            finish(&ended, Results { leftovers: Some(vec![]), ..Results::default() }).unwrap().phase,
            Phase::Succeeded
        );
        // The old one runs though it was to be stopped: that is not what was asked for.
        let mut unstopped = ended.clone();
        unstopped.results.plan.as_mut().unwrap().swap = Some(SwapPlan {
            old: Some(OldInstance {
                resource_id: "db-A".into(),
                aside_id: DatabaseId::parse("prod-db-old-0123456789").unwrap(),
            }),
            after: crate::request::AfterSwap::Stop,
            record: None,
            secret: None,
        });
        assert_eq!(finish(&unstopped, Results::default()).unwrap().phase, Phase::Partial);
        // Undone it has failed, and the first reason stands; unless it could not be undone.
        let cause = |name: &str, cause: &str| Some(NamedCause { name: name.into(), cause: cause.into() });
        let failure = cause("Holdfast.SmokeCheckFailed", "503");
        let undoing =
            advance(&current, Phase::UndoingSwap, Results { failure, ..Results::default() }).unwrap();
        assert!(advance(&undoing, Phase::Swapping, Results::default()).is_err());
        let undone = advance(&undoing, Phase::CleaningUp, results()).unwrap();
        assert_eq!(undone.results.failure.as_ref().unwrap().name, "Holdfast.SmokeCheckFailed");
        assert_eq!(finish(&undone, Results::default()).unwrap().phase, Phase::Failed);
        let failure = cause("Holdfast.SwapNotUndone", "it is nowhere");
        let stuck = advance(&undoing, Phase::CleaningUp, Results { failure, ..Results::default() }).unwrap();
        let failure = stuck.results.failure.unwrap();
        assert_eq!(failure.name, "Holdfast.SwapNotUndone");
        assert!(
            failure
                .cause
                .contains("it is nowhere; it was to be undone because of Holdfast.SmokeCheckFailed: 503")
        );
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
