//! `foreign-keys`: rows that refer to nothing, whatever the catalog says of the constraint.
//!
//! The referring table is read from its heap, range by range. The table referred to is read in one of two ways, by
//! what it would cost:
//!
//! - *Hashed*, from its heap, once per range. Nothing but the heaps has a say.
//! - *Looked up* in its unique index, row by row, where that table is much larger than the range: a hash of it for each
//!   of hundreds of ranges would read it hundreds of times. An index that lies can then do two things. It can lead to
//!   a row that has another key, because PostgreSQL does not compare the key of a B-tree's answer with the row: so the
//!   row is fetched (no index-only scan) and its own columns are compared again, behind a fence that the planner does
//!   not move conditions through. And it can miss a row that is there: so an orphan is believed only after the range
//!   was asked again by hashing. Either way an orphan is one by the heap of both tables.

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::ending::{count, name_some};
use crate::job::{Job, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::ranges::{Heap, Share, heaps_of, rows_in, sampled, shares};
use crate::session::{Session, Trouble};

/// Name of the check.
pub(crate) const CHECK: &str = "foreign-keys";

/// Names in a note; more are counted.
const NAMES_SHOWN: usize = 5;

/// Looking up is chosen when the table referred to is this many times the range that refers to it, ...
const LOOK_UP_RATIO: u64 = 4;
/// ... and not smaller than this part of a chunk: a small table is hashed in no time.
const LOOK_UP_PART: u64 = 16;

/// Row by row through the unique index; `bitmap` and `index-only` would not show the row itself.
const LOOK_UP: [&str; 3] = [
    "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL enable_indexonlyscan = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
];

/// One row per foreign key as it was declared: those that PostgreSQL derives for partitions have a parent and are
/// covered by it. The comparison is by the very operators of the constraint. `num_nulls`, and not `IS NULL`: the
/// planner believes NOT NULL in the catalog (since PostgreSQL 17), and a composite of NULLs IS NULL without being it.
fn foreign_keys() -> String {
    let (children, parents) = (heaps_of("k.conrelid"), heaps_of("k.confrelid"));
    format!(
        "SELECT quote_ident(k.conname),
           format('%s%I.%I', CASE p.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, pn.nspname, p.relname) AS parent,
           format('%I.%I', cn.nspname, c.relname) AS child_name,
           format('%I.%I', pn.nspname, p.relname) AS parent_name,
           k.convalidated,
           k.confmatchtype = 'f' AS match_full,
           coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) AS enforced,
           coalesce((to_jsonb(k) ->> 'conperiod')::bool, false) AS temporal,
           cols.pairs[1:cardinality(cols.pairs) - 1], cols.pairs[cardinality(cols.pairs)],
           cols.child_columns, cols.parent_columns,
           CASE c.relkind WHEN 'p' THEN {children} ELSE
               json_build_array(json_build_object('name', format('%I.%I', cn.nspname, c.relname),
                   'kind', c.relkind::text, 'bytes', coalesce(pg_relation_size(c.oid), 0)))::text END,
           CASE p.relkind WHEN 'p' THEN {parents} ELSE
               json_build_array(json_build_object('name', '', 'kind', p.relkind::text,
                   'bytes', coalesce(pg_relation_size(p.oid), 0)))::text END,
           coalesce((SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = k.conindid), false) AS indexed
      FROM pg_constraint k
      JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
      JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
     CROSS JOIN LATERAL (
        SELECT array_agg(format('p.%I%s OPERATOR(%I.%s) c.%I', pa.attname,
                   CASE WHEN pa.attcollation <> ca.attcollation AND l.oid IS NOT NULL
                        THEN format(' COLLATE %I.%I', ln.nspname, l.collname) ELSE '' END,
                   opn.nspname, o.oprname, ca.attname) ORDER BY u.position) AS pairs,
               array_agg(format('c.%I', ca.attname) ORDER BY u.position) AS child_columns,
               array_agg(format('p.%I', pa.attname) ORDER BY u.position) AS parent_columns
          FROM ROWS FROM (unnest(k.conkey), unnest(k.confkey), unnest(k.conpfeqop))
               WITH ORDINALITY AS u(child, parent, operator, position)
          JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = u.child
          JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.parent
          JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace opn ON opn.oid = o.oprnamespace
          LEFT JOIN pg_collation l ON l.oid = pa.attcollation
          LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace) AS cols
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND cn.nspname !~ '^pg_' AND cn.nspname <> 'information_schema'
     ORDER BY cn.nspname COLLATE \"C\", c.relname COLLATE \"C\", k.conname COLLATE \"C\""
    )
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// FROM item of the table referred to.
    parent: String,
    /// Its name.
    parent_name: String,
    /// Whether the catalog calls it valid.
    validated: bool,
    /// MATCH FULL: all or none may be NULL.
    match_full: bool,
    /// The last pair is a PERIOD, which the periods of several rows may cover together (since PostgreSQL 18).
    temporal: bool,
    /// The conditions that join them: all but the last, and the last.
    pairs: (Vec<String>, String),
    /// The referring columns, as `c.a`.
    child_columns: Vec<String>,
    /// The columns referred to, as `p.a`.
    parent_columns: Vec<String>,
}

