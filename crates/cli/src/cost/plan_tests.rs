//! Plans summed up, and flags that make no sense.

use super::super::plan_ask::Sized;
use super::*;
use crate::paint::Paint;

fn args(sizes: &[&str]) -> PlanArgs {
    PlanArgs {
        file: "holdfast.yaml".into(),
        sizes: sizes.iter().map(|size| (*size).to_owned()).collect(),
        change_percent_per_day: 2.0,
        restore_hours: None,
        after_months: 12,
        region: Some("us-east-1".into()),
        prices: prices::Which::default(),
        output: Output::Table,
    }
}

fn refused(args: &PlanArgs) -> String {
    match args.told() {
        Err(Error::Usage(why)) => why,
        _ => panic!("it is not refused"),
    }
}

const PLAN: &str = "version: 1
name: shop
databases:
  - id: prod-db
    environment: production
    targets: []
    schedules: {daily: {every: 24h, at: \"03:00\"}, weekly: none, monthly: none, yearly: none}
    retention: {daily: 10, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspectionDays: 0}
  - tagged: {Team: shop}
    environment: production
    targets: []
    schedules: {daily: {every: 24h, at: \"04:00\"}, weekly: none, monthly: none, yearly: none}
    retention: {daily: 10, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspectionDays: 0}
";

fn entries() -> Vec<Entry> {
    let home = Region::parse("us-east-1").unwrap();
    holdfast_protection::read(PLAN, Some(&home), Timestamp::now()).unwrap().entries
}

fn estimated(told: &Told, asked: Option<&Asked>) -> Estimate {
    let prices = prices::Which::default().load().unwrap();
    let from = "2026-01-01T00:00:00Z".parse().unwrap();
    estimate("shop", &entries(), told, asked, &prices, from).unwrap()
}

#[test]
fn sizes_are_for_all_or_for_one() {
    let told = args(&["100", "prod-db=500"]).told().unwrap();
    let size = |name: &str| told.size(&DatabaseId::parse(name).unwrap());
    assert_eq!((size("prod-db"), size("other")), (Some(500.0), Some(100.0)));
    for (sizes, why) in [
        (&["large"][..], "\"large\" is no size"),
        (&["0"], "\"0\" is no size"),
        (&["-5"], "\"-5\" is no size"),
        (&["NaN"], "\"NaN\" is no size"),
        (&["1", "2"], "\"2\" says again"),
        (&["prod-db=1", "prod-db=2"], "says again"),
        (&["no--name=1"], "is not a DB instance identifier"),
    ] {
        assert!(refused(&args(sizes)).contains(why), "{sizes:?}: {}", refused(&args(sizes)));
    }
}

#[test]
fn flags_that_nobody_can_mean_are_refused() {
    assert!(refused(&PlanArgs { region: None, ..args(&[]) }).contains("say --region"));
    assert!(refused(&PlanArgs { region: Some("west".into()), ..args(&[]) }).contains("Region code"));
    assert!(refused(&PlanArgs { change_percent_per_day: 101.0, ..args(&[]) }).contains("101"));
    assert!(refused(&PlanArgs { restore_hours: Some(0.0), ..args(&[]) }).contains("--restore-hours"));
    assert!(refused(&PlanArgs { after_months: 97, ..args(&[]) }).contains("97 is not from 1 to 96"));
}

#[test]
fn without_aws_tags_stand_for_one_database_and_that_is_said() {
    let told = args(&["100"]).told().unwrap();
    let found = estimated(&told, None);
    let names: Vec<&str> = found.databases.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["prod-db", "tags Team=shop"]);
    assert!(found.assumptions.iter().any(|one| one.contains("tags Team=shop: counted once")), "{found:?}");
    assert_eq!(found.total.missing, Vec::<String>::new(), "the first Region has every price");
    // 100 GiB and nine times 2 GiB at 0.095.
    let storage = found.databases[0].parts[0].cost.unwrap();
    assert!((storage.estimate - 118.0 * 0.095).abs() < 1e-9 && (storage.upper - 95.0).abs() < 1e-9);
    // Everything is in the sum, and the deployment is in it once.
    let databases: f64 = found.databases.iter().map(|one| one.sum.cost.estimate).sum();
    let standing = sum(found.standing.iter()).cost.estimate;
    assert!((standing - (1.0 + 2.0 * 730.0 * 0.01)).abs() < 1e-9, "{standing}");
    assert!((found.total.cost.estimate - databases - standing).abs() < 1e-9);
    let table = prices::Which::default().load().unwrap();
    let text = plan_table::text(&found, &table, &NOT_COUNTED, Paint::PLAIN);
    assert!(text.contains("prod-db  (100 GiB, 10 backups held, 30.4 runs a month)"), "{text}");
    assert!(text.contains("without discounts"), "{text}");
}

#[test]
fn what_aws_says_of_sizes_and_proofs_is_used_and_what_it_does_not_say_is_not_known() {
    let told = args(&[]).told().unwrap();
    let id = |name: &str| DatabaseId::parse(name).unwrap();
    let tags = |team: &str| BTreeMap::from([("Team".to_owned(), team.to_owned())]);
    let asked = Asked {
        sizes: BTreeMap::from([
            (id("shop-1"), Sized { gib: Some(20.0), tags: tags("shop") }),
            (id("shop-2"), Sized { gib: Some(30.0), tags: tags("shop") }),
            (id("other"), Sized { gib: Some(40.0), tags: tags("other") }),
        ]),
        hours: BTreeMap::from([
            (id("shop-1"), (0.5, "average of the newest 5".to_owned())),
            (id("prod-db"), (0.01, "average of the newest 1".to_owned())),
        ]),
    };
    let found = estimated(&told, Some(&asked));
    let sizes: Vec<(&str, Option<f64>)> =
        found.databases.iter().map(|one| (one.name.as_str(), one.size_gib)).collect();
    assert_eq!(sizes, [("prod-db", None), ("shop-1", Some(20.0)), ("shop-2", Some(30.0))]);
    assert_eq!(found.total.missing, ["the size of prod-db is not known"]);
    let said = |place: usize| {
        let parts = &found.databases[place].parts;
        parts.iter().find(|part| part.assumed.contains("proofs a month")).unwrap().assumed.clone()
    };
    let short = said(0);
    assert!(short.contains("0.17 h each (average of the newest 1: 36 s, billed as ten minutes)"), "{short}");
    assert!(said(1).contains("0.50 h each (average of the newest 5)"), "{}", said(1));
    assert!(said(2).contains("1.00 h each (assumed)"), "{}", said(2));
}
