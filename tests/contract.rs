//! Contracts: workflow, template, error pages, samples and code say the same.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::ErrorKind;
use holdfast_core::ids::Region;
use holdfast_core::request::{BackupRequest, Defaults};
use holdfast_tests::files::{project, read};
use serde_json::Value;
use serde_yaml_ng::Value as Yaml;

fn workflow() -> Value {
    serde_json::from_str(&read("stepfunctions/backup-orchestration.asl.json")).expect("JSON")
}

fn template() -> Yaml {
    serde_yaml_ng::from_str(&read("template.yaml")).expect("YAML")
}

/// Every state of the workflow with its name, those inside Maps included.
fn states(machine: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, state) in machine["States"].as_object().expect("States") {
        all.push((name.clone(), state.clone()));
        if let Some(processor) = state.get("ItemProcessor") {
            all.extend(states(processor));
        }
    }
    all
}

fn tasks() -> Vec<(String, Value)> {
    states(&workflow()).into_iter().filter(|(_, state)| state["Type"] == "Task").collect()
}

/// The functions of the template: logical id to its block.
fn functions() -> BTreeMap<String, Yaml> {
    let template = template();
    let resources = template["Resources"].as_mapping().expect("Resources");
    resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
        .map(|(id, resource)| (id.as_str().expect("a name").to_owned(), resource.clone()))
        .collect()
}

fn sources_of(binary: &str) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(project(&format!("functions/{binary}/src"))).expect("sources").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(entry.path()).expect("a source"));
        }
    }
    text
}

fn text_without_tags(value: &Yaml) -> String {
    match value {
        Yaml::Tagged(tagged) => text_without_tags(&tagged.value),
        Yaml::String(text) => text.clone(),
        other => serde_yaml_ng::to_string(other).unwrap_or_default(),
    }
}

fn list(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Sequence(items) => items.iter().map(text_without_tags).collect(),
        Yaml::Null => vec![],
        one => vec![text_without_tags(one)],
    }
}

#[test]
fn every_function_of_the_template_is_a_crate_and_the_reverse() {
    let binaries: BTreeSet<String> = functions()
        .values()
        .map(|function| {
            function["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a binary").to_owned()
        })
        .collect();
    let crates: BTreeSet<String> = std::fs::read_dir(project("functions"))
        .expect("functions")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(binaries, crates);
}

#[test]
fn the_workflow_names_functions_that_the_template_gives_it() {
    let template = template();
    let given = &template["Resources"]["BackupStateMachine"]["Properties"]["DefinitionSubstitutions"];
    let given: BTreeSet<String> =
        given.as_mapping().expect("substitutions").keys().map(text_without_tags).collect();
    let text = read("stepfunctions/backup-orchestration.asl.json");
    let used: BTreeSet<String> =
        text.split("${").skip(1).map(|rest| rest.split('}').next().expect("a brace").to_owned()).collect();
    assert_eq!(used, given);
}

#[test]
fn error_names_in_the_workflow_are_errors_of_the_code() {
    let known: BTreeSet<String> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
    let text = read("stepfunctions/backup-orchestration.asl.json");
    for used in text.split("Holdfast.").skip(1) {
        let name: String = used.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(known.contains(&format!("Holdfast.{name}")), "Holdfast.{name} is no error of the code");
    }
}

