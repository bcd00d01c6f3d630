//! Exact row counts and order-independent fingerprints, read from the heap.
//!
//! A row's hash is that of its text with the columns in order of their names, so neither the
//! physical order of rows nor that of columns matters: PostgreSQL's own 64-bit hash of bytes, which
//! hash partitioning keeps stable from version to version, under two seeds. A table's fingerprint is
//! the sum of both over all rows, each modulo 2^64: commutative, so it can be had in any order and in
//! chunks, and a sum rather than an XOR, so two equal rows do not cancel out. It is meant against
//! accidents, not against a person who chooses the data. The session's settings fix how every type is
//! printed. Printing a value detoasts it: TOAST is read as well.

use std::collections::BTreeMap;

use holdfast_core::validation::TableManifest;
use tokio_postgres::Row;

use crate::ending::{Ending, count, name_some};
use crate::session::{Session, Trouble};

/// Seeds of the two halves; any two that differ will do, for good.
const FIRST_SEED: i64 = 0x486f_6c64_6661_7374;
const SECOND_SEED: i64 = 0x5265_7374_6f72_6573;

/// Tables named in a note; more are counted.
const NAMES_SHOWN: usize = 5;

/// PostgreSQL 18 can import statistics, so its page counts may be those of another server.
const IMPORTED_STATISTICS_SINCE: i32 = 180_000;

const PLAN: &str = "
    SELECT format('%I.%I', n.nspname, c.relname),
           c.relpersistence::text,
           c.relkind::text,
           c.relispopulated,
           (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attname COLLATE \"C\")
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND a.attgenerated IN ('', 's')),
           EXISTS (SELECT 1 FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                     JOIN pg_am m ON m.oid = ic.relam
                    WHERE i.indrelid = c.oid AND m.amname = 'btree' AND i.indpred IS NULL
                      AND i.indisvalid AND i.indisready AND i.indislive),
           c.relpages::int8,
           CASE WHEN c.relkind IN ('r', 'm')
                THEN pg_relation_size(c.oid, 'main') / current_setting('block_size')::int8 END
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

const SERVER: &str = "
    SELECT current_setting('server_version_num')::int4,
           current_setting('data_checksums') = 'on',
           current_setting('zero_damaged_pages') = 'on' OR current_setting('ignore_checksum_failure') = 'on',
           (SELECT count(*) FROM pg_largeobject_metadata)";

/// Index-only plans: what the indexes say the table holds. Without `enable_indexscan` the planner
/// has no index-only scans either.
const FROM_INDEX: [&str; 4] = [
    "SET LOCAL enable_indexscan = on",
    "SET LOCAL enable_indexonlyscan = on",
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
];

/// Manifests by quoted `schema.table`.
pub(crate) type Tables = BTreeMap<String, TableManifest>;

/// One table as planned from the catalog.
struct Table {
    identity: String,
    columns: String,
    indexed: bool,
    pages_expected: i64,
    pages: i64,
}

/// Reads every table; a trouble with one does not keep the others from being read.
pub(crate) async fn check(session: &mut Session<'_>) -> (Ending, Tables) {
    let mut ending = Ending::default();
    let mut tables = Tables::new();
    if let Err(trouble) = read_all(session, &mut ending, &mut tables).await {
        ending.absorb(None, &trouble);
    }
    (ending, tables)
}

async fn read_all(
    session: &mut Session<'_>,
    ending: &mut Ending,
    tables: &mut Tables,
) -> Result<(), Trouble> {
    let server = session.query_one(SERVER).await?;
    let (version, checksums, hides): (i32, bool, bool) = (server.get(0), server.get(1), server.get(2));
    if hides {
        ending.unfinished(
            "the server",
            "is set to pass over damaged pages (zero_damaged_pages or ignore_checksum_failure)",
        );
    }
    let plan = plan(&session.query(PLAN).await?, ending);
    for (position, table) in plan.iter().enumerate() {
        match read_table(session, table, version, ending).await {
            Ok(manifest) => {
                tables.insert(table.identity.clone(), manifest);
            }
            Err(trouble) if session.is_over(&trouble) => {
                ending.absorb(Some(&table.identity), &trouble);
                let left = plan.len() - position - 1;
                if left > 0 {
                    ending.note(format!("{left} more of {} tables were not read", plan.len()));
                }
                break;
            }
            Err(trouble) => ending.absorb(Some(&table.identity), &trouble),
        }
    }
    let rows = tables.values().map(|table| table.rows).sum();
    ending.note(format!(
        "{} with {} read",
        count(tables.len() as u64, "table", "tables"),
        count(rows, "row", "rows")
    ));
    if !checksums {
        ending.note("page checksums are off: damage that still reads as a value goes unseen");
    }
    match server.get::<_, i64>(3) {
        0 => {}
        large => {
            ending.note(format!("{} not read", count(large.unsigned_abs(), "large object", "large objects")))
        }
    }
    Ok(())
}

