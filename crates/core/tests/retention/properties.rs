//! What holds whatever there is: against the model, and for what must never happen.

use holdfast_core::ids::OperationId;
use holdfast_core::rds::SnapshotStatus;
use holdfast_core::request::Tier;
use holdfast_core::retention::{Backup, Decision, Owner, Policy, Proof, decide};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

use crate::model;
use crate::support::{backup, deleted, kept, region, time};

/// Hours after the beginning at which backups are taken; the decision is made in the middle of the fourth year.
const HOURS: i64 = 3 * 366 * 24;

fn beginning() -> Timestamp {
    time("2024-01-01T00:00:00Z")
}

fn now() -> Timestamp {
    time("2027-05-17T12:00:00Z")
}

fn proof() -> impl Strategy<Value = Proof> {
    prop_oneof![
        6 => Just(Proof::Valid),
        2 => Just(Proof::Unproven),
        1 => Just(Proof::Inconclusive),
        1 => Just(Proof::Invalid),
    ]
}

fn tier() -> impl Strategy<Value = Tier> {
    prop_oneof![
        8 => Just(Tier::Daily), 1 => Just(Tier::Weekly), 1 => Just(Tier::Monthly), 1 => Just(Tier::Yearly)
    ]
}

/// Either anywhere in the years, or in the last weeks, where the short periods are.
fn taken_at() -> impl Strategy<Value = Timestamp> {
    let after = |hours| beginning() + SignedDuration::from_hours(hours);
    prop_oneof![
        (0..HOURS).prop_map(after),
        (0..600i64).prop_map(|hours| now() - SignedDuration::from_hours(hours)),
    ]
}

/// Backups that nothing but the rules keeps, of two databases in two Regions.
fn plain(most: usize) -> impl Strategy<Value = Vec<Backup>> {
    let one = (taken_at(), proof(), tier(), select(vec!["us-east-1", "us-west-2"]), 0..2u8);
    prop::collection::vec(one, 0..most).prop_map(|found| {
        let made = found.into_iter().enumerate().map(|(n, (taken_at, proof, tier, at, database))| {
            let plain = backup(n, taken_at);
            Backup {
                proof,
                tier,
                region: region(at),
                arn: plain.arn.replace("us-east-1", at),
                database: format!("db-{database}"),
                ..plain
            }
        });
        made.collect()
    })
}

/// What can happen to one of them.
#[derive(Debug, Clone)]
enum Turn {
    Nothing,
    Held,
    Used,
    Foreign,
    Renamed,
    Status(SnapshotStatus),
    NoTime,
    Future,
    Unknown,
    Twice,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        12 => Just(Turn::Nothing),
        1 => Just(Turn::Held),
        1 => Just(Turn::Used),
        1 => Just(Turn::Foreign),
        1 => Just(Turn::Renamed),
        1 => select(vec![SnapshotStatus::Creating, SnapshotStatus::Failed, SnapshotStatus::Other("deleting".into())])
            .prop_map(Turn::Status),
        1 => Just(Turn::NoTime),
        1 => Just(Turn::Future),
        1 => Just(Turn::Unknown),
        1 => Just(Turn::Twice),
    ]
}

fn any_backups() -> impl Strategy<Value = Vec<Backup>> {
    plain(60).prop_flat_map(|plain| {
        let turns = prop::collection::vec(turn(), plain.len());
        (Just(plain), turns)
            .prop_map(|(plain, turns)| plain.into_iter().zip(turns).flat_map(turned).collect())
    })
}

fn turned((mut backup, turn): (Backup, Turn)) -> Vec<Backup> {
    match turn {
        Turn::Nothing => {}
        Turn::Held => backup.hold = Some("audit".into()),
        Turn::Used => backup.uses = vec!["a test uses it".into()],
        Turn::Foreign => backup.owner = Owner::Nobody,
        Turn::Renamed => backup.owner = Owner::Renamed(OperationId::parse("prod-db-0123456789").unwrap()),
        Turn::Status(status) => backup.status = status,
        Turn::NoTime => backup.taken_at = None,
        Turn::Future => backup.taken_at = Some(now() + SignedDuration::from_secs(1)),
        Turn::Unknown => backup.proof = Proof::Unknown,
        Turn::Twice => return vec![backup.clone(), backup],
    }
    vec![backup]
}

fn policy() -> impl Strategy<Value = Policy> {
    (0..9u32, 0..6u32, 0..14u32, 0..4u32, 1..6u32, 0..20u32)
        .prop_map(|(daily, weekly, monthly, yearly, minimum, inspection_days)| Policy {
            daily,
            weekly,
            monthly,
            yearly,
            minimum,
            inspection_days,
        })
        .prop_filter("a policy that keeps something", |policy| policy.checked().is_ok())
}

/// What is left when the decision is carried out.
fn left(backups: &[Backup], decision: &Decision) -> Vec<Backup> {
    let gone = deleted(decision);
    backups.iter().filter(|backup| !gone.contains(&backup.arn)).cloned().collect()
}

