//! How a row becomes numbers: exactly, by the server, and the same on every major version from 12 on.
//!
//! Every column has a *method*, by its type alone, so that two manifests always compare:
//!
//! | method | types | what is hashed |
//! | --- | --- | --- |
//! | `value` | `bool int2 int4 int8 oid text varchar uuid` | the value itself, by the server's hash function for the type |
//! | `send` | other types of PostgreSQL's own, arrays and ranges of them | its binary form (`typsend`) |
//! | `text` | enums, composites, types of extensions, whatever is made of them | its text form (`typoutput`) |
//!
//! The hash functions are those of hash partitioning: stable from version to version because partitioned tables
//! depend on it, 64 bits, seeded. Where one of them calls different values equal, it is not used as it is: `int8` is
//! folded to 32 bits by its hash function, so the upper half goes in once more; `1.0` and `1.00`, `-0` and `0`, `1 mon`
//! and `30 days`, `'a'` and `'a '` as `bpchar` hash alike, so their binary forms are hashed; enums hash by OID, which
//! differs between restores, so their text is. A collation takes no part: text is hashed by its bytes.
//!
//! A row has two hashes H1 and H2 of 64 bits: the XOR of its columns' hashes, each under two seeds derived from the
//! column's name, so no order of columns matters and values that change places are seen. `send` and `text` columns go
//! in together, as one array in the order of their names. Each H is then mixed once more (`hashint4extended`), because
//! without that step the sum over rows would be a sum over columns, and a value that moves from one row to another
//! would go unseen. The fingerprint is the sum of both over all rows, each modulo 2^64: it adds up over chunks in any
//! order, and equal rows do not cancel out.
//!
//! This is proof against accidents. Against a person who chooses the data there is [`crate::digest`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Types whose own hash function tells all values apart, with that function and with their `typsend`.
const VALUE: [(&str, &str, &str); 8] = [
    ("bool", "hashint4extended({}::int4, {s})", "boolsend"),
    ("int2", "hashint2extended({}, {s})", "int2send"),
    ("int4", "hashint4extended({}, {s})", "int4send"),
    ("int8", "hashint4extended(({} >> 32)::int4, hashint8extended({}, {s}))", "int8send"),
    ("oid", "hashoidextended({}, {s})", "oidsend"),
    ("text", "hashtextextended({} COLLATE \"C\", {s})", "textsend"),
    ("varchar", "hashtextextended({} COLLATE \"C\", {s})", "textsend"),
    ("uuid", "uuid_hash_extended({}, {s})", "uuid_send"),
];

/// PostgreSQL's own types whose binary form says everything, with their `typsend`. Binary forms are the wire protocol:
/// they do not change between versions (PostgreSQL, "Binary Format" of COPY).
const SEND: [(&str, &str); 31] = [
    ("bit", "bit_send"),
    ("box", "box_send"),
    ("bpchar", "bpcharsend"),
    ("bytea", ""),
    ("char", "charsend"),
    ("cidr", "cidr_send"),
    ("circle", "circle_send"),
    ("date", "date_send"),
    ("float4", "float4send"),
    ("float8", "float8send"),
    ("inet", "inet_send"),
    ("interval", "interval_send"),
    ("json", "json_send"),
    ("jsonb", "jsonb_send"),
    ("line", "line_send"),
    ("lseg", "lseg_send"),
    ("macaddr", "macaddr_send"),
    ("macaddr8", "macaddr8_send"),
    ("money", "cash_send"),
    ("name", "namesend"),
    ("numeric", "numeric_send"),
    ("path", "path_send"),
    ("pg_lsn", "pg_lsn_send"),
    ("point", "point_send"),
    ("polygon", "poly_send"),
    ("time", "time_send"),
    ("timestamp", "timestamp_send"),
    ("timestamptz", "timestamptz_send"),
    ("timetz", "timetz_send"),
    ("tsvector", "tsvectorsend"),
    ("varbit", "varbit_send"),
];

/// Ranges whose bounds are of such types.
const RANGES: [&str; 6] = ["int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"];
/// The same with several parts (since PostgreSQL 14).
const MULTIRANGES: [&str; 6] =
    ["int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange"];

/// A column as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Its name, not quoted.
    pub name: String,
    /// The name of its type; of the type under it where it is a domain.
    pub type_name: String,
    /// Whether that type is PostgreSQL's own.
    pub built_in: bool,
    /// For an array, the name of its elements' type when that is PostgreSQL's own, else empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// Whether its values may lie in TOAST.
    #[serde(default)]
    pub toastable: bool,
}

