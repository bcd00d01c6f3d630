//! How following ended, and how that is told.

use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::ids::OperationId;
use serde_json::Value;

use super::Output;
use crate::{
    Error, exit, follow, history,
    ops::execution::{Execution, State},
    paint::Paint,
    render::{self, Around},
    summary::Summary,
};

/// How following ended.
#[derive(Debug)]
pub enum Outcome {
    /// The operation ended, and this is its summary.
    Ended {
        /// The summary as JSON.
        json: Value,
        /// The summary, read.
        summary: Box<Summary>,
        /// States the execution entered.
        transitions: u64,
    },
    /// The execution ended without leaving a summary.
    NoSummary {
        /// The error's name.
        error: String,
        /// Its cause.
        cause: String,
        /// The operation, when it had begun.
        left: Option<Box<Left>>,
    },
    /// Nobody follows it any more, and it goes on.
    Detached {
        /// The execution that works on it.
        execution: String,
        /// The operation, if it is known.
        operation_id: Option<String>,
        /// What AWS answered for some minutes; `None` when it was Ctrl-C.
        why: Option<Error>,
    },
}

impl Outcome {
    /// The same of an operation that is known to be this, whether its execution had named it or not.
    #[must_use]
    pub fn of(self, operation: Option<&OperationId>) -> Outcome {
        match self {
            Outcome::Detached { execution, operation_id, why } => Outcome::Detached {
                execution,
                operation_id: operation_id.or_else(|| operation.map(ToString::to_string)),
                why,
            },
            Outcome::Ended { .. } | Outcome::NoSummary { .. } => self,
        }
    }
}

/// An operation that has not ended, though the execution that was followed has.
#[derive(Debug)]
pub struct Left {
    /// Its id.
    pub operation_id: String,
    /// Its phase.
    pub status: String,
    /// The execution that its record names now.
    pub execution: Execution,
}

/// What an execution ended with. `recorded`: the summary in the record.
pub(super) fn of(ended: follow::Ended, recorded: Option<Value>, left: Option<Box<Left>>) -> Outcome {
    let output = || serde_json::from_str(ended.output.as_deref()?).ok();
    let summary =
        recorded.or_else(|| if ended.status == ExecutionStatus::Succeeded { output() } else { None });
    let read = summary.and_then(|json: Value| {
        let summary: Summary = serde_json::from_value(json.clone()).ok()?;
        (!summary.operation_id.is_empty()).then_some((summary, json))
    });
    match read {
        Some((summary, json)) => {
            Outcome::Ended { json, summary: Box::new(summary), transitions: ended.view.transitions }
        }
        None => Outcome::NoSummary {
            error: ended.error.filter(|error| !error.is_empty()).unwrap_or_else(|| ended.status.to_string()),
            cause: ended.cause.unwrap_or_default(),
            left,
        },
    }
}

/// Writes how it ended; the answer is the exit code. `what` it was: a backup, a restore.
pub fn report(outcome: &Outcome, what: &str, execution: &str, table: &str, output: Output) -> u8 {
    match outcome {
        Outcome::Ended { json, summary, transitions } => {
            match output {
                Output::Table => {
                    let around = Around { state_transitions: Some(*transitions), table: table.to_owned() };
                    print!("\n{}", render::summary(summary, &around, Paint::for_stdout()));
                }
                Output::Json => println!("{json:#}"),
            }
            exit::of_status(summary.status)
        }
        Outcome::NoSummary { error, cause, left } => {
            if output == Output::Json {
                println!("{:#}", no_summary_json(execution, error, cause, left.as_deref()));
            }
            eprintln!("\n{}", no_summary(what, execution, &history::in_words(error, cause), left.as_deref()));
            exit::FAILED
        }
        Outcome::Detached { execution, operation_id, why } => {
            let why = why.as_ref().map(ToString::to_string);
            if output == Output::Json {
                let json = serde_json::json!({"executionArn": execution, "operationId": operation_id,
                    "detached": why.as_deref().unwrap_or("Ctrl-C")});
                println!("{json:#}");
            }
            eprintln!("\n{}", detached(what, execution, operation_id.as_deref(), why.as_deref()));
            exit::DETACHED
        }
    }
}

