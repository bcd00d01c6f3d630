//! How two catalogs differ, object by object, in words.
//!
//! Deparsed text (views, expressions, a function's defaults) is the server's, and servers of different majors write some
//! of it differently; they also quote names that became keywords. Two catalogs that were read from different majors can
//! therefore differ though the schema is the same: whoever compares such two must say so and decide by the contents.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::validation::ObjectManifest;
use serde_json::Value;

use super::{Objects, UNREADABLE, wording};
use crate::ending::count;

/// One object that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Its identity: `column public.orders.total`.
    pub object: String,
    /// What differs, as a person would say it: `numeric(10,2) → numeric(12,2)`.
    pub message: String,
}

/// Kinds whose objects are nothing but what is said of something else: where there is none, nothing is said.
const SAYINGS: [&str; 3] = ["settings of ", "default privileges of ", "grants on "];

/// What can hold other objects.
const RELATIONS: [&str; 4] = ["table ", "foreign table ", "view ", "materialized view "];

/// What comes and goes with a table, in the order it is counted in: singular, plural.
const PARTS: [(&str, &str); 8] = [
    ("column", "columns"),
    ("constraint", "constraints"),
    ("index", "indexes"),
    ("trigger", "triggers"),
    ("policy", "policies"),
    ("rule", "rules"),
    ("sequence", "sequences"),
    ("statistics", "statistics"),
];

/// What differs between two catalogs of servers of the same major, by object, sorted.
///
/// A table that is missing or new stands for all that belongs to it, a constraint for its index, and what happened to a
/// table for the same in its partitions.
pub(crate) fn differences(before: &Objects, now: &Objects) -> Vec<Difference> {
    let mut found = BTreeMap::new();
    one_sided(&mut found, before, now, "is missing");
    one_sided(&mut found, now, before, "is new");
    changed(&mut found, before, now);
    found.into_iter().map(|(object, message)| Difference { object: object.to_owned(), message }).collect()
}

/// Files what is on both sides and differs.
fn changed<'a>(found: &mut BTreeMap<&'a str, String>, before: &'a Objects, now: &'a Objects) {
    let mut messages = BTreeMap::new();
    for identity in before.keys().chain(now.keys().filter(|identity| !before.contains_key(*identity))) {
        let (was, is) = (before.get(identity), now.get(identity));
        let both = was.is_some() && is.is_some();
        if (both || is_saying(identity)) && was.map(|was| &was.hash) != is.map(|is| &is.hash) {
            messages.insert(identity.as_str(), message(was, is));
        }
    }
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    let mut said = messages.clone();
    said.retain(|_, message| !message.is_empty());
    for (identity, message) in &messages {
        let like = |origin: &str| {
            messages.get_key_value(origin).filter(|(_, other)| *other == message).map(|(key, _)| *key)
        };
        if let Some(top) =
            top(identity, |identity| origins(identity, now).iter().find_map(|origin| like(origin)))
        {
            said.remove(identity);
            *others.entry(top).or_default() += 1;
        }
    }
    for (identity, message) in said {
        let same =
            others.get(identity).map(|others| format!(" ({})", same_elsewhere(*others))).unwrap_or_default();
        found.insert(identity, format!("{message}{same}"));
    }
}

fn is_saying(identity: &str) -> bool {
    SAYINGS.iter().any(|saying| identity.starts_with(saying))
}

fn same_elsewhere(tables: u64) -> String {
    format!("the same in {}", count(tables, "other table", "other tables"))
}

fn message(was: Option<&ObjectManifest>, is: Option<&ObjectManifest>) -> String {
    static NOTHING: BTreeMap<String, Value> = BTreeMap::new();
    let unreadable = |object: &ObjectManifest| {
        object.definition.get(UNREADABLE).and_then(Value::as_str).map(str::to_owned)
    };
    if let Some(why) = is.and_then(unreadable) {
        return format!("could not be read: {why}");
    }
    if let Some(why) = was.and_then(unreadable) {
        return format!("could not be read before: {why}");
    }
    wording::changes(
        was.map_or(&NOTHING, |object| &object.definition),
        is.map_or(&NOTHING, |object| &object.definition),
    )
}

