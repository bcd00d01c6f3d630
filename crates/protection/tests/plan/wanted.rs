//! From a plan to schedules and settings.

use holdfast_core::ids::DatabaseId;
use holdfast_core::request::{BackupRequest, Defaults, Tier};
use holdfast_protection::wanted::schedule_name;
use holdfast_protection::{Found, SCHEDULED_TIME, Wanted, wanted as find};
use serde_json::json;

use crate::support::{EXAMPLE, found, home, lines, of_prod_db, plan, wanted, wanted_after, wiring};

fn example() -> Wanted {
    let shop = [("Holdfast", "protect"), ("Team", "shop"), ("Other", "x")];
    wanted(
        EXAMPLE,
        &[
            found("prod-db", &shop),
            found("stage-1", &shop),
            found("stage-2", &shop),
            found("reports", &[]),
            found("other", &[("Holdfast", "protect")]),
        ],
    )
}

#[test]
fn every_input_is_one_that_a_backup_reads_once_the_time_is_filled_in() {
    let all = example();
    let names: Vec<&str> = all.schedules.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "analytics-reports-daily",
            "analytics-reports-monthly",
            "production-prod-db-daily",
            "production-prod-db-monthly",
            "production-prod-db-weekly",
            "production-prod-db-yearly",
            "staging-stage-1-daily",
            "staging-stage-2-daily"
        ]
    );
    for schedule in all.schedules.values() {
        let text = schedule.input.as_ref().unwrap().to_string();
        assert_eq!(text.matches(SCHEDULED_TIME).count(), 1, "{text}");
        let filled = serde_json::from_str(&text.replace(SCHEDULED_TIME, "2026-11-20T06:00:00Z")).unwrap();
        let defaults = Defaults { region: home(), target_regions: vec![] };
        let request =
            BackupRequest::parse(&filled, "not used", &defaults).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(request.run_id.as_str(), "2026-11-20T06:00:00Z");
        assert!(schedule.name.ends_with(request.tier.as_str()), "{}", schedule.name);
        assert!(schedule.name.contains(request.database_id.as_str()), "{}", schedule.name);
    }
    let prod = all.schedules["production-prod-db-weekly"].input.as_ref().unwrap();
    assert_eq!(prod["targetRegions"][0], json!({"region": "us-west-2", "kmsKeyId": "alias/holdfast"}));
    assert_eq!((&prod["deadlineMinutes"], &prod["tags"]["CostCenter"]), (&json!(480), &json!("4711")));
    assert_eq!(
        (&prod["baseline"]["iamUser"], &prod["validation"]["copyShare"]),
        (&json!("holdfast_reader"), &json!(1))
    );
}

#[test]
fn a_schedule_is_all_that_it_must_be() {
    let all = example();
    let weekly = &all.schedules["production-prod-db-weekly"];
    assert_eq!((weekly.expression.as_str(), weekly.timezone.as_str()), ("cron(0 3 ? * SUN *)", "UTC"));
    assert_eq!((weekly.window_minutes, weekly.enabled), (Some(30), true));
    assert_eq!((weekly.attempts, weekly.max_age_seconds), (Some(10), Some(3600)));
    assert_eq!(weekly.dead_letters_arn.as_deref(), Some("arn:aws:sqs:us-east-1:123456789012:dead"));
    assert_eq!(weekly.description, "weekly backup of prod-db, by the protection plan shop");
    assert_eq!(all.schedules["production-prod-db-daily"].expression, "cron(20 0/4 * * ? *)");
    // Two databases of one entry do not start in the same minute.
    assert_ne!(
        all.schedules["staging-stage-1-daily"].expression,
        all.schedules["staging-stage-2-daily"].expression
    );
}

#[test]
fn what_is_stored_is_what_others_go_by() {
    let stored = example().settings.checked().unwrap();
    let prod = &stored.databases[&DatabaseId::parse("prod-db").unwrap()];
    assert_eq!((prod.environment.as_str(), prod.objectives.rto_seconds), ("production", 1800));
    assert_eq!(prod.retention.unwrap().daily, Some(30));
    assert_eq!(prod.schedules[&Tier::Weekly].name, "production-prod-db-weekly");
    assert_eq!(prod.schedules[&Tier::Weekly].window_minutes, 30);
    let again = serde_json::from_value(json!(stored)).unwrap();
    assert_eq!(stored, again);
}

