//! What is there before the swap, and whether it could be done: asked before anything is made.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{OldInstance, SwapPlan};
use holdfast_core::ports::{Dns, Rds, Renames, Secrets};
use holdfast_core::rds::Life;
use holdfast_core::request::{RestoreRequest, aside};
use holdfast_core::{Error, ErrorKind, Result};

use crate::exchange::pending;
use crate::{Output, Ports, pointers};

/// Looks at the old instance, the record and the secret.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds + Renames, impl Dns, impl Secrets>,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Result<Answer<Output>> {
    let wanted = request
        .swap
        .as_ref()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a swap was to be planned that nobody asked for"))?;
    let old = old(ports.rds, operation, request).await?;
    let record = match &wanted.record {
        Some(record) => Some(pointers::record_before(ports.dns, record).await?),
        None => None,
    };
    let secret = match &wanted.secret_arn {
        Some(arn) => Some(pointers::secret_before(ports.secrets, arn).await?),
        None => None,
    };
    let message = match &old {
        Some(old) => format!("{} would become {}", request.database_id, old.aside_id),
        None => format!("nobody has the name {}", request.database_id),
    };
    let swap = Box::new(SwapPlan { old, after: wanted.old_instance, record, secret });
    Ok(Answer::Final { progress: Progress::new("swap", None, message), result: Output::Planned { swap } })
}

async fn old(
    rds: &impl Rds,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Result<Option<OldInstance>> {
    let (id, region) = (request.database_id.as_str(), &request.region);
    let Some(instance) = rds.instance(region, id).await? else { return Ok(None) };
    if let (Life::Up, Some(why)) = (instance.life(), pending(&instance)) {
        return Err(Error::new(ErrorKind::SourceUnusable, format!("swap: {why}")));
    }
    if instance.life() != Life::Up || instance.change_pending {
        return Err(Error::new(
            ErrorKind::SourceUnusable,
            format!(
                "swap: {id} in {region} is {}{}: RDS renames only what is available; start it or wait, or rename or remove it \
                 yourself, and the restore takes the name that is free",
                instance.status,
                if instance.change_pending { " with a change pending" } else { "" }
            ),
        ));
    }
    let aside_id = aside(&request.database_id, operation)?;
    if rds.instance(region, aside_id.as_str()).await?.is_some() {
        return Err(Error::new(
            ErrorKind::NameTaken,
            format!("swap: {id} is to become {aside_id}, and in {region} there is an instance of that name"),
        ));
    }
    Ok(Some(OldInstance { resource_id: instance.resource_id, aside_id }))
}
