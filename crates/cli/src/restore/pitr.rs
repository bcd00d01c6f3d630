//! `holdfast pitr`: the times that a database can be brought back to, and one of them brought back.

use clap::Args;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::operation::seconds_between;
use holdfast_core::ports::{RestoreWindow, Restores as _};
use jiff::Timestamp;
use serde_json::json;

use super::{How, Restore};
use crate::backup::Output;
use crate::render::{duration, moment};
use crate::{Error, arguments, cloud, exit};

/// Bring a database back as it was at a time; without one, show the times that can be had.
///
/// The same as `restore --restore-time` and `restore --latest`.
#[derive(Debug, Args)]
pub struct Pitr {
    /// The database; it may be gone, when its automated backups were kept.
    #[arg(value_parser = arguments::database)]
    database: String,
    /// As it was at this time, such as 2026-11-20T05:59:55Z.
    #[arg(long, value_name = "TIME", group = "point", value_parser = arguments::time)]
    time: Option<String>,
    /// As late as the log has it.
    #[arg(long, group = "point")]
    latest: bool,
    #[command(flatten)]
    how: How,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// As `restore`; `Unreadable` when the automated backups cannot be looked at.
pub async fn run(args: Pitr, table: String) -> Result<u8, Error> {
    if args.time.is_none() && !args.latest {
        return show(&args).await;
    }
    let restore = Restore {
        database: args.database,
        snapshot: None,
        at: None,
        restore_time: args.time,
        latest: args.latest,
        how: args.how,
    };
    super::run(restore, table).await
}

async fn show(args: &Pitr) -> Result<u8, Error> {
    let usage = |error: holdfast_core::Error| Error::Usage(error.message);
    let database = DatabaseId::parse(&args.database).map_err(usage)?;
    let aws = Aws::of_command(cloud::configuration().await).map_err(usage)?;
    let region = match &args.how.region {
        Some(region) => Region::parse(region).map_err(usage)?,
        None => aws.region().clone(),
    };
    let window = RdsApi::new(&aws).restore_window(&region, &database).await;
    let window = window.map_err(|error| Error::Unreadable(error.message))?;
    match args.how.output {
        Output::Json => println!("{:#}", in_json(&database, &region, window.as_ref())),
        Output::Table => print!("{}", in_words(&database, &region, window.as_ref(), Timestamp::now())),
    }
    Ok(if window.is_some() { exit::SUCCEEDED } else { exit::FAILED })
}

fn in_json(database: &DatabaseId, region: &Region, window: Option<&RestoreWindow>) -> serde_json::Value {
    let window = window.map(|window| {
        json!({"earliest": window.earliest, "latest": window.latest, "resourceId": window.resource_id})
    });
    json!({"databaseId": database, "region": region, "window": window})
}

fn in_words(
    database: &DatabaseId,
    region: &Region,
    window: Option<&RestoreWindow>,
    now: Timestamp,
) -> String {
    let Some(window) = window else {
        return format!(
            "There are no automated backups of {database} in {region}: only its snapshots can be restored (holdfast points {database}).\n"
        );
    };
    format!(
        "{database} in {region} can be brought back as it was at any second\n  from  {}\n  to    {}  ({} ago)\n\nholdfast pitr {database} \
         --time {} --target {database}-before\n",
        moment(&window.earliest.to_string()),
        moment(&window.latest.to_string()),
        duration(seconds_between(window.latest, now)),
        window.latest.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_that_can_be_had_are_told_with_what_to_type() {
        let database = DatabaseId::parse("prod-db").unwrap();
        let region = Region::parse("us-east-1").unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = RestoreWindow {
            resource_id: "db-A".into(),
            earliest: time("2026-11-13T06:00:00Z"),
            latest: time("2026-11-20T05:55:00.5Z"),
        };
        let text = in_words(&database, &region, Some(&window), time("2026-11-20T06:00:00.5Z"));
        assert_eq!(
            text,
            "prod-db in us-east-1 can be brought back as it was at any second
  from  2026-11-13 06:00:00Z
  to    2026-11-20 05:55:00Z  (5 min 00 s ago)

holdfast pitr prod-db --time 2026-11-20T05:55:00Z --target prod-db-before
"
        );
        let none = in_words(&database, &region, None, Timestamp::UNIX_EPOCH);
        assert!(none.starts_with("There are no automated backups of prod-db in us-east-1"), "{none}");
        assert_eq!(in_json(&database, &region, None)["window"], serde_json::Value::Null);
    }
}