#[test]
fn a_selector_means_all_that_carry_its_tags_and_are_not_named() {
    let all = example();
    let of = |n: usize| all.matches[n].1.iter().map(DatabaseId::as_str).collect::<Vec<_>>();
    assert_eq!((of(0), of(1), of(2)), (vec!["prod-db"], vec!["stage-1", "stage-2"], vec!["reports"]));
    // What cannot be backed up by itself is not meant by tags.
    let mut member = found("member", &[("Holdfast", "protect"), ("Team", "shop")]);
    member.unfit = Some("it is a member of a cluster".into());
    let all = wanted(EXAMPLE, &[found("prod-db", &[]), found("reports", &[]), member.clone()]);
    assert!(all.matches[1].1.is_empty());
    // Named by its id it is said.
    let faults = refused(&of_prod_db(""), &[Found { id: DatabaseId::parse("prod-db").unwrap(), ..member }]);
    assert_eq!(faults, "4:5: prod-db: it is a member of a cluster\n");
}

fn refused(text: &str, found: &[Found]) -> String {
    lines(&find(&plan(text), found, &wiring(), None).expect_err("it is refused"))
}

#[test]
fn a_selector_that_means_nothing_is_an_error_unless_that_is_allowed() {
    assert_eq!(
        refused(&of_prod_db(""), &[found("prod", &[])]),
        "4:5: prod-db: there is no such DB instance in us-east-1; allowEmpty: true lets it pass\n"
    );
    assert!(wanted(&of_prod_db("allowEmpty: true"), &[]).schedules.is_empty());
    let tagged = of_prod_db("").replace("id: prod-db", "tagged: {a: b, c: d}");
    let said =
        "4:5: tags a=b, c=d: no DB instance carries them all in us-east-1; allowEmpty: true lets it pass\n";
    assert_eq!(
        refused(&tagged, &[found("one", &[("a", "b")]), found("other", &[("a", "b"), ("c", "x")])]),
        said
    );
}

#[test]
fn a_database_that_two_selectors_mean_is_an_error() {
    let text = "version: 1\nname: shop\ndefaults: {environment: production, targets: []}\ndatabases:\n  - tagged: {a: b}\n  - tagged: {c: d}\n";
    let both = found("both", &[("a", "b"), ("c", "d")]);
    let said = "6:5: tags c=d: both is meant by tags a=b in line 5 as well; name it by its id, or tell the tags apart\n";
    assert_eq!(refused(text, std::slice::from_ref(&both)), said);
    let named = format!("{text}  - id: both\n    allowEmpty: true\n");
    let text = named
        .replace("{a: b}", "{a: b}\n    allowEmpty: true")
        .replace("{c: d}", "{c: d}\n    allowEmpty: true");
    assert_eq!(wanted(&text, &[both]).matches[2].1.len(), 1);
}

#[test]
fn a_target_at_home_is_refused_at_the_latest_when_home_is_known() {
    let text = of_prod_db("targets: [eu-west-1]");
    let plan = holdfast_protection::read(&text, None, crate::support::now()).unwrap();
    let at_home = holdfast_protection::Wiring {
        region: holdfast_core::ids::Region::parse("eu-west-1").unwrap(),
        ..wiring()
    };
    let faults = find(&plan, &[found("prod-db", &[])], &at_home, None).unwrap_err();
    assert!(
        faults[0].message.contains("eu-west-1 is the Region of the database itself"),
        "{}",
        lines(&faults)
    );
}

#[test]
fn names_of_schedules_are_bounded_and_no_two_are_alike() {
    let id = |text: &str| DatabaseId::parse(text).unwrap();
    assert_eq!(schedule_name("production", &id("prod-db"), Tier::Daily), "production-prod-db-daily");
    let long = "a".repeat(62);
    let (one, other) = (id(&format!("{long}b")), id(&format!("{long}c")));
    let names: std::collections::BTreeSet<String> = [&one, &other]
        .into_iter()
        .flat_map(|id| [Tier::Daily, Tier::Monthly].map(|tier| schedule_name("production", id, tier)))
        .collect();
    assert_eq!(names.len(), 4);
    assert!(names.iter().all(|name| name.len() <= 64 && name.starts_with("production-aaa")), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("-monthly")));
}

