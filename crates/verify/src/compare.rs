//! A schema held against that of the last validated backup.

use std::collections::BTreeMap;

use crate::catalog::Objects;
use crate::ending::{Ending, count, name_some};

/// Prefix of the identity of a table among the objects.
const TABLE: &str = "table ";

/// Changes named in a reason; more are counted.
const CHANGES_SHOWN: usize = 20;

/// What a missing table is told of.
pub(crate) const MISSING: &str = "was in the last validated backup and is missing now";

/// Tables among `objects`, by quoted `schema.table`.
pub(crate) fn tables(objects: &Objects) -> impl Iterator<Item = &str> {
    objects.keys().filter_map(|identity| identity.strip_prefix(TABLE))
}

/// Files what `now` lacks and what differs.
///
/// A missing table is wrong unless it may be missing; every other difference is named.
pub(crate) fn compare(
    ending: &mut Ending,
    database: &str,
    before: &Objects,
    now: &Objects,
    allowed: &[String],
) {
    let mut let_go = Vec::new();
    for table in tables(before).filter(|table| !now.contains_key(&format!("{TABLE}{table}"))) {
        if is_allowed(database, table, allowed) {
            let_go.push(table.to_owned());
        } else {
            ending.wrong(table, MISSING);
        }
    }
    if !let_go.is_empty() {
        ending.note(format!("missing, as allowed: {}", name_some(&let_go, CHANGES_SHOWN)));
    }
    let drift = drift(before, now);
    if drift.is_empty() {
        ending.note("as in the last validated backup");
    } else {
        let changes = count(drift.len() as u64, "change", "changes");
        ending
            .note(format!("{changes} since the last validated backup: {}", name_some(&drift, CHANGES_SHOWN)));
    }
}

/// A whole database that is gone. Returns whether anything of it is missed.
pub(crate) fn compare_missing_database(
    ending: &mut Ending,
    database: &str,
    before: &Objects,
    allowed: &[String],
) {
    let missed = tables(before).filter(|table| !is_allowed(database, table, allowed)).count() as u64;
    if missed > 0 {
        let tables = count(missed, "table", "tables");
        ending.wrong(database, format!("the database {MISSING}, with {tables}"));
    } else {
        ending.note(format!("the database {MISSING}; it held no table that is missed"));
    }
}

/// What differs, each in two or three words, tables first.
fn drift(before: &Objects, now: &Objects) -> Vec<String> {
    let mut changes: BTreeMap<(bool, &str), &str> = BTreeMap::new();
    for (identity, definition) in now {
        match before.get(identity) {
            None => changes.insert((!identity.starts_with(TABLE), identity), "added"),
            Some(other) if other != definition => {
                changes.insert((!identity.starts_with(TABLE), identity), "changed")
            }
            Some(_) => None,
        };
    }
    for identity in before.keys().filter(|identity| !now.contains_key(*identity)) {
        changes.insert((!identity.starts_with(TABLE), identity), "dropped");
    }
    changes.into_iter().map(|((_, identity), what)| format!("{what} {identity}")).collect()
}

/// Whether `database.schema.table` is on the list, quoted as PostgreSQL would or not at all.
fn is_allowed(database: &str, table: &str, allowed: &[String]) -> bool {
    let quoted = format!("{database}.{table}");
    let plain = format!("{database}.{}", unquoted(table));
    allowed.iter().any(|entry| match entry.strip_suffix('*') {
        Some(start) => quoted.starts_with(start) || plain.starts_with(start),
        None => *entry == quoted || *entry == plain,
    })
}

/// `"we""ird".t` without its quotes: `we"ird.t`.
fn unquoted(identity: &str) -> String {
    let mut text = String::with_capacity(identity.len());
    let mut characters = identity.chars().peekable();
    let mut inside = false;
    while let Some(character) = characters.next() {
        if character != '"' {
            text.push(character);
        } else if inside && characters.peek() == Some(&'"') {
            text.push('"');
            characters.next();
        } else {
            inside = !inside;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use holdfast_core::validation::{Check, CheckResult};

    use super::*;

    fn objects(pairs: &[(&str, &str)]) -> Objects {
        pairs.iter().map(|(name, def)| (name.to_string(), def.to_string())).collect()
    }

    fn compared(before: &Objects, now: &Objects, allowed: &[&str]) -> Check {
        let allowed: Vec<String> = allowed.iter().map(|entry| entry.to_string()).collect();
        let mut ending = Ending::default();
        compare(&mut ending, "shop", before, now, &allowed);
        ending.into_check("schema", "shop", Instant::now())
    }

    #[test]
    fn a_missing_table_fails_and_other_drift_is_named() {
        let before = objects(&[("table public.a", "1"), ("index public.i", "1"), ("view public.v", "1")]);
        let now = objects(&[("index public.i", "2"), ("table public.b", "1")]);
        let check = compared(&before, &now, &[]);
        assert_eq!(check.result, CheckResult::Failed);
        assert_eq!(check.findings.len(), 1);
        assert_eq!(check.findings[0].object, "public.a");
        assert_eq!(
            check.reason.as_deref(),
            Some(
                "4 changes since the last validated backup: dropped table public.a, added table public.b, \
                 changed index public.i, dropped view public.v"
            )
        );
    }

    #[test]
    fn an_allowed_table_may_be_missing() {
        let before = objects(&[("table public.a", "1"), ("table public.\"we\"\"ird\"", "1")]);
        let now = objects(&[]);
        assert_eq!(compared(&before, &now, &["shop.public.a"]).findings.len(), 1);
        assert_eq!(compared(&before, &now, &["other.public.a"]).findings.len(), 2);
        assert_eq!(
            compared(&before, &now, &["shop.public.a", "shop.public.we\"ird"]).result,
            CheckResult::Passed
        );
        assert_eq!(compared(&before, &now, &["shop.public.*"]).result, CheckResult::Passed);
    }

    #[test]
    fn a_missing_database_fails_unless_nothing_of_it_is_missed() {
        let before = objects(&[("table public.a", "1")]);
        let result = |before: &Objects, allowed: &[String]| {
            let mut ending = Ending::default();
            compare_missing_database(&mut ending, "shop", before, allowed);
            ending.into_check("schema", "shop", Instant::now()).result
        };
        assert_eq!(result(&before, &[]), CheckResult::Failed);
        assert_eq!(result(&before, &["shop.*".to_owned()]), CheckResult::Passed);
        assert_eq!(result(&objects(&[]), &[]), CheckResult::Passed);
    }

    #[test]
    fn quotes_come_off() {
        assert_eq!(unquoted("public.orders"), "public.orders");
        assert_eq!(unquoted("\"My Schema\".\"we\"\"ird; drop\""), "My Schema.we\"ird; drop");
    }
}
