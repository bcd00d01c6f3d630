//! The backups that are there: age, proof, copies, who else can read them, tags.

use jiff::Timestamp;

use super::{At, Check, Facts, Notes, RegionFacts, age};
use crate::cron::Cron;
use crate::ids::Region;
use crate::operation::seconds_between;
use crate::rds::{Snapshot, SnapshotStatus};
use crate::retention::{Backup, Owner, Proof};

/// A backup older than this is warned of when no schedule says how often there is one (requirement K2).
const OLD_SECONDS: f64 = 12.0 * 3600.0;
/// What a backup may take beyond its interval before it counts as late.
const LATE_SECONDS: f64 = 3600.0;
/// Who may restore a snapshot that everybody may restore.
const EVERYBODY: &str = "all";

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    if let Err(error) = &facts.targets_seen {
        notes.unknown(At { check: Check::Copy, region: &facts.home }, "target Regions", error);
    }
    for (region, found) in &facts.regions {
        sharing(region, found, notes);
        match &found.snapshots {
            Err(error) => {
                for check in [Check::BackupAge, Check::BackupProof, Check::Copy, Check::Tags] {
                    let is_homes = matches!(check, Check::BackupAge | Check::BackupProof);
                    if check == Check::Tags || is_homes == (region == &facts.home) {
                        notes.unknown(At { check, region }, facts.database.as_str(), error);
                    }
                }
            }
            Ok(snapshots) => {
                tags(region, snapshots, notes);
                if region == &facts.home {
                    newest_age(facts, snapshots, notes);
                    proof(facts, snapshots, notes);
                } else {
                    copies(facts, region, snapshots, notes);
                }
            }
        }
    }
}

/// Backups of Holdfast's that are complete, the newest last.
pub fn own(snapshots: &[Snapshot]) -> Vec<Backup> {
    let mut all: Vec<Backup> = snapshots
        .iter()
        .map(|snapshot| Backup::new(snapshot, vec![]))
        .filter(|backup| backup.is_ours() && backup.status == SnapshotStatus::Available)
        .collect();
    all.sort_by_key(|backup| (backup.taken_at, backup.id.clone()));
    all
}

/// The newest backup that a restore would take.
pub fn newest_valid(snapshots: &[Snapshot]) -> Option<Backup> {
    own(snapshots).into_iter().rfind(|backup| backup.proof == Proof::Valid)
}

/// How old the newest backup may be, in seconds, when there is one every `interval_seconds`; without a schedule that says how
/// often, 12 hours (requirement K2).
pub fn backup_limit_seconds(interval_seconds: Option<f64>) -> f64 {
    interval_seconds.map_or(OLD_SECONDS, |interval| interval + LATE_SECONDS)
}

/// Seconds between two backups by a schedule, where its expression says so: `rate(6 hours)`; of `cron(...)` the longest.
pub fn interval_seconds(expression: &str) -> Option<f64> {
    if expression.starts_with("cron(") {
        return Cron::parse(expression).ok()?.longest_gap().map(|gap| gap.as_secs_f64());
    }
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let unit = match unit.trim().trim_end_matches('s') {
        "minute" => 60.0,
        "hour" => 3600.0,
        "day" => 86_400.0,
        _ => return None,
    };
    Some(f64::from(number.parse::<u32>().ok()?) * unit)
}

/// How old the newest backup may be, and by what rule.
fn limit(facts: &Facts) -> (f64, String) {
    let schedules = facts.schedules.iter().flatten();
    let interval = schedules
        .filter_map(|schedule| schedule.times.interval_seconds(facts.now))
        .reduce(|one, other| one.min(other));
    let rule = match interval {
        Some(interval) => format!("its schedule starts one every {}", age(interval)),
        None => "12 h are allowed where no schedule gives a rate".to_owned(),
    };
    (backup_limit_seconds(interval), rule)
}

fn seconds_old(taken_at: Option<Timestamp>, now: Timestamp) -> Option<f64> {
    taken_at.map(|taken_at| seconds_between(taken_at, now))
}

fn newest_age(facts: &Facts, snapshots: &[Snapshot], notes: &mut Notes) {
    let at = At { check: Check::BackupAge, region: &facts.home };
    let Some(newest) = own(snapshots).pop() else {
        return notes.fails(
            at,
            facts.database.as_str(),
            "a restore fails: there is no backup of Holdfast's",
            "take one (holdfast backup create)",
        );
    };
    let (limit, rule) = limit(facts);
    match seconds_old(newest.taken_at, facts.now) {
        Some(seconds) if seconds <= limit => notes.good(at, &newest.id, format!("{} old", age(seconds))),
        Some(seconds) => notes.warns(
            at,
            &newest.id,
            format!("the newest backup is {} old, and {rule}: a restore loses that much", age(seconds)),
            "see why the last runs failed or did not begin (holdfast ops list)",
        ),
        None => notes.warns(
            at,
            &newest.id,
            "RDS does not say when the newest backup was taken",
            "look at the snapshot (holdfast points)",
        ),
    }
}

