//! What must hold of every row of a table, as conditions that a row breaks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ending::Ending;
use crate::session::{Session, Trouble};

/// Tables whose rows are here.
const TABLES: &str = "
    SELECT c.oid::int8, format('%I.%I', n.nspname, c.relname), quote_ident(c.relname),
           coalesce(pg_relation_size(c.oid), 0)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/// Columns that are NOT NULL; since PostgreSQL 18 by a constraint that may be NOT VALID.
const NOT_NULL: &str = "
    SELECT a.attrelid::int8, quote_ident(a.attname), coalesce(k.convalidated, true)
      FROM pg_attribute a
      LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
     WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attrelid, a.attnum";

/// Whether an expression's value follows from the row alone: no function in it is less than IMMUTABLE. PostgreSQL's
/// own functions are in no dependency, so they are found in the stored tree.
const FOLLOWS: &str = "
    k.conbin::text !~ '\\{(SQLVALUEFUNCTION|NEXTVALUEEXPR) ' AND NOT EXISTS (
        SELECT 1 FROM regexp_matches(k.conbin::text, ':(?:funcid|opfuncid) (\\d+)', 'g') AS called(id)
          JOIN pg_proc p ON p.oid = called.id[1]::oid WHERE p.provolatile <> 'i')";

/// Check constraints of tables; those that a table inherits are its own as well.
const CHECKS: &str = "
    SELECT k.conrelid::int8, quote_ident(k.conname), pg_get_expr(k.conbin, k.conrelid), k.convalidated, {follows},
           coalesce((to_jsonb(k) ->> 'conenforced')::bool, true)
      FROM pg_constraint k WHERE k.contype = 'c' AND k.conrelid <> 0
     ORDER BY k.conrelid, k.conname COLLATE \"C\"";

/// Every domain that a type is made of, from the outside in, and the type under all of them.
const DOMAINS: &str = "
    WITH RECURSIVE layers(typid, layer, depth) AS (
        SELECT t.oid, t.oid, 0 FROM pg_type t WHERE t.typtype = 'd'
        UNION ALL
        SELECT l.typid, b.oid, l.depth + 1
          FROM layers l JOIN pg_type d ON d.oid = l.layer JOIN pg_type b ON b.oid = d.typbasetype
         WHERE d.typtype = 'd')";

/// Constraints of the domains that columns are of. VALUE is a word that SQL lets a column be called, so the text of the
/// constraint is asked of a row that has such a column.
const OF_DOMAINS: &str = "
    SELECT a.attrelid::int8, quote_ident(a.attname), format('%I.%I', dn.nspname, d.typname), d.typnotnull,
           (SELECT format('%I.%I', bn.nspname, b.typname)
              FROM layers base JOIN pg_type b ON b.oid = base.layer JOIN pg_namespace bn ON bn.oid = b.typnamespace
             WHERE base.typid = a.atttypid AND b.typtype <> 'd'),
           quote_ident(k.conname), pg_get_expr(k.conbin, 0), k.convalidated, k.oid IS NULL OR ({follows})
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
      JOIN layers l ON l.typid = a.atttypid JOIN pg_type d ON d.oid = l.layer AND d.typtype = 'd'
      JOIN pg_namespace dn ON dn.oid = d.typnamespace
      LEFT JOIN pg_constraint k ON k.contypid = d.oid AND k.contype = 'c'
     WHERE a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attrelid, a.attnum, l.depth, k.conname COLLATE \"C\"";

/// Columns whose values have domains inside: in arrays, composites and ranges.
const DOMAINS_INSIDE: &str = "
    WITH RECURSIVE constrained AS (
        SELECT t.oid FROM pg_type t WHERE t.typtype = 'd'
           AND (t.typnotnull OR EXISTS (SELECT 1 FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))),
    around(inner_type, outer_type) AS (
        SELECT t.typelem, t.oid FROM pg_type t WHERE t.typelem <> 0 AND t.typlen = -1
        UNION ALL SELECT a.atttypid, t.oid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
                   WHERE t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT r.rngsubtype, r.rngtypid FROM pg_range r
        UNION ALL SELECT t.typbasetype, t.oid FROM pg_type t
                   WHERE t.typtype = 'd' AND NOT EXISTS (SELECT 1 FROM constrained c WHERE c.oid = t.typbasetype)),
    wrapped(typid) AS (
        SELECT a.outer_type FROM around a JOIN constrained c ON c.oid = a.inner_type
        UNION SELECT a.outer_type FROM wrapped w JOIN around a ON a.inner_type = w.typid)
    SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname)
      FROM pg_attribute a JOIN wrapped w ON w.typid = a.atttypid
      JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r' AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY 1";

