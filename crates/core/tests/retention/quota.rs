//! The quota of manual snapshots: the day it is reached, and when that is said.

use holdfast_core::health::Quota;
use holdfast_core::retention::{Action, Backup, Forecast, Policy, forecast};
use jiff::{SignedDuration, Timestamp};

use crate::support::{backup, region, time};

fn now() -> Timestamp {
    time("2026-11-20T12:00:00Z")
}

/// Four a day over the last `days`.
fn four_a_day(days: usize) -> Vec<Backup> {
    let back = |n: usize| now() - SignedDuration::from_hours(6 * i64::try_from(n).unwrap());
    (0..4 * days).map(|n| backup(n, back(n))).collect()
}

fn look(ours: &[Backup], others: i64, max: i64, pruning: Action) -> Forecast {
    let used = others + i64::try_from(ours.len()).unwrap();
    forecast(&region("us-east-1"), Quota { used, max }, ours, &Policy::default().into(), pruning, now())
}

#[test]
fn without_pruning_the_day_is_when_the_room_is_used_up() {
    // GIVEN ten days of four a day, and room for forty more
    let seen = look(&four_a_day(10), 20, 100, Action::Plan);
    assert_eq!((seen.used, seen.per_day, seen.in_a_year), (60, 4.0, None));
    // THEN ten days are left, and that is said
    assert_eq!(seen.full_at, Some(now() + SignedDuration::from_hours(240)));
    assert_eq!(
        seen.warning.unwrap(),
        "there are 60 manual snapshots of 100 allowed in us-east-1; at 4.0 a day and with nothing deleted, it is full on \
         2026-11-30"
    );
    // GIVEN room for a year, THEN the day is known and nobody is bothered
    let seen = look(&four_a_day(10), 20, 1600, Action::Plan);
    assert!(seen.full_at.is_some() && seen.warning.is_none(), "{seen:?}");
}

#[test]
fn with_pruning_it_levels_off() {
    let seen = look(&four_a_day(10), 20, 100, Action::Delete);
    assert_eq!((seen.full_at, seen.warning), (None, None));
    // 20 of others, 7 days, 4 weeks, 12 months and 2 years, some of them at once, and the last day's.
    assert!((40..=51).contains(&seen.in_a_year.unwrap()), "{:?}", seen.in_a_year);
    // Even where it is nearly full at this moment; that is said, because nothing has been pruned yet.
    let seen = look(&four_a_day(10), 58, 100, Action::Delete);
    assert_eq!(
        seen.warning.unwrap(),
        "there are 98 manual snapshots of 100 allowed in us-east-1, that is 98 %"
    );
    // Too little room for what the rules keep: the day is named before it comes.
    let seen = look(&four_a_day(1), 88, 100, Action::Delete);
    let full_at = seen.full_at.unwrap();
    assert!(full_at > now() + SignedDuration::from_hours(24 * 7), "{full_at}");
    let on = full_at.strftime("%Y-%m-%d").to_string();
    assert_eq!(
        seen.warning.unwrap(),
        format!(
            "there are 92 manual snapshots of 100 allowed in us-east-1; as backups go on and are pruned, it is full on {on}"
        )
    );
}

#[test]
fn a_quota_that_is_nearly_used_up_is_said_whatever_comes() {
    let seen = look(&[], 90, 100, Action::Delete);
    assert_eq!(
        seen.warning.unwrap(),
        "there are 90 manual snapshots of 100 allowed in us-east-1, that is 90 %"
    );
    assert_eq!(look(&[], 89, 100, Action::Delete).warning, None);
    let seen = look(&[], 100, 100, Action::Delete);
    assert_eq!(seen.full_at, Some(now()));
    assert!(seen.warning.unwrap().contains("nothing more can be backed up"));
}
