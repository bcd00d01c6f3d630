//! What a restore that failed left behind.

use holdfast_core::Result;
use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::ports::Rds;
use holdfast_core::rds::require_own;
use holdfast_core::request::RestoreRequest;

use crate::Output;

/// Names the instance, when there is one of this operation's. It is not deleted: it may be all that is left of the data.
pub(crate) async fn step(
    rds: &impl Rds,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Result<Answer<Output>> {
    let (id, region) = (request.target_id.as_str(), &request.region);
    let found = rds.instance(region, id).await?;
    let own = found.filter(|instance| require_own(id, &instance.tags, operation).is_ok());
    let leftovers: Vec<String> = own
        .map(|instance| {
            format!("instance {id} in {region} ({}): keep it or delete it yourself", instance.status)
        })
        .into_iter()
        .collect();
    let message =
        if leftovers.is_empty() { "nothing was left behind".to_owned() } else { leftovers.join(", ") };
    Ok(Answer::Final {
        progress: Progress::new("restore", None, message),
        result: Output::Left { leftovers },
    })
}
