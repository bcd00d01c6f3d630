//! Each thing that is listed, and what keeps it from being listed.

use super::*;
use crate::error::{Error, ErrorKind};
use crate::retention::Policy;

const NOW: &str = "2026-11-22T12:00:00Z";

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn id(text: &str) -> OperationId {
    OperationId::parse(text).unwrap()
}

fn tags(pairs: &[(&str, &str)]) -> tags::Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn instance(name: &str, pairs: &[(&str, &str)]) -> InstanceSeen {
    let instance = Instance {
        id: name.into(),
        arn: format!("arn:db:{name}"),
        resource_id: format!("db-{name}"),
        status: "available".into(),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        class: "db.t4g.medium".into(),
        endpoint: None,
        master_username: "m".into(),
        encrypted: true,
        change_pending: false,
        pending: vec![],
        backup_retention_days: 0,
        publicly_accessible: false,
        parameter_groups: vec![],
        security_groups: vec![],
        tags: tags(pairs),
    };
    InstanceSeen { instance, allocated_gib: Some(100), multi_az: Some(false) }
}

/// The temporary instance of `prod-db-0123456789`.
fn temporary(expires: &str) -> InstanceSeen {
    instance(
        "hfv-prod-db-0123456789",
        &[
            (tags::OPERATION, "prod-db-0123456789"),
            (tags::DATABASE, "prod-db"),
            (tags::TEMPORARY, "validation"),
            (tags::EXPIRES_AT, expires),
            (tags::REQUESTED_AT, "2026-11-20T06:00:00Z"),
        ],
    )
}

fn snapshot(place: &str, name: &str, taken_at: &str, pairs: &[(&str, &str)]) -> Snapshot {
    Snapshot {
        id: name.into(),
        arn: format!("arn:{place}:{name}"),
        region: region(place),
        instance_id: "prod-db".into(),
        status: SnapshotStatus::Available,
        percent: 100,
        size_gib: 100,
        encrypted: true,
        kms_key_id: None,
        taken_at: Some(taken_at.parse().unwrap()),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        source_region: None,
        source_arn: None,
        tags: tags(pairs),
    }
}

/// A proven backup of `prod-db`.
fn backup(place: &str, operation: &str, taken_at: &str) -> Snapshot {
    let pairs = [(tags::OPERATION, operation), (tags::DATABASE, "prod-db"), (tags::VERDICT, "VALID")];
    snapshot(place, &format!("holdfast-{operation}"), taken_at, &pairs)
}

/// One backup is kept: the newest.
fn facts(instances: Vec<InstanceSeen>, snapshots: Vec<Snapshot>) -> Facts {
    let policy = Policy { daily: 1, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspection_days: 0 };
    let mut regions = BTreeMap::new();
    for place in ["us-east-1", "us-west-2"] {
        let here: Vec<Snapshot> =
            snapshots.iter().filter(|one| one.region.as_str() == place).cloned().collect();
        let instances = if place == "us-east-1" { instances.clone() } else { vec![] };
        regions.insert(region(place), RegionSeen { instances: Ok(instances), snapshots: Ok(here) });
    }
    let policies = Ok(Policies::from(policy));
    let now: Timestamp = NOW.parse().unwrap();
    let records =
        operations(&regions, &policies, now).into_iter().map(|id| (id, Ok(Record::Ended))).collect();
    Facts {
        now,
        home: region("us-east-1"),
        regions,
        records,
        busy: Ok(BTreeSet::new()),
        policies,
        pruning: Action::Plan,
    }
}

fn prices() -> PriceTable {
    let price = |price: f64| format!(r#"{{"price": {price}, "asOf": "2026-10-01", "source": "s"}}"#);
    let text = format!(
        r#"{{"version": 1, "currency": "USD", "asOf": "2026-11-22", "note": "n", "sources": {{"s": "t"}}, "regions": {{
            "us-east-1": {{"snapshotStorage": {}, "instanceStorage": {}, "instanceHour": {{"db.t4g.medium": {}}}}}}}}}"#,
        price(0.1),
        price(0.2),
        price(0.05),
    );
    PriceTable::parse(&text, "prices.json").unwrap()
}

