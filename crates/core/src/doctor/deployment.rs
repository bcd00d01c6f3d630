//! Workflows and functions.

use super::{At, Check, Facts, Notes};

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    if facts.looks_at_home() {
        let at = At { check: Check::Deployment, region: &facts.home };
        match &facts.backup_machine_there {
            Err(error) => notes.unknown(at, &facts.backup_machine, error),
            Ok(true) => notes.good(at, &facts.backup_machine, "active"),
            Ok(false) => notes.fails(
                at,
                &facts.backup_machine,
                "no backup can be started: the state machine is not there, or is being deleted",
                "deploy the stack (make deploy), or correct HOLDFAST_BACKUP_STATE_MACHINE_ARN",
            ),
        }
        for function in &facts.functions {
            match &function.problem {
                Err(error) => notes.unknown(at, &function.name, error),
                Ok(None) => notes.good(at, &function.name, "active"),
                Ok(Some(problem)) => notes.fails(
                    at,
                    &function.name,
                    format!("the next backup fails: the function {problem}"),
                    "deploy the stack again (make deploy)",
                ),
            }
        }
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
