//! What is found of a database, its backups, its copies and what a restore of them needs.

use super::*;

#[test]
fn a_healthy_database_has_no_finding_and_every_check_says_so() {
    let diagnosis = examine(&healthy());
    assert_eq!(diagnosis.findings, []);
    assert_eq!(diagnosis.worst(), None);
    let said: std::collections::BTreeSet<Check> = diagnosis.in_order.iter().map(|one| one.check).collect();
    assert_eq!(said, Check::ALL.into_iter().collect(), "no check is silent");
}

#[test]
fn that_a_restore_is_not_public_is_no_drift() {
    for public in [true, false] {
        assert_eq!(seen(|facts| live(facts).blueprint.publicly_accessible = public), []);
    }
}

#[test]
fn an_operation_that_nobody_works_on() {
    each(&[(
        |facts| facts.operations = Ok(vec![operation(Ok(Worker::Dead("ABORTED".into())))]),
        Check::Operation,
        Warning,
        "prod-db-r1-0123456789",
        "nobody works on it: it is RESTORING, and its execution is ABORTED",
    )]);
    let mut facts = healthy();
    facts.operations = Ok(vec![operation(Ok(Worker::Dead("GONE".into())))]);
    assert!(
        examine(&facts).in_order.iter().all(|one| one.check != Check::Operation),
        "it is not in order as well"
    );
}

#[test]
fn the_source() {
    each(&[
        (|facts| facts.source = Ok(None), Check::Source, Fails, "prod-db", "there is no DB instance"),
        (
            |facts| live(facts).instance.status = "stopped".into(),
            Check::Source,
            Fails,
            "prod-db",
            "is stopped",
        ),
        (
            |facts| live(facts).instance.encrypted = false,
            Check::Encryption,
            Warning,
            "prod-db",
            "not encrypted",
        ),
        (
            |facts| live(facts).instance.backup_retention_days = 0,
            Check::AutomatedBackups,
            Fails,
            "prod-db",
            "a restore to a point in time fails",
        ),
        (
            |facts| live(facts).instance.change_pending = true,
            Check::PendingChange,
            Warning,
            "prod-db",
            "waits to be applied",
        ),
        (
            |facts| live(facts).blueprint.class = "db.r6g.large".into(),
            Check::Drift,
            Warning,
            "prod-db",
            "class is db.r6g.large, the backup has db.m6g.large",
        ),
    ]);
    // Protection that was switched off is another setting than the backup's as well.
    let found = seen(|facts| live(facts).blueprint.deletion_protection = false);
    let checks: Vec<Check> = found.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::DeletionProtection, Check::Drift]);
}

#[test]
fn backups_by_age_and_proof() {
    each(&[
        (
            |facts| facts.now = "2026-11-20T13:00:01Z".parse().unwrap(),
            Check::BackupAge,
            Warning,
            "holdfast-prod-db-20261120t060000z",
            "is 7 h old, and its schedule starts one every 6 h",
        ),
        (
            |facts| {
                snapshots(facts, &home())[1].tags.insert(tags::VERDICT.into(), "INCONCLUSIVE".into());
                snapshots(facts, &west()).pop();
            },
            Check::BackupProof,
            Warning,
            "holdfast-prod-db-20261120t060000z",
            "is INCONCLUSIVE: a restore takes holdfast-prod-db-20261120t000000z",
        ),
        (
            |facts| {
                for snapshot in snapshots(facts, &home()) {
                    snapshot.tags.insert(tags::VERDICT.into(), "UNPROVEN".into());
                }
            },
            Check::BackupProof,
            Fails,
            "holdfast-prod-db-20261120t060000z",
            "none is VALID, the newest is UNPROVEN",
        ),
        (|facts| snapshots(facts, &home()).clear(), Check::BackupAge, Fails, "prod-db", "there is no backup"),
    ]);
    // Without a rate, 12 hours are allowed (requirement K2).
    let at = |expression: &str, now: &str| {
        let mut found = seen(|facts| {
            its(facts).times.expression = expression.into();
            facts.now = now.parse().unwrap();
        });
        found.retain(|finding| finding.check == Check::BackupAge);
        found
    };
    let once = "at(2026-12-20T06:00:00)";
    assert_eq!(at(once, "2026-11-20T18:00:00Z"), []);
    // One a day may be a day old, and an hour.
    assert_eq!(at("cron(0 6 * * ? *)", "2026-11-21T07:00:00Z"), []);
    assert_eq!(at("cron(0 6 * * ? *)", "2026-11-21T07:00:01Z").len(), 1);
    let late = at(once, "2026-11-20T18:00:01Z");
    assert_eq!(late.len(), 1);
    assert!(late[0].what.contains("12 h are allowed"), "{late:?}");
}

