//! The team's own SQL: one read-only statement each, bounded, always rolled back.
//!
//! Four walls, each enough alone against its kind: the first word must be that of a query; the extended protocol takes
//! one statement only; the transaction is read-only, and once a query runs in it PostgreSQL lets nobody make it
//! anything else; and where there is the role `pg_read_all_data` (since PostgreSQL 14) the statement is asked as that
//! role, which may read every table and nothing else, so that a function that it calls cannot do what a read-only
//! transaction does not forbid: run a program, write a file, log in elsewhere without a password. Row security knows
//! that role as anybody else, so a database that uses it is asked as the user, by the other three walls.
//!
//! Rows that should not be there are counted on the server, by a cursor that is moved and not fetched from: none of
//! them travels, however wide. They are shown only where the assertion asks for it.

use std::pin::pin;

use futures::TryStreamExt;
use holdfast_core::validation::{Assertion, Comparison, Expectation};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, SimpleQueryMessage, Statement, Transaction};

use serde::{Deserialize, Serialize};

use crate::ending::{Ending, INSTANCE, count};
use crate::job::{Job, Planned, Task as AnyTask, Work};
use crate::session::{Session, Trouble};
use crate::settings;

/// Offending rows are counted up to here.
const ROWS_COUNTED: u64 = 1000;

/// Offending rows that are shown, where that is asked for.
const ROWS_SHOWN: usize = 5;

/// Characters of each.
const ROW_CHARACTERS: usize = 200;

/// The role that may read everything, if this user may become it and no table here has row security. It is a wall
/// against accidents: what means to can take the role off again.
const ROLE: &str = "
    SELECT pg_catalog.set_config('role', r.rolname, true) FROM pg_catalog.pg_roles r
     WHERE r.rolname = 'pg_read_all_data'
       AND pg_catalog.pg_has_role(r.oid, CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4
                                                   >= 160000 THEN 'SET' ELSE 'MEMBER' END)
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relrowsecurity)";

/// The team writes as it does at home: names are looked up by the database's own search path, with its `$user` for
/// the user and not for the role.
const SEARCH_PATH: &str = "
    SELECT pg_catalog.set_config('search_path', pg_catalog.replace(pg_catalog.replace(s.reset_val,
               '\"$user\"', pg_catalog.quote_ident(session_user)), '$user', pg_catalog.quote_ident(session_user)), true)
      FROM pg_catalog.pg_settings s WHERE s.name = 'search_path'";

/// What the statement answered.
enum Answer {
    /// This many rows, `ROWS_COUNTED` and one for more.
    Rows(u64),
    /// Rows of one boolean column: how many, and the value of the first.
    Truth(u64, Option<bool>),
    /// Rows of one column of numbers: how many, the first, and whether it compares as expected; `None` for what is
    /// no number.
    Number(u64, Option<String>, Option<bool>),
    /// It cannot be held against the expectation.
    Unfit(&'static str),
}

/// One assertion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The assertion.
    pub assertion: Assertion,
}

/// The check's name: `assertion: orders have lines`.
pub(crate) fn check_name(assertion: &Assertion) -> String {
    format!("assertion: {}", assertion.name)
}

/// Whether an assertion is for this database: by its name, or because there are tables to ask.
pub(crate) fn asks(assertion: &Assertion, database: &str, tables: u64) -> bool {
    match &assertion.database {
        Some(named) => named == database,
        None => tables > 0,
    }
}

/// What is to be said of one that no database could be asked.
pub(crate) fn unasked(assertion: &Assertion, listed: bool) -> (String, Ending) {
    match &assertion.database {
        Some(database) if listed => {
            let mut ending = Ending::default();
            ending.wrong(&assertion.name, format!("the database {database} is not on this instance"));
            (database.clone(), ending)
        }
        Some(database) => (database.clone(), Ending::not_run("the databases could not be listed")),
        None => (INSTANCE.to_owned(), Ending::not_run("there is no database to ask it in")),
    }
}

/// Its only job.
pub(crate) fn plan(assertion: &Assertion) -> Planned {
    let job = Job {
        check: check_name(assertion),
        object: assertion.name.clone(),
        bytes: 0,
        task: AnyTask::Assertion(Task { assertion: assertion.clone() }),
    };
    Planned { jobs: vec![job], ..Planned::default() }
}

/// Runs one in the session's database.
pub(crate) async fn run(session: &mut Session<'_>, task: &Task, work: &mut Work) -> Result<(), Trouble> {
    let assertion = &task.assertion;
    if let Err(reason) = guard(&assertion.sql) {
        work.ending.unfinished(&assertion.name, reason);
        return Ok(());
    }
    let begin = begin(session.statement_timeout()?);
    match session.within(async |client| ask(client, &begin, assertion).await).await {
        Ok(answer) => {
            judge(&mut work.ending, assertion, &answer);
            if assertion.show_rows && matches!(answer, Answer::Rows(1..)) {
                show(session, assertion, &mut work.ending).await;
            }
        }
        // What it speaks of is gone: that is an answer.
        Err(Trouble::Missing(message)) => work.ending.wrong(&assertion.name, message),
        Err(Trouble::Other(message)) if message.contains("multiple commands") => {
            work.ending.unfinished(&assertion.name, "is not one statement");
        }
        Err(trouble) => return Err(trouble),
    }
    Ok(())
}

