//! `holdfast ops logs`: what the functions of an operation wrote, and what failed between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata as _;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::backup::{Output, describe};
use crate::cloud::{self, Cloud};
use crate::deployed::Table;
use crate::look::deployment;
use crate::paint::Paint;
use crate::{Error, exit, follow};

/// What is looked at before the record was begun and after it was ended: clocks differ, and lines come late.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// How often `--follow` looks again.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Whose lines an operation has: the functions that work on one (`functions/`), and the workflow between them.
const FUNCTIONS: [&str; 10] = [
    "capture-baseline",
    "create-snapshot",
    "health-check",
    "replicate-to-region",
    "restore-database",
    "swap-database",
    "update-state",
    "validate-backup",
    "verify-database",
    WORKFLOW,
];

/// What stands for a function in a line of the workflow's own.
const WORKFLOW: &str = "workflow";

/// Show what the functions of an operation logged, in order of time, and what failed between them.
#[derive(Debug, Args)]
pub struct Logs {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// Only the last so much of it, such as 15m or 2h.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<SignedDuration>,
    /// Show new lines as they come, until the operation has ended.
    #[arg(long)]
    follow: bool,
    /// Only of this function, such as validate-backup.
    #[arg(long, value_name = "NAME", value_parser = FUNCTIONS)]
    function: Option<String>,
    /// How it is written; JSON is one object per line.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

fn since(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is not a time such as 90s, 15m, 2h or 1d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u32 =
        text.get(..text.len() - unit.len_utf8()).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    Ok(SignedDuration::from_secs(i64::from(number) * seconds))
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    time: Timestamp,
    function: String,
    level: String,
    message: String,
    /// What else it says, as JSON text.
    fields: BTreeMap<String, String>,
    group: String,
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
struct Read {
    lines: BTreeSet<Line>,
    troubles: BTreeSet<String>,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// When there is no such operation, or the state table cannot be read.
pub async fn run(args: Logs, table: Table) -> Result<u8, Error> {
    let config = cloud::configuration().await;
    let cloud = Cloud::new(&config, table.name().await?);
    let logs = Client::new(&config);
    let (mut shown, mut told) = (BTreeSet::new(), BTreeSet::new());
    let mut asked = None;
    loop {
        // Looked at first: what is read afterwards has the last lines of an operation that has ended.
        let Some(record) = super::list::item(&cloud, &args.operation_id).await? else {
            return Err(Error::NoSuchOperation { id: args.operation_id, table: cloud.table });
        };
        let window = Window::of(&record, args.since, Timestamp::now());
        let owner = record["owner"].as_str().unwrap_or_default();
        let mut read = Read::default();
        if asked.is_none() {
            asked = Some(groups(&config, owner, &mut read).await);
        }
        for group in asked.iter().flatten() {
            lines(&logs, group, &args.operation_id, window, &mut read).await;
        }
        failures(&cloud, owner, &mut read).await;
        for line in read.lines.into_iter().filter(|line| wanted(line, &args, window)) {
            if shown.insert(line.clone()) {
                show(&line, args.output);
            }
        }
        for trouble in read.troubles {
            if told.insert(trouble.clone()) {
                eprintln!("holdfast: {trouble}");
            }
        }
        let ended = describe::has_ended(record["status"].as_str().unwrap_or_default());
        if !args.follow || ended {
            return Ok(code(&shown, &told, &args.operation_id));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Nothing at all is not known to be nothing: lines are kept for some time only.
fn code(shown: &BTreeSet<Line>, told: &BTreeSet<String>, operation: &str) -> u8 {
    if shown.is_empty() && told.is_empty() {
        eprintln!(
            "holdfast: there is no line of {operation}; lines are kept for some time only (90 days as deployed)"
        );
    }
    if shown.is_empty() || !told.is_empty() { exit::INCONCLUSIVE } else { exit::SUCCEEDED }
}

fn wanted(line: &Line, args: &Logs, window: Window) -> bool {
    let named = args.function.as_ref().is_none_or(|function| *function == line.function);
    named && line.time >= window.from
}

/// The time of an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    from: Timestamp,
    until: Timestamp,
}

impl Window {
    fn of(record: &Value, since: Option<SignedDuration>, now: Timestamp) -> Window {
        let time = |name: &str| record[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let until = time("endedAt").map_or(now, |end| end.saturating_add(MARGIN).unwrap_or(now));
        let begun = time("startedAt").unwrap_or(Timestamp::UNIX_EPOCH);
        let from = begun.saturating_sub(MARGIN).unwrap_or(begun);
        let last = since.and_then(|since| now.saturating_sub(since).ok());
        Window { from: last.map_or(from, |last| last.max(from)), until }
    }
}

/// Where the functions of the execution's state machine write.
async fn groups(config: &aws_config::SdkConfig, owner: &str, read: &mut Read) -> BTreeSet<String> {
    // arn:aws:states:us-east-1:123456789012:execution:machine:name
    let machine = owner.replacen(":execution:", ":stateMachine:", 1);
    let Some((machine, _)) = machine.rsplit_once(':') else {
        read.troubles.insert("the record does not say which execution works on it".to_owned());
        return BTreeSet::new();
    };
    let states = deployment::states(config, machine).await;
    let mut groups = BTreeSet::new();
    let mut any = false;
    for (name, function) in states.functions() {
        any = true;
        let trouble = match function {
            Ok(function) if !function.log_group.is_empty() => {
                groups.insert(function.log_group.clone());
                continue;
            }
            Ok(_) => "the function is not there any more".to_owned(),
            Err(error) => error.message.clone(),
        };
        read.troubles.insert(format!("the log group of {name} is not known: {trouble}"));
    }
    if !any {
        let why = states
            .function("BeginOperation")
            .err()
            .map_or_else(|| "it has none".to_owned(), |error| error.message);
        read.troubles.insert(format!("the functions of {machine} are not known: {why}"));
    }
    groups
}

/// The lines of a group in which the operation's id is.
async fn lines(logs: &Client, group: &str, operation: &str, window: Window, read: &mut Read) {
    let mut pages = logs
        .filter_log_events()
        .log_group_name(group)
        // Quoted: with its hyphens it is a phrase (CloudWatch Logs User Guide, "Filter pattern syntax").
        .filter_pattern(format!("\"{operation}\""))
        .start_time(window.from.as_millisecond())
        .end_time(window.until.as_millisecond())
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                for event in page.events() {
                    let time = event.timestamp().and_then(|time| Timestamp::from_millisecond(time).ok());
                    let text = event.message().unwrap_or_default();
                    read.lines.insert(parsed(time.unwrap_or(window.from), text, group));
                }
            }
            Err(error) => {
                let why = match error.as_service_error() {
                    Some(error) if error.is_resource_not_found_exception() => {
                        "there is no such log group".to_owned()
                    }
                    Some(error) => {
                        format!(
                            "{}: {}",
                            error.code().unwrap_or("no code"),
                            error.message().unwrap_or_default()
                        )
                    }
                    None => Error::aws("FilterLogEvents", &error).to_string(),
                };
                read.troubles.insert(format!("log group {group} could not be read whole: {why}"));
                return;
            }
        }
    }
}

/// A line as the functions write it; what is no JSON is a message.
fn parsed(at: Timestamp, text: &str, group: &str) -> Line {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(text) else {
        let (function, level) = ("-".to_owned(), "-".to_owned());
        return Line {
            time: at,
            function,
            level,
            message: text.trim_end().to_owned(),
            fields: BTreeMap::new(),
            group: group.to_owned(),
        };
    };
    if let Some(Value::Object(span)) = fields.remove("span") {
        for (name, value) in span {
            fields.entry(name).or_insert(value);
        }
    }
    fields.remove("name");
    let take = |name: &str, fields: &mut Map<String, Value>| fields.remove(name).map(|value| plain(&value));
    // Its own time is finer than that of the event.
    let own = take("timestamp", &mut fields).and_then(|text| text.parse().ok());
    let function = take("function", &mut fields).unwrap_or_else(|| "-".to_owned());
    let level = take("level", &mut fields).unwrap_or_else(|| "-".to_owned());
    let message = take("message", &mut fields).unwrap_or_default();
    fields.remove("operation.id");
    Line {
        time: own.unwrap_or(at),
        function,
        level,
        message,
        fields: fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        group: group.to_owned(),
    }
}

/// What the workflow itself knows to have failed: a function that ran out of time has no last line.
async fn failures(cloud: &Cloud, owner: &str, read: &mut Read) {
    match follow::failures(cloud, owner).await {
        Ok(all) => read.lines.extend(all.into_iter().map(|(time, message)| Line {
            time,
            function: WORKFLOW.to_owned(),
            level: "ERROR".to_owned(),
            message,
            fields: BTreeMap::new(),
            group: owner.to_owned(),
        })),
        Err(error) => {
            read.troubles.insert(format!("what failed between them is not known: {error}"));
        }
    }
}

fn show(line: &Line, output: Output) {
    match output {
        Output::Json => println!(
            "{}",
            json!({"time": line.time, "function": line.function, "level": line.level, "message": line.message,
                   "fields": line.fields, "source": line.group})
        ),
        Output::Table => println!("{}", text(line, Paint::for_stdout())),
    }
}

fn text(line: &Line, paint: Paint) -> String {
    let time = line.time.strftime("%Y-%m-%d %H:%M:%S%.3fZ");
    let level = format!("{:<5}", line.level);
    let level = match line.level.as_str() {
        "ERROR" => paint.bad(&level),
        "WARN" => paint.warn(&level),
        _ => level,
    };
    let fields: String = line.fields.iter().map(|(name, value)| format!("  {name}={value}")).collect();
    format!("{time}  {level}  {:<19} {}{}", line.function, line.message, paint.dim(&fields))
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::mocked::{client, response};

    const OPERATION: &str = "prod-db-20261120t060000z-3f9a1c2b7d";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window() -> Window {
        Window { from: at("2026-11-20T06:00:00Z"), until: at("2026-11-20T07:00:00Z") }
    }

    fn event(seconds: i64, function: &str) -> Value {
        let time = at("2026-11-20T06:00:00Z") + SignedDuration::from_secs(seconds);
        let message = json!({"timestamp": time, "level": "INFO", "message": "answered", "duration_ms": 3,
                             "span": {"name": "invocation", "function": function, "operation.id": OPERATION}});
        json!({"timestamp": time.as_millisecond(), "message": message.to_string(), "eventId": seconds.to_string()})
    }

    #[tokio::test]
    async fn every_page_is_read_and_the_lines_are_in_order_of_time() {
        let first = mock!(Client::filter_log_events)
            .match_requests(|asked| {
                asked.log_group_name() == Some("/holdfast/a")
                    && asked.filter_pattern() == Some(format!("\"{OPERATION}\"").as_str())
                    && asked.start_time() == Some(window().from.as_millisecond())
                    && asked.end_time() == Some(window().until.as_millisecond())
                    && asked.next_token().is_none()
            })
            .then_http_response(|| {
                response(200, json!({"events": [event(9, "create-snapshot")], "nextToken": "more"}))
            });
        // A page without a line is no end.
        let empty = mock!(Client::filter_log_events)
            .match_requests(|asked| asked.next_token() == Some("more"))
            .then_http_response(|| response(200, json!({"events": [], "nextToken": "last"})));
        let last = mock!(Client::filter_log_events)
            .match_requests(|asked| asked.next_token() == Some("last"))
            .then_http_response(|| response(200, json!({"events": [event(2, "health-check")]})));
        let mut read = Read::default();
        lines(
            &client!(aws_sdk_cloudwatchlogs, &[&first, &empty, &last]),
            "/holdfast/a",
            OPERATION,
            window(),
            &mut read,
        )
        .await;
        let seen: Vec<&str> = read.lines.iter().map(|line| line.function.as_str()).collect();
        assert_eq!((seen, read.troubles.len()), (vec!["health-check", "create-snapshot"], 0));
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_read_is_named_and_what_was_read_of_it_stays() {
        let first = mock!(Client::filter_log_events)
            .match_requests(|asked| asked.next_token().is_none())
            .then_http_response(|| response(200, json!({"events": [event(1, "a")], "nextToken": "more"})));
        for (kind, said) in [
            ("ResourceNotFoundException", "there is no such log group"),
            ("AccessDeniedException", "AccessDeniedException: no"),
        ] {
            let refused = mock!(Client::filter_log_events)
                .match_requests(|asked| asked.next_token() == Some("more"))
                .then_http_response(move || response(400, json!({"__type": kind, "message": "no"})));
            let mut read = Read::default();
            lines(
                &client!(aws_sdk_cloudwatchlogs, &[&first, &refused]),
                "/holdfast/a",
                OPERATION,
                window(),
                &mut read,
            )
            .await;
            let told: Vec<_> = read.troubles.iter().cloned().collect();
            assert_eq!(told, [format!("log group /holdfast/a could not be read whole: {said}")]);
            assert_eq!(read.lines.len(), 1);
            assert_eq!(code(&read.lines, &read.troubles, OPERATION), exit::INCONCLUSIVE);
        }
    }

    #[test]
    fn every_function_of_an_operation_can_be_asked_for() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut there: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        // These know no operations.
        there.retain(|name| !["prune-backups", "sweep-temporary"].contains(&name.as_str()));
        there.push(WORKFLOW.to_owned());
        there.sort();
        assert_eq!(there, FUNCTIONS);
    }

    #[test]
    fn nothing_at_all_is_not_known_to_be_nothing() {
        let line = parsed(at("2026-11-20T06:00:00Z"), "text", "/g");
        assert_eq!(code(&BTreeSet::new(), &BTreeSet::new(), OPERATION), exit::INCONCLUSIVE);
        assert_eq!(code(&BTreeSet::from([line]), &BTreeSet::new(), OPERATION), exit::SUCCEEDED);
    }

    #[test]
    fn a_line_says_when_who_and_what() {
        let line = parsed(
            at("2026-11-20T06:00:01Z"),
            event(1, "restore-database")["message"].as_str().unwrap(),
            "/g",
        );
        assert_eq!(
            text(&line, Paint::PLAIN),
            "2026-11-20 06:00:01.000Z  INFO   restore-database    answered  duration_ms=3"
        );
        let plain = parsed(at("2026-11-20T06:00:01Z"), "REPORT RequestId\n", "/g");
        assert_eq!(
            text(&plain, Paint::PLAIN),
            "2026-11-20 06:00:01.000Z  -      -                   REPORT RequestId"
        );
    }

    #[test]
    fn the_time_that_is_looked_at_is_that_of_the_record() {
        let record = json!({"startedAt": "2026-11-20T06:00:00Z", "endedAt": "2026-11-20T06:30:00Z"});
        let now = at("2026-11-20T08:00:00Z");
        let expected = Window { from: at("2026-11-20T05:59:00Z"), until: at("2026-11-20T06:31:00Z") };
        assert_eq!(Window::of(&record, None, now), expected);
        let last =
            Window::of(&json!({"startedAt": "2026-11-20T06:00:00Z"}), Some(since("15m").unwrap()), now);
        assert_eq!(last, Window { from: at("2026-11-20T07:45:00Z"), until: now });
        for wrong in ["", "m", "15", "1w", "-1h"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
