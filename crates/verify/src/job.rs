//! What there is to do, in pieces: bounded, repeatable, and adding up in any order.
//!
//! A [`Job`] is one piece of one check. Jobs of one database travel together in a [`Unit`], the smallest thing that is
//! done, kept and never done again.

use holdfast_core::validation::NotChecked;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ending::Ending;
use crate::relations;
use crate::session::{Session, Trouble};
use crate::{
    assertions, constraints, content, foreign_keys, freshness, indexes, sequences, storage, uniqueness,
};

/// Pages of a table's main file: from `from` up to and without `to`, or to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// First page.
    pub from: u64,
    /// The page after the last; `None`: to the end of the file, however long it is by now.
    pub to: Option<u64>,
    /// Asked for place by place: how a server without TID range scans is kept from reading the whole file.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub place_by_place: bool,
}

/// Rows that a page of 8 KiB has room for (`MaxHeapTuplesPerPage` of `htup_details.h`).
const PLACES_PER_PAGE: u32 = 291;

/// Pages of 8 KiB that are asked for place by place at once: some 2.4 million places, 14 MiB of the server's memory.
pub(crate) const PAGES_PLACE_BY_PLACE: u64 = 8192;

impl Pages {
    /// The whole file.
    pub(crate) const ALL: Pages = Pages { from: 0, to: None, place_by_place: false };

    /// From a page up to and without another.
    pub(crate) fn between(from: u64, to: u64) -> Pages {
        Pages { from, to: Some(to), place_by_place: false }
    }

    /// Cuts a file of `pages` into ranges of `at_most`; the last one is open.
    pub(crate) fn cut(pages: u64, at_most: u64) -> Vec<Pages> {
        let at_most = at_most.max(1);
        let mut ranges = Vec::new();
        let mut from = 0;
        while from + at_most < pages {
            ranges.push(Pages::between(from, from + at_most));
            from += at_most;
        }
        ranges.push(Pages { from, ..Pages::ALL });
        ranges
    }

    /// Two halves, given how long the file is.
    pub(crate) fn split(self, pages: u64) -> Option<(Pages, Pages)> {
        let end = self.to.unwrap_or(pages);
        let half = self.from + end.saturating_sub(self.from) / 2;
        (half > self.from && half < end)
            .then_some((Pages { to: Some(half), ..self }, Pages { from: half, ..self }))
    }

    /// A condition on `ctid` of the alias, or nothing for the whole file. `table`, quoted, is asked for its size where the
    /// pages are open at the end.
    ///
    /// PostgreSQL 14 and later answer it by a TID range scan, which reads these pages and no others. Place by place, any
    /// version answers by a TID scan: places that hold no row are passed over, pages beyond the end are not looked for.
    pub(crate) fn condition(self, alias: &str, table: &str) -> String {
        if self.place_by_place {
            let last = self.to.map_or_else(
                || {
                    let size = format!(
                        "pg_catalog.pg_relation_size({}::pg_catalog.regclass)",
                        relations::literal(table)
                    );
                    format!("{size} / pg_catalog.current_setting('block_size')::int8 - 1")
                },
                |to| to.saturating_sub(1).to_string(),
            );
            return format!(
                "{alias}.ctid = ANY (ARRAY(SELECT ('(' || page || ',' || place || ')')::pg_catalog.tid
                   FROM pg_catalog.generate_series({}::int8, {last}) AS page,
                        pg_catalog.generate_series(1, {PLACES_PER_PAGE}) AS place))",
                self.from
            );
        }
        let mut parts = Vec::new();
        if self.from > 0 {
            parts.push(format!("{alias}.ctid >= '({},0)'::pg_catalog.tid", self.from));
        }
        if let Some(to) = self.to {
            parts.push(format!("{alias}.ctid < '({to},0)'::pg_catalog.tid"));
        }
        if parts.is_empty() { "true".into() } else { parts.join(" AND ") }
    }
}

/// One piece of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The check it belongs to.
    pub check: String,
    /// What a person would call the object: `public.orders`.
    pub object: String,
    /// Bytes it reads, estimated.
    pub bytes: u64,
    /// What to do.
    pub task: Task,
}

impl Job {
    /// The object and, where it is not the whole, the part of it.
    pub(crate) fn name(&self) -> String {
        match self.task.pages() {
            Some(Pages { from: 0, to: None, .. }) | None => self.object.clone(),
            Some(Pages { from, to: None, .. }) => format!("{} from page {from}", self.object),
            Some(Pages { from, to: Some(to), .. }) => format!("{} pages {from} to {}", self.object, to - 1),
        }
    }
}