/// What is found: its id, and whether it is certain.
fn listed(facts: &Facts) -> Vec<(String, bool)> {
    find(facts, &prices()).orphans.into_iter().map(|one| (one.id, one.certain)).collect()
}

const OLD: &str = "2026-11-21T12:00:00Z";
const LATER: &str = "2026-11-22T14:00:00Z";
const HFV: &str = "hfv-prod-db-0123456789";

#[test]
fn a_temporary_instance_is_listed_when_it_expired_or_its_operation_ended() {
    assert_eq!(listed(&facts(vec![temporary(OLD)], vec![])), [(HFV.to_owned(), true)]);
    let mut expired = facts(vec![temporary(OLD)], vec![]);
    for record in [Record::Missing, Record::Running] {
        expired.records.insert(id("prod-db-0123456789"), Ok(record));
        assert_eq!(listed(&expired), [(HFV.to_owned(), true)], "nothing may need it after that time");
    }
    let mut alive = facts(vec![temporary(LATER)], vec![]);
    assert_eq!(listed(&alive), [(HFV.to_owned(), true)], "its operation has ended");
    alive.records.insert(id("prod-db-0123456789"), Ok(Record::Running));
    assert_eq!(listed(&alive), [], "it is being used");
    alive.records.insert(id("prod-db-0123456789"), Ok(Record::Missing));
    assert_eq!(listed(&alive), [(HFV.to_owned(), false)], "a validation by itself has no record");
    let mut going = temporary(OLD);
    going.instance.status = "deleting".into();
    assert_eq!(listed(&facts(vec![going], vec![])), []);
}

#[test]
fn what_only_looks_temporary_is_for_a_person_to_judge() {
    let named = instance("hfv-of-somebody", &[]);
    let tagged = instance("prod-db-2", &[(tags::TEMPORARY, "validation")]);
    let unreadable = temporary("tomorrow");
    let found = listed(&facts(vec![named, tagged, unreadable], vec![]));
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(_, certain)| !certain), "{found:?}");
}

#[test]
fn what_a_swap_kept_and_what_a_restore_left_is_listed_unless_something_goes_on() {
    let of = |names: &[&str]| facts(names.iter().map(|name| instance(name, &[])).collect(), vec![]);
    let mut kept = of(&["prod-db", "prod-db-old-0123456789", "prod-db-new-abcdef0123", "prod-db-old-style"]);
    let both = [("prod-db-old-0123456789".to_owned(), false), ("prod-db-new-abcdef0123".to_owned(), false)];
    assert_eq!(listed(&kept), both);
    kept.busy = Ok(BTreeSet::from(["prod-db".to_owned()]));
    assert_eq!(listed(&kept), [], "a swap may be going on");
    kept.busy = Err(Error::new(ErrorKind::AccessDenied, "no"));
    assert_eq!(listed(&kept), [], "nobody knows");
    assert_eq!(find(&kept, &prices()).unseen.len(), 1, "and that is said");
    // Without the database itself it may be all that is left.
    let advice = |facts: &Facts| find(facts, &prices()).orphans[0].advice.clone();
    assert!(advice(&of(&["prod-db-old-0123456789"])).contains("it may be all that is left"));
    assert!(advice(&of(&["prod-db", "prod-db-old-0123456789"])).contains("what the database lacks"));
}

