//! Each guard, seen from outside: facts in, the finding out.

use std::collections::BTreeMap;

use super::*;
use crate::ErrorKind;
use crate::blueprint::Blueprint;
use crate::blueprint::tests::blueprint;
use crate::health::{Key, Quota};
use crate::ids::RunId;
use crate::operation::Reference;
use crate::rds::{Instance, Snapshot, SnapshotStatus};
use crate::request::{PerformanceInsights, TargetRegion};
use crate::retention::Forecast;
use crate::tags::{self, Tags};

const NOW: &str = "2026-11-20T12:00:00Z";
const MACHINE: &str = "arn:aws:states:us-east-1:1:stateMachine:holdfast";

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn home() -> Region {
    region("us-east-1")
}

fn west() -> Region {
    region("us-west-2")
}

fn instance() -> Instance {
    Instance {
        id: "prod-db".into(),
        arn: "arn:aws:rds:us-east-1:1:db:prod-db".into(),
        status: "available".into(),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        class: "db.m6g.large".into(),
        endpoint: None,
        master_username: "app".into(),
        encrypted: true,
        change_pending: false,
        backup_retention_days: 7,
        publicly_accessible: false,
        parameter_groups: vec![],
        security_groups: vec![],
        tags: Tags::new(),
    }
}

fn snapshot(region: &Region, taken_at: &str) -> Snapshot {
    let run = RunId::parse(taken_at).unwrap();
    let operation = crate::ids::OperationId::derive(&home(), &DatabaseId::parse("prod-db").unwrap(), &run);
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
        taken_at: Some(taken_at.parse().unwrap()),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        source_region: None,
        source_arn: None,
        tags: Tags::from([
            (tags::OPERATION.to_owned(), operation.to_string()),
            (tags::DATABASE.to_owned(), "prod-db".to_owned()),
            (tags::VERDICT.to_owned(), "VALID".to_owned()),
        ]),
    }
}

fn key(state: &str) -> KeyFacts {
    let found = Key {
        arn: "arn:aws:kms:us-west-2:1:key/k".into(),
        state: state.into(),
        usage: "ENCRYPT_DECRYPT".into(),
        spec: "SYMMETRIC_DEFAULT".into(),
    };
    KeyFacts {
        id: "alias/holdfast".into(),
        used_for: "copies to us-west-2".into(),
        found: Ok(Some(found)),
        permitted: Some(Ok(true)),
    }
}

fn forecast(used: i64, max: i64) -> Forecast {
    Forecast { region: home(), used, max, per_day: 1.0, in_a_year: None, full_at: None, warning: None }
}

fn region_facts(region: &Region) -> RegionFacts {
    let snapshots = vec![snapshot(region, "2026-11-20T00:00:00Z"), snapshot(region, "2026-11-20T06:00:00Z")];
    let reference = Reference { what: "subnet group".into(), name: "prod".into(), problem: None };
    RegionFacts {
        shared: snapshots
            .iter()
            .map(|snapshot| SharedWith { snapshot_id: snapshot.id.clone(), accounts: Ok(vec![]) })
            .collect(),
        snapshots: Ok(snapshots),
        quotas: Ok(Quotas { snapshots: Some(forecast(3, 100)), instances: Some(Quota { used: 2, max: 40 }) }),
        namesake: Ok((*region == home()).then(instance)),
        temporary: Ok(vec![]),
        blueprint: Ok(Some(kept(region))),
        references: vec![(reference, Ok(()))],
        keys: vec![key("Enabled")],
        validation: Some(("arn:validation".into(), Ok(true))),
    }
}

/// What is kept of the database; elsewhere without what belongs to home only.
fn kept(region: &Region) -> Blueprint {
    let security_groups = if *region == home() { blueprint().security_groups } else { vec![] };
    Blueprint { security_groups, ..blueprint() }
}

fn schedule() -> ScheduleFacts {
    ScheduleFacts {
        name: "default/prod".into(),
        enabled: true,
        expression: "rate(6 hours)".into(),
        target_arn: MACHINE.into(),
        input_problem: None,
    }
}

