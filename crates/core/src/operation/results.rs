//! What an operation has found out so far, and the end state it amounts to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupFound, Phase, Request, RestorePlan, RestoreResult, SwapResult};
use crate::baseline::BaselineResult;
use crate::error::{ErrorKind, Leftovers};
use crate::health::{Health, NamedCause};
use crate::ids::{OperationId, Region};
use crate::rds::Snapshot;
use crate::validation::{Check, CheckResult, NotChecked, Verdict};

/// The snapshot an operation made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotResult {
    /// Identifier.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Region.
    pub region: Region,
    /// Allocated storage, GiB.
    #[serde(rename = "sizeGiB")]
    pub size_gib: u32,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// When the data is from.
    pub created_at: Option<Timestamp>,
}

impl From<&Snapshot> for SnapshotResult {
    fn from(snapshot: &Snapshot) -> Self {
        SnapshotResult {
            id: snapshot.id.clone(),
            arn: snapshot.arn.clone(),
            region: snapshot.region.clone(),
            size_gib: snapshot.size_gib,
            encrypted: snapshot.encrypted,
            created_at: snapshot.taken_at,
        }
    }
}

/// What validation found, small enough for a payload; the whole lies in the metadata bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidationResult {
    /// The sum of the checks.
    pub verdict: Verdict,
    /// Every check, findings cut where they would not fit.
    pub checks: Vec<Check>,
    /// One sentence per check that did not pass.
    pub issues: Vec<String>,
    /// From asking for the restore until the data could be read: the measured part of the RTO.
    pub restore_seconds: Option<f64>,
    /// Databases that were looked at.
    pub databases: Vec<String>,
    /// Tables read.
    pub tables: u64,
    /// Rows read.
    pub rows: u64,
    /// What was not looked at, and why; the first of them.
    #[serde(default)]
    pub not_checked: Vec<NotChecked>,
    /// How many there are.
    #[serde(default)]
    pub not_checked_count: u64,
}

/// What was not looked at, named in a payload; the report has them all.
const NOT_CHECKED_SHOWN: usize = 50;

impl ValidationResult {
    /// The result when validation was not asked for.
    pub fn not_run() -> Self {
        ValidationResult {
            verdict: Verdict::NotRun,
            checks: vec![],
            issues: vec![],
            restore_seconds: None,
            databases: vec![],
            tables: 0,
            rows: 0,
            not_checked: vec![],
            not_checked_count: 0,
        }
    }

    /// Names what was not checked up to a number. Then cuts findings, then issues, then checks that passed, until the
    /// JSON fits into `bytes`: a Step Functions payload is limited to 256 KiB and a DynamoDB item to 400 KB. The
    /// verdict is never touched.
    pub fn bounded(mut self, bytes: usize) -> Self {
        self.not_checked.truncate(NOT_CHECKED_SHOWN);
        let size = |result: &Self| serde_json::to_vec(result).map_or(usize::MAX, |json| json.len());
        for keep in [20, 5, 1, 0] {
            if size(&self) <= bytes {
                return self;
            }
            for check in &mut self.checks {
                if check.findings.len() > keep {
                    let cut = check.findings.len() - keep;
                    check.findings.truncate(keep);
                    check.reason = Some(format!(
                        "{cut} more findings in the report; {}",
                        check.reason.take().unwrap_or_default()
                    ));
                }
            }
        }
        if size(&self) > bytes {
            self.issues.truncate(20);
            self.checks.retain(|check| check.result != CheckResult::Passed);
            self.checks.truncate(50);
            for check in &mut self.checks {
                check.reason = check.reason.take().map(|reason| reason.chars().take(300).collect());
            }
            for issue in &mut self.issues {
                *issue = issue.chars().take(500).collect();
            }
            self.databases.truncate(100);
            self.not_checked.truncate(10);
        }
        self
    }
}

/// How one target Region ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaResult {
    /// The Region.
    pub region: Region,
    /// AVAILABLE or FAILED.
    pub status: ReplicaStatus,
    /// The copy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot_arn: Option<String>,
    /// The key it is encrypted with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kms_key_id: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<NamedCause>,
    /// From the start of the replication to the copy's end, by the state machine's clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<f64>,
    /// What restoring the copy where it lies showed, where that was wanted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<CopyValidation>,
}

impl ReplicaResult {
    /// Whether everything that was wanted of this Region is there: the copy, and its proof where one was wanted.
    pub fn is_as_wanted(&self) -> bool {
        let proven = self.validation.as_ref().is_none_or(|found| found.verdict == Verdict::Valid);
        self.status == ReplicaStatus::Available && proven
    }