/// Picks what can be read and names what cannot.
fn plan(rows: &[Row], ending: &mut Ending) -> Vec<Table> {
    let (mut plan, mut foreign, mut unpopulated, mut unlogged) = (vec![], vec![], vec![], vec![]);
    for row in rows {
        let identity: String = row.get(0);
        let (persistence, kind): (&str, &str) = (row.get(1), row.get(2));
        if kind == "f" {
            foreign.push(identity);
            continue;
        }
        if !row.get::<_, bool>(3) {
            unpopulated.push(identity);
            continue;
        }
        if persistence == "u" {
            unlogged.push(identity.clone());
        }
        plan.push(Table {
            identity,
            columns: row.get::<_, Option<String>>(4).unwrap_or_default(),
            indexed: row.get(5),
            pages_expected: row.get(6),
            pages: row.get::<_, Option<i64>>(7).unwrap_or_default(),
        });
    }
    for (what, names) in [
        ("foreign tables not read", foreign),
        ("materialized views without data", unpopulated),
        ("unlogged tables, empty after a crash or a restore", unlogged),
    ] {
        if !names.is_empty() {
            ending.note(format!("{what}: {}", name_some(&names, NAMES_SHOWN)));
        }
    }
    plan
}

async fn read_table(
    session: &mut Session<'_>,
    table: &Table,
    version: i32,
    ending: &mut Ending,
) -> Result<TableManifest, Trouble> {
    let Table { identity, columns, .. } = table;
    // The volatile clock keeps the planner from printing the row once per use of it. Unlike
    // OFFSET 0 it does not stand in the way of parallel plans.
    let sql = format!(
        "SELECT count(*), sum(hashtextextended(r.image, {FIRST_SEED}))::text,
                sum(hashtextextended(r.image, {SECOND_SEED}))::text
           FROM (SELECT ROW({columns})::text COLLATE \"C\" AS image, clock_timestamp() FROM ONLY {identity} AS t) AS r"
    );
    let row = session.query_heap(&sql).await?;
    let rows = row.get::<_, i64>(0).unsigned_abs();
    let fingerprint = fingerprint(row.get(1), row.get(2))?;
    if table.indexed {
        // A heap file cut short reads as a smaller table, without any error. Its indexes remember.
        let sql = format!("SELECT count(*) FROM ONLY {identity}");
        let indexed = session.query_with(&FROM_INDEX, &sql).await?.get::<_, i64>(0).unsigned_abs();
        if indexed != rows {
            ending.wrong(identity, format!("the table holds {rows} rows and its index {indexed}: its file is cut short or an index is damaged"));
        }
    } else if table.pages < table.pages_expected && version < IMPORTED_STATISTICS_SINCE {
        let (pages, expected) = (table.pages, table.pages_expected);
        ending.unfinished(identity, format!("its file has {pages} pages, {expected} by the last statistics, and no index tells which is right"));
    }
    Ok(TableManifest { rows, fingerprint })
}

/// Both sums modulo 2^64, as hexadecimal. An empty table has no sums: all zeros.
fn fingerprint(high: Option<&str>, low: Option<&str>) -> Result<String, Trouble> {
    let half = |sum: Option<&str>| -> Result<u64, Trouble> {
        let sum: i128 = sum
            .unwrap_or("0")
            .parse()
            .map_err(|_| Trouble::Other("the server's sum is not a whole number".into()))?;
        Ok((sum.rem_euclid(1 << 64)) as u64)
    };
    Ok(format!("{:016x}{:016x}", half(high)?, half(low)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_wrap_at_sixty_four_bits() {
        assert_eq!(fingerprint(None, None).unwrap(), "0".repeat(32));
        assert_eq!(fingerprint(Some("-1"), Some("1")).unwrap(), format!("{}{:016x}", "f".repeat(16), 1));
        let twice = (i128::from(u64::MAX) + 6).to_string();
        assert_eq!(fingerprint(Some(&twice), Some("5")).unwrap(), format!("{:016x}{:016x}", 5, 5));
        assert!(fingerprint(Some("many"), None).is_err());
    }
}
