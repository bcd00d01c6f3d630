//! PostgreSQL's pages as they lie in files, changed so that no checksum shows it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::server::PAGE;

const SIZE: usize = PAGE as usize;

/// Flags of a B-tree page (`nbtree.h`).
const LEAF: u16 = 1;
const ROOT: u16 = 2;
const NO_TUPLES: u16 = 4 + 8 + 16;

/// One page of a file.
pub struct Page {
    file: PathBuf,
    pub number: u32,
    pub bytes: Vec<u8>,
}

impl Page {
    pub fn read(file: &Path, number: u32) -> Page {
        let mut bytes = vec![0; SIZE];
        std::fs::File::open(file).unwrap().read_exact_at(&mut bytes, u64::from(number) * PAGE).unwrap();
        Page { file: file.into(), number, bytes }
    }

    /// All pages of a file.
    pub fn all(file: &Path) -> Vec<Page> {
        let pages = std::fs::metadata(file).unwrap().len() / PAGE;
        (0..u32::try_from(pages).unwrap()).map(|number| Page::read(file, number)).collect()
    }

    /// Written back as it is.
    pub fn write(&self) {
        let file = std::fs::File::options().write(true).open(&self.file).unwrap();
        file.write_all_at(&self.bytes, u64::from(self.number) * PAGE).unwrap();
    }

    /// Written back with the checksum that fits.
    pub fn seal(mut self) {
        let sum = checksum(&self.bytes, self.number).to_le_bytes();
        self.bytes[8..10].copy_from_slice(&sum);
        self.write();
    }

    pub fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    pub fn long(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    fn flags(&self) -> u16 {
        self.short(SIZE - 4)
    }

    /// A B-tree's leaf with neighbours on both sides.
    pub fn is_middle_leaf(&self) -> bool {
        self.flags() & (LEAF | NO_TUPLES) == LEAF && self.has_neighbours()
    }

    /// A B-tree's page between root and leaves, not the first of its level.
    pub fn is_inner(&self) -> bool {
        self.flags() & (LEAF | ROOT | NO_TUPLES) == 0 && self.short(14) != 0 && self.long(SIZE - 16) != 0
    }

    fn has_neighbours(&self) -> bool {
        self.long(SIZE - 16) != 0 && self.long(SIZE - 12) != 0
    }

    /// Where the tuple of each line pointer in use begins.
    pub fn tuples(&self) -> Vec<usize> {
        let words = (24..usize::from(self.short(12))).step_by(4).map(|at| self.long(at));
        words.filter(|word| (word >> 15) & 3 == 1).map(|word| (word & 0x7fff) as usize).collect()
    }

    /// Changes places of two line pointers, counted from 0.
    pub fn swap_pointers(&mut self, one: usize, other: usize) {
        (0..4).for_each(|byte| self.bytes.swap(24 + 4 * one + byte, 24 + 4 * other + byte));
    }
}

/// `pg_checksum_page` of PostgreSQL (`checksum_impl.h`).
fn checksum(page: &[u8], number: u32) -> u16 {
    const BASES: [u32; 32] = [
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
    let round = |sum: u32, value: u32| {
        let mixed = sum ^ value;
        mixed.wrapping_mul(16_777_619) ^ (mixed >> 17)
    };
    let mut sums = BASES;
    for (place, word) in page.chunks_exact(4).enumerate() {
        let mut value = u32::from_le_bytes(word.try_into().unwrap());
        if place == 2 {
            value &= 0xffff_0000;
        }
        sums[place % 32] = round(sums[place % 32], value);
    }
    let folded = sums.iter().fold(0, |all, sum| all ^ round(round(*sum, 0), 0));
    u16::try_from((folded ^ number) % 65535).unwrap() + 1
}