    /// One sentence on what is missing; `None` when nothing is.
    pub fn missing(&self) -> Option<String> {
        match (&self.status, &self.validation) {
            (ReplicaStatus::Failed, _) => Some(format!("no copy in {}", self.region)),
            (ReplicaStatus::Available, Some(found)) if found.verdict != Verdict::Valid => {
                Some(format!("the copy in {} is {}", self.region, found.verdict.as_str()))
            }
            (ReplicaStatus::Available, _) => None,
        }
    }
}

/// A copy, restored in its Region and held against the manifest of the backup: it is VALID only when it is equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyValidation {
    /// What came of it.
    pub verdict: Verdict,
    /// One sentence per check that did not pass, or why there is no answer; the first of them.
    pub issues: Vec<String>,
    /// From asking for the restore until the data could be read, in that Region.
    pub restore_seconds: Option<f64>,
    /// Tables read.
    pub tables: u64,
    /// Rows read.
    pub rows: u64,
    /// The execution in that Region that has the details, where one was started.
    pub execution: Option<String>,
    /// What it left behind there.
    pub leftovers: Vec<String>,
}

/// Issues of a copy in a record; the execution there has them all.
const COPY_ISSUES_SHOWN: usize = 10;

/// Characters of one of them.
const COPY_ISSUE_LENGTH: usize = 1000;

impl CopyValidation {
    /// No answer: nothing is known of the copy but that it is there.
    pub fn inconclusive(reason: String) -> Self {
        CopyValidation::ended(Verdict::Inconclusive, reason)
    }

    /// An end of which only a sentence is known.
    pub fn ended(verdict: Verdict, reason: String) -> Self {
        CopyValidation {
            verdict,
            issues: vec![reason],
            restore_seconds: None,
            tables: 0,
            rows: 0,
            execution: None,
            leftovers: vec![],
        }
        .bounded()
    }

    /// What a validation in another Region came to, in the size that a record of ten Regions has room for.
    pub fn of(found: ValidationResult) -> Self {
        CopyValidation {
            verdict: found.verdict,
            issues: found.issues,
            restore_seconds: found.restore_seconds,
            tables: found.tables,
            rows: found.rows,
            execution: None,
            leftovers: vec![],
        }
        .bounded()
    }

    fn bounded(mut self) -> Self {
        self.issues.truncate(COPY_ISSUES_SHOWN);
        for issue in &mut self.issues {
            *issue = issue.chars().take(COPY_ISSUE_LENGTH).collect();
        }
        self
    }
}

/// Whether a copy is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReplicaStatus {
    /// Complete in its Region.
    Available,
    /// Not there; the error says why.
    Failed,
}

/// What has been found out so far; each part is set once, when its phase ends.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Results {
    /// From the health check.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub health: Option<Health>,
    /// From the snapshot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub snapshot: Option<SnapshotResult>,
    /// From reading the source around the snapshot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<BaselineResult>,
    /// From the validation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<ValidationResult>,
    /// From the replication, one per target Region.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replicas: Option<Vec<ReplicaResult>>,
    /// From the planning of a replication: the backup that is copied.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub backup: Option<BackupFound>,
    /// From the planning of a restore.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<Box<RestorePlan>>,
    /// From the restore.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restore: Option<RestoreResult>,
    /// From the swap, or from undoing it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub swap: Option<SwapResult>,
    /// What ended the operation early.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<NamedCause>,
    /// What is still there that should not be, or stays on purpose.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leftovers: Option<Vec<String>>,
}

/// The first failure is the cause; a later one is its consequence. But a swap that could not be undone is told first: who
/// reads only why it was to be undone would think that it was.
fn first_failure(first: Option<NamedCause>, later: Option<NamedCause>) -> Option<NamedCause> {
    match (first, later) {
        (Some(first), Some(later)) if later.name == ErrorKind::SwapNotUndone.name() => Some(NamedCause {
            cause: format!("{}; it was to be undone because of {}: {}", later.cause, first.name, first.cause),
            name: later.name,
        }),
        (first, later) => first.or(later),
    }
}

impl Results {
    pub(super) fn absorb(&mut self, newer: Results) {
        let Results {
            health,
            snapshot,
            baseline,
            validation,
            replicas,
            backup,
            plan,
            restore,
            swap,
            failure,
            leftovers,
        } = newer;
        self.health = health.or(self.health.take());
        self.snapshot = snapshot.or(self.snapshot.take());
        self.baseline = baseline.or(self.baseline.take());
        self.validation = validation.or(self.validation.take());
        self.replicas = replicas.or(self.replicas.take());
        self.backup = backup.or(self.backup.take());
        self.plan = plan.or(self.plan.take());
        self.restore = restore.or(self.restore.take());
        self.swap = swap.or(self.swap.take());
        self.failure = first_failure(self.failure.take(), failure);
        self.leftovers = leftovers.or(self.leftovers.take());
    }