/// That nobody follows it any more, and how to come back. `why`: what AWS answered, when it was not Ctrl-C.
pub(super) fn detached(what: &str, execution: &str, operation_id: Option<&str>, why: Option<&str>) -> String {
    let standing = match why {
        None => format!("Detached; the {what} goes on."),
        Some(why) => {
            format!("Detached, for AWS does not answer: {why}\nThe {what} goes on, as far as is known.")
        }
    };
    let back = match operation_id {
        Some(id) => format!("holdfast ops wait {id}"),
        None => by_hand(execution),
    };
    format!("{standing}\nExecution: {execution}\nCome back with: {back}")
}

/// How an execution that no verb takes is looked at: what it ends with is its output.
pub(crate) fn by_hand(execution: &str) -> String {
    let region = execution.split(':').nth(3).unwrap_or_default();
    format!("aws stepfunctions describe-execution --region {region} --execution-arn {execution}")
}

fn no_summary_json(execution: &str, error: &str, cause: &str, left: Option<&Left>) -> Value {
    let mut json = serde_json::json!({"executionArn": execution, "error": error, "cause": cause});
    if let Some(left) = left {
        json["operationId"] = serde_json::json!(left.operation_id);
        json["status"] = serde_json::json!(left.status);
        json["execution"] = left.execution.json();
    }
    json
}

/// An execution that ended without an end of its operation: that one waits for somebody, or another goes on with it.
fn no_summary(what: &str, execution: &str, said: &str, left: Option<&Left>) -> String {
    let Some(left) = left else { return format!("The {what} failed: {said}\nExecution: {execution}") };
    let now = &left.execution;
    let standing = match now.state {
        State::Running => "another execution works on it".to_owned(),
        State::Ended(_) | State::Gone | State::Unknown(_) => now.sentence(),
    };
    format!(
        "The execution ended before the {what} did: {said}\nExecution: {execution}\nThe {what} has not ended ({}), and {standing}.\n{}",
        render::words(&left.status),
        now.next(&left.operation_id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::execution;

    #[test]
    fn an_execution_that_ended_early_says_how_to_go_on_with_its_operation() {
        let left = |state| Left {
            operation_id: "op-1".to_owned(),
            status: "RESTORING".to_owned(),
            execution: Execution { arn: "arn".to_owned(), state },
        };
        let said = |left: Option<&Left>| no_summary("restore", "arn", "ABORTED", left);
        assert_eq!(said(None), "The restore failed: ABORTED\nExecution: arn");
        let how = execution::How { status: "ABORTED", since: None, cause: None };
        let dead = left(State::Ended(how));
        assert_eq!(
            said(Some(&dead)),
            "The execution ended before the restore did: ABORTED\nExecution: arn\nThe restore has not ended (restoring), and \
             nobody works on it: its execution ended ABORTED.\nGo on with: holdfast ops resume op-1"
        );
        let json = no_summary_json("arn", "ABORTED", "", Some(&dead));
        assert_eq!((&json["operationId"], &json["execution"]["status"]), (&"op-1".into(), &"ABORTED".into()));
        let other = said(Some(&left(State::Running)));
        assert!(
            other.contains("another execution works on it") && other.contains("ops wait op-1"),
            "{other}"
        );
    }

    #[test]
    fn who_leaves_is_told_the_way_back() {
        // Without an operation, what AWS itself says of the execution is the way back.
        let execution = "arn:a:states:us-east-1:1:execution:x:y";
        let said = detached("validation", execution, None, None);
        assert!(
            said.ends_with(
                "describe-execution --region us-east-1 --execution-arn arn:a:states:us-east-1:1:execution:x:y"
            ),
            "{said}"
        );
    }
}
