//! Error pages and samples.

use holdfast_core::ErrorKind;
use holdfast_core::ids::Region;
use holdfast_core::request::{BackupRequest, Defaults, ReplicationRequest, RestoreRequest};
use holdfast_tests::files::project;
use serde_json::Value;
use std::collections::BTreeSet;

use crate::support::{template, text_without_tags};

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
