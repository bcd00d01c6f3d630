//! The team's own SQL: one read-only statement each, bounded, always rolled back.
//!
//! Three walls, each enough alone against its kind: the first word must be that of a query; the
//! extended protocol takes one statement only; the transaction is read-only, and once a query runs
//! in it PostgreSQL lets nobody make it anything else.

use std::pin::pin;

use futures::TryStreamExt;
use holdfast_core::validation::{Assertion, Expectation};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::ending::{Ending, count};
use crate::session::{Session, Trouble};
use crate::settings;

/// Offending rows are counted up to here.
const ROWS_COUNTED: i32 = 1000;

/// What the statement answered.
enum Answer {
    /// This many rows, `ROWS_COUNTED` and one for more.
    Rows(u64),
    /// Rows of one boolean column: how many, and the value of the first.
    Truth(u64, Option<bool>),
    /// It cannot be held against the expectation.
    Unfit(&'static str),
}

/// Runs one assertion in the session's database.
pub(crate) async fn check(session: &mut Session<'_>, assertion: &Assertion) -> Ending {
    let mut ending = Ending::default();
    if let Err(reason) = guard(&assertion.sql) {
        ending.unfinished(&assertion.name, reason);
        return ending;
    }
    let answer = match session.statement_timeout() {
        Ok(timeout) => {
            let begin = begin(timeout);
            session.within(async |client| ask(client, &begin, assertion).await).await
        }
        Err(trouble) => Err(trouble),
    };
    match answer {
        Ok(answer) => judge(&mut ending, assertion, &answer),
        // What it speaks of is gone: that is an answer.
        Err(Trouble::Missing(message)) => ending.wrong(&assertion.name, message),
        Err(Trouble::Other(message)) if message.contains("multiple commands") => {
            ending.unfinished(&assertion.name, "is not one statement");
        }
        Err(trouble) => ending.absorb(Some(&assertion.name), &trouble),
    }
    ending
}

/// The team writes as it does at home: names are looked up by the database's own search path.
fn begin(timeout: std::time::Duration) -> String {
    format!("{}; SET LOCAL search_path TO DEFAULT", settings::begin(false, timeout))
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
    let truth = match assertion.expect {
        Expectation::ZeroRows => false,
        Expectation::True => true,
    };
    let boolean = matches!(statement.columns(), [column] if *column.type_() == Type::BOOL);
    if truth && !boolean {
        return Ok(Answer::Unfit("is expected to be true, so it must have one boolean column"));
    }
    // A portal hands out a bounded number of rows; they are counted one by one and dropped.
    let portal = transaction.bind(&statement, &[]).await?;
    let limit = if truth { 2 } else { ROWS_COUNTED + 1 };
    let mut rows = pin!(transaction.query_portal_raw(&portal, limit).await?);
    let (mut seen, mut first) = (0, None);
    while let Some(row) = rows.try_next().await? {
        if truth && seen == 0 {
            first = row.try_get(0)?;
        }
        seen += 1;
    }
    Ok(if truth { Answer::Truth(seen, first) } else { Answer::Rows(seen) })
}

fn judge(ending: &mut Ending, assertion: &Assertion, answer: &Answer) {
    let name = &assertion.name;
    match answer {
        Answer::Unfit(reason) => ending.unfinished(name, *reason),
        Answer::Rows(0) | Answer::Truth(1, Some(true)) => {}
        Answer::Rows(rows) if *rows > ROWS_COUNTED.unsigned_abs().into() => {
            ending.wrong(name, format!("more than {ROWS_COUNTED} rows where none may be"));
        }
        Answer::Rows(rows) => {
            ending.wrong(name, format!("{} where none may be", count(*rows, "row", "rows")))
        }
        Answer::Truth(1, Some(false)) => ending.wrong(name, "is false"),
        Answer::Truth(1, None) => ending.wrong(name, "is NULL, which is not true"),
        Answer::Truth(0, _) => ending.wrong(name, "gives no row, and one that is true is expected"),
        Answer::Truth(..) => ending.wrong(name, "gives several rows, and one that is true is expected"),
    }
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
