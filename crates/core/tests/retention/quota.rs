//! The quota of manual snapshots: the day it is reached, and when that is said.

use holdfast_core::health::Quota;
use holdfast_core::retention::{Action, Backup, Forecast, Policy, Proof, decide, forecast};
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
    assert!(full_at > now() + SignedDuration::from_hours(24 * 4), "{full_at}");
    let on = full_at.strftime("%Y-%m-%d").to_string();
    assert_eq!(
        seen.warning.unwrap(),
        format!(
            "there are 92 manual snapshots of 100 allowed in us-east-1; as backups go on and are pruned, it is full on {on}"
        )
    );
}

/// How many there are once `days` have passed with these backups on each of them, pruned at the end of each; counted
/// before the last one is.
fn lived_through(each: usize, proof: &Proof, policy: &Policy, days: i64) -> i64 {
    let (mut there, mut before): (Vec<Backup>, usize) = (vec![], 0);
    for day in 1..=days {
        let end = now() + SignedDuration::from_hours(24 * day);
        for n in 0..each {
            let hours = i64::try_from(n * 24 / each).unwrap();
            let number = usize::try_from(day).unwrap() * 100 + n;
            let taken = backup(number, end - SignedDuration::from_hours(hours));
            there.push(Backup { proof: proof.clone(), ..taken });
        }
        before = there.len();
        there = decide(&there, policy, end).keep.into_iter().map(|kept| kept.backup).collect();
    }
    i64::try_from(before).unwrap()
}

#[test]
fn what_is_kept_of_a_database_is_looked_ahead_by_its_own_proof_and_pace() {
    // GIVEN a database that is backed up some times a day, and what a year of that comes to
    for (each, proof) in [
        (1, Proof::Valid),
        (4, Proof::Valid),
        (1, Proof::Unproven),
        (4, Proof::Unproven),
        (4, Proof::Invalid),
    ] {
        let real = lived_through(each, &proof, &Policy::default(), 366);
        // WHEN only its last ten days are known, THEN the forecast comes to the same
        let hours = |n: usize| SignedDuration::from_hours(i64::try_from(n * 24 / each).unwrap());
        let known: Vec<Backup> =
            (0..10 * each).map(|n| Backup { proof: proof.clone(), ..backup(n, now() - hours(n)) }).collect();
        let seen = look(&known, 0, 1000, Action::Delete).in_a_year.unwrap();
        assert!((real - 3..=real + 3).contains(&seen), "{each} {proof} a day: {seen}, not {real}");
        // AND so it does where older days are pruned already
        let kept = decide(&known, &Policy::default(), now()).keep;
        let known: Vec<Backup> = kept.into_iter().map(|kept| kept.backup).collect();
        let seen = look(&known, 0, 1000, Action::Delete).in_a_year.unwrap();
        assert!((real - 3..=real + 3).contains(&seen), "pruned, {each} {proof} a day: {seen}, not {real}");
    }
    // Unproven, every one stays to be looked at: more than twice as many as of one that is proven.
    let times = |proof| lived_through(4, &proof, &Policy::default(), 366);
    assert!(times(Proof::Unproven) > times(Proof::Valid) + 15);
}

#[test]
fn a_database_that_is_backed_up_once_a_week_goes_on_once_a_week() {
    let weekly: Vec<Backup> = (0..4)
        .map(|n| {
            let back = SignedDuration::from_hours(24 * 7 * i64::try_from(n).unwrap());
            backup(n, now() - back)
        })
        .collect();
    let policy = Policy { daily: 1000, ..Policy::default() };
    let quota = Quota { used: 4, max: 1000 };
    let seen = forecast(&region("us-east-1"), quota, &weekly, &policy.into(), Action::Delete, now());
    assert!((54..=58).contains(&seen.in_a_year.unwrap()), "{seen:?}");
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