/// Two databases that carry a tag, each kept for five years.
const FLEET: &str = "version: 1\nname: shop\ndefaults: {environment: production, targets: [], retention: {monthly: 60}}\n\
                     databases:\n  - tagged: {a: b}\n    allowEmpty: true\n";

/// What stays of databases that are protected no more: name and months.
fn kept(wanted: &Wanted) -> Vec<(&str, Option<u32>)> {
    wanted.settings.kept.iter().map(|(id, kept)| (id.as_str(), kept.retention.monthly)).collect()
}

#[test]
fn the_rules_of_a_database_outlive_its_instance_and_its_tag_until_they_are_dropped() {
    let (one, other) = (found("one", &[("a", "b")]), found("other", &[("a", "b")]));
    let before = wanted(FLEET, &[one.clone(), other.clone()]);
    assert_eq!((before.settings.databases.len(), kept(&before)), (2, vec![]));
    // GIVEN one that is deleted, and one that loses its tag
    let after = wanted_after(FLEET, &[found("other", &[])], Some(&before));
    // THEN both are protected no more, and kept as they were
    assert!(after.schedules.is_empty() && after.settings.databases.is_empty());
    assert_eq!(kept(&after), [("one", Some(60)), ("other", Some(60))]);
    // AND so they are by whatever is applied later, be it another plan or an empty one
    let empty = "version: 1\nname: other\nallowEmpty: true\ndatabases: []\n";
    let later = wanted_after(empty, &[], Some(&wanted_after(FLEET, &[], Some(&after))));
    assert_eq!(kept(&later), [("one", Some(60)), ("other", Some(60))]);
    // WHEN one is there again, THEN it is protected, and nothing is kept beside that
    let back = wanted_after(FLEET, std::slice::from_ref(&one), Some(&after));
    assert_eq!((back.settings.databases.len(), kept(&back)), (1, vec![("other", Some(60))]));
    // WHEN one is to be forgotten, THEN its rules go, and a second time that changes nothing
    let forget = format!("{FLEET}forget: [one]\n");
    let forgotten = wanted_after(&forget, &[], Some(&after));
    assert_eq!(kept(&forgotten), [("other", Some(60))]);
    assert_eq!(kept(&wanted_after(&forget, &[], Some(&forgotten))), [("other", Some(60))]);
    // One that is protected is not forgotten.
    let faults = find(&plan(&forget), &[one], &wiring(), Some(&after.settings)).unwrap_err();
    assert_eq!(
        lines(&faults),
        "7:10: forget: one is protected: an entry means it by its tags; say one of both\n"
    );
    // AND a database without rules of its own leaves none: it goes by the deployment's before and after
    let plain = FLEET.replace(", retention: {monthly: 60}", "");
    let before = wanted(&plain, &[other]);
    assert_eq!(kept(&wanted_after(&plain, &[], Some(&before))), []);
}

#[test]
fn what_is_named_by_its_id_is_kept_as_the_file_says_whether_it_is_there_or_not() {
    let text = of_prod_db("allowEmpty: true\nretention: {monthly: 60}");
    let none = wanted(&text, &[]);
    assert!(none.settings.databases.is_empty() && none.schedules.is_empty());
    assert_eq!(kept(&none), [("prod-db", Some(60))]);
    let there = wanted(&text, &[found("prod-db", &[])]);
    assert_eq!((there.settings.databases.len(), kept(&there)), (1, vec![]));
    // Its own words go before what was applied before.
    let less = of_prod_db("allowEmpty: true\nretention: {monthly: 24}");
    assert_eq!(kept(&wanted_after(&less, &[], Some(&there))), [("prod-db", Some(24))]);
    assert_eq!(kept(&wanted_after(&of_prod_db("allowEmpty: true"), &[], Some(&there))), []);
}
