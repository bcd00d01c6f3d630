//! Why a backup is kept or deleted, each with a word for programs and a sentence for people.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::backup::{Proof, minute};
use super::period::{Period, Span};

/// Why a backup is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// It is not a backup of Holdfast's.
    NotOurs {
        /// The operation whose snapshot has another name, when it carries such a tag.
        renamed_from: Option<String>,
    },
    /// It was listed more than once: what is known of it is not sure.
    ListedTwice,
    /// Somebody holds it.
    OnHold {
        /// The tag's value.
        why: String,
    },
    /// Something uses it, or may.
    InUse {
        /// What, or what is not known.
        by: String,
    },
    /// Its status is not `available`.
    NotAvailable {
        /// The status.
        status: String,
    },
    /// RDS does not say when its data is from.
    TimeMissing,
    /// Its data is from a time that is still to come.
    TimeInFuture {
        /// That time.
        taken_at: Timestamp,
    },
    /// What its validation found is not known.
    VerdictUnknown,
    /// It is the newest one that is proven.
    NewestValid,
    /// It fills a slot.
    Slot {
        /// Whose period.
        period: Period,
        /// Which rule's.
        span: Span,
        /// Whether it does so only because that period has nothing proven.
        stands_in: bool,
    },
    /// It is one of the backups that are left in any case.
    Minimum {
        /// How many they are.
        minimum: u32,
    },
    /// It was refused, or not proven, and can be looked at until then.
    Inspection {
        /// Until when.
        until: Timestamp,
    },
}

impl Keep {
    /// A word that stays the same.
    pub fn code(&self) -> &'static str {
        match self {
            Keep::NotOurs { .. } => "not-ours",
            Keep::ListedTwice => "listed-twice",
            Keep::OnHold { .. } => "on-hold",
            Keep::InUse { .. } => "in-use",
            Keep::NotAvailable { .. } => "not-available",
            Keep::TimeMissing => "time-missing",
            Keep::TimeInFuture { .. } => "time-in-future",
            Keep::VerdictUnknown => "verdict-unknown",
            Keep::NewestValid => "newest-valid",
            Keep::Slot { span, .. } => span.rule(),
            Keep::Minimum { .. } => "minimum",
            Keep::Inspection { .. } => "inspection",
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Keep::NotOurs { renamed_from: None } => {
                f.write_str("not a backup of Holdfast's: it carries no readable tag holdfast:operation")
            }
            Keep::NotOurs { renamed_from: Some(operation) } => write!(
                f,
                "not a backup of Holdfast's: tagged {operation}, whose snapshot has another name; a copy made by hand"
            ),
            Keep::ListedTwice => f.write_str("listed twice by RDS: what is known of it is not sure"),
            Keep::OnHold { why } if why.is_empty() => f.write_str("on hold (tag holdfast:hold)"),
            Keep::OnHold { why } => write!(f, "on hold (tag holdfast:hold): {why}"),
            Keep::InUse { by } => write!(f, "in use: {by}"),
            Keep::NotAvailable { status } => write!(f, "in use: its status is {status}, not available"),
            Keep::TimeMissing => f.write_str("RDS does not say when it was taken"),
            Keep::TimeInFuture { taken_at } => {
                write!(f, "taken at {}, which is still to come by this clock", minute(*taken_at))
            }
            Keep::VerdictUnknown => {
                f.write_str("its tag holdfast:verdict is missing or not one of the verdicts")
            }
            Keep::NewestValid => f.write_str("the newest validated backup"),
            Keep::Slot { period, span, stands_in: false } => write!(f, "{}: {period}", span.rule()),
            Keep::Slot { period, span, stands_in: true } => {
                write!(f, "{}: {period} has no validated backup; this one stands in", span.rule())
            }
            Keep::Minimum { minimum } => write!(f, "one of the {minimum} that are always left"),
            Keep::Inspection { until } => write!(f, "can be looked at until {}", minute(*until)),
        }
    }
}

/// Why a backup fills no slot of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSlot {
    /// Its period.
    pub period: Period,
    /// The rule's.
    pub span: Span,
    /// How many slots the rule has.
    pub count: u32,
    /// When the backup was taken that is kept of this period; `None` when the period has no slot any more.
    pub taken_by: Option<Timestamp>,
}

/// Why a backup is deleted: everything that could have kept it, and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// What its validation found.
    pub proof: Proof,
    /// Rule by rule; empty for a refused backup, which fills none.
    pub no_slot: Vec<NoSlot>,
    /// When its time to be looked at ended; `None` for a proven one.
    pub inspected_until: Option<Timestamp>,
}

impl Delete {
    /// A word that stays the same.
    pub fn code(&self) -> &'static str {
        match self.proof {
            Proof::Invalid => "refused",
            Proof::Valid | Proof::Inconclusive | Proof::Unproven | Proof::Unknown => "no-slot",
        }
    }
}

/// `day 2026-11-01 is past the newest 7 days; month 2026-11 and year 2026 keep the one of 2026-11-30T18:00Z`.
fn in_words(no_slot: &[NoSlot]) -> String {
    let by_holder = no_slot.chunk_by(|one, other| one.taken_by.is_some() && one.taken_by == other.taken_by);
    let part = |rules: &[NoSlot]| match rules {
        [NoSlot { period, taken_by: Some(other), .. }] => {
            format!("{period} keeps the one of {}", minute(*other))
        }
        [front @ .., NoSlot { period, taken_by: Some(other), .. }] => {
            let front: Vec<String> = front.iter().map(|rule| rule.period.to_string()).collect();
            format!("{} and {period} keep the one of {}", front.join(", "), minute(*other))
        }
        [.., NoSlot { period, span, count: 1, taken_by: None }] => {
            format!("{period} is past the newest {}", span.word())
        }
        [.., NoSlot { period, span, count, taken_by: None }] => {
            format!("{period} is past the newest {count} {}s", span.word())
        }
        [] => String::new(),
    };
    by_holder.map(part).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proof {
            Proof::Invalid => f.write_str("INVALID: a refused backup fills no slot")?,
            Proof::Valid | Proof::Inconclusive | Proof::Unproven | Proof::Unknown => {
                write!(f, "{}, and fills no slot: {}", self.proof, in_words(&self.no_slot))?;
            }
        }
        match self.inspected_until {
            Some(until) => write!(f, "; its time to be looked at ended {}", minute(until)),
            None => Ok(()),
        }
    }
}

/// A reason as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The word.
    pub code: String,
    /// The sentence.
    pub text: String,
}

impl From<&Keep> for Reason {
    fn from(reason: &Keep) -> Self {
        Reason { code: reason.code().to_owned(), text: reason.to_string() }
    }
}

impl From<&Delete> for Reason {
    fn from(reason: &Delete) -> Self {
        Reason { code: reason.code().to_owned(), text: reason.to_string() }
    }
}
