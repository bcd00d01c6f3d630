//! Damage to pages where they lie: in the first file of a relation whose server is stopped.

use std::fs::{File, OpenOptions};
use std::io::{Error, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::order::DamageKind;
use super::page::{PAGE, Page};
use crate::engine::EngineError;

/// Changes pages a quarter, half and three quarters into the file, or the next ones after those
/// places that suit. Says which.
pub(super) fn flip(path: &Path, kind: DamageKind, keep_checksum: bool) -> Result<String, EngineError> {
    let spoil = |page: &mut Page| match (kind == DamageKind::FlipIndexBytes, keep_checksum) {
        (true, true) => page.is_leaf() && page.disorder(),
        (true, false) => page.is_leaf() && page.flip(),
        (false, true) => page.change_row(),
        (false, false) => page.flip(),
    };
    let changed = change(path, |file, length| {
        let pages = u32::try_from(length / PAGE as u64).map_err(Error::other)?;
        let mut changed = Vec::new();
        for start in [1, 2, 3].map(|quarter| pages * quarter / 4) {
            for block in (start..pages).chain(0..start) {
                let mut page = read(file, block)?;
                if changed.contains(&block) || !spoil(&mut page) {
                    continue;
                }
                if keep_checksum {
                    page.seal(block);
                }
                write(file, block, &page)?;
                changed.push(block);
                break;
            }
        }
        changed.sort_unstable();
        Ok(changed)
    })?;
    if changed.is_empty() {
        return Err(EngineError::Refused("it has no page that could be damaged".to_owned()));
    }
    let seen = if keep_checksum { "which fit their checksums" } else { "under their checksums" };
    Ok(format!("pages {changed:?}, {seen}"))
}

/// The second half of the file is gone.
pub(super) fn truncate(path: &Path) -> Result<String, EngineError> {
    change(path, |file, length| {
        let (page, pages) = (PAGE as u64, length / PAGE as u64);
        file.set_len(pages / 2 * page)?;
        Ok(format!("{} of {pages} pages are left", pages / 2))
    })
}

/// The first bytes of the file are garbage.
pub(super) fn garble(path: &Path) -> Result<(), EngineError> {
    change(path, |file, length| {
        let mut bytes = vec![0; 512.min(usize::try_from(length).map_err(Error::other)?)];
        file.read_exact(&mut bytes)?;
        bytes.iter_mut().for_each(|byte| *byte ^= 0xa5);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)
    })
}

fn change<T>(path: &Path, act: impl FnOnce(&mut File, u64) -> std::io::Result<T>) -> Result<T, EngineError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened
        .and_then(|mut file| {
            let length = file.metadata()?.len();
            act(&mut file, length)
        })
        .map_err(|cause| EngineError::Files { what: "damage a file", cause })
}

fn read(file: &mut File, block: u32) -> std::io::Result<Page> {
    let mut page = Page::new();
    file.seek(SeekFrom::Start(u64::from(block) * PAGE as u64))?;
    file.read_exact(page.bytes_mut())?;
    Ok(page)
}

fn write(file: &mut File, block: u32, page: &Page) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(u64::from(block) * PAGE as u64))?;
    file.write_all(page.bytes())
}
