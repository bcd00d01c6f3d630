//! Which state table is read.

use super::cloud::{Answer, Call, Cloud, OPERATION, end};

fn there(call: &Call) -> Option<Answer> {
    let output =
        "<member><OutputKey>StateTableName</OutputKey><OutputValue>StagingState</OutputValue></member>";
    let stack = format!(
        "<member><StackName>staging</StackName><CreationTime>2026-11-20T06:00:00Z</CreationTime>\
         <StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{output}</Outputs></member>"
    );
    let whole = "DescribeStacksResponse><DescribeStacksResult><Stacks>";
    let end = "</Stacks></DescribeStacksResult></DescribeStacksResponse>";
    (call.name == "DescribeStacks").then(|| (200, format!("<{whole}{stack}{end}")))
}

fn refused(status: u16, code: &'static str, message: &'static str) -> impl Fn(&Call) -> Option<Answer> {
    move |call: &Call| {
        let error =
            format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
        (call.name == "DescribeStacks").then(|| (status, format!("<ErrorResponse>{error}</ErrorResponse>")))
    }
}

/// The tables of all calls of DynamoDB.
fn tables(cloud: &Cloud) -> Vec<String> {
    let calls = cloud.calls("GetItem");
    calls.iter().map(|call| call.json()["TableName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_stack_that_is_named_has_the_table() {
    for verb in [&["ops", "describe"][..], &["ops", "cancel"], &["ops", "wait"], &["backup", "report"]] {
        let cloud = Cloud::start(there);
        let arguments = [verb, &[OPERATION, "--stack", "staging"]].concat();
        let said = end(cloud.holdfast(&arguments).spawn().unwrap());
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.errors.contains("in table StagingState"), "{said:?}");
        assert_eq!(tables(&cloud), ["StagingState"], "{verb:?}");
        assert!(cloud.calls("DescribeStacks")[0].body.contains("StackName=staging"));
    }
}

#[test]
fn a_table_that_is_said_is_asked_of_no_stack() {
    let cloud = Cloud::start(there);
    let describe = ["ops", "describe", OPERATION];
    end(cloud.holdfast(&describe).env("DR_STATE_TABLE_NAME", "Mine").spawn().unwrap());
    end(cloud.holdfast(&[&describe[..], &["--state-table", "Other"]].concat()).spawn().unwrap());
    assert_eq!(tables(&cloud), ["Mine", "Other"]);
    assert!(cloud.calls("DescribeStacks").is_empty());
}

#[test]
fn the_default_name_is_taken_only_where_no_stack_was_named() {
    let describe = ["ops", "describe", OPERATION];
    let named = [&describe[..], &["--stack", "staging"]].concat();
    let missing = || Cloud::start(refused(400, "ValidationError", "Stack with id x does not exist"));
    let cloud = missing();
    end(cloud.holdfast(&describe).spawn().unwrap());
    assert_eq!(tables(&cloud), ["DisasterRecoveryState"]);
    let cloud = missing();
    let said = end(cloud.holdfast(&named).spawn().unwrap());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.errors.contains("there is no stack staging in us-east-1"), "{said:?}");
    assert!(tables(&cloud).is_empty());
    // The variable names one as well.
    let said = end(cloud.holdfast(&describe).env("HOLDFAST_STACK", "staging").spawn().unwrap());
    assert_eq!(said.code, Some(2), "{said:?}");

    let denied = || Cloud::start(refused(403, "AccessDenied", "not you"));
    let cloud = denied();
    let said = end(cloud.holdfast(&describe).spawn().unwrap());
    assert!(said.errors.contains("DisasterRecoveryState is taken"), "{said:?}");
    assert_eq!(tables(&cloud), ["DisasterRecoveryState"]);
    let cloud = denied();
    let said = end(cloud.holdfast(&named).spawn().unwrap());
    assert_eq!((said.code, tables(&cloud).len()), (Some(1), 0), "{said:?}");
}

#[test]
fn what_needs_no_deployment_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(|_| None);
    let folder = folder.path().to_str().unwrap();
    let verbs = [&["cost", "prices"][..], &["completions", "bash"], &["man", folder], &["plan", "schema"]];
    for verb in verbs {
        let said = end(cloud.holdfast(verb).spawn().unwrap());
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    end(cloud.holdfast(&["verify", "--url", "postgres://a@127.0.0.1:9/a?sslmode=disable"]).spawn().unwrap());
    // The function that plans deletions knows its table.
    end(cloud.holdfast(&["points", "prod-db", "--function", "f"]).spawn().unwrap());
    assert!(cloud.calls("DescribeStacks").is_empty(), "{:?}", cloud.names());
}
