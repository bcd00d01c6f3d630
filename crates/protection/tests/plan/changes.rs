//! What applying a plan would change, and nothing else.

use holdfast_protection::{ChangeKind, Changes, ScheduleChange, Wanted};
use serde_json::json;

use crate::support::{found, of_prod_db, wanted, wanted_after};

fn prod(lines: &str) -> Wanted {
    wanted(&of_prod_db(lines), &[found("prod-db", &[])])
}

fn fields(fields: &[holdfast_protection::Field]) -> Vec<String> {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".into());
    fields.iter().map(|field| format!("{}: {} > {}", field.name, side(&field.was), side(&field.is))).collect()
}

#[test]
fn onto_nothing_everything_is_made_and_onto_itself_nothing() {
    let wanted = prod("schedules: {weekly: {}}");
    let changes = Changes::between(&Default::default(), None, &wanted);
    let made: Vec<&str> = changes.schedules.iter().map(ScheduleChange::name).collect();
    assert_eq!(made, ["production-prod-db-daily", "production-prod-db-weekly"]);
    assert!(changes.schedules.iter().all(|change| matches!(change, ScheduleChange::Create(_))));
    assert_eq!(changes.settings.len(), 2);
    assert_eq!(changes.settings[1].kind, ChangeKind::Add);
    assert!(Changes::between(&wanted.schedules, Some(&wanted.settings), &wanted).is_empty());
}

#[test]
fn only_what_differs_is_said_field_by_field() {
    let was = prod("retention: {daily: 7}\nschedules: {daily: {every: 6h, at: '00:00'}, weekly: {}}");
    let is = prod(
        "retention: {daily: 9}\nschedules: {daily: {every: 12h, at: '00:00'}, monthly: {}}\nsnapshotTags: {a: b}",
    );
    let changes = Changes::between(&was.schedules, Some(&was.settings), &is);
    let kinds: Vec<String> = changes
        .schedules
        .iter()
        .map(|change| match change {
            ScheduleChange::Create(schedule) => format!("+ {}", schedule.name),
            ScheduleChange::Update(schedule, of) => format!("~ {} {:?}", schedule.name, fields(of)),
            ScheduleChange::Delete(schedule) => format!("- {}", schedule.name),
            ScheduleChange::Blocked(schedule) => format!("! {}", schedule.name),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            r#"~ production-prod-db-daily ["expression: cron(0 0/6 * * ? *) > cron(0 0/12 * * ? *)", "input.tags.a: - > b"]"#,
            "+ production-prod-db-monthly",
            "- production-prod-db-weekly",
        ],
        "what goes comes last"
    );
    let settings = fields(&changes.settings[0].fields);
    assert!(
        changes.settings.len() == 1 && settings.contains(&"retention.daily: 7 > 9".to_owned()),
        "{settings:?}"
    );
}

#[test]
fn what_somebody_changed_by_hand_is_a_difference() {
    let wanted = prod("");
    let name = "production-prod-db-daily";
    type Change = fn(&mut holdfast_protection::Schedule);
    let by_hand: [(Change, &str); 9] = [
        (|schedule| schedule.enabled = false, "state: DISABLED > ENABLED"),
        (|schedule| schedule.window_minutes = None, "window minutes: - > 15"),
        (|schedule| schedule.timezone = "Europe/Berlin".into(), "timezone: Europe/Berlin > UTC"),
        (|schedule| schedule.ends = Some("2026-12-01".into()), "end: 2026-12-01 > -"),
        (
            |schedule| schedule.dead_letters_arn = None,
            "dead letters: - > arn:aws:sqs:us-east-1:123456789012:dead",
        ),
        (|schedule| schedule.attempts = Some(185), "attempts: 185 > 10"),
        (|schedule| schedule.max_age_seconds = None, "seconds until it is given up: - > 3600"),
        (|schedule| schedule.role_arn = "x".into(), "role: x > arn:aws:iam::123456789012:role/schedule"),
        (
            |schedule| schedule.input.as_mut().unwrap()["targetRegions"] = json!([]),
            "input.targetRegions: [] > -",
        ),
    ];
    for (change, said) in by_hand {
        let mut there = wanted.schedules.clone();
        change(there.get_mut(name).unwrap());
        let changes = Changes::between(&there, Some(&wanted.settings), &wanted);
        let [ScheduleChange::Update(to, of)] = changes.schedules.as_slice() else { panic!("{changes:?}") };
        assert_eq!(to, &wanted.schedules[name]);
        assert!(fields(of).contains(&said.to_owned()), "{said}: {:?}", fields(of));
        assert!(changes.settings.is_empty());
    }
}