/// Files what is in `these` and not in `others`, parts under what they come and go with.
fn one_sided<'a>(found: &mut BTreeMap<&'a str, String>, these: &'a Objects, others: &Objects, what: &str) {
    let only: BTreeSet<&str> = these
        .keys()
        .map(String::as_str)
        .filter(|identity| !others.contains_key(*identity) && !is_saying(identity))
        .collect();
    let relations: BTreeMap<&str, &str> = only
        .iter()
        .filter_map(|identity| {
            RELATIONS.iter().find_map(|kind| identity.strip_prefix(kind)).map(|name| (name, *identity))
        })
        .collect();
    let whole = |identity: &str| {
        let object = these.get(identity)?;
        relation(identity, &object.definition).and_then(|name| relations.get(name).copied()).or_else(|| {
            let origins = origins(identity, these);
            let constraint = constraint_of_index(identity, &object.definition);
            origins.into_iter().chain(constraint).find_map(|origin| only.get(origin.as_str()).copied())
        })
    };
    let mut parts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for identity in &only {
        match top(identity, whole) {
            Some(top) => *parts.entry(top).or_default().entry(kind(identity)).or_default() += 1,
            None => {
                found.insert(identity, what.to_owned());
            }
        }
    }
    for (identity, parts) in parts {
        let mut counted = Vec::new();
        for (one, many) in PARTS.iter().filter(|(one, _)| *one != kind(identity)) {
            counted.extend(parts.get(one).map(|number| count(*number, one, many)));
        }
        let mut with = String::new();
        if !counted.is_empty() {
            with = format!("its {}", counted.join(", "));
        }
        if let Some(same) = parts.get(kind(identity)) {
            with =
                format!("{with}{}{}", if counted.is_empty() { "" } else { ", and " }, same_elsewhere(*same));
        }
        found.insert(identity, format!("{what} (and {with})"));
    }
}

/// Follows `next` to its end; `None` where it has no beginning.
fn top<'a>(identity: &str, next: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    let mut top = next(identity)?;
    // As deep as partitions go; a ring, which no server makes, ends as well.
    for _ in 0..100 {
        match next(top) {
            Some(further) => top = further,
            None => break,
        }
    }
    Some(top)
}

fn kind(identity: &str) -> &str {
    identity.split(' ').next().unwrap_or_default()
}

/// The table, quoted, that an object is a part of.
fn relation<'a>(identity: &'a str, definition: &'a BTreeMap<String, Value>) -> Option<&'a str> {
    let (kind, name) = identity.split_once(' ')?;
    let text = |property: &str| definition.get(property).and_then(Value::as_str);
    match kind {
        "column" => without_last(name),
        "constraint" | "trigger" | "policy" | "rule" => name[identifier_length(name)..].strip_prefix(" on "),
        "index" | "statistics" => text("table"),
        "sequence" => without_last(text("owned by").or_else(|| text("identity of"))?),
        _ => None,
    }
}

/// The constraint that has this index's name, and so is what it was made for.
fn constraint_of_index(identity: &str, definition: &BTreeMap<String, Value>) -> Option<String> {
    let name = identity.strip_prefix("index ")?;
    let name = name.strip_prefix(without_last(name)?)?.strip_prefix('.')?;
    Some(format!("constraint {name} on {}", relation(identity, definition)?))
}

/// What an object of a partition or an inheriting table may come from: what the server says, or the column or constraint
/// of that name of a table above.
fn origins(identity: &str, objects: &Objects) -> Vec<String> {
    let Some(definition) = objects.get(identity).map(|object| &object.definition) else { return vec![] };
    if let Some(Value::String(origin)) = definition.get(wording::COMES_FROM) {
        return vec![origin.clone()];
    }
    let Some(table) = relation(identity, definition) else { return vec![] };
    let Some(table_definition) = objects.get(&format!("table {table}")).map(|object| &object.definition)
    else {
        return vec![];
    };
    let partition_of = table_definition.get("partition of").into_iter();
    let inherits = table_definition.get("inherits").and_then(Value::as_array).into_iter().flatten();
    let parents = partition_of.chain(inherits).filter_map(Value::as_str);
    match kind(identity) {
        "column" => {
            let name = identity
                .strip_prefix("column ")
                .and_then(|name| name.strip_prefix(table))
                .unwrap_or_default();
            parents.map(|parent| format!("column {parent}{name}")).collect()
        }
        "constraint" => {
            let name = identity.strip_suffix(table).unwrap_or_default();
            parents.map(|parent| format!("{name}{parent}")).collect()
        }
        _ => vec![],
    }
}

