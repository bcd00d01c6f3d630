//! Reads the catalog, kind by kind; where a kind cannot be read whole, around what is broken.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_postgres::Row;

use super::sql::{KINDS, Kind};
use super::{Objects, UNREADABLE, object};
use crate::session::{Session, Trouble};

/// With more objects that cannot be read than this, the catalog as a whole cannot be.
const UNREADABLE_MOST: usize = 50;

const MAJOR: &str = "SELECT current_setting('server_version_num')::int4 / 10000";

/// Reads the catalog. An object that cannot be read is there as such (see [`super::unreadable`]).
pub(crate) async fn read(session: &mut Session<'_>) -> Result<Objects, Trouble> {
    let major = session.query_one(MAJOR).await?.get::<_, i32>(0).unsigned_abs();
    let mut reading = Reading { session, objects: Objects::new(), unreadable: 0 };
    for kind in KINDS {
        if let Some(sql) = kind.sql(major) {
            reading.kind(kind, &format!("FROM ({sql}) AS o(key, identity, definition)")).await?;
        }
    }
    Ok(reading.objects)
}

struct Reading<'a, 'b> {
    session: &'a mut Session<'b>,
    objects: Objects,
    unreadable: usize,
}

impl Reading<'_, '_> {
    /// All objects of a kind: at once, and only if that fails in halves, down to what cannot be read.
    ///
    /// The subquery is no fence to the planner: what is not selected or not asked for is not computed.
    async fn kind(&mut self, kind: Kind, from: &str) -> Result<(), Trouble> {
        match self.definitions(from, "true").await {
            Err(trouble) if stops(&trouble) => return Err(trouble),
            Err(trouble) => {
                tracing::warn!(kind = kind.name, trouble = trouble.message(), "reading around what is broken")
            }
            Ok(_) => return Ok(()),
        }
        let rows = self.session.query(&format!("SELECT DISTINCT o.key::oid::int8 {from} ORDER BY 1")).await?;
        let keys: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let mut ranges = vec![keys.as_slice()];
        while let Some(range) = ranges.pop() {
            let [first, .., last] = range else {
                if let [key] = range {
                    self.one(kind, from, &format!("o.key = {key}::oid")).await?;
                }
                continue;
            };
            match self.definitions(from, &format!("o.key BETWEEN {first}::oid AND {last}::oid")).await {
                Ok(_) => {}
                Err(trouble) if stops(&trouble) => return Err(trouble),
                Err(_) => ranges.extend(<[_; 2]>::from(range.split_at(range.len() / 2))),
            }
        }
        Ok(())
    }

    /// What has one key: an object, or the columns of one table.
    async fn one(&mut self, kind: Kind, from: &str, condition: &str) -> Result<(), Trouble> {
        let trouble = match self.definitions(from, condition).await {
            Ok(_) => return Ok(()),
            Err(trouble) if stops(&trouble) => return Err(trouble),
            Err(trouble) => trouble,
        };
        let sql = format!("SELECT {} {from} WHERE {condition}", bytes("o.identity"));
        let identities: Vec<String> = match self.session.query(&sql).await {
            Ok(rows) => rows.iter().map(|row| text(row, 0)).collect(),
            Err(trouble) if stops(&trouble) => return Err(trouble),
            Err(_) => {
                return self.broken(format!("{} ({condition})", kind.name).replace("o.key", "OID"), &trouble);
            }
        };
        for identity in identities {
            let of_one = format!("{condition} AND o.identity = '{}'", identity.replace('\'', "''"));
            match self.definitions(from, &of_one).await {
                Ok(1..) => {}
                // It is asked for by a name that is spelled out, and so is no name.
                Ok(0) => self.broken(identity, &trouble)?,
                Err(trouble) if stops(&trouble) => return Err(trouble),
                Err(trouble) => self.broken(identity, &trouble)?,
            }
        }
        Ok(())
    }

    /// Reads those that meet the condition, and says how many there are.
    async fn definitions(&mut self, from: &str, condition: &str) -> Result<usize, Trouble> {
        let definition = bytes("json_strip_nulls(o.definition)");
        let sql = format!("SELECT {}, {definition} {from} WHERE {condition}", bytes("o.identity"));
        let rows = self.session.query(&sql).await?;
        let count = rows.len();
        for row in rows {
            let (identity, definition) = (text(&row, 0), text(&row, 1));
            let definition: BTreeMap<String, Value> = serde_json::from_str(&definition).map_err(|error| {
                Trouble::Other(format!("the server's JSON of {identity} is none: {error}"))
            })?;
            self.objects.insert(identity, object(definition));
        }
        Ok(count)
    }

    fn broken(&mut self, identity: String, trouble: &Trouble) -> Result<(), Trouble> {
        self.unreadable += 1;
        if self.unreadable > UNREADABLE_MOST {
            return Err(trouble.clone());
        }
        let definition = BTreeMap::from([(UNREADABLE.to_owned(), Value::String(trouble.message()))]);
        self.objects.insert(identity, object(definition));
        Ok(())
    }
}

/// Whether it says nothing of the object that was asked for, so that asking for less is of no use.
fn stops(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Lost(_) | Trouble::Budget => true,
        Trouble::Damaged(_)
        | Trouble::Missing(_)
        | Trouble::Interrupted(_)
        | Trouble::TooSlow(_)
        | Trouble::Other(_) => false,
    }
}

/// A text as bytes, in UTF-8; those of a database in SQL_ASCII may be anything, and no conversion takes them.
fn bytes(expression: &str) -> String {
    let encoding = "CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END";
    format!("convert_to({expression}::text, {encoding})")
}

/// These bytes; what is not UTF-8 is spelled out.
fn text(row: &Row, column: usize) -> String {
    let bytes: &[u8] = row.get(column);
    spelled_out(bytes)
}

fn spelled_out(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\u{fffd}{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_stay_apart() {
        assert_eq!(spelled_out("größe".as_bytes()), "größe");
        assert_eq!(spelled_out(b"gr\xf6\xdfe"), "gr\u{fffd}f6\u{fffd}dfe");
        assert_ne!(spelled_out(b"\xf6"), spelled_out(b"\xf7"));
    }
}
