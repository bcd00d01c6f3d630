//! `uniqueness`: no duplicates under unique indexes, nor rows that an exclusion constraint keeps apart.
//!
//! The rows are sorted and each is compared with the one before it, by the operators of the index: its own answer is
//! never asked for. The sort is the server's, in `work_mem` and temporary files. A large table is taken some pages at a
//! time, each of their rows being searched for; see [`Index::lookups`] for why that is exact all the same.

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::ending::count;
use crate::index_catalog::{self, BY_INDEX, Index, repeated};
use crate::indexes::{is_large, ranges};
use crate::job::{Job, Pages, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::relations;
use crate::session::{Session, Trouble};

/// Name of the check.
pub(crate) const CHECK: &str = "uniqueness";

/// `&&` and `<` of ranges: no rows of an exclusion constraint but these overlap.
const OVERLAPS: u32 = 3888;

/// Exclusion constraints and, since PostgreSQL 18, keys WITHOUT OVERLAPS, with what they compare by. `before` orders what
/// its operator calls equal.
const EXCLUSIONS: &str = "
    SELECT quote_ident(k.conname) || ' on ' || format('%I.%I', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname),
           pg_get_expr(i.indpred, i.indrelid), pg_relation_size(c.oid),
           (SELECT json_agg(json_build_object(
                       'expression', pg_get_indexdef(i.indexrelid, u.position::int, false) || coalesce(
                           (SELECT format(' COLLATE %I.%I', ln.nspname, l.collname) FROM pg_collation l
                              JOIN pg_namespace ln ON ln.oid = l.collnamespace
                             WHERE l.oid = i.indcollation[u.position - 1]), ''),
                       'operator', o.oid::int8, 'conflicts', format('OPERATOR(%I.%s)', opn.nspname, o.oprname),
                       'before', (SELECT format('OPERATOR(%I.%s)', bn.nspname, b.oprname)
                                    FROM pg_amop e JOIN pg_amop f ON f.amopfamily = e.amopfamily
                                         AND f.amoplefttype = e.amoplefttype AND f.amoprighttype = e.amoprighttype
                                    JOIN pg_am m ON m.oid = e.amopmethod AND m.amname = 'btree'
                                    JOIN pg_operator b ON b.oid = f.amopopr JOIN pg_namespace bn ON bn.oid = b.oprnamespace
                                   WHERE e.amopopr = o.oid AND e.amopstrategy = 3 AND f.amopstrategy = 1
                                     AND e.amoplefttype = e.amoprighttype
                                   ORDER BY e.amopfamily LIMIT 1))
                       ORDER BY u.position)::text
              FROM unnest(k.conexclop) WITH ORDINALITY AS u(operator, position)
              JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace opn ON opn.oid = o.oprnamespace)
      FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid
      JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indisexclusion AND c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND k.conexclop IS NOT NULL
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY 1";

/// One unique index or exclusion constraint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What a person calls its table.
    pub table: String,
    /// Pages of the table whose rows are searched for; `None` where all are sorted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pages: Option<Pages>,
    /// What rows have in common that may not.
    pub conflict: String,
    /// The statement; with pages, up to the condition for them.
    pub head: String,
    /// The rest of it.
    pub tail: String,
}

/// Which unique indexes and exclusion constraints there are.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    for index in index_catalog::read(session).await? {
        // An index that is not valid promises nothing; `indexes` names it. Doubled pieces of a TOAST value do not go
        // together, which `content` sees.
        let promises = index.unique && index.unusable.is_none() && !index.toast;
        if promises && index.method == "btree" {
            if index.readable {
                unique(scope, &index, &mut planned);
            } else {
                let reason = "this user has no right to read the table";
                planned.not_checked.push((Some(index.title), reason.into()));
            }
        }
    }
    for row in session.query(EXCLUSIONS).await? {
        let object: String = row.get(0);
        match exclusion(&row)? {
            Some(job) => planned.jobs.push(job),
            None => planned.not_checked.push((
                Some(object),
                "rows are compared with each other only by equality and overlapping ranges".into(),
            )),
        }
    }
    Ok(planned)
}

