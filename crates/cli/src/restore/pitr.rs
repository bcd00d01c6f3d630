//! `holdfast pitr`: the times that a database can be brought back to, and one of them brought back.

use clap::Args;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::operation::{in_place_since, seconds_between};
use holdfast_core::ports::{RestoreWindow, Restores as _};
use holdfast_core::rds::Instance;
use holdfast_core::request::is_aside;
use holdfast_core::tags;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{How, Restore};
use crate::backup::Output;
use crate::cloud::Cloud;
use crate::deployed::Table;
use crate::ops::list;
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
pub async fn run(args: Pitr, table: Table) -> Result<u8, Error> {
    if args.time.is_none() && !args.latest {
        return show(&args, table).await;
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

async fn show(args: &Pitr, table: Table) -> Result<u8, Error> {
    let usage = |error: holdfast_core::Error| Error::Usage(error.message);
    let database = DatabaseId::parse(&args.database).map_err(usage)?;
    let aws = Aws::of_command(cloud::configuration().await).map_err(usage)?;
    let region = match &args.how.region {
        Some(region) => Region::parse(region).map_err(usage)?,
        None => aws.region().clone(),
    };
    let rds = RdsApi::new(&aws);
    let unreadable = |error: holdfast_core::Error| Error::Unreadable(error.message);
    let mut windows = rds.restore_windows(&region, &database).await.map_err(unreadable)?;
    let (living, aside) = instances(&rds, &region, &database).await.map_err(unreadable)?;
    let exists = living.is_some();
    since_the_swap(&mut windows, living.as_ref(), table).await?;
    let found = Found { windows, exists, aside, database, region };
    match args.how.output {
        Output::Json => println!("{:#}", found.in_json()),
        Output::Table => print!("{}", found.in_words(Timestamp::now())),
    }
    Ok(if !found.windows.is_empty() { exit::SUCCEEDED } else { exit::FAILED })
}

/// Whether the database is there, and the instances that gave their name to what was swapped in, in the order in which they were
/// made: what was written before a swap is in their logs.
async fn instances(
    rds: &RdsApi,
    region: &Region,
    database: &DatabaseId,
) -> holdfast_core::Result<(Option<Instance>, Vec<(DatabaseId, RestoreWindow)>)> {
    let (mut living, mut aside) = (None, Vec::new());
    for instance in rds.instances(region).await? {
        let Ok(id) = DatabaseId::parse(&instance.id) else { continue };
        if id == *database {
            living = Some(instance);
        } else if is_aside(database, &id)
            && let Some(window) = rds.restore_windows(region, &id).await?.into_iter().next()
        {
            aside.push((id, window));
        }
    }
    aside.sort_by_key(|(_, window)| window.earliest);
    Ok((living, aside))
}

/// A log of what a swap put there is the database's since the swap only: before, the name was another instance's.
async fn since_the_swap(
    windows: &mut [RestoreWindow],
    living: Option<&Instance>,
    table: Table,
) -> Result<(), Error> {
    let tagged = |window: &RestoreWindow| {
        let of_it = living.filter(|instance| instance.resource_id == window.resource_id);
        let own = of_it.and_then(|instance| instance.tags.get(tags::OPERATION)).cloned();
        window.operation.as_ref().map(ToString::to_string).or(own)
    };
    if !windows.iter().any(|window| tagged(window).is_some()) {
        return Ok(());
    }
    let cloud = Cloud::from_env(table.name().await?).await;
    for window in windows {
        let Some(operation) = tagged(window) else { continue };
        let record = list::item(&cloud, &operation).await?;
        window.earliest = begins(window, record.as_ref());
    }
    Ok(())
}

/// The first time of a log that is the database's, by the record of the operation that made its instance.
fn begins(window: &RestoreWindow, record: Option<&Value>) -> Timestamp {
    record.and_then(in_place_since).map_or(window.earliest, |since| window.earliest.max(since))
}

/// What can be had of a database.
struct Found {
    database: DatabaseId,
    region: Region,
    /// Of the database, and of instances that had its name and are gone; the furthest first.
    windows: Vec<RestoreWindow>,
    exists: bool,
    aside: Vec<(DatabaseId, RestoreWindow)>,
}

/// A time as it is typed: a whole second that is within.
fn typed(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn from_to(window: &RestoreWindow) -> String {
    format!(
        "  from  {}\n  to    {}",
        moment(&window.earliest.to_string()),
        moment(&window.latest.to_string())
    )
}

impl Found {
    fn in_json(&self) -> serde_json::Value {
        let window = |window: &RestoreWindow| json!({"earliest": window.earliest, "latest": window.latest, "resourceId": window.resource_id});
        let aside = self.aside.iter().map(|(id, of)| {
            let mut json = window(of);
            json["databaseId"] = json!(id);
            json
        });
        json!({"databaseId": self.database, "region": self.region, "exists": self.exists,
               "window": self.windows.first().map(window),
               "earlier": self.windows.iter().skip(1).map(window).collect::<Vec<_>>(),
               "setAside": aside.collect::<Vec<_>>()})
    }

    fn in_words(&self, now: Timestamp) -> String {
        let Found { database, region, windows, exists, .. } = self;
        let Some(window) = windows.first() else {
            let none = format!(
                "There are no automated backups of {database} in {region}: only its snapshots can be restored (holdfast points {database}).\n"
            );
            return none + &self.set_aside();
        };
        let target = if *exists { format!(" --target {database}-before") } else { String::new() };
        let mut text = if *exists {
            String::new()
        } else {
            format!("{database} is gone from {region}; it left its log.\n\n")
        };
        // One backup, and no log behind it yet: the first and the last time are the same.
        if window.latest.as_second() <= window.earliest.as_second() {
            text += &format!(
                "{database} in {region} can be brought back as it was at one moment only, {}: its log has nothing after its first \
                 automated backup yet. RDS adds to it every five minutes or so.\n",
                moment(&window.latest.to_string()),
            );
        } else {
            text += &format!(
                "{database} in {region} can be brought back as it was at any second\n{}  ({} ago)\n\nholdfast pitr {database} --time \
                 {}{target}\n",
                from_to(window),
                duration(seconds_between(window.latest, now)),
                typed(window.latest),
            );
        }
        for earlier in &windows[1..] {
            text += &format!(
                "\nAn instance that had this name before and is gone left its log, too ({})\n{}\n\nholdfast pitr {database} --time \
                 {}{target}\n",
                earlier.resource_id,
                from_to(earlier),
                typed(earlier.latest),
            );
        }
        text + &self.set_aside()
    }

    /// What is suggested is the last moment before what took the name began, not what is in the old instance now.
    fn set_aside(&self) -> String {
        let database = &self.database;
        let mut text = String::new();
        for (place, (id, window)) in self.aside.iter().enumerate() {
            let next = self.aside.get(place + 1).map(|(_, next)| next).or(self.windows.first());
            let next = next
                .map(|next| next.earliest)
                .filter(|time| *time >= window.earliest && *time <= window.latest);
            text += &format!(
                "\nWhat was {database} before a swap is {id} now, and its log has it\n{}\n\nholdfast pitr {id} --time {} --target \
                 {database}-before\n",
                from_to(window),
                typed(next.unwrap_or(window.latest)),
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
        Found { database, region, windows: window.into_iter().collect(), exists: true, aside: vec![] }
    }

    fn window() -> RestoreWindow {
        RestoreWindow {
            resource_id: "db-A".into(),
            operation: None,
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
    fn the_log_of_what_was_swapped_in_begins_with_the_swap() {
        let record = |since: &str| {
            json!({"swap": {"undone": false}, "checkpoints": [{"name": "SWAPPING", "time": "2026-11-13T05:00:00Z"},
                   {"name": "CLEANING_UP", "time": since}]})
        };
        let window = window();
        assert_eq!(begins(&window, Some(&record("2026-11-14T06:00:00Z"))), time("2026-11-14T06:00:00Z"));
        assert_eq!(begins(&window, Some(&record("2026-11-01T06:00:00Z"))), window.earliest);
        assert_eq!(begins(&window, Some(&json!({"restore": {}}))), window.earliest);
        assert_eq!(begins(&window, None), window.earliest);
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
    #[test]
    fn a_log_that_an_instance_left_is_named_and_what_is_gone_needs_no_other_name() {
        let earlier = RestoreWindow {
            resource_id: "db-B".into(),
            operation: None,
            earliest: time("2026-11-10T00:00:00Z"),
            latest: time("2026-11-12T00:00:00Z"),
        };
        let mut found = found(Some(window()));
        found.windows.push(earlier);
        found.exists = false;
        let said = found.in_words(time("2026-11-20T06:00:00.5Z"));
        assert!(said.starts_with("prod-db is gone from us-east-1; it left its log.\n"), "{said}");
        assert!(said.contains("holdfast pitr prod-db --time 2026-11-20T05:55:00Z\n"), "{said}");
        assert!(
            said.contains(
                "left its log, too (db-B)\n  from  2026-11-10 00:00:00Z\n  to    2026-11-12 00:00:00Z\n"
            ),
            "{said}"
        );
        assert_eq!(found.in_json()["earlier"][0]["resourceId"], "db-B");
    }

    #[test]
    fn of_several_swaps_each_is_suggested_as_it_was_when_the_next_began() {
        let mut found = found(Some(RestoreWindow { earliest: time("2026-11-20T04:00:00Z"), ..window() }));
        for (digits, earliest) in [("0", "2026-11-13T06:00:00Z"), ("1", "2026-11-15T06:00:00Z")] {
            let id = DatabaseId::parse(&format!("prod-db-old-{}", digits.repeat(10))).unwrap();
            found.aside.push((id, RestoreWindow { earliest: time(earliest), ..window() }));
        }
        let said = found.in_words(time("2026-11-20T06:00:00.5Z"));
        assert!(said.contains("prod-db-old-0000000000 --time 2026-11-15T06:00:00Z"), "{said}");
        assert!(said.contains("prod-db-old-1111111111 --time 2026-11-20T04:00:00Z"), "{said}");
    }
}
