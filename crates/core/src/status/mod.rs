//! How a database stands: its backups, their copies, what a loss would cost now, and a score with what it is made of.
//!
//! Measured means measured: a recovery time comes from a restore that was made, a recovery point from what is there.
//! What is not known is `None`, and never counts as held.

mod compliance;
mod facts;
mod recovery;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::doctor::{newest_valid, own};
use crate::health::NamedCause;
use crate::ids::{DatabaseId, Region};
use crate::objectives::{Importance, Objectives};
use crate::operation::seconds_between;
use crate::rds::Snapshot;
use crate::retention::{Backup, Proof};

pub use compliance::{Compliance, ENOUGH, Part, PartName, WEIGHTS};
pub use facts::{Facts, RestoreSeen, ValidationSeen};
pub use recovery::{MeasuredBy, Recovery, RecoveryPointNow, RecoveryTime};

/// Backups of Holdfast's that are complete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backups {
    /// In the Region of the database.
    pub total: usize,
    /// Of these, with data of the last 24 hours.
    pub last_24_hours: usize,
    /// Of these, found VALID.
    pub valid: usize,
    /// Copies in other Regions.
    pub cross_region: usize,
    /// Backups and copies that are encrypted.
    pub encrypted: usize,
    /// When the data of the oldest backup is from.
    pub oldest: Option<Timestamp>,
    /// When the data of the newest backup is from.
    pub newest: Option<Timestamp>,
}

/// What lies in one target Region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replication {
    /// The Region.
    pub region: Region,
    /// Complete copies there; `None` when the Region could not be looked at.
    pub copies: Option<usize>,
    /// When the data of the newest VALID copy is from.
    pub newest: Option<Timestamp>,
    /// Seconds since then.
    pub age_seconds: Option<f64>,
    /// Seconds by which it is older than the newest VALID backup at home.
    pub behind_seconds: Option<f64>,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unseen {
    /// Where.
    pub region: Region,
    /// Why.
    pub error: NamedCause,
}

/// How one database stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The database.
    pub database_id: DatabaseId,
    /// Where it lives.
    pub region: Region,
    /// Whether there is an instance of this name; `None` when that is not known.
    pub exists: Option<bool>,
    /// How much it matters.
    pub importance: Importance,
    /// What it is held to.
    pub objectives: Objectives,
    /// Its backups.
    pub backups: Backups,
    /// Their copies, by target Region.
    pub replication: Vec<Replication>,
    /// What a loss would cost now.
    pub recovery: Recovery,
    /// How well it is protected.
    pub compliance: Compliance,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

impl Status {
    /// Whether both objectives are held, as measured, and the score is enough. What is not known is not held.
    pub fn is_held(&self) -> bool {
        let held = |held: Option<bool>| held == Some(true);
        let is_gone = self.exists == Some(false);
        !is_gone
            && held(self.recovery.point.held)
            && held(self.recovery.time.held)
            && self.compliance.is_enough()
    }

    /// Whether home could be looked at: without it nothing else means anything.
    pub fn is_readable(&self) -> bool {
        !self.unseen.iter().any(|unseen| unseen.region == self.region)
    }
}

/// All databases together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// How many.
    pub databases: usize,
    /// How many hold their objectives and have a score that is enough.
    pub held: usize,
    /// Their backups.
    pub backups: Backups,
    /// The lowest score.
    pub lowest_score: Option<u32>,
}

/// Sums up.
pub fn total(all: &[Status]) -> Total {
    let backups = |of: fn(&Backups) -> usize| all.iter().map(|status| of(&status.backups)).sum();
    Total {
        databases: all.len(),
        held: all.iter().filter(|status| status.is_held()).count(),
        backups: Backups {
            total: backups(|one| one.total),
            last_24_hours: backups(|one| one.last_24_hours),
            valid: backups(|one| one.valid),
            cross_region: backups(|one| one.cross_region),
            encrypted: backups(|one| one.encrypted),
            oldest: all.iter().filter_map(|status| status.backups.oldest).min(),
            newest: all.iter().filter_map(|status| status.backups.newest).max(),
        },
        lowest_score: all.iter().map(|status| status.compliance.score).min(),
    }
}

/// Works out how a database stands.
pub fn assess(facts: &Facts) -> Status {
    let backups = backups(facts);
    let replication: Vec<Replication> =
        facts.targets.iter().map(|region| replication(facts, region)).collect();
    let recovery = recovery::measure(facts);
    let compliance = compliance::score(facts, &backups, &replication, &recovery);
    Status {
        database_id: facts.database.clone(),
        region: facts.home.clone(),
        exists: facts.encrypted.as_ref().ok().map(Option::is_some),
        importance: facts.importance,
        objectives: facts.objectives,
        backups,
        replication,
        recovery,
        compliance,
        unseen: facts.unseen(),
    }
}

fn encrypted(snapshots: &[Snapshot]) -> usize {
    let own = own(snapshots);
    own.iter().filter(|one| snapshots.iter().any(|it| it.arn == one.arn && it.encrypted)).count()
}

fn backups(facts: &Facts) -> Backups {
    let here: Vec<Backup> = own(facts.at_home());
    let times = || here.iter().filter_map(|backup| backup.taken_at);
    let day = SignedDuration::from_hours(24);
    // In whatever Region: the next copies may go to others than these did.
    let elsewhere = || {
        let regions = facts.snapshots.iter().filter(|(region, _)| **region != facts.home);
        regions.filter_map(|(_, seen)| seen.as_ref().ok())
    };
    Backups {
        total: here.len(),
        last_24_hours: times().filter(|taken_at| facts.now.duration_since(*taken_at) <= day).count(),
        valid: here.iter().filter(|backup| backup.proof == Proof::Valid).count(),
        cross_region: elsewhere().map(|snapshots| own(snapshots).len()).sum(),
        encrypted: encrypted(facts.at_home())
            + elsewhere().map(|snapshots| encrypted(snapshots)).sum::<usize>(),
        oldest: times().min(),
        newest: times().max(),
    }
}

fn replication(facts: &Facts, region: &Region) -> Replication {
    let there = facts.snapshots.get(region).and_then(|seen| seen.as_ref().ok());
    let newest = there.and_then(|there| newest_valid(there)?.taken_at);
    let home = newest_valid(facts.at_home()).and_then(|backup| backup.taken_at);
    Replication {
        region: region.clone(),
        copies: there.map(|there| own(there).len()),
        newest,
        age_seconds: newest.map(|newest| seconds_between(newest, facts.now)),
        behind_seconds: newest.zip(home).map(|(newest, home)| seconds_between(newest, home)),
    }
}
