//! A year of backups, four a day in two Regions, pruned day by day: what is left, and why.

use holdfast_core::ids::Region;
use holdfast_core::retention::{Backup, Fate, Plan, Policy, Proof, decide};
use jiff::{SignedDuration, Timestamp};

use crate::support::{backup, deleted, kept, region, time};

const BEGIN: &str = "2026-01-01T00:00:00Z";

/// Four a day; every 50th is refused, every 45th comes to no end.
fn year(at: &Region) -> Vec<Backup> {
    let one = |n: usize| {
        let plain = backup(n, time(BEGIN) + SignedDuration::from_hours(6 * i64::try_from(n).unwrap()));
        let proof = match n {
            _ if n % 50 == 17 => Proof::Invalid,
            _ if n % 45 == 23 => Proof::Inconclusive,
            _ => Proof::Valid,
        };
        Backup { region: at.clone(), arn: plain.arn.replace("us-east-1", at.as_str()), proof, ..plain }
    };
    (0..1460).map(one).collect()
}

/// The decision of every midnight, carried out; what is left at the end.
fn day_by_day(backups: &[Backup], policy: &Policy) -> (Vec<Backup>, usize) {
    let (mut there, mut most): (Vec<Backup>, usize) = (vec![], 0);
    for day in 1..=365 {
        let now = time(BEGIN) + SignedDuration::from_hours(24 * day);
        let yesterday = now - SignedDuration::from_hours(24);
        there.extend(
            backups.iter().filter(|backup| (yesterday..now).contains(&backup.taken_at.unwrap())).cloned(),
        );
        most = most.max(there.len());
        let gone = deleted(&decide(&there, policy, now));
        there.retain(|backup| !gone.contains(&backup.arn));
    }
    (there, most)
}

#[test]
fn a_year_is_pruned_and_every_backup_explained() {
    let (policy, now) = (Policy::default(), time("2027-01-01T00:00:00Z"));
    let backups: Vec<Backup> = ["us-east-1", "us-west-2"].iter().flat_map(|at| year(&region(at))).collect();
    assert_eq!(backups.len(), 2920);
    let decision = decide(&backups, &policy, now);

    // Every one is in the plan once, with a sentence for each reason.
    let (entries, totals) = Plan::list(&decision);
    assert_eq!(entries.len(), 2920);
    assert_eq!(totals.keep + totals.delete, 2920);
    assert!(entries.iter().all(|entry| !entry.reasons.is_empty()));

    for at in ["us-east-1", "us-west-2"] {
        let of = |fate, code: &str| {
            let found = entries.iter().filter(|entry| {
                entry.region == region(at)
                    && entry.fate == fate
                    && (code.is_empty() || entry.reasons.iter().any(|reason| reason.code == code))
            });
            found.count()
        };
        // Proven backups fill every slot that a year has periods for.
        assert_eq!((of(Fate::Keep, "daily"), of(Fate::Keep, "weekly")), (7, 4));
        assert_eq!((of(Fate::Keep, "monthly"), of(Fate::Keep, "yearly")), (12, 1));
        assert_eq!((of(Fate::Keep, "newest-valid"), of(Fate::Keep, "minimum")), (1, 3));
        assert_eq!(of(Fate::Keep, "") + of(Fate::Delete, ""), 1460);
        println!("{at}: {} kept, {} deleted", of(Fate::Keep, ""), of(Fate::Delete, ""));
    }
    for entry in entries.iter().filter(|entry| entry.region == region("us-east-1")).take(16) {
        let why: Vec<&str> = entry.reasons.iter().map(|reason| reason.text.as_str()).collect();
        println!("{:?} {} {:?}: {}", entry.taken_at.unwrap(), entry.verdict, entry.fate, why.join("; "));
    }
}

#[test]
fn pruned_day_by_day_it_keeps_what_pruning_once_at_the_end_would_and_never_grows() {
    let (policy, now) = (Policy::default(), time("2027-01-01T00:00:00Z"));
    let backups = year(&region("us-east-1"));
    let (there, most) = day_by_day(&backups, &policy);
    assert_eq!(kept(&decide(&there, &policy, now)), kept(&decide(&backups, &policy, now)));
    // 7 + 4 + 12 + 1 slots, some of them filled by one backup; the last day's, and what can be looked at.
    println!("{} left, never more than {most}", there.len());
    assert!(most <= 7 + 4 + 12 + 1 + 4 + 6, "{most}");
}

#[test]
fn when_backups_stop_nothing_more_is_lost() {
    let policy = Policy::default();
    let (there, _) = day_by_day(&year(&region("us-east-1")), &policy);
    let proven = |backups: &[Backup]| {
        backups
            .iter()
            .filter(|backup| backup.proof == Proof::Valid)
            .map(|backup| backup.arn.clone())
            .collect::<Vec<_>>()
    };
    for later in ["2027-06-01T00:00:00Z", "2036-01-01T00:00:00Z"] {
        let now: Timestamp = time(later);
        let gone = deleted(&decide(&there, &policy, now));
        let left: Vec<Backup> = there.iter().filter(|backup| !gone.contains(&backup.arn)).cloned().collect();
        assert_eq!(proven(&left), proven(&there), "{later}");
    }
}
