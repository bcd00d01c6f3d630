//! The schema of one database as hashes: one per object, one over all.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::catalog_sql::QUERIES;
use crate::session::{Session, Trouble};

/// Hexadecimal digits kept of SHA-256: 128 bits.
const HASH_DIGITS: usize = 32;

/// Objects by identity, each with the hash of its definition.
pub(crate) type Objects = BTreeMap<String, String>;

/// Reads the catalog. Definitions are hashed on the server: only hashes travel.
pub(crate) async fn read(session: &mut Session<'_>) -> Result<Objects, Trouble> {
    let mut objects = Objects::new();
    for query in QUERIES {
        let sql = format!(
            "SELECT o.identity,
                    left(encode(sha256(convert_to(o.definition::text, getdatabaseencoding())), 'hex'), {HASH_DIGITS})
             FROM ({query}) AS o(identity, definition)"
        );
        for row in session.query(&sql).await? {
            objects.insert(row.get(0), row.get(1));
        }
    }
    Ok(objects)
}

/// One hash over all objects.
pub(crate) fn hash(objects: &Objects) -> String {
    let mut hasher = Sha256::new();
    for (identity, definition) in objects {
        hasher.update(identity.as_bytes());
        hasher.update([0]);
        hasher.update(definition.as_bytes());
        hasher.update([0]);
    }
    let mut text = hex::encode(hasher.finalize());
    text.truncate(HASH_DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_names_and_definitions() {
        let of = |pairs: &[(&str, &str)]| {
            hash(&pairs.iter().map(|(name, def)| (name.to_string(), def.to_string())).collect())
        };
        let one = of(&[("table a", "1"), ("table b", "2")]);
        assert_eq!(one, of(&[("table b", "2"), ("table a", "1")]));
        assert_ne!(one, of(&[("table a", "1"), ("table b", "3")]));
        assert_ne!(one, of(&[("table a", "1")]));
        assert_eq!(one.len(), HASH_DIGITS);
    }
}
