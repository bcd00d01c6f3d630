//! Where the PostgreSQL server is installed.

use std::cmp::Reverse;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::{Error, ServerUser};

/// The folder of `postgres`, `initdb` and their friends, and the version they are of.
#[derive(Clone, Debug)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
}

impl Binaries {
    /// The majors that Holdfast is tested against.
    pub const MAJORS: RangeInclusive<u32> = 12..=18;

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

    /// The binaries of this major, `None` when it is not installed. Looks in `HOLDFAST_PG<major>_BINDIR`,
    /// then where [`Binaries::find`] looks, then where `tools/postgres-majors` installs. When the
    /// variable is set, nothing else is tried.
    pub async fn major(major: u32) -> Result<Option<Self>, Error> {
        let variable = format!("HOLDFAST_PG{major}_BINDIR");
        if let Some(directory) = std::env::var_os(&variable).filter(|value| !value.is_empty()) {
            let directory = PathBuf::from(directory);
            let looked = format!("{variable}={}", directory.display());
            let found = Self::at(&directory).await.filter(|found| found.is_of(major));
            return found.map(Some).ok_or(Error::MajorNotFound { major, looked });
        }
        let mut candidates = Vec::new();
        candidates.extend(pg_config_bindir().await);
        candidates.extend(usual_folders());
        if let Some(found) = Self::first_of(major, &candidates).await {
            return Ok(Some(found));
        }
        let folder = project_folder(major);
        let found = Self::first_of(major, std::slice::from_ref(&folder)).await;
        if found.is_some() {
            // Unlike the system's, a folder in somebody's home may be closed to the server's user.
            ServerUser::find()?.open_way_to(&folder.join("postgres"))?;
        }
        Ok(found)
    }

    /// The binaries of every major of [`Binaries::MAJORS`] that is installed, oldest first: for tests
    /// that run against each. What is not installed is named on standard error, or is an error when
    /// `HOLDFAST_REQUIRE_PG_MAJORS` is `1`.
    pub async fn majors() -> Result<Vec<Self>, Error> {
        let required = std::env::var_os("HOLDFAST_REQUIRE_PG_MAJORS").is_some_and(|value| value == "1");
        let mut installed = Vec::new();
        for major in Self::MAJORS {
            match Self::major(major).await? {
                Some(binaries) => installed.push(binaries),
                None if required => {
                    let looked = format!("the system's folders and {}", project_folder(major).display());
                    return Err(Error::MajorNotFound { major, looked });
                }
                None => {
                    eprintln!(
                        "PostgreSQL {major} is not installed, not tested: tools/postgres-majors {major}"
                    );
                }
            }
        }
        Ok(installed)
    }

    async fn first_of(major: u32, candidates: &[PathBuf]) -> Option<Self> {
        for candidate in candidates {
            if let Some(found) = Self::at(candidate).await.filter(|found| found.is_of(major)) {
                return Some(found);
            }
        }
        None
    }

    fn is_of(&self, major: u32) -> bool {
        self.major_version() == major.to_string()
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

/// Where `tools/postgres-majors` puts a major.
fn project_folder(major: u32) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join(format!(".local/postgres/{major}/bin"))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder whose `postgres` says this.
    fn folder(root: &Path, name: &str, says: &str) -> PathBuf {
        let folder = root.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("initdb"), "").unwrap();
        let server = folder.join("postgres");
        std::fs::write(&server, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_major_is_the_first_folder_of_exactly_that_major() {
        let root = tempfile::tempdir().unwrap();
        let candidates = [
            root.path().join("missing"),
            folder(root.path(), "a", "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"),
            folder(root.path(), "b", "postgres (PostgreSQL) 12.22"),
            folder(root.path(), "c", "postgres (PostgreSQL) 12.3"),
            folder(root.path(), "d", "postgres (PostgreSQL) 18beta1"),
            folder(root.path(), "e", "no server"),
        ];
        let found = Binaries::first_of(12, &candidates).await.unwrap();
        assert_eq!((found.directory(), found.version()), (candidates[2].as_path(), "12.22"));
        assert_eq!(Binaries::first_of(18, &candidates).await.unwrap().version(), "18beta1");
        for absent in [1, 14, 22] {
            assert!(Binaries::first_of(absent, &candidates).await.is_none(), "{absent}");
        }
    }

    #[test]
    fn the_project_folder_is_the_workspaces() {
        let folder = project_folder(14);
        let root = folder.ancestors().nth(4).unwrap();
        assert!(folder.ends_with(".local/postgres/14/bin") && root.join("tools/postgres-majors").is_file());
    }
}