/// How a column is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// By the type's hash function: its template.
    Value(&'static str, &'static str),
    /// By its binary form: the function, empty for bytes.
    Send(&'static str),
    /// By its text form.
    Text,
}

impl Method {
    pub(crate) fn of(column: &Column) -> Method {
        if !column.built_in {
            return Method::Text;
        }
        let name = column.type_name.as_str();
        if let Some((_, hash, send)) = VALUE.iter().find(|(known, ..)| *known == name) {
            return Method::Value(hash, send);
        }
        if let Some((_, send)) = SEND.iter().find(|(known, _)| *known == name) {
            return Method::Send(send);
        }
        if RANGES.contains(&name) {
            return Method::Send("range_send");
        }
        if MULTIRANGES.contains(&name) {
            return Method::Send("multirange_send");
        }
        let of_plain = |element: &String| {
            VALUE.iter().any(|(known, ..)| known == element) || SEND.iter().any(|(known, _)| known == element)
        };
        // int2vector and oidvector have elements and are no arrays.
        if name.starts_with('_') && column.element.as_ref().is_some_and(of_plain) {
            return Method::Send("array_send");
        }
        Method::Text
    }

    fn word(self) -> &'static str {
        match self {
            Method::Value(..) => "value",
            Method::Send(_) => "send",
            Method::Text => "text",
        }
    }
}

/// Column to `type: method`, for the manifest.
pub(crate) fn methods(columns: &[Column]) -> BTreeMap<String, String> {
    columns
        .iter()
        .map(|column| (column.name.clone(), format!("{}: {}", column.type_name, Method::of(column).word())))
        .collect()
}

/// An identifier, always quoted.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Seeds and the stand-ins for NULL of one column: from its name, for both halves.
struct Seeds {
    seeds: [i64; 2],
    nulls: [i64; 2],
}

impl Seeds {
    fn of(name: &str) -> Seeds {
        let mut hasher = Sha256::new();
        hasher.update(crate::ALGORITHM);
        hasher.update([0]);
        hasher.update(name);
        let bytes = hasher.finalize();
        let number = |place: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[place * 8..place * 8 + 8]);
            i64::from_le_bytes(eight)
        };
        Seeds { seeds: [number(0), number(1)], nulls: [number(2), number(3)] }
    }
}

/// A number as SQL takes it everywhere: `'-5'::int8`.
fn literal(number: i64) -> String {
    format!("'{number}'::int8")
}

/// The binary or text form of a column as `bytea`, NULL for NULL.
fn image(method: Method, reference: &str) -> String {
    match method {
        Method::Value(_, send) => format!("{send}({reference})"),
        Method::Send("") => reference.to_owned(),
        Method::Send(send) => format!("{send}({reference})"),
        // Not a cast: a type may have a cast to text of its own that loses something. And a composite of NULLs IS NULL.
        Method::Text => {
            format!(
                "CASE WHEN {reference} IS DISTINCT FROM NULL THEN textsend(format('%s', {reference})) END"
            )
        }
    }
}

fn by_name(columns: &[Column]) -> Vec<&Column> {
    let mut sorted: Vec<&Column> = columns.iter().collect();
    sorted.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
    sorted
}

