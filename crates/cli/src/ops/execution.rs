//! Whether anybody works on an operation that has not ended: what Step Functions says of the execution that its record names.
//!
//! A record is only as new as the last execution that wrote it. One that was stopped, that timed out or that failed where no
//! state catches it leaves the record in its phase, and nobody goes on with it until somebody says so (`ops resume`).

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::ProvideErrorMetadata as _;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::ExecutionStatus;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::backup::describe::{self, Record};
use crate::cloud::Cloud;
use crate::render::moment;
use crate::{Error, exit, history};

/// Records that change while they are looked at are looked at again, so often at most.
const LOOKS: usize = 5;

/// The execution that a record names, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its ARN; empty when the record names none.
    pub arn: String,
    /// What is known of it.
    pub state: State,
}

/// What is known of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It works on the operation.
    Running,
    /// It ended, and the operation did not.
    Ended(How),
    /// There is none of this name: it was deleted, or forgotten 90 days after its end (Step Functions Developer Guide, "Quotas
    /// related to state machine executions").
    Gone,
    /// Step Functions could not be asked; why.
    Unknown(String),
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct How {
    /// In the words of Step Functions: `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`.
    pub status: &'static str,
    /// When.
    pub since: Option<Timestamp>,
    /// Name and cause of its error, where it has one.
    pub cause: Option<String>,
}

/// An operation as it is now.
#[derive(Debug, Clone)]
pub enum Looked {
    /// There is no such operation.
    Missing,
    /// It has ended: the record has its summary.
    Ended(Box<Record>),
    /// It has not ended.
    Open(Box<Record>, Execution),
}

/// Reads an operation's record and, where that has not ended, asks for its execution.
///
/// An execution that is not running is believed only when the record still says the same afterwards: both end at about the
/// same time, and another execution may have taken the operation over.
///
/// # Errors
/// When the state table cannot be read. That Step Functions cannot be asked is an answer.
pub async fn look(cloud: &Cloud, operation_id: &str) -> Result<Looked, Error> {
    let mut before: Option<Execution> = None;
    for _ in 0..LOOKS {
        let Some(record) = describe::record(cloud, operation_id).await? else { return Ok(Looked::Missing) };
        if record.summary.is_some() {
            return Ok(Looked::Ended(Box::new(record)));
        }
        let owner = record.owner.as_deref().unwrap_or_default();
        if let Some(execution) = before.filter(|execution| execution.arn == owner) {
            return Ok(Looked::Open(Box::new(record), execution));
        }
        let execution = of(&cloud.sfn, owner).await;
        if !execution.is_dead() {
            return Ok(Looked::Open(Box::new(record), execution));
        }
        before = Some(execution);
    }
    Err(Error::Unreadable(format!(
        "the record of {operation_id} does not stay the same while it is looked at"
    )))
}

/// What Step Functions says of an execution.
pub async fn of(sfn: &Client, arn: &str) -> Execution {
    let state = if arn.is_empty() {
        State::Unknown("the record does not say which execution works on it".to_owned())
    } else {
        match sfn.describe_execution().execution_arn(arn).send().await {
            Ok(answer) => state(&answer),
            Err(error) if matches!(error.code(), Some("ExecutionDoesNotExist" | "InvalidArn")) => State::Gone,
            Err(error) => State::Unknown(Error::aws("DescribeExecution", &error).to_string()),
        }
    };
    Execution { arn: arn.to_owned(), state }
}

fn state(answer: &DescribeExecutionOutput) -> State {
    let status = match answer.status() {
        ExecutionStatus::Running | ExecutionStatus::PendingRedrive => return State::Running,
        ExecutionStatus::Succeeded => "SUCCEEDED",
        ExecutionStatus::Failed => "FAILED",
        ExecutionStatus::TimedOut => "TIMED_OUT",
        ExecutionStatus::Aborted => "ABORTED",
        // The enum of the SDK is open: a word of a newer Step Functions is none that this version knows.
        other => return State::Unknown(format!("Step Functions says that it is {other}")),
    };
    let since = answer
        .stop_date()
        .and_then(|time| Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok());
    // Who stops an execution may say a cause without the name of an error.
    let said = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let cause = match (said(answer.error()), said(answer.cause())) {
        (Some(error), cause) => Some(history::in_words(&error, &cause.unwrap_or_default())),
        (None, cause) => cause,
    };
    State::Ended(How { status, since, cause })
}

impl Execution {
    /// Whether it is known that it does not go on.
    pub fn is_dead(&self) -> bool {
        match self.state {
            State::Ended(_) | State::Gone => true,
            State::Running | State::Unknown(_) => false,
        }
    }

