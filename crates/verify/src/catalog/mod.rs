//! The schema of one database, object by object, as named properties with a hash; and one hash over all.
//!
//! What is read is told in [`sql`], how two catalogs differ in [`differences`].

use std::collections::BTreeMap;

use holdfast_core::validation::ObjectManifest;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ending::Ending;

mod differences;
mod read;
mod sql;
mod wording;

pub(crate) use differences::differences;
pub(crate) use read::read;

/// Hexadecimal digits kept of SHA-256: 128 bits.
const HASH_DIGITS: usize = 32;

/// The only property of an object that could not be read: why.
const UNREADABLE: &str = "unreadable";

/// Objects by identity.
pub(crate) type Objects = BTreeMap<String, ObjectManifest>;

/// The objects among these that could not be read. The others could: one broken view hides nothing else.
///
/// A catalog that contradicts itself (SQLSTATE class XX, such as "cache lookup failed") is wrong; anything else, such as
/// a lock, says nothing of it.
pub(crate) fn unreadable(objects: &Objects) -> Ending {
    let mut ending = Ending::default();
    for (identity, object) in objects {
        let Some(Value::String(message)) = object.definition.get(UNREADABLE) else { continue };
        let message = format!("could not be read: {message}");
        if message.ends_with(')') && message.contains("(XX") {
            ending.wrong(identity, message);
        } else {
            ending.unfinished(identity, message);
        }
    }
    ending
}

/// One hash over all objects.
pub(crate) fn hash(objects: &Objects) -> String {
    let mut hasher = Sha256::new();
    for (identity, object) in objects {
        hasher.update(identity.as_bytes());
        hasher.update([0]);
        hasher.update(object.hash.as_bytes());
        hasher.update([0]);
    }
    digits(hasher)
}

/// An object with the hash of its definition.
fn object(definition: BTreeMap<String, Value>) -> ObjectManifest {
    let mut hasher = Sha256::new();
    for (name, value) in &definition {
        feed_text(&mut hasher, b'p', name);
        feed(&mut hasher, value);
    }
    ObjectManifest { hash: digits(hasher), definition }
}

/// Canonical: whatever order the members of an object were written in, and no two values alike.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(value) => hasher.update(if *value { b"t" } else { b"f" }),
        Value::Number(number) => feed_text(hasher, b'#', &number.to_string()),
        Value::String(text) => feed_text(hasher, b'"', text),
        Value::Array(values) => {
            feed_length(hasher, b'[', values.len());
            values.iter().for_each(|value| feed(hasher, value));
        }
        Value::Object(members) => {
            feed_length(hasher, b'{', members.len());
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            for (name, value) in sorted {
                feed_text(hasher, b'p', name);
                feed(hasher, value);
            }
        }
    }
}

fn feed_text(hasher: &mut Sha256, tag: u8, text: &str) {
    feed_length(hasher, tag, text.len());
    hasher.update(text.as_bytes());
}

fn feed_length(hasher: &mut Sha256, tag: u8, length: usize) {
    hasher.update([tag]);
    hasher.update((length as u64).to_le_bytes());
}

fn digits(hasher: Sha256) -> String {
    let mut text = hex::encode(hasher.finalize());
    text.truncate(HASH_DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use holdfast_core::validation::CheckResult;
    use serde_json::json;

    use super::*;

    fn of(pairs: &[(&str, Value)]) -> Objects {
        let object = |value: &Value| object(value.as_object().unwrap().clone().into_iter().collect());
        pairs.iter().map(|(name, value)| (name.to_string(), object(value))).collect()
    }

    #[test]
    fn the_hash_covers_names_and_definitions() {
        let of = |pairs: &[(&str, Value)]| hash(&of(pairs));
        let one = of(&[("table a", json!({"owner": "x"})), ("table b", json!({}))]);
        assert_eq!(one, of(&[("table b", json!({})), ("table a", json!({"owner": "x"}))]));
        assert_ne!(one, of(&[("table a", json!({"owner": "y"})), ("table b", json!({}))]));
        assert_ne!(one, of(&[("table a", json!({"owner": "x"}))]));
        assert_eq!(one.len(), HASH_DIGITS);
    }

    #[test]
    fn no_two_definitions_have_one_hash() {
        let values = [
            json!({}),
            json!({"a": null}),
            json!({"a": ""}),
            json!({"a": []}),
            json!({"a": {}}),
            json!({"a": false}),
            json!({"a": true}),
            json!({"a": "true"}),
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": ["1"]}),
            json!({"a": ["1", ""]}),
            json!({"a": [["1"]]}),
            json!({"a": {"b": 1, "c": 2}}),
            json!({"a": {"b": 1}, "c": 2}),
            json!({"a": "b", "c": "d"}),
            json!({"a": "bcd"}),
            json!({"b": 1}),
            json!({"a": ["b", "c"]}),
            json!({"a": ["bc"]}),
        ];
        let hashes: std::collections::BTreeSet<String> =
            values.iter().map(|value| of(&[("x", value.clone())])["x"].hash.clone()).collect();
        assert_eq!(hashes.len(), values.len());
        assert!(hashes.iter().all(|hash| hash.len() == HASH_DIGITS));
    }

    #[test]
    fn a_hash_is_the_same_in_every_release() {
        // It lies in manifests that are years old.
        let column = json!({"type": "numeric(10,2)", "nullable": true, "grants": ["SELECT to x"], "cost": 1, "o": {"a": null}});
        assert_eq!(of(&[("x", column)])["x"].hash, "648692727688468ceba8bb75c4ac755e");
    }

    #[test]
    fn what_could_not_be_read_is_never_a_pass() {
        let result = |message: &str| {
            let ending = unreadable(&of(&[("view public.v", json!({"unreadable": message}))]));
            ending.into_check("schema", "shop", Instant::now()).result
        };
        assert_eq!(result("cache lookup failed for type 5 (XX000)"), CheckResult::Failed);
        assert_eq!(result("invalid page in block 3 (XX001)"), CheckResult::Failed);
        assert_eq!(result("canceling statement due to lock timeout (55P03)"), CheckResult::Errored);
        assert_eq!(
            unreadable(&of(&[("view public.v", json!({"definition": "x"}))]))
                .into_check("schema", "shop", Instant::now())
                .result,
            CheckResult::Passed
        );
    }
}