fn begin(timeout: std::time::Duration) -> String {
    // A cursor is planned for its first rows, and here it is meant to have none.
    format!(
        "{}; SET LOCAL cursor_tuple_fraction = 1.0; {ROLE}; {SEARCH_PATH}",
        settings::begin(false, timeout)
    )
}

async fn ask(
    client: &mut Client,
    begin: &str,
    assertion: &Assertion,
) -> Result<Answer, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(begin).await?;
    let statement = transaction.prepare(&assertion.sql).await?;
    if !statement.params().is_empty() {
        return Ok(Answer::Unfit("takes parameters, and there are none to give"));
    }
    match &assertion.expect {
        Expectation::ZeroRows => {
            declare(&transaction, assertion).await?;
            let moved = format!("MOVE FORWARD {} FROM asserted", ROWS_COUNTED + 1);
            Ok(Answer::Rows(transaction.execute(&moved, &[]).await?))
        }
        Expectation::True => truth(&transaction, &statement).await,
        Expectation::Compares(comparison) => number(&transaction, &statement, assertion, comparison).await,
    }
}

/// Opens a cursor on the statement, which is one: it was prepared as it is.
async fn declare(transaction: &Transaction<'_>, assertion: &Assertion) -> Result<(), tokio_postgres::Error> {
    let cursor = format!("DECLARE asserted NO SCROLL CURSOR FOR\n{}", assertion.sql);
    transaction.execute(&cursor, &[]).await.map(drop)
}

async fn truth(
    transaction: &Transaction<'_>,
    statement: &Statement,
) -> Result<Answer, tokio_postgres::Error> {
    if !matches!(statement.columns(), [column] if *column.type_() == Type::BOOL) {
        return Ok(Answer::Unfit("is expected to be true, so it must have one boolean column"));
    }
    let portal = transaction.bind(statement, &[]).await?;
    let mut rows = pin!(transaction.query_portal_raw(&portal, 2).await?);
    let (mut seen, mut first) = (0, None);
    while let Some(row) = rows.try_next().await? {
        if seen == 0 {
            first = row.try_get(0)?;
        }
        seen += 1;
    }
    Ok(Answer::Truth(seen, first))
}

/// The number is compared by the server, as `numeric` and by its text: exact, and what a person reads.
async fn number(
    transaction: &Transaction<'_>,
    statement: &Statement,
    assertion: &Assertion,
    comparison: &Comparison,
) -> Result<Answer, tokio_postgres::Error> {
    const NUMBERS: [Type; 6] =
        [Type::INT2, Type::INT4, Type::INT8, Type::NUMERIC, Type::FLOAT4, Type::FLOAT8];
    if !matches!(statement.columns(), [column] if NUMBERS.contains(column.type_())) {
        return Ok(Answer::Unfit(
            "is expected to compare with a number, so it must have one column of a numeric type",
        ));
    }
    declare(transaction, assertion).await?;
    // The simple protocol answers in text.
    let rows: Vec<Option<String>> = transaction
        .simple_query("FETCH FORWARD 2 FROM asserted")
        .await?
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        })
        .collect();
    let seen = rows.len() as u64;
    let Some(text) = rows.into_iter().next().flatten() else {
        return Ok(Answer::Number(seen, None, None));
    };
    if ["NaN", "Infinity", "-Infinity"].contains(&text.as_str()) {
        return Ok(Answer::Number(seen, Some(text), None));
    }
    let sql = format!(
        "SELECT $1::pg_catalog.text::pg_catalog.numeric OPERATOR(pg_catalog.{}) '{}'::pg_catalog.numeric",
        comparison.operator.as_str(),
        comparison.number
    );
    let holds = transaction.query_one(&sql, &[&text]).await?.try_get(0)?;
    Ok(Answer::Number(seen, Some(text), holds))
}

