//! Hand-computed months.

use super::*;

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

/// Round prices in us-east-1; eu-west-1 has only the price of storage.
fn prices() -> PriceTable {
    let price = |price: f64| format!(r#"{{"price": {price}, "asOf": "2026-10-01", "source": "s"}}"#);
    let text = format!(
        r#"{{"version": 1, "currency": "USD", "asOf": "2026-11-22", "note": "n", "sources": {{"s": "t"}}, "regions": {{
            "us-east-1": {{"snapshotStorage": {a}, "instanceStorage": {b}, "instanceHour": {{"db.t4g.medium": {c}}},
                           "transfer": {{"toOthers": {d}}}, "key": {e}, "endpointHour": {f}, "functionRequests": {g},
                           "functionGbSecond": {h}, "transitions": {i}}},
            "eu-west-1": {{"snapshotStorage": {a}}}}}}}"#,
        a = price(0.1),
        b = price(0.2),
        c = price(0.05),
        d = price(0.02),
        e = price(1.0),
        f = price(0.01),
        g = price(0.2),
        h = price(0.00001),
        i = price(0.025),
    );
    PriceTable::parse(&text, "prices.json").unwrap()
}

/// 100 GiB, every midnight, ten days kept, copied to eu-west-1.
fn protected() -> Protected {
    let daily = Cron::parse("0 0 * * ? *").unwrap();
    Protected {
        name: "prod-db".into(),
        home: region("us-east-1"),
        targets: vec![region("eu-west-1")],
        size_gib: Some(100.0),
        schedules: BTreeMap::from([(Tier::Daily, daily)]),
        policy: Policy { daily: 10, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspection_days: 0 },
        proving: Some(Proving {
            class: "db.t4g.medium".into(),
            copy_share: 0.0,
            parallelism: 4,
            hours: 0.5,
            hours_from: "assumed".into(),
        }),
    }
}

fn assumed() -> Assumptions {
    Assumptions {
        change_per_day: 0.02,
        months: 12,
        transitions: Range { estimate: 100.0, upper: 300.0 },
        from: "2026-01-01T00:00:00Z".parse().unwrap(),
    }
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

fn part<'a>(parts: &'a [Part], kind: PartKind, place: &str) -> Vec<&'a Part> {
    parts.iter().filter(|part| part.kind == kind && part.region.as_str() == place).collect()
}

fn cost(parts: &[Part], kind: PartKind, place: &str) -> (f64, f64) {
    let all = sum(part(parts, kind, place).into_iter());
    assert_eq!(all.missing, Vec::<String>::new(), "{kind:?} in {place}");
    (all.cost.estimate, all.cost.upper)
}

#[test]
fn storage_is_one_full_backup_and_what_changed() {
    let (parts, there) = database(&protected(), &prices(), &assumed()).unwrap();
    assert_eq!(there.times.len(), 10);
    // 100 GiB + 9 * 2 GiB = 118 GiB at 0.1; at most 10 * 100 GiB.
    for (kind, place) in [(PartKind::SnapshotStorage, "us-east-1"), (PartKind::CopyStorage, "eu-west-1")] {
        let (estimate, upper) = cost(&parts, kind, place);
        assert!(close(estimate, 11.8) && close(upper, 100.0), "{kind:?}: {estimate}, {upper}");
    }
}

