//! `holdfast backup describe`: how a backup went, or how far it is.

use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use serde_json::{Value, json};

use super::Output;
use crate::{
    Error,
    cloud::Cloud,
    exit, follow,
    paint::Paint,
    render::{self, Around},
    summary::Summary,
};

/// Say how a backup went: verdict, checks, copies, times, and where the evidence is.
#[derive(Debug, Args)]
pub struct Describe {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// What the state table holds of an operation.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its phase, or its end state.
    pub status: String,
    /// The database.
    pub database_id: String,
    /// When it began.
    pub started_at: String,
    /// The execution that works on it.
    pub owner: Option<String>,
    /// The checkpoints: name, time, detail.
    pub checkpoints: Vec<[String; 3]>,
    /// How it ended, once it has.
    pub summary: Option<Value>,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, or AWS cannot be asked.
pub async fn run(args: Describe, table: String) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table).await;
    let Some(record) = record(&cloud, &args.operation_id).await? else {
        return Err(Error::NoSuchOperation { id: args.operation_id, table: cloud.table });
    };
    let Some(json) = &record.summary else {
        running(&args, &record);
        return Ok(exit::RUNNING);
    };
    let summary: Summary = serde_json::from_value(json.clone()).map_err(|error| {
        Error::Unreadable(format!("the summary of {} cannot be read: {error}", args.operation_id))
    })?;
    match args.output {
        Output::Json => println!("{json:#}"),
        Output::Table => {
            // Step Functions forgets an execution after 90 days; the rest of the summary does not need it.
            let state_transitions = match &record.owner {
                Some(owner) => follow::transitions(&cloud, owner).await.ok(),
                None => None,
            };
            let around = Around { state_transitions, table: cloud.table };
            print!("{}", render::summary(&summary, &around, Paint::for_stdout()));
        }
    }
    Ok(exit::of_status(summary.status))
}

fn running(args: &Describe, record: &Record) {
    match args.output {
        Output::Json => println!(
            "{:#}",
            json!({"operationId": args.operation_id, "databaseId": record.database_id, "status": record.status, "startedAt": record.started_at})
        ),
        Output::Table => {
            println!(
                "The backup of {} is going on: {}, begun {}.\n",
                record.database_id,
                render::words(&record.status),
                record.started_at
            );
            for [name, time, detail] in &record.checkpoints {
                println!("  {time}  {name}  {detail}");
            }
        }
    }
}

/// Reads an operation's record.
///
/// # Errors
/// When the table cannot be read.
pub async fn record(cloud: &Cloud, operation_id: &str) -> Result<Option<Record>, Error> {
    let answer = cloud
        .dynamodb
        .get_item()
        .table_name(&cloud.table)
        .key("operationId", AttributeValue::S(operation_id.to_owned()))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| Error::aws("GetItem", &error))?;
    let Some(item) = answer.item else { return Ok(None) };
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let checkpoints = item
        .get("checkpoints")
        .and_then(|value| value.as_l().ok())
        .map(|list| list.iter().filter_map(checkpoint).collect());
    Ok(Some(Record {
        status: text("status").unwrap_or_default(),
        database_id: text("databaseId").unwrap_or_default(),
        started_at: text("startedAt").unwrap_or_default(),
        owner: text("owner"),
        checkpoints: checkpoints.unwrap_or_default(),
        summary: text("summary").and_then(|text| serde_json::from_str(&text).ok()),
    }))
}

fn checkpoint(value: &AttributeValue) -> Option<[String; 3]> {
    let map = value.as_m().ok()?;
    let text = |name: &str| map.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    Some([text("name"), text("time"), text("detail")])
}
