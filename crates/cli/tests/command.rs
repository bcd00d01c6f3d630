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
