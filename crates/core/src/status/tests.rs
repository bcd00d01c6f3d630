//! How a database stands, by facts that are changed one at a time.

use std::collections::BTreeMap;

use super::*;
use crate::doctor::SharedWith;
use crate::ids::{OperationId, RunId};
use crate::operation::RestoreTimings;
use crate::ports::RestoreWindow;
use crate::rds::SnapshotStatus;
use crate::tags::{self, Tags};
use crate::{Error, ErrorKind};

const NOW: &str = "2026-11-20T12:00:00Z";

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn home() -> Region {
    region("us-east-1")
}

fn west() -> Region {
    region("us-west-2")
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn snapshot(region: &Region, taken_at: &str, verdict: &str) -> Snapshot {
    let run = RunId::parse(taken_at).unwrap();
    let operation = OperationId::derive(&home(), &DatabaseId::parse("prod-db").unwrap(), &run);
    Snapshot {
        id: operation.snapshot_id(),
        arn: format!("arn:aws:rds:{region}:1:snapshot:{}", operation.snapshot_id()),
        region: region.clone(),
        instance_id: "prod-db".into(),
        status: SnapshotStatus::Available,
        percent: 100,
        size_gib: 20,
        encrypted: true,
        kms_key_id: None,
        taken_at: Some(at(taken_at)),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        source_region: None,
        source_arn: None,
        tags: Tags::from([
            (tags::OPERATION.to_owned(), operation.to_string()),
            (tags::DATABASE.to_owned(), "prod-db".to_owned()),
            (tags::VERDICT.to_owned(), verdict.to_owned()),
        ]),
    }
}

const TIMES: [&str; 3] = ["2026-11-19T06:00:00Z", "2026-11-20T00:00:00Z", "2026-11-20T06:00:00Z"];

fn restore(requested_at: &str, settled_seconds: f64) -> RestoreSeen {
    let requested_at = at(requested_at);
    let timings = RestoreTimings { requested_at, available_seconds: settled_seconds - 1.0, settled_seconds };
    let started_at = requested_at - jiff::SignedDuration::from_secs(10);
    RestoreSeen { started_at, timings, in_place_at: None }
}

fn validation(validated_at: &str, restore_seconds: Option<f64>) -> ValidationSeen {
    ValidationSeen { validated_at: at(validated_at), restore_seconds }
}

/// Three proven backups, each with a copy; a log up to two minutes ago; a restore of half an hour.
fn healthy() -> Facts {
    let snapshots = |region: &Region| {
        let all: Vec<Snapshot> = TIMES.iter().map(|time| snapshot(region, time, "VALID")).collect();
        (region.clone(), Ok(all))
    };
    let shared = |region: Region| {
        (region, vec![SharedWith { snapshot_id: "holdfast-x".into(), accounts: Ok(vec![]) }])
    };
    Facts {
        now: at(NOW),
        database: DatabaseId::parse("prod-db").unwrap(),
        home: home(),
        importance: Importance::Standard,
        objectives: Importance::Standard.objectives(),
        targets: vec![west()],
        targets_seen: Ok(()),
        interval_seconds: Ok(Some(21_600.0)),
        encrypted: Ok(Some(true)),
        window: Ok(Some(RestoreWindow {
            resource_id: "db-1".into(),
            operation: None,
            earliest: at("2026-11-13T00:00:00Z"),
            latest: at("2026-11-20T11:58:00Z"),
        })),
        snapshots: BTreeMap::from([snapshots(&home()), snapshots(&west())]),
        shared: BTreeMap::from([shared(home()), shared(west())]),
        minimum: 3,
        restores: Ok(vec![restore("2026-10-01T00:00:00Z", 9000.0), restore("2026-11-10T00:00:00Z", 1790.0)]),
        validations: Ok(vec![
            validation("2026-11-20T06:30:00Z", Some(600.0)),
            validation("2026-11-20T00:30:00Z", Some(500.0)),
        ]),
    }
}

fn with(change: impl FnOnce(&mut Facts)) -> Status {
    let mut facts = healthy();
    change(&mut facts);
    assess(&facts)
}

fn of<'a>(facts: &'a mut Facts, region: &Region) -> &'a mut Vec<Snapshot> {
    facts.snapshots.get_mut(region).unwrap().as_mut().unwrap()
}

