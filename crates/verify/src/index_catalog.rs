//! Indexes as the catalog has them, and the statements that are answered by one index alone.

use serde::Deserialize;
use tokio_postgres::Row;

use crate::fingerprint::{self, Column, quoted};
use crate::relations::{self, title};
use crate::session::{Session, Trouble};
use crate::types;

/// One row in so many is searched for from the root of an index while it is walked: the inner pages are used as well.
const SEARCHED_EVERY: u32 = 16;

/// The rows of a subquery. Tables beside it are called `t`, so that none can have this name.
const WALK: &str = "holdfast_walk";

/// Settings under which a table is only read through an index that gives the order that is asked for, or finds the keys
/// that are looked for. Of two that do, the one with fewer pages is preferred: that of fewer columns.
pub(crate) const BY_INDEX: [&str; 8] = [
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_bitmapscan = off",
    "SET LOCAL enable_sort = off",
    // Since PostgreSQL 13.
    "SELECT set_config(name, 'off', true) FROM pg_settings WHERE name = 'enable_incremental_sort'",
    "SET LOCAL enable_indexscan = on",
    "SET LOCAL enable_indexonlyscan = on",
    "SET LOCAL max_parallel_workers_per_gather = 0",
    "SET LOCAL random_page_cost = 1000",
];

/// One column of an index that takes part in its order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    /// A column or an expression, with the collation of the index.
    pub expression: String,
    /// The operator class's "less than"; none has no order.
    pub before: Option<String>,
    /// Its "greater than".
    pub after: Option<String>,
    /// Its equality.
    pub equal: Option<String>,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// One index.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    /// Quoted `schema.index`.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// Quoted `schema.table`.
    pub table: String,
    /// What a person calls that.
    pub table_title: String,
    /// Its name alone, as EXPLAIN prints it.
    pub bare_name: String,
    /// The access method.
    pub method: String,
    /// Why it cannot be used, in words.
    pub unusable: Option<&'static str>,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether two NULLs are equal to it.
    pub nulls_equal: bool,
    /// The condition of a partial index.
    pub predicate: Option<String>,
    /// Whether it holds expressions and not columns alone.
    pub expressions: bool,
    /// Bytes of its file.
    pub bytes: u64,
    /// Bytes of the table's file.
    pub table_bytes: u64,
    /// Whether this user may read the table.
    pub readable: bool,
    /// Whether it belongs to TOAST.
    pub toast: bool,
    /// Its ordered columns.
    pub keys: Vec<Key>,
    /// All its columns, included ones too; empty with expressions.
    pub columns: Vec<Column>,
}

/// SQL for one operator of the operator class `oc` of the access method `m`.
fn operator(strategy: &str) -> String {
    format!(
        "(SELECT format('OPERATOR(%I.%s)', opn.nspname, op.oprname) FROM pg_amop ap JOIN pg_operator op ON op.oid = ap.amopopr
           JOIN pg_namespace opn ON opn.oid = op.oprnamespace
          WHERE ap.amopfamily = oc.opcfamily AND ap.amoplefttype = oc.opcintype AND ap.amoprighttype = oc.opcintype
            AND ap.amoppurpose = 's' AND ap.amopstrategy = {strategy})"
    )
}

/// All indexes with a file of their own, of user tables, of their TOAST and of the large objects.
fn indexes_sql() -> String {
    let (before, after) = (operator("1"), operator("5"));
    let equal = operator("CASE m.amname WHEN 'hash' THEN 1 ELSE 3 END");
    let (index_title, table_title) = (title("c", "n"), title("t", "tn"));
    let (types, members) = types::of_column();
    format!(
        "SELECT format('%I.%I', n.nspname, c.relname), {index_title}, format('%I.%I', tn.nspname, t.relname), {table_title},
                c.relname::text, m.amname::text, i.indisvalid, i.indisready, i.indislive, i.indisunique,
                coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
                pg_get_expr(i.indpred, i.indrelid), i.indexprs IS NOT NULL,
                pg_relation_size(c.oid), pg_relation_size(t.oid),
                has_table_privilege(t.oid, 'SELECT') AND has_schema_privilege(tn.oid, 'USAGE'), t.relkind = 't',
                (SELECT json_agg(json_build_object(
                            'expression', pg_get_indexdef(i.indexrelid, k, false) || coalesce(
                                (SELECT format(' COLLATE %I.%I', ln.nspname, l.collname) FROM pg_collation l
                                   JOIN pg_namespace ln ON ln.oid = l.collnamespace
                                  WHERE l.oid = i.indcollation[k - 1] AND l.oid IS DISTINCT FROM a.attcollation), ''),
                            'before', {before}, 'after', {after}, 'equal', {equal},
                            'descending', i.indoption[k - 1] & 1 <> 0, 'nullsFirst', i.indoption[k - 1] & 2 <> 0)
                            ORDER BY k)::text
                   FROM generate_series(1, i.indnkeyatts) AS k JOIN pg_opclass oc ON oc.oid = i.indclass[k - 1]
                   LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1] AND a.attnum > 0),
                (SELECT json_agg(DISTINCT jsonb_build_object({members}))::text FROM pg_attribute a {types}
                  WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attnum > 0)
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_am m ON m.oid = c.relam
           JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
          WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND t.relispopulated
            AND (c.oid >= 16384 OR t.oid = 'pg_largeobject'::regclass)
            AND (t.oid = 'pg_largeobject'::regclass OR n.nspname = 'pg_toast'
                 OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
          ORDER BY 2, 1"
    )
}

