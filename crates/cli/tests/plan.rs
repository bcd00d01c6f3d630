//! `holdfast plan` as somebody calls it, as far as it asks AWS nothing.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Exit code, what it printed, what it complained of.
fn plan(arguments: &[&str], region: Option<&str>) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.arg("plan").args(arguments).env_remove("AWS_REGION");
    if let Some(region) = region {
        command.env("AWS_REGION", region);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_schema_that_it_prints_is_the_file_of_the_documentation() {
    let (code, printed, _) = plan(&["schema"], None);
    assert_eq!((code, printed), (0, std::fs::read_to_string(project("docs/holdfast.schema.json")).unwrap()));
}

#[test]
fn the_example_is_shown_and_a_refused_file_is_told_line_by_line() {
    let example = project("docs/examples/holdfast.yaml");
    let example = example.to_str().unwrap();
    let (code, printed, said) = plan(&["show", example], Some("us-east-1"));
    assert_eq!(code, 0, "{said}");
    assert!(
        printed.contains("prod-db  (production, critical)\n  Objectives   RTO 30 min, RPO 5 min\n"),
        "{printed}"
    );
    let (code, printed, _) = plan(&["show", example, "--output", "json"], None);
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, json["databases"].as_array().unwrap().len()), (0, 3));

    // The Region of the databases is no target; where it is not known, nothing is refused for it.
    let (code, _, said) = plan(&["show", example], Some("eu-west-1"));
    assert_eq!(code, 2);
    let fault =
        "holdfast.yaml:43:17: databases[0].targets[1]: eu-west-1 is the Region of the databases themselves";
    assert!(said.starts_with("holdfast: the plan is refused:\n") && said.contains(fault), "{said}");

    let (code, _, said) = plan(&["show", "no-such-file.yaml"], None);
    assert!(code == 2 && said.contains("no-such-file.yaml: "), "{said}");
}