fn healthy() -> Facts {
    Facts {
        now: NOW.parse().unwrap(),
        database: DatabaseId::parse("prod-db").unwrap(),
        home: home(),
        wanted_targets: vec![TargetRegion { region: west(), kms_key_id: "alias/holdfast".into() }],
        source: Ok(Some(Live { instance: instance(), blueprint: blueprint() })),
        backup_machine: MACHINE.into(),
        backup_machine_there: Ok(true),
        functions: vec![FunctionFacts { name: "health".into(), problem: Ok(None) }],
        schedules: Ok(vec![schedule()]),
        regions: BTreeMap::from([(home(), region_facts(&home())), (west(), region_facts(&west()))]),
    }
}

fn denied() -> Error {
    Error::new(ErrorKind::AccessDenied, "DescribeIt: AccessDenied: no")
}

fn live(facts: &mut Facts) -> &mut Live {
    facts.source.as_mut().unwrap().as_mut().unwrap()
}

fn at<'a>(facts: &'a mut Facts, region: &Region) -> &'a mut RegionFacts {
    facts.regions.get_mut(region).unwrap()
}

fn snapshots<'a>(facts: &'a mut Facts, region: &Region) -> &'a mut Vec<Snapshot> {
    at(facts, region).snapshots.as_mut().unwrap()
}

fn seen(change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = healthy();
    change(&mut facts);
    examine(&facts).findings
}

type Change = fn(&mut Facts);
type Row = (Change, Check, Severity, &'static str, &'static str);

/// Makes the change and expects this one finding: check, severity, a part of the subject and of the sentence.
fn each(rows: &[Row]) {
    for (change, check, severity, subject, what) in rows {
        let found = seen(change);
        assert_eq!(found.len(), 1, "{check}: {what}: {found:#?}");
        let finding = &found[0];
        assert_eq!((finding.check, finding.severity), (*check, *severity), "{finding:#?}");
        assert!(finding.subject.contains(subject), "{subject}: {finding:#?}");
        assert!(finding.what.contains(what), "{what}: {finding:#?}");
        assert!(!finding.advice.is_empty() && !finding.what.ends_with('.'), "{finding:#?}");
    }
}

use Severity::{FailsOnTheDay as Fails, NotChecked, Warning};

