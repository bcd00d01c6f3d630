//! Files of data directories: ownership, copies, private files.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::user::ServerUser;

/// Copies a directory tree, keeping modes; uses reflinks where the file system has them
/// (`std::fs::copy` asks the kernel). `skip` is asked with the path below `from`; what vanishes
/// meanwhile is left out. Blocking: call it from `spawn_blocking`.
pub fn copy_tree(from: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    copy_below(from, to, Path::new(""), skip)
}

fn copy_below(root: &Path, target: &Path, below: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let source = root.join(below);
    let destination = target.join(below);
    // Below the top only one level is made: a target that is removed meanwhile stays removed.
    if below.as_os_str().is_empty() {
        fs::create_dir_all(&destination)?;
    } else {
        fs::create_dir(&destination)?;
    }
    fs::set_permissions(&destination, fs::metadata(&source)?.permissions())?;
    for entry in fs::read_dir(&source)? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if skip(&path) {
            continue;
        }
        let done = match entry.file_type()? {
            kind if kind.is_dir() => copy_below(root, target, &path, skip),
            kind if kind.is_symlink() => fs::read_link(entry.path())
                .and_then(|link| std::os::unix::fs::symlink(link, target.join(&path))),
            _ => fs::copy(entry.path(), target.join(&path)).map(drop),
        };
        match done {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

/// Gives a tree to the server's user, when that is not this process's own.
pub(crate) fn give(path: &Path, user: &ServerUser) -> io::Result<()> {
    let Some((uid, gid)) = user.owner() else {
        return Ok(());
    };
    std::os::unix::fs::lchown(path, Some(uid.as_raw()), Some(gid.as_raw()))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// Writes a file that only the server's user can read.
pub(crate) fn write_private(path: &Path, content: &str, user: &ServerUser) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())?;
    give(path, user)
}

/// Makes the data directory itself acceptable to the server (mode 0700).
pub(crate) fn make_private_directory(path: &Path, user: &ServerUser) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    give(path, user)
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(path: &Path) -> String {
    let Ok(bytes) = fs::read(path) else {
        return String::from("(no log)");
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join(" | ")
}
