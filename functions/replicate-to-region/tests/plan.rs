//! Which backup a replication copies, against an RDS in memory.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use holdfast_core::answer::Answer;
use holdfast_core::ids::OperationId;
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::request::{Defaults, ReplicationRequest, TargetRegion, Tier};
use holdfast_core::tags::{self, Tags};
use holdfast_core::validation::Verdict;
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_fakes::FakeRds;
use holdfast_fakes::sample::{at, home, region, snapshot};
use replicate_to_region::plan::{Input, Planned, handle};
use serde_json::{Value, json};

const OLD: &str = "prod-db-r1-0000000001";
const NEW: &str = "prod-db-r2-0000000002";

/// The backup that `operation` took in second `taken`, found to be `verdict`.
fn backup(operation: &str, verdict: &str, taken: i64) -> Snapshot {
    let tags = [
        (tags::OPERATION, operation),
        (tags::DATABASE, "prod-db"),
        (tags::TIER, "monthly"),
        (tags::VERDICT, verdict),
        ("Environment", "production"),
    ];
    let tags: Tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let id = format!("holdfast-{operation}");
    Snapshot { taken_at: Some(at(taken)), status: SnapshotStatus::Available, ..snapshot(&home(), &id, tags) }
}

async fn plan(backups: Vec<Snapshot>, input: Value) -> Result<Planned> {
    let rds = FakeRds::default();
    for backup in backups {
        rds.lay_snapshot(backup);
    }
    let target = TargetRegion { region: region("us-west-2"), kms_key_id: "alias/other".into() };
    let defaults = Defaults { region: home(), target_regions: vec![target] };
    let input = Input {
        operation_id: OperationId::parse("prod-db-r9-0000000009").unwrap(),
        request: ReplicationRequest::parse(&input, "r9", &defaults).unwrap(),
    };
    match handle(&rds, &home(), input).await? {
        Answer::Final { result, .. } => Ok(result),
        waiting @ Answer::Waiting { .. } => panic!("{waiting:?}"),
    }
}

fn asked(backup: Option<&str>) -> Value {
    match backup {
        Some(backup) => json!({"databaseId": "prod-db", "backup": backup}),
        None => json!({"databaseId": "prod-db"}),
    }
}

#[tokio::test]
async fn the_newest_that_was_found_valid_is_copied_as_its_backup_would_have() {
    // GIVEN two proven backups, and newer ones that are not proven, refused, or somebody else's
    let mut others = vec![
        backup("prod-db-r3-0000000003", tags::UNPROVEN, 30),
        backup("prod-db-r4-0000000004", "INVALID", 40),
        Snapshot { id: "holdfast-of-another-name".into(), ..backup("prod-db-r5-0000000005", "VALID", 50) },
    ];
    let mut stranger = backup("shop-r6-0000000006", "VALID", 60);
    stranger.tags.insert(tags::DATABASE.into(), "shop".into());
    let still = Snapshot { status: SnapshotStatus::Creating, ..backup("prod-db-r7-0000000007", "VALID", 70) };
    others.extend([stranger, still, backup(NEW, "VALID", 20), backup(OLD, "VALID", 10)]);
    // WHEN nobody says which
    let planned = plan(others, asked(None)).await.unwrap();
    // THEN it is the newest that can be relied on, and its copies are what its own would have been
    assert_eq!((planned.backup.operation_id.as_str(), planned.backup.verdict), (NEW, Verdict::Valid));
    assert_eq!(planned.backup.taken_at, Some(at(20)));
    assert_eq!(planned.snapshot.id, format!("holdfast-{NEW}"));
    let users = Tags::from([("Environment".to_owned(), "production".to_owned())]);
    assert_eq!((planned.copy.tier, planned.copy.tags), (Tier::Monthly, users));
    assert_eq!(planned.copy.target_regions[0].kms_key_id, "alias/other");
}

#[tokio::test]
async fn one_that_is_named_is_taken_even_when_nobody_proved_it() {
    let all = || vec![backup(OLD, tags::UNPROVEN, 10), backup(NEW, "VALID", 20)];
    let planned = plan(all(), asked(Some(OLD))).await.unwrap();
    assert_eq!((planned.backup.operation_id.as_str(), planned.backup.verdict), (OLD, Verdict::NotRun));
}

#[tokio::test]
async fn copies_of_what_nobody_proved_cannot_be_proven_and_are_not_made_as_if() {
    let all = || vec![backup(OLD, tags::UNPROVEN, 10), backup(NEW, "VALID", 20)];
    let share = |backup: &str, share: f64| {
        let mut asked = asked(Some(backup));
        asked["validation"] = json!({"copyShare": share});
        asked
    };
    let refused = plan(all(), share(OLD, 0.1)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidInput);
    assert!(refused.message.contains("was never proven") && refused.message.contains(OLD), "{refused}");
    assert!(plan(all(), share(OLD, 0.0)).await.is_ok());
    assert!(plan(all(), share(NEW, 1.0)).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_relied_on_is_named() {
    let of = |status| Snapshot { status, ..backup(OLD, "VALID", 10) };
    let with = |key: &str, value: &str| {
        let mut backup = backup(OLD, "VALID", 10);
        backup.tags.insert(key.into(), value.into());
        backup
    };
    let cases: Vec<(Vec<Snapshot>, Option<&str>, ErrorKind, &str)> = vec![
        (
            vec![],
            None,
            ErrorKind::RecoveryPointNotFound,
            "no backup of prod-db in us-east-1 that was found VALID",
        ),
        (vec![], Some(OLD), ErrorKind::RecoveryPointNotFound, "there is no snapshot"),
        (
            vec![backup(OLD, "INVALID", 1)],
            Some(OLD),
            ErrorKind::ValidationFailed,
            "is INVALID; it is not copied",
        ),
        (vec![backup(OLD, "INCONCLUSIVE", 1)], Some(OLD), ErrorKind::ValidationFailed, "is INCONCLUSIVE"),
        (
            vec![with(tags::VERDICT, "FINE")],
            Some(OLD),
            ErrorKind::UnreadableRecord,
            "\"FINE\", which is no verdict",
        ),
        (
            vec![with(tags::DATABASE, "shop")],
            Some(OLD),
            ErrorKind::InvalidInput,
            "is of shop, not of prod-db",
        ),
        (vec![with(tags::OPERATION, NEW)], Some(OLD), ErrorKind::NameTaken, OLD),
        (
            vec![of(SnapshotStatus::Creating)],
            Some(OLD),
            ErrorKind::RecoveryPointNotFound,
            "still being taken",
        ),
        (vec![of(SnapshotStatus::Failed)], Some(OLD), ErrorKind::SnapshotFailed, "failed"),
    ];
    for (backups, named, kind, said) in cases {
        let Error { kind: found, message } = plan(backups, asked(named)).await.unwrap_err();
        assert_eq!(found, kind, "{message}");
        assert!(message.contains(said), "{message}");
    }
}
