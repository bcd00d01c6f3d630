//! `holdfast backup report`: the evidence of one backup, as text, as a page for people, or whole.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_core::validation::NotChecked;
use serde_json::Value;

use super::{Output, describe};
use crate::{
    Error,
    cloud::Cloud,
    deployed::Table,
    exit,
    ops::execution::{self, Looked},
    paint::Paint,
    render::{self, Around},
    summary::{self, Summary},
};

/// Hand out the evidence of a backup: what was checked, what was found, and what was not looked at.
#[derive(Debug, Args)]
pub struct Report {
    /// The operation, such as prod-db-20261120t060000z-3f9a1c2b7d.
    operation_id: String,
    /// Write it as a page to read and print; - writes the page to standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// All of it, as docs/report.schema.json describes it.
    #[arg(long)]
    json: bool,
    /// How it is written: json is the same as --json.
    #[arg(long, value_enum, default_value = "table", conflicts_with_all = ["html", "json"])]
    output: Output,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// When there is no such operation or no report, it cannot be read, or the page cannot be written.
pub async fn run(args: Report, table: Table) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table.name().await?).await;
    let record = match execution::look(&cloud, &args.operation_id).await? {
        Looked::Missing => {
            return Err(Error::NoSuchOperation { id: args.operation_id, table: cloud.table });
        }
        Looked::Open(record, execution) => {
            eprintln!(
                "{} Its report is written when it ends.\n{}",
                describe::standing(&record, &execution),
                execution.next(&args.operation_id)
            );
            return Ok(execution.exit_code());
        }
        Looked::Ended(record) => record,
    };
    let summary =
        record.summary.as_ref().ok_or_else(|| Error::Unreadable("the record has no end".to_owned()))?;
    let place = read_summary(summary)?.report.ok_or_else(|| {
        Error::Unreadable(format!("the record of {} does not say where its report is", args.operation_id))
    })?;
    let report = fetch(&cloud.s3, &place).await?;
    let ended = with_checks(&report)?;
    match (&args.html, args.json || args.output == Output::Json) {
        (Some(file), _) => write_page(&report, file)?,
        (None, true) => println!("{report:#}"),
        (None, false) => {
            let around = Around { state_transitions: None, table: cloud.table };
            print!("{}{}", render::summary(&ended, &around, Paint::for_stdout()), not_checked(&report)?);
        }
    }
    Ok(exit::of_status(ended.status))
}

/// The report as it lies in the metadata bucket.
async fn fetch(s3: &aws_sdk_s3::Client, place: &summary::Report) -> Result<Value, Error> {
    let uri = format!("s3://{}/{}", place.bucket, place.key);
    let answer = match s3.get_object().bucket(&place.bucket).key(&place.key).send().await {
        Ok(answer) => answer,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
            return Err(Error::Unreadable(format!(
                "there is no {uri}: start the same run again, and it is written again from the record"
            )));
        }
        Err(error) => return Err(Error::aws("GetObject", &error)),
    };
    let body = answer.body.collect().await.map_err(|error| Error::aws("GetObject", &error))?;
    serde_json::from_slice(&body.into_bytes())
        .map_err(|error| Error::Unreadable(format!("{uri} cannot be read: {error}")))
}

fn read_summary(json: &Value) -> Result<Summary, Error> {
    serde_json::from_value(json.clone())
        .map_err(|error| Error::Unreadable(format!("the summary cannot be read: {error}")))
}

/// The summary in a report, with every check whole: the report has the list among the details of the validation.
fn with_checks(report: &Value) -> Result<Summary, Error> {
    let mut summary = read_summary(report)?;
    if let (Some(validation), Some(checks)) =
        (&mut summary.validation, report.pointer("/validationDetails/checks"))
    {
        validation.checks = serde_json::from_value(checks.clone()).map_err(|error| {
            Error::Unreadable(format!("the checks in the report cannot be read: {error}"))
        })?;
    }
    Ok(summary)
}