/// How long the identifier is, quoted or not, that a text begins with.
fn identifier_length(text: &str) -> usize {
    if !text.starts_with('"') {
        return text.find(['.', ' ']).unwrap_or(text.len());
    }
    let mut inside = false;
    for (place, character) in text.char_indices() {
        match character {
            '"' => inside = !inside,
            '.' | ' ' if !inside => return place,
            _ => {}
        }
    }
    text.len()
}

/// `schema.table.column` without its last identifier.
fn without_last(name: &str) -> Option<&str> {
    let mut end = identifier_length(name);
    let mut last = None;
    while name[end..].starts_with('.') {
        last = Some(&name[..end]);
        end += 1 + identifier_length(&name[end + 1..]);
    }
    last
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(pairs: &[(&str, Value)]) -> Objects {
        let object =
            |value: &Value| super::super::object(value.as_object().unwrap().clone().into_iter().collect());
        pairs.iter().map(|(name, value)| (name.to_string(), object(value))).collect()
    }

    #[track_caller]
    fn differ(before: &Objects, now: &Objects, expected: &[(&str, &str)]) {
        let found = differences(before, now);
        let found: Vec<(&str, &str)> = found.iter().map(|one| (&*one.object, &*one.message)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_finding_for_each_object_that_differs() {
        let before = of(&[
            ("column public.orders.total", json!({"type": "numeric(10,2)", "nullable": false})),
            ("view public.gone", json!({"definition": "x"})),
            ("view public.same", json!({"definition": "x"})),
        ]);
        let now = of(&[
            ("column public.orders.total", json!({"type": "numeric(12,2)", "nullable": true})),
            ("index public.fresh", json!({"definition": "x", "table": "public.orders"})),
            ("view public.same", json!({"definition": "x"})),
        ]);
        differ(&before, &before, &[]);
        differ(
            &before,
            &now,
            &[
                ("column public.orders.total", "numeric(10,2) → numeric(12,2); NOT NULL → nullable"),
                ("index public.fresh", "is new"),
                ("view public.gone", "is missing"),
            ],
        );
    }

    #[test]
    fn a_table_stands_for_what_belongs_to_it() {
        const WEIRD: &str = r#""My. on S"."a "" b""#;
        let column = |name: &str| (format!("column {WEIRD}.{name}"), json!({"type": "text"}));
        let mut objects: Vec<(String, Value)> = vec![
            (format!("table {WEIRD}"), json!({})),
            column("a"),
            column("\"b.c\""),
            (format!("constraint \"k on x\" on {WEIRD}"), json!({})),
            (format!("trigger t on {WEIRD}"), json!({})),
            ("index \"My. on S\".\"k on x\"".into(), json!({"table": WEIRD})),
            ("index \"My. on S\".other".into(), json!({"table": WEIRD})),
            ("sequence public.s".into(), json!({"owned by": format!("{WEIRD}.a")})),
        ];
        let rest: Vec<(String, Value)> = [
            "table public.t",
            "column public.t.a",
            "constraint \"k on x\" on public.t",
            "view public.v",
            "sequence public.u",
        ]
        .map(|identity| (identity.to_owned(), json!({})))
        .to_vec();
        objects.extend(rest.clone());
        let map = |pairs: &[(String, Value)]| {
            of(&pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>())
        };
        let (before, now) = (map(&objects), map(&rest));
        let table = format!("table {WEIRD}");
        let parts = "(and its 2 columns, 1 constraint, 2 indexes, 1 trigger, 1 sequence)";
        differ(&before, &now, &[(&table, &format!("is missing {parts}"))]);
        differ(&now, &before, &[(&table, &format!("is new {parts}"))]);
    }

    #[test]
    fn a_constraint_stands_for_its_index() {
        let table = ("table public.t", json!({}));
        let before = of(&[
            table.clone(),
            ("constraint t_pkey on public.t", json!({})),
            ("index public.t_pkey", json!({"table": "public.t"})),
            ("index public.other", json!({"table": "public.t"})),
        ]);
        differ(
            &before,
            &of(&[table]),
            &[
                ("constraint t_pkey on public.t", "is missing (and its 1 index)"),
                ("index public.other", "is missing"),
            ],
        );
    }

    #[test]
    fn a_table_stands_for_its_partitions() {
        let table = |above: &str| if above.is_empty() { json!({}) } else { json!({"partition of": above}) };
        let of = |kind: &str, with_note: bool| {
            let mut pairs: Vec<(String, Value)> = vec![];
            for (name, above) in
                [("public.a", ""), ("public.a1", "public.a"), ("public.\"a 2\"", "public.a1")]
            {
                pairs.push((format!("table {name}"), table(above)));
                pairs.push((format!("column {name}.id"), json!({"type": kind})));
                if with_note {
                    pairs.push((format!("column {name}.note"), json!({"type": "text"})));
                    pairs.push((format!("constraint checked on {name}"), json!({})));
                }
            }
            if with_note {
                pairs.push(("index public.i".into(), json!({"table": "public.a"})));
                pairs.push((
                    "index public.i1".into(),
                    json!({"table": "public.a1", "comes from": "index public.i"}),
                ));
                pairs.push(("constraint k on public.a".into(), json!({})));
                pairs.push(("index public.k".into(), json!({"table": "public.a"})));
                let origin = "constraint k on public.a";
                pairs.push(("constraint k1 on public.a1".into(), json!({"comes from": origin})));
                pairs.push((
                    "index public.k1".into(),
                    json!({"table": "public.a1", "comes from": "index public.k"}),
                ));
            }
            of(&pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>())
        };
        let gone = "is missing (and the same in 2 other tables)";
        differ(
            &of("int", true),
            &of("text", false),
            &[
                ("column public.a.id", "int → text (the same in 2 other tables)"),
                ("column public.a.note", gone),
                ("constraint checked on public.a", gone),
                ("constraint k on public.a", "is missing (and its 2 indexes, and the same in 1 other table)"),
                ("index public.i", "is missing (and the same in 1 other table)"),
            ],
        );
        // What happened differently to a partition is said of it.
        let now = {
            let mut now = of("text", true);
            now.insert("column public.a1.id".into(), of("int8", true)["column public.a1.id"].clone());
            now
        };
        differ(
            &of("int", true),
            &now,
            &[
                ("column public.\"a 2\".id", "int → text"),
                ("column public.a.id", "int → text"),
                ("column public.a1.id", "int → int8"),
            ],
        );
        // What happened to one partition alone is said of it.
        let mut one = of("int", true);
        one.remove("column public.a1.note");
        differ(&of("int", true), &one, &[("column public.a1.note", "is missing")]);
    }

    #[test]
    fn where_a_partitions_index_comes_from_is_said_with_the_partition() {
        let of = |above: Option<&str>| {
            let table = above.map_or(json!({}), |_| json!({"partition of": "public.a"}));
            let index = json!({"table": "public.a1", "comes from": above});
            of(&[("table public.a1", table), ("index public.i1", index)])
        };
        differ(
            &of(Some("index public.i")),
            &of(None),
            &[("table public.a1", "partition of: public.a → none")],
        );
    }

    #[test]
    fn settings_and_grants_are_said_even_when_there_were_none() {
        let before = of(&[("settings of database", json!({"work_mem": "4MB"}))]);
        let now = of(&[(
            "grants on function pg_catalog.pg_sleep(double precision)",
            json!({"revoked": ["EXECUTE to public"]}),
        )]);
        differ(
            &before,
            &now,
            &[
                ("grants on function pg_catalog.pg_sleep(double precision)", "lost: EXECUTE to public"),
                ("settings of database", "work_mem: 4MB → none"),
            ],
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_so() {
        let (whole, broken) =
            (json!({"definition": "x"}), json!({"unreadable": "cache lookup failed (XX000)"}));
        let (whole, broken) = (of(&[("view public.v", whole)]), of(&[("view public.v", broken)]));
        differ(&whole, &broken, &[("view public.v", "could not be read: cache lookup failed (XX000)")]);
        differ(
            &broken,
            &whole,
            &[("view public.v", "could not be read before: cache lookup failed (XX000)")],
        );
        differ(&broken, &broken, &[]);
    }
}
