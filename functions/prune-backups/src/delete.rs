//! The plan carried out: one deletion at a time, each after another look at everything it was decided by.

use std::time::{Duration, Instant};

use holdfast_core::ids::Region;
use holdfast_core::ports::{Documents, Rds, SnapshotDeletion, Store};
use holdfast_core::protection::{self, ProtectionPlan};
use holdfast_core::retention::{Backup, Decision, Deleted, Deletion, DeletionResult, Kept, Plan};
use holdfast_core::{Error, Result};

use crate::facts::{Facts, Sight};
use crate::{Asked, Ports};

/// Deletions of one invocation. The next one goes on.
const MAX_DELETIONS: usize = 200;

/// What is left of the invocation's time when nothing more is deleted: for a look that takes long, and for writing down
/// what was done. Whatever is ended in the middle of it leaves no account.
const TO_WRITE: Duration = Duration::from_secs(90);

/// Deletions after which what became of them is written down.
const BETWEEN_WRITES: usize = 25;

/// What a deletion is done with.
pub(crate) struct Run<'a, R, S, D> {
    pub ports: &'a Ports<'a, R, S, D>,
    pub facts: &'a Facts<'a, R, S>,
    pub asked: &'a Asked,
    /// The protection plan that was gone by.
    pub applied: Option<&'a ProtectionPlan>,
}

/// Every reason, in a sentence.
fn reasons(kept: &Kept) -> String {
    kept.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl<R: Rds, S: Store, D: Documents> Run<'_, R, S, D> {
    /// Deletes what the plan says, the oldest first, and of that only what was agreed to, where somebody was asked. One that
    /// cannot be deleted does not keep the others; the answer is the first error.
    pub async fn carry_out(&self, seen: &Sight, decision: &Decision, plan: &mut Plan) -> Option<Error> {
        let mut doomed: Vec<&Deleted> = decision.delete.iter().collect();
        doomed.sort_by_key(|deleted| (deleted.backup.taken_at, &deleted.backup.arn));
        if let Some(agreed) = &self.asked.agreed {
            doomed.retain(|deleted| {
                agreed.get(&deleted.backup.region).is_some_and(|ids| ids.contains(&deleted.backup.id))
            });
            plan.deletions = self.kept_after_all(seen, decision);
        }
        let mut failed = None;
        let mut unwritten = false;
        for (n, deleted) in doomed.into_iter().enumerate() {
            let backup = &deleted.backup;
            let (result, why) = match self.stop(n, unwritten) {
                Some(why) => (DeletionResult::Kept, why),
                None => self.one(backup).await.unwrap_or_else(|error| {
                    let why = format!("{}: {error}", error.kind);
                    failed.get_or_insert(error);
                    (DeletionResult::NotDone, why)
                }),
            };
            let (region, snapshot_id) = (backup.region.clone(), backup.id.clone());
            plan.deletions.push(Deletion { region, snapshot_id, result, why });
            if (n + 1) % BETWEEN_WRITES == 0 && !unwritten {
                let written = self.ports.documents.put(&plan.document_key, plan).await;
                unwritten = written.is_err();
                failed = failed.or(written.err());
            }
        }
        failed
    }

    /// Why nothing more is deleted in this run.
    fn stop(&self, done: usize, unwritten: bool) -> Option<String> {
        if unwritten {
            return Some("what was deleted before it could not be written down".to_owned());
        }
        if done >= MAX_DELETIONS {
            return Some(format!("{MAX_DELETIONS} were deleted in this run; the next one goes on"));
        }
        let over = self.ports.ends.is_some_and(|ends| Instant::now() + TO_WRITE >= ends);
        over.then(|| "the time of this run is used up; the next one goes on".to_owned())
    }

    /// What was agreed to, and is not to be deleted now: something has changed since the plan was shown.
    fn kept_after_all(&self, seen: &Sight, decision: &Decision) -> Vec<Deletion> {
        let is_at = |backup: &Backup, region: &Region, id: &str| backup.region == *region && backup.id == id;
        let mut all = Vec::new();
        for (region, ids) in self.asked.agreed.iter().flatten() {
            let error = seen.errors(std::slice::from_ref(region)).into_iter().next();
            for id in ids {
                if decision.delete.iter().any(|deleted| is_at(&deleted.backup, region, id)) {
                    continue;
                }
                let kept = decision.keep.iter().find(|kept| is_at(&kept.backup, region, id));
                let (result, why) = match (kept, &error) {
                    (Some(kept), _) => (DeletionResult::Kept, reasons(kept)),
                    (None, Some((_, error))) => (DeletionResult::NotDone, format!("{}: {error}", error.kind)),
                    (None, None) => (DeletionResult::Gone, "it was gone already".to_owned()),
                };
                all.push(Deletion { region: region.clone(), snapshot_id: id.clone(), result, why });
            }
        }
        all
    }

    /// Decides once more on what there is now, and deletes the backup only if it is to be deleted still: tags, verdict,
    /// hold, status, uses, and the newer validated one are all looked at again by that. So is the protection plan, last of all:
    /// somebody may have applied another.
    async fn one(&self, backup: &Backup) -> Result<(DeletionResult, String)> {
        let Run { ports, facts, asked, applied } = self;
        let region = std::slice::from_ref(&backup.region);
        let seen = facts.look(region, &asked.known).await;
        if let Some((_, error)) = seen.errors(region).into_iter().next() {
            return Err(error);
        }
        let same_line = |other: &Backup| asked.is_about(other) && other.database == backup.database;
        let now_there: Vec<Backup> = seen.backups(region).into_iter().filter(same_line).collect();
        if !now_there.iter().any(|other| other.arn == backup.arn) {
            return Ok((DeletionResult::Gone, "it was gone already".to_owned()));
        }
        let again = facts.decide(&seen, now_there, Some(&backup.arn)).await;
        let Some(deleted) = again.delete.iter().find(|deleted| deleted.backup.arn == backup.arn) else {
            let kept = again.keep.iter().find(|kept| kept.backup.arn == backup.arn);
            let why = kept.map_or_else(|| "it is not in the second decision".to_owned(), reasons);
            return Ok((DeletionResult::Kept, why));
        };
        let now_applied: Option<ProtectionPlan> = ports.documents.get(protection::KEY).await?;
        if now_applied.as_ref() != *applied {
            let why = "another protection plan was applied since this was planned; the next run goes by it";
            return Ok((DeletionResult::Kept, why.to_owned()));
        }
        let why = deleted.reason.to_string();
        Ok(match facts.rds.delete_snapshot(&backup.region, &backup.id).await? {
            SnapshotDeletion::Deleted => (DeletionResult::Deleted, why),
            SnapshotDeletion::Gone => (DeletionResult::Gone, "it was gone already".to_owned()),
            SnapshotDeletion::Refused(said) => {
                (DeletionResult::Kept, format!("RDS does not delete it: {said}"))
            }
        })
    }
}
