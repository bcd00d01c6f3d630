//! `freshness`: the newest time that the data itself shows, held against the snapshot's own time.
//!
//! A value that is later than the snapshot is no sign of life (`9999-12-31`, a date in a calendar, a wrong clock), so
//! it is counted and left out; so are infinity and years that RFC 3339 cannot write.

use holdfast_core::validation::{Coverage, Freshness, FreshnessColumn};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::Options;
use crate::ending::{Ending, count};
use crate::instance::Facts;
use crate::job::{Job, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::ranges::{Heap, Share, heaps_of, shares};
use crate::relations::literal;
use crate::session::{Session, Trouble};
use crate::types;

/// Name of the check.
pub(crate) const CHECK: &str = "freshness";

/// How far the data's clock may be ahead of the snapshot's, in minutes.
const CLOCK_MINUTES: i64 = 5;

/// Fixed in width, so that the greatest text is the latest time.
const RFC_3339: &str = "YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"";

/// One column, on some pages of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The column, quoted.
    pub column: String,
    /// Its type, or the one under it: `date`, `timestamp`, `timestamptz`.
    type_name: String,
    /// What is later than this does not count (UTC).
    until: String,
    /// The table that is read: the one that was named, or a part of it.
    pub heap: String,
    /// Which pages of it.
    pub share: Share,
}

/// Finds the columns of one database.
pub(crate) async fn plan(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    freshness: &Freshness,
) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let Ok(snapshot) = snapshot_time(scope.options, scope.facts) else {
        planned.ending.unfinished("the snapshot's time", "is not a time as RFC 3339 writes it");
        return Ok(planned);
    };
    let until = snapshot.saturating_add(SignedDuration::from_mins(CLOCK_MINUTES));
    let until = until.unwrap_or(Timestamp::MAX).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
    for column in &freshness.all_columns() {
        if column.database != scope.database {
            continue;
        }
        let object = format!("{}.{}", column.table, column.column);
        match find(session, column).await? {
            Found::Nothing(what) => planned.ending.wrong(object, format!("{what} is not there")),
            Found::Unfit(reason) => planned.ending.unfinished(object, reason),
            Found::Column(row) => {
                for heap in Heap::list(&row, 4)? {
                    let object = format!("{}.{}", heap.name, row.get::<_, &str>(2));
                    if !heap.is_here() {
                        let reason = "a foreign table: its rows are elsewhere";
                        planned.not_checked.push((Some(object), reason.into()));
                        continue;
                    }
                    for (share, bytes) in shares(scope, heap.bytes, Coverage::Full).0 {
                        let task = Task {
                            column: row.get(2),
                            type_name: row.get(3),
                            until: until.clone(),
                            heap: heap.name.clone(),
                            share,
                        };
                        let (check, object) = (CHECK.into(), object.clone());
                        planned.jobs.push(Job { check, object, bytes, task: AnyTask::Freshness(task) });
                    }
                }
            }
        }
    }
    Ok(planned)
}

