//! Faults that a test orders: which call they meet, and what they do to it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::damage::Damage;
use crate::lock;
use crate::names::glob;

/// A fault as it is ordered through `POST /_local/faults`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// A glob on the action.
    pub action: String,
    /// A glob on the identifier of the resource that the call is about.
    #[serde(default = "any")]
    pub resource: String,
    /// The Region that is called; any when absent.
    #[serde(default)]
    pub region: Option<String>,
    /// How many more calls it meets; for ever when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What it does.
    pub effect: Effect,
}

fn any() -> String {
    "*".to_owned()
}

/// What a fault does.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// The call is refused before it has any effect.
    Error {
        /// Such as `Throttling`.
        code: String,
        /// The sentence.
        #[serde(default)]
        message: String,
        /// The HTTP status.
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// The call has its effect and the connection is cut without an answer.
    DropAnswer,
    /// The call has its effect and the calling process is killed before it is answered.
    KillCaller,
    /// The call has its effect and is answered with HTTP 503.
    AnswerThen503,
    /// The call waits this long before it is looked at.
    Delay {
        /// How long.
        seconds: f64,
    },
    /// The background work that the call starts takes this long.
    Slow {
        /// How long.
        seconds: f64,
    },
    /// What the call makes is not seen by describe calls for this long.
    Unseen {
        /// How long.
        seconds: f64,
    },
    /// The snapshot or copy ends `failed`.
    FailSnapshot,
    /// The copy (or snapshot) stays at this percentage.
    CopyStuck {
        /// The percentage.
        percent: u8,
    },
    /// The instance ends in this status instead of `available`.
    RestoreEnds {
        /// Such as `incompatible-restore` or `storage-full`.
        status: String,
    },
    /// The instance stays `creating`.
    NeverAvailable,
    /// The snapshot's data is damaged after it was taken.
    Damage(Damage),
}

fn bad_request() -> u16 {
    400
}

/// What the faults that met a call ask of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) error: Option<(String, String, u16)>,
    pub(crate) drop_answer: bool,
    pub(crate) kill_caller: bool,
    pub(crate) answer_503: bool,
    pub(crate) delay: Option<f64>,
    pub(crate) work: WorkOrders,
}

/// The part of the orders that background work obeys.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkOrders {
    pub(crate) slow: Option<f64>,
    pub(crate) unseen: Option<f64>,
    pub(crate) fail: bool,
    pub(crate) stuck_at: Option<u8>,
    pub(crate) ends: Option<String>,
    pub(crate) never: bool,
    pub(crate) damage: Vec<Damage>,
}

/// A fault that was ordered, as `GET /_local/faults` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Ordered {
    /// Its number.
    pub id: u64,
    /// How many calls it met.
    pub hits: u32,
    /// The order; `times` counts down.
    #[serde(flatten)]
    pub fault: Fault,
}

/// The faults that are ordered now.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<(u64, Vec<Ordered>)>);

impl Faults {
    pub(crate) fn order(&self, fault: Fault) -> u64 {
        let mut guard = lock(&self.0);
        guard.0 += 1;
        let id = guard.0;
        guard.1.push(Ordered { id, hits: 0, fault });
        id
    }

    pub(crate) fn list(&self) -> Vec<Ordered> {
        lock(&self.0).1.clone()
    }

    /// Removes one, or all.
    pub(crate) fn clear(&self, id: Option<u64>) -> usize {
        let mut guard = lock(&self.0);
        let before = guard.1.len();
        guard.1.retain(|ordered| id.is_some_and(|id| id != ordered.id));
        before - guard.1.len()
    }

    /// What is ordered for this call. An error comes alone: the call has no effect, so what is
    /// ordered for its effect waits for the next one.
    pub(crate) fn meet(&self, action: &str, region: &str, resource: &str) -> Orders {
        let mut orders = Orders::default();
        let mut guard = lock(&self.0);
        let mut meets: Vec<&mut Ordered> =
            guard.1.iter_mut().filter(|ordered| ordered.fault.meets(action, region, resource)).collect();
        if let Some(refusal) =
            meets.iter_mut().find(|ordered| matches!(ordered.fault.effect, Effect::Error { .. }))
        {
            refusal.count();
            orders.add(&refusal.fault.effect);
            return orders;
        }
        for ordered in meets {
            ordered.count();
            orders.add(&ordered.fault.effect);
        }
        orders
    }
}

