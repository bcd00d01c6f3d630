//! The names change hands, one rename at a time; and back.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::operation::{SwapPlan, SwapResult, seconds_between};
use holdfast_core::ports::{Dns, Rds, RenameAnswer, Renames, Secrets};
use holdfast_core::rds::{Instance, Life, require_own};
use holdfast_core::request::aside;
use holdfast_core::{Error, ErrorKind, Result};
use serde_json::json;

use crate::places::{Names, Next, Places, Seen, Who};
use crate::{Carry, Output, Ports, Step, pointers};

/// Seconds between two looks while nobody may be answering to the database's name; longer when it lasts.
pub(crate) fn pause(poll: u32) -> u32 {
    if poll <= 60 { 5 } else { 30 }
}

/// What one look at the three names saw.
struct Look {
    places: Places,
    /// The instance at the database's own name.
    own: Option<Instance>,
}

fn planned(step: &Step) -> Result<&SwapPlan> {
    step.plan
        .swap
        .as_ref()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the plan of this restore knows of no swap"))
}

fn waiting(step: &Step, message: String, carry: &Carry) -> Answer<Output> {
    Answer::Waiting {
        wait_seconds: pause(step.poll),
        progress: Progress::new("swap", None, message),
        carry: Some(json!(carry)),
    }
}

fn ended(swap: SwapResult) -> Answer<Output> {
    Answer::Final {
        progress: Progress::new("swap", Some(100), swap.describe()),
        result: Output::Swapped { swap: Box::new(swap) },
    }
}

async fn look(rds: &impl Rds, step: &Step, plan: &SwapPlan, carry: &Carry) -> Result<Look> {
    let region = &step.request.region;
    let names = Names {
        own: step.request.database_id.to_string(),
        aside: aside(&step.request.database_id, &step.operation_id)?.to_string(),
        beside: step.request.target_id.to_string(),
    };
    let own = rds.instance(region, &names.own).await?;
    let aside = rds.instance(region, &names.aside).await?;
    let beside = rds.instance(region, &names.beside).await?;
    let seen = |instance: &Option<Instance>| instance.as_ref().map(|instance| seen(step, plan, instance));
    let mut places = Places {
        own: seen(&own),
        aside: seen(&aside),
        beside: seen(&beside),
        had_old: plan.old.is_some(),
        unseen: 0,
        steady: carry.steady,
        names,
    };
    places.unseen = if places.is_somebody_nowhere() { carry.unseen + 1 } else { 0 };
    Ok(Look { places, own })
}

fn seen(step: &Step, plan: &SwapPlan, instance: &Instance) -> Seen {
    let is_old = plan.old.as_ref().is_some_and(|old| old.resource_id == instance.resource_id);
    let who = if is_old {
        Who::Old
    } else if require_own("", &instance.tags, &step.operation_id).is_ok() {
        Who::New
    } else {
        Who::Stranger
    };
    let life =
        if instance.change_pending && instance.life() == Life::Up { Life::Coming } else { instance.life() };
    Seen { who, life, status: instance.status.clone() }
}

/// Towards the new instance in the old one's place.
pub(crate) async fn forwards(
    ports: &Ports<'_, impl Rds + Renames, impl Dns, impl Secrets>,
    step: &Step,
) -> Result<Answer<Output>> {
    let plan = planned(step)?;
    let mut carry = step.carry.clone().unwrap_or_default();
    let look = look(ports.rds, step, plan, &carry).await?;
    carry.unseen = look.places.unseen;
    match look.places.forwards()? {
        Next::Wait(message) | Next::LookAgain(message) => Ok(waiting(step, message, &carry)),
        Next::Rename { from, to } => {
            let answer = ports.rds.rename(&step.request.region, &from, &to).await?;
            if from == look.places.names.own && answer == RenameAnswer::Started {
                carry.cut_at = Some(ports.now);
            }
            Ok(waiting(step, said(&from, &to, answer), &carry))
        }
        Next::Done => {
            let Some(endpoint) = look.own.and_then(|instance| instance.endpoint) else {
                return Ok(waiting(step, "it does not say yet where it listens".to_owned(), &carry));
            };
            let operation = &step.operation_id;
            let repointed = pointers::forwards(ports.dns, ports.secrets, operation, plan, &endpoint).await?;
            Ok(ended(SwapResult {
                instance_id: look.places.names.own.clone(),
                endpoint: Some(endpoint),
                old_id: look.places.aside.map(|_| look.places.names.aside),
                old_stopped: false,
                outage_seconds: carry.cut_at.map(|cut| seconds_between(cut, ports.now)),
                lost_seconds: carry
                    .cut_at
                    .zip(step.plan.recovery_point.time())
                    .map(|(cut, taken)| seconds_between(taken, cut)),
                repointed,
                smoke_checks: vec![],
                undone: false,
            }))
        }
    }
}

/// Back to everything as it was. Clients first: where they are told to go is a matter of a moment.
pub(crate) async fn backwards(
    ports: &Ports<'_, impl Rds + Renames, impl Dns, impl Secrets>,
    step: &Step,
) -> Result<Answer<Output>> {
    let plan = planned(step)?;
    let mut carry = step.carry.clone().unwrap_or_default();
    pointers::backwards(ports.dns, ports.secrets, plan).await?;
    let look = look(ports.rds, step, plan, &carry).await?;
    carry.unseen = look.places.unseen;
    let was_steady = carry.steady;
    carry.steady = 0;
    match look.places.backwards()? {
        Next::Wait(message) => Ok(waiting(step, message, &carry)),
        Next::LookAgain(message) => {
            carry.steady = was_steady + 1;
            Ok(waiting(step, message, &carry))
        }
        Next::Rename { from, to } => {
            let answer = ports.rds.rename(&step.request.region, &from, &to).await?;
            Ok(waiting(step, said(&from, &to, answer), &carry))
        }
        Next::Done => Ok(ended(SwapResult {
            instance_id: look.places.names.own,
            endpoint: look.own.and_then(|instance| instance.endpoint),
            old_id: None,
            old_stopped: false,
            outage_seconds: None,
            lost_seconds: None,
            repointed: vec![],
            smoke_checks: vec![],
            undone: true,
        })),
    }
}

fn said(from: &str, to: &str, answer: RenameAnswer) -> String {
    match answer {
        RenameAnswer::Started => format!("{from} becomes {to}"),
        RenameAnswer::Taken => format!("{from} is to become {to}, which is not free yet"),
        RenameAnswer::NotNow => format!("{from} is to become {to}, and is busy"),
    }
}
