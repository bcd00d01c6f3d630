//! `holdfast ops resume`, `holdfast ops cancel`: goes on with an operation whose execution is gone, or ends one.

use clap::Args;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::Kind;
use serde_json::json;

use crate::backup::create::{self, Outcome};
use crate::backup::{Output, describe};
use crate::cloud::Cloud;
use crate::deployed::Table;
use crate::ops::execution::{self, Execution, Looked};
use crate::screen::Screen;
use crate::summary::Summary;
use crate::{Error, ask, exit, render};

/// What the execution that is stopped ends with: the name of [`ErrorKind::Cancelled`](holdfast_core::ErrorKind).
const CANCELLED: &str = "Holdfast.Cancelled";

/// Go on with an operation whose execution ended before it did: it was stopped, it timed out, or it was deleted.
///
/// What is recorded is not done again. When the operation has ended, this says how; when it goes on, this follows it.
#[derive(Debug, Args)]
pub struct Resume {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// End an operation: its execution is stopped, a swap is undone, what is temporary is removed.
///
/// Snapshots stay, and so does a database that was restored; the record names what is left. The operation ends FAILED, with
/// Holdfast.Cancelled.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Stop it, start its clean-up, and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs `resume`; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, or AWS cannot be asked.
pub async fn resume(args: Resume, table: Table) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table.name().await?).await;
    let found = Found::look(&cloud, args.operation_id).await?;
    let Some(execution) = &found.execution else {
        eprintln!("It has ended: there is nothing to resume.\n");
        return describe::ended(&cloud, &found.record, args.output).await;
    };
    ask::possible(args.yes, "ops resume")?;
    if !args.yes {
        eprintln!("{}", describe::standing(&found.record, execution));
        if !ask::agreed("Go on with it?").await? {
            eprintln!("It stays as it is.");
            return Ok(exit::FAILED);
        }
    }
    let input = json!({"resume": found.id});
    let started = create::start(&cloud.sfn, &found.machine(execution)?, &input).await?;
    let operation = OperationId::parse(&found.id).ok();
    if args.no_wait {
        return Ok(create::started(&started, operation.as_ref(), &input, args.output));
    }
    let outcome = create::follow(&cloud, &started, found.screen(args.output)).await.of(operation.as_ref());
    Ok(found.report(&cloud, &outcome, &started, args.output))
}

/// Runs `cancel`; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, nobody can be asked, or AWS cannot.
pub async fn cancel(args: Cancel, table: Table) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table.name().await?).await;
    let found = Found::look(&cloud, args.operation_id).await?;
    let Some(execution) = &found.execution else {
        eprintln!("It has ended: there is nothing to cancel.\n");
        return describe::ended(&cloud, &found.record, args.output).await;
    };
    ask::possible(args.yes, "ops cancel")?;
    eprintln!("{}", describe::standing(&found.record, execution));
    eprintln!(
        "It would be ended, what is temporary removed, and a swap undone: names go back to what had them, and nobody answers to them \
         meanwhile. Snapshots and restored databases stay."
    );
    if !args.yes && !ask::agreed("End it?").await? {
        eprintln!("Nothing was ended.");
        return Ok(exit::FAILED);
    }
    let machine = found.machine(execution)?;
    // The workflow's own clean-up runs in an execution of its own, which waits for this one to be gone.
    let stopped = cloud.sfn.stop_execution().execution_arn(&execution.arn).error(CANCELLED).send().await;
    if let Err(error) = stopped {
        let gone = error.as_service_error().is_some_and(|error| error.is_execution_does_not_exist());
        if !gone {
            return Err(Error::aws("StopExecution", &error));
        }
    }
    let input = json!({"cancel": found.id});
    let started = create::start(&cloud.sfn, &machine, &input).await?;
    let operation = OperationId::parse(&found.id).ok();
    if args.no_wait {
        return Ok(create::started(&started, operation.as_ref(), &input, args.output));
    }
    let outcome = create::follow(&cloud, &started, Screen::beside(args.output)).await.of(operation.as_ref());
    Ok(match outcome {
        // What goes on is not what was stopped.
        Outcome::Detached { .. } => create::report(&outcome, "clean-up", &started, &cloud.table, args.output),
        Outcome::Ended { .. } | Outcome::NoSummary { .. } => {
            let code = found.report(&cloud, &outcome, &started, args.output);
            if was_cancelled(&outcome) { exit::SUCCEEDED } else { code }
        }
    })
}