/// Reads them.
pub(crate) async fn read(session: &mut Session<'_>) -> Result<Vec<Index>, Trouble> {
    session.query(&indexes_sql()).await?.iter().map(Index::from).collect()
}

impl Index {
    fn from(row: &Row) -> Result<Self, Trouble> {
        let unread =
            |error: serde_json::Error| Trouble::Other(format!("the indexes cannot be read: {error}"));
        let json = |column: usize| row.get::<_, Option<&str>>(column).unwrap_or("[]");
        let unusable = match (row.get(6), row.get(7), row.get(8)) {
            (true, true, true) => None,
            (_, _, false) => Some("is being dropped"),
            (_, false, _) => Some("is not ready for writes"),
            (false, _, _) => Some("is invalid"),
        };
        Ok(Index {
            name: row.get(0),
            title: row.get(1),
            table: row.get(2),
            table_title: row.get(3),
            bare_name: row.get(4),
            method: row.get(5),
            unusable,
            unique: row.get(9),
            nulls_equal: row.get(10),
            predicate: row.get(11),
            expressions: row.get(12),
            bytes: row.get::<_, Option<i64>>(13).unwrap_or_default().unsigned_abs(),
            table_bytes: row.get::<_, Option<i64>>(14).unwrap_or_default().unsigned_abs(),
            readable: row.get(15),
            toast: row.get(16),
            keys: serde_json::from_str(json(17)).map_err(unread)?,
            columns: serde_json::from_str(json(18)).map_err(unread)?,
        })
    }

    /// The condition for rows that it holds.
    pub(crate) fn condition(&self) -> String {
        self.predicate.as_ref().map_or_else(|| "true".into(), |predicate| format!("({predicate})"))
    }

    /// The order it keeps, or nothing when its operator class has no such operators.
    pub(crate) fn order(&self) -> Option<String> {
        let keys = self.keys.iter().map(|key| {
            let operator = if key.descending { &key.after } else { &key.before };
            let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
            Some(format!("{} USING {} NULLS {nulls}", key.expression, operator.as_ref()?))
        });
        Some(keys.collect::<Option<Vec<_>>>()?.join(", "))
    }

    /// Counts what it leads to.
    pub(crate) fn count(&self) -> Option<String> {
        let Index { table, .. } = self;
        let (condition, order) = (self.condition(), self.order()?);
        Some(format!(
            "SELECT count(*) FROM (SELECT FROM ONLY {table} WHERE {condition} ORDER BY {order} OFFSET 0) AS {WALK}"
        ))
    }

    /// Counts what the table holds of it.
    pub(crate) fn heap_count(&self) -> String {
        format!("SELECT count(*) FROM ONLY {} WHERE {}", self.table, self.condition())
    }

    /// Walks it from end to end: rows, rows that come before the one in front of them, and rows that a search for their
    /// key does not find. Expressions are computed again from the rows, all of which are searched for: an index of what
    /// a function said before it was changed has another order or other keys.
    pub(crate) fn walk(&self, searching: bool) -> Option<String> {
        let Index { table, .. } = self;
        let (condition, order) = (self.condition(), self.order()?);
        let mut items = Vec::new();
        let mut cases = vec!["WHEN n = 1 THEN false".to_owned()];
        for (number, key) in (1..).zip(&self.keys) {
            let expression = &key.expression;
            items.push(format!("{expression} AS k{number}, lag({expression}) OVER o AS p{number}"));
            cases.push(disordered(number, key)?);
        }
        let (items, cases) = (items.join(", "), cases.join(" "));
        let lost = if searching {
            let every = if self.expressions { 1 } else { SEARCHED_EVERY };
            let (set, search) = (self.all_set(), self.search("true")?);
            format!("count(*) FILTER (WHERE n % {every} = 0 AND {set} AND ({search} LIMIT 1) IS NULL)")
        } else {
            "0::int8".into()
        };
        Some(format!(
            "SELECT count(*), count(*) FILTER (WHERE CASE {cases} ELSE false END), {lost}
               FROM (SELECT {items}, row_number() OVER o AS n FROM ONLY {table} WHERE {condition}
                     WINDOW o AS (ORDER BY {order})) AS {WALK}"
        ))
    }