fn judge(ending: &mut Ending, assertion: &Assertion, answer: &Answer) {
    let name = &assertion.name;
    match answer {
        Answer::Unfit(reason) => ending.unfinished(name, *reason),
        Answer::Rows(0) | Answer::Truth(1, Some(true)) | Answer::Number(1, _, Some(true)) => {}
        Answer::Rows(rows) if *rows > ROWS_COUNTED => {
            ending.wrong(name, format!("more than {ROWS_COUNTED} rows where none may be"));
        }
        Answer::Rows(rows) => {
            ending.wrong(name, format!("{} where none may be", count(*rows, "row", "rows")))
        }
        Answer::Truth(1, Some(false)) => ending.wrong(name, "is false"),
        Answer::Truth(1, None) => ending.wrong(name, "is NULL, which is not true"),
        Answer::Truth(0, _) => ending.wrong(name, "gives no row, and one that is true is expected"),
        Answer::Truth(..) => ending.wrong(name, "gives several rows, and one that is true is expected"),
        Answer::Number(1, value, _) => ending.wrong(name, compared(assertion, value.as_deref())),
        Answer::Number(0, ..) => ending.wrong(name, "gives no row, and one with a number is expected"),
        Answer::Number(..) => ending.wrong(name, "gives several rows, and one with a number is expected"),
    }
}

/// How a number misses the expectation; the number itself is data.
fn compared(assertion: &Assertion, value: Option<&str>) -> String {
    let expected = match &assertion.expect {
        Expectation::Compares(comparison) => String::from(comparison.clone()),
        Expectation::ZeroRows | Expectation::True => String::new(),
    };
    match value {
        None => format!("is NULL, which is not {expected}"),
        Some(value) if assertion.show_rows => format!("is {value}, which is not {expected}"),
        Some(_) => format!("is not {expected}"),
    }
}

/// Shows the first rows, cut on the server: a row of any width costs no more than its beginning.
async fn show(session: &mut Session<'_>, assertion: &Assertion, ending: &mut Ending) {
    let Ok(timeout) = session.statement_timeout() else {
        return ending.note("there was no time to show rows");
    };
    let begin = begin(timeout);
    // A closing semicolon would end the statement too early.
    let sql = assertion.sql.trim_end_matches(|c: char| c.is_whitespace() || c == ';');
    let sql = format!(
        "SELECT pg_catalog.left(pg_catalog.row_to_json(asserted_row)::pg_catalog.text, {})
           FROM (\n{sql}\n) AS asserted_row LIMIT {ROWS_SHOWN}",
        ROW_CHARACTERS + 1
    );
    let rows = session
        .within(async |client| {
            let transaction = client.transaction().await?;
            transaction.batch_execute(&begin).await?;
            transaction.query(&sql, &[]).await
        })
        .await;
    match rows {
        Ok(rows) => {
            for (place, row) in rows.iter().enumerate() {
                let object = format!("{}, row {}", assertion.name, place + 1);
                ending.wrong(object, shortened(row.get::<_, Option<&str>>(0).unwrap_or_default()));
            }
        }
        Err(trouble) => ending.note(format!("its rows could not be shown: {}", trouble.message())),
    }
}

fn shortened(row: &str) -> String {
    if row.chars().count() <= ROW_CHARACTERS {
        return row.to_owned();
    }
    row.chars().take(ROW_CHARACTERS).chain(['…']).collect()
}

/// Lets only queries through, by their first word.
fn guard(sql: &str) -> Result<(), String> {
    let word = first_word(sql)?;
    match word.as_str() {
        "select" | "with" | "values" | "table" => Ok(()),
        "" => Err("is not a statement".into()),
        other => Err(format!("is not a query: it begins with {}", other.to_uppercase())),
    }
}

/// The first word after white space, comments and opening parentheses, in lower case.
fn first_word(sql: &str) -> Result<String, String> {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("/*") {
            rest = skip_comment(rest).ok_or("has a comment without an end")?;
        } else {
            break;
        }
    }
    Ok(rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .take(32)
        .collect::<String>()
        .to_lowercase())
}

/// What follows a block comment. PostgreSQL nests them.
fn skip_comment(sql: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut rest = sql;
    loop {
        let next = rest.find(['/', '*'])?;
        rest = &rest[next..];
        if let Some(after) = rest.strip_prefix("/*") {
            depth += 1;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = after;
            if depth == 0 {
                return Some(rest);
            }
        } else {
            rest = &rest[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_pass_and_nothing_else_does() {
        for sql in [
            "select 1",
            "  SELECT 1",
            "-- why\nselect 1",
            "/* a /* nested */ b */ with x as (select 1) select * from x",
            "((select 1))",
            "values (1)",
            "table orders",
            "/**/select 1",
            "/***/ select 1",
            "( -- a\n /* b */ select 1)",
        ] {
            assert_eq!(guard(sql), Ok(()), "{sql}");
        }
        for sql in [
            "",
            "   ",
            "-- select 1",
            "/* select 1",
            "/* /* */ select 1",
            ";select 1",
            "delete from orders",
            "DO $$ begin end $$",
            "copy orders to program 'x'",
            "set transaction read write",
            "commit",
            "explain analyze delete from orders",
            "call p()",
            "selectx",
            "\"select\"",
            "/* select */ DROP table orders",
            "-- select\n\n drop table orders",
        ] {
            assert!(guard(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn the_offending_word_is_named() {
        assert_eq!(guard("delete from t"), Err("is not a query: it begins with DELETE".into()));
    }
}
