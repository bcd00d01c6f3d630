//! Function binaries into deployment packages: one `bootstrap` each, as `sam build` makes them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Error, Result, project};

/// A package, named after its content.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its object key: the function, and the start of its binary's SHA-256.
    pub key: String,
    /// The zip.
    pub path: PathBuf,
}

/// Packages of the functions with these binaries, by binary name.
///
/// # Errors
/// When one is not built, or cannot be packed.
pub fn all(binaries: &[String]) -> Result<BTreeMap<String, Package>> {
    binaries.iter().map(|name| Ok((name.clone(), package(name)?))).collect()
}

fn package(name: &str) -> Result<Package> {
    let folder = project::local().join("packages");
    fs::create_dir_all(&folder).map_err(|cause| Error::file(&folder, cause))?;
    let binary = project::binary(name)?;
    let stamp = stamp(&binary)?;
    let noted = folder.join(format!("{name}.key"));
    if let Ok(text) = fs::read_to_string(&noted)
        && let Some((old, key)) = text.split_once('\n')
        && old == stamp
        && folder.join(key).is_file()
    {
        return Ok(Package { key: key.to_owned(), path: folder.join(key) });
    }
    let bootstrap = stripped(&binary, &folder)?;
    let key = format!("{name}-{}.zip", &hex::encode(Sha256::digest(&bootstrap))[..16]);
    let path = folder.join(&key);
    // Two stacks may be started at once: each writes a file of its own and renames it.
    let fresh = folder.join(format!("{key}.{}", std::process::id()));
    write_zip(&fresh, &bootstrap)?;
    fs::rename(&fresh, &path).map_err(|cause| Error::file(&path, cause))?;
    remove_older(&folder, name, &key);
    fs::write(&noted, format!("{stamp}\n{key}")).map_err(|cause| Error::file(&noted, cause))?;
    Ok(Package { key, path })
}

/// What changes when the binary does.
fn stamp(binary: &Path) -> Result<String> {
    let metadata = binary.metadata().map_err(|cause| Error::file(binary, cause))?;
    let modified = metadata.modified().map_err(|cause| Error::file(binary, cause))?;
    Ok(format!("{} {} {modified:?}", binary.display(), metadata.len()))
}

/// The binary without symbols where `strip` is at hand: a tenth of the size.
fn stripped(binary: &Path, folder: &Path) -> Result<Vec<u8>> {
    let target = folder.join(format!("strip.{}", std::process::id()));
    let done = Command::new("strip").arg("-o").arg(&target).arg(binary).stderr(Stdio::null()).status();
    let source = if done.is_ok_and(|status| status.success()) { &target } else { binary };
    let bytes = fs::read(source).map_err(|cause| Error::file(source, cause))?;
    let _ = fs::remove_file(&target);
    Ok(bytes)
}

/// Stored, not compressed: it only travels over the loopback.
fn write_zip(path: &Path, bootstrap: &[u8]) -> Result<()> {
    let file = File::create(path).map_err(|cause| Error::file(path, cause))?;
    let mut zip = ZipWriter::new(file);
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755);
    zip.start_file("bootstrap", options).map_err(|cause| Error::because("packing", &cause))?;
    zip.write_all(bootstrap).map_err(|cause| Error::file(path, cause))?;
    zip.finish().map_err(|cause| Error::because("packing", &cause))?;
    Ok(())
}

/// Old packages of the same function; another stack that reads one keeps its open file.
fn remove_older(folder: &Path, name: &str, key: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let hash = file
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(".zip"));
        if file != key && hash.is_some_and(|hash| hash.len() == 16) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
