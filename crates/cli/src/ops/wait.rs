//! `holdfast ops wait`: comes back to an operation that goes on, and follows it to its end.

use clap::Args;
use holdfast_core::ids::OperationId;

use crate::Error;
use crate::backup::{Output, create, describe};
use crate::cloud::Cloud;
use crate::deployed::Table;
use crate::ops::execution::{self, Looked, State};
use crate::screen::Screen;

/// Follow an operation to its end, and say how it ended; or that nobody works on it any more.
#[derive(Debug, Args)]
pub struct Wait {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, or AWS cannot be asked.
pub async fn run(args: Wait, table: Table) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table.name().await?).await;
    let (record, execution) = match execution::look(&cloud, &args.operation_id).await? {
        Looked::Missing => {
            return Err(Error::NoSuchOperation { id: args.operation_id, table: cloud.table });
        }
        Looked::Ended(record) => return describe::ended(&cloud, &record, args.output).await,
        Looked::Open(record, execution) => (record, execution),
    };
    match execution.state {
        State::Running => {}
        // Nobody will end it: there is nothing to wait for, as far as is known.
        State::Ended(_) | State::Gone | State::Unknown(_) => {
            return Ok(describe::open(&args.operation_id, &record, &execution, args.output));
        }
    }
    let mut screen = Screen::beside(args.output);
    if let Ok(began) = record.started_at.parse() {
        screen.began(began);
    }
    let operation = OperationId::parse(&args.operation_id).ok();
    let outcome = create::follow(&cloud, &execution.arn, screen).await.of(operation.as_ref());
    Ok(create::report(&outcome, &record.kind.to_lowercase(), &execution.arn, &cloud.table, args.output))
}