fn proof(facts: &Facts, snapshots: &[Snapshot], notes: &mut Notes) {
    let at = At { check: Check::BackupProof, region: &facts.home };
    let own = own(snapshots);
    let Some(newest) = own.last() else { return };
    match own.iter().rfind(|backup| backup.proof == Proof::Valid) {
        None => notes.fails(
            at,
            &newest.id,
            format!(
                "a restore from the newest proven backup fails: none is VALID, the newest is {} (its log is another way, where there is one: --latest)",
                newest.proof
            ),
            "see its report (holdfast backup report), and take one that is validated",
        ),
        Some(valid) if valid.id == newest.id => notes.good(at, &newest.id, "VALID"),
        Some(valid) => notes.warns(
            at,
            &newest.id,
            format!("the newest backup is {}: a restore takes {} instead", newest.proof, valid.id),
            "see its report (holdfast backup report)",
        ),
    }
}

fn copies(facts: &Facts, region: &Region, snapshots: &[Snapshot], notes: &mut Notes) {
    let at = At { check: Check::Copy, region };
    let subject = facts.database.as_str();
    let Some(copy) = newest_valid(snapshots) else {
        return notes.fails(
            at,
            subject,
            format!(
                "once {} is lost, nothing can be restored: there is no proven copy in {region}",
                facts.home
            ),
            "see why the last copy failed (holdfast ops describe), and take a backup",
        );
    };
    let home = facts.regions.get(&facts.home).and_then(|home| home.snapshots.as_ref().ok());
    // When home was not asked for, or cannot be seen, the copy is held against nothing; the check of home says so.
    let Some(newest) = home.and_then(|snapshots| newest_valid(snapshots)) else {
        return notes.good(at, &copy.id, format!("{} old", said(copy.taken_at, facts.now)));
    };
    if copy.taken_at >= newest.taken_at {
        return notes.good(at, &copy.id, "as new as home's newest proven backup");
    }
    let on_its_way = snapshots
        .iter()
        .any(|snapshot| snapshot.id == newest.id && snapshot.status == SnapshotStatus::Creating);
    if on_its_way {
        return notes.good(at, &newest.id, "on its way");
    }
    let behind = match (copy.taken_at, newest.taken_at) {
        (Some(copy), Some(newest)) => age(seconds_between(copy, newest)),
        _ => "an unknown time".to_owned(),
    };
    notes.warns(
        at,
        &newest.id,
        format!(
            "this backup has no copy in {region}: the newest there is {}, {behind} older; a loss of {} costs that much more",
            copy.id, facts.home
        ),
        "see whether one was asked for, and why it failed (holdfast ops describe); holdfast replicate copies it now",
    );
}

fn said(taken_at: Option<Timestamp>, now: Timestamp) -> String {
    seconds_old(taken_at, now).map_or_else(|| "nobody knows how".to_owned(), age)
}

fn sharing(region: &Region, found: &RegionFacts, notes: &mut Notes) {
    let at = At { check: Check::Sharing, region };
    for shared in &found.shared {
        match &shared.accounts {
            Err(error) => notes.unknown(at, &shared.snapshot_id, error),
            Ok(accounts) if accounts.is_empty() => notes.good(at, &shared.snapshot_id, "this account only"),
            Ok(accounts) if accounts.iter().any(|account| account == EVERYBODY) => notes.fails(
                at,
                &shared.snapshot_id,
                "the snapshot is public: every AWS account can restore and read it",
                "make it private at once (rds:ModifyDBSnapshotAttribute, values to remove: all), and treat its data as known",
            ),
            Ok(accounts) => notes.warns(
                at,
                &shared.snapshot_id,
                format!("other accounts can restore and read the snapshot: {}", accounts.join(", ")),
                "take them out (rds:ModifyDBSnapshotAttribute) when they should not",
            ),
        }
    }
}

fn tags(region: &Region, snapshots: &[Snapshot], notes: &mut Notes) {
    let at = At { check: Check::Tags, region };
    for snapshot in snapshots {
        let backup = Backup::new(snapshot, vec![]);
        match &backup.owner {
            Owner::Nobody if !snapshot.id.starts_with("holdfast-") => {}
            Owner::Nobody => notes.warns(
                at,
                &snapshot.id,
                format!(
                    "it is named like a backup and has no readable tag {}: it is not restored from, not counted and not pruned",
                    crate::tags::OPERATION
                ),
                format!(
                    "set the tag {} to {} when it is a backup; rename the snapshot when it is not",
                    crate::tags::OPERATION,
                    snapshot.id.trim_start_matches("holdfast-")
                ),
            ),
            Owner::Renamed(operation) => notes.warns(
                at,
                &snapshot.id,
                format!("it has the tag of {operation} and another name: it is not counted and not pruned"),
                "take its holdfast tags away, or delete it when nobody needs it",
            ),
            Owner::Operation(_) if backup.proof == Proof::Unknown => notes.warns(
                at,
                &snapshot.id,
                format!(
                    "it has no readable tag {}: it is not restored from unless somebody names it",
                    crate::tags::VERDICT
                ),
                "validate it again (workflow backup-validation)",
            ),
            Owner::Operation(_) => notes.good(at, &snapshot.id, backup.proof.as_str()),
        }
    }
}
