//! What a restore that failed left behind.

use holdfast_core::Result;
use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::ports::Rds;
use holdfast_core::rds::require_own;
use holdfast_core::request::{RestoreRequest, aside};

use crate::Output;

/// Names the instance, when there is one of this operation's. It is not deleted: it may be all that is left of the data.
/// Where it was to be swapped in, it may have any of the names, and the one that it was to replace the name aside.
pub(crate) async fn step(
    rds: &impl Rds,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Result<Answer<Output>> {
    let region = &request.region;
    let mut leftovers = Vec::new();
    let mut names = vec![request.target_id.to_string()];
    if request.swap.is_some() {
        let aside = aside(&request.database_id, operation)?.to_string();
        if let Some(old) = rds.instance(region, &aside).await? {
            leftovers.push(format!(
                "instance {aside} in {region} ({}): it had the name {}",
                old.status, request.database_id
            ));
        }
        names.push(request.database_id.to_string());
    }
    for id in names {
        let found = rds.instance(region, &id).await?;
        let own = found.filter(|instance| require_own(&id, &instance.tags, operation).is_ok());
        leftovers.extend(own.map(|instance| {
            format!("instance {id} in {region} ({}): keep it or delete it yourself", instance.status)
        }));
    }
    let message =
        if leftovers.is_empty() { "nothing was left behind".to_owned() } else { leftovers.join(", ") };
    Ok(Answer::Final {
        progress: Progress::new("restore", None, message),
        result: Output::Left { leftovers },
    })
}
