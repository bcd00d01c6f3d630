//! Which pages of a table a check reads: all of them in bounded ranges, or a share that is spread evenly.

use holdfast_core::validation::Coverage;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::ending::count;
use crate::job::{PAGES_PLACE_BY_PLACE, Pages};
use crate::plan::Scope;
use crate::session::Trouble;

/// TID range scans came with PostgreSQL 14: before, a range would read the whole table.
const RANGES_SINCE: u32 = 140_000;

/// A table of more chunks than this is not gone through by one statement.
const WHOLE_UP_TO_CHUNKS: u64 = 8;

/// The size of a page for which it is known how many rows have room on it.
const USUAL_PAGE: u64 = 8192;

/// Bytes that one statement may go through.
pub(crate) fn whole_up_to(scope: &Scope<'_>) -> u64 {
    scope.options.chunk_bytes.saturating_mul(WHOLE_UP_TO_CHUNKS)
}

/// A file of so many bytes in pieces of at most so many pages. A server without TID range scans reads what one statement
/// can read at once, as that is ten times faster than place by place.
pub(crate) fn pieces(scope: &Scope<'_>, bytes: u64, at_most: u64) -> Vec<Pages> {
    let pages = bytes.div_ceil(scope.facts.block_size);
    if scope.facts.version >= RANGES_SINCE {
        return Pages::cut(pages, at_most);
    }
    if bytes <= whole_up_to(scope) || scope.facts.block_size != USUAL_PAGE {
        return vec![Pages::ALL];
    }
    let pieces = Pages::cut(pages, at_most.min(PAGES_PLACE_BY_PLACE)).into_iter();
    pieces.map(|piece| Pages { place_by_place: true, ..piece }).collect()
}

/// A file up to this size is read whole: to sample it would save nothing.
const READ_WHOLE_BYTES: u64 = 1 << 20;

/// A sample is taken from at least this many places.
const PLACES: u64 = 20;

/// A file that rows are read from: a table, or one of the tables that a partitioned one is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heap {
    /// `schema.table`, quoted.
    pub name: String,
    /// Bytes of its main file.
    pub bytes: u64,
    /// `relkind`: `r`, `m`, or `f` for one that has no file here.
    pub kind: String,
}

impl Heap {
    /// A JSON array of them, as the catalog queries make it.
    pub(crate) fn list(row: &Row, column: usize) -> Result<Vec<Heap>, Trouble> {
        serde_json::from_str(row.get::<_, Option<&str>>(column).unwrap_or("[]"))
            .map_err(|error| Trouble::Other(format!("the list of tables cannot be read: {error}")))
    }

    /// Whether its rows are on this server.
    pub(crate) fn is_here(&self) -> bool {
        self.kind != "f"
    }
}

/// SQL for a JSON array of [`Heap`]: the table `oid` and everything that inherits from it, partitions included.
pub(crate) fn heaps_of(oid: &str) -> String {
    format!(
        "(WITH RECURSIVE family(relid) AS (
            SELECT {oid} UNION SELECT i.inhrelid FROM pg_inherits i JOIN family f ON f.relid = i.inhparent)
          SELECT json_agg(json_build_object('name', format('%I.%I', hn.nspname, h.relname), 'kind', h.relkind::text,
                     'bytes', CASE WHEN h.relkind = 'f' THEN 0 ELSE coalesce(pg_relation_size(h.oid), 0) END)
                     ORDER BY hn.nspname COLLATE \"C\", h.relname COLLATE \"C\")::text
            FROM family f JOIN pg_class h ON h.oid = f.relid JOIN pg_namespace hn ON hn.oid = h.relnamespace
           WHERE h.relkind IN ('r', 'm', 'f'))"
    )
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Which pages.
    pub pages: Pages,
    /// Per cent of these to read instead of all, where the server has no range scans.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sample_percent: Option<f64>,
}

impl Share {
    /// The pages that it can be halved by. A sample taken by the server reads the same pages in every part.
    pub(crate) fn halvable(self) -> Option<Pages> {
        self.sample_percent.is_none().then_some(self.pages)
    }

    /// A FROM item of this table only, and the condition for these pages; `alias` as it is to be written.
    pub(crate) fn of(self, table: &str, alias: &str) -> (String, String) {
        let sample = self.sample_percent.map_or_else(String::new, |percent| {
            // Always the same pages: two runs of the same data say the same.
            format!(" TABLESAMPLE pg_catalog.system({percent}) REPEATABLE (20)")
        });
        (format!("ONLY {table} AS {alias}{sample}"), self.pages.condition(alias, table))
    }