/// What a partition's place in its parents demands of its rows, with the demands on these parents.
const BOUNDS: &str = "
    SELECT c.oid::int8, pg_get_partition_constraintdef(c.oid)
      FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'";

/// What a row that breaks a rule says of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It is wrong.
    Promised,
    /// The catalog says NOT VALID: the source never promised that every row holds.
    NotValid,
    /// The expression is not immutable (it asks for the time, another table, a setting): the row may have held once.
    MayChange,
}

/// One thing that must hold of every row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// What is named when it is broken: `positive on public.orders`, `public.orders.placed`.
    pub object: String,
    /// What its rows do: `violate it`.
    says: String,
    /// For NOT NULL: the column, quoted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_null: Option<String>,
    /// Else: true, false or NULL for a row; false breaks it. `{row}` stands for the row's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    holds: Option<Holds>,
    standing: Standing,
}

/// An expression, and what it is asked of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Holds {
    expression: String,
    /// For a domain: the column that is VALUE, quoted, and the type it is asked as.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    value: Option<(String, String)>,
}

impl Rule {
    /// A condition that is true for rows that break it and never NULL; `row` is the table's alias.
    ///
    /// `num_nulls`, and not `IS NULL`: the planner believes NOT NULL in the catalog (since PostgreSQL 17), and a
    /// composite of NULLs IS NULL without being it.
    pub(super) fn broken(&self, row: &str) -> String {
        match (&self.not_null, &self.holds) {
            (Some(column), _) => format!("num_nulls({row}.{column}) > 0"),
            (None, Some(Holds { expression, value: None })) => format!("({expression}) IS FALSE"),
            (None, Some(Holds { expression, value: Some((column, base)) })) => {
                format!(
                    "(SELECT ({expression}) IS FALSE FROM (SELECT {row}.{column}::{base} AS value) AS value_of)"
                )
            }
            (None, None) => "false".into(),
        }
    }

    /// Files `rows` that break it, told as `told`, under what that means.
    pub(super) fn file(&self, ending: &mut Ending, rows: u64, told: &str) {
        if rows == 0 {
            return;
        }
        let message = format!("{told} {}", self.says);
        match self.standing {
            Standing::Promised => ending.wrong(&self.object, message),
            Standing::NotValid => ending.note(format!("{} is NOT VALID: {message}", self.object)),
            Standing::MayChange => ending.note(format!(
                "{}: {message} now, and may have held when written: the expression is not immutable",
                self.object
            )),
        }
    }
}

fn standing(validated: bool, follows: bool) -> Standing {
    match (validated, follows) {
        (false, _) => Standing::NotValid,
        (true, true) => Standing::Promised,
        (true, false) => Standing::MayChange,
    }
}

/// A table.
pub(super) struct Table {
    pub oid: i64,
    pub name: String,
    pub alias: String,
    pub bytes: u64,
}

/// What the catalog says.
#[derive(Default)]
pub(super) struct Found {
    pub tables: Vec<Table>,
    pub rules: BTreeMap<i64, Vec<Rule>>,
    pub not_checked: Vec<(String, String)>,
}

