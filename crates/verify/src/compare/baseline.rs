//! The source around the snapshot: what stood still must be equal, the rest lies within bounds.
//!
//! The snapshot lies somewhere between the reading before and the reading after it. So an object of the schema must be
//! what it was in one of the two; a table whose counters and file are the same in both did not change in between, and
//! must hold exactly what the source held; any other table may have gained at most what was inserted in between and
//! lost at most what was deleted. A large table is read in pieces, one after the other: a row that was updated meanwhile may
//! have been seen in two of them or in none, which makes its bounds as much wider. Counters also count what rolled back transactions did: that makes bounds wider, never
//! too narrow.
//!
//! Counters come late: they have what a session did when it has found time to report it. The reading after the snapshot
//! waits for that, and names the sessions that had no occasion. While there is one, or one that cannot be seen, a table
//! that is not what its counters make of it is neither wrong nor right: the check could not finish. One that is equal is
//! equal all the same.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::validation::{
    Baseline, Counters, Coverage, DatabaseReading, Manifest, Reading, Session, TableManifest,
};

use super::exact::table_difference;
use crate::Options;
use crate::catalog;
use crate::ending::{Ending, count, name_some};
use crate::job::Task;
use crate::plan::Plan;

/// Names in a note; more are counted.
const NAMES_SHOWN: usize = 10;

/// An estimate of the source's statistics may be this much above the truth before it is a reason to doubt.
const ESTIMATE_SLACK_ROWS: u64 = 1000;

/// A session that was idle when the snapshot was complete has reported by the reading after it, which is taken more than
/// this and [`IDLE_SECONDS`] later; one that has been in a transaction for longer than this by then may not have.
const REPORTED_WITHIN_SECONDS: u64 = crate::COUNTERS_SETTLE_SECONDS as u64 - IDLE_SECONDS;

/// A session that is idle for so long reports (`PGSTAT_IDLE_INTERVAL` of `pgstat.c`).
const IDLE_SECONDS: u64 = 10;

/// Holds what was restored against what the source was.
pub(crate) fn compare(plan: &Plan, manifest: &Manifest, source: &Baseline, options: &Options) -> Ending {
    let mut ending = Ending::default();
    let (Some(before), Some(after)) = (&source.before, &source.after) else {
        let which = if source.before.is_none() { "before" } else { "after" };
        ending.unfinished(
            "the source",
            format!("was not read {which} the snapshot, so nothing can be held against it"),
        );
        return ending;
    };
    if major(&before.server_version) != major(&manifest.server_version) {
        ending.unfinished(
            "the source",
            format!("ran PostgreSQL {}, and this is {}", before.server_version, manifest.server_version),
        );
        return ending;
    }
    let names: BTreeSet<&String> = before.databases.keys().chain(after.databases.keys()).collect();
    let mut tally = Tally::default();
    for name in names {
        let database = Database {
            name,
            before: before.databases.get(name),
            after: after.databases.get(name),
            counters_last: counters_last(before, after, name),
            unreported: unreported(before, after, name),
            unlogged: unlogged(plan, name),
            in_pieces: source.in_pieces.get(name),
        };
        match manifest.databases.get(name) {
            Some(now) => {
                if options.checks.schema != Coverage::Off {
                    database.schema(&mut ending, &now.objects);
                }
                let read = source.manifest.as_ref().and_then(|source| source.databases.get(name));
                database.tables(&mut ending, &mut tally, &now.tables, read.map(|read| &read.tables));
            }
            // Created or dropped while the snapshot was taken: either is right.
            None if database.before.is_none() || database.after.is_none() => {}
            None if plan.databases.contains_key(name) || plan.closed.contains(name) => {
                ending.unfinished(name, "could not be read here, so it cannot be held against the source");
            }
            None => ending.wrong(name, "the source has this database, and it is not here"),
        }
    }
    for name in manifest.databases.keys() {
        if !before.databases.contains_key(name) && !after.databases.contains_key(name) {
            ending.wrong(name, "the database is here and was not on the source");
        }
    }
    tally.describe(&mut ending, source.manifest.is_some());
    ending
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// Whether counters of both readings can be subtracted: no reset and no restart in between.
fn counters_last(before: &Reading, after: &Reading, database: &str) -> bool {
    let reset =
        |reading: &Reading| reading.databases.get(database).and_then(|read| read.statistics_reset.clone());
    before.started_at == after.started_at && reset(before) == reset(after)
}

/// Why the counters may miss what was committed between the first reading and the snapshot, if so.
fn unreported(before: &Reading, after: &Reading, database: &str) -> Option<String> {
    let read = after.databases.get(database)?;
    // A transaction that was open at the first reading already: what its session did before, both readings miss or have,
    // and what it does itself is in no snapshot while it is open.
    let late = |session: &&Session| session.began >= before.at && session.seconds >= REPORTED_WITHIN_SECONDS;
    let keeping = read.sessions.iter().filter(late).count() as u64;
    if keeping > 0 {
        let sessions = count(keeping, "session", "sessions");
        return Some(format!("{sessions} may not have reported all they did before the snapshot"));
    }
    (read.hidden_sessions > 0).then(|| {
        let sessions = count(read.hidden_sessions, "session", "sessions");
        format!(
            "what {sessions} did may not be reported yet, and the reader may not see it (GRANT pg_monitor)"
        )
    })
}

fn unlogged<'a>(plan: &'a Plan, database: &str) -> BTreeSet<&'a str> {
    let units = plan.units.iter().filter(|unit| unit.database == database);
    let jobs = units.flat_map(|unit| &unit.jobs);
    jobs.filter(|job| matches!(&job.task, Task::Content(task) if task.unlogged))
        .map(|job| &*job.object)
        .collect()
}

