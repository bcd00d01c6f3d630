//! The rules of docs/retention.md once more, backup by backup and as slowly as can be: no tables, no sorting.

use std::collections::BTreeSet;

use holdfast_core::rds::SnapshotStatus;
use holdfast_core::request::Tier;
use holdfast_core::retention::{Backup, Owner, Policy, Proof};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

fn label(format: &str, backup: &Backup) -> String {
    backup.taken_at.unwrap().to_zoned(TimeZone::UTC).strftime(format).to_string()
}

/// Whether the rules look at it at all.
fn counts(all: &[Backup], backup: &Backup, now: Timestamp) -> bool {
    matches!(backup.owner, Owner::Operation(_))
        && backup.status == SnapshotStatus::Available
        && backup.proof != Proof::Unknown
        && backup.taken_at.is_some_and(|taken_at| taken_at <= now)
        && all.iter().filter(|other| other.arn == backup.arn).count() == 1
}

fn is_newer(one: &Backup, other: &Backup) -> bool {
    one.taken_at > other.taken_at || one.taken_at == other.taken_at && one.arn > other.arn
}

/// 0 for what is proven, 2 for what is refused.
fn rank(backup: &Backup) -> u8 {
    match backup.proof {
        Proof::Valid => 0,
        Proof::Inconclusive | Proof::Unproven => 1,
        Proof::Invalid | Proof::Unknown => 2,
    }
}

/// Whether `backup` fills a slot of the rule that has `count` of them; `tiers` claim one.
fn fills(line: &[&Backup], backup: &Backup, count: u32, format: &str, tiers: &[Tier]) -> bool {
    let claims = |candidate: &Backup| tiers.contains(&candidate.tier);
    let period = label(format, backup);
    // An unproven backup counts what is unproven and what is proven, a proven one what is proven.
    let rivals = || line.iter().filter(|rival| rank(rival) <= rank(backup));
    let newer: BTreeSet<String> =
        rivals().map(|rival| label(format, rival)).filter(|other| *other > period).collect();
    let beaten = rivals().filter(|rival| label(format, rival) == period).any(|rival| {
        rank(rival) < rank(backup)
            || claims(rival) && !claims(backup)
            || claims(rival) == claims(backup) && is_newer(rival, backup)
    });
    rank(backup) < 2 && !beaten && newer.len() < count as usize
}

/// Whether `backup`, one of `all`, is kept.
pub fn keeps(all: &[Backup], backup: &Backup, policy: &Policy, now: Timestamp) -> bool {
    if !counts(all, backup, now) || backup.hold.is_some() || !backup.uses.is_empty() {
        return true;
    }
    let line: Vec<&Backup> = all
        .iter()
        .filter(|other| (&other.region, &other.database) == (&backup.region, &backup.database))
        .filter(|other| counts(all, other, now))
        .collect();
    let days = SignedDuration::from_hours(24 * i64::from(policy.inspection_days));
    if rank(backup) > 0 && backup.taken_at.unwrap() + days > now {
        return true;
    }
    let before = |other: &&&Backup| {
        rank(other) < rank(backup) || rank(other) == rank(backup) && is_newer(other, backup)
    };
    let ahead = line.iter().filter(before).count();
    if ahead == 0 && rank(backup) == 0 || ahead < policy.minimum as usize {
        return true;
    }
    use Tier::{Daily, Monthly, Weekly, Yearly};
    fills(&line, backup, policy.daily, "%Y-%m-%d", &[Daily, Weekly, Monthly, Yearly])
        || fills(&line, backup, policy.weekly, "%G-%V", &[Weekly, Monthly, Yearly])
        || fills(&line, backup, policy.monthly, "%Y-%m", &[Monthly, Yearly])
        || fills(&line, backup, policy.yearly, "%Y", &[Yearly])
}