#[test]
fn a_month_of_runs_is_a_twelfth_of_a_year() {
    let (parts, _) = database(&protected(), &prices(), &assumed()).unwrap();
    let runs = 365.0 / 12.0;
    // 2 GiB of each run cross at 0.02; at most 100.
    let (estimate, upper) = cost(&parts, PartKind::Transfer, "eu-west-1");
    assert!(close(estimate, runs * 2.0 * 0.02) && close(upper, runs * 100.0 * 0.02), "{estimate}, {upper}");
    // Half an hour each at 0.05, and 100 GiB at 0.2 a month for these hours of its 730.
    let (hours, _) = cost(&parts, PartKind::TemporaryInstance, "us-east-1");
    assert!(close(hours, runs * 0.5 * 0.05), "{hours}");
    let (storage, _) = cost(&parts, PartKind::TemporaryStorage, "us-east-1");
    assert!(close(storage, runs * 0.5 / 730.0 * 100.0 * 0.2), "{storage}");
    // 100 transitions each, 300 at most, at 0.025 for a thousand.
    let (estimate, upper) = cost(&parts, PartKind::Transitions, "us-east-1");
    assert!(close(estimate, runs * 0.0025) && close(upper, runs * 0.0075), "{estimate}, {upper}");
    let (requests, _) = cost(&parts, PartKind::FunctionRequests, "us-east-1");
    assert!(close(requests, runs * 100.0 * 0.2 / 1e6), "{requests}");
    // Four readers of 1 GB for half of 1800 s, and 100 short ones of a quarter of a GB-second; at most 7200 and 300.
    let (estimate, upper) = cost(&parts, PartKind::FunctionTime, "us-east-1");
    assert!(close(estimate, runs * (3600.0 + 25.0) * 0.00001), "{estimate}");
    assert!(close(upper, runs * (7200.0 + 300.0) * 0.00001), "{upper}");
}

#[test]
fn a_share_of_the_copies_is_restored_where_it_lies() {
    let mut shared = protected();
    shared.proving.as_mut().unwrap().copy_share = 0.25;
    let (parts, _) = database(&shared, &prices(), &assumed()).unwrap();
    let there = part(&parts, PartKind::TemporaryInstance, "eu-west-1");
    let quantity = there[0].quantity.unwrap().estimate;
    assert!(close(quantity, 365.0 / 12.0 * 0.25 * 0.5), "{quantity}");
    // No price of that is known there: it is named, and counts as nothing that is known.
    assert_eq!(there[0].cost, None);
    let all = sum(parts.iter());
    let missing = "prices.json has no price instanceHour.db.t4g.medium of eu-west-1";
    assert!(all.missing.iter().any(|one| one == missing), "{all:?}");
    let (none, _) = database(&protected(), &prices(), &assumed()).unwrap();
    assert!(part(&none, PartKind::TemporaryInstance, "eu-west-1").is_empty(), "no share, nothing there");
}

#[test]
fn what_is_not_proven_is_not_restored() {
    let (parts, _) = database(&Protected { proving: None, ..protected() }, &prices(), &assumed()).unwrap();
    assert!(part(&parts, PartKind::TemporaryInstance, "us-east-1").is_empty());
    assert_eq!(part(&parts, PartKind::Transitions, "us-east-1").len(), 1);
}

#[test]
fn a_size_that_is_not_known_is_named_once_and_never_nothing() {
    let (parts, _) = database(&Protected { size_gib: None, ..protected() }, &prices(), &assumed()).unwrap();
    let storage = part(&parts, PartKind::SnapshotStorage, "us-east-1");
    assert_eq!((storage[0].quantity, storage[0].cost), (None, None));
    let all = sum(parts.iter());
    assert_eq!(all.missing, ["the size of prod-db is not known"]);
    assert!(all.cost.estimate > 0.0, "the rest is known");
}

#[test]
fn a_region_without_prices_is_an_error() {
    let lost = Protected { targets: vec![region("sa-east-1")], ..protected() };
    let error = database(&lost, &prices(), &assumed()).unwrap_err();
    assert!(error.contains("prices.json has no prices of sa-east-1"), "{error}");
    assert!(standing(&region("sa-east-1"), Role::Target, &prices()).is_err());
}

#[test]
fn a_region_costs_its_keys_and_endpoints() {
    let of = |role: Role| sum(standing(&region("us-east-1"), role, &prices()).unwrap().iter()).cost;
    // One key at 1, or two; two endpoints of 730 h at 0.01.
    assert!(close(of(Role::Home).estimate, 15.6) && close(of(Role::Target).upper, 16.6));
}
