//! Whether the data agrees with itself: `foreign-keys`, `indexes`, `sequences`.
//!
//! What the catalog calls valid is not believed: constraints are asked of the rows again.

use tokio_postgres::Row;

use crate::ending::{Ending, count, name_some};
use crate::session::{Session, Trouble};

/// Names in a note; more are counted.
const NAMES_SHOWN: usize = 5;

/// One row per foreign key as it was declared: those that PostgreSQL derives for partitions have a
/// parent and are covered by it. `pairs` compares with the very operators of the constraint.
const FOREIGN_KEYS: &str = "
    SELECT quote_ident(k.conname),
           format('%s%I.%I', CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, cn.nspname, c.relname) AS child,
           format('%s%I.%I', CASE p.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, pn.nspname, p.relname) AS parent,
           format('%I.%I', cn.nspname, c.relname) AS child_name,
           format('%I.%I', pn.nspname, p.relname) AS parent_name,
           k.convalidated,
           k.confmatchtype = 'f' AS match_full,
           coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) AS enforced,
           coalesce((to_jsonb(k) ->> 'conperiod')::bool, false) AS temporal,
           cols.pairs, cols.all_set, cols.all_null
      FROM pg_constraint k
      JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
      JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
     CROSS JOIN LATERAL (
        SELECT string_agg(format('p.%I%s OPERATOR(%I.%s) c.%I', pa.attname,
                   CASE WHEN pa.attcollation <> ca.attcollation AND l.oid IS NOT NULL
                        THEN format(' COLLATE %I.%I', ln.nspname, l.collname) ELSE '' END,
                   opn.nspname, o.oprname, ca.attname), ' AND ' ORDER BY u.position) AS pairs,
               string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ' ORDER BY u.position) AS all_set,
               string_agg(format('c.%I IS NULL', ca.attname), ' AND ' ORDER BY u.position) AS all_null
          FROM ROWS FROM (unnest(k.conkey), unnest(k.confkey), unnest(k.conpfeqop))
               WITH ORDINALITY AS u(child, parent, operator, position)
          JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = u.child
          JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.parent
          JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace opn ON opn.oid = o.oprnamespace
          LEFT JOIN pg_collation l ON l.oid = pa.attcollation
          LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace) AS cols
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND cn.nspname !~ '^pg_' AND cn.nspname <> 'information_schema'
     ORDER BY cn.nspname COLLATE \"C\", c.relname COLLATE \"C\", k.conname COLLATE \"C\"";

const INDEXES: &str = "
    SELECT format('%I.%I', n.nspname, c.relname), format('%I.%I', tn.nspname, t.relname),
           i.indisvalid, i.indisready, i.indislive
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
     ORDER BY 1";

/// Sequences that belong to a column of a whole-number type, by `serial`, identity or OWNED BY.
const SEQUENCES: &str = "
    WITH RECURSIVE base(typid, current) AS (
        SELECT t.oid, t.oid FROM pg_type t
        UNION ALL
        SELECT b.typid, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.current WHERE t.typtype = 'd')
    SELECT format('%I.%I', n.nspname, c.relname), format('%I.%I', tn.nspname, t.relname), quote_ident(a.attname),
           s.seqincrement, s.seqcycle,
           EXISTS (SELECT 1 FROM base b WHERE b.typid = a.atttypid
                      AND b.current IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype))
      FROM pg_depend d
      JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_sequence s ON s.seqrelid = c.oid
      JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.objsubid = 0
       AND d.deptype IN ('a', 'i') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY 1";

/// Every row that refers to another must find it.
pub(crate) async fn foreign_keys(session: &mut Session<'_>) -> Ending {
    let keys = match session.query(FOREIGN_KEYS).await {
        Ok(keys) => keys,
        Err(trouble) => return Ending::trouble(&trouble),
    };
    let mut ending = Ending::default();
    let (mut asked, mut unenforced) = (0, Vec::new());
    for row in &keys {
        let key = ForeignKey::from(row);
        if !key.enforced {
            unenforced.push(key.object());
            continue;
        }
        if key.temporal {
            ending.unfinished(key.object(), "refers to a period of time, which is not checked yet");
            continue;
        }
        match key.orphans(session).await {
            Ok(orphans) => key.judge(orphans, &mut ending),
            Err(trouble) => {
                ending.absorb(Some(&key.object()), &trouble);
                if session.is_over(&trouble) {
                    break;
                }
            }
        }
        asked += 1;
    }
    ending.note(format!("{asked} of {} asked", count(keys.len() as u64, "foreign key", "foreign keys")));
    if !unenforced.is_empty() {
        ending.note(format!("not enforced and not asked: {}", name_some(&unenforced, NAMES_SHOWN)));
    }
    ending
}

struct ForeignKey<'a> {
    name: &'a str,
    child: &'a str,
    parent: &'a str,
    child_name: &'a str,
    parent_name: &'a str,
    validated: bool,
    match_full: bool,
    enforced: bool,
    temporal: bool,
    pairs: &'a str,
    all_set: &'a str,
    all_null: &'a str,
}

