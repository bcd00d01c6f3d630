//! `storage`: every page is read.
//!
//! What the check of the content reads are rows that count. Here it is pages: those of deleted rows and of values that
//! nothing points to any more, those of indexes, and with `amcheck` what is on the pages of tables and TOAST. `pg_prewarm`
//! reads pages through the buffers, where their checksums are verified, without understanding them.

use holdfast_core::validation::Coverage;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::ending::count;
use crate::extensions;
use crate::index_catalog::regclass;
use crate::job::{Job, Pages, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::ranges;
use crate::relations::{self, title};
use crate::session::{Session, Trouble};

/// Name of the check.
pub(crate) const CHECK: &str = "storage";

/// Findings of one piece that are shown; more are counted.
const FINDINGS_SHOWN: usize = 20;

/// PostgreSQL 18 can import statistics, so its page counts may be those of another server.
const IMPORTED_STATISTICS_SINCE: u32 = 180_000;

/// Why pages are not read.
const UNREADABLE: &str = "this user has no right to read its pages";

/// Access methods of PostgreSQL's own, whose files never become shorter but by being made anew.
const GROW_ONLY: [&str; 6] = ["btree", "hash", "gin", "gist", "spgist", "brin"];

/// `pg_largeobject` and its index: of the catalogs, and as large as what users put there.
const LARGE_OBJECTS: &str = "2613, 2683";

/// Every relation of the user's with a file, TOAST and indexes included. `counted` says that an index counts its rows.
fn relations_sql() -> String {
    let title = title("c", "n");
    format!(
        "SELECT format('%I.%I', n.nspname, c.relname), {title}, c.relkind::text, coalesce(m.amname::text, ''),
                pg_relation_size(c.oid), greatest(c.relpages, 0)::int8,
                has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'),
                EXISTS (SELECT 1 FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am im ON im.oid = ic.relam
                         WHERE i.indrelid = c.oid AND im.amname = 'btree' AND i.indpred IS NULL
                           AND i.indisvalid AND i.indisready AND i.indislive),
                pg_relation_size(c.oid, 'vm')
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am m ON m.oid = c.relam
          WHERE c.relkind IN ('r', 'm', 't', 'i') AND c.relpersistence <> 't' AND c.relispopulated
            AND (c.oid >= 16384 OR c.oid IN ({LARGE_OBJECTS}))
            AND n.nspname !~ '^pg_(toast_)?temp_'
            AND NOT EXISTS (SELECT 1 FROM pg_index u JOIN pg_class ut ON ut.oid = u.indrelid
                             WHERE u.indexrelid = c.oid AND NOT ut.relispopulated)
          ORDER BY 2, 1"
    )
}

/// Some pages of one relation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What a person calls it.
    pub title: String,
    /// How its pages are read.
    pub how: How,
    /// Which pages.
    pub pages: Option<Pages>,
    /// Per cent of the pages to read instead of all, where the server has no range scans.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sample_percent: Option<f64>,
}

/// How pages are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum How {
    /// By `verify_heapam` of this schema.
    Heap {
        /// The schema of `amcheck`.
        schema: String,
    },
    /// By `pg_prewarm` of this schema.
    Prewarm {
        /// The schema of `pg_prewarm`.
        schema: String,
    },
    /// By counting the rows.
    Count,
    /// The system catalogs and the sequences, each by what there is.
    Catalogs {
        /// The schema of `amcheck`, if it has `verify_heapam`.
        amcheck: Option<String>,
        /// The schema of `pg_prewarm`.
        prewarm: Option<String>,
    },
}

struct Relation {
    name: String,
    title: String,
    kind: String,
    method: String,
    bytes: u64,
    pages_expected: u64,
    readable: bool,
    counted: bool,
    map_bytes: u64,
}

impl From<&Row> for Relation {
    fn from(row: &Row) -> Self {
        let bytes = |column: usize| row.get::<_, Option<i64>>(column).unwrap_or_default().unsigned_abs();
        Relation {
            name: row.get(0),
            title: row.get(1),
            kind: row.get(2),
            method: row.get(3),
            bytes: bytes(4),
            pages_expected: bytes(5),
            readable: row.get(6),
            counted: row.get(7),
            map_bytes: bytes(8),
        }
    }
}

/// Which pages there are, and how they can be read.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut heap = None;
    if let Some(schema) = scope.amcheck
        && extensions::may_call(session, schema, "verify_heapam", 6).await?
    {
        heap = Some(schema.to_owned());
    }
    let prewarm = extensions::prewarm(session, scope.options).await;
    let mut planner = Planner { scope, heap, prewarm, planned: Planned::default() };
    let rows = session.query(&relations_sql()).await?;
    for row in &rows {
        planner.relation(&Relation::from(row));
    }
    planner.catalogs();
    planner.planned.ending.note(count(rows.len() as u64, "file", "files"));
    Ok(planner.planned)
}