    /// One word, for programs and tables.
    pub fn word(&self) -> &'static str {
        match &self.state {
            State::Running => "RUNNING",
            State::Ended(how) => how.status,
            State::Gone => "GONE",
            State::Unknown(_) => "UNKNOWN",
        }
    }

    /// `{"arn", "status"}`, and what else is known: `since` and `cause` of its end, `why` it is not known.
    pub fn json(&self) -> Value {
        let mut json = json!({"arn": self.arn, "status": self.word()});
        match &self.state {
            State::Running | State::Gone => {}
            State::Ended(how) => {
                json["since"] = json!(how.since);
                json["cause"] = json!(how.cause);
            }
            State::Unknown(why) => json["why"] = json!(why),
        }
        json
    }

    /// What is to be said of an operation that has not ended, without a full stop.
    pub fn sentence(&self) -> String {
        match &self.state {
            State::Running => "its execution is running".to_owned(),
            State::Gone => {
                "nobody works on it: its execution is gone (Step Functions does not know it)".to_owned()
            }
            State::Unknown(why) => format!("whether anybody works on it is not known: {why}"),
            State::Ended(How { status, since, cause }) => {
                let since =
                    since.map(|since| format!(" at {}", moment(&since.to_string()))).unwrap_or_default();
                let cause = cause.as_ref().map(|cause| format!(", {cause}")).unwrap_or_default();
                format!("nobody works on it: its execution ended {status}{since}{cause}")
            }
        }
    }

    /// The exit code of an operation that has not ended: only what is known to go on is.
    pub fn exit_code(&self) -> u8 {
        match self.state {
            State::Running => exit::RUNNING,
            State::Ended(_) | State::Gone | State::Unknown(_) => exit::FAILED,
        }
    }

    /// What to type next for this operation.
    pub fn next(&self, operation_id: &str) -> String {
        match self.state {
            State::Running => format!("Follow it with: holdfast ops wait {operation_id}"),
            State::Ended(_) | State::Gone => format!("Go on with: holdfast ops resume {operation_id}"),
            State::Unknown(_) => format!("Look again with: holdfast ops describe {operation_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::{Rule, mock};

    use super::*;
    use crate::mocked;

    const ARN: &str = "arn:aws:states:us-east-1:123456789012:execution:holdfast-restore-database:a";

    async fn asked(rule: &Rule) -> Execution {
        of(&mocked::client!(aws_sdk_sfn, &[rule]), ARN).await
    }

    fn rule(status: u16, body: Value) -> Rule {
        mock!(Client::describe_execution).then_http_response(move || mocked::response(status, &body))
    }

    fn described(more: Value) -> Rule {
        let mut body = json!({"executionArn": ARN, "stateMachineArn": "m", "startDate": 1_795_000_000});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule(200, body)
    }

    #[tokio::test]
    async fn only_what_runs_is_said_to_go_on() {
        let running = asked(&described(json!({"status": "RUNNING"}))).await;
        assert_eq!(
            (running.word(), running.is_dead(), running.exit_code()),
            ("RUNNING", false, exit::RUNNING)
        );
        for status in ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"] {
            let dead = asked(&described(json!({"status": status, "stopDate": 1_795_000_060}))).await;
            assert_eq!((dead.word(), dead.is_dead(), dead.exit_code()), (status, true, exit::FAILED));
            let said = dead.sentence();
            assert!(
                said.starts_with(&format!("nobody works on it: its execution ended {status} at 2026-")),
                "{said}"
            );
            assert_eq!(dead.next("op-1"), "Go on with: holdfast ops resume op-1");
        }
        let gone = asked(&rule(400, json!({"__type": "ExecutionDoesNotExist", "message": "no"}))).await;
        assert_eq!((gone.word(), gone.is_dead(), gone.exit_code()), ("GONE", true, exit::FAILED));
        assert!(gone.sentence().contains("its execution is gone"), "{}", gone.sentence());
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_not_known_and_no_reason_to_resume() {
        for kind in ["AccessDeniedException", "ThrottlingException"] {
            let unknown = asked(&rule(400, json!({"__type": kind, "message": "not you"}))).await;
            assert_eq!(
                (unknown.word(), unknown.is_dead(), unknown.exit_code()),
                ("UNKNOWN", false, exit::FAILED)
            );
            let said = unknown.sentence();
            assert!(said.contains("is not known") && said.contains("not you"), "{said}");
            assert!(!unknown.next("op-1").contains("resume"));
        }
        let odd = asked(&described(json!({"status": "DANCING"}))).await;
        assert_eq!((odd.word(), odd.is_dead()), ("UNKNOWN", false));
    }

    #[tokio::test]
    async fn why_it_ended_is_told_in_words() {
        let cause = json!({"errorMessage": "too slow", "errorType": "x"}).to_string();
        let failed =
            json!({"status": "FAILED", "stopDate": 1_795_000_060, "error": "States.Timeout", "cause": cause});
        let said = asked(&described(failed)).await;
        assert!(said.sentence().ends_with(", States.Timeout: too slow"), "{}", said.sentence());
        assert_eq!(said.json()["cause"], "States.Timeout: too slow");
        // An empty name is none.
        let stopped = asked(&described(json!({"status": "ABORTED", "error": "", "cause": ""}))).await;
        assert_eq!(stopped.sentence(), "nobody works on it: its execution ended ABORTED");
    }
}
