//! The command itself: what it writes about itself.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn holdfast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdfast")).args(arguments).output().unwrap()
}

#[test]
fn every_shell_completes_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = holdfast(&["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{shell}");
        for word in ["restore", "restore-time", "prune", "resume"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(holdfast(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("man/man1");
    let output = holdfast(&["man", there.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    for page in ["holdfast", "holdfast-restore", "holdfast-ops-cancel", "holdfast-backup-report"] {
        let text = std::fs::read_to_string(there.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".TH "), "{page}");
    }
    let restore = std::fs::read_to_string(there.join("holdfast-restore.1")).unwrap();
    assert!(restore.contains("restore\\-time") && restore.contains("Exit codes"), "{restore}");
    // A folder that cannot be made is told.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = holdfast(&["man", file.join("x").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("file/x"), "{output:?}");
}

#[test]
fn what_is_misspelt_starts_nothing() {
    // Where nobody answers: whoever asks AWS fails, and not with 2.
    let refused = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(arguments)
            .args(["--yes", "--state-machine-arn", "arn:aws:states:us-east-1:123456789012:stateMachine:x"])
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "a")
            .env("AWS_SECRET_ACCESS_KEY", "b")
            .env("AWS_MAX_ATTEMPTS", "1")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let cases: &[(&[&str], &str)] = &[
        (&["restore", "prod-db", "--restore-time", "yesterday"], "--restore-time"),
        (&["restore", "prod-db", "--at", "2026-11-20"], "--at"),
        (&["restore", "prod-db", "--region", "mars-1"], "--region"),
        (&["restore", "prod-db", "--target", "prod_db"], "--target"),
        (&["restore", "prod-db", "--class", "m6g.large"], "--class"),
        (&["restore", "prod_db"], "<DATABASE>"),
        (&["pitr", "prod-db", "--time", "yesterday"], "--time"),
        (&["pitr", "prod-db", "--region", "eu-wst-1"], "--region"),
        (&["replicate", "prod-db", "--to", "eu-wst-1"], "--to"),
        (&["replicate", "prod-db", "--backup", "prod-db"], "--backup"),
        (&["replicate", "prod-db", "--copy-share", "2"], "--copy-share"),
        (&["replicate", "prod-db", "--deadline-minutes", "0"], "--deadline-minutes"),
    ];
    for (arguments, flag) in cases {
        let (code, said) = refused(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains("invalid value") && said.contains(flag), "{arguments:?}: {said}");
    }
    // The same, well-formed, is asked of AWS, where nobody is.
    let (code, said) = refused(&["replicate", "prod-db", "--to", "eu-west-1"]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn a_reader_that_had_enough_sees_no_panic() {
    // A pipe whose reader is gone before anything is written.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .args(["cost", "prices"])
        .stdout(writer)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(output.status.code(), Some(141), "{said}");
}

#[test]
fn what_changes_something_starts_nothing_when_nobody_can_agree() {
    let arn = ["--state-machine-arn", "arn:aws:states:us-east-1:123456789012:stateMachine:x"];
    let cases: &[&[&str]] = &[
        &["backup", "create", "prod-db"],
        &["validate", "prod-db-r1-0123456789"],
        &["restore", "prod-db"],
        &["pitr", "prod-db", "--latest"],
        &["replicate", "prod-db", "--to", "us-west-2"],
    ];
    let deletion: &[&str] = &["prune", "--delete", "--function", "holdfast-prune-backups"];
    let cases = cases.iter().map(|arguments| [arguments, &arn[..]].concat()).chain([deletion.to_vec()]);
    for arguments in cases {
        let output = holdfast(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("nobody is there: say --yes"), "{arguments:?}: {said}");
    }
}

#[test]
fn what_is_misspelt_is_refused_by_all_verbs_alike() {
    let arn = ["--state-machine-arn", "arn:aws:states:us-east-1:123456789012:stateMachine:x"];
    let cases: &[&[&str]] = &[
        &["backup", "create", "prod-db", "--target-region", "eu-wst-1"],
        &["backup", "create", "prod-db", "--tier", "hourly"],
        &["backup", "create", "prod-db", "--run-id", "a b"],
        &["validate", "prod-db-r1-0123456789", "--region", "eu-wst-1"],
        &["validate", "prod-db"],
        &["ops", "logs", "prod-db-r1-0123456789", "--function", "nosuch"],
    ];
    for arguments in cases {
        let mut all = arguments.to_vec();
        if arguments[0] != "ops" {
            all.extend(arn);
        }
        let output = holdfast(&all);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("invalid value"), "{arguments:?}: {said}");
    }
    let output = holdfast(&["ops", "logs", "prod-db-r1-0123456789", "--function", "nosuch"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("validate-backup"));
}
