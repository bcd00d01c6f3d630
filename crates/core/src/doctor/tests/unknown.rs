//! What is not deployed, what could not be looked at, and what was not asked for.

use super::*;

#[test]
fn what_is_not_deployed() {
    each(&[
        (
            |facts| machine_of(facts, Workflow::Backup).there = Ok(false),
            Check::Deployment,
            Fails,
            MACHINE,
            "no backup can be started",
        ),
        (
            |facts| machine_of(facts, Workflow::Restore).there = Ok(false),
            Check::Deployment,
            Fails,
            RESTORES,
            "no restore can be started: the state machine is not there",
        ),
        (
            |facts| machine_of(facts, Workflow::Replication).there = Ok(false),
            Check::Deployment,
            Fails,
            REPLICATES,
            "no replication can be started",
        ),
        (
            |facts| {
                machine_of(facts, Workflow::Backup).functions[0].problem = Ok(Some("is not there".into()));
            },
            Check::Deployment,
            Fails,
            "health",
            "the next backup fails: the function is not there",
        ),
        (
            |facts| {
                machine_of(facts, Workflow::Restore).functions[0].problem =
                    Ok(Some("is in state Failed".into()));
            },
            Check::Deployment,
            Fails,
            "restore",
            "the next restore fails: the function is in state Failed",
        ),
        (
            // What all of them need is said once.
            |facts| {
                for machine in facts.machines.values_mut() {
                    machine.functions[1].problem = Ok(Some("is not there".into()));
                }
            },
            Check::Deployment,
            Fails,
            "update-state",
            "the next backup, restore, replication fail: the function is not there",
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
        (
            |facts| facts.targets_seen = Err(denied()),
            Check::Copy,
            NotChecked,
            "target Regions",
            "AccessDenied",
        ),
        (|facts| facts.source = Err(denied()), Check::Source, NotChecked, "prod-db", "AccessDenied"),
        (|facts| facts.schedules = Err(denied()), Check::Schedule, NotChecked, "prod-db", "AccessDenied"),
        (|facts| facts.operations = Err(denied()), Check::Operation, NotChecked, "prod-db", "AccessDenied"),
        (
            |facts| facts.operations = Ok(vec![operation(Err(denied()))]),
            Check::Operation,
            NotChecked,
            "prod-db-r1-0123456789",
            "not known",
        ),
        (
            |facts| machine_of(facts, Workflow::Backup).there = Err(denied()),
            Check::Deployment,
            NotChecked,
            MACHINE,
            "not known",
        ),
        (
            |facts| machine_of(facts, Workflow::Restore).functions[0].problem = Err(denied()),
            Check::Deployment,
            NotChecked,
            "restore",
            "not known",
        ),
        (
            |facts| drop(facts.machines.remove(&Workflow::Restore)),
            Check::Deployment,
            NotChecked,
            "restore workflow",
            "nobody said which state machine it is",
        ),
        (
            |facts| drop(facts.machines.remove(&Workflow::Replication)),
            Check::Deployment,
            NotChecked,
            "replication workflow",
            "nobody said which state machine it is",
        ),
    ]);
}

#[test]
fn what_could_not_be_looked_at_of_keys_and_roles_is_said_by_name() {
    each(&[
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
            |facts| at(facts, &west()).keys[0].policy = Some(Err(denied())),
            Check::KeyPolicy,
            NotChecked,
            "alias",
            "not known",
        ),
        (
            |facts| at(facts, &west()).keys[0].grants = Some(Err(denied())),
            Check::KeyGrants,
            NotChecked,
            "alias",
            "not known",
        ),
        (
            |facts| facts.roles[0].decision = Err(denied()),
            Check::RolePermission,
            NotChecked,
            "role holdfast-copy, rds:CopyDBSnapshot",
            "not known",
        ),
        (
            |facts| facts.roles[0].role = Err(denied()),
            Check::RolePermission,
            NotChecked,
            "the role of ReplicateToRegion",
            "not known",
        ),
    ]);
}

#[test]
fn what_could_not_be_looked_at_in_a_region_is_said_by_name() {
    each(&[
        (
            |facts| at(facts, &west()).validation = Some(("arn:validation".into(), Err(denied()))),
            Check::Deployment,
            NotChecked,
            "arn:validation",
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
}

#[test]
fn a_list_that_could_not_be_had_leaves_all_its_checks_unknown() {
    let checks = |change: Change| -> Vec<(Check, Severity)> {
        seen(change).iter().map(|finding| (finding.check, finding.severity)).collect()
    };
    let unseen = |checks: &[Check]| -> Vec<(Check, Severity)> {
        checks.iter().map(|check| (*check, NotChecked)).collect()
    };
    assert_eq!(
        checks(|facts| at(facts, &west()).quotas = Err(denied())),
        unseen(&[Check::SnapshotQuota, Check::InstanceQuota, Check::StorageQuota])
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
        machine_of(facts, Workflow::Backup).there = Ok(false);
        facts.machines.remove(&Workflow::Restore);
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
        ("cron(0 6 * * ? *)", Some(86_400.0)),
        ("cron(0 0/6 * * ? *)", Some(21_600.0)),
        // Over the weekend.
        ("cron(0 6 ? * MON-FRI *)", Some(259_200.0)),
        ("cron(0 6 * *)", None),
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

#[test]
fn where_nothing_was_looked_at_nothing_is_in_order() {
    let nothing = examine(&Facts { regions: BTreeMap::new(), ..healthy() });
    assert_eq!(nothing.worst(), Some(NotChecked));
    let finding = nothing.findings.iter().find(|one| one.what.starts_with("nothing was looked at")).unwrap();
    assert_eq!(finding.advice, "its Regions are us-east-1, us-west-2");
}