    /// ` in pages 5 to 9`, or nothing for a whole file.
    pub(crate) fn place(self) -> String {
        match self.pages {
            Pages { from: 0, to: None, .. } => String::new(),
            Pages { from, to: None, .. } => format!(" from page {from} on"),
            Pages { from, to: Some(to), .. } => format!(" in pages {from} to {}", to - 1),
        }
    }
}

/// The parts of a file that are to be read, each with the bytes that it reads, and whether they are less than all.
pub(crate) fn shares(scope: &Scope<'_>, bytes: u64, coverage: Coverage) -> (Vec<(Share, u64)>, bool) {
    let page = scope.facts.block_size;
    let pages = bytes.div_ceil(page);
    let at_most = (scope.options.chunk_bytes / page).max(1);
    match coverage {
        Coverage::Off => (vec![], true),
        Coverage::SamplePercent(percent) if bytes > READ_WHOLE_BYTES => {
            if scope.facts.version < RANGES_SINCE {
                let share = Share { pages: Pages::ALL, sample_percent: Some(percent) };
                return (vec![(share, (bytes as f64 * percent / 100.0) as u64)], true);
            }
            let sample = spread(pages, at_most, percent);
            (sample.into_iter().map(|pages| part(pages, pages_in(pages, 0) * page)).collect(), true)
        }
        Coverage::Full | Coverage::SamplePercent(_) => {
            let ranges = pieces(scope, bytes, at_most).into_iter();
            (ranges.map(|range| part(range, pages_in(range, pages) * page)).collect(), false)
        }
    }
}

fn part(pages: Pages, bytes: u64) -> (Share, u64) {
    (Share { pages, sample_percent: None }, bytes)
}

fn pages_in(range: Pages, length: u64) -> u64 {
    range.to.unwrap_or(length).saturating_sub(range.from)
}

/// Ranges that together are at least this per cent of a file, each up to `at_most` pages, at even distances.
fn spread(pages: u64, at_most: u64, percent: f64) -> Vec<Pages> {
    let wanted = ((pages as f64 * percent / 100.0).ceil() as u64).clamp(1, pages.max(1));
    let places = wanted.div_ceil(at_most.max(1)).max(PLACES).min(wanted);
    let each = wanted.div_ceil(places);
    (0..places)
        .map(|place| {
            let (from, next) = (pages * place / places, pages * (place + 1) / places);
            Pages::between(from, (from + each).min(next))
        })
        .collect()
}

/// What is said of a table of which only a share was read.
pub(crate) fn sampled(coverage: Coverage) -> String {
    match coverage {
        Coverage::SamplePercent(percent) => format!("sampled: {percent} % of the pages were read"),
        Coverage::Full | Coverage::Off => "not read whole".into(),
    }
}

/// `3 rows in pages 5 to 9`.
pub(crate) fn rows_in(rows: u64, share: Share) -> String {
    format!("{}{}", count(rows, "row", "rows"), share.place())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_evenly_and_large_enough() {
        let ranges = spread(10_000, 1000, 5.0);
        assert_eq!(ranges.len(), 20);
        assert_eq!(ranges[1], Pages::between(500, 525));
        assert_eq!(ranges.iter().map(|range| pages_in(*range, 0)).sum::<u64>(), 500);
        assert!(ranges.windows(2).all(|pair| pair[0].to.unwrap() <= pair[1].from));
        // A large share of a large file is cut further: no range is longer than a chunk.
        let ranges = spread(1_000_000, 1000, 50.0);
        assert_eq!(ranges.len(), 500);
        assert!(ranges.iter().all(|range| pages_in(*range, 0) == 1000));
        // Nearly everything is no page twice; a few pages are of different places.
        let ranges = spread(130, 1000, 99.9);
        assert_eq!(ranges.iter().map(|range| pages_in(*range, 0)).sum::<u64>(), 130);
        assert_eq!(spread(200, 1000, 1.0), [Pages::between(0, 1), Pages::between(100, 101)]);
    }

    #[test]
    fn a_share_says_where_it_is() {
        let share =
            |from, to| Share { pages: Pages { from, to, place_by_place: false }, sample_percent: None };
        assert_eq!(rows_in(1, share(0, None)), "1 row");
        assert_eq!(rows_in(2, share(5, Some(9))), "2 rows in pages 5 to 8");
        assert_eq!(rows_in(2, share(5, None)), "2 rows from page 5 on");
        let sample = Share { pages: Pages::ALL, sample_percent: Some(2.5) };
        assert_eq!(
            sample.of("public.t", "c").0,
            "ONLY public.t AS c TABLESAMPLE pg_catalog.system(2.5) REPEATABLE (20)"
        );
        assert_eq!(sample.halvable(), None);
    }
}
