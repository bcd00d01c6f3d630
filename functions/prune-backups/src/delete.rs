//! The plan carried out: one deletion at a time, each after another look at everything it was decided by.

use holdfast_core::ports::{Rds, SnapshotDeletion, Store};
use holdfast_core::retention::{Backup, Decision, Deleted, Deletion, DeletionResult};
use holdfast_core::{Error, Result};

use crate::Asked;
use crate::facts::Facts;

/// Deletions of one invocation: as many as fit into its 15 minutes. The next one goes on.
const MAX_DELETIONS: usize = 200;

/// Deletes what the plan says, the oldest first. One that cannot be deleted does not keep the others; the answer has the
/// first error as well.
pub(crate) async fn carry_out(
    facts: &Facts<'_, impl Rds, impl Store>,
    asked: &Asked,
    decision: &Decision,
) -> (Vec<Deletion>, Option<Error>) {
    let mut doomed: Vec<&Deleted> = decision.delete.iter().collect();
    doomed.sort_by_key(|deleted| (deleted.backup.taken_at, &deleted.backup.arn));
    let (mut done, mut failed) = (Vec::new(), None);
    for (n, deleted) in doomed.into_iter().enumerate() {
        let backup = &deleted.backup;
        let (result, why) = if n < MAX_DELETIONS {
            one(facts, asked, backup).await.unwrap_or_else(|error| {
                let why = format!("{}: {error}", error.kind);
                failed.get_or_insert(error);
                (DeletionResult::NotDone, why)
            })
        } else {
            let why = format!("{MAX_DELETIONS} were deleted in this run; the next one goes on");
            (DeletionResult::Kept, why)
        };
        done.push(Deletion { region: backup.region.clone(), snapshot_id: backup.id.clone(), result, why });
    }
    (done, failed)
}

/// Decides once more on what there is now, and deletes the backup only if it is to be deleted still: tags, verdict,
/// hold, status, uses, and the newer validated one are all looked at again by that.
async fn one(
    facts: &Facts<'_, impl Rds, impl Store>,
    asked: &Asked,
    backup: &Backup,
) -> Result<(DeletionResult, String)> {
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
        let why =
            kept.map(|kept| kept.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        return Ok((
            DeletionResult::Kept,
            why.unwrap_or_else(|| "it is not in the second decision".to_owned()),
        ));
    };
    let why = deleted.reason.to_string();
    Ok(match facts.rds.delete_snapshot(&backup.region, &backup.id).await? {
        SnapshotDeletion::Deleted => (DeletionResult::Deleted, why),
        SnapshotDeletion::Gone => (DeletionResult::Gone, "it was gone already".to_owned()),
        SnapshotDeletion::Refused(said) => (DeletionResult::Kept, format!("RDS does not delete it: {said}")),
    })
}
