//! `docs/report.schema.json` describes what is written, all of it and nothing else.

use holdfast_core::baseline::BaselineResult;
use holdfast_core::ids::Region;
use holdfast_core::operation::ValidationResult;
use holdfast_core::request::{BackupRequest, Defaults};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::samples;

const SCHEMA: &str = include_str!("../../../../docs/report.schema.json");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of 2020-12");
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).expect("a schema")
}

/// What is wrong with a report, with the places.
fn complaints(schema: &Validator, report: &Value) -> Vec<String> {
    schema.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Pointers of every object in `value`.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members
                .iter()
                .map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member))
                .collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(place, item)| (place.to_string(), item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    for (name, child) in children {
        objects(child, &format!("{at}/{name}"), found);
    }
}

#[test]
fn every_end_of_an_operation_is_described() {
    let schema = schema();
    for (name, report) in samples::all() {
        assert_eq!(complaints(&schema, &report), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_the_types_of_the_domain_write_is_described() {
    let schema = schema();
    let defaults = Defaults { region: Region::parse("us-east-1").unwrap(), target_regions: vec![] };
    let mut report = samples::not_run();
    for baseline in [json!(null), json!({"iamUser": "reader", "depth": "full", "replica": "prod-db-2"})] {
        let mut input = json!({"databaseId": "prod-db", "tags": {"a": "b"},
            "targetRegions": [{"region": "eu-west-1"}],
            "validation": {"allowMissingTables": ["a.b.c"],
                "checks": {"content": {"samplePercent": 5.0}, "indexes": "off", "digest": "cryptographic",
                    "freshness": {"columns": [{"database": "a", "table": "b.c", "column": "d"}], "maxAgeMinutes": 5}},
                "assertions": [{"name": "n", "database": "d", "sql": "select 1", "expect": ">= 1"}]}});
        if !baseline.is_null() {
            input["baseline"] = baseline;
        }
        report["request"] = json!(BackupRequest::parse(&input, "r1", &defaults).unwrap());
        report["validation"] = json!(ValidationResult::not_run());
        report["baseline"] = json!(BaselineResult::not_asked());
        assert_eq!(complaints(&schema, &report), Vec::<String>::new());
    }
}

#[test]
fn nothing_may_be_added() {
    let schema = schema();
    for (name, report) in samples::all() {
        let mut places = Vec::new();
        objects(&report, "", &mut places);
        // Only what a definition consists of is PostgreSQL's and not ours.
        places.retain(|place| !place.ends_with("/definition"));
        assert!(places.len() > 20, "{name} has only {places:?}");
        for place in places {
            let mut more = report.clone();
            let object = more.pointer_mut(&place).and_then(Value::as_object_mut).expect("an object");
            object.insert("unexpected".to_owned(), json!(true));
            assert!(!schema.is_valid(&more), "{name} may have more at {place:?}");
        }
    }
}

/// Members that are written only when there is something to say.
const OPTIONAL: [&str; 16] = [
    "depth",
    "reason",
    "object",
    "snapshotArn",
    "kmsKeyId",
    "kmsKeyArn",
    "seconds",
    "error",
    "database",
    "replica",
    "freshness",
    "takenAt",
    "digest",
    "baseline",
    "secretArn",
    "iamUser",
];

#[test]
fn nothing_may_be_missing() {
    let schema = schema();
    for (name, report) in samples::all() {
        let mut places = Vec::new();
        objects(&report, "", &mut places);
        // Maps by a name that anybody chose.
        let map = |place: &String| {
            ["/replicas", "/regions", "/tags", "/definition", "/objects", "/tables", "/columns", "/databases"]
                .iter()
                .any(|map| place.ends_with(map))
        };
        places.retain(|place| !map(place));
        let mut removed = 0;
        for place in places {
            let members: Vec<String> = report
                .pointer(&place)
                .and_then(Value::as_object)
                .expect("an object")
                .keys()
                .cloned()
                .collect();
            for member in members {
                let always = (place.is_empty() && member == "baseline")
                    || (place.contains("/phases/") && member == "seconds")
                    || (place.ends_with("/columns/0") && member == "database");
                let of_copy = place.starts_with("/replicas/") && member == "validation";
                if of_copy || (OPTIONAL.contains(&member.as_str()) && !always) {
                    continue;
                }
                let mut less = report.clone();
                less.pointer_mut(&place).and_then(Value::as_object_mut).expect("an object").remove(&member);
                assert!(!schema.is_valid(&less), "{name} may lack {member} at {place:?}");
                removed += 1;
            }
        }
        assert!(removed > 70, "{name}: only {removed} members were tried");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let schema = schema();
    let changed = |report: Value, change: fn(&mut Value)| {
        let mut changed = report;
        change(&mut changed);
        schema.is_valid(&changed)
    };
    let valid = samples::valid;
    assert!(changed(valid(), |_| {}));
    assert!(!changed(valid(), |report| report["validation"]["verdict"] = json!("INVALID")));
    assert!(!changed(valid(), |report| report["validationDetails"]["checks"][0]["result"] = json!("errored")));
    assert!(!changed(valid(), |report| report["leftovers"] = json!(["instance hfv-x"])));
    assert!(!changed(valid(), |report| report["replicas"]["eu-west-1"]["status"] = json!("FAILED")));
    assert!(
        !changed(valid(), |report| report["failure"] = json!({"name": "a", "cause": "b", "leftovers": []}))
    );
    assert!(!changed(valid(), |report| report["snapshot"] = Value::Null));
    assert!(!changed(valid(), |report| report["timings"]["endedAt"] = json!("yesterday")));
    // The lists are there once: neither twice nor not at all.
    assert!(!changed(valid(), |report| report["validation"]["checks"] = json!([])));
    assert!(!changed(valid(), |report| report["validation"]["notChecked"] = json!([])));
    assert!(!changed(samples::not_run(), |report| {
        report["validation"].as_object_mut().expect("a validation").remove("checks");
    }));
    assert!(!changed(samples::invalid(), |report| {
        report["validationDetails"]["checks"][0]["findings"] = json!([{"object": "a", "message": "b"}]);
    }));
}
