//! Where things are in the project folder. Nothing is written outside it.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The project's root: the folder of the workspace this was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The folder for everything that comes and goes.
pub fn local() -> PathBuf {
    root().join(".local")
}

/// The Python that `tools/setup` prepared.
///
/// # Errors
/// When it did not.
pub fn python() -> Result<PathBuf> {
    let python = root().join(".venv/bin/python");
    if python.exists() {
        Ok(python)
    } else {
        Err(Error::new("there is no .venv: run tools/setup (or make) first"))
    }
}

/// A binary of this workspace, built into the same folder as the running one.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let running = std::env::current_exe().map_err(|cause| Error::because("the running binary", &cause))?;
    let mut folder = running.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::new(format!("{} is not built: cargo build --workspace --bins", path.display())))
    }
}
