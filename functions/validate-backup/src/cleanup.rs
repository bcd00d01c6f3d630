//! Nothing temporary outlives its operation, and what stays is said.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::Rds;
use holdfast_core::rds::{SnapshotStatus, require_own};
use holdfast_core::{Result, tags};

use crate::Output;

/// Polls before a deletion that does not end is reported as left behind; the sweep goes on from there.
const MAX_POLLS: u32 = 60;

/// Deletes the temporary instance and looks until it is gone; then names what stays in this Region. What a failed
/// copy may have left in another Region is said by the record: this function's network reaches no other Region.
pub(crate) async fn step(
    rds: &impl Rds,
    region: &Region,
    operation: &OperationId,
    failed: bool,
    poll: u32,
) -> Result<Answer<Output>> {
    let id = operation.validation_instance_id();
    let mut leftovers = Vec::new();
    if let Some(instance) = rds.instance(region, &id).await? {
        require_own(&format!("instance {id}"), &instance.tags, operation)?;
        if instance.status != "deleting" {
            rds.delete_instance(region, &id).await?;
        }
        if poll < MAX_POLLS {
            let progress = Progress::new("clean-up", None, format!("{id} is being deleted"));
            return Ok(Answer::waiting(wait_seconds(poll).min(60), progress));
        }
        leftovers.push(format!("instance {id} in {region} is {}", instance.status));
    }
    if failed {
        leftovers.extend(snapshot_left(rds, region, operation).await);
    }
    let message =
        if leftovers.is_empty() { "nothing temporary is left" } else { "done; the record names what stays" };
    Ok(Answer::Final {
        progress: Progress::new("clean-up", Some(100), message),
        result: Output::CleanedUp { leftovers },
    })
}

/// This operation's snapshot in `region`, as one line.
async fn snapshot_left(rds: &impl Rds, region: &Region, operation: &OperationId) -> Option<String> {
    let id = operation.snapshot_id();
    match rds.snapshot(region, &id).await {
        Ok(Some(found)) if require_own(&id, &found.tags, operation).is_ok() => {
            let verdict = found.tags.get(tags::VERDICT).map_or("unknown", String::as_str);
            let status = match &found.status {
                SnapshotStatus::Creating => "still being made",
                SnapshotStatus::Available => "kept",
                SnapshotStatus::Failed => "failed",
                SnapshotStatus::Other(word) => word,
            };
            Some(format!("snapshot {id} in {region} ({status}, verdict {verdict})"))
        }
        Ok(_) => None,
        // The clean-up goes on: what cannot be looked at is said to be unknown.
        Err(error) => Some(format!("unknown: snapshot {id} in {region} cannot be looked at ({error})")),
    }
}
