//! The types of columns as SQL looks them up: by keys that the catalogs have an index for, so that it costs the same for each
//! column of a database with a hundred thousand tables, whatever the planner thinks of their number.

/// An expression: the OID of the type under all domains of the type `oid`, which is itself where it is no domain.
pub(crate) fn under_domains(oid: &str) -> String {
    format!(
        "(WITH RECURSIVE layer(oid, typtype, typbasetype) AS (
            SELECT l.oid, l.typtype, l.typbasetype FROM pg_type l WHERE l.oid = {oid}
            UNION ALL
            SELECT l.oid, l.typtype, l.typbasetype FROM layer o JOIN pg_type l ON l.oid = o.typbasetype WHERE o.typtype = 'd')
          SELECT layer.oid FROM layer WHERE layer.typtype <> 'd')"
    )
}

/// The type `p` under the domains of the column `a` (of `pg_attribute`): further FROM items, and what [`Column`] has of
/// it as arguments of `json_build_object`.
///
/// [`Column`]: crate::fingerprint::Column
pub(crate) fn of_column() -> (String, &'static str) {
    let from = format!(
        "JOIN pg_type o ON o.oid = a.atttypid
         JOIN pg_type p ON p.oid = CASE WHEN o.typtype = 'd' THEN {} ELSE o.oid END
         JOIN pg_namespace pn ON pn.oid = p.typnamespace",
        under_domains("o.typbasetype")
    );
    let members = "'name', a.attname, 'typeName', p.typname, 'builtIn', pn.nspname = 'pg_catalog' AND p.oid < 16384,
         'element', (SELECT e.typname FROM pg_type e WHERE e.oid = p.typelem AND p.typcategory = 'A' AND e.oid < 16384)";
    (from, members)
}
