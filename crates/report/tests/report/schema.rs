//! `docs/report.schema.json` describes what is written, all of it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

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

/// Reports whose requests ask for everything that can be asked for.
fn requests() -> Vec<Value> {
    let defaults = Defaults { region: Region::parse("us-east-1").expect("a Region"), target_regions: vec![] };
    let mut report = samples::not_run();
    [json!(null), json!({"iamUser": "reader", "depth": "full", "replica": "prod-db-2"})]
        .into_iter()
        .map(|baseline| {
            let mut input = json!({"databaseId": "prod-db", "tags": {"a": "b"},
                "targetRegions": [{"region": "eu-west-1"}],
                "validation": {"allowMissingTables": ["a.b.c"],
                    "checks": {"content": {"samplePercent": 5.0}, "indexes": "off", "digest": "cryptographic",
                        "freshness": {"columns": [{"database": "a", "table": "b.c", "column": "d"}], "maxAgeMinutes": 5}},
                    "assertions": [{"name": "n", "database": "d", "sql": "select 1", "expect": ">= 1"}]}});
            if !baseline.is_null() {
                input["baseline"] = baseline;
                let heartbeat = json!({"database": "a", "table": "b.h"});
                input["validation"]["checks"]["freshness"]["heartbeat"] = heartbeat;
            }
            report["request"] = json!(BackupRequest::parse(&input, "r1", &defaults).expect("a request"));
            report["validation"] = json!(ValidationResult::not_run());
            report["baseline"] = json!(BaselineResult::not_asked());
            report.clone()
        })
        .collect()
}

#[test]
fn what_the_types_of_the_domain_write_is_described() {
    let schema = schema();
    for report in requests() {
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

/// Reports of which every part alone could be, and the whole cannot.
fn contradictions() -> Vec<Value> {
    let changed = |mut report: Value, change: fn(&mut Value)| {
        change(&mut report);
        report
    };
    let valid = samples::valid;
    vec![
        changed(valid(), |report| report["validation"]["verdict"] = json!("INVALID")),
        changed(valid(), |report| report["validationDetails"]["checks"][0]["result"] = json!("errored")),
        changed(valid(), |report| report["leftovers"] = json!(["instance hfv-x"])),
        changed(valid(), |report| report["replicas"]["eu-west-1"]["status"] = json!("FAILED")),
        changed(valid(), |report| report["failure"] = json!({"name": "A", "cause": "b", "leftovers": []})),
        changed(valid(), |report| report["snapshot"] = Value::Null),
        changed(valid(), |report| report["timings"]["endedAt"] = json!("yesterday")),
        // The lists are there once: neither twice nor not at all.
        changed(valid(), |report| report["validation"]["checks"] = json!([])),
        changed(valid(), |report| report["validation"]["notChecked"] = json!([])),
        changed(samples::not_run(), |report| {
            report["validation"].as_object_mut().expect("a validation").remove("checks");
        }),
        // More findings than are ever kept, and a leftover that is no text.
        changed(samples::invalid(), |report| {
            let checks = report["validationDetails"]["checks"].as_array_mut().expect("checks");
            let check = checks.iter_mut().find(|check| check["result"] == "failed").expect("a failed one");
            check["findings"] = json!(vec![json!({"object": "a", "message": "b"}); 101]);
        }),
        changed(samples::copy_invalid(), |report| {
            let copies = report["replicas"].as_object_mut().expect("copies");
            let proven = copies.values_mut().find(|copy| copy.get("validation").is_some()).expect("a proof");
            proven["validation"]["leftovers"] = json!([1]);
        }),
        changed(samples::failed(), |report| report["validation"] = json!("none")),
        changed(samples::not_run(), |report| report["validation"] = Value::Null),
        changed(samples::copy_invalid(), |report| report["status"] = json!("SUCCEEDED")),
        changed(samples::invalid(), |report| {
            report["validationDetails"]["checks"][0]["findings"] = json!([{"object": "a", "message": "b"}]);
        }),
    ]
}

#[test]
fn what_contradicts_itself_is_refused() {
    let schema = schema();
    assert!(schema.is_valid(&samples::valid()));
    for (place, report) in contradictions().iter().enumerate() {
        assert!(!schema.is_valid(report), "contradiction {place} is not seen");
    }
}

/// A value without what it says: which members there are, of which type, and which lists are empty.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), shape(member))).collect())
        }
        Value::Array(items) => Value::Array(items.first().map(shape).into_iter().collect()),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!(0),
        Value::Bool(_) => json!(true),
        Value::Null => Value::Null,
    }
}

