//! The new instance has proven itself in its place: the old one may rest.

use holdfast_core::Result;
use holdfast_core::answer::{Answer, Progress};
use holdfast_core::operation::{RestorePlan, SmokeResult, SwapResult};
use holdfast_core::ports::{Rds, Renames};
use holdfast_core::request::AfterSwap;

use crate::Output;
use crate::exchange::pause;

/// Looks after which an old instance that cannot be stopped is left running: the swap is a success all the same, and
/// the record says that it runs.
const LOOKS: u32 = 60;

/// Stops the old instance where that was asked for.
pub(crate) async fn step(
    rds: &(impl Rds + Renames),
    plan: &RestorePlan,
    swap: SwapResult,
    smoke_checks: Vec<SmokeResult>,
    poll: u32,
) -> Result<Answer<Output>> {
    let mut swap = SwapResult { smoke_checks, ..swap };
    let wanted = plan.swap.as_ref().is_some_and(|planned| planned.after == AfterSwap::Stop);
    if let (true, Some(id)) = (wanted, swap.old_id.clone()) {
        let status = rds.instance(&plan.region, &id).await?.map(|instance| instance.status);
        // Stopping counts: nothing but a person keeps it from getting there.
        let stops = |status: &str| matches!(status, "stopping" | "stopped");
        swap.old_stopped = match status.as_deref() {
            Some(status) if stops(status) => true,
            Some(_) => rds.stop(&plan.region, &id).await?,
            None => false,
        };
        if !swap.old_stopped && status.is_some() && poll < LOOKS {
            let message = format!("{id} cannot be stopped yet");
            let progress = Progress::new("swap", None, message);
            return Ok(Answer::Waiting { wait_seconds: pause(poll), progress, carry: None });
        }
    }
    Ok(Answer::Final {
        progress: Progress::new("swap", Some(100), swap.describe()),
        result: Output::Swapped { swap: Box::new(swap) },
    })
}
