//! `collations`: what was ordered by one version of a library and is read by another.
//!
//! The order of text comes from the C library or ICU and changes between their versions. An index, the bounds of a
//! partition or a check that were made under one order are searched under the other, and rows are not found
//! (PostgreSQL, ALTER COLLATION, "Notes"). PostgreSQL records the version a collation was made under; here it is held
//! against the one that the library has now. This proves nothing of the order itself: `indexes` looks at that.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use crate::ending::{Ending, count, name_some};
use crate::job::Planned;
use crate::plan::Scope;
use crate::session::{Session, Trouble};

/// Name of the check.
pub(crate) const CHECK: &str = "collations";

/// Objects named in a finding; more are counted.
const NAMES_SHOWN: usize = 10;

/// The database's own version is recorded since PostgreSQL 15.
const OF_DATABASE_SINCE: u32 = 150_000;

/// The collation `default`, which is the database's (`DEFAULT_COLLATION_OID` in pg_collation_d.h).
const DEFAULT: i64 = 100;

/// What user objects depend on each collation: `ordered` are those whose stored state follows its order. An index
/// carries its columns' collations; what an expression inside of it, or a constraint, uses is in `pg_depend`.
const USED: &str = "
    WITH used(collation_id, object, ordered) AS (
        SELECT u.id, format('index %I.%I', n.nspname, c.relname), true
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN unnest(i.indcollation) AS u(id)
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION
        SELECT u.id, format('partitions of %I.%I', n.nspname, c.relname), true
          FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN unnest(p.partcollation) AS u(id)
        UNION
        SELECT d.refobjid,
               CASE WHEN k.oid IS NOT NULL THEN format('constraint %I on %s', k.conname, coalesce(kt.name, 'a domain'))
                    WHEN c.relkind IN ('i', 'I') THEN format('index %I.%I', n.nspname, c.relname)
                    ELSE format('column %I.%I.%I', n.nspname, c.relname, a.attname) END,
               k.oid IS NOT NULL OR c.relkind IN ('i', 'I')
          FROM pg_depend d
          LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype <> 'f'
          LEFT JOIN (SELECT t.oid, format('%I.%I', tn.nspname, t.relname) AS name
                       FROM pg_class t JOIN pg_namespace tn ON tn.oid = t.relnamespace) AS kt ON kt.oid = k.conrelid
          LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
          LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
         WHERE d.refclassid = 'pg_collation'::regclass
           AND (k.oid IS NOT NULL OR c.relkind IN ('i', 'I') OR a.attname IS NOT NULL)
           AND (n.nspname IS NULL OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
    SELECT l.oid::int8, format('%I.%I', ln.nspname, l.collname), l.collversion,
           array_agg(u.object ORDER BY u.object COLLATE \"C\") FILTER (WHERE u.ordered),
           count(*) FILTER (WHERE NOT u.ordered)
      FROM used u JOIN pg_collation l ON l.oid = u.collation_id JOIN pg_namespace ln ON ln.oid = l.collnamespace
     GROUP BY l.oid, ln.nspname, l.collname, l.collversion
     ORDER BY ln.nspname COLLATE \"C\", l.collname COLLATE \"C\"";

const OF_DATABASE: &str = "
    SELECT d.datcollversion, pg_database_collation_actual_version(d.oid)
      FROM pg_database d WHERE d.datname = current_database()";

/// A collation that something uses.
struct Used {
    name: String,
    recorded: Option<String>,
    /// Objects whose stored state follows its order.
    ordered: Vec<String>,
}

impl Used {
    fn from(row: &Row) -> Used {
        Used {
            name: row.get(1),
            recorded: row.get(2),
            ordered: row.get::<_, Option<Vec<String>>>(3).unwrap_or_default(),
        }
    }
}

/// Holds the versions against the library's; there is no further work.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let rows = session.query(USED).await?;
    let mut used: BTreeMap<i64, Used> = rows.iter().map(|row| (row.get(0), Used::from(row))).collect();
    let default = used.remove(&DEFAULT).map(|default| default.ordered).unwrap_or_default();
    of_database(session, scope, default, &mut planned).await?;
    for (oid, collation) in &used {
        let object = format!("collation {}", collation.name);
        // One that the library no longer has raises an error: it is asked by itself.
        let actual = session.query_one(&format!("SELECT pg_collation_actual_version({oid}::oid)")).await;
        let actual: Option<String> = match actual {
            Ok(row) => row.get(0),
            Err(trouble) if trouble.passes() => return Err(trouble),
            Err(trouble) => {
                planned.ending.absorb(Some(&object), &trouble);
                continue;
            }
        };
        hold(&mut planned, object, collation.recorded.as_deref(), actual.as_deref(), &collation.ordered);
    }
    planned.ending.note(format!(
        "{} in use beside the database's own",
        count(used.len() as u64, "collation", "collations")
    ));
    Ok(planned)
}

async fn of_database(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    ordered: Vec<String>,
    planned: &mut Planned,
) -> Result<(), Trouble> {
    let object = format!("default collation of {}", scope.database);
    if scope.facts.version >= OF_DATABASE_SINCE {
        let row = session.query_one(OF_DATABASE).await?;
        let (recorded, actual): (Option<&str>, Option<&str>) = (row.get(0), row.get(1));
        hold(planned, object, recorded, actual, &ordered);
        return Ok(());
    }
    let row = session
        .query_one("SELECT datcollate::text FROM pg_database WHERE datname = current_database()")
        .await?;
    let locale: &str = row.get(0);
    if !ordered.is_empty() && !is_fixed(locale) {
        let reason = format!(
            "before PostgreSQL 15 a database does not record the version of its locale ({locale}); {} ordered by it",
            count(ordered.len() as u64, "object is", "objects are")
        );
        planned.not_checked.push((Some(object), reason));
    }
    Ok(())
}

/// Whether a locale orders by bytes or code points, which no version changes: those that PostgreSQL itself keeps no
/// version of (`get_collation_actual_version` in pg_locale.c).
fn is_fixed(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale == "c" || locale == "posix" || locale.starts_with("c.")
}

fn hold(
    planned: &mut Planned,
    object: String,
    recorded: Option<&str>,
    actual: Option<&str>,
    ordered: &[String],
) {
    // No version now: C, POSIX, a library that has none. Then nothing can differ.
    let Some(actual) = actual else { return };
    let Some(recorded) = recorded else {
        let reason = format!("its version was never recorded; the library has {actual}");
        if !ordered.is_empty() {
            planned.not_checked.push((Some(object), reason));
        }
        return;
    };
    if recorded != actual {
        mismatch(&mut planned.ending, object, recorded, actual, ordered);
    }
}

fn mismatch(ending: &mut Ending, object: String, recorded: &str, actual: &str, ordered: &[String]) {
    let versions = format!("recorded as version {recorded}, and the library has {actual}");
    if ordered.is_empty() {
        // Nothing that is stored follows its order.
        ending.note(format!("{object}: {versions}; nothing stored is ordered by it"));
    } else {
        ending.wrong(object, format!("{versions}: may be out of order: {}", name_some(ordered, NAMES_SHOWN)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_without_a_version_are_known() {
        for fixed in ["C", "POSIX", "C.UTF-8", "c.utf8"] {
            assert!(is_fixed(fixed), "{fixed}");
        }
        for other in ["en_US.UTF-8", "de_DE", "ca_ES"] {
            assert!(!is_fixed(other), "{other}");
        }
    }
}
