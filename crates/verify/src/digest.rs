//! A digest of a multiset of rows that nobody can steer: LtHash over SHA-256.
//!
//! The server hashes each row with SHA-256 over an unambiguous encoding of it; here each hash is stretched to 1024
//! numbers of 16 bits with BLAKE3 and added up, lane by lane, modulo 2^16. Addition makes it independent of order and
//! of chunks; with 1024 lanes, finding another multiset with the same sum is as hard as a lattice problem for which no
//! attack below 2^200 is known (Bellare and Micciancio, "A New Paradigm for Collision-free Hashing", EUROCRYPT 1997;
//! Lewi et al., "Securing Update Propagation with Homomorphic Hashing", 2019, which calls this choice `lthash16`).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Numbers of 16 bits in a state.
const LANES: usize = 1024;

/// The sum over some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(Box<[u16; LANES]>);

impl Default for Digest {
    fn default() -> Self {
        Digest(Box::new([0; LANES]))
    }
}

impl Digest {
    /// Adds one row's SHA-256.
    pub(crate) fn add_row(&mut self, row: &[u8]) {
        let mut stretched = [0_u8; LANES * 2];
        blake3::Hasher::new_derive_key("holdfast 2026 lthash16 row")
            .update(row)
            .finalize_xof()
            .fill(&mut stretched);
        for (lane, bytes) in self.0.iter_mut().zip(stretched.as_chunks::<2>().0) {
            *lane = lane.wrapping_add(u16::from_le_bytes(*bytes));
        }
    }

    /// Adds the rows of another.
    pub(crate) fn add(&mut self, other: &Digest) {
        for (lane, more) in self.0.iter_mut().zip(other.0.iter()) {
            *lane = lane.wrapping_add(*more);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }

    /// The digest as it is published: SHA-256 of the state, hexadecimal.
    pub(crate) fn publish(&self) -> String {
        hex::encode(Sha256::digest(self.bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text).map_err(serde::de::Error::custom)?;
        if bytes.len() != LANES * 2 {
            return Err(serde::de::Error::custom(format!(
                "a digest has {} bytes, not {}",
                LANES * 2,
                bytes.len()
            )));
        }
        let mut digest = Digest::default();
        for (lane, bytes) in digest.0.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *lane = u16::from_le_bytes(*bytes);
        }
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn of(rows: &[&[u8]]) -> Digest {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add_row(row));
        digest
    }

    #[test]
    fn order_and_chunks_do_not_matter_and_every_row_counts() {
        let whole = of(&[b"a", b"b", b"b"]);
        assert_eq!(whole, of(&[b"b", b"a", b"b"]));
        let mut parts = of(&[b"b"]);
        parts.add(&of(&[b"b", b"a"]));
        assert_eq!(whole, parts);
        assert_ne!(whole, of(&[b"a", b"b"]));
        assert_ne!(whole.publish(), of(&[b"a", b"b"]).publish());
        // Two equal rows are not none.
        assert_ne!(of(&[b"b", b"b"]), of(&[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_order_and_any_chunks_give_one_digest_and_any_bit_another(
            rows in vec(vec(any::<u8>(), 1..40), 1..12),
            shuffled in any::<u64>(),
            cut in any::<Index>(),
            row in any::<Index>(),
            bit in any::<Index>(),
        ) {
            let of = |rows: &[Vec<u8>]| of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let whole = of(&rows);
            let mut other_order = rows.clone();
            other_order.sort_by_key(|row| blake3::hash(&[&shuffled.to_le_bytes(), row.as_slice()].concat()).to_hex());
            let (left, right) = other_order.split_at(cut.index(rows.len() + 1));
            let (mut sum, mut turned) = (of(left), of(right));
            sum.add(&of(right));
            turned.add(&of(left));
            prop_assert_eq!(&sum, &whole);
            prop_assert_eq!(&turned, &whole);
            let row = row.index(rows.len());
            let mut flipped = rows.clone();
            let bit = bit.index(flipped[row].len() * 8);
            flipped[row][bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(of(&flipped), whole.clone());
            let mut doubled = rows.clone();
            doubled.push(rows[row].clone());
            prop_assert_ne!(of(&doubled), whole.clone());
            let mut fewer = rows.clone();
            fewer.remove(row);
            prop_assert_ne!(of(&fewer), whole);
        }
    }

    #[test]
    fn a_state_survives_being_kept() {
        let digest = of(&[b"a", b"b"]);
        let kept = serde_json::to_value(&digest).unwrap();
        assert_eq!(serde_json::from_value::<Digest>(kept).unwrap(), digest);
        assert!(serde_json::from_value::<Digest>(serde_json::json!("abcd")).is_err());
    }
}
