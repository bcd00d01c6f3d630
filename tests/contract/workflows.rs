//! The state machines.

use holdfast_core::ErrorKind;
use holdfast_tests::files::read;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::support::{
    TEMPLATES, WORKFLOWS, functions, list, placeholders, resources, statements, states, tasks,
    text_without_tags, workflow,
};

#[test]
fn each_workflow_names_functions_that_the_templates_give_it() {
    for path in TEMPLATES {
        let resources = resources(path);
        for (definition, machine) in WORKFLOWS {
            let Some(block) = resources.get(machine) else {
                let at_home = ["BackupStateMachine", "RestoreStateMachine", "ReplicationStateMachine"]
                    .contains(&machine);
                assert!(path == "infra/region.yaml" && at_home, "{path}: {machine} is missing");
                continue;
            };
            let properties = &block["Properties"];
            assert!(
                text_without_tags(&properties["DefinitionUri"]).ends_with(definition),
                "{path}: {machine}"
            );
            let given = properties["DefinitionSubstitutions"].as_mapping().expect("substitutions");
            let names: BTreeSet<String> = given.keys().map(text_without_tags).collect();
            assert_eq!(placeholders(&read(definition)), names, "{path}: {machine}");
            // Each is the function that its name says, and one that the machine may ask.
            let arns: BTreeSet<String> = given.values().map(text_without_tags).collect();
            assert_eq!(
                arns,
                names.iter().map(|name| name.replace("Arn", ".Arn")).collect(),
                "{path}: {machine}"
            );
            let allowed =
                statements(block).iter().flat_map(|statement| list(&statement["Resource"])).collect();
            assert_eq!(arns, allowed, "{path}: {machine}");
        }
    }
}

#[test]
fn error_names_in_the_workflows_are_errors_of_the_code() {
    let known: BTreeSet<String> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
    for (path, _) in WORKFLOWS {
        for used in read(path).split("Holdfast.").skip(1) {
            let name: String = used.chars().take_while(char::is_ascii_alphanumeric).collect();
            assert!(
                known.contains(&format!("Holdfast.{name}")),
                "{path}: Holdfast.{name} is no error of the code"
            );
        }
    }
}

#[test]
fn every_task_retries_exactly_what_can_help_and_has_a_timeout() {
    let retryable: BTreeSet<String> =
        ErrorKind::ALL.iter().filter(|kind| kind.retryable()).map(|kind| kind.name()).collect();
    for (path, name, task) in tasks() {
        let name = format!("{path}: {name}");
        assert!(task["TimeoutSeconds"].as_u64().is_some(), "{name} has no timeout");
        assert!(task["Catch"].is_array(), "{name} catches nothing");
        if name.ends_with(": CleanUpUnrecorded") {
            continue;
        }
        let mut named = BTreeSet::new();
        for retry in task["Retry"].as_array().unwrap_or_else(|| panic!("{name} retries nothing")) {
            assert_eq!(retry["JitterStrategy"], "FULL", "{name}");
            let errors = retry["ErrorEquals"].as_array().expect("names");
            // Where a circuit is open nothing is sent, however often it is tried.
            let bound = if errors == &[json!(ErrorKind::CircuitOpen.name())] { 60 } else { 10 };
            assert!(retry["MaxAttempts"].as_u64().is_some_and(|attempts| attempts <= bound), "{name}");
            for error in errors {
                let error = error.as_str().expect("a name");
                assert_ne!(error, "States.ALL", "{name} retries everything");
                if error.starts_with("Holdfast.") {
                    named.insert(error.to_owned());
                }
            }
        }
        assert_eq!(named, retryable, "{name}");
    }
}

#[test]
fn a_functions_timeout_is_shorter_than_its_tasks() {
    let functions = functions("template.yaml");
    for (path, name, task) in tasks() {
        let arn = task["Arguments"]["FunctionName"].as_str().expect("a function");
        let id = arn.trim_start_matches("${").trim_end_matches("Arn}");
        let own = functions[id]["Properties"]["Timeout"].as_u64().unwrap_or(60);
        // The clean-up asks a function that may check for 15 minutes, but does not check.
        let bound = task["TimeoutSeconds"].as_u64().expect("a timeout");
        assert!(
            bound >= own || name.starts_with("CleanUp"),
            "{path}: {name}: {bound} s, its function {own} s"
        );
    }
}