/// Of the same database in the same Region, and to be restored from.
fn usable<'a>(backups: &'a [Backup], like: &'a Backup) -> impl Iterator<Item = &'a Backup> {
    backups.iter().filter(move |backup| {
        (&backup.region, &backup.database) == (&like.region, &like.database)
            && backup.is_ours()
            && backup.status == SnapshotStatus::Available
            && backup.proof != Proof::Unknown
            && backup.taken_at.is_some_and(|taken_at| taken_at <= now())
    })
}

proptest! {
    // Each case has up to 60 backups: half the usual number of cases, or half of PROPTEST_CASES.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, ..ProptestConfig::default() })]

    #[test]
    fn it_decides_as_the_model_does(backups in any_backups(), policy in policy()) {
        let decision = decide(&backups, &policy, now());
        let stays = kept(&decision);
        for backup in &backups {
            prop_assert_eq!(
                stays.contains(&backup.arn),
                model::keeps(&backups, backup, &policy, now()),
                "{:?} of {:#?}", backup, decision
            );
        }
        prop_assert_eq!(decision.keep.len() + decision.delete.len(), backups.len());
    }

    #[test]
    fn nothing_that_must_stay_goes(backups in any_backups(), policy in policy()) {
        let decision = decide(&backups, &policy, now());
        for gone in decision.delete.iter().map(|deleted| &deleted.backup) {
            prop_assert!(gone.is_ours() && gone.hold.is_none() && gone.uses.is_empty(), "{:?}", gone);
            prop_assert!(gone.status == SnapshotStatus::Available && gone.proof != Proof::Unknown);
            prop_assert!(gone.taken_at.is_some_and(|taken_at| taken_at <= now()));
            // A validated one goes only where a newer validated one stays.
            let stays = left(&backups, &decision);
            let newer = usable(&stays, gone)
                .any(|other| other.proof == Proof::Valid && other.taken_at >= gone.taken_at);
            prop_assert!(gone.proof != Proof::Valid || newer, "{:?}", gone);
            // And only where as many are left as must be.
            let there = usable(&stays, gone).count();
            prop_assert!(there >= policy.minimum as usize, "{} left beside {:?}", there, gone);
        }
    }

    #[test]
    fn deciding_again_deletes_nothing_more(backups in any_backups(), policy in policy()) {
        let first = decide(&backups, &policy, now());
        let left = left(&backups, &first);
        let second = decide(&left, &policy, now());
        prop_assert_eq!(second.delete, vec![]);
        // Not even when only some of the deletions were carried out.
        let half: Vec<Backup> =
            backups.iter().enumerate().filter(|(n, backup)| n % 2 == 0 || kept(&first).contains(&backup.arn))
                .map(|(_, backup)| backup.clone()).collect();
        prop_assert_eq!(kept(&decide(&half, &policy, now())), kept(&first));
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(
        (backups, shuffled) in any_backups().prop_flat_map(|backups| (Just(backups.clone()), Just(backups).prop_shuffle())),
        policy in policy(),
    ) {
        prop_assert_eq!(decide(&backups, &policy, now()), decide(&shuffled, &policy, now()));
    }

    #[test]
    fn what_is_not_proven_never_pushes_out_what_is(backups in plain(60), policy in policy()) {
        let proven: Vec<Backup> =
            backups.iter().filter(|backup| backup.proof == Proof::Valid).cloned().collect();
        let (alone, together) = (decide(&proven, &policy, now()), decide(&backups, &policy, now()));
        prop_assert!(kept(&alone).is_subset(&kept(&together)));
    }

    #[test]
    fn pruning_every_day_keeps_what_pruning_once_would(backups in plain(60), policy in policy()) {
        let mut in_time = backups.clone();
        in_time.sort_by_key(|backup| backup.taken_at);
        let mut there: Vec<Backup> = Vec::new();
        for backup in in_time {
            let at = backup.taken_at.unwrap();
            there.push(backup);
            let decision = decide(&there, &policy, at);
            there = left(&there, &decision);
        }
        let day_by_day = decide(&there, &policy, now());
        prop_assert_eq!(kept(&day_by_day), kept(&decide(&backups, &policy, now())));
    }

    #[test]
    fn every_backup_has_its_sentence(backups in any_backups(), policy in policy()) {
        let decision = decide(&backups, &policy, now());
        for kept in &decision.keep {
            prop_assert!(!kept.reasons.is_empty());
            for reason in &kept.reasons {
                let text = reason.to_string();
                prop_assert!(text.len() > 8 && !text.contains('\n'), "{}", text);
            }
        }
        for deleted in &decision.delete {
            let text = deleted.reason.to_string();
            prop_assert!(text.starts_with(deleted.backup.proof.as_str()), "{}", text);
            // Of every rule it is said why it does not keep it.
            let rules = [policy.daily, policy.weekly, policy.monthly, policy.yearly];
            let rules = rules.iter().filter(|count| **count > 0).count();
            let explained = deleted.reason.no_slot.len();
            prop_assert_eq!(explained, if deleted.backup.proof == Proof::Invalid { 0 } else { rules });
        }
    }
}