    /// Sums up the keys that it holds itself, as [`fingerprint`] does; `None` where it cannot give them back.
    pub(crate) fn key_sums(&self) -> Option<String> {
        let Index { table, columns, .. } = self;
        if self.expressions {
            return None;
        }
        let (condition, order) = (self.condition(), self.order()?);
        let names = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
        let from =
            format!("(SELECT {names} FROM ONLY {table} WHERE {condition} ORDER BY {order} OFFSET 0) AS t");
        Some(fingerprint::sums(columns, &from, "true", false))
    }

    /// The same from the table.
    pub(crate) fn heap_sums(&self) -> String {
        fingerprint::sums(&self.columns, &format!("ONLY {} AS t", self.table), &self.condition(), false)
    }

    /// No key of a row of the walk is NULL.
    fn all_set(&self) -> String {
        let set: Vec<String> =
            (1..=self.keys.len()).map(|number| format!("{WALK}.k{number} IS DISTINCT FROM NULL")).collect();
        set.join(" AND ")
    }

    /// A statement that searches for the keys of a row of the walk.
    fn search(&self, what: &str) -> Option<String> {
        let mut conditions = Vec::new();
        for (number, key) in (1..).zip(&self.keys) {
            let equal = key.equal.as_ref()?;
            conditions.push(format!("{} {equal} {WALK}.k{number}", key.expression));
        }
        let (conditions, condition) = (conditions.join(" AND "), self.condition());
        Some(format!("SELECT {what} FROM ONLY {} AS t WHERE {conditions} AND {condition}", self.table))
    }

    /// Takes the rows of some pages (the condition comes in between) and searches for each: rows, rows that the search
    /// does not lead back to, and rows whose key another row has as well.
    ///
    /// The last is exact whatever state the index is in: two rows with equal keys give the same search, and a search that
    /// finds both rows finds both each time. Only with `self_found` is it known that every row was found.
    pub(crate) fn lookups(&self) -> Option<(String, String)> {
        let keys: Vec<String> = (1..)
            .zip(&self.keys)
            .map(|(number, key): (u32, &Key)| format!("{} AS k{number}", key.expression))
            .collect();
        let nulls: Vec<String> =
            self.keys.iter().map(|key| format!("{} IS DISTINCT FROM NULL", key.expression)).collect();
        let head = format!("ctid AS place, {}", keys.join(", "));
        let table = &self.table;
        let within = format!("FROM ONLY {table} AS t WHERE {} AND {}", self.condition(), nulls.join(" AND "));
        Some(if self.unique {
            // Not `=`: it would be answered by the place alone, without the index.
            let search = self.search(&format!(
                "count(*) AS found, count(*) FILTER (WHERE tideq(ctid, {WALK}.place)) AS itself"
            ))?;
            (
                format!(
                    "SELECT count(*), count(*) FILTER (WHERE s.itself = 0), count(*) FILTER (WHERE s.found > s.itself)
                       FROM (SELECT {head} {within} AND "
                ),
                format!(" OFFSET 0) AS {WALK} CROSS JOIN LATERAL ({search}) AS s"),
            )
        } else {
            let search = self.search("true")?;
            (
                format!(
                    "SELECT count(*), count(*) FILTER (WHERE ({search} LIMIT 1) IS NULL), 0::int8 FROM (SELECT {head} {within} AND "
                ),
                format!(" OFFSET 0) AS {WALK}"),
            )
        })
    }

    /// Counts rows of the table that have the key of another, by sorting them. `true` when the index itself is not asked.
    pub(crate) fn duplicates(&self) -> Option<String> {
        let Index { table, .. } = self;
        let (mut items, mut order, mut same, mut set) = (vec![], vec![], vec![], vec![self.condition()]);
        for (number, key) in (1..).zip(&self.keys) {
            let number: u32 = number;
            let (expression, equal) = (&key.expression, key.equal.as_ref()?);
            items.push(format!("{expression} AS k{number}, lag({expression}) OVER o AS p{number}"));
            order.push(format!("{expression} USING {}", key.before.as_ref()?));
            if self.nulls_equal {
                same.push(format!(
                    "(k{number} {equal} p{number} OR k{number} IS NOT DISTINCT FROM NULL AND p{number} IS NOT DISTINCT FROM NULL)"
                ));
            } else {
                same.push(format!("k{number} {equal} p{number}"));
                set.push(format!("{expression} IS DISTINCT FROM NULL"));
            }
        }
        Some(repeated(table, &items.join(", "), &set.join(" AND "), &order.join(", "), &same.join(" AND ")))
    }
}

/// Counts rows that stand in a relation to the one before them in an order.
pub(crate) fn repeated(table: &str, items: &str, condition: &str, order: &str, related: &str) -> String {
    format!(
        "SELECT count(*) FROM (SELECT {items}, row_number() OVER o AS n FROM ONLY {table} WHERE {condition}
                               WINDOW o AS (ORDER BY {order})) AS {WALK}
          WHERE n > 1 AND {related}"
    )
}

