//! Workflows and functions.

use std::collections::BTreeMap;

use super::{At, Check, Facts, Notes, Severity, Workflow};
use crate::error::Result;

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    if facts.looks_at_home() {
        machines(facts, notes);
        functions(facts, notes);
    }
    for (region, found) in &facts.regions {
        let at = At { check: Check::Deployment, region };
        match &found.validation {
            None => {}
            Some((name, Err(error))) => notes.unknown(at, name, error),
            Some((name, Ok(true))) => notes.good(at, name, "active"),
            Some((name, Ok(false))) => notes.fails(
                at,
                name,
                "no copy can be proven there: the validation workflow is not there, or is being deleted",
                "deploy infra/region.yaml there (make deploy)",
            ),
        }
    }
}

fn machines(facts: &Facts, notes: &mut Notes) {
    let at = At { check: Check::Deployment, region: &facts.home };
    for workflow in Workflow::ALL {
        let (what, variable) = (workflow.as_str(), workflow.variable());
        let Some(machine) = facts.machines.get(&workflow) else {
            notes.note(
                at,
                Severity::NotChecked,
                &format!("{what} workflow"),
                "not known: nobody said which state machine it is, so neither its functions nor its roles were looked at".to_owned(),
                format!(
                    "set {variable}; or unset {}, and the outputs of the stack name all of them",
                    Workflow::Backup.variable()
                ),
            );
            continue;
        };
        match &machine.there {
            Err(error) => notes.unknown(at, &machine.arn, error),
            Ok(true) => notes.good(at, &machine.arn, "active"),
            Ok(false) => notes.fails(
                at,
                &machine.arn,
                format!("no {what} can be started: the state machine is not there, or is being deleted"),
                format!("deploy the stack (make deploy), or correct {variable}"),
            ),
        }
    }
}

/// One function may serve several workflows: it is said once, with all of them.
fn functions(facts: &Facts, notes: &mut Notes) {
    let at = At { check: Check::Deployment, region: &facts.home };
    let mut all: BTreeMap<&str, (&Result<Option<String>>, Vec<&str>)> = BTreeMap::new();
    for (workflow, machine) in &facts.machines {
        for function in &machine.functions {
            let (_, users) = all.entry(&function.name).or_insert((&function.problem, vec![]));
            users.push(workflow.as_str());
        }
    }
    for (name, (problem, users)) in all {
        match problem {
            Err(error) => notes.unknown(at, name, error),
            Ok(None) => notes.good(at, name, "active"),
            Ok(Some(problem)) => {
                let fails = if users.len() == 1 { "fails" } else { "fail" };
                notes.fails(
                    at,
                    name,
                    format!("the next {} {fails}: the function {problem}", users.join(", ")),
                    "deploy the stack again (make deploy)",
                );
            }
        }
    }
}