/// What was compared how.
#[derive(Default)]
struct Tally {
    equal: u64,
    within: u64,
    still: u64,
    unknown: Vec<String>,
    unlogged: Vec<String>,
}

impl Tally {
    fn describe(&self, ending: &mut Ending, full: bool) {
        if full {
            ending.note(format!(
                "{} that stood still held against the source's rows, {} within the bounds of what changed",
                count(self.equal, "table", "tables"),
                self.within
            ));
        } else {
            ending.note(format!(
                "schema held against the source; {} stood still (its rows were not read: depth catalog)",
                count(self.still, "table", "tables")
            ));
        }
        if !self.unlogged.is_empty() {
            ending
                .note(format!("unlogged, emptied by a restore: {}", name_some(&self.unlogged, NAMES_SHOWN)));
        }
        if !self.unknown.is_empty() {
            ending.note(format!(
                "what changed on the source in between cannot be told; only rows that cannot be are wrong: {}",
                name_some(&self.unknown, NAMES_SHOWN)
            ));
        }
    }
}

/// How a table moved between the readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// Not at all.
    Still,
    /// At most so many rows are more than were read, and so many fewer.
    Within { more: u64, fewer: u64 },
    /// Its file was replaced (TRUNCATE, a rewrite): anything may be gone, and no more than this came.
    Replaced { inserted: u64 },
    /// It cannot be known: the statistics began anew, or the file was replaced while it was read in pieces.
    Unknown,
}

struct Database<'a> {
    name: &'a str,
    before: Option<&'a DatabaseReading>,
    after: Option<&'a DatabaseReading>,
    counters_last: bool,
    /// Why the counters may be late.
    unreported: Option<String>,
    unlogged: BTreeSet<&'a str>,
    /// Tables that were not read in one snapshot.
    in_pieces: Option<&'a BTreeSet<String>>,
}

