//! Room for more snapshots, for more instances and for their storage.

use super::{At, Check, Facts, Notes, Quotas, RegionFacts, newest_valid};
use crate::ids::Region;

/// A quota of which this much is used is warned of, in percent; as the forecast of snapshots does.
const WARN_PERCENT: i64 = 90;

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    for (region, found) in &facts.regions {
        let at = |check| At { check, region };
        match &found.quotas {
            Err(error) => {
                notes.unknown(at(Check::SnapshotQuota), "manual snapshots", error);
                notes.unknown(at(Check::InstanceQuota), "DB instances", error);
                notes.unknown(at(Check::StorageQuota), "storage", error);
            }
            Ok(quotas) => {
                snapshots(at(Check::SnapshotQuota), quotas, notes);
                instances(at(Check::InstanceQuota), quotas, notes);
                storage(at(Check::StorageQuota), quotas, needed_gib(facts, region, found), notes);
            }
        }
    }
}

fn unsaid(at: At<'_>, subject: &str, notes: &mut Notes) {
    let error = crate::Error::new(crate::ErrorKind::Internal, "RDS does not say how many are allowed");
    notes.unknown(at, subject, &error);
}

fn snapshots(at: At<'_>, quotas: &Quotas, notes: &mut Notes) {
    let subject = "manual snapshots";
    let advice = "prune (holdfast prune), or raise the quota in Service Quotas";
    let Some(forecast) = &quotas.snapshots else { return unsaid(at, subject, notes) };
    let (used, max) = (forecast.used, forecast.max);
    match &forecast.warning {
        _ if used >= max => {
            let what = format!(
                "the next backup or copy there fails with SnapshotQuotaExceeded: {used} of {max} are used"
            );
            notes.fails(at, subject, what, advice);
        }
        Some(warning) => notes.warns(at, subject, warning.clone(), advice),
        None => notes.good(at, subject, format!("{used} of {max} used, room for {}", max - used)),
    }
}

fn instances(at: At<'_>, quotas: &Quotas, notes: &mut Notes) {
    let subject = "DB instances";
    let Some(quota) = quotas.instances else { return unsaid(at, subject, notes) };
    let used = format!("{} of {} are used", quota.used, quota.max);
    if quota.used >= quota.max {
        let what = format!("validations and restores there fail with InstanceQuotaExceeded: {used}");
        notes.fails(at, subject, what, "raise the quota in Service Quotas, or delete instances");
    } else if is_nearly_full(quota.used, quota.max) {
        let what = format!("hardly any restore has room there: {used}");
        notes.warns(at, subject, what, "raise the quota in Service Quotas");
    } else {
        let room = quota.max - quota.used;
        notes.good(at, subject, format!("{} of {} used, room for {room}", quota.used, quota.max));
    }
}

fn is_nearly_full(used: i64, max: i64) -> bool {
    100 * used / max.max(1) >= WARN_PERCENT
}

/// What one restore takes there: as much as the database has now, or had when its newest proven backup was taken.
fn needed_gib(facts: &Facts, region: &Region, found: &RegionFacts) -> i64 {
    let live = facts.source.iter().flatten().map(|live| live.blueprint.allocated_gib);
    let there = || {
        let all = found.snapshots.as_ref().ok()?;
        let newest = newest_valid(all)?;
        all.iter().find(|snapshot| snapshot.arn == newest.arn).map(|snapshot| snapshot.size_gib)
    };
    let live = live.filter(|_| *region == facts.home || there().is_none());
    i64::from(live.chain(there()).max().unwrap_or(0))
}

/// A validation takes as much as a restore does, and may be under way when one is needed.
fn storage(at: At<'_>, quotas: &Quotas, each: i64, notes: &mut Notes) {
    let subject = "storage";
    let Some(quota) = quotas.storage else { return unsaid(at, subject, notes) };
    let used = format!("{} of {} GiB are used", quota.used, quota.max);
    let room = quota.max - quota.used;
    let advice = "raise the quota of storage in Service Quotas, or delete instances";
    if room < each.max(1) {
        let what = format!(
            "validations and restores there fail with InstanceQuotaExceeded (of RDS: StorageQuotaExceeded): each takes {each} GiB, and {used}"
        );
        notes.fails(at, subject, what, advice);
    } else if room < 2 * each || is_nearly_full(quota.used, quota.max) {
        let what = format!(
            "hardly any restore has room there, and none beside a validation: each takes {each} GiB, and {used}"
        );
        notes.warns(at, subject, what, advice);
    } else {
        let how =
            format!("{} of {} GiB used, room for {room}; a restore takes {each}", quota.used, quota.max);
        notes.good(at, subject, how);
    }
}
