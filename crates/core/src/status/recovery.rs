//! What a loss would cost now: how much data, and how long.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::doctor::newest_valid;
use crate::operation::seconds_between;

/// How much would be lost now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPointNow {
    /// Seconds since the data of the newest VALID backup.
    pub by_backup_seconds: Option<f64>,
    /// Seconds since the last time that the log reaches; `None` without automated backups.
    pub by_log_seconds: Option<f64>,
    /// The smaller of the two: what a restore in the database's own Region would lose.
    pub seconds: Option<f64>,
    /// Whether that is within the objective; `None` when it is not known.
    pub held: Option<bool>,
}

/// What a recovery time was measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MeasuredBy {
    /// A restore, from the start of its operation until the database was all that was asked for; with a swap, until it had its
    /// place.
    Restore,
    /// A validation's temporary instance: at least so long.
    Validation,
}

/// How long it takes to be back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryTime {
    /// Seconds; of the newest restore, else of the newest validation.
    pub seconds: Option<f64>,
    /// By what.
    pub measured_by: Option<MeasuredBy>,
    /// When.
    pub measured_at: Option<Timestamp>,
    /// Whether that is within the objective; `None` when nobody knows: a validation can only show that it is not.
    pub held: Option<bool>,
}

/// What a loss would cost now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// Data.
    pub point: RecoveryPointNow,
    /// Time.
    pub time: RecoveryTime,
    /// When a backup was last found VALID.
    pub last_validated: Option<Timestamp>,
}

pub(super) fn measure(facts: &Facts) -> Recovery {
    let validated = facts.validations.iter().flatten().map(|validation| validation.validated_at).max();
    Recovery { point: point(facts), time: time(facts), last_validated: validated }
}

fn point(facts: &Facts) -> RecoveryPointNow {
    let since = |time: Timestamp| seconds_between(time, facts.now);
    let backup = newest_valid(facts.at_home()).and_then(|backup| backup.taken_at).map(since);
    let log = facts.window.as_ref().ok().and_then(Option::as_ref).map(|window| since(window.latest));
    let seconds = match (backup, log) {
        (Some(backup), Some(log)) => Some(backup.min(log)),
        (backup, log) => backup.or(log),
    };
    let within = seconds.map(|seconds| seconds <= facts.objectives.rpo_seconds as f64);
    // What could not be looked at might have been better.
    let all_seen = facts.window.is_ok() && matches!(facts.snapshots.get(&facts.home), Some(Ok(_)));
    let held = match within {
        Some(true) => Some(true),
        Some(false) | None if !all_seen => None,
        // With nothing to go back to, everything is lost.
        Some(false) | None => Some(false),
    };
    RecoveryPointNow { by_backup_seconds: backup, by_log_seconds: log, seconds, held }
}

fn time(facts: &Facts) -> RecoveryTime {
    let within = |seconds: f64| seconds <= facts.objectives.rto_seconds as f64;
    let restores = facts.restores.iter().flatten();
    if let Some(restore) = restores.max_by_key(|restore| restore.timings.requested_at) {
        let seconds = restore.seconds();
        return RecoveryTime {
            seconds: Some(seconds),
            measured_by: Some(MeasuredBy::Restore),
            measured_at: Some(restore.timings.requested_at),
            held: Some(within(seconds)),
        };
    }
    let timed =
        facts.validations.iter().flatten().filter_map(|one| Some((one.validated_at, one.restore_seconds?)));
    match timed.max_by_key(|(validated_at, _)| *validated_at) {
        Some((validated_at, seconds)) => RecoveryTime {
            seconds: Some(seconds),
            measured_by: Some(MeasuredBy::Validation),
            measured_at: Some(validated_at),
            held: (!within(seconds)).then_some(false),
        },
        None => RecoveryTime { seconds: None, measured_by: None, measured_at: None, held: None },
    }
}