fn denied() -> Error {
    Error::new(ErrorKind::AccessDenied, "no")
}

#[test]
fn where_there_is_nothing_nothing_of_it_is_held() {
    let held = |status: &Status, name: PartName| {
        status.compliance.parts.iter().find(|part| part.name == name).unwrap().held
    };
    let nothing = |facts: &mut Facts| {
        of(facts, &home()).clear();
        of(facts, &west()).clear();
        facts.shared.clear();
    };
    // A name without a database or a backup is not encrypted and not public: it is not.
    let none = with(|facts| {
        nothing(facts);
        facts.encrypted = Ok(None);
    });
    assert_eq!((held(&none, PartName::Encrypted), held(&none, PartName::NotPublic)), (None, None));
    assert_eq!(none.compliance.score, with_parts(&none));
    // An encrypted database without a backup is encrypted.
    let new = with(nothing);
    assert_eq!((held(&new, PartName::Encrypted), held(&new, PartName::NotPublic)), (Some(true), None));
}

#[test]
fn a_database_that_is_gone_holds_nothing_however_well_it_is_backed_up() {
    let gone = with(|facts| facts.encrypted = Ok(None));
    assert_eq!((gone.exists, gone.is_held()), (Some(false), false));
    let unknown = with(|facts| facts.encrypted = Err(denied()));
    assert_eq!(unknown.exists, None);
    assert!(assess(&healthy()).is_held());
}

/// The score as its parts say it.
fn with_parts(status: &Status) -> u32 {
    status.compliance.parts.iter().filter(|part| part.held == Some(true)).map(|part| part.weight).sum()
}

#[test]
fn a_copy_in_a_region_that_nothing_is_copied_to_any_more_counts_as_one() {
    let ireland = Region::parse("eu-west-1").unwrap();
    let status = with(|facts| {
        let mut lone = of(facts, &west())[0].clone();
        lone.region = ireland.clone();
        lone.arn = lone.arn.replace("us-west-2", "eu-west-1");
        lone.encrypted = false;
        facts.snapshots.insert(ireland.clone(), Ok(vec![lone]));
    });
    assert_eq!((status.backups.cross_region, status.backups.encrypted), (4, 6));
    assert_eq!(status.replication.len(), 1, "nothing is expected to be as new there");
}

#[test]
fn a_database_that_holds_everything_has_all_points() {
    let status = assess(&healthy());
    let backups = Backups {
        total: 3,
        last_24_hours: 2,
        valid: 3,
        cross_region: 3,
        encrypted: 6,
        oldest: Some(at(TIMES[0])),
        newest: Some(at(TIMES[2])),
    };
    assert_eq!(status.backups, backups);
    let copy = Replication {
        region: west(),
        copies: Some(3),
        newest: Some(at(TIMES[2])),
        age_seconds: Some(21_600.0),
        behind_seconds: Some(0.0),
    };
    assert_eq!(status.replication, [copy]);
    let point = RecoveryPointNow {
        by_backup_seconds: Some(21_600.0),
        by_log_seconds: Some(120.0),
        seconds: Some(120.0),
        held: Some(true),
    };
    assert_eq!(status.recovery.point, point);
    let time = RecoveryTime {
        seconds: Some(1800.0),
        measured_by: Some(MeasuredBy::Restore),
        measured_at: Some(at("2026-11-10T00:00:00Z")),
        held: Some(true),
    };
    assert_eq!(status.recovery.time, time);
    assert_eq!(status.recovery.last_validated, Some(at("2026-11-20T06:30:00Z")));
    assert_eq!((status.compliance.score, status.unseen.len()), (100, 0));
    assert!(status.is_held() && status.is_readable());
    assert_eq!(WEIGHTS.iter().map(|(_, weight)| weight).sum::<u32>(), 100);
}