impl<'a> From<&'a Row> for ForeignKey<'a> {
    fn from(row: &'a Row) -> Self {
        ForeignKey {
            name: row.get(0),
            child: row.get(1),
            parent: row.get(2),
            child_name: row.get(3),
            parent_name: row.get(4),
            validated: row.get(5),
            match_full: row.get(6),
            enforced: row.get(7),
            temporal: row.get(8),
            pairs: row.get(9),
            all_set: row.get(10),
            all_null: row.get(11),
        }
    }
}

impl ForeignKey<'_> {
    fn object(&self) -> String {
        format!("{} on {}", self.name, self.child_name)
    }

    /// Rows that break the key. A row with a NULL in it refers to nothing, except that MATCH FULL
    /// wants all or none.
    async fn orphans(&self, session: &mut Session<'_>) -> Result<u64, Trouble> {
        let ForeignKey { child, parent, pairs, all_set, all_null, .. } = self;
        let dangling = format!(
            "SELECT count(*) FROM {child} AS c
              WHERE {all_set} AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {pairs})"
        );
        let mut orphans = session.query_heap(&dangling).await?.get::<_, i64>(0).unsigned_abs();
        if self.match_full {
            let mixed =
                format!("SELECT count(*) FROM {child} AS c WHERE NOT ({all_set}) AND NOT ({all_null})");
            orphans += session.query_heap(&mixed).await?.get::<_, i64>(0).unsigned_abs();
        }
        Ok(orphans)
    }

    fn judge(&self, orphans: u64, ending: &mut Ending) {
        if orphans == 0 {
            return;
        }
        let rows = count(orphans, "row", "rows");
        let message = format!("{rows} of {} without a match in {}", self.child_name, self.parent_name);
        if self.validated {
            ending.wrong(self.object(), message);
        } else {
            // The source never promised that these hold.
            ending.note(format!("{} is NOT VALID: {message}", self.object()));
        }
    }
}

/// Every index must be usable.
pub(crate) async fn indexes(session: &mut Session<'_>) -> Ending {
    let rows = match session.query(INDEXES).await {
        Ok(rows) => rows,
        Err(trouble) => return Ending::trouble(&trouble),
    };
    let mut ending = Ending::default();
    for row in &rows {
        let (index, table): (&str, &str) = (row.get(0), row.get(1));
        let (valid, ready, live): (bool, bool, bool) = (row.get(2), row.get(3), row.get(4));
        let state = match (valid, ready, live) {
            (true, true, true) => continue,
            (_, _, false) => "is being dropped",
            (_, false, _) => "is not ready for writes",
            (false, _, _) => "is invalid",
        };
        ending.wrong(index, format!("{state}; it belongs to {table}"));
    }
    ending.note(count(rows.len() as u64, "index", "indexes"));
    ending
}

/// The next value of a column's sequence must not be there already.
pub(crate) async fn sequences(session: &mut Session<'_>) -> Ending {
    let rows = match session.query(SEQUENCES).await {
        Ok(rows) => rows,
        Err(trouble) => return Ending::trouble(&trouble),
    };
    let mut ending = Ending::default();
    let (mut asked, mut skipped) = (0, Vec::new());
    for row in &rows {
        let sequence: &str = row.get(0);
        let (cycles, whole): (bool, bool) = (row.get(4), row.get(5));
        if cycles || !whole {
            skipped.push(sequence.to_owned());
            continue;
        }
        if let Err(trouble) = sequence_of(session, row, &mut ending).await {
            ending.absorb(Some(sequence), &trouble);
            if session.is_over(&trouble) {
                break;
            }
        }
        asked += 1;
    }
    ending
        .note(format!("{asked} of {} asked", count(rows.len() as u64, "owned sequence", "owned sequences")));
    if !skipped.is_empty() {
        let names = name_some(&skipped, NAMES_SHOWN);
        ending.note(format!("not asked, since they cycle or feed no whole number: {names}"));
    }
    ending
}

async fn sequence_of(session: &mut Session<'_>, row: &Row, ending: &mut Ending) -> Result<(), Trouble> {
    let (sequence, table, column): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
    let increment: i64 = row.get(3);
    let (furthest, beyond) = if increment > 0 { ("max", ">=") } else { ("min", "<=") };
    // numeric: the next value of a sequence at its end does not fit the type.
    let sql = format!(
        "SELECT m.furthest::text, s.last_value::text, s.is_called,
                m.furthest {beyond} s.last_value::numeric + CASE WHEN s.is_called THEN {increment} ELSE 0 END
           FROM {sequence} AS s, (SELECT {furthest}(t.{column})::numeric AS furthest FROM {table} AS t) AS m"
    );
    let state = session.query_heap(&sql).await?;
    if state.get::<_, Option<bool>>(3) == Some(true) {
        let (furthest, last): (&str, &str) = (state.get(0), state.get(1));
        let called = if state.get(2) { "" } else { ", not yet used" };
        ending.wrong(
            sequence,
            format!("stands at {last}{called} while {table}.{column} has reached {furthest}"),
        );
    }
    Ok(())
}
