//! Operations that have not ended, and whether anybody works on them.

use super::{At, Check, Facts, Notes};
use crate::error::Result;

/// An operation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOperation {
    /// Its id.
    pub id: String,
    /// Where it is: `VALIDATING`.
    pub phase: String,
    /// How the execution that its record names is.
    pub worker: Result<Worker>,
}

/// How an execution is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worker {
    /// It works on the operation.
    Running,
    /// It does not: `ABORTED`, `TIMED_OUT`, `GONE`.
    Dead(String),
}

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    if !facts.looks_at_home() {
        return;
    }
    let at = At { check: Check::Operation, region: &facts.home };
    let subject = facts.database.as_str();
    let operations = match &facts.operations {
        Err(error) => return notes.unknown(at, subject, error),
        Ok(operations) => operations,
    };
    let mut goes_on = true;
    for OpenOperation { id, phase, worker } in operations {
        match worker {
            Ok(Worker::Running) => {}
            Ok(Worker::Dead(how)) => {
                goes_on = false;
                notes.warns(
                    at,
                    id,
                    format!(
                        "nobody works on it: it is {phase}, and its execution is {how}; what it has made stays, and no backup that it \
                         may use is pruned"
                    ),
                    format!("holdfast ops resume {id} goes on with it, holdfast ops cancel {id} ends it"),
                );
            }
            Err(error) => {
                goes_on = false;
                notes.unknown(at, id, error);
            }
        }
    }
    if goes_on {
        notes.good(at, subject, format!("{} going on, none of them dead", operations.len()));
    }
}
