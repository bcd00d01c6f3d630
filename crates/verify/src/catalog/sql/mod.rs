//! One query per kind of object: `(key, identity, definition)`.
//!
//! The identity is what a person would say (`index public.orders_pkey`), quoted where it must be. The definition is a
//! JSON object of named properties, without those that are as they are by default: text, numbers, booleans and lists
//! of text. It holds everything that makes the object what it is, and nothing
//! - that two restores of one snapshot, or a dump and its restore, could have differently: no OID, no file, no
//!   statistics, no name that the server makes up from these;
//! - that depends on who reads: what only a superuser may see is left out for the superuser, too;
//! - that is a secret: where the name of an option or setting suggests one, its value is not kept.
//!
//! Left out whole: large objects (there may be millions; their number is in the manifest of contents), members of
//! extensions (the extension and its version stand for them; tables are the exception, because they hold data), and
//! [`OWN_SCHEMA`], which is Holdfast's own.
//!
//! The key is an OID by which a part of the objects can be asked for; it never leaves this process.
//!
//! Queries are templates. `[[14: ...]]` is there from major 14 on, `[[..13: ...]]` up to 13, `[[15..16: ...]]` in these
//! two; `{name|argument|...}` stands for what [`fragment`] says. Facts: PostgreSQL, "System Catalogs", of each major.

use crate::extensions::OWN_SCHEMA;

mod relations;
mod routines;
mod surroundings;
mod types;

/// A kind of object and how it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// What a person calls it.
    pub(super) name: &'static str,
    /// The first major that has it.
    since: u32,
    template: &'static str,
}

impl Kind {
    /// The query for this major; `None` where it has no such objects.
    pub(super) fn sql(&self, major: u32) -> Option<String> {
        (major >= self.since).then(|| expand(&of_version(self.template, major)))
    }
}

const fn kind(name: &'static str, template: &'static str) -> Kind {
    Kind { name, since: 0, template }
}

/// Every kind, in the order they are read.
pub(super) const KINDS: [Kind; 46] = [
    kind("database", surroundings::DATABASE),
    kind("settings", surroundings::SETTINGS),
    kind("role", surroundings::ROLES),
    kind("tablespace", surroundings::TABLESPACES),
    Kind { name: "parameter", since: 15, template: surroundings::PARAMETERS },
    kind("schema", relations::SCHEMAS),
    kind("extension", surroundings::EXTENSIONS),
    kind("table", relations::TABLES),
    kind("view", relations::VIEWS),
    kind("column", relations::COLUMNS),
    kind("constraint", relations::CONSTRAINTS),
    kind("index", relations::INDEXES),
    kind("sequence", relations::SEQUENCES),
    kind("trigger", relations::TRIGGERS),
    kind("policy", relations::POLICIES),
    kind("rule", relations::RULES),
    kind("statistics", relations::STATISTICS),
    kind("function", routines::FUNCTIONS),
    kind("aggregate", routines::AGGREGATES),
    kind("event trigger", routines::EVENT_TRIGGERS),
    kind("language", routines::LANGUAGES),
    kind("cast", routines::CASTS),
    kind("transform", routines::TRANSFORMS),
    kind("access method", routines::ACCESS_METHODS),
    kind("operator", routines::OPERATORS),
    kind("operator class", routines::OPERATOR_CLASSES),
    kind("operator family", routines::OPERATOR_FAMILIES),
    kind("enum", types::ENUMS),
    kind("domain", types::DOMAINS),
    kind("composite type", types::COMPOSITES),
    kind("range type", types::RANGES),
    kind("type", types::BASE_TYPES),
    kind("collation", types::COLLATIONS),
    kind("conversion", types::CONVERSIONS),
    kind("text search configuration", types::TEXT_SEARCH_CONFIGURATIONS),
    kind("text search dictionary", types::TEXT_SEARCH_DICTIONARIES),
    kind("text search parser", types::TEXT_SEARCH_PARSERS),
    kind("text search template", types::TEXT_SEARCH_TEMPLATES),
    kind("publication", surroundings::PUBLICATIONS),
    kind("subscription", surroundings::SUBSCRIPTIONS),
    kind("foreign-data wrapper", surroundings::FOREIGN_DATA_WRAPPERS),
    kind("server", surroundings::SERVERS),
    kind("user mapping", surroundings::USER_MAPPINGS),
    kind("default privileges", surroundings::DEFAULT_PRIVILEGES),
    kind("grants", surroundings::GRANTS_ON_SYSTEM_OBJECTS),
    kind("security label", surroundings::SECURITY_LABELS),
];

