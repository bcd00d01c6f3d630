//! Where the PostgreSQL server is installed.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::Error;

/// The folder of `postgres`, `initdb` and their friends, and the version they are of.
#[derive(Clone, Debug)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
}

impl Binaries {
    /// Looks in `HOLDFAST_PG_BINDIR`, then asks `pg_config`, then looks in the usual folders,
    /// newest version first. When `HOLDFAST_PG_BINDIR` is set, nothing else is tried.
    pub async fn find() -> Result<Self, Error> {
        if let Some(directory) = std::env::var_os("HOLDFAST_PG_BINDIR").filter(|value| !value.is_empty()) {
            let directory = PathBuf::from(directory);
            let looked = format!("HOLDFAST_PG_BINDIR={}", directory.display());
            return Self::at(&directory).await.ok_or(Error::BinariesNotFound { looked });
        }
        let mut candidates = Vec::new();
        candidates.extend(pg_config_bindir().await);
        candidates.extend(usual_folders());
        for candidate in &candidates {
            if let Some(found) = Self::at(candidate).await {
                return Ok(found);
            }
        }
        Err(Error::BinariesNotFound {
            looked: "pg_config, /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin, /usr/local and Homebrew"
                .to_owned(),
        })
    }

    /// The binaries in this folder, if it holds a server.
    async fn at(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(directory.join("postgres")).arg("--version").output().await.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        // "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
        let version = text.split_whitespace().nth(2)?.to_owned();
        Some(Self { directory: directory.to_owned(), version })
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The full version, such as `15.14`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version, such as `15`.
    pub fn major_version(&self) -> &str {
        self.version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(&self.version)
    }
}

async fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim()))
}

fn usual_folders() -> Vec<PathBuf> {
    let mut versioned = Vec::new();
    for (parent, prefix, suffix) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
    ] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if let Some(version) = number.and_then(|number| number.parse::<f32>().ok()) {
                versioned.push((version, entry.path().join(suffix)));
            }
        }
    }
    versioned.sort_by_key(|(version, _)| Reverse((version * 100.0) as u32));
    let fixed = ["/opt/homebrew/bin", "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];
    versioned.into_iter().map(|(_, path)| path).chain(fixed.map(PathBuf::from)).collect()
}