fn unique(scope: &Scope<'_>, index: &Index, planned: &mut Planned) {
    let mut push = |pages, bytes, head, tail| {
        planned.jobs.push(Job {
            check: CHECK.into(),
            object: index.title.clone(),
            bytes,
            task: AnyTask::Uniqueness(Task {
                table: index.table_title.clone(),
                pages,
                conflict: "the key of another".into(),
                head,
                tail,
            }),
        });
    };
    // A search finds no NULLs.
    if is_large(scope, index)
        && !index.nulls_equal
        && let Some((head, tail)) = index.lookups()
    {
        for (pages, bytes) in ranges(scope, index) {
            push(Some(pages), bytes, head.clone(), tail.clone());
        }
    } else if let Some(head) = index.duplicates() {
        push(None, index.table_bytes, head, String::new());
    } else {
        let reason = "its operator class has no order that rows could be sorted by";
        planned.not_checked.push((Some(index.title.clone()), reason.into()));
    }
}

#[derive(Deserialize)]
struct Compared {
    expression: String,
    operator: u32,
    conflicts: String,
    before: Option<String>,
}

/// Sorted by what must be equal and then by the range, rows that overlap have such a one right before them: a range that
/// begins between two overlapping ones overlaps the first of them.
fn exclusion(row: &Row) -> Result<Option<Job>, Trouble> {
    let compared: Vec<Compared> = serde_json::from_str(row.get(4))
        .map_err(|error| Trouble::Other(format!("an exclusion constraint cannot be read: {error}")))?;
    let (mut ranged, mut plain): (Vec<_>, Vec<_>) = (vec![], vec![]);
    for one in compared {
        if one.operator == OVERLAPS { ranged.push(one) } else { plain.push(one) }
    }
    if ranged.len() > 1 {
        return Ok(None);
    }
    let condition =
        row.get::<_, Option<&str>>(2).map_or_else(|| "true".into(), |predicate| format!("({predicate})"));
    let (mut items, mut order, mut related, mut set) = (vec![], vec![], vec![], vec![condition]);
    for (number, one) in (1..).zip(plain.iter().chain(&ranged)) {
        let number: u32 = number;
        let expression = &one.expression;
        let before = match (&one.before, one.operator) {
            (Some(before), _) => before,
            (None, OVERLAPS) => "OPERATOR(pg_catalog.<)",
            (None, _) => return Ok(None),
        };
        items.push(format!("{expression} AS k{number}, lag({expression}) OVER o AS p{number}"));
        order.push(format!("{expression} USING {before}"));
        related.push(format!("k{number} {} p{number}", one.conflicts));
        set.push(format!("{expression} IS DISTINCT FROM NULL"));
    }
    let table: String = row.get(1);
    let head =
        repeated(&table, &items.join(", "), &set.join(" AND "), &order.join(", "), &related.join(" AND "));
    Ok(Some(Job {
        check: CHECK.into(),
        object: row.get(0),
        bytes: row.get::<_, i64>(3).unsigned_abs(),
        task: AnyTask::Uniqueness(Task {
            table,
            pages: None,
            conflict: "what the constraint keeps from another".into(),
            head,
            tail: String::new(),
        }),
    }))
}

/// Looks for duplicates under one.
pub(crate) async fn run(
    session: &mut Session<'_>,
    object: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    let answer = match task.pages {
        None => session.query_heap(&task.head).await,
        Some(pages) => {
            let sql = format!("{}{}{}", task.head, pages.condition("t", &task.table), task.tail);
            session.query_with(&BY_INDEX, &sql).await
        }
    };
    let row = match answer {
        Ok(row) => row,
        Err(trouble) => return relations::file(session, object, trouble, work).await,
    };
    let number = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    let (lost, repeated) = if task.pages.is_some() { (number(1), number(2)) } else { (0, number(0)) };
    let Task { table, conflict, .. } = task;
    if lost > 0 {
        let rows = count(lost, "row", "rows");
        work.ending.unfinished(
            object,
            format!("{rows} of {table} not found through it, so others may be missed too"),
        );
    }
    if repeated > 0 {
        let rows = count(repeated, "row", "rows");
        work.ending.wrong(object, format!("{rows} of {table} with {conflict}"));
    }
    Ok(())
}
