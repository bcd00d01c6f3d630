//! The example, and the schema: what one says the other knows.

use holdfast_core::request::Tier;
use holdfast_protection::{SCHEMA, Selector};
use serde_json::Value;

use crate::support::{EXAMPLE, plan};

pub fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// A file as an editor sees it.
pub fn as_json(text: &str) -> Value {
    holdfast_protection::node::Node::parse(text).unwrap().to_json()
}

#[test]
fn the_example_means_what_its_comments_say() {
    let plan = plan(EXAMPLE);
    let [prod, staging, reports] = plan.entries.as_slice() else { panic!("three entries") };
    let cadences = |n: usize| {
        let all = plan.entries[n].settings.schedules.iter();
        all.map(|(tier, cadence)| format!("{}: {cadence}", tier.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(
        cadences(0),
        [
            "daily: every 4 h at 00:20",
            "weekly: every sunday at 03:00",
            "monthly: the last day of every month at 04:00",
            "yearly: every 01-31 at 05:00"
        ]
    );
    assert_eq!((prod.settings.objectives.rto_seconds, prod.settings.objectives.rpo_seconds), (1800, 300));
    let keys: Vec<&str> = prod.settings.targets.iter().map(|target| target.kms_key_id.as_str()).collect();
    assert!(keys[0] == "alias/holdfast" && keys[1].ends_with("-555555555555"), "{keys:?}");
    let kept = prod.settings.retention.unwrap();
    assert_eq!((kept.daily, kept.weekly, kept.monthly, kept.yearly), (Some(30), Some(4), Some(12), Some(7)));
    assert_eq!((kept.minimum, kept.inspection_days), (None, None));
    assert_eq!((prod.settings.window_minutes, prod.settings.deadline_minutes), (30, Some(480)));
    assert_eq!(prod.settings.validation.as_ref().unwrap()["copyShare"], 1);

    assert!(matches!(&staging.selector, Selector::Tags(tags) if tags.len() == 2) && staging.allow_empty);
    assert_eq!(cadences(1), ["daily: every 12 h"]);
    assert_eq!(staging.settings.objectives.rto_seconds, 3600);
    assert_eq!(staging.settings.validation, None);

    assert_eq!(cadences(2), ["daily: every 24 h at 22:30", "monthly: cron(15 23 ? * 6L *)"]);
    assert_eq!(reports.settings.objectives.rto_seconds, 4 * 3600);
    assert!(reports.settings.schedules.contains_key(&Tier::Monthly));
}

#[test]
fn an_editor_accepts_the_example() {
    let errors: Vec<String> =
        validator().iter_errors(&as_json(EXAMPLE)).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Every key that the reader knows is one that editors complete, and the other way round.
#[test]
fn the_schema_has_the_keys_that_the_reader_knows() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let keys = |pointer: &str| {
        let object = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).as_object().unwrap();
        let mut keys: Vec<String> = object.keys().cloned().collect();
        keys.sort();
        keys
    };
    /// What the reader says is known, of a plan with `probe` as unknown key there.
    fn known(text: &str) -> Vec<String> {
        let fault =
            crate::support::faults(text).into_iter().find(|fault| fault.message.contains("probe")).unwrap();
        let list = fault.message.split("known here: ").nth(1).unwrap_or_else(|| panic!("{fault}"));
        let mut keys: Vec<String> = list.split(", ").map(str::to_owned).collect();
        keys.sort();
        keys
    }
    let of = crate::support::of_prod_db;
    let settings = keys("/$defs/settings/properties");
    let with = |more: &[&str]| {
        let mut all: Vec<String> =
            settings.iter().cloned().chain(more.iter().map(|key| (*key).to_owned())).collect();
        all.sort();
        all
    };
    assert_eq!(known("probe: 1\n"), keys("/properties"));
    assert_eq!(known(&format!("defaults: {{probe: 1}}\n{}", of(""))), with(&["environment"]));
    assert_eq!(known(&format!("environments: {{qa: {{probe: 1}}}}\n{}", of(""))), settings);
    assert_eq!(known(&of("probe: 1")), with(&["allowEmpty", "environment", "id", "tagged"]));
    assert_eq!(keys("/properties/databases/items/properties"), ["allowEmpty", "environment", "id", "tagged"]);
    let at = "/$defs/settings/properties";
    assert_eq!(known(&of("objectives: {probe: 1}")), keys(&format!("{at}/objectives/properties")));
    assert_eq!(known(&of("schedules: {probe: 1}")), keys(&format!("{at}/schedules/properties")));
    for (tier, own) in [("daily", "every"), ("weekly", "on"), ("monthly", "on"), ("yearly", "on")] {
        let block =
            schema.pointer(&format!("{at}/schedules/properties/{tier}/anyOf")).unwrap().as_array().unwrap();
        let mut in_schema: Vec<&str> =
            block.last().unwrap()["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        in_schema.sort_unstable();
        assert_eq!(
            in_schema,
            {
                let mut both = ["at", own];
                both.sort_unstable();
                both
            },
            "{tier}"
        );
        assert_eq!(known(&of(&format!("schedules: {{{tier}: {{probe: 1}}}}"))), {
            let mut all = ["at", "cron", own];
            all.sort_unstable();
            all
        });
    }
    assert_eq!(known(&of("targets: [{probe: 1}]")), keys(&format!("{at}/targets/items/anyOf/1/properties")));
    assert_eq!(
        known(&of("notifications: [{probe: 1}]")),
        keys(&format!("{at}/notifications/items/properties"))
    );
}
