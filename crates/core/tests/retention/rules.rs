//! Each rule by an example, with its sentence.

use holdfast_core::rds::SnapshotStatus;
use holdfast_core::request::Tier;
use holdfast_core::retention::{Backup, Owner, Policy, Proof, decide};
use jiff::Timestamp;

use crate::support::{backup, deleted, region, time, why};

fn now() -> Timestamp {
    time("2026-11-20T12:00:00Z")
}

/// Keeps two days, and one backup in any case; refused ones for three days.
fn two_days() -> Policy {
    Policy { daily: 2, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspection_days: 3 }
}

fn all(times: &[&str]) -> Vec<Backup> {
    times.iter().enumerate().map(|(n, at)| backup(n, time(at))).collect()
}

#[test]
fn of_each_day_the_newest_is_kept_and_days_without_a_backup_do_not_count() {
    let backups = all(&[
        "2026-11-20T06:00:00Z",
        "2026-11-20T00:00:00Z",
        "2026-10-01T18:00:00Z",
        "2026-10-01T06:00:00Z",
        "2026-09-30T06:00:00Z",
    ]);
    let decision = decide(&backups, &two_days(), now());
    assert_eq!(why(&decision, &backups[0]).unwrap(), ["newest-valid", "daily", "minimum"]);
    assert_eq!(why(&decision, &backups[2]).unwrap(), ["daily"]);
    let sentences: Vec<String> = decision.delete.iter().map(|deleted| deleted.reason.to_string()).collect();
    assert_eq!(
        sentences,
        [
            "VALID, and fills no slot: day 2026-11-20 keeps the one of 2026-11-20T06:00Z",
            "VALID, and fills no slot: day 2026-10-01 keeps the one of 2026-10-01T18:00Z",
            "VALID, and fills no slot: day 2026-09-30 is past the newest 2 days",
        ]
    );
}

#[test]
fn rules_that_say_the_same_are_named_together() {
    let backups = all(&["2026-11-20T06:00:00Z", "2026-11-20T00:00:00Z", "2026-11-16T00:00:00Z"]);
    let policy = Policy { daily: 1, weekly: 4, monthly: 1, yearly: 1, ..two_days() };
    let decision = decide(&backups, &policy, now());
    let sentences: Vec<String> = decision.delete.iter().map(|deleted| deleted.reason.to_string()).collect();
    assert_eq!(
        sentences,
        [
            "VALID, and fills no slot: day 2026-11-20, week 2026-W47, month 2026-11 and year 2026 keep the one of \
             2026-11-20T06:00Z",
            "VALID, and fills no slot: day 2026-11-16 is past the newest day; week 2026-W47, month 2026-11 and \
             year 2026 keep the one of 2026-11-20T06:00Z",
        ]
    );
}

#[test]
fn a_kept_backup_says_until_when() {
    let backups = all(&["2026-11-20T06:00:00Z", "2026-11-19T06:00:00Z"]);
    let decision = decide(&backups, &two_days(), now());
    let until: Vec<_> = decision.keep.iter().map(|kept| kept.until.unwrap()).collect();
    assert_eq!(until, [time("2026-11-22T00:00:00Z"), time("2026-11-21T00:00:00Z")]);
    // And goes then, when every day had its backup.
    let mut later = backups.clone();
    later.push(backup(7, time("2026-11-21T00:00:00Z")));
    assert_eq!(
        deleted(&decide(&later, &two_days(), time("2026-11-21T00:00:00Z"))),
        [backups[1].arn.clone()].into()
    );
}