#[test]
fn copies_that_are_missing_or_behind() {
    each(&[
        (
            |facts| snapshots(facts, &west()).clear(),
            Check::Copy,
            Fails,
            "prod-db",
            "once us-east-1 is lost, nothing can be restored",
        ),
        (
            |facts| drop(snapshots(facts, &west()).pop()),
            Check::Copy,
            Warning,
            "holdfast-prod-db-20261120t060000z",
            "has no copy in us-west-2: the newest there is holdfast-prod-db-20261120t000000z",
        ),
        (
            |facts| snapshots(facts, &west())[1].status = SnapshotStatus::Failed,
            Check::Copy,
            Warning,
            "holdfast-prod-db-20261120t060000z",
            "6 h older",
        ),
    ]);
    let on_its_way = seen(|facts| snapshots(facts, &west())[1].status = SnapshotStatus::Creating);
    assert_eq!(on_its_way, []);
}

#[test]
fn room_that_is_not_there() {
    fn quotas(facts: &mut Facts) -> &mut Quotas {
        at(facts, &west()).quotas.as_mut().unwrap()
    }
    each(&[
        (
            |facts| quotas(facts).snapshots = Some(forecast(100, 100)),
            Check::SnapshotQuota,
            Fails,
            "manual snapshots",
            "SnapshotQuotaExceeded: 100 of 100",
        ),
        (
            |facts| {
                quotas(facts).snapshots =
                    Some(Forecast { warning: Some("full soon".into()), ..forecast(95, 100) });
            },
            Check::SnapshotQuota,
            Warning,
            "manual snapshots",
            "full soon",
        ),
        (|facts| quotas(facts).snapshots = None, Check::SnapshotQuota, NotChecked, "manual", "does not say"),
        (
            |facts| quotas(facts).instances = Some(Quota { used: 40, max: 40 }),
            Check::InstanceQuota,
            Fails,
            "DB instances",
            "InstanceQuotaExceeded: 40 of 40",
        ),
        (
            |facts| quotas(facts).instances = Some(Quota { used: 36, max: 40 }),
            Check::InstanceQuota,
            Warning,
            "DB instances",
            "36 of 40",
        ),
        (|facts| quotas(facts).instances = None, Check::InstanceQuota, NotChecked, "DB inst", "does not say"),
    ]);
}

#[test]
fn storage_that_a_restore_would_not_have() {
    fn room(facts: &mut Facts, region: &Region, gib: i64) {
        at(facts, region).quotas.as_mut().unwrap().storage = Some(Quota { used: 1000 - gib, max: 1000 });
    }
    fn grown(facts: &mut Facts) {
        live(facts).blueprint.allocated_gib = 300;
        at(facts, &home()).blueprint.as_mut().unwrap().as_mut().unwrap().blueprint.allocated_gib = 300;
    }
    each(&[
        (
            |facts| {
                grown(facts);
                room(facts, &home(), 299);
            },
            Check::StorageQuota,
            Fails,
            "storage",
            "InstanceQuotaExceeded (of RDS: StorageQuotaExceeded): each takes 300 GiB, and 701 of 1000 GiB are used",
        ),
        (
            // As large as the newest copy there, which is 20 GiB.
            |facts| {
                grown(facts);
                room(facts, &west(), 19);
            },
            Check::StorageQuota,
            Fails,
            "storage",
            "each takes 20 GiB",
        ),
        (
            |facts| {
                grown(facts);
                room(facts, &home(), 599);
            },
            Check::StorageQuota,
            Warning,
            "storage",
            "none beside a validation: each takes 300 GiB",
        ),
        (|facts| room(facts, &west(), 100), Check::StorageQuota, Warning, "storage", "900 of 1000 GiB"),
        (
            |facts| at(facts, &west()).quotas.as_mut().unwrap().storage = None,
            Check::StorageQuota,
            NotChecked,
            "storage",
            "does not say",
        ),
    ]);
    let enough = seen(|facts| {
        grown(facts);
        room(facts, &home(), 600);
        room(facts, &west(), 101);
    });
    assert_eq!(enough, []);
}

#[test]
fn keys_that_cannot_be_used() {
    fn first(facts: &mut Facts) -> &mut KeyFacts {
        &mut at(facts, &west()).keys[0]
    }
    each(&[
        (|facts| *first(facts) = key("Disabled"), Check::Key, Fails, "alias/holdfast", "is Disabled"),
        (
            |facts| *first(facts) = key("PendingDeletion"),
            Check::Key,
            Fails,
            "alias/holdfast",
            "PendingDeletion",
        ),
        (
            |facts| first(facts).found = Ok(None),
            Check::Key,
            Fails,
            "alias/holdfast",
            "copies to us-west-2 fail",
        ),
        (
            |facts| first(facts).permitted = Some(Ok(false)),
            Check::KeyPermission,
            Fails,
            "alias/holdfast",
            "may not use the key",
        ),
    ]);
}

