//! `holdfast ops resume`, `holdfast ops cancel`: goes on with an operation whose execution is gone, or ends one.

use clap::Args;
use serde_json::json;

use crate::backup::{Output, create, describe};
use crate::cloud::Cloud;
use crate::screen::Screen;
use crate::{Error, ask, exit, render};

/// Go on with an operation whose execution ended before it did: it was stopped, it timed out, or it was deleted.
///
/// What is recorded is not done again. When the operation has ended, this says how; when it goes on, this follows it.
#[derive(Debug, Args)]
pub struct Resume {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// End an operation: its execution is stopped, a swap is undone, what is temporary is removed.
///
/// Snapshots stay, and so does a database that was restored; the record names what is left. The operation ends FAILED.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs `resume`; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, or AWS cannot be asked.
pub async fn resume(args: Resume, table: String) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table).await;
    let found = Found::look(&cloud, args.operation_id).await?;
    if let Some(json) = &found.record.summary {
        return describe::ended(&cloud, &found.record, json, args.output).await;
    }
    let input = json!({"resume": found.id});
    let execution = create::start(&cloud, &found.machine()?, &input).await?;
    if args.no_wait {
        return Ok(create::started(&execution, &input, args.output));
    }
    found.follow(&cloud, &execution, args.output).await
}

/// Runs `cancel`; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, nobody can be asked, or AWS cannot.
pub async fn cancel(args: Cancel, table: String) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table).await;
    let found = Found::look(&cloud, args.operation_id).await?;
    if let Some(json) = &found.record.summary {
        eprintln!("It has ended: there is nothing to cancel.\n");
        return describe::ended(&cloud, &found.record, json, args.output).await;
    }
    let (kind, database) = (found.record.kind.to_lowercase(), &found.record.database_id);
    let doing = render::words(&found.record.status);
    eprintln!("The {kind} of {database} is going on: {doing}, begun {}.", found.record.started_at);
    eprintln!("It would be stopped, and what is temporary removed. Snapshots and restored databases stay.");
    if !args.yes && !ask::agreed("End it?")? {
        eprintln!("It goes on.");
        return Ok(exit::FAILED);
    }
    // The workflow's own clean-up runs in an execution of its own, which waits for this one to be gone.
    let owner = found.owner()?;
    let stopped = cloud.sfn.stop_execution().execution_arn(owner).error("Holdfast.Cancelled").send().await;
    if let Err(error) = stopped {
        let gone = error.as_service_error().is_some_and(|error| error.is_execution_does_not_exist());
        if !gone {
            return Err(Error::aws("StopExecution", &error));
        }
    }
    let execution = create::start(&cloud, &found.machine()?, &json!({"cancel": found.id})).await?;
    found.follow(&cloud, &execution, args.output).await
}

/// An operation that there is.
struct Found {
    id: String,
    record: describe::Record,
}

impl Found {
    async fn look(cloud: &Cloud, id: String) -> Result<Found, Error> {
        match describe::record(cloud, &id).await? {
            Some(record) => Ok(Found { id, record }),
            None => Err(Error::NoSuchOperation { id, table: cloud.table.clone() }),
        }
    }

    fn owner(&self) -> Result<&str, Error> {
        self.record.owner.as_deref().ok_or_else(|| {
            Error::Unreadable(format!("the record of {} does not say which execution works on it", self.id))
        })
    }

    /// The workflow that it belongs to: the one of its execution, whether that still exists or not.
    fn machine(&self) -> Result<String, Error> {
        machine_of(self.owner()?).ok_or_else(|| {
            Error::Unreadable(format!(
                "the record of {} names no execution: {:?}",
                self.id, self.record.owner
            ))
        })
    }

    async fn follow(&self, cloud: &Cloud, execution: &str, output: Output) -> Result<u8, Error> {
        let screen = Screen::beside(output);
        let outcome = create::follow(cloud, execution, screen).await?;
        Ok(create::report(&outcome, &self.record.kind.to_lowercase(), execution, &cloud.table, output))
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