#[test]
fn what_is_not_proven_stands_in_only_where_nothing_is_proven() {
    // GIVEN two days with a proven backup, and a newer one without
    let mut backups = all(&[
        "2026-11-12T06:00:00Z",
        "2026-11-11T06:00:00Z",
        "2026-11-11T18:00:00Z",
        "2026-11-13T06:00:00Z",
        "2026-11-13T09:00:00Z",
    ]);
    for (n, proof) in [(2, Proof::Unproven), (3, Proof::Inconclusive), (4, Proof::Invalid)] {
        backups[n].proof = proof;
    }
    let decision = decide(&backups, &two_days(), now());
    // THEN both proven ones stay, and the unproven one of the third day, though there are two slots
    assert_eq!(why(&decision, &backups[0]).unwrap(), ["newest-valid", "daily", "minimum"]);
    assert_eq!(why(&decision, &backups[1]).unwrap(), ["daily"]);
    assert_eq!(why(&decision, &backups[3]).unwrap(), ["daily"]);
    let stands_in = decision.keep.iter().find(|kept| kept.backup.arn == backups[3].arn).unwrap();
    assert_eq!(
        stands_in.reasons[0].to_string(),
        "daily: day 2026-11-13 has no validated backup; this one stands in"
    );
    // AND the others go: one beside a proven one, one that was refused
    let sentences: Vec<String> = decision.delete.iter().map(|deleted| deleted.reason.to_string()).collect();
    assert_eq!(
        sentences,
        [
            "INVALID: a refused backup fills no slot; its time to be looked at ended 2026-11-16T09:00Z",
            "UNPROVEN, and fills no slot: day 2026-11-11 keeps the one of 2026-11-11T06:00Z; \
             its time to be looked at ended 2026-11-14T18:00Z",
        ]
    );
}

#[test]
fn a_refused_backup_can_be_looked_at_for_some_days_and_is_never_the_newest_validated() {
    let mut backups = all(&[
        "2026-11-20T06:00:00Z",
        "2026-11-17T12:00:01Z",
        "2026-11-17T12:00:00Z",
        "2026-11-01T00:00:00Z",
    ]);
    for refused in &mut backups[..3] {
        refused.proof = Proof::Invalid;
    }
    let decision = decide(&backups, &two_days(), now());
    assert_eq!(why(&decision, &backups[0]).unwrap(), ["inspection"]);
    assert_eq!(why(&decision, &backups[1]).unwrap(), ["inspection"]);
    assert_eq!(why(&decision, &backups[2]), None);
    assert_eq!(why(&decision, &backups[3]).unwrap(), ["newest-valid", "daily", "minimum"]);
}