type Change = fn(&mut Facts);

/// The parts that are not held after a change, and whether that is known.
fn lost(change: Change) -> Vec<(PartName, Option<bool>)> {
    let status = with(change);
    let parts = status.compliance.parts.iter().filter(|part| part.held != Some(true));
    let lost: Vec<_> = parts.clone().map(|part| (part.name, part.held)).collect();
    let weight: u32 = parts.map(|part| part.weight).sum();
    assert_eq!(status.compliance.score, 100 - weight, "{status:#?}");
    lost
}

#[test]
fn each_part_of_the_score_is_lost_by_what_it_is_about() {
    use PartName::*;
    let rows: [(Change, &[PartName]); 13] = [
        // 7 h and a second: the schedule starts one every 6 h, and one hour is for its work.
        (|facts| facts.now = at("2026-11-20T13:00:01Z"), &[ProvenBackup, RecoveryPoint]),
        (|facts| facts.now = at("2026-11-20T12:13:00Z"), &[]),
        (|facts| drop(of(facts, &home())[0].tags.remove(tags::VERDICT)), &[Retention]),
        (|facts| of(facts, &west()).clear(), &[CopyElsewhere]),
        (|facts| facts.targets.clear(), &[CopyElsewhere]),
        // One behind is one whose copy is on its way; two are not.
        (|facts| drop(of(facts, &west()).pop()), &[]),
        (|facts| of(facts, &west()).truncate(1), &[CopyElsewhere]),
        (|facts| facts.window = Ok(None), &[RecoveryPoint]),
        (|facts| facts.restores = Ok(vec![restore("2026-11-10T00:00:00Z", 3591.0)]), &[RecoveryTime]),
        (|facts| facts.encrypted = Ok(Some(false)), &[Encrypted]),
        (|facts| of(facts, &west())[0].encrypted = false, &[Encrypted]),
        (|facts| facts.shared.get_mut(&west()).unwrap()[0].accounts = Ok(vec!["all".into()]), &[NotPublic]),
        (|facts| facts.minimum = 4, &[Retention]),
    ];
    for (row, (change, expected)) in rows.into_iter().enumerate() {
        let expected: Vec<_> = expected.iter().map(|name| (*name, Some(false))).collect();
        assert_eq!(lost(change), expected, "row {row}");
    }
}

#[test]
fn what_is_not_known_is_not_held_and_is_named() {
    use PartName::*;
    let rows: [(Change, &[PartName]); 7] = [
        (|facts| facts.targets_seen = Err(denied()), &[CopyElsewhere]),
        (|facts| facts.interval_seconds = Err(denied()), &[]),
        (|facts| facts.encrypted = Err(denied()), &[Encrypted]),
        (|facts| facts.window = Err(denied()), &[RecoveryPoint]),
        (|facts| facts.restores = Err(denied()), &[RecoveryTime]),
        (|facts| facts.shared.get_mut(&west()).unwrap()[0].accounts = Err(denied()), &[NotPublic]),
        (|facts| drop(facts.snapshots.insert(west(), Err(denied()))), &[CopyElsewhere, Encrypted, NotPublic]),
    ];
    for (row, (change, expected)) in rows.into_iter().enumerate() {
        let expected: Vec<_> = expected.iter().map(|name| (*name, None)).collect();
        assert_eq!(lost(change), expected, "row {row}");
        assert_eq!(with(change).unseen.len(), 1, "row {row}");
    }
    let blind = with(|facts| drop(facts.snapshots.insert(home(), Err(denied()))));
    assert!(!blind.is_readable() && !blind.is_held());
    assert_eq!(blind.recovery.point.held, Some(true), "the log is enough for the objective");
}