#[test]
fn what_a_swap_kept_is_there_since_that_swap() {
    let old = |made: &[(&str, &str)]| instance("prod-db-old-0123456789", made);
    let since = |of: Vec<InstanceSeen>| find(&facts(of, vec![]), &prices()).orphans[0].since;
    let earlier = old(&[(tags::REQUESTED_AT, OLD), (tags::OPERATION, "prod-db-r0-ffffffffff")]);
    // The instance that has its name now was made by the same operation.
    let by = |operation: &str| {
        instance("prod-db", &[(tags::REQUESTED_AT, "2026-11-22T06:00:00Z"), (tags::OPERATION, operation)])
    };
    let swap = since(vec![earlier.clone(), by("prod-db-r1-0123456789")]);
    assert_eq!(swap, Some("2026-11-22T06:00:00Z".parse().unwrap()));
    // Another one was made by something else, and its own time is that of an earlier restore.
    assert_eq!(since(vec![earlier.clone(), by("prod-db-r2-abcdef0123")]), None);
    assert_eq!(since(vec![earlier]), None);
}

#[test]
fn a_name_that_lost_the_end_of_its_database_is_still_its_own() {
    let database = format!("a{}z", "b".repeat(60));
    let old = format!("{}-old-0123456789", &database[..48]);
    let mut kept = facts(vec![instance(&database, &[]), instance(&old, &[])], vec![]);
    assert_eq!(listed(&kept), [(old, false)]);
    kept.busy = Ok(BTreeSet::from([database]));
    assert_eq!(listed(&kept), []);
}

#[test]
fn what_an_instance_costs_is_its_hours_and_its_storage_as_far_as_there_are_prices() {
    let cost = |seen: InstanceSeen| find(&facts(vec![seen], vec![]), &prices()).orphans[0].monthly;
    // 730 h at 0.05 and 100 GiB at 0.2.
    assert!((cost(temporary(OLD)).unwrap() - 56.5).abs() < 1e-9);
    let mut stopped = temporary(OLD);
    stopped.instance.status = "stopped".into();
    assert_eq!(cost(stopped), Some(20.0));
    let mut other = temporary(OLD);
    other.instance.class = "db.m6g.large".into();
    assert_eq!(cost(other), None);
    assert_eq!(cost(InstanceSeen { multi_az: Some(true), ..temporary(OLD) }), None);
    assert_eq!(cost(InstanceSeen { allocated_gib: None, ..temporary(OLD) }), None);
    let mut mysql = temporary(OLD);
    mysql.instance.engine = "mysql".into();
    assert_eq!(cost(mysql), None);
}

fn two_backups() -> Vec<Snapshot> {
    vec![
        backup("us-east-1", "prod-db-aaaaaaaaaa", "2026-11-20T06:00:00Z"),
        backup("us-east-1", "prod-db-bbbbbbbbbb", "2026-11-21T06:00:00Z"),
        backup("us-west-2", "prod-db-aaaaaaaaaa", "2026-11-20T06:00:00Z"),
    ]
}

#[test]
fn a_backup_is_listed_when_no_rule_keeps_it_and_nothing_deletes_it() {
    let backups = facts(vec![], two_backups());
    let found = find(&backups, &prices()).orphans;
    // The copy is the newest in its Region: retention keeps it, source or not.
    assert_eq!(listed(&backups), [("holdfast-prod-db-aaaaaaaaaa".to_owned(), true)]);
    assert_eq!((found[0].region.as_str(), found[0].monthly), ("us-east-1", Some(10.0)));
    assert!(!found[0].why.contains("gone"), "it is the source: {}", found[0].why);
    let deleting = Facts { pruning: Action::Delete, ..backups.clone() };
    assert_eq!(listed(&deleting), [], "it goes with the next daily run");
    let mut running = backups.clone();
    running.records.insert(id("prod-db-aaaaaaaaaa"), Ok(Record::Running));
    assert_eq!(listed(&running), []);
    let mut busy = backups.clone();
    busy.busy = Ok(BTreeSet::from(["prod-db".to_owned()]));
    assert_eq!(listed(&busy), [], "a restore may read it");
    let mut unknown = backups.clone();
    let denied = || Error::new(ErrorKind::AccessDenied, "no");
    unknown.records.insert(id("prod-db-aaaaaaaaaa"), Err(denied()));
    assert_eq!(listed(&unknown), []);
    assert_eq!(find(&unknown, &prices()).unseen.len(), 1);
    let rules = Facts { policies: Err(denied()), ..backups };
    assert_eq!((listed(&rules), find(&rules, &prices()).unseen.len()), (vec![], 1));
}