/// A foreign key on some pages of one table that refers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The key.
    key: Key,
    /// The table: the referring one, or a partition of it.
    pub child: String,
    /// Which pages of it.
    pub share: Share,
    /// Whether the table referred to is looked up by its index.
    look_up: bool,
}

/// Which foreign keys there are.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let rows = session.query(&foreign_keys()).await?;
    let (mut asked, mut unenforced) = (0, Vec::new());
    for row in &rows {
        let child_name: &str = row.get(2);
        let name = format!("{} on {child_name}", row.get::<_, &str>(0));
        if !row.get::<_, bool>(6) {
            unenforced.push(name.clone());
            planned.not_checked.push((Some(name), "the catalog says that it is not enforced".into()));
            continue;
        }
        asked += 1;
        let key = Key::from(row);
        let children = Heap::list(row, 12)?;
        let parent_bytes = Heap::list(row, 13)?.iter().map(|heap| heap.bytes).sum();
        let parent = Parent { bytes: parent_bytes, indexed: row.get::<_, bool>(14) && !key.temporal };
        for child in &children {
            let object = if child.name == child_name {
                name.clone()
            } else {
                format!("{name} (partition {})", child.name)
            };
            key.jobs(scope, &object, child, &parent, &mut planned);
        }
    }
    planned
        .ending
        .note(format!("{asked} of {} asked", count(rows.len() as u64, "foreign key", "foreign keys")));
    if !unenforced.is_empty() {
        planned.ending.note(format!("not enforced and not asked: {}", name_some(&unenforced, NAMES_SHOWN)));
    }
    Ok(planned)
}

/// What the table referred to costs.
struct Parent {
    bytes: u64,
    indexed: bool,
}

impl Key {
    fn from(row: &Row) -> Key {
        Key {
            parent: row.get(1),
            parent_name: row.get(3),
            validated: row.get(4),
            match_full: row.get(5),
            temporal: row.get(7),
            pairs: (row.get(8), row.get(9)),
            child_columns: row.get(10),
            parent_columns: row.get(11),
        }
    }

    fn jobs(&self, scope: &Scope<'_>, object: &str, child: &Heap, parent: &Parent, planned: &mut Planned) {
        let coverage = scope.options.checks.foreign_keys;
        let (shares, partial) = shares(scope, child.bytes, coverage);
        if partial {
            planned.not_checked.push((Some(object.to_owned()), sampled(coverage)));
        }
        for (share, bytes) in shares {
            let look_up = parent.indexed
                && parent.bytes > bytes.saturating_mul(LOOK_UP_RATIO)
                && parent.bytes > scope.options.chunk_bytes / LOOK_UP_PART;
            planned.jobs.push(Job {
                check: CHECK.into(),
                object: object.to_owned(),
                bytes: if look_up { bytes.saturating_mul(1 + LOOK_UP_RATIO) } else { bytes + parent.bytes },
                task: AnyTask::ForeignKey(Task {
                    key: self.clone(),
                    child: child.name.clone(),
                    share,
                    look_up,
                }),
            });
        }
    }

