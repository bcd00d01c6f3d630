//! The fingerprint's algebra, as the server computes it: rows made by chance, equal in any order and added up over any
//! chunks, and another fingerprint for any bit, any row more and any row less.

use std::fmt::Write as _;

use holdfast_verify::Options;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::server::{Seen, Server, only};

/// Multisets of rows that are tried; each is some tables.
const CASES: usize = 60;

#[derive(Debug, Clone)]
struct Row {
    number: Option<i64>,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    amount: Option<(i64, u8)>,
}

impl Row {
    fn values(&self) -> String {
        let null = || "NULL".to_owned();
        let amount = |(unscaled, scale): (i64, u8)| {
            // Digits after the point are part of a numeric: 1.0 is not 1.00.
            let scale = usize::from(scale);
            let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
            let (whole, part) = digits.split_at(digits.len() - scale);
            let point = if scale == 0 { "" } else { "." };
            format!("'{}{whole}{point}{part}'", if unscaled < 0 { "-" } else { "" })
        };
        format!(
            "({}, {}, {}, {})",
            self.number.map_or_else(null, |number| format!("'{number}'")),
            self.text.as_ref().map_or_else(null, |text| format!("'{}'", text.replace('\'', "''"))),
            self.bytes.as_ref().map_or_else(null, |bytes| format!("'\\x{}'", hex(bytes))),
            self.amount.map_or_else(null, amount),
        )
    }

    /// The same with one bit of one value turned over, or with a value for NULL.
    fn changed(&self, which: u8, bit: u8) -> Row {
        let mut changed = self.clone();
        match which % 4 {
            0 => changed.number = Some(self.number.map_or(0, |number| number ^ (1 << (bit % 64)))),
            1 => {
                // Among printable characters, so that it stays text: the last bit of one of them.
                let mut bytes = self.text.clone().unwrap_or_default().into_bytes();
                let place = usize::from(bit) % bytes.len().max(1);
                match bytes.get_mut(place) {
                    Some(byte) => *byte = if *byte == b'~' { b'}' } else { *byte + 1 },
                    None if self.text.is_some() => bytes.push(b'a'),
                    None => {}
                }
                changed.text = String::from_utf8(bytes).ok();
            }
            2 => {
                let mut bytes = self.bytes.clone().unwrap_or_default();
                match (bytes.is_empty(), self.bytes.is_some()) {
                    (true, true) => bytes.push(0),
                    (true, false) => {}
                    (false, _) => {
                        let place = usize::from(bit) % (bytes.len() * 8);
                        bytes[place / 8] ^= 1 << (place % 8);
                    }
                }
                changed.bytes = Some(bytes);
            }
            _ => {
                let scaled = |(unscaled, scale): (i64, u8)| {
                    // Nothing but the number of digits after the point.
                    if bit.is_multiple_of(2) {
                        (unscaled.wrapping_add(1), scale)
                    } else {
                        (unscaled * 10, scale + 1)
                    }
                };
                changed.amount = Some(self.amount.map_or((0, 0), scaled));
            }
        }
        changed
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn row() -> impl Strategy<Value = Row> {
    let amount = (-1_000_000_000_i64..1_000_000_000, 0_u8..6);
    (
        proptest::option::of(any::<i64>()),
        proptest::option::of("[ -~]{0,12}"),
        proptest::option::of(vec(any::<u8>(), 0..12)),
        proptest::option::of(amount),
    )
        .prop_map(|(number, text, bytes, amount)| Row { number, text, bytes, amount })
}

#[derive(Debug)]
struct Case {
    rows: Vec<Row>,
    other_order: Vec<Row>,
    cut: usize,
    chosen: usize,
    changed: Row,
}

fn case() -> impl Strategy<Value = Case> {
    let chances = (any::<Index>(), any::<Index>(), any::<u8>(), any::<u8>());
    (vec(row(), 1..20), chances).prop_flat_map(|(rows, (cut, chosen, which, bit))| {
        let (cut, chosen) = (cut.index(rows.len() + 1), chosen.index(rows.len()));
        let changed = rows[chosen].changed(which, bit);
        Just(rows.clone()).prop_shuffle().prop_map(move |other_order| Case {
            rows: rows.clone(),
            other_order,
            cut,
            chosen,
            changed: changed.clone(),
        })
    })
}

impl Case {
    /// Its tables: the whole, in another order, two chunks, a bit turned over, a row doubled, a row less.
    fn tables(&self) -> [(&'static str, Vec<Row>); 7] {
        let mut flipped = self.rows.clone();
        flipped[self.chosen] = self.changed.clone();
        let mut doubled = self.rows.clone();
        doubled.push(self.rows[self.chosen].clone());
        let mut fewer = self.other_order.clone();
        fewer.pop();
        let (left, right) = self.rows.split_at(self.cut);
        [
            ("whole", self.rows.clone()),
            ("ordered", self.other_order.clone()),
            ("left", left.to_vec()),
            ("right", right.to_vec()),
            ("flipped", flipped),
            ("doubled", doubled),
            ("fewer", fewer),
        ]
    }
}

/// Both halves of a fingerprint.
fn halves(seen: &Seen, table: &str) -> [u64; 2] {
    let print = seen.fingerprint("algebra", table);
    [0, 16].map(|from| u64::from_str_radix(&print[from..from + 16], 16).unwrap())
}

#[tokio::test]
async fn rows_by_chance_add_up_and_every_change_shows() {
    let mut runner = TestRunner::default();
    let cases: Vec<Case> = (0..CASES).map(|_| case().new_tree(&mut runner).unwrap().current()).collect();
    let server = Server::start().await;
    let mut sql = String::new();
    for (place, case) in cases.iter().enumerate() {
        for (name, rows) in case.tables() {
            let _ = write!(
                sql,
                "CREATE TABLE {name}_{place} (number int8, text text, bytes bytea, amount numeric);"
            );
            if !rows.is_empty() {
                let values: Vec<String> = rows.iter().map(Row::values).collect();
                let _ = write!(sql, "INSERT INTO {name}_{place} VALUES {};", values.join(", "));
            }
        }
    }
    server.database("algebra", &sql).await;
    let seen = server.verify_with(&Options { connections: 2, ..only(&["content"]) }).await;
    seen.all_passed_but(&[]);
    for (place, case) in cases.iter().enumerate() {
        let of = |name: &str| halves(&seen, &format!("public.{name}_{place}"));
        let whole = of("whole");
        assert_eq!(of("ordered"), whole, "another order: {case:?}");
        let (left, right) = (of("left"), of("right"));
        assert_eq!([0, 1].map(|half| left[half].wrapping_add(right[half])), whole, "two chunks: {case:?}");
        for other in ["flipped", "doubled", "fewer"] {
            // Each half alone tells them apart: together they are 128 bits.
            assert!(of(other)[0] != whole[0] && of(other)[1] != whole[1], "{other}: {case:?}");
        }
    }
}
