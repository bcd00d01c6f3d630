//! How a changed property is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ending::name_some;

/// Characters shown of each side of a changed text.
const SHOWN: usize = 120;

/// Of these, the ones before the first that differs.
const BEFORE: usize = 40;

/// Entries shown of a list; more are counted.
const ENTRIES_SHOWN: usize = 10;

/// Said by its values alone, because nothing else of the object looks like these.
const SAID_ALONE: [&str; 3] = ["type", "nullable", "definition"];

/// Never said: where an object of a partition comes from changes with the partition, and that is said.
pub(super) const COMES_FROM: &str = "comes from";

/// Said first.
const FIRST: [&str; 2] = ["type", "definition"];

/// What differs between two definitions: `numeric(10,2) → numeric(12,2); default: none → 0`.
pub(super) fn changes(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> String {
    let names: BTreeSet<(bool, &String)> = before
        .keys()
        .chain(now.keys())
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| (!FIRST.contains(&name.as_str()), name))
        .collect();
    let mut parts = Vec::new();
    let mut grants = false;
    for (_, name) in names {
        match name.as_str() {
            "grants" | "revoked" => grants = true,
            COMES_FROM => {}
            _ => parts.push(change(name, before.get(name), now.get(name))),
        }
    }
    if grants {
        parts.extend(granted(before, now));
    }
    parts.join("; ")
}

fn change(name: &str, before: Option<&Value>, now: Option<&Value>) -> String {
    if let (Some(Value::Array(_)) | None, Some(Value::Array(_)) | None) = (before, now) {
        return format!("{name}: {}", entries_changed(&entries(before), &entries(now)));
    }
    let boolean = before.is_some_and(Value::is_boolean) || now.is_some_and(Value::is_boolean);
    let (before, now) = (said(name, before, boolean), said(name, now, boolean));
    if before.contains('\n') || now.contains('\n') {
        return format!("{name}: {}", lines_changed(&before, &now));
    }
    let (before, now) = shortened(&before, &now);
    if SAID_ALONE.contains(&name) {
        format!("{before} → {now}")
    } else {
        format!("{name}: {before} → {now}")
    }
}

/// A value as text. What is absent is `no` where the other side is a boolean.
fn said(name: &str, value: Option<&Value>, boolean: bool) -> String {
    match value {
        Some(Value::Bool(nullable)) if name == "nullable" => {
            if *nullable { "nullable" } else { "NOT NULL" }.into()
        }
        Some(Value::Bool(true)) => "yes".into(),
        Some(Value::Bool(false)) => "no".into(),
        Some(Value::String(text)) if text.is_empty() => "''".into(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => if boolean { "no" } else { "none" }.into(),
        Some(other @ (Value::Number(_) | Value::Array(_) | Value::Object(_))) => other.to_string(),
    }
}

fn entries(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(values)) => values.iter().map(|value| said("", Some(value), false)).collect(),
        Some(other) => vec![said("", Some(other), false)],
        None => vec![],
    }
}

fn without(these: &[String], others: &[String]) -> Vec<String> {
    these.iter().filter(|entry| !others.contains(entry)).cloned().collect()
}

fn entries_changed(before: &[String], now: &[String]) -> String {
    let mut parts = Vec::new();
    for (word, entries) in [("removed", without(before, now)), ("added", without(now, before))] {
        if !entries.is_empty() {
            parts.push(format!("{word} {}", name_some(&entries, ENTRIES_SHOWN)));
        }
    }
    if parts.is_empty() {
        return format!("{} → {}", name_some(before, ENTRIES_SHOWN), name_some(now, ENTRIES_SHOWN));
    }
    parts.join(", ")
}

