//! The score, and what it is made of.

use serde::{Deserialize, Serialize};

use super::{Backups, Facts, Recovery, Replication};
use crate::doctor::newest_valid;
use crate::operation::seconds_between;

/// A lower score is a warning (requirement K2), in percent.
pub const ENOUGH: u32 = 80;

/// One part of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartName {
    /// A backup that was found VALID, no older than the schedule lets it be.
    ProvenBackup,
    /// Every target Region has a VALID copy, and there is a target Region.
    CopyElsewhere,
    /// No more would be lost than the objective allows.
    RecoveryPoint,
    /// A restore was made, and was within the objective.
    RecoveryTime,
    /// The database, its backups and its copies are encrypted.
    Encrypted,
    /// No backup or copy is public.
    NotPublic,
    /// As many proven backups as retention leaves in any case.
    Retention,
}

/// What each part is worth; together 100.
pub const WEIGHTS: [(PartName, u32); 7] = [
    (PartName::ProvenBackup, 25),
    (PartName::CopyElsewhere, 20),
    (PartName::RecoveryPoint, 15),
    (PartName::RecoveryTime, 15),
    (PartName::Encrypted, 10),
    (PartName::NotPublic, 10),
    (PartName::Retention, 5),
];

/// One part, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Which.
    pub name: PartName,
    /// What it is worth.
    pub weight: u32,
    /// Whether it is held; `None` when it is not known, which is worth nothing.
    pub held: Option<bool>,
    /// Why.
    pub why: String,
}

/// The score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compliance {
    /// 0 to 100: the weights of the parts that are held.
    pub score: u32,
    /// Every part.
    pub parts: Vec<Part>,
}

impl Compliance {
    /// Whether the score is [`ENOUGH`].
    pub fn is_enough(&self) -> bool {
        self.score >= ENOUGH
    }
}

pub(super) fn score(
    facts: &Facts,
    backups: &Backups,
    replication: &[Replication],
    recovery: &Recovery,
) -> Compliance {
    let parts: Vec<Part> = WEIGHTS
        .into_iter()
        .map(|(name, weight)| {
            let (held, why) = match name {
                PartName::ProvenBackup => proven_backup(facts),
                PartName::CopyElsewhere => copy_elsewhere(facts, replication),
                PartName::RecoveryPoint => objective(recovery.point.held, "what would be lost"),
                PartName::RecoveryTime => match (recovery.time.held, recovery.time.measured_by) {
                    (None, _) => {
                        (None, "no restore was measured yet: make one (holdfast restore --target)".to_owned())
                    }
                    (held, _) => objective(held, "the measured time to be back"),
                },
                PartName::Encrypted => encrypted(facts, backups),
                PartName::NotPublic => not_public(facts, backups),
                PartName::Retention => retention(facts, backups),
            };
            Part { name, weight, held, why }
        })
        .collect();
    let score = parts.iter().filter(|part| part.held == Some(true)).map(|part| part.weight).sum();
    Compliance { score, parts }
}

fn objective(held: Option<bool>, what: &str) -> (Option<bool>, String) {
    let why = match held {
        Some(true) => format!("{what} is within the objective"),
        Some(false) => format!("{what} is more than the objective allows"),
        None => format!("{what} is not known"),
    };
    (held, why)
}

fn home_seen(facts: &Facts) -> bool {
    matches!(facts.snapshots.get(&facts.home), Some(Ok(_)))
}

fn proven_backup(facts: &Facts) -> (Option<bool>, String) {
    if !home_seen(facts) {
        return (None, "the backups could not be looked at".to_owned());
    }
    let Some(taken_at) = newest_valid(facts.at_home()).and_then(|backup| backup.taken_at) else {
        return (Some(false), "no backup is VALID".to_owned());
    };
    let held = seconds_between(taken_at, facts.now) <= facts.limit_seconds();
    let why = if held { "the newest VALID backup is in time" } else { "the newest VALID backup is too old" };
    (Some(held), why.to_owned())
}

fn copy_elsewhere(facts: &Facts, replication: &[Replication]) -> (Option<bool>, String) {
    if facts.targets_seen.is_err() {
        return (None, "the target Regions are not known".to_owned());
    }
    if replication.is_empty() {
        return (Some(false), "it is copied nowhere".to_owned());
    }
    if let Some(unseen) = replication.iter().find(|one| one.copies.is_none()) {
        return (None, format!("{} could not be looked at", unseen.region));
    }
    // One backup behind is one whose copy is on its way.
    let limit = facts.limit_seconds();
    let late = |one: &&Replication| one.behind_seconds.is_none_or(|behind| behind > limit);
    match replication.iter().find(late) {
        None => (Some(true), "every target Region has a VALID copy in time".to_owned()),
        Some(late) if late.newest.is_none() => (Some(false), format!("{} has no VALID copy", late.region)),
        Some(late) => (Some(false), format!("the newest VALID copy in {} is too far behind", late.region)),
    }
}

fn encrypted(facts: &Facts, backups: &Backups) -> (Option<bool>, String) {
    let all = backups.total + backups.cross_region;
    if backups.encrypted < all {
        return (
            Some(false),
            format!("{} of {all} backups and copies are not encrypted", all - backups.encrypted),
        );
    }
    match &facts.encrypted {
        Ok(None) if all == 0 => (None, "there is neither the database nor a backup".to_owned()),
        Ok(Some(false)) => (Some(false), "the database is not encrypted".to_owned()),
        Ok(Some(true) | None) if facts.snapshots.values().all(Result::is_ok) => {
            (Some(true), "everything is encrypted".to_owned())
        }
        Ok(_) | Err(_) => (None, "not everything could be looked at".to_owned()),
    }
}

fn not_public(facts: &Facts, backups: &Backups) -> (Option<bool>, String) {
    let all = || facts.shared.values().flatten();
    let public = |accounts: &Vec<String>| accounts.iter().any(|account| account == "all");
    if let Some(one) = all().find(|one| one.accounts.as_ref().is_ok_and(public)) {
        return (Some(false), format!("{} is public", one.snapshot_id));
    }
    let seen = all().all(|one| one.accounts.is_ok()) && facts.snapshots.values().all(Result::is_ok);
    if !seen {
        return (None, "not every snapshot could be looked at".to_owned());
    }
    if backups.total + backups.cross_region == 0 {
        return (None, "there is no backup".to_owned());
    }
    (Some(true), "no backup or copy is public".to_owned())
}

fn retention(facts: &Facts, backups: &Backups) -> (Option<bool>, String) {
    if !home_seen(facts) {
        return (None, "the backups could not be looked at".to_owned());
    }
    let why = format!("VALID backups: {} there, {} wanted", backups.valid, facts.minimum);
    (Some(backups.valid >= facts.minimum as usize), why)
}
