//! A schema held against that of the last validated backup.

use std::collections::BTreeMap;
use std::time::Instant;

use holdfast_core::validation::Check;

use crate::catalog::{self, Objects};
use crate::ending::{Ending, count, name_some};
use crate::plan::{Plan, SCHEMA};
use crate::{ALGORITHM, Options};

/// Prefix of the identity of a table among the objects.
const TABLE: &str = "table ";

/// Changes named in a reason; more are counted.
const CHANGES_SHOWN: usize = 20;

/// What a missing table is told of.
const MISSING: &str = "was in the last validated backup and is missing now";

/// Holds one database's schema against that of the last validated backup.
pub(crate) fn schema(ending: &mut Ending, database: &str, plan: &Plan, options: &Options) {
    let Some(now) = plan.databases.get(database).and_then(|database| database.objects.as_ref()) else {
        return;
    };
    ending.note(count(now.len() as u64, "object", "objects"));
    let Some(reference) = &options.reference else { return };
    if reference.algorithm != ALGORITHM {
        ending.note(format!("not comparable with the last validated backup ({})", reference.algorithm));
        return;
    }
    match reference.databases.get(database) {
        Some(before) => compare(ending, database, &before.objects, now, &options.allow_missing_tables),
        None => ending.note("this database was not in the last validated backup"),
    }
}

/// Databases that the last validated backup had and that are not there.
pub(crate) fn missing_databases(plan: &Plan, options: &Options) -> Vec<Check> {
    let Some(reference) = options.reference.as_ref().filter(|_| plan.listed) else { return vec![] };
    if reference.algorithm != ALGORITHM {
        return vec![];
    }
    let mut checks = Vec::new();
    for (name, before) in &reference.databases {
        if plan.databases.contains_key(name) {
            continue;
        }
        let mut ending = Ending::default();
        if plan.closed.contains(name) {
            ending.unfinished(name, "the database allows no connection now and cannot be compared");
        } else {
            compare_missing_database(&mut ending, name, &before.objects, &options.allow_missing_tables);
        }
        checks.push(ending.into_check(SCHEMA, name, Instant::now()));
    }
    checks
}

/// Tables among `objects`, by quoted `schema.table`.
fn tables(objects: &Objects) -> impl Iterator<Item = &str> {
    objects.keys().filter_map(|identity| identity.strip_prefix(TABLE))
}

/// Files what `now` lacks and what differs.
///
/// A missing table is wrong unless it may be missing; every other difference is named.
fn compare(ending: &mut Ending, database: &str, before: &Objects, now: &Objects, allowed: &[String]) {
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
    let mut drift: BTreeMap<(bool, String), String> = BTreeMap::new();
    for difference in catalog::differences(before, now) {
        let key = (!difference.object.starts_with(TABLE), difference.object.clone());
        drift.insert(key, format!("{}: {}", difference.object, difference.message));
    }
    let drift: Vec<String> = drift.into_values().collect();
    if drift.is_empty() {
        ending.note("as in the last validated backup");
    } else {
        let changes = count(drift.len() as u64, "change", "changes");
        ending
            .note(format!("{changes} since the last validated backup: {}", name_some(&drift, CHANGES_SHOWN)));
    }
}

/// A whole database that is gone.
fn compare_missing_database(ending: &mut Ending, database: &str, before: &Objects, allowed: &[String]) {
    let missed = tables(before).filter(|table| !is_allowed(database, table, allowed)).count() as u64;
    if missed > 0 {
        let tables = count(missed, "table", "tables");
        ending.wrong(database, format!("the database {MISSING}, with {tables}"));
    } else {
        ending.note(format!("the database {MISSING}; it held no table that is missed"));
    }
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

    use holdfast_core::validation::{Check, CheckResult, ObjectManifest};

    use super::*;

    fn objects(pairs: &[(&str, &str)]) -> Objects {
        let object = |def: &str| ObjectManifest {
            hash: def.to_string(),
            definition: BTreeMap::from([("definition".to_owned(), serde_json::json!(def))]),
        };
        pairs.iter().map(|(name, def)| (name.to_string(), object(def))).collect()
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
        let reason = check.reason.unwrap();
        let places =
            ["4 changes since the last validated backup: ", "public.a", "public.b", "public.i", "public.v"]
                .map(|part| reason.find(part).unwrap_or_else(|| panic!("no {part}: {reason}")));
        assert!(places.is_sorted(), "tables come first: {reason}");
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