/// What the input's names lead to.
enum Found {
    /// Table kind, table, column, type, heaps.
    Column(Row),
    Nothing(&'static str),
    Unfit(String),
}

/// Looks a column up by its names as PostgreSQL would write them, or as they are.
async fn find(session: &mut Session<'_>, column: &FreshnessColumn) -> Result<Found, Trouble> {
    let Some(table) = table(session, &column.table).await? else {
        return Ok(Found::Nothing("the table that should show how new the data is"));
    };
    let name = literal(&column.column);
    let sql = format!(
        "SELECT c.relkind::text, format('%I.%I', n.nspname, c.relname), quote_ident(a.attname),
                {}::regtype::text, {}
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE c.oid = {table} AND a.attnum > 0 AND NOT a.attisdropped
            AND (a.attname = {name} OR quote_ident(a.attname) = {name} OR a.attname = lower({name}))
          ORDER BY a.attname = {name} DESC, quote_ident(a.attname) = {name} DESC LIMIT 1",
        types::under_domains("a.atttypid"),
        heaps_of("c.oid")
    );
    let Some(row) = session.query(&sql).await?.into_iter().next() else {
        return Ok(Found::Nothing("the column that should show how new the data is"));
    };
    let (kind, type_name): (&str, &str) = (row.get(0), row.get(3));
    if !matches!(kind, "r" | "p" | "m") {
        return Ok(Found::Unfit("is no table: name the table that has the rows".into()));
    }
    let known = ["date", "timestamp without time zone", "timestamp with time zone"];
    if !known.contains(&type_name) {
        let reason = format!("is of type {type_name}, and not date, timestamp or timestamptz");
        return Ok(Found::Unfit(reason));
    }
    Ok(Found::Column(row))
}

/// The table's OID. The exact name comes first: `to_regclass` folds what is not quoted.
async fn table(session: &mut Session<'_>, name: &str) -> Result<Option<u32>, Trouble> {
    let name = literal(name);
    let exact = format!(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE format('%s.%s', n.nspname, c.relname) = {name} OR format('%I.%I', n.nspname, c.relname) = {name}
          ORDER BY format('%I.%I', n.nspname, c.relname) = {name} DESC LIMIT 1"
    );
    if let Some(row) = session.query(&exact).await?.first() {
        return Ok(Some(row.get(0)));
    }
    match session.query_one(&format!("SELECT to_regclass({name})::oid")).await {
        Ok(row) => Ok(row.get(0)),
        // What is no name at all is the name of nothing.
        Err(Trouble::Other(_) | Trouble::Missing(_)) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// Asks some pages for their newest value.
pub(crate) async fn run(
    session: &mut Session<'_>,
    object: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    let Task { column, type_name, until, heap, share } = task;
    let (from, here) = share.of(heap, "t");
    let counts = format!("t.{column} >= '0001-01-01'::{type_name} AND t.{column} <= '{until}'::{type_name}");
    let sql = format!(
        "SELECT count(*), to_char((max(t.{column}) FILTER (WHERE {counts}))::timestamp, '{RFC_3339}'),
                count(t.{column}) FILTER (WHERE NOT ({counts}))
           FROM {from} WHERE {here}"
    );
    let row = session.query_heap(&sql).await?;
    work.rows = row.get::<_, i64>(0).unsigned_abs();
    work.newest = row.get(1);
    let left_out = row.get::<_, i64>(2).unsigned_abs();
    if left_out > 0 {
        let values = count(left_out, "value", "values");
        work.ending.note(format!(
            "{object}: {values}{} later than the snapshot by more than {CLOCK_MINUTES} min, or no time of a calendar, not counted",
            share.place()
        ));
    }
    Ok(())
}

/// The snapshot's own time; without one, the server's.
pub(crate) fn snapshot_time(options: &Options, facts: &Facts) -> Result<Timestamp, jiff::Error> {
    options.snapshot_time.as_deref().unwrap_or(&facts.now).parse()
}

/// Holds the newest of all against the snapshot's time and the objective.
pub(crate) fn judge(ending: &mut Ending, options: &Options, facts: &Facts, newest: Option<&str>) {
    let (Some(freshness), Ok(snapshot)) = (&options.checks.freshness, snapshot_time(options, facts)) else {
        return;
    };
    let Some(newest) = newest else {
        // What is missing or was not read has been said already.
        if ending.is_clean() {
            ending.wrong("the data", "no row shows a time up to the snapshot's");
        }
        return;
    };
    let Ok(time) = newest.parse::<Timestamp>() else {
        return ending.unfinished("the data", "the newest time is none as RFC 3339 writes it");
    };
    let seconds = snapshot.duration_since(time).as_secs();
    if seconds as f64 > freshness.max_age_minutes * 60.0 {
        return doubt(
            ending,
            format!(
                "the newest time in the data is {} before the snapshot; at most {} min are allowed",
                duration(seconds),
                freshness.max_age_minutes
            ),
        );
    }
    ending.note(if seconds < 0 {
        format!("the newest time in the data is {} after the snapshot", duration(-seconds))
    } else {
        format!("the newest time in the data is {} before the snapshot", duration(seconds))
    });
}

/// Too old is wrong only when everything was read: what is left may be newer.
fn doubt(ending: &mut Ending, message: String) {
    if ending.is_finished() {
        ending.wrong("the data", message);
    } else {
        ending.unfinished("the data", format!("as far as it was read, {message}"));
    }
}

/// `3 h 12 min`.
fn duration(seconds: i64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let (days, hours) = (hours / 24, hours % 24);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use holdfast_core::validation::{CheckResult, CheckSettings};

    use super::*;

    fn judged(newest: Option<&str>, unfinished: bool) -> holdfast_core::validation::Check {
        let freshness = Freshness { columns: vec![], heartbeat: None, max_age_minutes: 60.0 };
        let options = Options {
            checks: CheckSettings { freshness: Some(freshness), ..CheckSettings::default() },
            snapshot_time: Some("2026-05-01T12:00:00Z".into()),
            ..Options::default()
        };
        let facts = Facts {
            server_version: "15.4".into(),
            version: 150_004,
            checksums: true,
            hides_damage: false,
            block_size: 8192,
            now: "2030-01-01T00:00:00.000000Z".into(),
        };
        let mut ending = Ending::default();
        if unfinished {
            ending.unfinished("public.t.at", "permission denied");
        }
        judge(&mut ending, &options, &facts, newest);
        ending.into_check(CHECK, "instance", Instant::now())
    }

    #[test]
    fn the_newest_time_is_held_against_the_snapshot() {
        assert_eq!(judged(Some("2026-05-01T11:00:00.000000Z"), false).result, CheckResult::Passed);
        let old = judged(Some("2026-05-01T08:48:00.000000Z"), false);
        assert_eq!(old.result, CheckResult::Failed);
        assert!(
            old.findings[0].message.contains("3 h 12 min before the snapshot; at most 60 min"),
            "{old:?}"
        );
        assert_eq!(judged(None, false).result, CheckResult::Failed);
        let ahead = judged(Some("2026-05-01T12:03:00.000000Z"), false);
        assert_eq!(ahead.result, CheckResult::Passed);
        assert!(ahead.reason.unwrap().contains("3 min after the snapshot"));
    }

    #[test]
    fn what_was_not_read_may_be_newer() {
        assert_eq!(judged(None, true).result, CheckResult::Errored);
        assert_eq!(judged(Some("2020-01-01T00:00:00.000000Z"), true).result, CheckResult::Errored);
    }

    #[test]
    fn a_duration_is_told_in_two_units() {
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3 * 3600 + 12 * 60 + 5), "3 h 12 min");
        assert_eq!(duration(3 * 86_400 + 3600), "3 d 1 h");
    }
}
