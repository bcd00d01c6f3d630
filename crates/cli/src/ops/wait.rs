//! `holdfast ops wait`: comes back to an operation that goes on, and follows it to its end.

use clap::Args;

use crate::Error;
use crate::backup::{Output, create, describe};
use crate::cloud::Cloud;
use crate::screen::Screen;

/// Follow an operation to its end, and say how it ended.
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
pub async fn run(args: Wait, table: String) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table).await;
    let Some(record) = describe::record(&cloud, &args.operation_id).await? else {
        return Err(Error::NoSuchOperation { id: args.operation_id, table: cloud.table });
    };
    if let Some(json) = &record.summary {
        return describe::ended(&cloud, &record, json, args.output).await;
    }
    let owner = record.owner.ok_or_else(|| {
        Error::Unreadable(format!(
            "the record of {} does not say which execution works on it",
            args.operation_id
        ))
    })?;
    let screen = Screen::beside(args.output);
    let outcome = create::follow(&cloud, &owner, screen).await?;
    Ok(create::report(&outcome, &record.kind.to_lowercase(), &owner, &cloud.table, args.output))
}