#[test]
fn a_database_without_a_proven_backup_keeps_the_minimum_of_what_there_is() {
    let policy = Policy { minimum: 3, ..two_days() };
    let mut backups = all(&[
        "2026-01-04T00:00:00Z",
        "2026-01-03T00:00:00Z",
        "2026-01-02T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ]);
    for refused in &mut backups {
        refused.proof = Proof::Invalid;
    }
    let decision = decide(&backups, &policy, now());
    assert_eq!(deleted(&decision), [backups[3].arn.clone()].into());
    // An unproven one comes before any refused one, however old it is.
    backups[3].proof = Proof::Unproven;
    assert_eq!(deleted(&decide(&backups, &policy, now())), [backups[2].arn.clone()].into());
}

#[test]
fn a_copy_on_its_way_is_not_yet_what_is_relied_on() {
    // GIVEN a copy that carries VALID from its first second, and is not there yet
    let mut backups = all(&["2026-11-20T06:00:00Z", "2026-11-19T06:00:00Z", "2026-11-18T06:00:00Z"]);
    backups[0].status = SnapshotStatus::Creating;
    let one_day = Policy { daily: 1, ..two_days() };
    let decision = decide(&backups, &one_day, now());
    // THEN the one before it is the newest validated one still
    assert_eq!(why(&decision, &backups[0]).unwrap(), ["not-available"]);
    assert_eq!(why(&decision, &backups[1]).unwrap(), ["newest-valid", "daily", "minimum"]);
    assert_eq!(deleted(&decision), [backups[2].arn.clone()].into());
}

#[test]
fn what_is_not_sure_stays_and_counts_for_nothing() {
    let mut backups = all(&[
        "2026-11-20T12:00:01Z",
        "2026-11-19T06:00:00Z",
        "2026-11-18T06:00:00Z",
        "2026-11-17T06:00:00Z",
    ]);
    backups[1].taken_at = None;
    backups[2].proof = Proof::Unknown;
    let decision = decide(&backups, &two_days(), now());
    assert_eq!(why(&decision, &backups[0]).unwrap(), ["time-in-future"]);
    assert_eq!(why(&decision, &backups[1]).unwrap(), ["time-missing"]);
    assert_eq!(why(&decision, &backups[2]).unwrap(), ["verdict-unknown"]);
    assert_eq!(why(&decision, &backups[3]).unwrap(), ["newest-valid", "daily", "minimum"]);
    let future = decision.keep.iter().find(|kept| kept.backup.arn == backups[0].arn).unwrap();
    assert_eq!(
        future.reasons[0].to_string(),
        "taken at 2026-11-20T12:00Z, which is still to come by this clock"
    );
}

#[test]
fn holds_uses_and_what_is_not_ours_stay_whatever_the_rules_say() {
    let mut backups = all(&[
        "2026-11-20T06:00:00Z",
        "2020-01-01T00:00:00Z",
        "2020-01-02T00:00:00Z",
        "2020-01-03T00:00:00Z",
    ]);
    backups[1].hold = Some("case 4711".into());
    backups[2].uses = vec!["it is being copied to us-west-2".into()];
    backups[3].owner = Owner::Nobody;
    let policy = Policy { daily: 1, ..two_days() };
    let decision = decide(&backups, &policy, now());
    let sentence = |n: usize| {
        let kept = decision.keep.iter().find(|kept| kept.backup.arn == backups[n].arn).unwrap();
        kept.reasons.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(sentence(1), ["on hold (tag holdfast:hold): case 4711"]);
    assert_eq!(sentence(2), ["in use: it is being copied to us-west-2"]);
    assert_eq!(sentence(3), ["not a backup of Holdfast's: it carries no readable tag holdfast:operation"]);
    // A tag without a value holds as well.
    backups[1].hold = Some(String::new());
    assert_eq!(deleted(&decide(&backups, &policy, now())), [].into());
}

#[test]
fn a_tier_claims_the_slot_of_its_period() {
    // GIVEN a month with a backup taken as monthly on the 10th, and the month before it without one
    let mut backups = all(&[
        "2026-10-31T06:00:00Z",
        "2026-10-10T06:00:00Z",
        "2026-10-09T06:00:00Z",
        "2026-09-30T06:00:00Z",
        "2026-11-20T06:00:00Z",
    ]);
    backups[1].tier = Tier::Monthly;
    backups[2].tier = Tier::Weekly;
    let policy = Policy { daily: 0, weekly: 0, monthly: 3, yearly: 0, ..two_days() };
    // THEN that one is kept of the month, not the newest; where none was claimed, any does
    let decision = decide(&backups, &policy, now());
    assert_eq!(why(&decision, &backups[1]).unwrap(), ["monthly"]);
    assert_eq!(why(&decision, &backups[3]).unwrap(), ["monthly"]);
    assert_eq!(deleted(&decision), [backups[0].arn.clone(), backups[2].arn.clone()].into());
    // AND a refused one claims nothing
    backups[1].proof = Proof::Invalid;
    assert_eq!(why(&decide(&backups, &policy, now()), &backups[0]).unwrap(), ["monthly"]);
}

#[test]
fn every_region_and_every_database_is_decided_by_itself() {
    let mut backups = all(&[
        "2026-11-20T06:00:00Z",
        "2026-11-19T06:00:00Z",
        "2026-11-18T06:00:00Z",
        "2026-11-17T06:00:00Z",
    ]);
    backups[2].region = region("us-west-2");
    backups[3].database = "other-db".into();
    let policy = Policy { daily: 1, ..two_days() };
    let decision = decide(&backups, &policy, now());
    assert_eq!(deleted(&decision), [backups[1].arn.clone()].into());
    for newest in [&backups[0], &backups[2], &backups[3]] {
        assert_eq!(why(&decision, newest).unwrap(), ["newest-valid", "daily", "minimum"]);
    }
}