/// `lost: SELECT to reporting`, `gained: INSERT, SELECT to public`.
///
/// What is no longer revoked of the default is gained, what newly is, is lost.
fn granted(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<String> {
    let of = |definition: &BTreeMap<String, Value>, name| entries(definition.get(name));
    let change = |from: &BTreeMap<String, Value>, to: &BTreeMap<String, Value>| {
        let mut entries = without(&of(from, "grants"), &of(to, "grants"));
        entries.extend(without(&of(to, "revoked"), &of(from, "revoked")));
        entries
    };
    let mut parts = Vec::new();
    for (word, entries) in [("lost", change(before, now)), ("gained", change(now, before))] {
        let mut grantees: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (privilege, grantee) in entries.iter().filter_map(|entry| entry.split_once(" to ")) {
            grantees.entry(grantee).or_default().insert(privilege);
        }
        let said: Vec<String> = grantees
            .into_iter()
            .map(|(grantee, privileges)| {
                format!("{} to {grantee}", privileges.into_iter().collect::<Vec<_>>().join(", "))
            })
            .collect();
        if !said.is_empty() {
            parts.push(format!("{word}: {}", name_some(&said, ENTRIES_SHOWN)));
        }
    }
    parts
}

/// Where two long texts begin to differ: `line 3: old → new`.
fn lines_changed(before: &str, now: &str) -> String {
    let (mut before, mut now) = (before.split('\n'), now.split('\n'));
    let mut number = 0_u64;
    loop {
        number += 1;
        match (before.next(), now.next()) {
            (Some(was), Some(is)) if was == is => {}
            (None, None) => return "other line ends".into(),
            (was, is) => {
                let (was, is) = (was.map(str::trim), is.map(str::trim));
                if was == is {
                    return format!("line {number}: other white space");
                }
                let (was, is) = shortened(was.unwrap_or("no such line"), is.unwrap_or("no such line"));
                return format!("line {number}: {was} → {is}");
            }
        }
    }
}

/// Both, cut to where they differ.
fn shortened(before: &str, now: &str) -> (String, String) {
    let same = before.chars().zip(now.chars()).take_while(|(was, is)| was == is).count();
    let from = same.saturating_sub(BEFORE);
    let cut = |text: &str| {
        let length = text.chars().count();
        if length <= SHOWN {
            return text.to_owned();
        }
        let from = from.min(length - SHOWN);
        let mut shown: String = text.chars().skip(from).take(SHOWN).collect();
        if from > 0 {
            shown.insert(0, '…');
        }
        if from + SHOWN < length {
            shown.push('…');
        }
        shown
    };
    (cut(before), cut(now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn says(before: Value, now: Value, expected: &str) {
        let map = |value: Value| value.as_object().unwrap().clone().into_iter().collect();
        assert_eq!(changes(&map(before), &map(now)), expected);
    }

    #[test]
    fn properties_are_said_as_a_person_would() {
        says(
            json!({"type": "numeric(10,2)"}),
            json!({"type": "numeric(12,2)"}),
            "numeric(10,2) → numeric(12,2)",
        );
        says(json!({"nullable": false}), json!({"nullable": true}), "NOT NULL → nullable");
        says(json!({"nullable": true}), json!({"nullable": false}), "nullable → NOT NULL");
        says(json!({}), json!({"default": ""}), "default: none → ''");
        says(json!({"cycle": true}), json!({}), "cycle: yes → no");
        says(json!({"cache": 1}), json!({"cache": 20}), "cache: 1 → 20");
        says(
            json!({"default": "1", "nullable": true, "type": "int"}),
            json!({"nullable": false, "type": "text"}),
            "int → text; default: 1 → none; nullable → NOT NULL",
        );
    }

    #[test]
    fn lists_are_said_by_what_came_and_went() {
        says(json!({"labels": ["a", "b"]}), json!({"labels": ["b", "c"]}), "labels: removed a, added c");
        says(json!({"labels": ["a", "b"]}), json!({"labels": ["b", "a"]}), "labels: a, b → b, a");
        says(json!({}), json!({"options": ["fillfactor=70"]}), "options: added fillfactor=70");
        let many: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        says(json!({"tables": many}), json!({}), "tables: removed 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more");
    }

    #[test]
    fn grants_are_lost_and_gained() {
        says(
            json!({"grants": ["INSERT to a", "SELECT to a", "SELECT to b", "SELECT to \"x to y\""]}),
            json!({"grants": ["SELECT to b", "SELECT to c with grant option"]}),
            "lost: SELECT to \"x to y\", INSERT, SELECT to a; gained: SELECT to c with grant option",
        );
        says(json!({}), json!({"revoked": ["EXECUTE to public"]}), "lost: EXECUTE to public");
        says(
            json!({"revoked": ["EXECUTE to public"], "owner": "a"}),
            json!({"grants": ["EXECUTE to b"], "owner": "b"}),
            "owner: a → b; gained: EXECUTE to b, EXECUTE to public",
        );
    }

    #[test]
    fn long_texts_are_said_by_where_they_differ() {
        says(json!({"body": "a\n  b\nc"}), json!({"body": "a\n  x\nc"}), "body: line 2: b → x");
        says(json!({"body": "a\nb"}), json!({"body": "a"}), "body: line 2: b → no such line");
        says(json!({"body": "a\n b"}), json!({"body": "a\nb"}), "body: line 2: other white space");
        let long = |middle: &str| format!("{}{middle}{}", "ä".repeat(200), "z".repeat(200));
        let (before, now) = shortened(&long("<"), &long(">"));
        assert_eq!(before, format!("…{}<{}…", "ä".repeat(40), "z".repeat(79)));
        assert_eq!(now, before.replace('<', ">"));
        let (before, now) = shortened(&long("<"), "short");
        assert_eq!((before.chars().count(), now.as_str()), (SHOWN + 1, "short"));
        let (_, now) = shortened(&"x".repeat(200), &format!("{}y", "x".repeat(200)));
        assert_eq!(now, format!("…{}y", "x".repeat(119)));
    }
}