    /// What copies may have left in their Regions: those that failed, and those that were restored there.
    pub(super) fn copies_left(&self, operation: &OperationId) -> Vec<String> {
        // Copies are called after the operation that took the backup.
        let operation = self.backup.as_ref().map_or(operation, |backup| &backup.operation_id);
        let restored = self.replicas.iter().flatten().flat_map(|replica| {
            let leftovers = replica.validation.iter().flat_map(|found| &found.leftovers);
            leftovers.map(|leftover| format!("{leftover} in {}", replica.region))
        });
        let left = |replica: &&ReplicaResult| {
            let kind = replica.error.as_ref().and_then(|error| ErrorKind::from_name(&error.name));
            replica.status == ReplicaStatus::Failed
                && kind.is_none_or(|kind| kind.leftovers() != Leftovers::Nothing)
        };
        let line = |replica: &ReplicaResult| {
            format!(
                "perhaps snapshot {} in {} (its copy did not end well)",
                operation.snapshot_id(),
                replica.region
            )
        };
        self.replicas.iter().flatten().filter(left).map(line).chain(restored).collect()
    }

    /// The end state these results amount to. Unknown is not success: what is missing counts against it.
    pub fn end_state(&self, request: &Request) -> Phase {
        match request {
            Request::Backup(_) => self.end_of_backup(),
            Request::Restore(request) => self.end_of_restore(request),
            Request::Replication(_) => self.end_of_replication(),
        }
    }

    fn end_of_backup(&self) -> Phase {
        let proven = self
            .validation
            .as_ref()
            .is_some_and(|validation| matches!(validation.verdict, Verdict::Valid | Verdict::NotRun));
        if self.failure.is_some() || self.snapshot.is_none() || !proven {
            return Phase::Failed;
        }
        let all_as_wanted =
            self.replicas.as_ref().is_some_and(|replicas| replicas.iter().all(ReplicaResult::is_as_wanted));
        let nothing_left = self.leftovers.as_ref().is_some_and(Vec::is_empty);
        if all_as_wanted && nothing_left { Phase::Succeeded } else { Phase::Partial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_validation_is_cut_to_size_and_keeps_its_verdict() {
        let finding = crate::validation::Finding { object: "o".repeat(50), message: "m".repeat(200) };
        let check = Check {
            name: "content".into(),
            scope: "shop".into(),
            result: CheckResult::Failed,
            reason: Some("r".repeat(500)),
            duration_ms: 1,
            findings: vec![finding; 200],
        };
        let mut large = ValidationResult::not_run();
        large.verdict = Verdict::Invalid;
        large.issues = vec!["i".repeat(600); 300];
        large.checks = vec![check; 300];
        let not_checked = NotChecked {
            check: "content".into(),
            scope: "shop".into(),
            object: Some("o".repeat(100)),
            reason: "r".repeat(500),
        };
        large.not_checked = vec![not_checked; 300];
        large.not_checked_count = 300;
        let cut = large.bounded(100_000);
        assert_eq!(cut.not_checked_count, 300);
        assert!(!cut.not_checked.is_empty());
        assert!(serde_json::to_vec(&cut).unwrap().len() <= 100_000);
        assert_eq!(cut.verdict, Verdict::Invalid);
        assert!(!cut.checks.is_empty());
    }

    #[test]
    fn what_was_not_checked_is_named_up_to_a_number_and_counted() {
        let not_checked = NotChecked {
            check: "content".into(),
            scope: "shop".into(),
            object: None,
            reason: "switched off by the input".into(),
        };
        let mut many = ValidationResult::not_run();
        many.not_checked = vec![not_checked; 70];
        many.not_checked_count = 70;
        let cut = many.bounded(1_000_000);
        assert_eq!((cut.not_checked.len(), cut.not_checked_count), (NOT_CHECKED_SHOWN, 70));
    }

    #[test]
    fn a_validation_recorded_before_anybody_counted_what_was_not_checked_is_read() {
        let mut recorded = serde_json::to_value(ValidationResult::not_run()).unwrap();
        recorded.as_object_mut().unwrap().remove("notChecked").unwrap();
        recorded.as_object_mut().unwrap().remove("notCheckedCount").unwrap();
        assert_eq!(
            serde_json::from_value::<ValidationResult>(recorded).unwrap(),
            ValidationResult::not_run()
        );
    }
}