/// What to do, one kind per family of checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Task {
    /// Rows counted and fingerprinted.
    Content(content::Task),
    /// Pages read and looked through by `amcheck`.
    Storage(storage::Task),
    /// An index held against its table.
    Index(indexes::Task),
    /// Duplicates under a unique index.
    Uniqueness(uniqueness::Task),
    /// Rows that refer to nothing.
    ForeignKey(foreign_keys::Task),
    /// Rows that violate a constraint.
    Constraint(constraints::Task),
    /// A sequence held against its column.
    Sequence(sequences::Task),
    /// The newest value of a column.
    Freshness(freshness::Task),
    /// The team's own statement.
    Assertion(assertions::Task),
}

impl Task {
    /// The pages it is bounded to, where it can be.
    pub(crate) fn pages(&self) -> Option<Pages> {
        match self {
            Task::Content(task) => Some(task.pages),
            Task::Storage(task) => task.pages,
            Task::ForeignKey(task) => task.share.halvable(),
            Task::Constraint(task) => task.share.halvable(),
            Task::Sequence(task) => task.share.halvable(),
            Task::Freshness(task) => task.share.halvable(),
            Task::Index(task) => task.pages,
            Task::Uniqueness(task) => task.pages,
            Task::Assertion(_) => None,
        }
    }

    /// The same on other pages.
    pub(crate) fn on(&self, pages: Pages) -> Task {
        let mut task = self.clone();
        match &mut task {
            Task::Content(task) => task.pages = pages,
            Task::Storage(task) => task.pages = Some(pages),
            Task::ForeignKey(task) => task.share.pages = pages,
            Task::Constraint(task) => task.share.pages = pages,
            Task::Sequence(task) => task.share.pages = pages,
            Task::Freshness(task) => task.share.pages = pages,
            Task::Index(task) => task.pages = Some(pages),
            Task::Uniqueness(task) => task.pages = Some(pages),
            Task::Assertion(_) => {}
        }
        task
    }

    /// The table whose pages these are, where the job's object is called otherwise.
    pub(crate) fn table(&self) -> Option<&str> {
        match self {
            Task::ForeignKey(task) => Some(&task.child),
            Task::Constraint(task) => Some(&task.table),
            Task::Sequence(task) => Some(&task.heap),
            Task::Freshness(task) => Some(&task.heap),
            Task::Content(_)
            | Task::Storage(_)
            | Task::Index(_)
            | Task::Uniqueness(_)
            | Task::Assertion(_) => None,
        }
    }

    /// Does it.
    pub(crate) async fn run(
        &self,
        session: &mut Session<'_>,
        object: &str,
        work: &mut Work,
    ) -> Result<(), Trouble> {
        match self {
            Task::Content(task) => content::run(session, object, task, work).await,
            Task::Storage(task) => storage::run(session, object, task, work).await,
            Task::Index(task) => indexes::run(session, object, task, work).await,
            Task::Uniqueness(task) => uniqueness::run(session, object, task, work).await,
            Task::ForeignKey(task) => foreign_keys::run(session, object, task, work).await,
            Task::Constraint(task) => constraints::run(session, object, task, work).await,
            Task::Sequence(task) => sequences::run(session, object, task, work).await,
            Task::Freshness(task) => freshness::run(session, object, task, work).await,
            Task::Assertion(task) => assertions::run(session, task, work).await,
        }
    }
}

/// What a piece came to. Two of the same check add up, in any order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Work {
    /// What was found.
    pub ending: Ending,
    /// Rows that were looked at.
    pub rows: u64,
    /// Both halves of the fingerprint, each modulo 2^64.
    pub sums: [u64; 2],
    /// The cryptographic digest, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The newest time seen (RFC 3339, UTC), for freshness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
}

impl Work {
    /// Adds another piece of the same.
    pub(crate) fn add(&mut self, other: Work) {
        self.ending.merge(other.ending);
        self.rows += other.rows;
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.wrapping_add(more);
        }
        match (&mut self.digest, other.digest) {
            (Some(digest), Some(more)) => digest.add(&more),
            (digest @ None, Some(more)) => *digest = Some(more),
            (_, None) => {}
        }
        self.newest = self.newest.take().max(other.newest);
    }
}

/// What was planned for one check of one database.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    /// What is left to do.
    pub jobs: Vec<Job>,
    /// Objects that are not looked at, and why.
    pub not_checked: Vec<(Option<String>, String)>,
    /// What planning alone found.
    pub ending: Ending,
}

impl Planned {
    /// Adds what another part of the same check planned.
    pub(crate) fn add(&mut self, other: Planned) {
        self.jobs.extend(other.jobs);
        self.not_checked.extend(other.not_checked);
        self.ending.merge(other.ending);
    }