impl Fault {
    /// Why it could never be done.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        if let Effect::Damage(damage) = &self.effect { damage.refusal() } else { None }
    }

    fn meets(&self, action: &str, region: &str, resource: &str) -> bool {
        self.times != Some(0)
            && glob(&self.action, action)
            && self.region.as_deref().is_none_or(|wanted| wanted == region)
            && glob(&self.resource, resource)
    }
}

impl Ordered {
    fn count(&mut self) {
        self.hits += 1;
        self.fault.times = self.fault.times.map(|times| times.saturating_sub(1));
    }
}

impl WorkOrders {
    /// Until when describe calls do not show what is made now.
    pub(crate) fn unseen_until(&self) -> Option<Instant> {
        let seconds = self.unseen.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())?;
        Some(Instant::now() + seconds)
    }
}

impl Orders {
    /// What the journal says about them.
    pub(crate) fn named(&self) -> Option<String> {
        let work = &self.work;
        let names = [
            ("error", self.error.is_some()),
            ("dropAnswer", self.drop_answer),
            ("killCaller", self.kill_caller),
            ("answerThen503", self.answer_503),
            ("delay", self.delay.is_some()),
            ("slow", work.slow.is_some()),
            ("unseen", work.unseen.is_some()),
            ("failSnapshot", work.fail),
            ("copyStuck", work.stuck_at.is_some()),
            ("restoreEnds", work.ends.is_some()),
            ("neverAvailable", work.never),
            ("damage", !work.damage.is_empty()),
        ];
        let met: Vec<&str> = names.into_iter().filter(|(_, met)| *met).map(|(name, _)| name).collect();
        (!met.is_empty()).then(|| met.join(","))
    }

    fn add(&mut self, effect: &Effect) {
        let work = &mut self.work;
        match effect {
            Effect::Error { code, message, status } => {
                self.error = Some((code.clone(), message.clone(), *status));
            }
            Effect::DropAnswer => self.drop_answer = true,
            Effect::KillCaller => self.kill_caller = true,
            Effect::AnswerThen503 => self.answer_503 = true,
            Effect::Delay { seconds } => self.delay = Some(*seconds),
            Effect::Slow { seconds } => work.slow = Some(*seconds),
            Effect::Unseen { seconds } => work.unseen = Some(*seconds),
            Effect::FailSnapshot => work.fail = true,
            Effect::CopyStuck { percent } => work.stuck_at = Some((*percent).min(99)),
            Effect::RestoreEnds { status } => work.ends = Some(status.clone()),
            Effect::NeverAvailable => work.never = true,
            Effect::Damage(damage) => work.damage.push(damage.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_error_comes_alone_and_counts_down() {
        let faults = Faults::default();
        faults.order(fault(
            r#"{"action":"CreateDBSnapshot","resource":"holdfast-a-*","times":1,
                "effect":{"type":"error","code":"Throttling","message":"Rate exceeded"}}"#,
        ));
        faults.order(fault(r#"{"action":"*","effect":{"type":"damage","kind":"flipHeapBytes"},"times":1}"#));
        let other = faults.meet("CreateDBSnapshot", "us-east-1", "holdfast-b-1");
        assert!(other.error.is_none() && other.work.damage.len() == 1, "another test's resource");
        let refused = faults.meet("CreateDBSnapshot", "us-east-1", "holdfast-a-1");
        assert_eq!(refused.error.unwrap(), ("Throttling".into(), "Rate exceeded".into(), 400));
        assert!(faults.meet("CreateDBSnapshot", "us-east-1", "holdfast-a-1").error.is_none());
        assert_eq!(faults.clear(Some(1)), 1);
        assert_eq!(faults.clear(None), 1);
    }

    #[test]
    fn orders_with_a_typing_error_are_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"action":"*","effect":{"type":"nope"}}"#).is_err());
        assert!(
            serde_json::from_str::<Fault>(r#"{"action":"*","tims":1,"effect":{"type":"dropAnswer"}}"#)
                .is_err()
        );
    }
}
