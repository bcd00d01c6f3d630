//! `holdfast backup describe`: how a backup went, or how far it is.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use holdfast_core::operation::Phase;
use serde_json::{Value, json};

use super::Output;
use crate::{
    Error,
    cloud::Cloud,
    deployed::Table,
    exit, follow,
    ops::execution::{self, Execution, Looked, State},
    paint::Paint,
    render::{self, Around},
    summary::Summary,
};

/// The members of a summary.
const SUMMARY: [&str; 18] = [
    "type",
    "backup",
    "plan",
    "restore",
    "swap",
    "leftovers",
    "operationId",
    "databaseId",
    "runId",
    "status",
    "snapshot",
    "baseline",
    "validation",
    "replicas",
    "timings",
    "apiCalls",
    "report",
    "failure",
];

/// Say how a backup, a restore or a replication went: verdict, checks, copies, times, and where the evidence is.
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
    /// `BACKUP` or `RESTORE`.
    pub kind: String,
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
pub async fn run(args: Describe, table: Table) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table.name().await?).await;
    match execution::look(&cloud, &args.operation_id).await? {
        Looked::Missing => Err(Error::NoSuchOperation { id: args.operation_id, table: cloud.table }),
        Looked::Ended(record) => ended(&cloud, &record, args.output).await,
        Looked::Open(record, execution) => Ok(open(&args.operation_id, &record, &execution, args.output)),
    }
}

/// Writes how an operation ended; the answer is the exit code.
///
/// # Errors
/// `Unreadable` when it has no summary, or that is none.
pub async fn ended(cloud: &Cloud, record: &Record, output: Output) -> Result<u8, Error> {
    let json =
        record.summary.as_ref().ok_or_else(|| Error::Unreadable("the record has no end".to_owned()))?;
    let summary: Summary = serde_json::from_value(json.clone()).map_err(|error| {
        Error::Unreadable(format!("the summary of {} cannot be read: {error}", json["operationId"]))
    })?;
    match output {
        Output::Json => println!("{json:#}"),
        Output::Table => {
            // Step Functions forgets an execution after 90 days; the rest of the summary does not need it.
            let state_transitions = match &record.owner {
                Some(owner) => follow::transitions(cloud, owner).await.ok(),
                None => None,
            };
            let around = Around { state_transitions, table: cloud.table.clone() };
            print!("{}", render::summary(&summary, &around, Paint::for_stdout()));
        }
    }
    Ok(exit::of_status(summary.status))
}

/// Writes how far an operation is that has not ended, and whether anybody works on it; the answer is the exit code.
pub(crate) fn open(operation_id: &str, record: &Record, execution: &Execution, output: Output) -> u8 {
    match output {
        Output::Json => println!(
            "{:#}",
            json!({"operationId": operation_id, "databaseId": record.database_id, "status": record.status,
                   "startedAt": record.started_at, "execution": execution.json()})
        ),
        Output::Table => print!("{}", open_text(operation_id, record, execution)),
    }
    execution.exit_code()
}

fn open_text(operation_id: &str, record: &Record, execution: &Execution) -> String {
    let mut text = format!("{}\n\n", standing(record, execution));
    for [name, time, detail] in &record.checkpoints {
        text.push_str(&format!("  {}  {:<16} {detail}\n", render::moment(time), render::words(name)));
    }
    text.push_str(&format!("\n{}\n", execution.next(operation_id)));
    text
}