    /// Names what is not looked at, for the report.
    pub(crate) fn not_checked_of<'a>(
        &'a self,
        check: &'a str,
        scope: &'a str,
    ) -> impl Iterator<Item = NotChecked> + 'a {
        self.not_checked.iter().map(move |(object, reason)| NotChecked {
            check: check.to_owned(),
            scope: scope.to_owned(),
            object: object.clone(),
            reason: reason.clone(),
        })
    }
}

/// The smallest thing that is done, kept, and never done again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its place in the plan.
    pub id: u32,
    /// The database to connect to.
    pub database: String,
    /// What it takes, in bytes: those that its jobs read, estimated, and for each job what it takes beside them.
    pub bytes: u64,
    /// Its jobs, in order.
    pub jobs: Vec<Job>,
}

impl Unit {
    /// Bytes that its jobs read, estimated.
    pub fn read_bytes(&self) -> u64 {
        self.jobs.iter().map(|job| job.bytes).sum()
    }
}

/// What a unit came to: one result per job, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitResult {
    /// Which unit.
    pub unit: u32,
    /// Per job.
    pub jobs: Vec<JobResult>,
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// What it found.
    pub work: Work,
    /// Wall time, all attempts together.
    pub duration_ms: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[test]
    fn ranges_cover_a_file_without_gap_or_overlap() {
        assert_eq!(Pages::cut(0, 10), [Pages::ALL]);
        assert_eq!(Pages::cut(10, 10), [Pages::ALL]);
        let cut = Pages::cut(25, 10);
        let bounds: Vec<_> = cut.iter().map(|pages| (pages.from, pages.to)).collect();
        assert_eq!(bounds, [(0, Some(10)), (10, Some(20)), (20, None)]);
        assert_eq!(cut[2].split(25), Some((Pages::between(20, 22), Pages { from: 22, ..Pages::ALL })));
        assert_eq!(Pages::between(3, 4).split(25), None);
        assert_eq!(Pages { from: 24, ..Pages::ALL }.split(25), None);
    }

    #[test]
    fn a_range_is_a_condition() {
        assert_eq!(Pages::ALL.condition("t", "public.t"), "true");
        assert_eq!(
            Pages::between(5, 9).condition("t", "public.t"),
            "t.ctid >= '(5,0)'::pg_catalog.tid AND t.ctid < '(9,0)'::pg_catalog.tid"
        );
        let places = |from, to| Pages { from, to, place_by_place: true }.condition("t", "public.\"it's\"");
        assert!(places(5, Some(9)).contains("generate_series(5::int8, 8) AS page"), "{}", places(5, Some(9)));
        // The last piece ends where the file ends by then.
        let open =
            "generate_series(5::int8, pg_catalog.pg_relation_size('public.\"it''s\"'::pg_catalog.regclass)";
        assert!(places(5, None).contains(open), "{}", places(5, None));
    }

    fn work() -> impl Strategy<Value = Work> {
        let newest = proptest::option::of("[0-9]{4}");
        (0..1_u64 << 40, any::<[u64; 2]>(), proptest::collection::vec(any::<u8>(), 0..8), newest).prop_map(
            |(rows, sums, row, newest)| {
                let mut digest = Digest::default();
                digest.add_row(&row);
                Work { rows, sums, newest, digest: Some(digest), ..Work::default() }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pieces_add_up_in_any_order_and_in_any_groups(
            pieces in proptest::collection::vec(work(), 1..8), cut in any::<Index>(), turn in any::<Index>(),
        ) {
            let sum = |pieces: &[Work]| pieces.iter().cloned().fold(Work::default(), |mut sum, piece| {
                sum.add(piece);
                sum
            });
            let whole = sum(&pieces);
            let (left, right) = pieces.split_at(cut.index(pieces.len() + 1));
            let mut groups = sum(right);
            groups.add(sum(left));
            prop_assert_eq!(&groups, &whole);
            let mut turned = pieces.clone();
            turned.rotate_left(turn.index(pieces.len()));
            turned.reverse();
            prop_assert_eq!(&sum(&turned), &whole);
        }

        #[test]
        fn a_file_in_pieces_has_every_page_once(pages in 0_u64..5000, at_most in 1_u64..600, halved in any::<Index>()) {
            let mut pieces = Pages::cut(pages, at_most);
            let place = halved.index(pieces.len());
            if let Some((left, right)) = pieces[place].split(pages) {
                pieces.splice(place..=place, [left, right]);
            }
            prop_assert_eq!(pieces[0].from, 0);
            prop_assert_eq!(pieces[pieces.len() - 1].to, None);
            for pair in pieces.windows(2) {
                prop_assert_eq!(pair[0].to, Some(pair[1].from));
                prop_assert!(pair[0].from < pair[1].from);
            }
        }
    }
}
