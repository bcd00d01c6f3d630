//! PostgreSQL's pages as they lie in files: checksum, line pointers, and changes that no checksum
//! shows. Little-endian machines, pages of 8 KiB.

/// Bytes of a page.
pub(super) const PAGE: usize = 8192;

const HEADER: usize = 24;
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

/// One page.
pub(super) struct Page(Vec<u8>);

/// A line pointer in use: where it is itself, and where its tuple is.
struct Item {
    pointer: usize,
    at: usize,
    length: usize,
}

impl Page {
    /// A page of zeroes, to be read into.
    pub(super) fn new() -> Self {
        Self(vec![0; PAGE])
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn short(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.0[at], self.0[at + 1]]))
    }

    fn long(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// What PostgreSQL expects in the header of this page when it is the block of that number: a hash
    /// in 32 lanes, in which the field of the checksum itself counts as zero.
    fn checksum(&self, block: u32) -> u16 {
        let round = |sum: u32, value: u32| {
            let mixed = sum ^ value;
            mixed.wrapping_mul(PRIME) ^ (mixed >> 17)
        };
        let mut sums = BASES;
        for (word, at) in (0..PAGE).step_by(4).enumerate() {
            let value = if at == 8 { self.long(at) & 0xffff_0000 } else { self.long(at) };
            sums[word % LANES] = round(sums[word % LANES], value);
        }
        let folded = sums.iter().fold(0, |all, sum| all ^ round(round(*sum, 0), 0));
        // Never zero: that stands for "no checksum". The remainder fits.
        u16::try_from((folded ^ block) % 65535).unwrap_or_default() + 1
    }

    /// Writes the checksum that fits.
    pub(super) fn seal(&mut self, block: u32) {
        let sum = self.checksum(block).to_le_bytes();
        self.0[8..10].copy_from_slice(&sum);
    }

    /// Whether it was ever written to.
    pub(super) fn is_used(&self) -> bool {
        self.short(14) != 0
    }

    /// Line pointers in use, from the `skip`th on.
    fn items(&self, skip: usize) -> Vec<Item> {
        let end = self.short(12).min(PAGE);
        let pointers = (HEADER..end).step_by(4).skip(skip);
        let item = |pointer| {
            let (word, normal) = (self.long(pointer), 1);
            let (at, length) = ((word & 0x7fff) as usize, (word >> 17) as usize);
            let fits = (word >> 15) & 3 == normal && at >= end && length > 0 && at + length <= PAGE;
            fits.then_some(Item { pointer, at, length })
        };
        pointers.filter_map(item).collect()
    }

    /// Whether it is a leaf of a btree, in use. Its last 16 bytes are the links to its neighbours,
    /// its level and its flags.
    pub(super) fn is_leaf(&self) -> bool {
        let (leaf, deleted, meta, half_dead) = (1, 4, 8, 16);
        let flags = self.short(PAGE - 4);
        self.is_used()
            && self.short(16) == PAGE - 16
            && flags & (leaf | deleted | meta | half_dead) == leaf
            && self.long(PAGE - 8) == 0
    }

    /// Bytes in its middle and near its end change: tuples or free space, under the checksum either way.
    pub(super) fn flip(&mut self) -> bool {
        for at in [PAGE / 2, PAGE - 64] {
            self.0[at..at + 16].iter_mut().for_each(|byte| *byte ^= 0xa5);
        }
        self.is_used()
    }

    /// The order of a leaf's keys is wrong: its first and its last line pointer change places.
    /// What is left of the page is whole, so nothing but a look at the order sees it.
    pub(super) fn disorder(&mut self) -> bool {
        // The first one is a bound, not a key, unless there is no page to the right.
        let bound = usize::from(self.long(PAGE - 12) != 0);
        let items = self.items(bound);
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return false };
        if first.pointer == last.pointer {
            return false;
        }
        for byte in 0..4 {
            self.0.swap(first.pointer + byte, last.pointer + byte);
        }
        true
    }

    /// One bit in the last byte of a row: another value, in a page that is whole.
    pub(super) fn change_row(&mut self) -> bool {
        let items = self.items(0);
        let Some(item) = items.iter().find(|item| self.is_changeable_row(item)) else { return false };
        self.0[item.at + item.length - 1] ^= 1;
        true
    }

    /// A row that is there (not deleted, not rolled back), and whose last byte is no empty text:
    /// that byte would be a length.
    fn is_changeable_row(&self, item: &Item) -> bool {
        let fixed = 23;
        if item.length <= fixed || item.length <= usize::from(self.0[item.at + 22]) {
            return false;
        }
        let (flags, empty_text) = (self.short(item.at + 20), 3);
        let deleted = self.long(item.at + 4) != 0 && flags & 0x0800 == 0;
        let rolled_back = flags & 0x0300 == 0x0200;
        !deleted && !rolled_back && self.0[item.at + item.length - 1] != empty_text
    }
}

#[cfg(test)]
mod tests {
    use holdfast_local_postgres::{Binaries, CertificateAuthority, Cluster, ClusterOptions};

    use super::*;

    /// The pages of these files of a new cluster, each with its number.
    async fn real(files: &[&str]) -> Vec<(u32, Page)> {
        let directory = tempfile::tempdir().unwrap();
        let options = ClusterOptions::new(directory.path().join("data"));
        let binaries = Binaries::find().await.unwrap();
        Cluster::create(binaries, CertificateAuthority::new().unwrap(), options).await.unwrap();
        let pages = files.iter().flat_map(|file| {
            let bytes = std::fs::read(directory.path().join("data").join(file)).unwrap();
            let pages: Vec<_> = bytes.chunks(PAGE).map(|page| Page(page.to_vec())).collect();
            (0..).zip(pages)
        });
        pages.collect()
    }

    fn fits(page: &Page, block: u32) -> bool {
        usize::from(page.checksum(block)) == page.short(8)
    }

    /// `pg_proc` and its index on names have the same file names in every major.
    #[tokio::test]
    async fn real_pages_are_read_changed_and_sealed_again() {
        let (mut rows, mut leaves) = (0, 0);
        for (block, mut page) in real(&["base/1/1255", "base/1/2691"]).await {
            assert!(page.is_used() && fits(&page, block) && !fits(&page, block + 1), "block {block}");
            let before = page.0.clone();
            let (changed, most) = if page.is_leaf() {
                leaves += 1;
                (page.disorder(), 8)
            } else if page.short(16) == PAGE {
                rows += 1;
                (page.change_row(), 1)
            } else {
                continue;
            };
            assert!(changed && !fits(&page, block), "block {block}");
            page.seal(block);
            assert!(fits(&page, block));
            let differing = (0..PAGE).filter(|at| page.0[*at] != before[*at] && !(8..10).contains(at));
            assert!((1..=most).contains(&differing.count()), "and nothing else, block {block}");
        }
        assert!(rows > 10 && leaves > 5, "{rows} pages of rows, {leaves} leaves");
    }

    #[test]
    fn what_is_no_page_is_left_alone() {
        let mut zeroes = Page::new();
        assert!(!zeroes.is_used() && !zeroes.is_leaf() && !zeroes.disorder() && !zeroes.change_row());
    }
}
