//! `content`: exact row counts and order-independent fingerprints, read from the heap in chunks.

use futures::TryStreamExt as _;
use holdfast_core::validation::{Coverage, Digest as DigestSetting, Manifest};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::digest::Digest;
use crate::ending::{Ending, count};
use crate::fingerprint::{self, Column};
use crate::job::{Job, Pages, Planned, Task as AnyTask, Work};
use crate::plan::{Plan, Scope};
use crate::ranges::{self, Share};
use crate::session::{Session, Trouble};
use crate::types;

/// Name of the check.
pub(crate) const CHECK: &str = "content";

/// Tables and whatever else has rows, with their columns.
fn tables_sql() -> String {
    let (types, members) = types::of_column();
    format!(
        "SELECT format('%I.%I', n.nspname, c.relname),
                c.relkind::text, c.relpersistence::text, c.relispopulated,
                CASE WHEN c.relkind IN ('r', 'm') THEN pg_relation_size(c.oid) END,
                coalesce(CASE WHEN c.reltoastrelid <> 0 THEN pg_relation_size(c.reltoastrelid) END, 0),
                (SELECT json_agg(json_build_object({members}, 'toastable', a.attstorage <> 'p')
                                 ORDER BY a.attname COLLATE \"C\")::text
                   FROM pg_attribute a {types}
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated IN ('', 's')),
                has_table_privilege(c.oid, 'SELECT')
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't'
            AND (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                 OR c.oid = 'pg_largeobject'::regclass AND EXISTS (SELECT 1 FROM pg_largeobject_metadata))
          ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    )
}

/// A chunk of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Which pages.
    pub pages: Pages,
    /// Whether the table has values outside of its own pages.
    pub toasted: bool,
    /// Per cent of the pages to read instead of all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sample_percent: Option<f64>,
    /// Whether a restore empties it: an unlogged table.
    #[serde(default)]
    pub unlogged: bool,
    /// Whether rows are digested cryptographically as well.
    #[serde(default)]
    pub cryptographic: bool,
}

/// Which tables there are, and in which pieces they are read.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let settings = &scope.options.checks;
    for row in session.query(&tables_sql()).await? {
        let table = Table::from(&row)?;
        if let Some(reason) = table.unread() {
            planned.not_checked.push((Some(table.identity), reason.to_owned()));
            continue;
        }
        match settings.content {
            Coverage::Full => table.chunks(scope, &mut planned.jobs),
            Coverage::SamplePercent(percent) => {
                planned.not_checked.push((
                    Some(table.identity.clone()),
                    format!("sampled: {percent} % of its pages were read, so it has no fingerprint"),
                ));
                planned.jobs.push(table.job(Pages::ALL, Some(percent), scope));
            }
            Coverage::Off => {}
        }
    }
    Ok(planned)
}

struct Table {
    identity: String,
    kind: String,
    unlogged: bool,
    populated: bool,
    bytes: u64,
    toast_bytes: u64,
    columns: Vec<Column>,
    readable: bool,
}

impl Table {
    fn from(row: &Row) -> Result<Self, Trouble> {
        let columns = row.get::<_, Option<&str>>(6).unwrap_or("[]");
        let columns = serde_json::from_str(columns)
            .map_err(|error| Trouble::Other(format!("the columns cannot be read: {error}")))?;
        Ok(Table {
            identity: row.get(0),
            kind: row.get(1),
            unlogged: row.get::<_, &str>(2) == "u",
            populated: row.get(3),
            bytes: row.get::<_, Option<i64>>(4).unwrap_or_default().unsigned_abs(),
            toast_bytes: row.get::<_, i64>(5).unsigned_abs(),
            columns,
            readable: row.get(7),
        })
    }

    /// Why it holds nothing of its own that could be read.
    fn unread(&self) -> Option<&'static str> {
        if self.kind == "f" {
            return Some("a foreign table: its rows are elsewhere");
        }
        if !self.populated {
            return Some("a materialized view without data");
        }
        // What cannot be read because of a missing right is tried all the same: then the check says so. Large
        // objects are no table of the user's.
        if !self.readable && self.identity == "pg_catalog.pg_largeobject" {
            return Some("large objects: this user has no right to read them");
        }
        None
    }

    fn chunks(&self, scope: &Scope<'_>, jobs: &mut Vec<Job>) {
        let pages = self.bytes / scope.facts.block_size;
        let total = self.bytes + self.toast_bytes;
        // A page brings its share of TOAST with it.
        let wanted = total.div_ceil(scope.options.chunk_bytes.max(1)).clamp(1, pages.max(1));
        for range in ranges::pieces(scope, self.bytes, pages.div_ceil(wanted)) {
            jobs.push(self.job(range, None, scope));
        }
    }

    fn job(&self, pages: Pages, sample_percent: Option<f64>, scope: &Scope<'_>) -> Job {
        let all = (self.bytes / scope.facts.block_size).max(1);
        let here = pages.to.unwrap_or(all).saturating_sub(pages.from).max(1);
        let share = sample_percent.map_or(1.0, |percent| percent / 100.0);
        let bytes = (self.bytes + self.toast_bytes) as f64 * share * here as f64 / all as f64;
        Job {
            check: CHECK.into(),
            object: self.identity.clone(),
            bytes: bytes as u64,
            task: AnyTask::Content(Task {
                columns: self.columns.clone(),
                pages,
                toasted: self.toast_bytes > 0,
                sample_percent,
                unlogged: self.unlogged,
                cryptographic: scope.options.checks.digest == DigestSetting::Cryptographic,
            }),
        }
    }
}

/// Says what was read of a database, and what keeps it from being proof.
pub(crate) fn describe(ending: &mut Ending, plan: &Plan, manifest: &Manifest, database: &str, rows: u64) {
    let tables = manifest.databases.get(database).map_or(0, |database| database.tables.len());
    ending.note(format!(
        "{} with {} read",
        count(tables as u64, "table", "tables"),
        count(rows, "row", "rows")
    ));
    if !plan.facts.checksums {
        ending.note("page checksums are off: damage that still reads as a value goes unseen");
    }
    if plan.facts.hides_damage {
        ending.unfinished(
            "the server",
            "is set to pass over damaged pages (zero_damaged_pages or ignore_checksum_failure)",
        );
    }
}

/// Reads one chunk.
pub(crate) async fn run(
    session: &mut Session<'_>,
    table: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    let share = Share { pages: task.pages, sample_percent: task.sample_percent };
    let (from, condition) = share.of(table, "t");
    let row = session.query_heap(&fingerprint::sums(&task.columns, &from, &condition, task.toasted)).await?;
    work.rows = row.get::<_, i64>(0).unsigned_abs();
    for half in 0..2 {
        work.sums[half] = fingerprint::modulo(row.get(half + 1))
            .ok_or_else(|| Trouble::Other("the server's sum is not a whole number".into()))?;
    }
    if task.cryptographic {
        work.digest =
            Some(digest(session, &fingerprint::row_digests(&task.columns, &from, &condition)).await?);
    }
    Ok(())
}

/// Adds up the digests of all rows; they are streamed, 32 bytes per row, whatever the row holds.
async fn digest(session: &mut Session<'_>, sql: &str) -> Result<Digest, Trouble> {
    session
        .within_heap(async |client| {
            let no_parameters: [&str; 0] = [];
            let mut rows = std::pin::pin!(client.query_raw(sql, no_parameters).await?);
            let mut digest = Digest::default();
            while let Some(row) = rows.try_next().await? {
                digest.add_row(row.try_get(0)?);
            }
            Ok(digest)
        })
        .await
}
