//! What is followed, who leaves it, and who goes on with it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::cloud::{
    Cloud, EXECUTION, MACHINE, OPERATION, Terminal, end, execution, ok, open_record, press_ctrl_c,
};

const OTHER: &str = "arn:aws:states:us-east-1:123456789012:execution:x:two";

#[test]
fn who_leaves_is_told_what_goes_on_and_how_to_come_back() {
    let machine = ["--state-machine-arn", MACHINE];
    let cases: [(&[&str], &str, &str); 5] = [
        (&["backup", "create", "prod-db"], "the backup goes on", "holdfast ops wait prod-db-"),
        (&["restore", "prod-db"], "the restore goes on", "holdfast ops wait prod-db-"),
        (&["replicate", "prod-db"], "the replication goes on", "holdfast ops wait prod-db-"),
        (
            &["validate", OPERATION],
            "the validation goes on",
            "aws stepfunctions describe-execution --region us-east-1",
        ),
        (&["ops", "cancel", OPERATION], "the clean-up goes on", "holdfast ops wait prod-db-r1-0123456789"),
    ];
    for (verb, goes_on, back) in cases {
        let cloud = Cloud::start(|call| (call.name == "GetItem").then(|| ok(&open_record())));
        let of = if verb[0] == "ops" { &[][..] } else { &machine[..] };
        let arguments = [verb, of, &["--yes"]].concat();
        let child = cloud.holdfast(&arguments).env("DR_STATE_TABLE_NAME", "T").spawn().unwrap();
        cloud.until("GetExecutionHistory", 1);
        press_ctrl_c(&child);
        let said = end(child);
        assert_eq!(said.code, Some(130), "{verb:?}: {said:?}");
        for words in [goes_on, back, EXECUTION] {
            assert!(said.errors.contains(words), "{verb:?}: {words}: {said:?}");
        }
    }
}

#[test]
fn who_leaves_while_a_restore_is_planned_leaves_nothing_behind() {
    let cloud = Cloud::start(|_| None);
    let terminal = Terminal::new();
    let mut command = cloud.holdfast(&["restore", "prod-db", "--state-machine-arn", MACHINE]);
    let child = command.env("DR_STATE_TABLE_NAME", "T").stdin(terminal.end()).spawn().unwrap();
    cloud.until("GetExecutionHistory", 1);
    press_ctrl_c(&child);
    let said = end(child);
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.errors.contains("nothing is brought back"), "{said:?}");
    assert!(!said.errors.contains("the restore goes on"), "{said:?}");
    assert_eq!(cloud.calls("StartExecution").len(), 1);
}

#[test]
fn whoever_waits_follows_the_execution_that_takes_over() {
    let (first_looks, second_looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (first_ended, second_ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let cloud = Cloud::start(move |call| {
        let of_first = call.json()["executionArn"] == EXECUTION;
        Some(match call.name.as_str() {
            "DescribeExecution" if of_first => {
                let over = first_looks.fetch_add(1, Ordering::SeqCst) > 0;
                first_ended.store(over, Ordering::SeqCst);
                execution(if over { "ABORTED" } else { "RUNNING" }, &json!({}))
            }
            "DescribeExecution" => {
                let over = second_looks.fetch_add(1, Ordering::SeqCst) > 1;
                second_ended.store(over, Ordering::SeqCst);
                execution(if over { "SUCCEEDED" } else { "RUNNING" }, &json!({}))
            }
            "GetExecutionHistory" => {
                let output = json!({"Payload": {"operationId": OPERATION}}).to_string();
                let details = json!({"resourceType": "lambda", "resource": "invoke", "output": output});
                let event = json!({"timestamp": 1_795_000_001, "type": "TaskSucceeded", "id": 1,
                    "taskSucceededEventDetails": details});
                ok(&json!({"events": [event]}))
            }
            "GetItem" => {
                let mut record = open_record();
                if first_ended.load(Ordering::SeqCst) {
                    record["Item"]["owner"] = json!({"S": OTHER});
                }
                if second_ended.load(Ordering::SeqCst) {
                    record["Item"]["status"] = json!({"S": "SUCCEEDED"});
                }
                ok(&record)
            }
            _ => return None,
        })
    });
    let mut command = cloud.holdfast(&["ops", "wait", OPERATION]);
    let said = end(command.env("DR_STATE_TABLE_NAME", "T").spawn().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains(&format!("another execution goes on with it: {OTHER}")), "{said:?}");
    assert!(said.out.contains("prod-db is backed up"), "{said:?}");
}

#[test]
fn whoever_comes_back_sees_the_time_since_it_began() {
    let cloud = Cloud::start(|call| match call.name.as_str() {
        "GetItem" => {
            let mut record = open_record();
            let began = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(7200);
            record["Item"]["startedAt"] = json!({"S": began.to_string()});
            Some(ok(&record))
        }
        "DescribeExecution" => {
            let now = jiff::Timestamp::now().as_second();
            Some(execution("RUNNING", &json!({"startDate": now})))
        }
        "GetExecutionHistory" => {
            let output = json!({"Payload": {"phase": "VALIDATING"}}).to_string();
            let details = json!({"resourceType": "lambda", "resource": "invoke", "output": output});
            let event = json!({"timestamp": 1_795_000_001, "type": "TaskSucceeded", "id": 1,
                "taskSucceededEventDetails": details});
            Some(ok(&json!({"events": [event]})))
        }
        _ => None,
    });
    let mut command = cloud.holdfast(&["ops", "wait", OPERATION]);
    let child = command.env("DR_STATE_TABLE_NAME", "T").spawn().unwrap();
    cloud.until("GetExecutionHistory", 2);
    press_ctrl_c(&child);
    let said = end(child);
    // Its phase is told in a log as well, with or without a history of others.
    let line =
        said.out.lines().find(|line| line.ends_with("s  validating")).unwrap_or_else(|| panic!("{said:?}"));
    let seconds: u64 = line.trim_start().split('s').next().unwrap().parse().unwrap();
    assert!((7200..7300).contains(&seconds), "{said:?}");
}
