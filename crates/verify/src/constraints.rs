//! `constraints`: rows that violate what the catalog promises of each row by itself.
//!
//! Check constraints, NOT NULL, the constraints of domains, and the bounds of partitions: all of a table's are asked in
//! one pass over its heap, whatever the catalog says of their validation. A first pass counts the rows that break any
//! of them; only when there are some, a second one says which. The rules come from [`rules`].

mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ending::count;
use crate::job::{Job, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::ranges::{Share, rows_in, sampled, shares};
use crate::session::{Session, Trouble};

pub use rules::Rule;

/// Name of the check.
pub(crate) const CHECK: &str = "constraints";

/// Rules asked in one statement: a SELECT list has room for 1664 (PostgreSQL, "Limits").
const RULES_AT_ONCE: usize = 400;

/// Columns counted by one `num_nulls`: a function takes at most 100 arguments.
const COLUMNS_AT_ONCE: usize = 50;

/// Functions in check constraints find what they found on the source: the database's own search path, but PostgreSQL's
/// own functions first. And no condition may be answered from the constraints themselves.
const SETTINGS: [&str; 2] = [
    "SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || reset_val, true)
       FROM pg_catalog.pg_settings WHERE name = 'search_path'",
    "SET LOCAL constraint_exclusion = off",
];

/// The rules of one table on some of its pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The table.
    pub table: String,
    /// Its name alone, quoted: what a whole row is called in the text of a constraint.
    alias: String,
    /// Which pages.
    pub share: Share,
    /// What must hold.
    rules: Vec<Rule>,
}

/// Which rules there are, table by table.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let found = rules::read(session).await?;
    planned.not_checked.extend(found.not_checked.into_iter().map(|(object, reason)| (Some(object), reason)));
    let mut rules: BTreeMap<i64, Vec<Rule>> = found.rules;
    let coverage = scope.options.checks.constraints;
    let mut asked = 0;
    for table in found.tables {
        let Some(rules) = rules.remove(&table.oid) else { continue };
        asked += rules.len() as u64;
        let (shares, partial) = shares(scope, table.bytes, coverage);
        if partial {
            planned.not_checked.push((Some(table.name.clone()), sampled(coverage)));
        }
        for rules in rules.chunks(RULES_AT_ONCE) {
            for (share, bytes) in &shares {
                let (table, alias) = (table.name.clone(), table.alias.clone());
                planned.jobs.push(Job {
                    check: CHECK.into(),
                    object: table.clone(),
                    bytes: *bytes,
                    task: AnyTask::Constraint(Task { table, alias, share: *share, rules: rules.to_vec() }),
                });
            }
        }
    }
    planned.ending.note(format!("{} asked of every row", count(asked, "constraint", "constraints")));
    Ok(planned)
}

/// Asks all rules of one range.
pub(crate) async fn run(
    session: &mut Session<'_>,
    _object: &str,
    task: &Task,
    work: &mut Work,
) -> Result<(), Trouble> {
    match session.query_heap_with(&SETTINGS, &task.any()).await {
        Ok(row) if row.get::<_, i64>(1) == 0 => {
            work.rows = row.get::<_, i64>(0).unsigned_abs();
            return Ok(());
        }
        Ok(row) => work.rows = row.get::<_, i64>(0).unsigned_abs(),
        Err(trouble) if may_be_an_expression(&trouble) => {}
        Err(trouble) => return Err(trouble),
    }
    let all: Vec<&Rule> = task.rules.iter().collect();
    match counted(session, task, &all).await {
        Ok(counts) => {
            for (rule, rows) in all.into_iter().zip(counts) {
                rule.file(&mut work.ending, rows, &rows_in(rows, task.share));
            }
            Ok(())
        }
        Err(trouble) if may_be_an_expression(&trouble) => one_by_one(session, task, work).await,
        Err(trouble) => Err(trouble),
    }
}

/// Some expression raises an error: only that one is left open, and only when the table itself can be read.
async fn one_by_one(session: &mut Session<'_>, task: &Task, work: &mut Work) -> Result<(), Trouble> {
    counted(session, task, &[]).await?;
    for rule in &task.rules {
        match counted(session, task, &[rule]).await {
            Ok(counts) => {
                let rows = counts.first().copied().unwrap_or_default();
                rule.file(&mut work.ending, rows, &rows_in(rows, task.share));
            }
            Err(trouble) if may_be_an_expression(&trouble) => {
                let reason = without_data(&trouble.message());
                work.ending.unfinished(&rule.object, format!("its expression cannot be asked: {reason}"));
            }
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(())
}

/// How many rows break each of `rules`.
async fn counted(session: &mut Session<'_>, task: &Task, rules: &[&Rule]) -> Result<Vec<u64>, Trouble> {
    let row = session.query_heap_with(&SETTINGS, &task.each(rules)).await?;
    Ok((1..=rules.len()).map(|place| row.get::<_, i64>(place).unsigned_abs()).collect())
}

/// Whether the text of a constraint, or a function in it, may be what failed.
fn may_be_an_expression(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Other(_) | Trouble::Missing(_) => true,
        Trouble::Damaged(_)
        | Trouble::Lost(_)
        | Trouble::Interrupted(_)
        | Trouble::TooSlow(_)
        | Trouble::Budget => false,
    }
}

/// What a function says of its argument quotes it: only messages about names and rights (class 42) are shown.
fn without_data(message: &str) -> String {
    let code = message.rsplit_once(" (").map_or("", |(_, code)| code.trim_end_matches(')'));
    if code.starts_with("42") { message.to_owned() } else { format!("it raises the error {code}") }
}

impl Task {
    /// Counts the rows, and those that break any rule.
    fn any(&self) -> String {
        let (columns, mut conditions) = (self.columns(), Vec::new());
        conditions.extend(
            columns.chunks(COLUMNS_AT_ONCE).map(|columns| format!("num_nulls({}) > 0", columns.join(", "))),
        );
        conditions.extend(
            self.rules.iter().filter(|rule| rule.not_null.is_none()).map(|rule| rule.broken(&self.alias)),
        );
        self.select(&[conditions.join(" OR ")])
    }

    /// Counts the rows, and those that break each of these rules.
    fn each(&self, rules: &[&Rule]) -> String {
        self.select(&rules.iter().map(|rule| rule.broken(&self.alias)).collect::<Vec<_>>())
    }

    fn columns(&self) -> Vec<String> {
        let columns = self.rules.iter().filter_map(|rule| rule.not_null.as_ref());
        columns.map(|column| format!("{}.{column}", self.alias)).collect()
    }

    /// Conditions are asked in FILTER and not in WHERE: what stands there is never taken as proven by the catalog.
    fn select(&self, conditions: &[String]) -> String {
        let (from, here) = self.share.of(&self.table, &self.alias);
        let filters: Vec<String> =
            conditions.iter().map(|condition| format!(", count(*) FILTER (WHERE {condition})")).collect();
        format!("SELECT count(*){} FROM {from} WHERE {here}", filters.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_function_is_not_shown_when_it_may_quote_a_row() {
        assert_eq!(
            without_data("invalid input syntax for type integer: \"secret\" (22P02)"),
            "it raises the error 22P02"
        );
        let message = "function public.gone(integer) does not exist (42883)";
        assert_eq!(without_data(message), message);
    }
}
