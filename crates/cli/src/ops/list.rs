//! `holdfast ops list`: what was done, what goes on, what failed.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use holdfast_core::ids::DatabaseId;
use holdfast_core::operation::{Kind, Phase};
use serde_json::{Value, json};

use crate::backup::{Output, describe};
use crate::cloud::Cloud;
use crate::deployed::Table;
use crate::ops::execution::{self, Looked, State};
use crate::paint::Paint;
use crate::render::{duration, moment};
use crate::{Error, arguments, exit};

/// The index that lists a database's operations by time.
const BY_DATABASE: &str = "DatabaseOperationsIndex";
/// The index that lists operations of a kind by status.
const BY_STATUS: &str = "TypeStatusIndex";

/// List operations, the newest first: how they ended, and of those that have not whether anybody works on them.
#[derive(Debug, Args)]
pub struct List {
    /// Only of this database.
    #[arg(value_parser = database)]
    database: Option<DatabaseId>,
    /// Only those that have not ended: they go on, or nobody works on them any more.
    #[arg(long)]
    running: bool,
    /// So many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// When the table cannot be read.
pub async fn run(args: List, table: Table) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table.name().await?).await;
    let found = match &args.database {
        Some(database) => {
            // One that goes on may be older than many that have ended.
            let enough = if args.running { usize::MAX } else { usize::from(args.limit) };
            of_database(&cloud, database.as_str(), enough).await?
        }
        None => of_all(&cloud, args.running).await?,
    };
    let mut rows = newest(found, &args);
    let mut unknown = None;
    for row in rows.iter_mut().filter(|row| is_running(row)) {
        let id = row["operationId"].as_str().unwrap_or_default();
        // Read again as well: an index is behind its table, and what is dead is not to be guessed.
        match execution::look(&cloud, id).await? {
            Looked::Missing => row["execution"] = Value::Null,
            Looked::Ended(_) => {
                if let Some(item) = item(&cloud, id).await? {
                    take_over(row, &item);
                }
            }
            Looked::Open(record, execution) => {
                row["status"] = json!(record.status);
                row["owner"] = json!(record.owner);
                row["execution"] = execution.json();
                if let State::Unknown(why) = execution.state {
                    unknown.get_or_insert(why);
                }
            }
        }
    }
    // What has ended meanwhile is not among those that have not.
    rows.retain(|row| !args.running || is_running(row));
    match args.output {
        Output::Json => println!("{:#}", json!(rows)),
        Output::Table => print!("{}", text(&rows, jiff::Timestamp::now(), Paint::for_stdout())),
    }
    if let Some(why) = unknown {
        eprintln!("holdfast: whether all of them are worked on is not known: {why}");
    }
    Ok(exit::SUCCEEDED)
}

/// A database as the records name it: in small letters.
fn database(text: &str) -> Result<DatabaseId, String> {
    DatabaseId::parse(&arguments::database(text)?).map_err(|error| error.message)
}

/// What the index has of a row, as the table has it now.
fn take_over(row: &mut Value, item: &Value) {
    for name in ["status", "verdict", "endedAt", "owner"] {
        row[name] = item[name].clone();
    }
}

pub(crate) fn is_running(row: &Value) -> bool {
    !describe::has_ended(row["status"].as_str().unwrap_or_default())
}

fn newest(mut rows: Vec<Value>, args: &List) -> Vec<Value> {
    rows.retain(|row| !args.running || is_running(row));
    rows.sort_by(|left, right| right["startedAt"].as_str().cmp(&left["startedAt"].as_str()));
    rows.truncate(usize::from(args.limit));
    rows
}

/// Up to `enough` operations of a database, the newest first, as the index has them.
pub(crate) async fn of_database(cloud: &Cloud, database: &str, enough: usize) -> Result<Vec<Value>, Error> {
    query(cloud, BY_DATABASE, "databaseId = :key", &[(":key", database)], enough).await
}

/// The whole record of an operation, or `None`.
pub(crate) async fn item(cloud: &Cloud, operation_id: &str) -> Result<Option<Value>, Error> {
    let answer = cloud
        .dynamodb
        .get_item()
        .table_name(&cloud.table)
        .key("operationId", AttributeValue::S(operation_id.to_owned()))
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| Error::of_table("GetItem", &cloud.table, &error))?;
    Ok(answer.item.map(|item| describe::json_of_map(&item)))
}

/// Every operation of every database. The index has no order in time: whoever wants the newest, or every database, reads all.
pub(crate) async fn of_all(cloud: &Cloud, running: bool) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        for phase in Phase::ALL.into_iter().filter(|phase| !running || !phase.is_end()) {
            let values = [(":key", kind.as_str()), (":status", phase.as_str())];
            rows.extend(
                query(cloud, BY_STATUS, "#type = :key AND #status = :status", &values, usize::MAX).await?,
            );
        }
    }
    Ok(rows)
}