#[test]
fn every_failing_state_leads_to_a_record_or_a_named_end() {
    let backup = [
        "NotBegun",
        "LostToAnother",
        "NotRecorded",
        "RecordFailure",
        "RegionFailed",
        // A copy that is there but not proven is no failure of the Region.
        "IsCopyWithoutProof",
        "WorkerFailed",
        "CleanUpUnrecorded",
        "FinishOperation",
        // A baseline that cannot be taken does not keep the snapshot from being taken.
        "CreateSnapshot",
        "BaselineNotTaken",
    ];
    // No record here: what was made is removed, and the execution says how it ended.
    let validation = ["NotBegun", "WorkerFailed", "CleanUp", "HowItEnded"];
    // What was made stays, and is named: it may be all that is left of the data.
    let restore = [
        "NotBegun",
        "LostToAnother",
        "NotRecorded",
        "RecordFailure",
        "FinishOperation",
        // From the first rename on a failure is undone before anything else.
        "RecordUndo",
        "NotUndone",
        // An old instance that could not be stopped runs, and the record says so.
        "RecordSwap",
    ];
    // Nothing here is temporary: what was copied stays, and what failed is named by Region.
    let replication = ["NotBegun", "LostToAnother", "NotRecorded", "RecordFailure", "IsCopyWithoutProof"];
    for (path, machine) in WORKFLOWS {
        let ends = match machine {
            "BackupStateMachine" => &backup[..],
            "RestoreStateMachine" => &restore[..],
            "ReplicationStateMachine" => &replication[..],
            _ => &validation[..],
        };
        let mut catches = 0;
        for (name, state) in states(&workflow(path)) {
            for catch in state["Catch"].as_array().into_iter().flatten() {
                let next = catch["Next"].as_str().expect("a state");
                assert!(ends.contains(&next), "{path}: {name} fails to {next}");
                catches += 1;
            }
        }
        assert!(catches > 0, "{path} catches nothing");
    }
}

#[test]
fn every_end_of_a_validation_comes_after_its_clean_up_or_before_anything_was_made() {
    let path = "stepfunctions/backup-validation.asl.json";
    let machine = workflow(path);
    let states = machine["States"].as_object().expect("States");
    let to = |name: &str| nexts(&states[name]);
    let from =
        |name: &str| states.keys().filter(|other| to(other).contains(name)).cloned().collect::<BTreeSet<_>>();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(machine["StartAt"], "BeginValidation");
    assert_eq!(from("NotBegun"), names(&["BeginValidation"]), "only what has made nothing needs no clean-up");
    assert_eq!(from("HowItEnded"), names(&["CleanUp", "IsCleanedUp"]));
    for (name, state) in states {
        if state["Type"] == "Fail" {
            assert!(state["Error"].is_string() && state["Cause"].is_string(), "{name} does not say why");
        }
        if (state["Type"] == "Fail" || state["End"] == true) && name != "NotBegun" {
            assert_eq!(from(name), names(&["HowItEnded"]), "{name} is reached without a clean-up");
        }
    }
    // The names of the ends are what the code would say.
    assert_eq!(states["BackupInvalid"]["Error"], ErrorKind::ValidationFailed.name());
    assert_eq!(states["BackupUnproven"]["Error"], ErrorKind::ValidationInconclusive.name());
}

/// The states that a state goes on to, whatever happens in it.
fn nexts(state: &Value) -> BTreeSet<String> {
    let branches = ["Choices", "Catch"].into_iter().filter_map(|key| state[key].as_array()).flatten();
    let targets =
        [&state["Next"], &state["Default"]].into_iter().chain(branches.map(|branch| &branch["Next"]));
    targets.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn no_variable_of_a_map_has_the_name_of_an_outer_one() {
    // AWS refuses it (AWS Step Functions Developer Guide, "Passing data between states with variables").
    fn assigned(value: &Value, names: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(assign) = fields.get("Assign").and_then(Value::as_object) {
                    names.extend(assign.keys().cloned());
                }
                fields.values().for_each(|field| assigned(field, names));
            }
            Value::Array(items) => items.iter().for_each(|item| assigned(item, names)),
            _ => {}
        }
    }
    for (path, _) in WORKFLOWS {
        let mut machine = workflow(path);
        let (mut inner, mut outer) = (BTreeSet::new(), BTreeSet::new());
        for state in machine["States"].as_object_mut().expect("States").values_mut() {
            if let Some(processor) = state.as_object_mut().expect("a state").remove("ItemProcessor") {
                assigned(&processor, &mut inner);
            }
        }
        assigned(&machine, &mut outer);
        assert_eq!(inner.is_empty(), path == "stepfunctions/restore-database.asl.json", "{path}");
        assert_eq!(inner.intersection(&outer).collect::<Vec<_>>(), Vec::<&String>::new(), "{path}");
    }
}