/// Names of options and settings whose value may be a secret or lead to one: `app.jwt_secret`, `sslkey`, `conn_string`.
const SECRET_NAME: &str = "pass|pwd|secret|token|credential|private|key|auth|conn|dsn|url|(^|[^a-z])uri";

/// Values that hold a password whatever they are called: `host=db password=x`, `https://user:password@host`.
const SECRET_VALUE: &str = "(password|passwd|secret|token)[^a-z0-9]|://[^/@]*:[^/@]*@";

/// Keeps of a template what this major has.
fn of_version(template: &str, major: u32) -> String {
    let mut sql = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("[[") {
        sql.push_str(before);
        let (inside, after) = after.split_once("]]").unwrap_or((after, ""));
        let (versions, text) = inside.split_once(": ").unwrap_or(("", inside));
        let (from, to) = versions.split_once("..").unwrap_or((versions, ""));
        if from.parse().unwrap_or(0) <= major && major <= to.parse().unwrap_or(u32::MAX) {
            sql.push_str(text);
        }
        rest = after;
    }
    sql.push_str(rest);
    sql
}

/// Puts the fragments in, innermost first.
fn expand(template: &str) -> String {
    let mut sql = template.to_owned();
    while let Some(start) = sql.rfind('{') {
        let Some(length) = sql[start..].find('}') else { break };
        let mut parts = sql[start + 1..start + length].split('|').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let arguments: Vec<&str> = parts.collect();
        let text = fragment(name, &arguments);
        sql.replace_range(start..=start + length, &text);
    }
    sql
}

/// What a `{name|argument|...}` stands for.
fn fragment(name: &str, arguments: &[&str]) -> String {
    match (name, arguments) {
        ("own_schema", []) => OWN_SCHEMA.to_owned(),
        // Objects whose schema (alias n) is the users'.
        ("user_schema", []) => {
            format!("n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '{OWN_SCHEMA}')")
        }
        // Is no member of an extension.
        ("own", [class, oid]) => format!(
            "NOT EXISTS (SELECT 1 FROM pg_depend own WHERE own.classid = 'pg_catalog.{class}'::regclass
                 AND own.objid = {oid} AND own.deptype = 'e')"
        ),
        // Nor made for another object.
        ("independent", [class, oid]) => format!(
            "NOT EXISTS (SELECT 1 FROM pg_depend own WHERE own.classid = 'pg_catalog.{class}'::regclass
                 AND own.objid = {oid} AND own.deptype IN ('e', 'i'))"
        ),
        // Was not made by `initdb`: FirstNormalObjectId of `access/transam.h`.
        ("made", [oid]) => format!("{oid} >= 16384"),
        ("described", [class, oid]) => format!(
            "LEFT JOIN pg_description described ON described.objoid = {oid} AND described.objsubid = 0
                 AND described.classoid = 'pg_catalog.{class}'::regclass"
        ),
        ("shared_described", [class, oid]) => format!(
            "LEFT JOIN pg_shdescription described ON described.objoid = {oid}
                 AND described.classoid = 'pg_catalog.{class}'::regclass"
        ),
        ("routine", [oid]) => format!("nullif({oid}::oid::regprocedure::text, '-')"),
        ("storage", [column]) => format!(
            "CASE {column} WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END"
        ),
        ("fires", [column]) => format!(
            "CASE {column} WHEN 'O' THEN 'yes' WHEN 'D' THEN 'never' WHEN 'R' THEN 'on replicas only'
                 ELSE 'always' END"
        ),
        ("modifies", [column]) => {
            format!("CASE {column} WHEN 'r' THEN 'no' WHEN 's' THEN 'shareable' ELSE 'yes' END")
        }
        ("provider", [column]) => format!(
            "CASE {column} WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'default' END"
        ),
        ("grants", [acl, default, owner]) => grants(acl, default, owner),
        ("entry", [item, owner]) => entry(item, owner),
        // Of storage and planning, never secret.
        ("options", [options]) => {
            format!("(SELECT array_agg(o ORDER BY o COLLATE \"C\") FROM unnest({options}) o)")
        }
        // Of what is outside, or of the team's own.
        ("guarded_options", [options]) => format!(
            "(SELECT array_agg(concat(split_part(o, '=', 1), '=', {}) ORDER BY o COLLATE \"C\")
                FROM unnest({options}) o)",
            value("o")
        ),
        ("value", [option]) => value(option),
        // The server refuses it, and a test does before.
        _ => format!("no fragment {name} of {}", arguments.len()),
    }
}

