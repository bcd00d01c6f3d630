//! The checksum of PostgreSQL's pages as they lie in files. Little-endian machines, pages of 8 KiB.

/// Bytes of a page.
pub const SIZE: usize = 8192;

/// Where the checksum lies in the header.
const FIELD: std::ops::Range<usize> = 8..10;

const LANES: usize = 32;
const PRIME: u32 = 16_777_619;
/// Where each of the lanes of the checksum begins: part of PostgreSQL's on-disk format.
const BASES: [u32; LANES] = [
    0x5b1f_36e9,
    0xb852_5960,
    0x02ab_50aa,
    0x1de6_6d2a,
    0x79ff_467a,
    0x9bb9_f8a3,
    0x217e_7cd2,
    0x83e1_3d2c,
    0xf8d4_474f,
    0xe39e_b970,
    0x42c6_ae16,
    0x9932_16fa,
    0x7b09_3b5d,
    0x98da_ff3c,
    0xf718_902a,
    0x0b1c_9cdb,
    0xe58f_764b,
    0x1876_36bc,
    0x5d7b_3bb1,
    0xe73d_e7de,
    0x92be_c979,
    0xcca6_c0b2,
    0x304a_0979,
    0x85aa_43d4,
    0x7831_25bb,
    0x6ca8_eaa2,
    0xe407_eac6,
    0x4b5c_fc3e,
    0x9fbf_8c76,
    0x15ca_20be,
    0xf2ca_9fd3,
    0x959b_d756,
];

/// What PostgreSQL expects in the header of this page when it is the block of that number (`pg_checksum_page` in
/// `checksum_impl.h`): a hash in 32 lanes, in which the field of the checksum itself counts as zero.
pub fn checksum(page: &[u8; SIZE], block: u32) -> u16 {
    let round = |sum: u32, value: u32| {
        let mixed = sum ^ value;
        mixed.wrapping_mul(PRIME) ^ (mixed >> 17)
    };
    let mut sums = BASES;
    for (word, at) in (0..SIZE).step_by(4).enumerate() {
        let value = u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
        let value = if at == FIELD.start { value & 0xffff_0000 } else { value };
        sums[word % LANES] = round(sums[word % LANES], value);
    }
    let folded = sums.iter().fold(0, |all, sum| all ^ round(round(*sum, 0), 0));
    // Never zero: that stands for "no checksum". The remainder fits.
    u16::try_from((folded ^ block) % 65535).unwrap_or_default() + 1
}

/// Writes the checksum that fits.
pub fn seal(page: &mut [u8; SIZE], block: u32) {
    let sum = checksum(page, block).to_le_bytes();
    page[FIELD].copy_from_slice(&sum);
}