#[test]
fn what_roles_and_key_policies_do_not_let_through() {
    each(&[
        (
            |facts| facts.roles = vec![role(Decision::Denied("statement 2 of policy stop denies it".into()))],
            Check::RolePermission,
            Fails,
            "role holdfast-copy, rds:CopyDBSnapshot",
            "copies to us-west-2 fail: the role of ReplicateToRegion may not rds:CopyDBSnapshot on \
             arn:aws:rds:us-west-2:1:snapshot:holdfast-prod-db, as IAM simulates it: statement 2 of policy stop denies it",
        ),
        (
            |facts| facts.roles = vec![role(Decision::Depends(vec!["aws:PrincipalTag/x".into()]))],
            Check::RolePermission,
            NotChecked,
            "rds:CopyDBSnapshot",
            "depends on aws:PrincipalTag/x",
        ),
        (
            |facts| {
                let need = Need::to_start("default/prod", MACHINE, &home());
                facts.roles =
                    vec![RoleFacts { need, ..role(Decision::Denied("there is no such role".into())) }];
            },
            Check::RolePermission,
            Fails,
            "states:StartExecution",
            "scheduled backups fail: the role of schedule default/prod may not states:StartExecution on \
             arn:aws:states:us-east-1:1:stateMachine:holdfast, as IAM simulates it: there is no such role",
        ),
        (
            |facts| {
                let need = Need::to_invoke(Workflow::Restore, "arn:restore", &home());
                facts.roles =
                    vec![RoleFacts { need, ..role(Decision::Denied("no statement allows it".into())) }];
            },
            Check::RolePermission,
            Fails,
            "lambda:InvokeFunction",
            "all restores fail: the role of the restore workflow may not lambda:InvokeFunction on arn:restore",
        ),
        (
            |facts| at(facts, &west()).keys[0].policy = Some(Ok(POLICY.replace("::1:", "::2:"))),
            Check::KeyPolicy,
            Warning,
            "alias/holdfast",
            "copies to us-west-2 fail unless a grant lets them: the key's own policy names neither account 1 nor role \
             holdfast-copy",
        ),
        (
            |facts| at(facts, &west()).keys[0].grants = Some(Ok(45_000)),
            Check::KeyGrants,
            Warning,
            "alias/holdfast",
            "45000 of 50000 grants",
        ),
        (
            |facts| at(facts, &west()).keys[0].grants = Some(Ok(50_000)),
            Check::KeyGrants,
            Fails,
            "alias/holdfast",
            "RDS can have no further grant on the key",
        ),
    ]);
    let mut one_less = healthy();
    at(&mut one_less, &west()).keys[0].grants = Some(Ok(44_999));
    assert_eq!(examine(&one_less).findings, []);
}

/// What was found of the two security groups of the blueprint.
#[test]
fn snapshots_that_others_have_or_nobody_finds() {
    each(&[
        (
            |facts| at(facts, &west()).shared[0].accounts = Ok(vec!["all".into()]),
            Check::Sharing,
            Fails,
            "holdfast-prod-db-20261120t000000z",
            "is public",
        ),
        (
            |facts| at(facts, &west()).shared[0].accounts = Ok(vec!["123456789012".into()]),
            Check::Sharing,
            Warning,
            "holdfast-prod-db-20261120t000000z",
            "123456789012",
        ),
        (
            |facts| drop(snapshots(facts, &home())[0].tags.remove(tags::OPERATION)),
            Check::Tags,
            Warning,
            "holdfast-prod-db-20261120t000000z",
            "no readable tag holdfast:operation",
        ),
        (
            |facts| drop(snapshots(facts, &home())[0].tags.remove(tags::VERDICT)),
            Check::Tags,
            Warning,
            "holdfast-prod-db-20261120t000000z",
            "no readable tag holdfast:verdict",
        ),
        (
            |facts| snapshots(facts, &home())[0].id = "mine".into(),
            Check::Tags,
            Warning,
            "mine",
            "and another name",
        ),
    ]);
    // Somebody's own snapshot is nobody's business.
    let mine = seen(|facts| {
        let first = &mut snapshots(facts, &home())[0];
        (first.id, first.tags) = ("before-the-migration".into(), Tags::new());
    });
    assert_eq!(mine, []);
}
