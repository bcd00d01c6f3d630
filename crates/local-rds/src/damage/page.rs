//! PostgreSQL's pages as they lie in files: line pointers, and changes that no checksum
//! shows. Little-endian machines, pages of 8 KiB.

use holdfast_local_postgres::page;

/// Bytes of a page.
pub(super) const PAGE: usize = page::SIZE;

const HEADER: usize = 24;

/// One page.
pub(super) struct Page(Box<[u8; PAGE]>);

/// A line pointer in use: where it is itself, and where its tuple is.
struct Item {
    pointer: usize,
    at: usize,
    length: usize,
}

impl Page {
    /// A page of zeroes, to be read into.
    pub(super) fn new() -> Self {
        Self(Box::new([0; PAGE]))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0[..]
    }

    fn short(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.0[at], self.0[at + 1]]))
    }

    fn long(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// Writes the checksum that fits.
    pub(super) fn seal(&mut self, block: u32) {
        page::seal(&mut self.0, block);
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
            let pages: Vec<_> =
                bytes.chunks(PAGE).map(|page| Page(Box::new(page.try_into().unwrap()))).collect();
            (0..).zip(pages)
        });
        pages.collect()
    }

    fn fits(page: &Page, block: u32) -> bool {
        usize::from(page::checksum(&page.0, block)) == page.short(8)
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