#[test]
fn every_task_retries_exactly_what_can_help_and_has_a_timeout() {
    let retryable: BTreeSet<String> =
        ErrorKind::ALL.iter().filter(|kind| kind.retryable()).map(|kind| kind.name()).collect();
    for (name, task) in tasks() {
        assert!(task["TimeoutSeconds"].as_u64().is_some(), "{name} has no timeout");
        assert!(task["Catch"].is_array(), "{name} catches nothing");
        if name == "CleanUpUnrecorded" {
            continue;
        }
        let mut named = BTreeSet::new();
        for retry in task["Retry"].as_array().unwrap_or_else(|| panic!("{name} retries nothing")) {
            assert_eq!(retry["JitterStrategy"], "FULL", "{name}");
            assert!(retry["MaxAttempts"].as_u64().is_some_and(|attempts| attempts <= 10), "{name}");
            for error in retry["ErrorEquals"].as_array().expect("names") {
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
    let functions = functions();
    for (name, task) in tasks() {
        let arn = task["Arguments"]["FunctionName"].as_str().expect("a function");
        let id = arn.trim_start_matches("${").trim_end_matches("Arn}");
        let own = functions[id]["Properties"]["Timeout"].as_u64().unwrap_or(60);
        // The clean-up asks a function that may check for 15 minutes, but does not check.
        let bound = task["TimeoutSeconds"].as_u64().expect("a timeout");
        assert!(bound >= own || name.starts_with("CleanUp"), "{name}: {bound} s, its function {own} s");
    }
}

#[test]
fn every_failing_state_leads_to_a_record_or_a_named_end() {
    let ends = [
        "NotBegun",
        "LostToAnother",
        "NotRecorded",
        "RecordFailure",
        "RegionFailed",
        "WorkerFailed",
        "CleanUpUnrecorded",
        "FinishOperation",
        // A baseline that cannot be taken does not keep the snapshot from being taken.
        "CreateSnapshot",
        "BaselineNotTaken",
    ];
    for (name, task) in tasks() {
        for catch in task["Catch"].as_array().expect("a catch") {
            let next = catch["Next"].as_str().expect("a state");
            assert!(ends.contains(&next), "{name} fails to {next}");
        }
    }
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
    let mut machine = workflow();
    let (mut inner, mut outer) = (BTreeSet::new(), BTreeSet::new());
    for state in machine["States"].as_object_mut().expect("States").values_mut() {
        if let Some(processor) = state.as_object_mut().expect("a state").remove("ItemProcessor") {
            assigned(&processor, &mut inner);
        }
    }
    assigned(&machine, &mut outer);
    assert!(!inner.is_empty());
    assert_eq!(inner.intersection(&outer).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_error_has_a_page_and_every_page_an_error() {
    let pages: BTreeSet<String> = std::fs::read_dir(project("docs/errors"))
        .expect("docs/errors")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".md").to_owned())
        .filter(|name| name != "README")
        .collect();
    let names: BTreeSet<String> = ErrorKind::ALL.iter().map(|kind| kind.short_name().to_owned()).collect();
    assert_eq!(pages, names);
}

#[test]
fn settings_that_functions_read_are_settings_that_the_template_gives() {
    // From the runtime, or only for the local stack and other clouds' endpoints.
    let elsewhere = [
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_RDS",
        "AWS_CA_BUNDLE",
        "HOLDFAST_RDS_CA_FILE",
        "HOLDFAST_VERIFY_BUDGET_SECONDS",
    ];
    let template = template();
    let variables = |block: &Yaml| -> BTreeSet<String> {
        block["Environment"]["Variables"]
            .as_mapping()
            .into_iter()
            .flatten()
            .map(|(key, _)| text_without_tags(key))
            .collect()
    };
    let global = variables(&template["Globals"]["Function"]);
    let shared = read("crates/aws/src/config.rs") + &read("crates/lambda/src/lib.rs");
    let mut read_somewhere = BTreeSet::new();
    for (id, function) in functions() {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a binary").to_owned();
        let given: BTreeSet<String> = global.union(&variables(&function["Properties"])).cloned().collect();
        let wanted: BTreeSet<String> = (sources_of(&binary) + &shared)
            .split('"')
            .filter(|text| {
                ["DR_", "HOLDFAST_", "AWS_"].iter().any(|prefix| text.starts_with(prefix))
                    && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            })
            .map(str::to_owned)
            .collect();
        for name in &wanted {
            assert!(
                given.contains(name) || elsewhere.contains(&name.as_str()),
                "{id} reads {name}; nobody gives it"
            );
        }
        read_somewhere.extend(wanted);
        for name in variables(&function["Properties"]) {
            assert!(read_somewhere.contains(&name), "{id} is given {name} and does not read it");
        }
    }
    for name in global {
        assert!(read_somewhere.contains(&name), "{name} is given to all and read by none");
    }
}

/// The RDS, KMS, S3, DynamoDB and Step Functions calls that each function's code can make, by binary. The
/// adapters' methods are the words; a whole-stack run with IAM enforced shows that none is missing.
const CALLS: [(&str, &str); 23] = [
    ("rds.instance(", "rds:DescribeDBInstances"),
    ("rds.temporary_instances(", "rds:DescribeDBInstances"),
    ("rds.snapshot(", "rds:DescribeDBSnapshots"),
    ("rds.copies_in_flight(", "rds:DescribeDBSnapshots"),
    ("rds.snapshot_quota(", "rds:DescribeAccountAttributes"),
    ("rds.create_snapshot(", "rds:CreateDBSnapshot"),
    ("rds.copy_snapshot(", "rds:CopyDBSnapshot"),
    ("rds.tag_snapshot(", "rds:AddTagsToResource"),
    ("rds.tag_instance(", "rds:AddTagsToResource"),
    ("rds.ensure_parameter_group(", "rds:ModifyDBParameterGroup"),
    ("rds.restore(", "rds:RestoreDBInstanceFromDBSnapshot"),
    ("rds.take_over_instance(", "rds:ModifyDBInstance"),
    ("rds.delete_instance(", "rds:DeleteDBInstance"),
    ("keys.key(", "kms:DescribeKey"),
    ("keys.require_permission(", "kms:GenerateDataKeyWithoutPlaintext"),
    ("keys.derive_password(", "kms:GenerateMac"),
    ("logins.secret(", "secretsmanager:GetSecretValue"),
    ("logins.iam_token(", "rds-db:connect"),
    ("store.replace(", "dynamodb:PutItem"),
    ("store.latest_valid(", "dynamodb:Query"),
    ("documents.put(", "s3:PutObject"),
    ("documents.create(", "s3:PutObject"),
    ("executions.is_running(", "states:DescribeExecution"),
];

#[test]
fn each_function_may_do_what_its_code_does_and_no_other_of_these() {
    for (id, function) in functions() {
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a binary").to_owned();
        // Line breaks before a method are the formatter's.
        let code: String = sources_of(&binary).split_whitespace().collect::<String>();
        let policies = function["Properties"]["Policies"].as_sequence().expect("policies");
        let allowed: BTreeSet<String> = policies
            .iter()
            .flat_map(|policy| policy["Statement"].as_sequence().expect("statements"))
            .flat_map(|statement| list(&statement["Action"]))
            .collect();
        assert!(allowed.iter().all(|action| !action.contains('*')), "{id} may do everything of some kind");
        for action in CALLS.iter().map(|(_, action)| *action).collect::<BTreeSet<_>>() {
            let called = CALLS.iter().any(|(method, named)| *named == action && code.contains(method));
            // Tags at creation, and what RDS asks of KMS in the caller's name, come with other calls.
            let implied = matches!(action, "rds:AddTagsToResource" | "kms:DescribeKey");
            if called || !implied {
                assert_eq!(allowed.contains(action), called, "{id}: {action}");
            }
        }
    }
}

#[test]
fn destructive_actions_are_bound_to_the_temporary_tag_and_name() {
    for (id, function) in functions() {
        let policies = function["Properties"]["Policies"].as_sequence().expect("policies");
        for statement in
            policies.iter().flat_map(|policy| policy["Statement"].as_sequence().expect("statements"))
        {
            let actions = list(&statement["Action"]);
            if !actions.iter().any(|action| action.contains("Delete") || action == "rds:ModifyDBInstance") {
                continue;
            }
            let tag = &statement["Condition"]["StringEquals"]["aws:ResourceTag/holdfast:temporary"];
            assert_eq!(text_without_tags(tag), "validation", "{id}: {actions:?}");
            assert!(
                list(&statement["Resource"]).iter().all(|arn| arn.ends_with(":db:hfv-*")),
                "{id}: {actions:?}"
            );
        }
    }
}

#[test]
fn the_samples_for_the_console_are_valid_inputs() {
    let defaults = Defaults { region: Region::parse("us-east-1").expect("a Region"), target_regions: vec![] };
    let mut count = 0;
    for entry in std::fs::read_dir(project("stepfunctions/examples")).expect("examples").flatten() {
        let sample: Value = serde_json::from_str(&std::fs::read_to_string(entry.path()).expect("a sample"))
            .unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
        BackupRequest::parse(&sample, "2026-11-20T06:00:00Z", &defaults)
            .unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
        count += 1;
    }
    assert!(count >= 2, "only {count} samples");
}

#[test]
fn the_schedules_input_is_valid_once_aws_has_filled_in_its_time() {
    // EventBridge Scheduler User Guide, "Adding context attributes": <aws.scheduler.scheduled-time>.
    let input =
        text_without_tags(&template()["Resources"]["BackupSchedule"]["Properties"]["Target"]["Input"]);
    assert!(input.contains("<aws.scheduler.scheduled-time>"), "{input}");
    let filled = input
        .replace("<aws.scheduler.scheduled-time>", "2026-11-20T06:00:00Z")
        .replace("${DatabaseId}", "prod-db");
    let filled: Value = serde_json::from_str(&filled).expect("JSON");
    let defaults = Defaults { region: Region::parse("us-east-1").expect("a Region"), target_regions: vec![] };
    let request = BackupRequest::parse(&filled, "not used", &defaults).expect("a valid input");
    assert_eq!(request.run_id.as_str(), "2026-11-20T06:00:00Z");
}

#[test]
fn the_table_is_what_was_promised() {
    let template = template();
    let table = &template["Resources"]["StateTable"]["Properties"];
    assert_eq!(template["Parameters"]["StateTableName"]["Default"], "DisasterRecoveryState");
    assert_eq!(table["KeySchema"][0]["AttributeName"], "operationId");
    let indexes: Vec<&str> = table["GlobalSecondaryIndexes"]
        .as_sequence()
        .expect("indexes")
        .iter()
        .map(|index| index["IndexName"].as_str().expect("a name"))
        .collect();
    assert_eq!(indexes, ["TypeStatusIndex", holdfast_aws::dynamodb::DATABASE_INDEX]);
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], "expiresAt");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert!(table["StreamSpecification"]["StreamViewType"].is_string());
}