    /// Every column is set: without that a row refers to nothing.
    fn is_set(&self) -> String {
        format!("num_nulls({}) = 0", self.child_columns.join(", "))
    }

    fn all_pairs(&self) -> String {
        let (first, last) = &self.pairs;
        first.iter().chain([last]).map(String::as_str).collect::<Vec<_>>().join(" AND ")
    }

    /// Counts orphans by the heaps of both tables.
    fn hashed(&self, child: &str, here: &str) -> String {
        let set = self.is_set();
        if self.temporal {
            return self.covered(child, here);
        }
        let pairs = self.all_pairs();
        format!(
            "SELECT count(*) FROM {child}
              WHERE {here} AND {set} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {pairs})",
            self.parent
        )
    }

    /// Counts rows whose period is not covered by those of the rows with the same key, as PostgreSQL itself asks
    /// (`RI_FKey_check` in ri_triggers.c).
    fn covered(&self, child: &str, here: &str) -> String {
        let nothing = String::new();
        let (period, theirs) =
            (self.child_columns.last().unwrap_or(&nothing), self.parent_columns.last().unwrap_or(&nothing));
        let mut pairs = self.pairs.0.clone();
        pairs.push(format!("{theirs} && {period}"));
        format!(
            "SELECT count(*) FROM (
                SELECT FROM {child} LEFT JOIN {} AS p ON {}
                 WHERE {here} AND {} GROUP BY c.ctid, {period}
                HAVING NOT coalesce({period} <@ range_agg({theirs}), false)) AS uncovered",
            self.parent,
            pairs.join(" AND "),
            self.is_set()
        )
    }

    /// Counts orphans by looking each row up. OFFSET 0 is the fence: the comparison outside of it is made with the
    /// columns of the row that the index led to.
    fn looked_up(&self, child: &str, here: &str) -> String {
        let pairs = self.all_pairs();
        format!(
            "SELECT count(*) FROM {child} WHERE {here} AND {} AND NOT EXISTS (
                SELECT 1 FROM (SELECT {} FROM {} AS p WHERE {pairs} OFFSET 0) AS p WHERE {pairs})",
            self.is_set(),
            self.parent_columns.join(", "),
            self.parent
        )
    }

    /// Counts rows that are set in part, which MATCH FULL forbids.
    fn mixed(&self, child: &str, here: &str) -> String {
        let columns = self.child_columns.join(", ");
        format!(
            "SELECT count(*) FROM {child} WHERE {here} AND num_nulls({columns}) > 0 AND num_nonnulls({columns}) > 0"
        )
    }
}

/// Rows that break the key. A row with a NULL in it refers to nothing, except that MATCH FULL wants all or none.
pub(crate) async fn run(
    session: &mut Session<'_>,
    object: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    let Task { key, child, share, look_up } = task;
    let (from, here) = share.of(child, "c");
    let suspected =
        !look_up || session.query_with(&LOOK_UP, &key.looked_up(&from, &here)).await?.get::<_, i64>(0) > 0;
    let mut orphans = 0;
    if suspected {
        orphans = session.query_heap(&key.hashed(&from, &here)).await?.get::<_, i64>(0).unsigned_abs();
    }
    if key.match_full {
        orphans += session.query_heap(&key.mixed(&from, &here)).await?.get::<_, i64>(0).unsigned_abs();
    }
    if orphans == 0 {
        return Ok(());
    }
    let message = format!("{} of {child} without a match in {}", rows_in(orphans, *share), key.parent_name);
    if key.validated {
        work.ending.wrong(object, message);
    } else {
        // The source never promised that these hold.
        work.ending.note(format!("{object} is NOT VALID: {message}"));
    }
    Ok(())
}