#[test]
fn a_recovery_point_is_the_better_of_backup_and_log() {
    let without_log = with(|facts| facts.window = Ok(None));
    assert!(without_log.compliance.is_enough() && !without_log.is_held());
    let point = without_log.recovery.point;
    assert_eq!((point.seconds, point.by_log_seconds, point.held), (Some(21_600.0), None, Some(false)));
    let nothing = with(|facts| {
        facts.window = Ok(None);
        of(facts, &home()).clear();
    });
    assert_eq!((nothing.recovery.point.seconds, nothing.recovery.point.held), (None, Some(false)));
    let fresh = with(|facts| {
        facts.window = Ok(None);
        facts.now = at("2026-11-20T06:15:00Z");
    });
    assert_eq!(fresh.recovery.point.held, Some(true), "15 minutes, to the second");
    let late = with(|facts| {
        facts.window = Ok(None);
        facts.now = at("2026-11-20T06:15:01Z");
    });
    assert_eq!(late.recovery.point.held, Some(false));
}

#[test]
fn a_validation_can_only_show_that_the_time_is_not_enough() {
    let time = |seconds: Option<f64>| {
        with(|facts| {
            facts.restores = Ok(vec![]);
            facts.validations = Ok(vec![validation("2026-11-20T06:30:00Z", seconds)]);
        })
        .recovery
        .time
    };
    let quick = time(Some(600.0));
    assert_eq!((quick.measured_by, quick.held), (Some(MeasuredBy::Validation), None));
    let slow = time(Some(3601.0));
    assert_eq!((slow.seconds, slow.held), (Some(3601.0), Some(false)));
    assert_eq!((time(None).seconds, time(None).measured_by), (None, None));
    // The objective is that of its importance.
    let critical = with(|facts| facts.objectives = Importance::Critical.objectives());
    assert_eq!(critical.recovery.time.held, Some(false), "half an hour, and 15 minutes are allowed");
    assert!(!critical.is_held());
}

#[test]
fn a_restore_with_a_swap_is_back_when_it_has_the_databases_place() {
    let time = |in_place_at: &str| {
        with(|facts| {
            let restored = restore("2026-11-10T00:00:00Z", 1790.0);
            facts.restores = Ok(vec![RestoreSeen { in_place_at: Some(at(in_place_at)), ..restored }]);
        })
        .recovery
        .time
    };
    // There and as asked for after half an hour, proven and in its place after an hour and more.
    let late = time("2026-11-10T01:00:00Z");
    assert_eq!((late.seconds, late.held), (Some(3610.0), Some(false)));
    let in_time = time("2026-11-10T00:59:50Z");
    assert_eq!((in_time.seconds, in_time.held), (Some(3600.0), Some(true)));
    assert_eq!(in_time.measured_at, Some(at("2026-11-10T00:00:00Z")));
}

#[test]
fn a_low_score_is_not_held_though_both_objectives_are() {
    let status = with(|facts| {
        of(facts, &west()).clear();
        facts.minimum = 4;
    });
    assert_eq!(status.compliance.score, 75);
    assert_eq!((status.recovery.point.held, status.recovery.time.held), (Some(true), Some(true)));
    assert!(!status.is_held());
    let enough = with(|facts| of(facts, &west()).clear());
    assert_eq!(enough.compliance.score, 80);
    assert!(enough.is_held(), "80 is enough");
}

#[test]
fn only_complete_backups_of_holdfasts_count() {
    let status = with(|facts| {
        let backups = of(facts, &home());
        backups[0].status = SnapshotStatus::Creating;
        backups[1].tags.clear();
    });
    assert_eq!((status.backups.total, status.backups.encrypted), (1, 4));
    assert_eq!(status.backups.oldest, Some(at(TIMES[2])));
}

#[test]
fn all_databases_are_summed_up() {
    let low = with(|facts| {
        facts.restores = Ok(vec![]);
        of(facts, &home()).remove(0);
    });
    let sum = total(&[assess(&healthy()), low]);
    assert_eq!((sum.databases, sum.held, sum.lowest_score), (2, 1, Some(80)));
    assert_eq!((sum.backups.total, sum.backups.cross_region, sum.backups.encrypted), (5, 6, 11));
    assert_eq!((sum.backups.oldest, sum.backups.newest), (Some(at(TIMES[0])), Some(at(TIMES[2]))));
}