/// The value of a `name=value`, unless it may be a secret.
fn value(option: &str) -> String {
    format!(
        "CASE WHEN split_part({option}, '=', 1) ~* '{SECRET_NAME}'
               OR substr({option}, strpos({option}, '=') + 1) ~* '{SECRET_VALUE}' THEN '(not kept)'
              ELSE substr({option}, strpos({option}, '=') + 1) END"
    )
}

/// One entry of an access control list as a person says it: `SELECT to reporting`. That the owner grants is not said,
/// nor that the owner may grant on.
fn entry(item: &str, owner: &str) -> String {
    format!(
        "concat({item}.privilege_type, ' to ',
             CASE {item}.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid({item}.grantee)) END,
             CASE WHEN {item}.is_grantable AND {item}.grantee <> {owner} THEN ' with grant option' END,
             CASE WHEN {item}.grantor <> {owner} THEN ' by ' || quote_ident(pg_get_userbyid({item}.grantor)) END)"
    )
}

/// `grants` are those beyond what there is by default, `revoked` those of the default that are not there; both sorted.
///
/// A list that was never touched (NULL) and one that says the default are the same; a privilege that a later major has
/// by default (`MAINTAIN` of 17) is not a difference.
fn grants(acl: &str, default: &str, owner: &str) -> String {
    let side = |with: &str, without: &str| {
        let entry = entry("x", owner);
        format!(
            "CASE WHEN {acl} IS NOT NULL THEN (SELECT array_agg(g.entry ORDER BY g.entry COLLATE \"C\") FROM (
                 SELECT {entry} FROM aclexplode({with}) x EXCEPT SELECT {entry} FROM aclexplode({without}) x
             ) AS g(entry)) END"
        )
    };
    format!("'grants', {}, 'revoked', {}", side(acl, default), side(default, acl))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_what_its_version_has() {
        let template = "a[[14: b]][[..13: c]][[15..16: d]] e";
        let of = |major| of_version(template, major);
        assert_eq!([12, 14, 15, 16, 17].map(of), ["ac e", "ab e", "abd e", "abd e", "ab e"]);
    }

    #[test]
    fn every_query_is_whole() {
        for major in 12..=18 {
            for kind in KINDS {
                let Some(sql) = kind.sql(major) else { continue };
                assert!(
                    !sql.contains(['{', '}']) && !sql.contains("[[") && !sql.contains("no fragment"),
                    "{}: {sql}",
                    kind.name
                );
            }
        }
        assert!(KINDS.iter().any(|kind| kind.sql(14).is_none() && kind.sql(15).is_some()));
    }
}