/// Whether it ended as it was asked to; one that came to its own end first, or was being cleaned up after a failure, did not.
fn was_cancelled(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Ended { summary, .. } => summary.is_cancelled(),
        Outcome::NoSummary { .. } | Outcome::Detached { .. } => false,
    }
}

/// It ended as somebody asked, which is no failure of its own; what it had made by then is told.
pub(crate) fn cancelled(summary: &Summary) -> String {
    let what = if render::is_restore(summary) {
        "restore"
    } else if summary.kind == Kind::Replication.as_str() {
        "replication"
    } else {
        "backup"
    };
    let mut text = format!("▲ The {what} of {} was cancelled, as asked.", summary.database_id);
    if summary.swap.as_ref().is_some_and(|swap| swap.undone) {
        text.push_str(&format!(" {} is what it was: the swap was undone.", summary.database_id));
    } else if let Some(restored) = &summary.restore {
        text.push_str(&format!(" {} is there, and stays.", restored.instance_id));
    }
    text
}

/// An operation that there is.
struct Found {
    id: String,
    record: Box<describe::Record>,
    /// The execution that its record names; `None` once it has ended.
    execution: Option<Execution>,
}

impl Found {
    async fn look(cloud: &Cloud, id: String) -> Result<Found, Error> {
        Ok(match execution::look(cloud, &id).await? {
            Looked::Missing => return Err(Error::NoSuchOperation { id, table: cloud.table.clone() }),
            Looked::Ended(record) => Found { id, record, execution: None },
            Looked::Open(record, execution) => Found { id, record, execution: Some(execution) },
        })
    }

    /// The workflow that it belongs to: the one of its execution, whether that still exists or not.
    fn machine(&self, execution: &Execution) -> Result<String, Error> {
        machine_of(&execution.arn).ok_or_else(|| {
            Error::Unreadable(format!("the record of {} names no execution: {:?}", self.id, execution.arn))
        })
    }

    /// Counts the time of all of it, not of its last execution alone.
    fn screen(&self, output: Output) -> Screen {
        let mut screen = Screen::beside(output);
        if let Ok(began) = self.record.started_at.parse() {
            screen.began(began);
        }
        screen
    }

    fn report(&self, cloud: &Cloud, outcome: &Outcome, execution: &str, output: Output) -> u8 {
        create::report(outcome, &self.record.kind.to_lowercase(), execution, &cloud.table, output)
    }
}

/// `arn:aws:states:us-east-1:123456789012:execution:NAME:id` belongs to `...:stateMachine:NAME`.
fn machine_of(execution: &str) -> Option<String> {
    let parts: Vec<&str> = execution.splitn(8, ':').collect();
    match parts[..] {
        [arn, partition, "states", region, account, "execution", machine, _] => {
            Some([arn, partition, "states", region, account, "stateMachine", machine].join(":"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::machine_of;

    #[test]
    fn an_execution_names_its_workflow() {
        let machine =
            machine_of("arn:aws:states:us-east-1:123456789012:execution:holdfast-restore-database:a:b");
        assert_eq!(
            machine.as_deref(),
            Some("arn:aws:states:us-east-1:123456789012:stateMachine:holdfast-restore-database")
        );
        assert_eq!(machine_of("arn:aws:states:us-east-1:123456789012:stateMachine:x"), None);
        assert_eq!(machine_of("somebody"), None);
    }
}
