//! Two restores of one backup: everything must be equal.

use holdfast_core::validation::{Coverage, DatabaseManifest, Manifest, TableManifest};

use crate::Options;
use crate::catalog;
use crate::ending::{Ending, count};

/// Holds a manifest against that of an earlier restore of the same backup, or of a copy of it.
pub(crate) fn compare(now: &Manifest, expected: &Manifest, options: &Options) -> Ending {
    let mut ending = Ending::default();
    if now.algorithm != expected.algorithm {
        ending.unfinished(
            "the manifest",
            format!(
                "is of another algorithm ({}) and cannot be compared with {}",
                expected.algorithm, now.algorithm
            ),
        );
        return ending;
    }
    let mut tables = 0;
    for (name, was) in &expected.databases {
        let Some(is) = now.databases.get(name) else {
            ending.wrong(name, "the database is in the manifest and not here");
            continue;
        };
        if options.checks.schema != Coverage::Off {
            for difference in catalog::differences(&was.objects, &is.objects) {
                ending.wrong(format!("{name}.{}", difference.object), difference.message);
            }
        }
        if options.checks.content == Coverage::Full {
            tables += contents(&mut ending, name, was, is);
        }
    }
    for name in now.databases.keys().filter(|name| !expected.databases.contains_key(*name)) {
        ending.wrong(name, "the database is here and not in the manifest");
    }
    if options.checks.content != Coverage::Full {
        ending
            .unfinished("the contents", "were not read in full, so they cannot be held against the manifest");
    }
    ending.note(format!("{} held against the manifest", count(tables, "table", "tables")));
    ending
}

fn contents(ending: &mut Ending, database: &str, was: &DatabaseManifest, is: &DatabaseManifest) -> u64 {
    for (table, before) in &was.tables {
        let object = format!("{database}.{table}");
        match is.tables.get(table) {
            Some(now) => {
                if let Some(message) = table_difference(before, now) {
                    ending.wrong(object, message);
                }
            }
            // Gone, and the schema says so; or not read, and then its own check says why.
            None => ending.unfinished(object, "was not read, so it cannot be held against the manifest"),
        }
    }
    for table in is.tables.keys().filter(|table| !was.tables.contains_key(*table)) {
        ending.wrong(format!("{database}.{table}"), "is here and not in the manifest");
    }
    was.tables.len() as u64
}

/// How the contents of two tables differ, in a sentence; `None` when they are equal.
pub(crate) fn table_difference(was: &TableManifest, is: &TableManifest) -> Option<String> {
    if was.rows != is.rows {
        let (more, word) =
            if is.rows > was.rows { (is.rows - was.rows, "more") } else { (was.rows - is.rows, "fewer") };
        return Some(format!("holds {} rows, {more} {word} than {}", is.rows, was.rows));
    }
    if was.fingerprint != is.fingerprint {
        let methods: Vec<String> = is
            .columns
            .iter()
            .filter(|(name, method)| was.columns.get(*name) != Some(*method))
            .map(|(name, method)| {
                format!(
                    "{name} was {}, is {method}",
                    was.columns.get(name).map_or("not there", String::as_str)
                )
            })
            .collect();
        let rows = count(is.rows, "row", "rows");
        return Some(if methods.is_empty() {
            format!("its {rows} are not the same rows: values differ")
        } else {
            format!("its {rows} cannot be the same: {}", methods.join(", "))
        });
    }
    match (&was.digest, &is.digest) {
        (Some(before), Some(now)) if before != now => Some(
            "the cryptographic digest of its rows differs though the fingerprint does not: tampering".into(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: u64, fingerprint: &str) -> TableManifest {
        TableManifest { rows, fingerprint: fingerprint.into(), ..TableManifest::default() }
    }

    #[test]
    fn a_difference_is_said_as_a_person_would() {
        assert_eq!(table_difference(&table(5, "a"), &table(5, "a")), None);
        assert_eq!(
            table_difference(&table(5, "a"), &table(4, "b")).as_deref(),
            Some("holds 4 rows, 1 fewer than 5")
        );
        assert_eq!(
            table_difference(&table(5, "a"), &table(5, "b")).as_deref(),
            Some("its 5 rows are not the same rows: values differ")
        );
        let digested = |digest: &str| TableManifest { digest: Some(digest.into()), ..table(5, "a") };
        assert!(table_difference(&digested("x"), &digested("y")).unwrap().contains("tampering"));
        assert_eq!(table_difference(&digested("x"), &table(5, "a")), None);
    }
}