/// A statement that counts and sums up the rows of `from` (a FROM item whose alias is `t`), two sums as text.
///
/// `toasted` says that some values lie outside of the table's own pages: they are fetched once, not once per half.
pub(crate) fn sums(columns: &[Column], from: &str, condition: &str, toasted: bool) -> String {
    let mut halves = [Vec::new(), Vec::new()];
    let mut fenced = Vec::new();
    let mut images = Vec::new();
    for column in by_name(columns) {
        let reference = format!("t.{}", quoted(&column.name));
        let Method::Value(template, _) = Method::of(column) else {
            images.push(image(Method::of(column), &reference));
            continue;
        };
        let alias = format!("s.c{}", fenced.len());
        let whole = toasted && column.toastable && template.starts_with("hashtext");
        fenced.push(format!("{reference}{} AS c{}", if whole { " || ''" } else { "" }, fenced.len()));
        let seeds = Seeds::of(&column.name);
        for (half, terms) in halves.iter_mut().enumerate() {
            let hash = template.replace("{s}", &literal(seeds.seeds[half])).replace("{}", &alias);
            terms.push(format!("coalesce({hash}, {})", literal(seeds.nulls[half])));
        }
    }
    if !images.is_empty() {
        fenced.push(format!("ARRAY[{}]::bytea[] AS images", images.join(", ")));
        // No column is called that: the seeds of columns are those of names alone.
        let seeds = Seeds::of("\0images");
        for (half, terms) in halves.iter_mut().enumerate() {
            terms.push(format!("hash_array_extended(s.images, {})", literal(seeds.seeds[half])));
        }
    }
    let mixed = halves.map(|terms| if terms.is_empty() { literal(0) } else { terms.join(" # ") });
    // OFFSET 0 keeps the planner from putting every image into the statement twice.
    let mut sql = format!(
        "SELECT count(*), sum(hashint4extended(1, {}))::text, sum(hashint4extended(2, {}))::text FROM (SELECT ",
        mixed[0], mixed[1]
    );
    let _ = write!(sql, "{} FROM {from} WHERE {condition} OFFSET 0) AS s", fenced.join(", "));
    sql
}

/// A statement that gives the SHA-256 of every row, for [`crate::digest`].
pub(crate) fn row_digests(columns: &[Column], from: &str, condition: &str) -> String {
    let images: Vec<String> = by_name(columns)
        .into_iter()
        .map(|column| image(Method::of(column), &format!("t.{}", quoted(&column.name))))
        .collect();
    // The binary form of an array carries the length of every element, so no two rows look the same.
    format!("SELECT sha256(array_send(ARRAY[{}]::bytea[])) FROM {from} WHERE {condition}", images.join(", "))
}

/// A sum as PostgreSQL prints it, modulo 2^64; no sum is that of no rows.
pub(crate) fn modulo(sum: Option<&str>) -> Option<u64> {
    let sum: i128 = sum.unwrap_or("0").parse().ok()?;
    u64::try_from(sum.rem_euclid(1 << 64)).ok()
}

/// Both halves as they are published.
pub(crate) fn publish(sums: [u64; 2]) -> String {
    format!("{:016x}{:016x}", sums[0], sums[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, type_name: &str) -> Column {
        Column {
            name: name.into(),
            type_name: type_name.into(),
            built_in: true,
            element: None,
            toastable: type_name == "text",
        }
    }

    #[test]
    fn a_sum_wraps_at_sixty_four_bits() {
        assert_eq!(modulo(None), Some(0));
        assert_eq!(modulo(Some("-1")), Some(u64::MAX));
        assert_eq!(modulo(Some(&(i128::from(u64::MAX) + 6).to_string())), Some(5));
        assert_eq!(modulo(Some("many")), None);
        assert_eq!(publish([1, u64::MAX]), format!("{:016x}{}", 1, "f".repeat(16)));
    }

    #[test]
    fn the_order_of_columns_does_not_matter_and_their_names_do() {
        let (a, b, c) = (column("a", "int4"), column("b", "jsonb"), column("c", "text"));
        let of = |columns: &[Column]| sums(columns, "ONLY public.t AS t", "true", false);
        assert_eq!(of(&[a.clone(), b.clone(), c.clone()]), of(&[c.clone(), b.clone(), a.clone()]));
        assert_ne!(of(&[a]), of(&[column("d", "int4")]));
    }

    #[test]
    fn a_method_follows_the_type() {
        assert_eq!(Method::of(&column("a", "int8")).word(), "value");
        assert_eq!(Method::of(&column("a", "numeric")).word(), "send");
        assert_eq!(Method::of(&column("a", "xml")).word(), "text");
        let array =
            |element: &str| Column { element: Some(element.into()), ..column("a", &format!("_{element}")) };
        assert_eq!(Method::of(&array("numeric")).word(), "send");
        assert_eq!(Method::of(&array("xml")).word(), "text");
        let foreign = Column { built_in: false, ..column("a", "text") };
        assert_eq!(Method::of(&foreign).word(), "text");
        assert_eq!(methods(&[column("a", "jsonb")])["a"], "jsonb: send");
    }

    #[test]
    fn names_are_always_quoted() {
        let sql = sums(&[column("we\"ird; drop", "int4")], "ONLY t AS t", "true", false);
        assert!(sql.contains("t.\"we\"\"ird; drop\""), "{sql}");
    }
}