/// Reads the rules of all tables.
pub(super) async fn read(session: &mut Session<'_>) -> Result<Found, Trouble> {
    let mut found = Found::default();
    for row in session.query(TABLES).await? {
        let (oid, name, alias) = (row.get(0), row.get(1), row.get(2));
        found.tables.push(Table { oid, name, alias, bytes: row.get::<_, i64>(3).unsigned_abs() });
    }
    let names: BTreeMap<i64, String> =
        found.tables.iter().map(|table| (table.oid, table.name.clone())).collect();
    not_null(session, &names, &mut found).await?;
    checks(session, &names, &mut found).await?;
    of_domains(session, &names, &mut found).await?;
    bounds(session, &names, &mut found).await?;
    for row in session.query(DOMAINS_INSIDE).await? {
        let reason = "constraints of the domains inside of its arrays, composites or ranges";
        found.not_checked.push((row.get(0), reason.into()));
    }
    Ok(found)
}

type Names = BTreeMap<i64, String>;

impl Found {
    fn add(&mut self, oid: i64, rule: Rule) {
        let rules = self.rules.entry(oid).or_default();
        // NOT NULL of the column and of its domain are one rule.
        let known = rule.not_null.is_some() && rules.iter().any(|known| known.not_null == rule.not_null);
        if !known {
            rules.push(rule);
        }
    }
}

async fn not_null(session: &mut Session<'_>, names: &Names, found: &mut Found) -> Result<(), Trouble> {
    for row in session.query(NOT_NULL).await? {
        let (oid, column): (i64, String) = (row.get(0), row.get(1));
        let Some(table) = names.get(&oid) else { continue };
        found.add(oid, null_rule(table, column, "column", standing(row.get(2), true)));
    }
    Ok(())
}

fn null_rule(table: &str, column: String, of: &str, standing: Standing) -> Rule {
    Rule {
        object: format!("{table}.{column}"),
        says: format!("with NULL in a NOT NULL {of}"),
        not_null: Some(column),
        holds: None,
        standing,
    }
}

async fn checks(session: &mut Session<'_>, names: &Names, found: &mut Found) -> Result<(), Trouble> {
    for row in session.query(&CHECKS.replace("{follows}", FOLLOWS)).await? {
        let oid: i64 = row.get(0);
        let Some(table) = names.get(&oid) else { continue };
        let object = format!("{} on {table}", row.get::<_, &str>(1));
        if !row.get::<_, bool>(5) {
            found.not_checked.push((object, "the catalog says that it is not enforced".into()));
            continue;
        }
        let holds = Some(Holds { expression: row.get(2), value: None });
        let standing = standing(row.get(3), row.get(4));
        found.add(oid, Rule { object, says: "violating it".into(), not_null: None, holds, standing });
    }
    Ok(())
}

async fn of_domains(session: &mut Session<'_>, names: &Names, found: &mut Found) -> Result<(), Trouble> {
    let sql = format!("{DOMAINS}{}", OF_DOMAINS.replace("{follows}", FOLLOWS));
    for row in session.query(&sql).await? {
        let oid: i64 = row.get(0);
        let Some(table) = names.get(&oid) else { continue };
        let (column, domain): (String, &str) = (row.get(1), row.get(2));
        if row.get(3) {
            let of = format!("domain ({domain})");
            found.add(oid, null_rule(table, column.clone(), &of, Standing::Promised));
        }
        if let Some(constraint) = row.get::<_, Option<&str>>(5) {
            let rule = Rule {
                object: format!("{table}.{column}"),
                says: format!("violating {constraint} of the domain {domain}"),
                not_null: None,
                holds: Some(Holds { expression: row.get(6), value: Some((column, row.get(4))) }),
                standing: standing(row.get(7), row.get(8)),
            };
            found.add(oid, rule);
        }
    }
    Ok(())
}

async fn bounds(session: &mut Session<'_>, names: &Names, found: &mut Found) -> Result<(), Trouble> {
    for row in session.query(BOUNDS).await? {
        let oid: i64 = row.get(0);
        // A default partition that is the only one takes every row.
        let (Some(table), Some(expression)) = (names.get(&oid), row.get::<_, Option<String>>(1)) else {
            continue;
        };
        let rule = Rule {
            object: table.clone(),
            says: "that its bounds as a partition do not allow".into(),
            not_null: None,
            holds: Some(Holds { expression, value: None }),
            standing: Standing::Promised,
        };
        found.add(oid, rule);
    }
    Ok(())
}
