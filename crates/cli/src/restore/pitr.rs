//! `holdfast pitr`: the times that a database can be brought back to, and one of them brought back.

use std::cmp::Reverse;

use clap::Args;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::operation::seconds_between;
use holdfast_core::ports::{RestoreWindow, Restores as _};
use holdfast_core::request::is_aside;
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
    let rds = RdsApi::new(&aws);
    let unreadable = |error: holdfast_core::Error| Error::Unreadable(error.message);
    let window = rds.restore_window(&region, &database).await.map_err(unreadable)?;
    let found = Found {
        window,
        aside: set_aside(&rds, &region, &database).await.map_err(unreadable)?,
        database,
        region,
    };
    match args.how.output {
        Output::Json => println!("{:#}", found.in_json()),
        Output::Table => print!("{}", found.in_words(Timestamp::now())),
    }
    Ok(if found.window.is_some() { exit::SUCCEEDED } else { exit::FAILED })
}

/// The instances that gave their name to what was swapped in: what was written before that is in their logs.
async fn set_aside(
    rds: &RdsApi,
    region: &Region,
    database: &DatabaseId,
) -> holdfast_core::Result<Vec<(DatabaseId, RestoreWindow)>> {
    let mut found = Vec::new();
    for instance in rds.instances(region).await? {
        let Ok(id) = DatabaseId::parse(&instance.id) else { continue };
        if is_aside(database, &id)
            && let Some(window) = rds.restore_window(region, &id).await?
        {
            found.push((id, window));
        }
    }
    found.sort_by_key(|(_, window)| Reverse(window.latest));
    Ok(found)
}

/// What can be had of a database.
struct Found {
    database: DatabaseId,
    region: Region,
    window: Option<RestoreWindow>,
    aside: Vec<(DatabaseId, RestoreWindow)>,
}

/// The latest second that is wholly within.
fn latest(window: &RestoreWindow) -> String {
    window.latest.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Found {
    fn in_json(&self) -> serde_json::Value {
        let window = self.window.as_ref().map(|window| {
            json!({"earliest": window.earliest, "latest": window.latest, "resourceId": window.resource_id})
        });
        let aside = self.aside.iter().map(|(id, window)| {
            json!({"databaseId": id, "earliest": window.earliest, "latest": window.latest, "resourceId": window.resource_id})
        });
        let aside: Vec<serde_json::Value> = aside.collect();
        json!({"databaseId": self.database, "region": self.region, "window": window, "setAside": aside})
    }

    fn in_words(&self, now: Timestamp) -> String {
        let Found { database, region, window, aside } = self;
        let mut text = match window {
            None => format!(
                "There are no automated backups of {database} in {region}: only its snapshots can be restored (holdfast points {database}).\n"
            ),
            // One backup, and no log behind it yet: the first and the last time are the same.
            Some(window) if window.latest.as_second() <= window.earliest.as_second() => format!(
                "{database} in {region} can be brought back as it was at one moment only, {}: its log has nothing after its first \
                 automated backup yet. RDS adds to it every five minutes or so.\n",
                moment(&window.latest.to_string()),
            ),
            Some(window) => format!(
                "{database} in {region} can be brought back as it was at any second\n  from  {}\n  to    {}  ({} ago)\n\nholdfast pitr \
                 {database} --time {} --target {database}-before\n",
                moment(&window.earliest.to_string()),
                moment(&window.latest.to_string()),
                duration(seconds_between(window.latest, now)),
                latest(window),
            ),
        };
        for (id, window) in aside {
            text += &format!(
                "\nWhat was {database} before a swap is {id} now, and its log has it\n  from  {}\n  to    {}\n\nholdfast pitr {id} \
                 --time {} --target {database}-before\n",
                moment(&window.earliest.to_string()),
                moment(&window.latest.to_string()),
                latest(window),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn found(window: Option<RestoreWindow>) -> Found {
        let (database, region) = (DatabaseId::parse("prod-db").unwrap(), Region::parse("us-east-1").unwrap());
        Found { database, region, window, aside: vec![] }
    }

    fn window() -> RestoreWindow {
        RestoreWindow {
            resource_id: "db-A".into(),
            earliest: time("2026-11-13T06:00:00Z"),
            latest: time("2026-11-20T05:55:00.5Z"),
        }
    }

    #[test]
    fn the_times_that_can_be_had_are_told_with_what_to_type() {
        let now = time("2026-11-20T06:00:00.5Z");
        assert_eq!(
            found(Some(window())).in_words(now),
            "prod-db in us-east-1 can be brought back as it was at any second
  from  2026-11-13 06:00:00Z
  to    2026-11-20 05:55:00Z  (5 min 00 s ago)

holdfast pitr prod-db --time 2026-11-20T05:55:00Z --target prod-db-before
"
        );
        let none = found(None);
        let said = none.in_words(now);
        assert!(said.starts_with("There are no automated backups of prod-db in us-east-1"), "{said}");
        assert_eq!(none.in_json()["window"], serde_json::Value::Null);
    }

    #[test]
    fn a_log_that_begins_with_a_swap_names_the_one_before() {
        let mut found = found(Some(RestoreWindow { earliest: time("2026-11-20T05:55:00Z"), ..window() }));
        found.aside.push((DatabaseId::parse("prod-db-old-0123456789").unwrap(), window()));
        let said = found.in_words(time("2026-11-20T06:00:00.5Z"));
        assert_eq!(
            said,
            "prod-db in us-east-1 can be brought back as it was at one moment only, 2026-11-20 05:55:00Z: its log has nothing after \
             its first automated backup yet. RDS adds to it every five minutes or so.

What was prod-db before a swap is prod-db-old-0123456789 now, and its log has it
  from  2026-11-13 06:00:00Z
  to    2026-11-20 05:55:00Z

holdfast pitr prod-db-old-0123456789 --time 2026-11-20T05:55:00Z --target prod-db-before
"
        );
        assert_eq!(found.in_json()["setAside"][0]["databaseId"], "prod-db-old-0123456789");
    }
}
