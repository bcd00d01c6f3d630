//! The names change hands, one rename at a time; and back.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::operation::{SwapPlan, SwapResult, seconds_between};
use holdfast_core::ports::{Dns, Rds, RenameAnswer, Renames, Secrets};
use holdfast_core::rds::{Endpoint, Instance, Life, require_own};
use holdfast_core::request::aside;
use holdfast_core::{Error, ErrorKind, Result};
use serde_json::json;

use crate::places::{Names, Next, Places, Seen, Who};
use crate::pointers::{self, Left};
use crate::{Carry, Output, Ports, Step};

/// The member of `PendingModifiedValues` that says that an instance is about to be renamed.
const NAME: &str = "DBInstanceIdentifier";

/// Polls after which what is pending on the old instance is not about to be done.
const PENDING: u32 = 12;

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
    let comes = match who {
        // What else waits on it is looked at before it is first renamed, and is no reason not to give its name back.
        Who::Old if !instance.pending.is_empty() => instance.pending.iter().any(|member| member == NAME),
        Who::Old | Who::New | Who::Stranger => instance.change_pending,
    };
    let life = if comes && instance.life() == Life::Up { Life::Coming } else { instance.life() };
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
    if carry.asked_at.is_some() && !look.places.is_old_in_place() {
        carry.gone_at.get_or_insert_with(ports.clock);
    }
    if carry.asked_at.is_none()
        && look.places.is_old_in_place()
        && let Some(why) = look.own.as_ref().and_then(pending)
    {
        // What was asked for just now is shown as pending for a moment as well.
        return match step.poll < PENDING {
            true => Ok(waiting(step, why, &carry)),
            false => Err(Error::new(ErrorKind::SourceUnusable, format!("swap: {why}"))),
        };
    }
    match look.places.forwards()? {
        Next::Wait(message) | Next::LookAgain(message) => Ok(waiting(step, message, &carry)),
        Next::Start(name) => Ok(waiting(step, format!("{name} is stopped"), &carry)),
        Next::Rename { from, to } => {
            if look.places.is_old_in_place() || plan.old.is_none() {
                // The first rename: until now nothing has changed for anybody.
                let host = look.own.and_then(|old| old.endpoint).map(|endpoint| endpoint.host);
                pointers::still_as_planned(ports.dns, ports.secrets, plan, host.as_deref()).await?;
            }
            let asked_at = (ports.clock)();
            let answer = ports.rds.rename(&step.request.region, &from, &to).await?;
            if from == look.places.names.own && answer == RenameAnswer::Started {
                carry.asked_at.get_or_insert(asked_at);
            }
            Ok(waiting(step, said(&from, &to, answer), &carry))
        }
        Next::Done => {
            let Some(endpoint) = look.own.and_then(|instance| instance.endpoint) else {
                return Ok(waiting(step, "it does not say yet where it listens".to_owned(), &carry));
            };
            let there_at = (ports.clock)();
            let operation = &step.operation_id;
            let repointed = pointers::forwards(ports.dns, ports.secrets, operation, plan, &endpoint).await?;
            Ok(ended(SwapResult {
                instance_id: look.places.names.own.clone(),
                endpoint: Some(endpoint),
                old_id: look.places.aside.map(|_| look.places.names.aside),
                old_stopped: false,
                outage_seconds: carry.asked_at.map(|asked| seconds_between(asked, there_at)),
                lost_seconds: carry
                    .gone_at
                    .zip(step.plan.recovery_point.time())
                    .map(|(gone, taken)| seconds_between(taken, gone)),
                repointed,
                smoke_checks: vec![],
                undone: false,
            }))
        }
    }
}

/// Why `old` may not be renamed although RDS would: with a rename it applies everything that waits for the maintenance
/// window (Amazon RDS API Reference, `ModifyDBInstance`, `ApplyImmediately`).
pub(crate) fn pending(old: &Instance) -> Option<String> {
    (!old.pending.is_empty()).then(|| {
        format!(
            "{} has changes pending ({}), which a rename would apply at once: apply them first, or take them back",
            old.id,
            old.pending.join(", ")
        )
    })
}

/// Back to everything as it was. Clients first: where they are told to go is a matter of a moment. But not while it is
/// open whether the new instance gives the name away, and never is a name kept from the old one because of them.
pub(crate) async fn backwards(
    ports: &Ports<'_, impl Rds + Renames, impl Dns, impl Secrets>,
    step: &Step,
) -> Result<Answer<Output>> {
    let plan = planned(step)?;
    let mut carry = step.carry.clone().unwrap_or_default();
    let look = look(ports.rds, step, plan, &carry).await?;
    carry.unseen = look.places.unseen;
    let was_steady = carry.steady;
    carry.steady = 0;
    let next = look.places.backwards()?;
    let endpoint = look.own.and_then(|instance| instance.endpoint);
    if let Some(endpoint) = &endpoint {
        // In one Region the endpoint of a name is the same, whoever has it.
        carry.host = Some(endpoint.host.clone());
    }
    let stays = look.places.is_new_in_place() && !matches!(next, Next::Rename { .. });
    let left = match stays {
        true => vec![],
        false => {
            let host = carry.host.as_deref();
            pointers::backwards(ports.dns, ports.secrets, &step.operation_id, plan, host).await
        }
    };
    match next {
        Next::Wait(message) => Ok(waiting(step, message, &carry)),
        Next::LookAgain(message) => {
            carry.steady = was_steady + 1;
            Ok(waiting(step, message, &carry))
        }
        Next::Start(name) => {
            let message = match ports.rds.start(&step.request.region, &name).await? {
                true => format!("{name} starts: only what runs can be renamed"),
                false => format!("{name} is to be started, and is busy"),
            };
            Ok(waiting(step, message, &carry))
        }
        Next::Rename { from, to } => {
            let answer = ports.rds.rename(&step.request.region, &from, &to).await?;
            Ok(waiting(step, said(&from, &to, answer), &carry))
        }
        Next::Done => {
            carry.steady = was_steady;
            all_but(step, &left, &carry).unwrap_or_else(|| Ok(given_back(look.places.names.own, endpoint)))
        }
    }
}

/// The names are as they were. What points to them may not be: a service that is down is waited for, anything else is
/// for a person.
fn all_but(step: &Step, left: &[Left], carry: &Carry) -> Option<Result<Answer<Output>>> {
    if left.is_empty() {
        return None;
    }
    let own = &step.request.database_id;
    let each: Vec<String> = left.iter().map(|left| format!("{}: {}", left.what, left.error)).collect();
    let message = format!("{own} is what it was before the swap; still to be set back: {}", each.join("; "));
    Some(match left.iter().any(|left| left.error.kind.retryable()) {
        true => Ok(waiting(step, message, carry)),
        false => Err(Error::new(ErrorKind::SwapNotUndone, message)),
    })
}

fn given_back(instance_id: String, endpoint: Option<Endpoint>) -> Answer<Output> {
    ended(SwapResult {
        instance_id,
        endpoint,
        old_id: None,
        old_stopped: false,
        outage_seconds: None,
        lost_seconds: None,
        repointed: vec![],
        smoke_checks: vec![],
        undone: true,
    })
}

fn said(from: &str, to: &str, answer: RenameAnswer) -> String {
    match answer {
        RenameAnswer::Started => format!("{from} becomes {to}"),
        RenameAnswer::Taken => format!("{from} is to become {to}, which is not free yet"),
        RenameAnswer::NotNow => format!("{from} is to become {to}, and is busy"),
    }
}
