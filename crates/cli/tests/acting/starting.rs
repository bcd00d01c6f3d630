//! What is started and left to itself, and what is coloured.

use serde_json::{Value, json};

use super::cloud::{Cloud, EXECUTION, MACHINE, OPERATION, Terminal, end, execution, ok, open_record};

#[test]
fn whoever_does_not_wait_is_told_what_was_started_and_how_to_come_back() {
    let machine = ["--state-machine-arn", MACHINE];
    let starting: [&[&str]; 4] = [
        &["backup", "create", "prod-db"],
        &["restore", "prod-db"],
        &["replicate", "prod-db", "--to", "us-west-2"],
        &["validate", OPERATION],
    ];
    let starting = starting.iter().map(|verb| [verb, &machine[..]].concat());
    let reopening = [vec!["ops", "resume", OPERATION], vec!["ops", "cancel", OPERATION]];
    for verb in starting.chain(reopening) {
        let cloud = Cloud::start(|call| match call.name.as_str() {
            "GetItem" => Some(ok(&open_record())),
            "DescribeExecution" => Some(execution("ABORTED", &json!({"stopDate": 1_795_000_060}))),
            _ => None,
        });
        let run = |output: &str| {
            let arguments = [&verb[..], &["--yes", "--no-wait", "--output", output]].concat();
            end(cloud.holdfast(&arguments).env("DR_STATE_TABLE_NAME", "T").spawn().unwrap())
        };
        let said = run("table");
        assert_eq!(said.code, Some(0), "{verb:?}: {said:?}");
        assert!(said.out.contains(&format!("Started {EXECUTION}")), "{verb:?}: {said:?}");
        let back =
            if verb[0] == "validate" { "aws stepfunctions describe-execution" } else { "holdfast ops wait" };
        assert!(said.out.contains(back), "{verb:?}: {said:?}");
        let json: Value = serde_json::from_str(&run("json").out).unwrap();
        assert_eq!(json["executionArn"], EXECUTION, "{verb:?}");
        assert_eq!(cloud.calls("StartExecution").len(), 2, "{verb:?}");
        assert!(cloud.calls("GetExecutionHistory").is_empty(), "{verb:?}");
        assert_eq!(cloud.calls("StopExecution").len(), if verb[1] == "cancel" { 2 } else { 0 }, "{verb:?}");
    }
}

#[test]
fn only_a_terminal_gets_colours_and_only_when_nobody_objects() {
    let text = |text: &str| json!({"S": text});
    let row = json!({"operationId": text(OPERATION), "type": text("BACKUP"), "databaseId": text("prod-db"),
        "status": text("SUCCEEDED"), "startedAt": text("2026-11-20T06:00:00Z")});
    let page = json!({"Items": [row], "Count": 1});
    let cloud = Cloud::start(move |call| (call.name == "Query").then(|| ok(&page)));
    let list = || {
        let mut command = cloud.holdfast(&["ops", "list", "prod-db"]);
        command.env("DR_STATE_TABLE_NAME", "T");
        command
    };
    let piped = end(list().spawn().unwrap()).out;
    assert!(piped.contains("SUCCEEDED") && !piped.contains('\u{1b}'), "{piped:?}");
    for (refused, coloured) in [("", true), ("1", false)] {
        let terminal = Terminal::new();
        // An empty NO_COLOR is none (no-color.org).
        let said = end(list().env("NO_COLOR", refused).stdout(terminal.end()).spawn().unwrap());
        assert_eq!(said.code, Some(0), "{said:?}");
        let shown = terminal.shown();
        assert!(shown.contains("SUCCEEDED"), "{shown:?}");
        assert_eq!(shown.contains("\u{1b}[32m"), coloured, "NO_COLOR={refused:?}: {shown:?}");
    }
}
