//! PostgreSQL's pages as they lie in files, changed so that no checksum shows it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use holdfast_local_postgres::page;

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
        page::seal(self.bytes.as_mut_slice().try_into().unwrap(), self.number);
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