struct Planner<'a> {
    scope: &'a Scope<'a>,
    heap: Option<String>,
    prewarm: Result<String, String>,
    planned: Planned,
}

impl Planner<'_> {
    fn skip(&mut self, object: Option<&str>, reason: impl Into<String>) {
        self.planned.not_checked.push((object.map(str::to_owned), reason.into()));
    }

    fn relation(&mut self, relation: &Relation) {
        self.shortened(relation);
        match (relation.kind.as_str(), relation.method.as_str()) {
            ("r" | "m" | "t", "heap") => self.rows(relation),
            (_, method) => match &self.prewarm {
                Ok(_) if !relation.readable => self.skip(Some(&relation.title), UNREADABLE),
                Ok(schema) => {
                    let how = How::Prewarm { schema: schema.clone() };
                    self.push(relation, &how);
                }
                // Those that are in use are gone through by `indexes`.
                Err(_) if method == "btree" => {}
                Err(reason) => {
                    let reason = format!("its pages were not read: {reason}");
                    self.skip(Some(&relation.title), reason);
                }
            },
        }
    }

    fn rows(&mut self, relation: &Relation) {
        if let Some(schema) = &self.heap {
            let how = How::Heap { schema: schema.clone() };
            return self.push(relation, &how);
        }
        let toast = relation.kind == "t";
        if !toast && self.scope.options.checks.content == Coverage::Full {
            // Every page of it is read there.
            return;
        }
        match &self.prewarm {
            _ if !relation.readable => self.skip(Some(&relation.title), UNREADABLE),
            Ok(schema) => {
                let how = How::Prewarm { schema: schema.clone() };
                self.push(relation, &how);
            }
            Err(_) => self.push(relation, &How::Count),
        }
    }

    fn push(&mut self, relation: &Relation, how: &How) {
        let coverage = self.scope.options.checks.storage;
        let (shares, sampled) = ranges::shares(self.scope, relation.bytes, coverage);
        if sampled {
            self.skip(Some(&relation.title), ranges::sampled(coverage));
        }
        for (share, bytes) in shares {
            self.planned.jobs.push(Job {
                check: CHECK.into(),
                object: relation.name.clone(),
                bytes,
                task: AnyTask::Storage(Task {
                    title: relation.title.clone(),
                    how: how.clone(),
                    pages: share.sample_percent.is_none().then_some(share.pages),
                    sample_percent: share.sample_percent,
                }),
            });
        }
    }

    /// A file cut short reads as a smaller one, without any error. What remembers how long it was?
    fn shortened(&mut self, relation: &Relation) {
        let page = self.scope.facts.block_size;
        let pages = relation.bytes / page;
        let known = self.scope.facts.version < IMPORTED_STATISTICS_SINCE;
        let message =
            format!("its file has {pages} pages, {} by the last statistics", relation.pages_expected);
        if relation.kind == "i" {
            if known && pages < relation.pages_expected && GROW_ONLY.contains(&relation.method.as_str()) {
                self.planned.ending.wrong(&relation.title, message);
            }
            return;
        }
        if !matches!(relation.kind.as_str(), "r" | "m") || relation.counted {
            // The index's count says it exactly. Lost pages of TOAST are missed when values are read.
            return;
        }
        // A page of the visibility map has two bits per page of the table, behind a header of 24 bytes.
        let mapped = (relation.map_bytes / page).saturating_sub(1) * (page - 24) * 4;
        if known && pages < relation.pages_expected {
            // VACUUM cuts a file first and notes it after: a snapshot may lie between the two.
            let message = format!("{message}, and no index tells which is right");
            self.planned.ending.unfinished(&relation.title, message);
        } else if pages < mapped {
            let message =
                format!("its file has {pages} pages, its visibility map speaks of more than {mapped}");
            self.planned.ending.unfinished(&relation.title, message);
        } else if pages > 0 && (!known || relation.pages_expected == 0) {
            self.skip(
                Some(&relation.title),
                "neither an index nor statistics remember how long its file was",
            );
        }
    }

    fn catalogs(&mut self) {
        if self.heap.is_none() {
            let reason = if self.scope.amcheck.is_some() {
                "what is on the pages of tables was read, not looked through: verify_heapam came with PostgreSQL 14"
            } else {
                "what is on the pages of tables was read, not looked through: that takes amcheck"
            };
            self.skip(None, reason);
        }
        if let Err(reason) = &self.prewarm {
            let reason = format!("pages of indexes that nothing leads to were not read: {reason}");
            self.skip(None, reason);
        }
        self.planned.jobs.push(Job {
            check: CHECK.into(),
            object: "pg_catalog".into(),
            bytes: 8 << 20,
            task: AnyTask::Storage(Task {
                title: "system catalogs".into(),
                how: How::Catalogs {
                    amcheck: self.heap.clone(),
                    prewarm: self.prewarm.as_ref().ok().cloned(),
                },
                pages: None,
                sample_percent: None,
            }),
        });
    }
}