#[test]
fn a_schedule_that_starts_something_else_is_not_the_plans_and_stays() {
    let wanted = prod("");
    let mut there = wanted.schedules.clone();
    let mut other = there["production-prod-db-daily"].clone();
    other.target_arn = "arn:aws:lambda:us-east-1:123456789012:function:somebodys".into();
    // GIVEN one of a name of the plan's, and one of another
    there.insert("production-prod-db-daily".into(), other.clone());
    there.insert(
        "somebodys".into(),
        holdfast_protection::Schedule { name: "somebodys".into(), ..other.clone() },
    );
    // THEN the one is in the way, and the other no difference
    let changes = Changes::between(&there, Some(&wanted.settings), &wanted);
    assert_eq!(changes.schedules, [ScheduleChange::Blocked(other)]);
    assert_eq!(changes.left_alone.len(), 1);
    there.remove("production-prod-db-daily");
    there.extend(wanted.schedules.clone());
    let changes = Changes::between(&there, Some(&wanted.settings), &wanted);
    assert!(changes.is_empty() && changes.left_alone.len() == 1);
}

const EMPTY: &str = "version: 1\nname: shop\nallowEmpty: true\ndatabases: []\n";

#[test]
fn a_database_that_leaves_the_plan_leaves_the_settings() {
    let was = prod("");
    let none = wanted_after(EMPTY, &[], Some(&was));
    let changes = Changes::between(&was.schedules, Some(&was.settings), &none);
    assert!(matches!(changes.schedules.as_slice(), [ScheduleChange::Delete(_)]));
    assert_eq!(
        (changes.settings[0].database.as_deref(), changes.settings[0].kind),
        (Some("prod-db"), ChangeKind::Remove)
    );
    let renamed = wanted(&EMPTY.replace("shop", "other"), &[]);
    let changes = Changes::between(&Default::default(), Some(&none.settings), &renamed);
    assert_eq!(
        (changes.settings[0].database.as_deref(), changes.settings[0].kind),
        (None, ChangeKind::Change)
    );
    assert_eq!(fields(&changes.settings[0].fields), ["name: shop > other"]);
}

#[test]
fn rules_that_stay_are_no_difference_and_rules_that_go_are_told_number_by_number() {
    let kind = |changes: &Changes| {
        let [change] = changes.settings.as_slice() else { panic!("{changes:?}") };
        (change.kind, fields(&change.fields))
    };
    let was = prod("retention: {monthly: 60}");
    // It leaves, and is kept by its rules.
    let gone = wanted_after(EMPTY, &[], Some(&was));
    let changes = Changes::between(&Default::default(), Some(&was.settings), &gone);
    assert_eq!(kind(&changes), (ChangeKind::Keep, vec![]));
    assert!(!changes.is_empty());
    // From then on nothing changes.
    let still = wanted_after(EMPTY, &[], Some(&gone));
    assert!(Changes::between(&Default::default(), Some(&gone.settings), &still).is_empty());
    // Its rules are changed by name, and dropped.
    let text = of_prod_db("allowEmpty: true\nretention: {monthly: 24}");
    let less = wanted_after(&text, &[], Some(&gone));
    let changes = Changes::between(&Default::default(), Some(&gone.settings), &less);
    assert_eq!(kind(&changes), (ChangeKind::Change, vec!["retention.monthly: 60 > 24".to_owned()]));
    let forgotten = wanted_after(&format!("{EMPTY}forget: [prod-db]\n"), &[], Some(&gone));
    let changes = Changes::between(&Default::default(), Some(&gone.settings), &forgotten);
    assert_eq!(kind(&changes), (ChangeKind::Remove, vec!["retention.monthly: 60 > -".to_owned()]));
    // It is there again.
    let back = wanted_after(&of_prod_db("retention: {monthly: 60}"), &[found("prod-db", &[])], Some(&gone));
    let changes = Changes::between(&Default::default(), Some(&gone.settings), &back);
    let (kind, of) = kind(&changes);
    assert!(kind == ChangeKind::Add && !of.iter().any(|field| field.starts_with("retention")), "{of:?}");
}
