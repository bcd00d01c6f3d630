//! Reading workflows, templates and sources.

use holdfast_tests::files::{project, read};
use serde_json::Value;
use serde_yaml_ng::Value as Yaml;
use std::collections::{BTreeMap, BTreeSet};

/// Where each workflow is, and the state machine of the templates that it is the definition of.
pub const WORKFLOWS: [(&str, &str); 4] = [
    ("stepfunctions/backup-orchestration.asl.json", "BackupStateMachine"),
    ("stepfunctions/backup-validation.asl.json", "BackupValidationStateMachine"),
    ("stepfunctions/restore-database.asl.json", "RestoreStateMachine"),
    ("stepfunctions/backup-replication.asl.json", "ReplicationStateMachine"),
];

/// What is deployed beside the databases, and in each Region that backups are copied to.
pub const TEMPLATES: [&str; 2] = ["template.yaml", "infra/region.yaml"];

pub fn workflow(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn template(path: &str) -> Yaml {
    serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every state of a workflow with its name, those inside Maps included.
pub fn states(machine: &Value) -> Vec<(String, Value)> {
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
pub fn tasks() -> Vec<(&'static str, String, Value)> {
    let of = |path: &'static str| {
        states(&workflow(path)).into_iter().map(move |(name, state)| (path, name, state))
    };
    WORKFLOWS.iter().flat_map(|(path, _)| of(path)).filter(|(_, _, state)| state["Type"] == "Task").collect()
}

/// The resources of a template: logical id to its block.
pub fn resources(path: &str) -> BTreeMap<String, Yaml> {
    let template = template(path);
    let resources = template["Resources"].as_mapping().expect("Resources");
    resources.iter().map(|(id, block)| (id.as_str().expect("a name").to_owned(), block.clone())).collect()
}

/// The functions of a template: logical id to its block.
pub fn functions(path: &str) -> BTreeMap<String, Yaml> {
    let mut found = resources(path);
    found.retain(|_, block| block["Type"] == "AWS::Serverless::Function");
    found
}

/// The functions of both templates, with the path of the template.
pub fn all_functions() -> Vec<(&'static str, String, Yaml)> {
    TEMPLATES
        .into_iter()
        .flat_map(|path| functions(path).into_iter().map(move |(id, block)| (path, id, block)))
        .collect()
}

pub fn binary(function: &Yaml) -> String {
    function["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a binary").to_owned()
}

/// The names between `${` and `}`.
pub fn placeholders(text: &str) -> BTreeSet<String> {
    text.split("${").skip(1).map(|rest| rest.split('}').next().expect("a brace").to_owned()).collect()
}

pub fn sources_of(binary: &str) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(project(&format!("functions/{binary}/src"))).expect("sources").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(entry.path()).expect("a source"));
        }
    }
    text
}

pub fn text_without_tags(value: &Yaml) -> String {
    match value {
        Yaml::Tagged(tagged) => text_without_tags(&tagged.value),
        Yaml::String(text) => text.clone(),
        other => serde_yaml_ng::to_string(other).unwrap_or_default(),
    }
}

pub fn list(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Sequence(items) => items.iter().map(text_without_tags).collect(),
        Yaml::Null => vec![],
        one => vec![text_without_tags(one)],
    }
}

/// The policy that all functions of `template.yaml` have beside their own.
pub const SHARED: &str = "ShareBreakers";

/// What a function or a state machine may do of its own.
pub fn statements(block: &Yaml) -> Vec<Yaml> {
    let policies = block["Properties"]["Policies"].as_sequence().expect("policies");
    policies
        .iter()
        .filter(|policy| text_without_tags(policy) != SHARED)
        .flat_map(|policy| policy["Statement"].as_sequence().expect("statements"))
        .cloned()
        .collect()
}
