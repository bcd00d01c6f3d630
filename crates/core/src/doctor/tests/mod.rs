//! Each guard, seen from outside: facts in, the finding out.

use std::collections::BTreeMap;

mod found;
mod restored;
mod scheduled;
mod unknown;

use super::*;
use crate::ErrorKind;
use crate::blueprint::tests::blueprint;
use crate::blueprint::{Blueprint, KeptBlueprint};
use crate::health::{Key, Quota};
use crate::ids::RunId;
use crate::operation::Reference;
use crate::rds::{Instance, Snapshot, SnapshotStatus};
use crate::request::{Login, PerformanceInsights, TargetRegion};
use crate::retention::Forecast;
use crate::tags::{self, Tags};

const NOW: &str = "2026-11-20T12:00:00Z";
const ROLE: &str = "arn:aws:iam::1:role/holdfast-copy";
const POLICY: &str =
    r#"{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "kms:*"}]}"#;
const MACHINE: &str = "arn:aws:states:us-east-1:1:stateMachine:holdfast";
const RESTORES: &str = "arn:aws:states:us-east-1:1:stateMachine:restores";
const REPLICATES: &str = "arn:aws:states:us-east-1:1:stateMachine:replicates";

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
        resource_id: "db-PROD".into(),
        status: "available".into(),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        class: "db.m6g.large".into(),
        endpoint: None,
        master_username: "app".into(),
        encrypted: true,
        change_pending: false,
        pending: vec![],
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
        policy: Some(Ok(POLICY.into())),
        grants: Some(Ok(3)),
        roles: vec![ROLE.into()],
    }
}

fn forecast(used: i64, max: i64) -> Forecast {
    Forecast { region: home(), used, max, per_day: 1.0, in_a_year: None, full_at: None, warning: None }
}

fn region_facts(region: &Region) -> RegionFacts {
    let snapshots = vec![snapshot(region, "2026-11-20T00:00:00Z"), snapshot(region, "2026-11-20T06:00:00Z")];
    let reference = Reference::new("subnet group", "prod", None);
    RegionFacts {
        shared: snapshots
            .iter()
            .map(|snapshot| SharedWith { snapshot_id: snapshot.id.clone(), accounts: Ok(vec![]) })
            .collect(),
        snapshots: Ok(snapshots),
        quotas: Ok(Quotas {
            snapshots: Some(forecast(3, 100)),
            instances: Some(Quota { used: 2, max: 40 }),
            storage: Some(Quota { used: 40, max: 100_000 }),
        }),
        namesake: Ok((*region == home()).then(instance)),
        temporary: Ok(vec![]),
        blueprint: Ok(Some(kept(region))),
        references: vec![(reference, Ok(()))],
        keys: vec![key("Enabled")],
        validation: Some(("arn:validation".into(), Ok(true))),
    }
}

/// What is kept of the database; elsewhere without what belongs to home only.
fn kept(region: &Region) -> KeptBlueprint {
    let security_groups = if *region == home() { blueprint().security_groups } else { vec![] };
    let blueprint = Blueprint { security_groups, ..blueprint() };
    KeptBlueprint { blueprint, login: Some(Login::IamUser("holdfast_reader".into())) }
}

/// The role that copies, and what came of asking whether it may.
fn role(decision: Decision) -> RoleFacts {
    let need = Need {
        whose: Whose::Function(Workflow::Backup, "ReplicateToRegion"),
        action: "rds:CopyDBSnapshot",
        resource: "arn:aws:rds:us-west-2:1:snapshot:holdfast-prod-db".into(),
        region: west(),
        used_for: "copies to us-west-2".into(),
    };
    RoleFacts { need, role: Ok(ROLE.into()), decision: Ok(decision) }
}

fn schedule() -> ScheduleFacts {
    ScheduleFacts {
        name: "default/prod".into(),
        times: Times {
            enabled: true,
            expression: "rate(6 hours)".into(),
            timezone: None,
            begins: None,
            ends: None,
        },
        target_arn: MACHINE.into(),
        input_problem: None,
    }
}

fn operation(worker: crate::Result<Worker>) -> OpenOperation {
    OpenOperation { id: "prod-db-r1-0123456789".into(), phase: "RESTORING".into(), worker }
}

/// A state machine that is there with one function of its own and one that all have.
fn machine(workflow: Workflow, arn: &str, own: &str) -> (Workflow, MachineFacts) {
    let function = |name: &str| FunctionFacts { name: name.into(), problem: Ok(None) };
    let functions = vec![function(own), function("update-state")];
    (workflow, MachineFacts { arn: arn.into(), there: Ok(true), functions })
}

fn machine_of(facts: &mut Facts, workflow: Workflow) -> &mut MachineFacts {
    facts.machines.get_mut(&workflow).unwrap()
}

/// The one schedule of the database.
fn its(facts: &mut Facts) -> &mut ScheduleFacts {
    &mut facts.schedules.as_mut().unwrap()[0]
}

fn healthy() -> Facts {
    Facts {
        now: NOW.parse().unwrap(),
        database: DatabaseId::parse("prod-db").unwrap(),
        home: home(),
        wanted_targets: vec![TargetRegion { region: west(), kms_key_id: "alias/holdfast".into() }],
        targets_seen: Ok(()),
        source: Ok(Some(Live { instance: instance(), blueprint: blueprint() })),
        backup_machine: MACHINE.into(),
        machines: BTreeMap::from([
            machine(Workflow::Backup, MACHINE, "health"),
            machine(Workflow::Restore, RESTORES, "restore"),
            machine(Workflow::Replication, REPLICATES, "copy"),
        ]),
        roles: vec![role(Decision::Allowed)],
        schedules: Ok(vec![schedule()]),
        operations: Ok(vec![operation(Ok(Worker::Running))]),
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
