//! What is agreed to, by a person at a terminal.

use std::process::Child;

use serde_json::{Value, json};

use super::cloud::{
    Call, Cloud, MACHINE, OPERATION, Said, Terminal, end, execution, ok, open_record, press_ctrl_c, until,
};

const NEWEST: &str = "holdfast-prod-db-r0-0123456789";

/// A plan of a restore is made at once.
fn planned() -> Cloud {
    let point =
        json!({"kind": "snapshot", "id": NEWEST, "verdict": "VALID", "takenAt": "2026-11-20T06:00:00Z"});
    let summary = json!({"type": "RESTORE", "operationId": OPERATION, "databaseId": "prod-db", "status": "SUCCEEDED",
        "plan": {"region": "us-east-1", "targetId": "prod-db", "blueprintOf": "the source", "recoveryPoint": point,
                 "wanted": {"instanceClasses": ["db.m6g.large"]}}});
    let output = json!({"output": summary.to_string()});
    Cloud::start(move |call| (call.name == "DescribeExecution").then(|| execution("SUCCEEDED", &output)))
}

/// Starts a verb at a terminal.
fn at(cloud: &Cloud, terminal: &Terminal, arguments: &[&str]) -> Child {
    let mut command = cloud.holdfast(arguments);
    command.env("DR_STATE_TABLE_NAME", "T").stdin(terminal.end()).spawn().unwrap()
}

fn answered(cloud: &Cloud, arguments: &[&str], answer: &str) -> Said {
    let terminal = Terminal::new();
    // A terminal keeps what is typed before it is asked for.
    terminal.types(answer);
    end(at(cloud, &terminal, arguments))
}

/// Inputs of the executions that were started and would make something.
fn made(cloud: &Cloud) -> Vec<Value> {
    let inputs = cloud.calls("StartExecution").iter().map(Call::input).collect::<Vec<_>>();
    inputs.into_iter().filter(|input| input["verifyOnly"] != true).collect()
}

#[test]
fn nothing_but_yes_starts_anything() {
    let machine = ["--state-machine-arn", MACHINE, "--no-wait"];
    let asking: [&[&str]; 4] = [
        &["backup", "create", "prod-db"],
        &["restore", "prod-db"],
        &["replicate", "prod-db", "--to", "us-west-2"],
        &["validate", OPERATION],
    ];
    for verb in asking {
        let arguments = [verb, &machine[..]].concat();
        for answer in ["no\n", "\n", "y\n", "yes please\n", "\u{4}"] {
            let cloud = planned();
            let said = answered(&cloud, &arguments, answer);
            assert_eq!(said.code, Some(1), "{verb:?} {answer:?}: {said:?}");
            assert!(said.errors.contains("Type yes: Nothing was "), "{verb:?} {answer:?}: {said:?}");
            assert!(made(&cloud).is_empty(), "{verb:?} {answer:?}");
        }
        let cloud = planned();
        let said = answered(&cloud, &arguments, "yes\n");
        assert_eq!((said.code, made(&cloud).len()), (Some(0), 1), "{verb:?}: {said:?}");
    }
}

#[test]
fn nothing_but_yes_ends_anything() {
    for (verb, said_then) in [("cancel", "Nothing was ended."), ("resume", "It stays as it is.")] {
        let cloud = Cloud::start(|call| (call.name == "GetItem").then(|| ok(&open_record())));
        let said = answered(&cloud, &["ops", verb, OPERATION], "no\n");
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.errors.contains(said_then), "{said:?}");
        assert!(
            cloud.calls("StopExecution").is_empty() && cloud.calls("StartExecution").is_empty(),
            "{verb}"
        );
    }
}

#[test]
fn ctrl_c_at_a_question_is_a_no() {
    let machine = ["--state-machine-arn", MACHINE];
    // A restore has followed its plan by then, and listened to Ctrl-C for that.
    for verb in [&["restore", "prod-db"][..], &["backup", "create", "prod-db"]] {
        let (cloud, keyboard, errors) = (planned(), Terminal::new(), tempfile::NamedTempFile::new().unwrap());
        let mut command = cloud.holdfast(&[verb, &machine[..]].concat());
        command.env("DR_STATE_TABLE_NAME", "T").stdin(keyboard.end()).stderr(errors.reopen().unwrap());
        let child = command.spawn().unwrap();
        let read = || std::fs::read_to_string(errors.path()).unwrap();
        until("the question", || read().contains("Type yes: "));
        press_ctrl_c(&child);
        let said = end(child);
        assert_eq!(said.code, Some(1), "{verb:?}: {}", read());
        assert!(read().ends_with("Nothing was made.\n"), "{verb:?}: {}", read());
        assert!(made(&cloud).is_empty(), "{verb:?}");
    }
}

#[test]
fn the_backup_that_was_shown_is_the_one_that_is_brought_back() {
    let cloud = planned();
    let said =
        answered(&cloud, &["restore", "prod-db", "--state-machine-arn", MACHINE, "--no-wait"], "yes\n");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(made(&cloud)[0]["snapshotId"], NEWEST);
}

#[test]
fn a_plan_is_read_by_the_person_and_its_outcome_by_the_program() {
    let arguments = ["restore", "prod-db", "--state-machine-arn", MACHINE, "--output", "json", "--no-wait"];
    let cloud = planned();
    let said = answered(&cloud, &arguments, "no\n");
    assert!(said.errors.contains(&format!("From        snapshot {NEWEST}")), "{said:?}");
    assert_eq!(said.out, "");
    let said = answered(&cloud, &arguments, "yes\n");
    assert!(said.errors.contains("From        snapshot"), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert!(json["operationId"].as_str().unwrap().starts_with("prod-db-"), "{json}");
}
