//! What a plan means: defaults, and what goes before what.

use holdfast_core::objectives::Importance;
use holdfast_core::request::Tier;
use holdfast_core::retention::PolicyChange;
use holdfast_protection::cadence::Cadence;
use serde_json::json;

use crate::support::{plan, settings};

#[test]
fn an_environment_says_how_often_and_the_rest_has_defaults() {
    let text = "version: 1\nname: shop\ndefaults: {targets: [us-west-2]}\ndatabases:\n  - {id: a, environment: production}\n  \
                - {id: b, environment: staging}\n  - {id: c, environment: development}\n";
    let plan = plan(text);
    let hours: Vec<&Cadence> =
        plan.entries.iter().map(|entry| &entry.settings.schedules[&Tier::Daily]).collect();
    assert_eq!(
        hours.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["every 6 h", "every 12 h", "every 24 h"]
    );
    let first = &plan.entries[0].settings;
    assert_eq!(first.schedules.len(), 1);
    assert_eq!((first.importance, first.window_minutes), (Importance::Standard, 15));
    assert_eq!((first.objectives.rto_seconds, first.objectives.rpo_seconds), (3600, 900));
    assert_eq!((first.retention, &first.validation, &first.baseline), (None, &None, &None));
    assert!(!plan.entries[0].allow_empty && first.notifications.is_empty());
}

#[test]
fn what_is_more_special_goes_before_what_is_more_general() {
    let text = "
version: 1
name: shop
defaults:
  importance: low
  objectives: {rto: 2h}
  targets: [us-west-2]
  window: 10m
  retention: {daily: 1, weekly: 1}
  validation: {copyShare: 0.5, parallelism: 2}
  schedules: {weekly: {}, monthly: {}}
environments:
  staging:
    importance: standard
    window: 20m
    retention: {weekly: 2}
    schedules: {monthly: none, yearly: {}}
databases:
  - id: a
    environment: staging
    objectives: {rpo: 1m}
    retention: {monthly: 3}
    validation: {copyShare: 1}
    schedules: {yearly: none}
  - id: b
    environment: production
";
    let plan = plan(text);
    let (a, b) = (&plan.entries[0].settings, &plan.entries[1].settings);
    // Of objectives, schedules and retention each part by itself; of importance what is said last decides the rest.
    assert_eq!(
        (a.importance, a.objectives.rto_seconds, a.objectives.rpo_seconds),
        (Importance::Standard, 7200, 60)
    );
    assert_eq!(a.schedules.keys().copied().collect::<Vec<_>>(), [Tier::Daily, Tier::Weekly]);
    assert_eq!(a.schedules[&Tier::Daily].to_string(), "every 12 h");
    // What no block says of retention is the deployment's: it is not filled in.
    let said = PolicyChange { daily: Some(1), weekly: Some(2), monthly: Some(3), ..PolicyChange::default() };
    assert_eq!(a.retention, Some(said));
    assert_eq!(a.window_minutes, 20);
    // Of the validation the whole.
    assert_eq!(a.validation, Some(json!({"copyShare": 1})));
    assert_eq!(b.validation, Some(json!({"copyShare": 0.5, "parallelism": 2})));
    assert_eq!(b.schedules.keys().copied().collect::<Vec<_>>(), [Tier::Daily, Tier::Weekly, Tier::Monthly]);
    assert_eq!(
        (b.importance, b.objectives.rto_seconds, b.objectives.rpo_seconds),
        (Importance::Low, 7200, 3600)
    );
    assert_eq!((b.window_minutes, b.retention.unwrap().weekly), (10, Some(1)));
}

#[test]
fn yaml_1_2_words_stay_words_and_anchors_are_followed() {
    let said = settings("snapshotTags: {Country: no, On: on, Version: '1.10'}");
    assert_eq!(json!(said.tags), json!({"Country": "no", "On": "on", "Version": "1.10"}));
    let text = "version: 1\nname: shop\ndatabases:\n  - {id: a, environment: production, targets: &both [us-west-2, eu-west-1]}\n  \
                - {id: b, environment: production, targets: *both}\n";
    assert_eq!(plan(text).entries[1].settings.targets.len(), 2);
}

#[test]
fn a_retention_that_says_no_number_says_nothing() {
    assert_eq!(settings("retention: {}").retention, None);
    // A schedule is refused only where its tier is said to keep nothing: what is deployed is not known here.
    assert_eq!(
        settings("retention: {daily: 3}\nschedules: {weekly: {}}").retention.unwrap(),
        PolicyChange { daily: Some(3), ..PolicyChange::default() }
    );
}