#[test]
fn a_healthy_database_has_no_finding_and_every_check_says_so() {
    let diagnosis = examine(&healthy());
    assert_eq!(diagnosis.findings, []);
    assert_eq!(diagnosis.worst(), None);
    let said: std::collections::BTreeSet<Check> = diagnosis.in_order.iter().map(|one| one.check).collect();
    assert_eq!(said, Check::ALL.into_iter().collect(), "no check is silent");
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
fn schedules_that_start_nothing() {
    each(&[
        (|facts| facts.schedules = Ok(vec![]), Check::Schedule, Warning, "prod-db", "no schedule names it"),
        (
            |facts| facts.schedules.as_mut().unwrap()[0].enabled = false,
            Check::Schedule,
            Fails,
            "default/prod",
            "no more backups are taken: the schedule is disabled",
        ),
        (
            |facts| facts.schedules.as_mut().unwrap()[0].target_arn = "arn:another".into(),
            Check::Schedule,
            Fails,
            "default/prod",
            "the schedule starts arn:another",
        ),
        (
            |facts| facts.schedules.as_mut().unwrap()[0].input_problem = Some("tier: no".into()),
            Check::Schedule,
            Fails,
            "default/prod",
            "is refused: tier: no",
        ),
        (
            |facts| {
                let other = ScheduleFacts { enabled: false, name: "default/old".into(), ..schedule() };
                facts.schedules.as_mut().unwrap().push(other);
            },
            Check::Schedule,
            Warning,
            "default/old",
            "is disabled",
        ),
    ]);
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
            "no backup is VALID, the newest is UNPROVEN",
        ),
        (|facts| snapshots(facts, &home()).clear(), Check::BackupAge, Fails, "prod-db", "there is no backup"),
    ]);
    // Without a rate, 12 hours are allowed (requirement K2).
    let without_rate = |now: &str| {
        seen(|facts| {
            facts.schedules.as_mut().unwrap()[0].expression = "cron(0 6 * * ? *)".into();
            facts.now = now.parse().unwrap();
        })
    };
    assert_eq!(without_rate("2026-11-20T18:00:00Z"), []);
    let late = without_rate("2026-11-20T18:00:01Z");
    assert_eq!((late.len(), late[0].check), (1, Check::BackupAge));
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
            "NoCapacity: 40 of 40",
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
fn what_a_restore_misses() {
    each(&[
        (
            |facts| {
                at(facts, &west()).references[0].0.problem =
                    Some("is not there: make it, or name another".into());
            },
            Check::Reference,
            Fails,
            "subnet group prod",
            "ReferenceUnresolved: subnet group prod is not there",
        ),
        (
            |facts| at(facts, &west()).blueprint = Ok(Some(blueprint())),
            Check::Reference,
            Warning,
            "security groups sg-2, sg-1",
            "belong to a network of us-east-1",
        ),
        (
            |facts| {
                let key = Some("arn:aws:kms:us-east-1:1:key/2".to_owned());
                let insights = PerformanceInsights { enabled: true, kms_key_id: key, retention_days: None };
                let kept = Blueprint { performance_insights: Some(insights), ..kept(&west()) };
                at(facts, &west()).blueprint = Ok(Some(kept));
            },
            Check::Reference,
            Warning,
            "Performance Insights key arn:aws:kms:us-east-1:1:key/2",
            "it belongs to us-east-1",
        ),
        (
            |facts| at(facts, &west()).blueprint = Ok(None),
            Check::Blueprint,
            Fails,
            "prod-db",
            "nothing says what it was made with",
        ),
        (
            |facts| at(facts, &home()).blueprint = Ok(None),
            Check::Blueprint,
            Warning,
            "prod-db",
            "kept with no proven backup",
        ),
        (
            |facts| at(facts, &west()).namesake = Ok(Some(instance())),
            Check::Name,
            Fails,
            "prod-db",
            "NameTaken",
        ),
        (
            |facts| {
                let mine = Instance { id: "hfv-mine".into(), ..instance() };
                let tags = Tags::from([(tags::TEMPORARY.to_owned(), "validation".to_owned())]);
                let ours = Instance { id: "hfv-ours".into(), tags, ..instance() };
                at(facts, &home()).temporary = Ok(vec![mine, ours]);
            },
            Check::TemporaryName,
            Warning,
            "hfv-mine",
            "is never swept",
        ),
    ]);
    // With the database gone, only what is kept says what it was.
    let lost = seen(|facts| {
        facts.source = Ok(None);
        at(facts, &home()).blueprint = Ok(None);
    });
    assert!(lost.iter().any(|one| (one.check, one.severity) == (Check::Blueprint, Fails)), "{lost:#?}");
}

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

#[test]
fn what_is_not_deployed() {
    each(&[
        (
            |facts| facts.backup_machine_there = Ok(false),
            Check::Deployment,
            Fails,
            MACHINE,
            "no backup can be started",
        ),
        (
            |facts| facts.functions[0].problem = Ok(Some("is not there".into())),
            Check::Deployment,
            Fails,
            "health",
            "the function is not there",
        ),
        (
            |facts| at(facts, &west()).validation = Some(("arn:validation".into(), Ok(false))),
            Check::Deployment,
            Fails,
            "arn:validation",
            "no copy can be proven there",
        ),
    ]);
}

