//! `indexes`: every index usable, whole, and in step with its table.
//!
//! With `amcheck` a B-tree's pages are held against each other and every row is looked for in it. What its rows come to
//! is counted beside that: `amcheck` goes from the table to the index, so a table that has lost its end passes it.
//! Without, a B-tree is walked from end to end: its order, a search from the root for some of its keys, and its count and
//! the sum of its keys against those of the table in the same snapshot. The indexes of large tables are held against
//! some pages of the table at a time.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::conclude::Sums;
use crate::content;
use crate::ending::count;
use crate::index_catalog::{BY_INDEX, regclass};
use crate::job::{Pages, Task as AnyTask, Work};
use crate::plan::Plan;
use crate::relations;
use crate::session::{Session, Trouble};
use crate::settings;

mod planner;

pub(crate) use planner::{is_large, plan, ranges};

/// Name of the check.
pub(crate) const CHECK: &str = "indexes";

/// Tables read, not their indexes; behind [`BY_INDEX`] in the same transaction.
const BY_TABLE: &str =
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on; SET LOCAL enable_indexscan = off;
    SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off";

/// One index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What a person calls it.
    pub title: String,
    /// What a person calls its table.
    pub table: String,
    /// Pages of the table that are held against it; `None` where it is taken as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pages: Option<Pages>,
    /// What is asked, until something is found.
    pub questions: Vec<Question>,
}

/// What is asked of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Question {
    /// A function of `amcheck`, which raises what it finds.
    Amcheck {
        /// The call.
        sql: String,
    },
    /// Every B-tree of the system catalogs, by the same.
    Catalogs {
        /// The schema of `amcheck`.
        schema: String,
    },
    /// How many rows it leads to.
    Count {
        /// Counted through it.
        index: String,
        /// Counted in the table; `None` where the check of the content counts them.
        heap: Option<String>,
    },
    /// What a walk from end to end shows.
    Walk {
        /// Rows, disordered ones, and ones that a search does not find.
        walk: String,
        /// The sums of its keys, where it has them.
        keys: Option<String>,
        /// The same, or the count alone, from the table.
        heap: String,
    },
    /// Rows of some pages, each looked for: before and behind the condition for the pages.
    Lookups {
        /// Before.
        head: String,
        /// Behind.
        tail: String,
    },
}

/// Looks at one, until something is found.
pub(crate) async fn run(
    session: &mut Session<'_>,
    _index: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    for question in &task.questions {
        if let Err(trouble) = ask(session, task, question, work).await {
            relations::file(session, &task.title, trouble, work).await?;
        }
        if !work.ending.is_clean() {
            break;
        }
    }
    Ok(())
}

async fn ask(
    session: &mut Session<'_>,
    task: &Task,
    question: &Question,
    work: &mut Work,
) -> Result<(), Trouble> {
    let Task { title, table, .. } = task;
    match question {
        Question::Amcheck { sql } => {
            session.query(sql).await?;
        }
        Question::Catalogs { schema } => catalogs(session, schema, work).await?,
        Question::Count { index, heap } => {
            let mut statements: Vec<&str> = vec![index];
            statements.extend(heap.as_deref());
            let rows = in_one_snapshot(session, &statements).await?;
            let led_to = number(&rows[0], 0);
            match rows.get(1) {
                Some(row) => {
                    if let Some(message) = miscounted(led_to, table, number(row, 0)) {
                        work.ending.wrong(title, message);
                    }
                }
                None => work.rows = led_to,
            }
        }
        Question::Walk { walk, keys, heap } => {
            let mut statements: Vec<&str> = vec![walk];
            statements.extend(keys.as_deref());
            statements.push(heap);
            let rows = in_one_snapshot(session, &statements).await?;
            if let Some(message) = walked(table, &rows) {
                work.ending.wrong(title, message);
            }
        }
        Question::Lookups { head, tail } => {
            let pages = task.pages.unwrap_or(Pages::ALL);
            let row = session
                .query_with(&BY_INDEX, &format!("{head}{}{tail}", pages.condition("t", table)))
                .await?;
            match number(&row, 1) {
                0 => {}
                lost => work.ending.wrong(title, not_found(lost, table)),
            }
        }
    }
    Ok(())
}

