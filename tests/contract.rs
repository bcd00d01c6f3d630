//! Contracts: workflows, templates, error pages, samples and code say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use holdfast_core::ErrorKind;
use holdfast_core::ids::Region;
use holdfast_core::request::{BackupRequest, Defaults, ReplicationRequest, RestoreRequest};
use holdfast_core::retention::Policy;
use holdfast_tests::files::{project, read};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;

/// Where each workflow is, and the state machine of the templates that it is the definition of.
const WORKFLOWS: [(&str, &str); 4] = [
    ("stepfunctions/backup-orchestration.asl.json", "BackupStateMachine"),
    ("stepfunctions/backup-validation.asl.json", "BackupValidationStateMachine"),
    ("stepfunctions/restore-database.asl.json", "RestoreStateMachine"),
    ("stepfunctions/backup-replication.asl.json", "ReplicationStateMachine"),
];

/// What is deployed beside the databases, and in each Region that backups are copied to.
const TEMPLATES: [&str; 2] = ["template.yaml", "infra/region.yaml"];

fn workflow(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn template(path: &str) -> Yaml {
    serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every state of a workflow with its name, those inside Maps included.
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

/// Every task of both workflows: the workflow's path, the state's name, the state.
fn tasks() -> Vec<(&'static str, String, Value)> {
    let of = |path: &'static str| {
        states(&workflow(path)).into_iter().map(move |(name, state)| (path, name, state))
    };
    WORKFLOWS.iter().flat_map(|(path, _)| of(path)).filter(|(_, _, state)| state["Type"] == "Task").collect()
}

/// The resources of a template: logical id to its block.
fn resources(path: &str) -> BTreeMap<String, Yaml> {
    let template = template(path);
    let resources = template["Resources"].as_mapping().expect("Resources");
    resources.iter().map(|(id, block)| (id.as_str().expect("a name").to_owned(), block.clone())).collect()
}

/// The functions of a template: logical id to its block.
fn functions(path: &str) -> BTreeMap<String, Yaml> {
    let mut found = resources(path);
    found.retain(|_, block| block["Type"] == "AWS::Serverless::Function");
    found
}

/// The functions of both templates, with the path of the template.
fn all_functions() -> Vec<(&'static str, String, Yaml)> {
    TEMPLATES
        .into_iter()
        .flat_map(|path| functions(path).into_iter().map(move |(id, block)| (path, id, block)))
        .collect()
}

fn binary(function: &Yaml) -> String {
    function["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a binary").to_owned()
}

/// The names between `${` and `}`.
fn placeholders(text: &str) -> BTreeSet<String> {
    text.split("${").skip(1).map(|rest| rest.split('}').next().expect("a brace").to_owned()).collect()
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

/// The policy that all functions of `template.yaml` have beside their own.
const SHARED: &str = "ShareBreakers";

/// What a function or a state machine may do of its own.
fn statements(block: &Yaml) -> Vec<Yaml> {
    let policies = block["Properties"]["Policies"].as_sequence().expect("policies");
    policies
        .iter()
        .filter(|policy| text_without_tags(policy) != SHARED)
        .flat_map(|policy| policy["Statement"].as_sequence().expect("statements"))
        .cloned()
        .collect()
}

#[test]
fn every_function_of_a_template_is_a_crate_and_every_crate_a_function_at_home() {
    let binaries = |path| functions(path).values().map(binary).collect::<BTreeSet<_>>();
    let crates: BTreeSet<String> = std::fs::read_dir(project("functions"))
        .expect("functions")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(binaries("template.yaml"), crates);
    let there = binaries("infra/region.yaml");
    assert!(!there.is_empty() && there.is_subset(&crates), "{there:?}");
}

#[test]
fn what_both_templates_have_is_the_same_in_both() {
    /// The resources, with paths as they are found from the template's own folder; a Region's bucket is known by name.
    fn comparable(path: &str) -> BTreeMap<String, Yaml> {
        let folder = Path::new(path).parent().expect("a folder");
        let mut found = resources(path);
        for (id, block) in &mut found {
            let properties = block["Properties"].as_mapping_mut().expect("properties");
            for place in ["CodeUri", "DefinitionUri"] {
                if let Some(there) = properties.get_mut(place) {
                    let real = project(&folder.join(text_without_tags(there)).to_string_lossy());
                    let real = real.canonicalize().unwrap_or_else(|error| panic!("{id}: {place}: {error}"));
                    *there = Yaml::String(real.to_string_lossy().into_owned());
                }
            }
            if id == "MetadataBucket" {
                properties.remove("BucketName");
            }
            // The state table is at home.
            if let Some(Yaml::Sequence(policies)) = properties.get_mut("Policies") {
                policies.retain(|policy| text_without_tags(policy) != SHARED);
            }
        }
        found
    }
    let home = comparable("template.yaml");
    let only_there: BTreeSet<String> = comparable("infra/region.yaml")
        .into_iter()
        .filter_map(|(id, block)| match home.get(&id) {
            Some(same) => {
                assert_eq!(same, &block, "{id} is not the same in both templates");
                None
            }
            None => Some(id),
        })
        .collect();
    assert_eq!(only_there, BTreeSet::from(["CopyKey".to_owned(), "CopyKeyAlias".to_owned()]));
    let (home, there) = (template("template.yaml"), template("infra/region.yaml"));
    for key in ["Runtime", "Architectures", "Handler", "Timeout", "MemorySize", "LoggingConfig"] {
        assert_eq!(
            home["Globals"]["Function"][key], there["Globals"]["Function"][key],
            "{key} of all functions"
        );
    }
    for (name, parameter) in there["Parameters"].as_mapping().expect("parameters") {
        let same = &home["Parameters"][name];
        if !same.is_null() {
            assert_eq!(same["Default"], parameter["Default"], "{name:?}");
            assert_eq!(same["AllowedPattern"], parameter["AllowedPattern"], "{name:?}");
        }
    }
}

#[test]
fn what_the_home_region_calls_another_regions_things_is_what_they_are_called_there() {
    let replicate = &functions("template.yaml")["ReplicateToRegionFunction"]["Properties"];
    let given = |name: &str| text_without_tags(&replicate["Environment"]["Variables"][name]);
    let there = resources("infra/region.yaml");
    let bucket = text_without_tags(&there["MetadataBucket"]["Properties"]["BucketName"]);
    assert_eq!(given("HOLDFAST_REGION_BUCKET"), bucket.replace("${AWS::Region}", "{region}"));
    let machine = text_without_tags(&there["BackupValidationStateMachine"]["Properties"]["Name"]);
    assert_eq!(
        given("HOLDFAST_REGION_VALIDATION_ARN"),
        format!("arn:${{AWS::Partition}}:states:{{region}}:${{AWS::AccountId}}:stateMachine:${{{machine}}}")
    );
}

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
fn settings_that_functions_read_are_settings_that_the_templates_give() {
    // From the runtime, or only for the local stack and other clouds' endpoints.
    let elsewhere = [
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_RDS",
        "AWS_CA_BUNDLE",
        "HOLDFAST_RDS_CA_FILE",
        "HOLDFAST_VERIFY_BUDGET_SECONDS",
        "HOLDFAST_BREAKER_OPEN_SECONDS",
        "HOLDFAST_BREAKER_LONGEST_SECONDS",
    ];
    // The state table is at home: elsewhere a process has breakers of its own.
    let only_at_home = "DR_STATE_TABLE_NAME";
    let variables = |block: &Yaml| -> BTreeSet<String> {
        block["Environment"]["Variables"]
            .as_mapping()
            .into_iter()
            .flatten()
            .map(|(key, _)| text_without_tags(key))
            .collect()
    };
    let shared = ["crates/aws/src/config.rs", "crates/aws/src/circuits.rs", "crates/lambda/src/lib.rs"]
        .map(read)
        .concat();
    for path in TEMPLATES {
        let global = variables(&template(path)["Globals"]["Function"]);
        let mut read_somewhere = BTreeSet::new();
        for (id, function) in functions(path) {
            let own = variables(&function["Properties"]);
            let wanted: BTreeSet<String> = (sources_of(&binary(&function)) + &shared)
                .split('"')
                .filter(|text| {
                    ["DR_", "HOLDFAST_", "AWS_"].iter().any(|prefix| text.starts_with(prefix))
                        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                })
                .map(str::to_owned)
                .collect();
            for name in &wanted {
                assert!(
                    own.contains(name)
                        || global.contains(name)
                        || elsewhere.contains(&name.as_str())
                        || (path != "template.yaml" && name == only_at_home),
                    "{path}: {id} reads {name}; nobody gives it"
                );
            }
            let unread: Vec<_> = own.difference(&wanted).collect();
            assert!(unread.is_empty(), "{path}: {id} is given {unread:?} and does not read it");
            read_somewhere.extend(wanted);
        }
        let unread: Vec<_> = global.difference(&read_somewhere).collect();
        assert!(unread.is_empty(), "{path}: {unread:?} is given to all and read by none");
    }
}

/// The RDS, EC2, KMS, S3, DynamoDB and Step Functions calls that each function's code can make, by binary. The
/// adapters' methods are the words; a whole-stack run with IAM enforced shows that none is missing.
const CALLS: [(&str, &str); 57] = [
    ("rds.instance(", "rds:DescribeDBInstances"),
    ("rds.temporary_instances(", "rds:DescribeDBInstances"),
    ("rds.snapshot(", "rds:DescribeDBSnapshots"),
    ("rds.copies_in_flight(", "rds:DescribeDBSnapshots"),
    ("rds.snapshot_quota(", "rds:DescribeAccountAttributes"),
    ("rds.create_snapshot(", "rds:CreateDBSnapshot"),
    ("rds.copy_snapshot(", "rds:CopyDBSnapshot"),
    ("rds.manual_snapshots(", "rds:DescribeDBSnapshots"),
    ("rds.delete_snapshot(", "rds:DeleteDBSnapshot"),
    ("rds.tag_snapshot(", "rds:AddTagsToResource"),
    ("rds.tag_instance(", "rds:AddTagsToResource"),
    ("rds.ensure_parameter_group(", "rds:ModifyDBParameterGroup"),
    ("rds.restore(", "rds:RestoreDBInstanceFromDBSnapshot"),
    ("rds.take_over_instance(", "rds:ModifyDBInstance"),
    ("rds.delete_instance(", "rds:DeleteDBInstance"),
    ("rds.blueprint(", "rds:DescribeDBInstances"),
    ("rds.restore_windows(", "rds:DescribeDBInstanceAutomatedBackups"),
    ("rds.problem_with(", "rds:DescribeDBSubnetGroups"),
    ("rds.problem_with(", "rds:DescribeOptionGroups"),
    ("rds.problem_with(", "rds:DescribeCertificates"),
    ("rds.problem_with(", "rds:DescribeOrderableDBInstanceOptions"),
    // The VPC of the subnet group, and the security groups in it.
    ("network::proven(", "rds:DescribeDBSubnetGroups"),
    ("network::proven(", "ec2:DescribeSecurityGroups"),
    ("network::proven(", "ec2:DescribeVpcs"),
    ("problem_with_key(ports.keys", "kms:DescribeKey"),
    ("problem_with_role(", "iam:GetRole"),
    // Enhanced Monitoring's, when it is set on what was restored.
    ("rds.settle(", "iam:PassRole"),
    ("rds.restore_database(", "rds:RestoreDBInstanceFromDBSnapshot"),
    ("rds.restore_database(", "rds:RestoreDBInstanceToPointInTime"),
    ("rds.settle(", "rds:ModifyDBInstance"),
    ("rds.rename(", "rds:ModifyDBInstance"),
    ("rds.stop(", "rds:StopDBInstance"),
    ("dns.record(", "route53:ListResourceRecordSets"),
    ("dns.point(", "route53:ChangeResourceRecordSets"),
    ("secrets.current(", "secretsmanager:GetSecretValue"),
    ("secrets.put(", "secretsmanager:PutSecretValue"),
    ("secrets.make_current(", "secretsmanager:UpdateSecretVersionStage"),
    ("credentials(logins", "secretsmanager:GetSecretValue"),
    ("credentials(ports.logins", "secretsmanager:GetSecretValue"),
    ("credentials(logins", "rds-db:connect"),
    ("credentials(ports.logins", "rds-db:connect"),
    ("keys.key(", "kms:DescribeKey"),
    ("keys.require_permission(", "kms:GenerateDataKeyWithoutPlaintext"),
    ("keys.derive_password(", "kms:GenerateMac"),
    ("store.replace(", "dynamodb:PutItem"),
    ("store.get(", "dynamodb:GetItem"),
    ("store.latest_valid(", "dynamodb:Query"),
    ("store.unended(", "dynamodb:Query"),
    ("documents.get(", "s3:GetObject"),
    // Without it, S3 calls a missing object forbidden.
    ("documents.get(", "s3:ListBucket"),
    ("documents.keys(", "s3:ListBucket"),
    ("documents.put(", "s3:PutObject"),
    ("documents.create(", "s3:PutObject"),
    ("executions.is_running(", "states:DescribeExecution"),
    ("regions.put_document(", "s3:PutObject"),
    ("regions.start_validation(", "states:StartExecution"),
    ("regions.execution(", "states:DescribeExecution"),
];

#[test]
fn each_function_may_do_what_its_code_does_and_no_other_of_these() {
    for (path, id, function) in all_functions() {
        let id = format!("{path}: {id}");
        // Line breaks before a method are the formatter's.
        let code: String = sources_of(&binary(&function)).split_whitespace().collect::<String>();
        let allowed: BTreeSet<String> =
            statements(&function).iter().flat_map(|statement| list(&statement["Action"])).collect();
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
fn every_function_at_home_shares_the_breakers_and_may_touch_no_other_item() {
    for (id, function) in functions("template.yaml") {
        let policies = function["Properties"]["Policies"].as_sequence().expect("policies");
        assert!(policies.iter().any(|policy| text_without_tags(policy) == SHARED), "{id}");
    }
    let shared = &template("template.yaml")["Resources"][SHARED]["Properties"]["PolicyDocument"]["Statement"];
    let [statement] = shared.as_sequence().expect("statements").as_slice() else { panic!("one statement") };
    assert_eq!(list(&statement["Action"]), ["dynamodb:GetItem", "dynamodb:UpdateItem"]);
    let keys = &statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
    assert_eq!(list(keys), [holdfast_aws::dynamodb::BREAKERS_ITEM]);
}

#[test]
fn destructive_actions_are_bound_to_tags_and_names() {
    let mut pruning = 0;
    for (path, id, function) in all_functions() {
        let id = format!("{path}: {id}");
        for statement in statements(&function) {
            let actions = list(&statement["Action"]);
            if !actions.iter().any(|action| action.contains("Delete") || action == "rds:ModifyDBInstance") {
                continue;
            }
            if id.ends_with(": RestoreDatabaseFunction") {
                // It deletes nothing, and changes what an operation of Holdfast's has made and nothing else.
                assert_eq!(actions, ["rds:ModifyDBInstance"], "{id}");
                let tag = &statement["Condition"]["Null"]["aws:ResourceTag/holdfast:operation"];
                assert_eq!(text_without_tags(tag), "false", "{id}: {actions:?}");
                continue;
            }
            if id.ends_with(": SwapDatabaseFunction") {
                // What it renames is production itself: it deletes nothing, and whoever deploys says which it may.
                assert_eq!(actions, ["rds:ModifyDBInstance", "rds:StopDBInstance"], "{id}");
                assert!(
                    list(&statement["Resource"]).iter().all(|arn| arn.ends_with(":db:${SwapDatabases}")),
                    "{id}"
                );
                continue;
            }
            if actions == ["rds:DeleteDBSnapshot"] {
                // Only what an operation made, and never what somebody holds.
                let tags = &statement["Condition"]["Null"];
                for (tag, missing) in [("holdfast:operation", "false"), ("holdfast:hold", "true")] {
                    assert_eq!(text_without_tags(&tags[format!("aws:ResourceTag/{tag}")]), missing, "{id}");
                }
                let arns = list(&statement["Resource"]);
                assert!(arns.iter().all(|arn| arn.ends_with(":snapshot:holdfast-*")), "{id}: {arns:?}");
                assert_eq!(binary(&function), "prune-backups", "{id}");
                pruning += 1;
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
    assert_eq!(pruning, 1, "one function deletes snapshots");
}

#[test]
fn the_samples_for_the_console_are_valid_inputs() {
    let defaults = Defaults { region: Region::parse("us-east-1").expect("a Region"), target_regions: vec![] };
    let mut count = 0;
    for entry in std::fs::read_dir(project("stepfunctions/examples")).expect("examples").flatten() {
        let sample: Value = serde_json::from_str(&std::fs::read_to_string(entry.path()).expect("a sample"))
            .unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
        let started = "2026-11-20T06:00:00Z";
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let read = if name.starts_with("restore-") {
            RestoreRequest::parse(&sample, started, &defaults.region).map(drop)
        } else if name.starts_with("replicate-") {
            ReplicationRequest::parse(&sample, started, &defaults).map(drop)
        } else {
            BackupRequest::parse(&sample, started, &defaults).map(drop)
        };
        read.unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
        count += 1;
    }
    assert!(count >= 2, "only {count} samples");
}

#[test]
fn the_schedules_input_is_valid_once_aws_has_filled_in_its_time() {
    // EventBridge Scheduler User Guide, "Adding context attributes": <aws.scheduler.scheduled-time>.
    let input = text_without_tags(
        &template("template.yaml")["Resources"]["BackupSchedule"]["Properties"]["Target"]["Input"],
    );
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
fn the_rules_of_retention_that_are_deployed_are_the_ones_of_the_code() {
    let parameters = &template("template.yaml")["Parameters"];
    let policy = Policy::default();
    for (name, rule) in [
        ("KeepDaily", policy.daily),
        ("KeepWeekly", policy.weekly),
        ("KeepMonthly", policy.monthly),
        ("KeepYearly", policy.yearly),
        ("KeepAtLeast", policy.minimum),
        ("InspectionDays", policy.inspection_days),
    ] {
        assert_eq!(parameters[name]["Default"].as_u64(), Some(rule.into()), "{name}");
        let most = parameters[name]["MaxValue"].as_u64().expect("a bound");
        let field = match name {
            "KeepAtLeast" => "minimum".to_owned(),
            "InspectionDays" => "inspectionDays".to_owned(),
            _ => name.trim_start_matches("Keep").to_lowercase(),
        };
        assert!(policy.changed_by(&serde_json::json!({ field.clone(): most })).is_ok(), "{name}");
        assert!(policy.changed_by(&serde_json::json!({ field: most + 1 })).is_err(), "{name}");
    }
    // Nobody's backups are deleted before somebody has looked at a plan.
    assert_eq!(parameters["PruneBackups"]["Default"], "plan");
}

#[test]
fn the_table_is_what_was_promised() {
    let template = template("template.yaml");
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