/// Up to `enough` items of an index, the last of its order first.
async fn query(
    cloud: &Cloud,
    index: &str,
    condition: &str,
    values: &[(&str, &str)],
    enough: usize,
) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    let mut start: Option<HashMap<String, AttributeValue>> = None;
    loop {
        let mut query = cloud
            .dynamodb
            .query()
            .table_name(&cloud.table)
            .index_name(index)
            .key_condition_expression(condition)
            .scan_index_forward(false)
            .set_exclusive_start_key(start);
        for (name, value) in values {
            query = query.expression_attribute_values(*name, AttributeValue::S((*value).to_owned()));
        }
        if condition.contains('#') {
            query = query
                .expression_attribute_names("#type", "type")
                .expression_attribute_names("#status", "status");
        }
        let page = query.send().await.map_err(|error| Error::of_table("Query", &cloud.table, &error))?;
        rows.extend(page.items().iter().map(describe::json_of_map));
        start = page.last_evaluated_key().cloned();
        if start.is_none() || rows.len() >= enough {
            return Ok(rows);
        }
    }
}

fn text(rows: &[Value], now: jiff::Timestamp, paint: Paint) -> String {
    if rows.is_empty() {
        return "There is none.\n".to_owned();
    }
    let cells: Vec<[String; 6]> = rows.iter().map(|row| cells(row, now)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    for (row, [started, kind, database, status, took, id]) in rows.iter().zip(&cells) {
        let padded = format!("{status:<width$}", width = widths[3]);
        let status = match row["status"].as_str() {
            Some("SUCCEEDED") => paint.good(&padded),
            Some("FAILED") => paint.bad(&padded),
            _ if is_dead(row) => paint.bad(&padded),
            _ => paint.warn(&padded),
        };
        text.push_str(&format!(
            "{started:<a$}  {kind:<b$}  {database:<c$}  {status}  {took:>e$}  {id}\n",
            a = widths[0],
            b = widths[1],
            c = widths[2],
            e = widths[4]
        ));
    }
    let dead = rows.iter().filter(|row| is_dead(row)).count();
    if dead > 0 {
        text.push_str(&format!(
            "\nNobody works on {dead} of these. Go on with: holdfast ops resume OPERATION\n"
        ));
    }
    text
}

/// Whether it is known that nobody works on it, though it has not ended.
fn is_dead(row: &Value) -> bool {
    let status = row["execution"]["status"].as_str();
    status.is_some_and(|status| !matches!(status, "RUNNING" | "UNKNOWN"))
}

fn cells(row: &Value, now: jiff::Timestamp) -> [String; 6] {
    let said = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let time = |name: &str| row[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let took = time("startedAt").map(|started| {
        let seconds = time("endedAt").unwrap_or(now).duration_since(started).as_secs_f64();
        duration(seconds.max(0.0))
    });
    let verdict = said("verdict");
    let mut status = said("status");
    if !verdict.is_empty() {
        status.push_str(&format!(" ({verdict})"));
    } else if (row["type"].as_str(), row["status"].as_str()) == (Some("RESTORE"), Some("SUCCEEDED")) {
        // What brought something back has a verdict, if only NOT_RUN.
        status.push_str(" (planned only)");
    }
    match row["execution"]["status"].as_str() {
        None | Some("RUNNING") => {}
        Some("UNKNOWN") => status.push_str(", execution not known"),
        Some(word) => status.push_str(&format!(", execution {word}")),
    }
    [
        moment(&said("startedAt")),
        said("type").to_lowercase(),
        said("databaseId"),
        status,
        took.unwrap_or_default(),
        said("operationId"),
    ]
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::query::QueryOutput;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::mocked;

    #[test]
    fn a_database_is_looked_for_as_the_records_name_it() {
        assert_eq!(database("Prod-DB").map(|id| id.to_string()).as_deref(), Ok("prod-db"));
        assert!(database("prod_db").unwrap_err().contains("a DB instance identifier is"));
    }

    /// The newest of the index's first page is not the newest: it has no order in time.
    #[tokio::test]
    async fn all_pages_of_the_index_are_read() {
        const PAGE: usize = 1000;
        let page = |number: usize, is_last: bool| {
            let text = |text: String| AttributeValue::S(text);
            let row = move |at: usize| {
                HashMap::from([
                    ("operationId".to_owned(), text(format!("op-{}", number * PAGE + at))),
                    ("databaseId".to_owned(), text(format!("db-{number}"))),
                    ("status".to_owned(), text("SUCCEEDED".to_owned())),
                ])
            };
            let next = HashMap::from([("operationId".to_owned(), text(number.to_string()))]);
            QueryOutput::builder()
                .set_items(Some((0..PAGE).map(row).collect()))
                .set_last_evaluated_key((!is_last).then_some(next))
                .build()
        };
        let asked = |from: Option<&'static str>| {
            move |query: &aws_sdk_dynamodb::operation::query::QueryInput| {
                let start =
                    query.exclusive_start_key().map(|key| key["operationId"].as_s().unwrap().as_str());
                let values = query.expression_attribute_values().unwrap();
                start == from
                    && values[":key"].as_s().unwrap() == "BACKUP"
                    && values[":status"].as_s().unwrap() == "SUCCEEDED"
            }
        };
        let first = mock!(aws_sdk_dynamodb::Client::query)
            .match_requests(asked(None))
            .then_output(move || page(0, false));
        let second = mock!(aws_sdk_dynamodb::Client::query)
            .match_requests(asked(Some("0")))
            .then_output(move || page(1, false));
        let third = mock!(aws_sdk_dynamodb::Client::query)
            .match_requests(asked(Some("1")))
            .then_output(move || page(2, true));
        let others = mock!(aws_sdk_dynamodb::Client::query).then_output(|| QueryOutput::builder().build());
        let mut cloud = mocked::cloud();
        cloud.dynamodb = mocked::client!(aws_sdk_dynamodb, &[&first, &second, &third, &others]);
        let rows = of_all(&cloud, false).await.unwrap();
        assert_eq!(rows.len(), 3 * PAGE);
        assert!(rows.iter().any(|row| row["databaseId"] == "db-2"));
    }

    fn rows() -> Vec<Value> {
        let row = |id: &str,
                   kind: &str,
                   status: &str,
                   started: &str,
                   ended: Option<&str>,
                   verdict: Option<&str>| {
            json!({"operationId": id, "type": kind, "databaseId": "prod-db", "status": status, "startedAt": started,
                   "endedAt": ended, "verdict": verdict})
        };
        vec![
            row(
                "op-1",
                "BACKUP",
                "SUCCEEDED",
                "2026-11-20T06:00:00.000000000Z",
                Some("2026-11-20T06:30:00Z"),
                Some("VALID"),
            ),
            row("op-3", "RESTORE", "RESTORING", "2026-11-20T08:00:00.000000000Z", None, None),
            row(
                "op-2",
                "BACKUP",
                "FAILED",
                "2026-11-20T07:00:00.000000000Z",
                Some("2026-11-20T07:00:05Z"),
                None,
            ),
        ]
    }

    fn args(running: bool, limit: u16) -> List {
        List { database: None, running, limit, output: Output::Table }
    }

    #[test]
    fn a_restore_that_made_nothing_is_not_one_that_brought_something_back() {
        let status = |kind: &str, status: &str, verdict: Option<&str>| {
            let row = json!({"type": kind, "status": status, "verdict": verdict});
            cells(&row, "2026-11-20T08:10:00Z".parse().unwrap())[3].clone()
        };
        assert_eq!(status("RESTORE", "SUCCEEDED", None), "SUCCEEDED (planned only)");
        assert_eq!(status("RESTORE", "SUCCEEDED", Some("NOT_RUN")), "SUCCEEDED (NOT_RUN)");
        assert_eq!(status("RESTORE", "FAILED", None), "FAILED");
        assert_eq!(status("REPLICATION", "SUCCEEDED", None), "SUCCEEDED");
    }

    #[test]
    fn the_newest_come_first_and_what_goes_on_counts_its_time() {
        let rows = newest(rows(), &args(false, 20));
        let text = text(&rows, "2026-11-20T08:10:00Z".parse().unwrap(), Paint::PLAIN);
        assert_eq!(
            text,
            "2026-11-20 08:00:00Z  restore  prod-db  RESTORING          10 min 00 s  op-3
2026-11-20 07:00:00Z  backup   prod-db  FAILED                   5.0 s  op-2
2026-11-20 06:00:00Z  backup   prod-db  SUCCEEDED (VALID)  30 min 00 s  op-1
"
        );
    }

    #[test]
    fn what_nobody_works_on_is_not_shown_as_going_on() {
        let with = |status: &str| {
            let mut row = rows()[1].clone();
            row["execution"] = json!({"arn": "a", "status": status});
            text(&[row], "2026-11-20T08:10:00Z".parse().unwrap(), Paint::PLAIN)
        };
        assert!(with("RUNNING").contains("RESTORING  10 min") && !with("RUNNING").contains("Nobody"));
        let dead = with("ABORTED");
        assert!(dead.contains("RESTORING, execution ABORTED  "), "{dead}");
        assert!(
            dead.ends_with("\nNobody works on 1 of these. Go on with: holdfast ops resume OPERATION\n"),
            "{dead}"
        );
        let unknown = with("UNKNOWN");
        assert!(
            unknown.contains("RESTORING, execution not known  ") && !unknown.contains("Nobody"),
            "{unknown}"
        );
    }

    #[test]
    fn only_what_goes_on_and_only_so_many() {
        let ids = |rows: Vec<Value>| rows.iter().map(|row| row["operationId"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(newest(rows(), &args(true, 20))), ["op-3"]);
        assert_eq!(ids(newest(rows(), &args(false, 2))), ["op-3", "op-2"]);
        let mut unknown = rows();
        unknown[0]["status"] = json!("DANCING");
        assert_eq!(ids(newest(unknown, &args(true, 20))), ["op-3", "op-1"]);
        assert_eq!(text(&[], jiff::Timestamp::now(), Paint::PLAIN), "There is none.\n");
    }
}