/// What is wrong by the answers to [`Question::Walk`].
fn walked(table: &str, rows: &[Row]) -> Option<String> {
    let (walk, heap) = (rows.first()?, rows.last()?);
    if let message @ Some(_) = miscounted(number(walk, 0), table, number(heap, 0)) {
        return message;
    }
    match (number(walk, 1), number(walk, 2)) {
        (0, 0) => {}
        (0, lost) => return Some(not_found(lost, table)),
        (disordered, _) => {
            return Some(format!(
                "{} of {table} out of order in it: it is damaged, or a collation or a function it was built with has changed",
                count(disordered, "row", "rows")
            ));
        }
    }
    // With sums of the keys there are three answers.
    let keys = rows.get(1).filter(|_| rows.len() == 3)?;
    let sums = |row: &Row| [row.get::<_, Option<String>>(1), row.get(2)];
    (number(keys, 0) != number(heap, 0) || sums(keys) != sums(heap))
        .then(|| format!("the keys it holds are not those of {table}: one of the two is damaged"))
}

fn miscounted(led_to: u64, table: &str, held: u64) -> Option<String> {
    (led_to != held).then(|| {
        format!(
            "leads to {}, {table} holds {held}: the table's file is cut short, or the index is damaged",
            count(led_to, "row", "rows")
        )
    })
}

fn not_found(lost: u64, table: &str) -> String {
    format!(
        "{} of {table} not found through it: it is damaged, or a collation or a function it was built with has changed",
        count(lost, "row", "rows")
    )
}

fn number(row: &Row, column: usize) -> u64 {
    row.get::<_, i64>(column).unsigned_abs()
}

/// Asks several statements of the same rows, the last of the table and the others of the index, within the time that
/// one statement has.
async fn in_one_snapshot(session: &mut Session<'_>, statements: &[&str]) -> Result<Vec<Row>, Trouble> {
    let bound = session.statement_timeout()?;
    let begin = format!("{}; {}", settings::begin(false, bound), BY_INDEX.join("; "));
    session
        .within(async |client| {
            let since = Instant::now();
            client.batch_execute(&begin).await?;
            let mut rows = Vec::with_capacity(statements.len());
            for (place, statement) in statements.iter().enumerate() {
                let left = settings::milliseconds(bound.saturating_sub(since.elapsed()));
                let mut set = format!("SET LOCAL statement_timeout = {left}");
                if place > 0 && place + 1 == statements.len() {
                    set = format!("{set}; {BY_TABLE}");
                }
                client.batch_execute(&set).await?;
                rows.push(client.query_one(*statement, &[]).await?);
            }
            Ok(rows)
        })
        .await
}

/// Each B-tree of the system catalogs; the first damage of each is named.
async fn catalogs(session: &mut Session<'_>, schema: &str, work: &mut Work) -> Result<(), Trouble> {
    let names = session
        .query(
            "SELECT format('%I.%I', n.nspname, c.relname)
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               JOIN pg_am m ON m.oid = c.relam
              WHERE c.oid < 16384 AND i.indrelid <> 'pg_largeobject'::regclass AND m.amname = 'btree' AND c.relkind = 'i'
                AND i.indisvalid AND i.indisready AND i.indislive
              ORDER BY 1",
        )
        .await?;
    for row in &names {
        let name: &str = row.get(0);
        let sql = format!("SELECT {schema}.bt_index_check({}, true)", regclass(name));
        if let Err(trouble) = session.query(&sql).await {
            relations::file(session, name, trouble, work).await?;
        }
    }
    Ok(())
}

/// What an index leads to must be what the check of the content read from its table.
pub(crate) fn hold_against_tables(sums: &mut Sums, plan: &Plan) {
    let mut wrong = Vec::new();
    for unit in &plan.units {
        for job in &unit.jobs {
            let AnyTask::Index(task) = &job.task else { continue };
            if !task.questions.iter().any(|question| matches!(question, Question::Count { heap: None, .. })) {
                continue;
            }
            let rows = |check: &str, object: &str| {
                let sum = sums.checks.get(&(check.to_owned(), unit.database.clone()))?;
                sum.tables.get(object).filter(|(clean, _)| *clean).map(|(_, work)| work.rows)
            };
            // Where one of the two could not be read to the end, its own check says so.
            let (Some(led_to), Some(held)) = (rows(CHECK, &job.object), rows(content::CHECK, &task.table))
            else {
                continue;
            };
            if let Some(message) = miscounted(led_to, &task.table, held) {
                wrong.push((unit.database.clone(), task.title.clone(), message));
            }
        }
    }
    for (database, title, message) in wrong {
        if let Some(sum) = sums.checks.get_mut(&(CHECK.to_owned(), database)) {
            sum.ending.wrong(title, message);
        }
    }
}