#[test]
fn what_could_not_be_looked_at_is_said_by_name() {
    each(&[
        (|facts| facts.source = Err(denied()), Check::Source, NotChecked, "prod-db", "AccessDenied"),
        (|facts| facts.schedules = Err(denied()), Check::Schedule, NotChecked, "prod-db", "AccessDenied"),
        (
            |facts| facts.backup_machine_there = Err(denied()),
            Check::Deployment,
            NotChecked,
            MACHINE,
            "not known",
        ),
        (
            |facts| facts.functions[0].problem = Err(denied()),
            Check::Deployment,
            NotChecked,
            "health",
            "not known",
        ),
        (
            |facts| at(facts, &west()).validation = Some(("arn:validation".into(), Err(denied()))),
            Check::Deployment,
            NotChecked,
            "arn:validation",
            "not known",
        ),
        (
            |facts| at(facts, &west()).keys[0].found = Err(denied()),
            Check::Key,
            NotChecked,
            "alias",
            "not known",
        ),
        (
            |facts| at(facts, &west()).keys[0].permitted = Some(Err(denied())),
            Check::KeyPermission,
            NotChecked,
            "alias",
            "not known",
        ),
        (
            |facts| at(facts, &west()).namesake = Err(denied()),
            Check::Name,
            NotChecked,
            "prod-db",
            "not known",
        ),
        (
            |facts| at(facts, &west()).temporary = Err(denied()),
            Check::TemporaryName,
            NotChecked,
            "hfv",
            "not known",
        ),
        (
            |facts| at(facts, &west()).blueprint = Err(denied()),
            Check::Blueprint,
            NotChecked,
            "prod-db",
            "not known",
        ),
        (
            |facts| at(facts, &west()).references[0].1 = Err(denied()),
            Check::Reference,
            NotChecked,
            "subnet",
            "not known",
        ),
        (
            |facts| at(facts, &west()).shared[0].accounts = Err(denied()),
            Check::Sharing,
            NotChecked,
            "hold",
            "not known",
        ),
    ]);
    let checks = |change: Change| -> Vec<(Check, Severity)> {
        seen(change).iter().map(|finding| (finding.check, finding.severity)).collect()
    };
    let unseen = |checks: &[Check]| -> Vec<(Check, Severity)> {
        checks.iter().map(|check| (*check, NotChecked)).collect()
    };
    assert_eq!(
        checks(|facts| at(facts, &west()).quotas = Err(denied())),
        unseen(&[Check::SnapshotQuota, Check::InstanceQuota])
    );
    assert_eq!(
        checks(|facts| at(facts, &west()).snapshots = Err(denied())),
        unseen(&[Check::Copy, Check::Tags])
    );
    assert_eq!(
        checks(|facts| at(facts, &home()).snapshots = Err(denied())),
        unseen(&[Check::BackupAge, Check::BackupProof, Check::Tags])
    );
}

#[test]
fn only_what_was_asked_for_is_judged() {
    let found = seen(|facts| {
        facts.regions.remove(&home());
        facts.source = Ok(None);
        facts.schedules = Ok(vec![]);
        facts.backup_machine_there = Ok(false);
    });
    assert_eq!(found, []);
}

#[test]
fn the_worst_comes_first() {
    let found = seen(|facts| {
        facts.schedules = Err(denied());
        live(facts).instance.encrypted = false;
        *at(facts, &west()).keys.first_mut().unwrap() = key("Disabled");
    });
    let severities: Vec<Severity> = found.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Fails, Warning, NotChecked]);
}

#[test]
fn rates_are_read_and_others_are_not_guessed() {
    for (text, seconds) in [
        ("rate(6 hours)", Some(21_600.0)),
        ("rate(1 hour)", Some(3600.0)),
        ("rate(90 minutes)", Some(5400.0)),
        ("rate(1 day)", Some(86_400.0)),
        ("cron(0 6 * * ? *)", None),
        ("rate(6 moons)", None),
        ("at(2026-11-20T06:00:00)", None),
    ] {
        assert_eq!(backups::interval_seconds(text), seconds, "{text}");
    }
    assert_eq!(
        (age(59.0), age(7199.0), age(7200.0), age(172_800.0)),
        ("0 min".into(), "119 min".into(), "2 h".into(), "2 days".into())
    );
}
