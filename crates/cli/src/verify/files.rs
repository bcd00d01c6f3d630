//! Files that the command line names: each trouble is one sentence with the flag in it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use holdfast_core::validation::{Assertion, CheckSettings, Manifest};
use serde::de::DeserializeOwned;

use crate::Error;

/// Reads `what` from a file of JSON.
///
/// # Errors
/// `Usage`: no such file, or something else is in it.
pub fn json<T: DeserializeOwned>(flag: &str, what: &str, path: &Path) -> Result<T, Error> {
    let wrong =
        |reason: &dyn std::fmt::Display| Error::Usage(format!("{flag}: {}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    serde_json::from_str(&text).map_err(|error| wrong(&format!("it is not {what}: {error}")))
}

/// Reads which checks are wanted.
///
/// # Errors
/// `Usage`, also for what cannot be asked for.
pub fn checks(path: &Path) -> Result<CheckSettings, Error> {
    let checks: CheckSettings = json("--checks", "an object of checks", path)?;
    checks.validate().map_err(|reason| Error::Usage(format!("--checks: {}: {reason}", path.display())))?;
    Ok(checks)
}

/// Reads the team's own statements.
///
/// # Errors
/// `Usage`, also for two that could not be told apart in a report.
pub fn assertions(path: &Path) -> Result<Vec<Assertion>, Error> {
    let assertions: Vec<Assertion> = json("--assertions", "a list of assertions", path)?;
    let mut names = BTreeSet::new();
    for assertion in &assertions {
        let wrong = |reason: &str| {
            Error::Usage(format!("--assertions: {}: {:?} {reason}", path.display(), assertion.name))
        };
        if assertion.name.trim().is_empty() || assertion.sql.trim().is_empty() {
            return Err(wrong("needs a name and a statement"));
        }
        if !names.insert((&assertion.name, &assertion.database)) {
            return Err(wrong("is there twice; each needs a name of its own"));
        }
    }
    Ok(assertions)
}

/// Finds out before the work whether its result could be written.
///
/// # Errors
/// `Usage` when it could not.
pub fn writable(path: &Path) -> Result<(), Error> {
    let wrong = |reason: String| Error::Usage(format!("--write: {}: {reason}", path.display()));
    if path.is_dir() {
        return Err(wrong("it is a directory".into()));
    }
    // Gone again when it is dropped.
    beside(path).map(drop).map_err(|error| wrong(format!("nothing can be written there: {error}")))
}

/// Writes a manifest: the whole of it, or nothing.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, manifest: &Manifest) -> Result<(), Error> {
    let written = || -> std::io::Result<()> {
        let mut file = beside(path)?;
        serde_json::to_writer_pretty(&mut file, manifest)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error| Error::NotWritten(format!("--write: {}: {error}", path.display())))
}

/// A new file in the same directory, so that it can take the other's place in one step.
fn beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any new file: what the umask leaves.
    tempfile::Builder::new()
        .prefix(".holdfast-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory)
}