/// Branches of a CASE: what this key says of the order of two rows, if it tells them apart.
fn disordered(number: u32, key: &Key) -> Option<String> {
    let (first, then) = if key.descending { (&key.after, &key.before) } else { (&key.before, &key.after) };
    let (first, then) = (first.as_ref()?, then.as_ref()?);
    let nulls_first = key.nulls_first;
    let (k, p) = (format!("k{number}"), format!("p{number}"));
    let null = |name: &str| format!("{name} IS NOT DISTINCT FROM NULL");
    Some(format!(
        "WHEN {} AND NOT {} THEN {} WHEN {} AND NOT {} THEN {nulls_first} WHEN {p} {first} {k} THEN false WHEN {p} {then} {k} THEN true",
        null(&p),
        null(&k),
        !nulls_first,
        null(&k),
        null(&p)
    ))
}

/// Why a statement would not be answered by this index alone, or nothing when it would.
pub(crate) async fn answered_by(
    session: &mut Session<'_>,
    index: &Index,
    statement: &str,
) -> Result<Option<String>, Trouble> {
    let row = session.query_with(&BY_INDEX, &format!("EXPLAIN (FORMAT YAML, COSTS OFF) {statement}")).await?;
    let (indexes, sorted) = plan_in(row.get(0));
    Ok(if sorted {
        Some("PostgreSQL cannot use its order".into())
    } else if indexes.is_empty() {
        Some("PostgreSQL does not use it".into())
    } else {
        let other = indexes.iter().find(|name| **name != index.bare_name);
        other.map(|other| format!("PostgreSQL prefers {other}"))
    })
}

/// The indexes that a plan reads, and whether it sorts.
fn plan_in(yaml: &str) -> (Vec<String>, bool) {
    let values = |name: &str| -> Vec<String> {
        // Strings in YAML are written as in JSON.
        let lines = yaml.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(name));
        lines.filter_map(|value| serde_json::from_str(value.trim()).ok()).collect()
    };
    let sorted = values("Node Type:").iter().any(|node| node.ends_with("Sort"));
    (values("Index Name:"), sorted)
}

/// `schema.index` as a constant of type regclass.
pub(crate) fn regclass(name: &str) -> String {
    format!("{}::pg_catalog.regclass", relations::literal(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_tells_its_indexes() {
        let yaml = "- Plan: \n    Node Type: \"Aggregate\"\n    Plans: \n      - Node Type: \"Index Only Scan\"\n        \
                    Index Name: \"we\\\"ird\"\n      - Node Type: \"Incremental Sort\"";
        assert_eq!(plan_in(yaml), (vec!["we\"ird".to_owned()], true));
        assert_eq!(plan_in("- Plan: \n    Node Type: \"Seq Scan\""), (vec![], false));
    }

    fn key(descending: bool, nulls_first: bool) -> Key {
        let operator = |name: &str| Some(format!("OPERATOR(pg_catalog.{name})"));
        Key {
            expression: "a".into(),
            before: operator("<"),
            after: operator(">"),
            equal: operator("="),
            descending,
            nulls_first,
        }
    }

    #[test]
    fn a_descending_key_turns_everything_round() {
        let up = disordered(1, &key(false, false)).unwrap();
        assert!(up.ends_with(
            "WHEN p1 OPERATOR(pg_catalog.<) k1 THEN false WHEN p1 OPERATOR(pg_catalog.>) k1 THEN true"
        ));
        let down = disordered(2, &key(true, true)).unwrap();
        assert!(down.ends_with(
            "WHEN p2 OPERATOR(pg_catalog.>) k2 THEN false WHEN p2 OPERATOR(pg_catalog.<) k2 THEN true"
        ));
        assert!(
            up.starts_with(
                "WHEN p1 IS NOT DISTINCT FROM NULL AND NOT k1 IS NOT DISTINCT FROM NULL THEN true"
            ),
            "{up}"
        );
        assert!(disordered(1, &Key { before: None, ..key(false, false) }).is_none());
    }
}