/// Places of every value in `value`; of the items of a list one of each shape, which stands for the others.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            let mut seen = Vec::new();
            for (place, item) in items.iter().enumerate() {
                let shape = shape(item);
                if !seen.contains(&shape) {
                    seen.push(shape);
                    places(item, &format!("{at}/{place}"), found);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How many reports that have a place are spoiled there: what one of them may not say for another reason, the next may.
const SPOILED_AT_MOST: u32 = 3;

/// Reports with one value changed to what it cannot be.
fn spoiled(reports: &[Value]) -> Vec<Value> {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    let mut found = Vec::new();
    for report in reports {
        let mut at = Vec::new();
        places(report, "", &mut at);
        for place in at {
            let Some(value) = report.pointer(&place) else { continue };
            let parts: Vec<&str> =
                place.split('/').map(|part| if part.parse::<u32>().is_ok() { "*" } else { part }).collect();
            let times = times.entry(parts.join("/")).or_default();
            *times += 1;
            if *times > SPOILED_AT_MOST {
                continue;
            }
            let mut others = vec![Value::Null, json!("\u{a7}"), json!(-1), json!(0.5), json!({}), json!([])];
            match value {
                Value::String(text) => {
                    others.push(json!(""));
                    others.extend([json!(format!("{text}\u{a7}")), json!(format!("\u{a7}{text}"))]);
                }
                Value::Number(number) => {
                    others.extend([json!(0), json!(number.as_f64().map(|number| number + 1e12))]);
                }
                Value::Array(items) => others.push(json!([items.as_slice(), items.as_slice()].concat())),
                Value::Object(members) => {
                    let renamed =
                        members.iter().map(|(name, member)| (format!("{name}\u{a7}"), member.clone()));
                    others.push(Value::Object(renamed.collect()));
                }
                Value::Null | Value::Bool(_) => {}
            }
            for other in others {
                let mut changed = report.clone();
                *changed.pointer_mut(&place).expect("a value") = other;
                found.push(changed);
            }
        }
    }
    found
}

/// Keywords that refuse something.
const REFUSING: [&str; 16] = [
    "type",
    "enum",
    "const",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "uniqueItems",
    "propertyNames",
    "exclusiveMinimum",
    "not",
];

/// Said for those who read the schema: that one of two members is required refuses what has no members, too.
const IMPLIED: [&str; 1] = ["/$defs/request/properties/baseline/type"];

/// Keywords by which a report is refused, the last ones of their paths.
fn refused_by(schema: &Validator, report: &Value) -> BTreeSet<String> {
    let last = |path: String| {
        path.rsplit('/').find(|part| part.parse::<u32>().is_err()).unwrap_or_default().to_owned()
    };
    schema.iter_errors(report).map(|error| last(error.schema_path().to_string())).collect()
}

/// Where a keyword stands in the schema, unless it is a part of the data that is described.
fn keywords(schema: &Value, at: &str, found: &mut Vec<String>) {
    let Value::Object(members) = schema else {
        if let Value::Array(items) = schema {
            for (place, item) in items.iter().enumerate() {
                keywords(item, &format!("{at}/{place}"), found);
            }
        }
        return;
    };
    let names = at.ends_with("/properties") || at.ends_with("/$defs");
    for (name, member) in members {
        if !names && REFUSING.contains(&&**name) {
            found.push(format!("{at}/{name}"));
        }
        keywords(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
    }
}

#[test]
fn no_word_of_the_schema_is_idle() {
    let whole = schema();
    let good: Vec<Value> = samples::all().into_iter().map(|(_, report)| report).chain(requests()).collect();
    let bad: Vec<(BTreeSet<String>, Value)> = spoiled(&good)
        .into_iter()
        .chain(contradictions())
        .map(|report| (refused_by(&whole, &report), report))
        .filter(|(keywords, _)| !keywords.is_empty())
        .collect();
    let document: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let mut found = Vec::new();
    keywords(&document, "", &mut found);
    assert!(found.len() > 90, "only {} keywords", found.len());
    let mut idle = Vec::new();
    for place in found {
        let mut weaker = document.clone();
        let (parent, name) = place.rsplit_once('/').expect("a place");
        weaker.pointer_mut(parent).and_then(Value::as_object_mut).expect("a schema").remove(name);
        let weaker = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&weaker)
            .expect("a schema");
        // A condition that asks for less refuses more.
        let compound = |keyword: &String| {
            keyword == name || name == "propertyNames" || ["anyOf", "oneOf", "not"].contains(&&**keyword)
        };
        let needed = bad
            .iter()
            .filter(|(keywords, _)| keywords.iter().all(compound))
            .any(|(_, report)| weaker.is_valid(report))
            || good.iter().any(|report| !weaker.is_valid(report));
        if !needed {
            idle.push(place);
        }
    }
    idle.retain(|place| !IMPLIED.contains(&&**place));
    assert_eq!(idle, Vec::<String>::new(), "nothing depends on these, of {} bad reports", bad.len());
}