#[test]
fn a_backup_that_is_held_copied_or_validated_is_not_listed() {
    let mut held = two_backups();
    held[0].tags.insert(tags::HOLD.into(), "case 4711".into());
    assert_eq!(listed(&facts(vec![], held)), []);
    let mut copied = two_backups();
    let mut copy = backup("us-west-2", "prod-db-cccccccccc", "2026-11-20T06:00:00Z");
    copy.status = SnapshotStatus::Creating;
    copy.source_arn = Some(copied[0].arn.clone());
    copied.push(copy);
    assert_eq!(listed(&facts(vec![], copied)), []);
    // RDS does not say of what a copy within the Region is made.
    let mut nearby = two_backups();
    let mut copy = snapshot("us-east-1", "with-another-key", "2026-11-20T06:00:00Z", &[]);
    copy.status = SnapshotStatus::Creating;
    nearby.push(copy);
    assert_eq!(listed(&facts(vec![], nearby)), []);
    let mut validated = facts(vec![temporary(LATER)], two_backups());
    validated.records.insert(id("prod-db-0123456789"), Ok(Record::Running));
    assert_eq!(listed(&validated), []);
}

#[test]
fn a_copy_that_no_rule_keeps_says_that_its_source_is_gone() {
    let mut backups = two_backups();
    backups.push(backup("us-west-2", "prod-db-bbbbbbbbbb", "2026-11-21T06:00:00Z"));
    backups.remove(0);
    let found = find(&facts(vec![], backups), &prices()).orphans;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].region.as_str(), found[0].certain), ("us-west-2", true));
    assert!(found[0].why.contains("the backup that it is a copy of is gone"), "{}", found[0].why);
    assert!(
        found[0].monthly.is_none() && found[0].monthly_from.contains("no prices of us-west-2"),
        "{found:?}"
    );
}

#[test]
fn what_retention_never_judges_is_for_a_person() {
    let at = "2026-11-20T06:00:00Z";
    let mut failed = backup("us-east-1", "prod-db-dddddddddd", at);
    failed.status = SnapshotStatus::Failed;
    let all = vec![
        snapshot("us-east-1", "by-hand", at, &[(tags::OPERATION, "prod-db-aaaaaaaaaa")]),
        snapshot("us-east-1", "holdfast-prod-db-eeeeeeeeee", at, &[]),
        snapshot("us-east-1", "somebody-elses", at, &[]),
        failed,
    ];
    let mut facts = facts(vec![], all);
    let expected = [
        ("holdfast-prod-db-dddddddddd".to_owned(), true),
        ("by-hand".to_owned(), false),
        ("holdfast-prod-db-eeeeeeeeee".to_owned(), false),
    ];
    assert_eq!(listed(&facts), expected);
    let mut held = facts.clone();
    for seen in held.regions.values_mut() {
        for snapshot in seen.snapshots.iter_mut().flatten() {
            snapshot.tags.insert(tags::HOLD.into(), "case 4711".into());
        }
    }
    assert_eq!(listed(&held), [], "somebody holds them, whoever made them");
    for record in facts.records.values_mut() {
        *record = Ok(Record::Running);
    }
    assert_eq!(listed(&facts), []);
}

#[test]
fn a_region_that_cannot_be_looked_at_is_named_and_hides_nothing_else() {
    let mut facts = facts(vec![temporary(OLD)], vec![]);
    let denied = || Error::new(ErrorKind::AccessDenied, "no");
    let seen = RegionSeen { instances: Err(denied()), snapshots: Err(denied()) };
    facts.regions.insert(region("us-west-2"), seen);
    let found = find(&facts, &prices());
    assert_eq!(found.orphans.len(), 1);
    let what: Vec<&str> = found.unseen.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(what, ["instances", "snapshots"]);
}
