//! `sequences`: the next value of a column's sequence must not be there already.
//!
//! A sequence belongs to the columns that own it (`serial`, identity, OWNED BY) and to those whose default is its next
//! value and nothing else. Each column is read from the heap, range by range; no index answers.

use holdfast_core::validation::Coverage;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::ending::{count, name_some};
use crate::job::{Job, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::ranges::{Heap, Share, heaps_of, rows_in, shares};
use crate::session::{Session, Trouble};
use crate::types;

/// Name of the check.
pub(crate) const CHECK: &str = "sequences";

/// Names in a note; more are counted.
const NAMES_SHOWN: usize = 5;

/// Sequences with their columns. A partition's or a child's column is covered by that of its parent, since a table is
/// read with all that inherit from it. The default of a column that takes a sequence's value and does something with it
/// says nothing of the column's values.
fn sequences() -> String {
    format!(
        "WITH RECURSIVE pairs AS (
            SELECT d.objid AS sequence, d.refobjid AS relid, d.refobjsubid AS attnum FROM pg_depend d
             WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
               AND d.objsubid = 0 AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
            UNION
            SELECT d.refobjid, f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
             WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'),
        above(relid, ancestor) AS (
            SELECT i.inhrelid, i.inhparent FROM pg_inherits i
            UNION SELECT a.relid, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.ancestor)
        SELECT format('%I.%I', n.nspname, c.relname), format('%I.%I', tn.nspname, t.relname), quote_ident(a.attname),
               s.seqincrement, s.seqcycle,
               {} IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype),
               coalesce((SELECT pg_get_expr(f.adbin, f.adrelid) !~ '^nextval\\(''([^'']|'''')*''::regclass\\)$'
                           FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
                          WHERE f.adrelid = p.relid AND f.adnum = p.attnum
                            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.sequence), false),
               {}
          FROM pairs p
          JOIN pg_class c ON c.oid = p.sequence AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_sequence s ON s.seqrelid = c.oid
          JOIN pg_class t ON t.oid = p.relid JOIN pg_namespace tn ON tn.oid = t.relnamespace
          JOIN pg_attribute a ON a.attrelid = p.relid AND a.attnum = p.attnum
         WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT 1 FROM above o JOIN pairs q ON q.relid = o.ancestor AND q.sequence = p.sequence
                             JOIN pg_attribute x ON x.attrelid = q.relid AND x.attnum = q.attnum
                            WHERE o.relid = p.relid AND x.attname = a.attname)
         ORDER BY 1, 2, 3",
        types::under_domains("a.atttypid"),
        heaps_of("p.relid")
    )
}

/// One sequence and some pages of a column that it feeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The table that has the column, and what inherits from it.
    table: String,
    /// The column, quoted.
    column: String,
    /// What the sequence goes on by.
    increment: i64,
    /// The table that is read: this one, or a part of it.
    pub heap: String,
    /// Which pages of it.
    pub share: Share,
}

/// Which sequences feed a column.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let rows = session.query(&sequences()).await?;
    let (mut asked, mut skipped) = (0, Vec::new());
    for row in &rows {
        let sequence: String = row.get(0);
        if let Some(reason) = unfit(row) {
            planned.not_checked.push((Some(sequence.clone()), reason.into()));
            skipped.push(sequence);
            continue;
        }
        asked += 1;
        let (table, column): (String, String) = (row.get(1), row.get(2));
        for heap in Heap::list(row, 7)? {
            if !heap.is_here() {
                let reason = format!("{} is a foreign table: its rows are elsewhere", heap.name);
                planned.not_checked.push((Some(sequence.clone()), reason));
                continue;
            }
            for (share, bytes) in shares(scope, heap.bytes, Coverage::Full).0 {
                let (table, column, heap) = (table.clone(), column.clone(), heap.name.clone());
                planned.jobs.push(Job {
                    check: CHECK.into(),
                    object: sequence.clone(),
                    bytes,
                    task: AnyTask::Sequence(Task { table, column, increment: row.get(3), heap, share }),
                });
            }
        }
    }
    let pairs = count(rows.len() as u64, "sequence of a column", "sequences of columns");
    planned.ending.note(format!("{asked} of {pairs} asked"));
    if !skipped.is_empty() {
        let names = name_some(&skipped, NAMES_SHOWN);
        planned.ending.note(format!("not asked, since they cycle or feed no whole number: {names}"));
    }
    Ok(planned)
}

/// Why a column's values say nothing of where its sequence should stand.
fn unfit(row: &Row) -> Option<&'static str> {
    let (cycles, whole, changed): (bool, bool, bool) = (row.get(4), row.get(5), row.get(6));
    if cycles {
        return Some("it cycles");
    }
    if !whole {
        return Some("it feeds no whole number");
    }
    changed.then_some("its column's default does something with the value first")
}

/// Holds one against some rows of its column.
pub(crate) async fn run(
    session: &mut Session<'_>,
    sequence: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    let Task { table, column, increment, heap, share } = task;
    let beyond = if *increment > 0 { ">=" } else { "<=" };
    let (from, here) = share.of(heap, "t");
    // numeric: the next value of a sequence at its end does not fit the type.
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE t.{column}::numeric {beyond} (
                    SELECT s.last_value::numeric + CASE WHEN s.is_called THEN {increment} ELSE 0 END
                      FROM {sequence} AS s)),
                (SELECT s.last_value::text FROM {sequence} AS s), (SELECT s.is_called FROM {sequence} AS s)
           FROM {from} WHERE {here}"
    );
    let state = session.query_heap(&sql).await?;
    work.rows = state.get::<_, i64>(0).unsigned_abs();
    let taken = state.get::<_, i64>(1).unsigned_abs();
    if taken > 0 {
        let (last, called): (&str, bool) = (state.get(2), state.get(3));
        let called = if called { "" } else { ", not yet used" };
        let part = if heap == table { String::new() } else { format!(" (in {heap})") };
        let rows = rows_in(taken, *share);
        let message = format!(
            "stands at {last}{called} while {table}.{column} has {rows}{part} at its next value or past it"
        );
        work.ending.wrong(sequence, message);
    }
    Ok(())
}