impl Database<'_> {
    /// Every object is what it was before, or what it was after.
    fn schema(&self, ending: &mut Ending, now: &catalog::Objects) {
        let (Some(before), Some(after)) = (self.before, self.after) else { return };
        // An object that is what it was after the snapshot is right, too.
        let mut expected = before.objects.clone();
        let mut drifted = Vec::new();
        for difference in catalog::differences(&before.objects, &after.objects) {
            drifted.push(format!("{}: {}", difference.object, difference.message));
        }
        let identities: BTreeSet<&String> = before.objects.keys().chain(after.objects.keys()).collect();
        for identity in identities {
            let (was, became, is) =
                (before.objects.get(identity), after.objects.get(identity), now.get(identity));
            let hash = |object: Option<&holdfast_core::validation::ObjectManifest>| {
                object.map(|object| object.hash.clone())
            };
            if hash(was) != hash(became) && hash(is) == hash(became) {
                match became {
                    Some(object) => expected.insert(identity.clone(), object.clone()),
                    None => expected.remove(identity),
                };
            }
        }
        for difference in catalog::differences(&expected, now) {
            ending.wrong(
                format!("{}: {}", self.name, difference.object),
                format!("{} (the source's is first)", difference.message),
            );
        }
        if !drifted.is_empty() {
            ending.note(format!(
                "{}: {} of the source's schema while the snapshot was taken: {}",
                self.name,
                count(drifted.len() as u64, "change", "changes"),
                name_some(&drifted, NAMES_SHOWN)
            ));
        }
    }

    fn moved(&self, table: &str) -> Moved {
        let counters = |reading: Option<&DatabaseReading>| -> Option<Counters> {
            reading.and_then(|reading| reading.counters.get(table)).cloned()
        };
        let (Some(before), Some(after)) = (counters(self.before), counters(self.after)) else {
            // Created or dropped in between.
            return Moved::Unknown;
        };
        let grew = after.inserted >= before.inserted
            && after.updated >= before.updated
            && after.deleted >= before.deleted;
        if !self.counters_last || !grew {
            return Moved::Unknown;
        }
        let inserted = after.inserted - before.inserted;
        let deleted = after.deleted - before.deleted;
        let updated = after.updated - before.updated;
        let in_pieces = self.in_pieces.is_some_and(|tables| tables.contains(table));
        if after.file_node != before.file_node {
            return if in_pieces { Moved::Unknown } else { Moved::Replaced { inserted } };
        }
        if inserted == 0 && deleted == 0 && updated == 0 {
            return Moved::Still;
        }
        let astray = if in_pieces { updated } else { 0 };
        Moved::Within { more: inserted + astray, fewer: deleted + astray }
    }

    fn tables(
        &self,
        ending: &mut Ending,
        tally: &mut Tally,
        now: &BTreeMap<String, TableManifest>,
        read: Option<&BTreeMap<String, TableManifest>>,
    ) {
        let Some(before) = self.before else { return };
        for (table, counters) in &before.counters {
            let object = format!("{}.{table}", self.name);
            if self.unlogged.contains(table.as_str()) {
                tally.unlogged.push(object);
                continue;
            }
            // A table that is gone is the schema's to tell, one that was not read its own check's.
            let Some(is) = now.get(table) else { continue };
            match read {
                Some(read) => match read.get(table) {
                    Some(was) => self.against_rows(ending, tally, table, was, is),
                    None => ending.unfinished(
                        object,
                        "was not read on the source, so its rows cannot be held against it",
                    ),
                },
                None => self.against_estimate(ending, tally, table, counters, is),
            }
        }
    }

    /// The source was read in full.
    fn against_rows(
        &self,
        ending: &mut Ending,
        tally: &mut Tally,
        table: &str,
        was: &TableManifest,
        is: &TableManifest,
    ) {
        let object = format!("{}.{table}", self.name);
        let (least, most) = match self.moved(table) {
            Moved::Still => {
                match table_difference(was, is) {
                    Some(message) => {
                        self.contradicted(ending, object, message, "though nothing changed on the source");
                    }
                    None => tally.equal += 1,
                }
                return;
            }
            Moved::Within { more, fewer } => (was.rows.saturating_sub(fewer), was.rows + more),
            Moved::Replaced { inserted } => (0, was.rows + inserted),
            Moved::Unknown => {
                tally.unknown.push(object);
                return;
            }
        };
        if (least..=most).contains(&is.rows) {
            tally.within += 1;
            return;
        }
        let message = format!("holds {} rows; the source held {}", is.rows, was.rows);
        let why = format!("and what changed in between allows {least} to {most}");
        self.contradicted(ending, object, message, &why);
    }

    /// A table is not what the counters make of it: wrong, unless the counters may be. Then nothing is known, and unknown
    /// is not success.
    fn contradicted(&self, ending: &mut Ending, object: String, message: String, why: &str) {
        match &self.unreported {
            None => ending.wrong(object, format!("{message}, {why}")),
            Some(reason) => ending.unfinished(
                object,
                format!("{message}; the counters cannot tell whether the source changed: {reason}"),
            ),
        }
    }

    /// Only the source's statistics are known: enough to doubt, not to prove.
    fn against_estimate(
        &self,
        ending: &mut Ending,
        tally: &mut Tally,
        table: &str,
        counters: &Counters,
        is: &TableManifest,
    ) {
        if self.moved(table) != Moved::Still {
            return;
        }
        tally.still += 1;
        if counters.live_estimate > is.rows.saturating_mul(2).saturating_add(ESTIMATE_SLACK_ROWS) {
            ending.unfinished(
                format!("{}.{table}", self.name),
                format!(
                    "holds {} rows where the source's statistics speak of about {}: take the baseline with depth full",
                    is.rows, counters.live_estimate
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use holdfast_core::validation::{BaselineDepth, Check, CheckResult, DatabaseManifest, ObjectManifest};

    use super::*;

    fn counters(inserted: u64, deleted: u64) -> Counters {
        Counters { inserted, deleted, file_node: 1, live_estimate: inserted - deleted, ..Counters::default() }
    }

    fn objects(definition: &str) -> catalog::Objects {
        let text = serde_json::json!(definition);
        let object = ObjectManifest {
            hash: definition.into(),
            definition: BTreeMap::from([("type".to_owned(), text)]),
        };
        BTreeMap::from([("column public.t.a".to_owned(), object)])
    }

    fn reading(definition: &str, table: Counters) -> Reading {
        let database = DatabaseReading {
            schema_hash: definition.into(),
            objects: objects(definition),
            counters: BTreeMap::from([("public.t".to_owned(), table)]),
            ..DatabaseReading::default()
        };
        Reading {
            at: "2026-11-21T00:00:00Z".into(),
            server_version: "15.4".into(),
            started_at: "yesterday".into(),
            databases: BTreeMap::from([("shop".to_owned(), database)]),
        }
    }

    fn manifest(definition: &str, rows: u64, fingerprint: &str) -> Manifest {
        let table = TableManifest { rows, fingerprint: fingerprint.into(), ..TableManifest::default() };
        let database = DatabaseManifest {
            schema_hash: definition.into(),
            objects: objects(definition),
            tables: BTreeMap::from([("public.t".to_owned(), table)]),
        };
        Manifest {
            algorithm: crate::ALGORITHM.into(),
            server_version: "15.4".into(),
            taken_at: None,
            databases: BTreeMap::from([("shop".to_owned(), database)]),
        }
    }

    fn held(source: &Baseline, now: &Manifest) -> Check {
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "algorithm": crate::ALGORITHM, "checks": [], "open": [], "databases": {}, "closed": [], "listed": true,
            "notChecked": [], "units": [],
            "facts": {"serverVersion": "15.4", "version": 150004, "checksums": true, "hidesDamage": false,
                      "blockSize": 8192, "now": "2026-11-21T00:00:00Z"}
        }))
        .unwrap();
        let ending = compare(&plan, now, source, &Options::default());
        ending.into_check("against-baseline", "instance", Instant::now())
    }

    fn full(before: Reading, after: Reading, was: Manifest) -> Baseline {
        Baseline {
            depth: BaselineDepth::Full,
            before: Some(before),
            after: Some(after),
            manifest: Some(was),
            ..Baseline::default()
        }
    }

    #[test]
    fn what_stood_still_must_be_equal() {
        let still =
            full(reading("int", counters(10, 0)), reading("int", counters(10, 0)), manifest("int", 10, "x"));
        assert_eq!(held(&still, &manifest("int", 10, "x")).result, CheckResult::Passed);
        let check = held(&still, &manifest("int", 10, "y"));
        assert_eq!(check.result, CheckResult::Failed);
        assert_eq!(check.findings[0].object, "shop.public.t");
        assert_eq!(held(&still, &manifest("int", 9, "y")).result, CheckResult::Failed);
    }

    #[test]
    fn what_moved_lies_within_its_bounds() {
        // 5 inserted and 2 deleted in between: 8 to 15 rows.
        let moved =
            full(reading("int", counters(10, 0)), reading("int", counters(15, 2)), manifest("int", 10, "x"));
        for (rows, result) in [
            (7, CheckResult::Failed),
            (8, CheckResult::Passed),
            (15, CheckResult::Passed),
            (16, CheckResult::Failed),
        ] {
            assert_eq!(held(&moved, &manifest("int", rows, "y")).result, result, "{rows}");
        }
        // A file that was replaced may have lost everything.
        let mut after = counters(15, 0);
        after.file_node = 2;
        let replaced = full(reading("int", counters(10, 0)), reading("int", after), manifest("int", 10, "x"));
        assert_eq!(held(&replaced, &manifest("int", 0, "y")).result, CheckResult::Passed);
        assert_eq!(held(&replaced, &manifest("int", 16, "y")).result, CheckResult::Failed);
    }

    #[test]
    fn what_was_read_in_pieces_may_have_been_counted_astray() {
        // 5 inserted, 2 deleted, 3 updated in between: an updated row may have been seen twice or not at all.
        let (before, mut after) = (counters(10, 0), counters(15, 2));
        after.updated = before.updated + 3;
        let pieces = |after: Counters| Baseline {
            in_pieces: BTreeMap::from([("shop".to_owned(), BTreeSet::from(["public.t".to_owned()]))]),
            ..full(reading("int", before.clone()), reading("int", after), manifest("int", 10, "x"))
        };
        for (rows, result) in [
            (4, CheckResult::Failed),
            (5, CheckResult::Passed),
            (18, CheckResult::Passed),
            (19, CheckResult::Failed),
        ] {
            assert_eq!(held(&pieces(after.clone()), &manifest("int", rows, "y")).result, result, "{rows}");
            let whole = Baseline { in_pieces: BTreeMap::new(), ..pieces(after.clone()) };
            assert_eq!(held(&whole, &manifest("int", rows, "y")).result, CheckResult::Failed, "{rows}");
        }
        // Pages of two files add up to nothing.
        let check = held(&pieces(Counters { file_node: 2, ..after }), &manifest("int", 99, "y"));
        assert_eq!(check.result, CheckResult::Passed);
        assert!(check.reason.unwrap().contains("cannot be told"));
        // What stood still is equal or wrong, however it was read.
        assert_eq!(held(&pieces(before.clone()), &manifest("int", 10, "y")).result, CheckResult::Failed);
        assert_eq!(held(&pieces(before.clone()), &manifest("int", 10, "x")).result, CheckResult::Passed);
    }

    /// What is said of a copy with another fingerprint, or with rows beyond the bounds, when this session is there.
    fn suspected(began: &str, seconds: u64, hidden: u64) -> [Check; 2] {
        let (still, moved) = (counters(10, 0), counters(15, 2));
        [(still, 10), (moved, 99)].map(|(after, rows)| {
            let mut after = reading("int", after);
            let database = after.databases.get_mut("shop").unwrap();
            database.sessions = vec![Session { began: began.into(), seconds }];
            database.hidden_sessions = hidden;
            let source = full(reading("int", counters(10, 0)), after, manifest("int", 10, "x"));
            let equal = held(&source, &manifest("int", 10, "x"));
            assert_eq!(equal.result, CheckResult::Passed, "what is equal needs no counters");
            held(&source, &manifest("int", rows, "y"))
        })
    }

    #[test]
    fn counters_that_may_be_late_prove_nothing() {
        // A session that had no occasion to report since a time between the first reading and the snapshot.
        for check in suspected("2026-11-21T00:10:00Z", 60, 0) {
            assert_eq!((check.result, check.findings.len()), (CheckResult::Errored, 1), "{check:#?}");
            assert_eq!(check.findings[0].object, "shop.public.t");
            assert!(check.findings[0].message.contains("1 session may not have reported"), "{check:#?}");
        }
        // One that cannot be seen.
        for check in suspected("2026-11-20T00:00:00Z", 60, 2) {
            assert_eq!(check.result, CheckResult::Errored, "{check:#?}");
            assert!(check.findings[0].message.contains("GRANT pg_monitor"), "{check:#?}");
        }
    }

    #[test]
    fn a_session_that_has_nothing_to_report_excuses_nothing() {
        // In a transaction since before the first reading, or since after the snapshot.
        for (began, seconds) in [("2026-11-20T23:59:59Z", 9000), ("2026-11-21T00:10:00Z", 59)] {
            for check in suspected(began, seconds, 0) {
                assert_eq!(check.result, CheckResult::Failed, "{began}");
            }
        }
    }

    #[test]
    fn counters_that_began_anew_prove_nothing() {
        let mut after = reading("int", counters(10, 0));
        after.started_at = "today".into();
        let restarted = full(reading("int", counters(10, 0)), after, manifest("int", 10, "x"));
        let check = held(&restarted, &manifest("int", 3, "y"));
        assert_eq!(check.result, CheckResult::Passed);
        assert!(check.reason.unwrap().contains("cannot be told"));
    }

    #[test]
    fn an_object_is_what_it_was_before_or_after() {
        let drift =
            full(reading("int", counters(1, 0)), reading("bigint", counters(1, 0)), manifest("int", 1, "x"));
        assert_eq!(held(&drift, &manifest("int", 1, "x")).result, CheckResult::Passed);
        assert_eq!(held(&drift, &manifest("bigint", 1, "x")).result, CheckResult::Passed);
        let check = held(&drift, &manifest("text", 1, "x"));
        assert_eq!(check.result, CheckResult::Failed);
        assert!(check.findings[0].object.contains("column public.t.a"));
    }

    #[test]
    fn a_baseline_with_a_hole_is_not_a_pass() {
        let mut half =
            full(reading("int", counters(1, 0)), reading("int", counters(1, 0)), manifest("int", 1, "x"));
        half.after = None;
        assert_eq!(held(&half, &manifest("int", 1, "x")).result, CheckResult::Errored);
        let mut hole =
            full(reading("int", counters(1, 0)), reading("int", counters(1, 0)), manifest("int", 1, "x"));
        hole.manifest.as_mut().unwrap().databases.get_mut("shop").unwrap().tables.clear();
        assert_eq!(held(&hole, &manifest("int", 1, "x")).result, CheckResult::Errored);
    }

    #[test]
    fn an_estimate_is_enough_to_doubt() {
        let mut source = full(
            reading("int", counters(9000, 0)),
            reading("int", counters(9000, 0)),
            manifest("int", 1, "x"),
        );
        source.manifest = None;
        assert_eq!(held(&source, &manifest("int", 8000, "x")).result, CheckResult::Passed);
        assert_eq!(held(&source, &manifest("int", 10, "x")).result, CheckResult::Errored);
    }
}
