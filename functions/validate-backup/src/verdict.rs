//! A verdict is kept first, then acted on: a crash in between acts again, and never checks again.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::Region;
use holdfast_core::ports::{Documents, Rds};
use holdfast_core::rds::{Creation, require_own};
use holdfast_core::tags::{self, Tags};
use holdfast_core::validation::{Check, CheckResult, Finding, Verdict};
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_proving::Kept;

use crate::restore::Job;
use crate::{Output, WorkerTrouble};

/// That the snapshot was restored.
pub(crate) fn restored(restore_seconds: Option<f64>, class: &str) -> Check {
    Check {
        name: "restore".into(),
        scope: "instance".into(),
        result: CheckResult::Passed,
        reason: Some(format!("restored to {class}")),
        duration_ms: restore_seconds.map_or(0, |seconds| (seconds * 1000.0) as u64),
        findings: vec![],
    }
}

/// The workers that ended early, as one check that could not finish.
pub(crate) fn unfinished(troubles: &[WorkerTrouble]) -> Option<Check> {
    let finding = |trouble: &WorkerTrouble| Finding {
        object: format!("worker {}", trouble.worker),
        message: format!("{}: {}", trouble.name, trouble.cause),
    };
    (!troubles.is_empty()).then(|| Check {
        name: "work".into(),
        scope: "instance".into(),
        result: CheckResult::Errored,
        reason: Some(format!("{} of the workers ended before their share was done", troubles.len())),
        duration_ms: 0,
        findings: troubles.iter().map(finding).collect(),
    })
}

/// Keeps verdicts and acts on them.
pub(crate) struct Verdicts<'a, R, D> {
    pub rds: &'a R,
    pub documents: &'a D,
    pub region: &'a Region,
}

impl<R: Rds, D: Documents> Verdicts<'_, R, D> {
    /// The verdict of an earlier attempt.
    pub async fn known(&self, job: &Job) -> Result<Option<Kept>> {
        let key = job.operation.validation_key();
        self.documents.get(&key).await
    }

    /// Keeps what was found and acts on it. Of two attempts at once the first verdict stands: the other may have
    /// lost its server to the first one's ending.
    pub async fn settle(&self, job: &Job, found: Kept) -> Result<Answer<Output>> {
        let kept = match self.documents.create(&job.operation.validation_key(), &found).await? {
            Creation::Created(()) => found,
            Creation::AlreadyThere => self.known(job).await?.unwrap_or(found),
        };
        self.conclude(job, kept).await
    }

    /// A validation that did not get as far as the data.
    pub async fn refuse(&self, job: &Job, result: CheckResult, reason: String) -> Result<Answer<Output>> {
        let check = Check {
            name: "restore".into(),
            scope: "instance".into(),
            result,
            reason: Some(reason),
            duration_ms: 0,
            findings: vec![],
        };
        self.settle(job, Kept::without_data(check)).await
    }

    /// Acts on a kept verdict: manifest, tag, and the instance is told to go. Every part may be repeated.
    pub async fn conclude(&self, job: &Job, kept: Kept) -> Result<Answer<Output>> {
        // What the first validation found is what every later one is held against: it is written once.
        if let (Verdict::Valid, Some(manifest), None) = (kept.verdict, &kept.manifest, &job.backup_of) {
            self.documents.put(&job.operation.manifest_key(), manifest).await?;
        }
        self.tag(job, kept.verdict).await?;
        let instance = job.operation.validation_instance_id();
        if let Some(found) = self.rds.instance(self.region, &instance).await? {
            require_own(&format!("instance {instance}"), &found.tags, &job.operation)?;
            if found.status != "deleting" {
                self.rds.delete_instance(self.region, &instance).await?;
            }
        }
        let message = format!("verdict {}", kept.verdict.as_str());
        Ok(Answer::Final {
            progress: Progress::new("validation", Some(100), message),
            result: Output::Validated { validation: Box::new(kept.summary()) },
        })
    }

    async fn tag(&self, job: &Job, verdict: Verdict) -> Result<()> {
        // A later validation that comes to no end takes nothing from what is known of the backup.
        if job.backup_of.is_some() && verdict == Verdict::Inconclusive {
            return Ok(());
        }
        let Some(snapshot) = self.rds.snapshot(self.region, &job.snapshot.id).await? else {
            return Err(Error::new(
                ErrorKind::SnapshotGone,
                format!("snapshot {} is not in {} any more", job.snapshot.id, self.region),
            ));
        };
        require_own(&format!("snapshot {}", snapshot.id), &snapshot.tags, job.backup())?;
        let tags = Tags::from([(tags::VERDICT.to_owned(), verdict.as_str().to_owned())]);
        self.rds.tag_snapshot(&snapshot, &tags).await
    }
}