/// How far it is, and whether anybody works on it, in one sentence or two.
pub(crate) fn standing(record: &Record, execution: &Execution) -> String {
    let what = format!("The {} of {}", record.kind.to_lowercase(), record.database_id);
    let how_far = format!("{}, begun {}", render::words(&record.status), render::moment(&record.started_at));
    match execution.state {
        State::Running => format!("{what} is going on: {how_far}."),
        State::Ended(_) | State::Gone | State::Unknown(_) => {
            format!("{what} has not ended ({how_far}), and {}.", execution.sentence())
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
        .map_err(|error| Error::of_table("GetItem", &cloud.table, &error))?;
    Ok(answer.item.map(|item| read(&json_of_map(&item))))
}

/// The record as it stands in the table. What an operation ended with is spread over its attributes.
fn read(item: &Value) -> Record {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let status = text(item, "status");
    let checkpoints =
        item.get("checkpoints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Record {
        kind: text(item, "type"),
        database_id: text(item, "databaseId"),
        started_at: text(item, "startedAt"),
        owner: item.get("owner").and_then(Value::as_str).map(str::to_owned),
        checkpoints: checkpoints
            .iter()
            .map(|checkpoint| ["name", "time", "detail"].map(|name| text(checkpoint, name)))
            .collect(),
        summary: has_ended(&status).then(|| summary_of(item)),
        status,
    }
}

/// Whether it is a state that an operation never leaves. A word that this version does not know is none that it knows.
pub(crate) fn has_ended(status: &str) -> bool {
    Phase::ALL.into_iter().any(|phase| phase.is_end() && phase.as_str() == status)
}

/// The same members as the execution's output.
fn summary_of(item: &Value) -> Value {
    let members = SUMMARY.iter().filter_map(|name| Some(((*name).to_owned(), item.get(name)?.clone())));
    Value::Object(members.collect())
}

/// An item as JSON.
pub fn json_of_map(map: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(map.iter().map(|(name, value)| (name.clone(), json_of(value))).collect())
}

fn json_of(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        // A number of DynamoDB's is JSON's; one that is not would be a bug of the writer's.
        AttributeValue::N(digits) => serde_json::from_str(digits).unwrap_or_else(|_| json!(digits)),
        AttributeValue::Bool(yes) => json!(yes),
        AttributeValue::L(list) => list.iter().map(json_of).collect(),
        AttributeValue::M(map) => json_of_map(map),
        AttributeValue::Ss(texts) => json!(texts),
        // Null, and kinds that no record holds.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(status: &str) -> Value {
        json_of_map(&HashMap::from([
            ("operationId".to_owned(), AttributeValue::S("op".to_owned())),
            ("databaseId".to_owned(), AttributeValue::S("prod-db".to_owned())),
            ("status".to_owned(), AttributeValue::S(status.to_owned())),
            ("startedAt".to_owned(), AttributeValue::S("2026-11-20T06:00:00Z".to_owned())),
            ("version".to_owned(), AttributeValue::N("6".to_owned())),
            ("apiCalls".to_owned(), AttributeValue::N("69".to_owned())),
            ("failure".to_owned(), AttributeValue::Null(true)),
            (
                "checkpoints".to_owned(),
                AttributeValue::L(vec![AttributeValue::M(HashMap::from([(
                    "name".to_owned(),
                    AttributeValue::S("SNAPSHOTTING".to_owned()),
                )]))]),
            ),
        ]))
    }

    #[test]
    fn an_ended_operation_has_a_summary_of_its_attributes() {
        let record = read(&item("SUCCEEDED"));
        let summary = record.summary.unwrap();
        assert_eq!(
            summary,
            json!({"operationId": "op", "databaseId": "prod-db", "status": "SUCCEEDED", "apiCalls": 69, "failure": null})
        );
        assert!(serde_json::from_value::<Summary>(summary).is_ok());
    }

    #[test]
    fn one_that_has_not_ended_says_whether_anybody_works_on_it() {
        let item = json!({"operationId": "op", "databaseId": "prod-db", "type": "RESTORE", "status": "RESTORING",
            "startedAt": "2026-11-20T06:00:00.123456789Z", "owner": "arn",
            "checkpoints": [{"name": "PLANNING", "time": "2026-11-20T06:00:00.123456789Z", "detail": "begun by arn"}]});
        let said = |state| open_text("op", &read(&item), &Execution { arn: "arn".to_owned(), state });
        assert_eq!(
            said(State::Running),
            "The restore of prod-db is going on: restoring, begun 2026-11-20 06:00:00Z.

  2026-11-20 06:00:00Z  planning         begun by arn

Follow it with: holdfast ops wait op
"
        );
        let gone = said(State::Gone);
        assert!(
            gone.starts_with(
                "The restore of prod-db has not ended (restoring, begun 2026-11-20 06:00:00Z), and nobody works on it: its \
                 execution is gone"
            ) && gone.ends_with("Go on with: holdfast ops resume op\n"),
            "{gone}"
        );
        let unknown = said(State::Unknown("not you".to_owned()));
        assert!(unknown.contains("whether anybody works on it is not known: not you."), "{unknown}");
        assert!(!unknown.contains("going on") && !unknown.contains("resume"), "{unknown}");
    }

    #[test]
    fn one_that_goes_on_has_none() {
        let record = read(&item("VALIDATING"));
        assert_eq!((record.summary, record.status.as_str()), (None, "VALIDATING"));
        assert_eq!(record.checkpoints, [["SNAPSHOTTING".to_owned(), String::new(), String::new()]]);
    }
}