/// Reads some pages.
pub(crate) async fn run(
    session: &mut Session<'_>,
    relation: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    let pages = task.pages.unwrap_or(Pages::ALL);
    let end = match &task.how {
        How::Heap { schema } => heap(session, relation, schema, &task.title, pages, work).await,
        How::Prewarm { schema } => prewarm(session, relation, schema, pages).await,
        How::Count => {
            let share = ranges::Share { pages, sample_percent: task.sample_percent };
            let (from, condition) = share.of(relation, "t");
            session.query_heap(&format!("SELECT count(*) FROM {from} WHERE {condition}")).await.map(|_| ())
        }
        How::Catalogs { amcheck, prewarm } => {
            return catalogs(session, amcheck.as_deref(), prewarm.as_deref(), work).await;
        }
    };
    match end {
        Ok(()) => Ok(()),
        Err(trouble) => relations::file(session, &task.title, trouble, work).await,
    }
}

/// The first and the last page as the functions want them, or nothing where the file ends before.
async fn bounds(
    session: &mut Session<'_>,
    relation: &str,
    pages: Pages,
) -> Result<Option<(u64, u64)>, Trouble> {
    let length = crate::instance::pages_of(session, relation).await?;
    let end = pages.to.map_or(length, |to| to.min(length));
    Ok((pages.from < end).then(|| (pages.from, end - 1)))
}

async fn heap(
    session: &mut Session<'_>,
    relation: &str,
    schema: &str,
    title: &str,
    pages: Pages,
    work: &mut Work,
) -> Result<(), Trouble> {
    let Some((first, last)) = bounds(session, relation, pages).await? else { return Ok(()) };
    // Its messages speak of numbers, lengths and transactions, not of values.
    let sql = format!(
        "SELECT v.blkno, v.offnum::int4, v.attnum, v.msg, count(*) OVER ()
           FROM {schema}.verify_heapam({}, on_error_stop := false, check_toast := true, skip := 'none',
                                       startblock := {first}, endblock := {last}) AS v
          LIMIT {FINDINGS_SHOWN}",
        regclass(relation)
    );
    let rows = session.query(&sql).await?;
    for row in &rows {
        let (page, item): (i64, Option<i32>) = (row.get(0), row.get(1));
        let item = item.map_or_else(String::new, |item| format!(", item {item}"));
        work.ending.wrong(title, format!("page {page}{item}: {}", row.get::<_, &str>(3)));
    }
    if let Some(row) = rows.first() {
        let all = row.get::<_, i64>(4).unsigned_abs();
        if all > rows.len() as u64 {
            work.ending
                .note(format!("{title}: {all} findings in pages {first} to {last}, {FINDINGS_SHOWN} shown"));
        }
    }
    Ok(())
}

async fn prewarm(
    session: &mut Session<'_>,
    relation: &str,
    schema: &str,
    pages: Pages,
) -> Result<(), Trouble> {
    let Some((first, last)) = bounds(session, relation, pages).await? else { return Ok(()) };
    let sql =
        format!("SELECT {schema}.pg_prewarm({}, 'buffer', 'main', {first}, {last})", regclass(relation));
    session.query_one(&sql).await.map(|_| ())
}

/// Reads the system catalogs and the sequences, a page each; damage of one does not keep the others from being read.
async fn catalogs(
    session: &mut Session<'_>,
    amcheck: Option<&str>,
    by_prewarm: Option<&str>,
    work: &mut Work,
) -> Result<(), Trouble> {
    let title = title("c", "n");
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname), {title}, c.relkind::text,
                has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE (c.oid < 16384 AND c.relkind IN ('r', 't', 'i') AND c.oid NOT IN ({LARGE_OBJECTS})
                 OR c.relkind = 'S' AND c.relpersistence <> 't')
          ORDER BY 2"
    );
    for row in session.query(&sql).await? {
        let (name, title, kind, readable): (&str, &str, &str, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let end = match (kind, amcheck, by_prewarm) {
            ("r" | "t", Some(schema), _) => heap(session, name, schema, title, Pages::ALL, work).await,
            (_, _, Some(schema)) if readable => prewarm(session, name, schema, Pages::ALL).await,
            ("r" | "t" | "S", _, None) if readable => {
                session.query_heap(&format!("SELECT count(*) FROM {name}")).await.map(|_| ())
            }
            _ => Ok(()),
        };
        if let Err(trouble) = end {
            relations::file(session, title, trouble, work).await?;
        }
    }
    Ok(())
}