/// What was not looked at, as text; a report that does not say is told from one where it is nothing.
fn not_checked(report: &Value) -> Result<String, Error> {
    let Some(details) = report.get("validationDetails").filter(|details| !details.is_null()) else {
        return Ok("\n  Not checked\n    everything: nothing was restored and looked at\n".to_owned());
    };
    let Some(list) = details.get("notChecked") else {
        return Ok("\n  Not checked\n    this report does not say\n".to_owned());
    };
    let list: Vec<NotChecked> = serde_json::from_value(list.clone())
        .map_err(|error| Error::Unreadable(format!("what was not checked cannot be read: {error}")))?;
    let mut text = "\n  Not checked\n".to_owned();
    for NotChecked { check, scope, object, reason } in &list {
        let object = object.as_ref().map(|object| format!(", {object}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    - {check} of {scope}{object}: {reason}");
    }
    if list.is_empty() {
        text.push_str("    nothing was left out by a check that ran\n");
    }
    Ok(text)
}

/// Writes the page: made here, so that a report of an older version has one too.
fn write_page(report: &Value, file: &Path) -> Result<(), Error> {
    let page = holdfast_report::html(report).map_err(|error| Error::Unreadable(error.to_string()))?;
    let written = if file.as_os_str() == "-" {
        std::io::stdout().lock().write_all(page.as_bytes())
    } else {
        std::fs::write(file, page)
    };
    written.map_err(|error| Error::NotWritten(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
    use aws_sdk_s3::primitives::ByteStream;
    use aws_sdk_s3::types::error::NoSuchKey;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::mocked::client;

    fn place() -> summary::Report {
        summary::Report { bucket: "metadata".into(), key: "reports/op.json".into() }
    }

    fn report() -> Value {
        let check =
            json!({"name": "content", "scope": "shop", "result": "passed", "durationMs": 1, "findings": []});
        json!({"operationId": "op", "databaseId": "prod-db", "status": "SUCCEEDED",
               "validation": {"verdict": "VALID", "issues": [], "databases": ["shop"], "tables": 1, "rows": 2},
               "validationDetails": {"verdict": "VALID", "checks": [check], "notChecked": [
                   {"check": "content", "scope": "shop", "object": "public.logs", "reason": "sampled"},
                   {"check": "indexes", "scope": "shop", "reason": "switched off by the input"}]}})
    }

    #[tokio::test]
    async fn a_report_that_is_not_there_is_told_from_one_that_cannot_be_had() {
        let there = mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|asked| {
                asked.bucket() == Some("metadata") && asked.key() == Some("reports/op.json")
            })
            .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"{\"a\": 1}")).build());
        assert_eq!(fetch(&client!(aws_sdk_s3, &[&there]), &place()).await.unwrap(), json!({"a": 1}));
        let none = mock!(aws_sdk_s3::Client::get_object)
            .then_error(|| GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
        let error = fetch(&client!(aws_sdk_s3, &[&none]), &place()).await.unwrap_err();
        assert!(
            error.to_string().contains("s3://metadata/reports/op.json: start the same run again"),
            "{error}"
        );
        let torn = mock!(aws_sdk_s3::Client::get_object)
            .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"{\"a\": ")).build());
        let error = fetch(&client!(aws_sdk_s3, &[&torn]), &place()).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable(_)), "{error}");
    }

    #[test]
    fn the_text_has_every_check_and_what_was_not_checked() {
        let text = render::summary(&with_checks(&report()).unwrap(), &Around::default(), Paint::PLAIN);
        assert!(text.contains("✔ content  shop"), "{text}");
        assert_eq!(
            not_checked(&report()).unwrap(),
            "\n  Not checked\n    - content of shop, public.logs: sampled\n    - indexes of shop: switched off by the input\n"
        );
        let mut report = report();
        report["validationDetails"]["notChecked"] = json!([]);
        assert!(not_checked(&report).unwrap().contains("nothing was left out"));
        report["validationDetails"].as_object_mut().unwrap().remove("notChecked");
        assert!(not_checked(&report).unwrap().contains("does not say"));
        report["validationDetails"] = Value::Null;
        assert!(not_checked(&report).unwrap().contains("everything"));
    }

    #[test]
    fn a_page_that_cannot_be_made_or_written_is_said() {
        let error = write_page(&report(), Path::new("-")).unwrap_err();
        assert!(error.to_string().contains("cannot be read at"), "{error}");
    }
}
