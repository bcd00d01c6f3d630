//! The server with RDS's extensions. There the master user may create more of them than PostgreSQL
//! trusts a user with, `amcheck` for one. Here servers run from a private mirror of the installation:
//! `postgres` is copied, because it looks for its files from where it lies; all else is linked, but
//! for those extensions. Their control files say `trusted`, and `rds_superuser` may call what their
//! scripts take from the public. Nothing of this is in the data of an instance.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use holdfast_local_postgres::Binaries;
use tokio::process::Command;

/// The mirror's folder below the data directory.
pub(crate) const FOLDER: &str = "server";

/// What comes with PostgreSQL, is not trusted, and can be created on RDS.
const EXTENSIONS: [&str; 17] = [
    "amcheck",
    "bloom",
    "dblink",
    "dict_xsyn",
    "earthdistance",
    "intagg",
    "moddatetime",
    "old_snapshot",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_visibility",
    "pgrowlocks",
    "pgstattuple",
    "postgres_fdw",
    "sslinfo",
];

/// Where the installation's parts are.
struct Installation {
    server: PathBuf,
    share: PathBuf,
    /// Libraries and translations.
    others: Vec<PathBuf>,
}

/// Makes the mirror and answers its server. `None` when the installation cannot be mirrored: then the
/// master user creates what PostgreSQL trusts, as on a machine without these extensions.
pub(crate) async fn prepare(binaries: &Binaries, root: &Path) -> Option<PathBuf> {
    let knows_trust = binaries.major_version().parse::<u32>().is_ok_and(|major| major >= 13);
    if !knows_trust {
        return None;
    }
    let made = async {
        let installation = Installation::find(binaries).await?;
        let root = root.to_owned();
        tokio::task::spawn_blocking(move || installation.mirror(&root)).await?
    };
    match made.await {
        Ok(server) => Some(server),
        Err(cause) => {
            tracing::warn!(%cause, "extensions that PostgreSQL does not trust need a superuser");
            None
        }
    }
}

impl Installation {
    async fn find(binaries: &Binaries) -> io::Result<Self> {
        let server = binaries.program("postgres").canonicalize()?;
        let program = server.with_file_name("pg_config");
        let names = ["--sharedir", "--pkglibdir", "--libdir", "--localedir"];
        let output = Command::new(program).args(names).output().await?;
        let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
        let mut paths = text.lines().map(PathBuf::from);
        let share = paths.next().filter(|share| share.join("extension").is_dir());
        let share = share.ok_or_else(|| io::Error::other("pg_config names no folder of extensions"))?;
        Ok(Self { server, share, others: paths.collect() })
    }

    fn mirror(&self, root: &Path) -> io::Result<PathBuf> {
        let server = below(root, &self.server)?;
        make(root, &server)?;
        fs::copy(&self.server, &server)?;
        let (from, to) = (self.share.join("extension"), below(root, &self.share.join("extension"))?);
        make(root, &to.join("any"))?;
        link_all(&self.share, &below(root, &self.share)?)?;
        link_all(&from, &to)?;
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(changed) = changed(&name, &from.join(&name))? {
                let path = to.join(&name);
                fs::remove_file(&path)?;
                fs::write(&path, changed)?;
                fs::set_permissions(&path, Permissions::from_mode(0o644))?;
            }
        }
        for folder in self.others.iter().filter(|folder| folder.is_dir()) {
            let link = below(root, folder)?;
            // It may be there already, through the link to another.
            if !link.exists() {
                make(root, &link)?;
                symlink(folder, &link)?;
            }
        }
        Ok(server)
    }
}

/// Where a path of the installation is in the mirror: the same path, below its root. That keeps the
/// way from the server to its files, in any layout.
fn below(root: &Path, path: &Path) -> io::Result<PathBuf> {
    path.strip_prefix("/").map(|path| root.join(path)).map_err(io::Error::other)
}

/// Makes the folders above a path, open to the server's user.
fn make(root: &Path, path: &Path) -> io::Result<()> {
    let folders: Vec<_> = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)).collect();
    for folder in folders.into_iter().rev().filter(|folder| !folder.exists()) {
        fs::create_dir(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Links all that is in a folder and not yet in the other.
fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let link = to.join(entry.file_name());
        if !link.exists() {
            symlink(entry.path(), link)?;
        }
    }
    Ok(())
}

/// What a file of an extension that RDS lets its master user create says there.
fn changed(name: &str, path: &Path) -> io::Result<Option<String>> {
    let extension = name.strip_suffix(".control").or_else(|| name.split_once("--").map(|(name, _)| name));
    if !extension.is_some_and(|name| EXTENSIONS.contains(&name)) {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    Ok(Some(if name.ends_with(".control") { trusted(&text) } else { granted(&text) }))
}

fn trusted(control: &str) -> String {
    let others = control.lines().filter(|line| !line.trim_start().starts_with("trusted"));
    others.chain(["trusted = true"]).map(|line| format!("{line}\n")).collect()
}

/// What is taken from the public is given to `rds_superuser`.
fn granted(script: &str) -> String {
    let mut text = script.to_owned();
    for (start, _) in script.match_indices("REVOKE ALL ON ") {
        let statement = script[start..].split(';').next().unwrap_or_default();
        if let Some(what) = statement.strip_prefix("REVOKE").and_then(|rest| rest.strip_suffix("FROM PUBLIC"))
        {
            text.push_str(&format!("\nGRANT{what}TO rds_superuser;\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_says_trusted_once() {
        let text = trusted("# x\ntrusted = false\nrelocatable = true\n");
        assert_eq!(text, "# x\nrelocatable = true\ntrusted = true\n");
    }

    #[test]
    fn what_is_revoked_is_granted() {
        let text = granted("SELECT 1;\nREVOKE ALL ON FUNCTION f(a,\n  b) FROM PUBLIC;\nSELECT 2;\n");
        assert!(
            text.ends_with("SELECT 2;\n\nGRANT ALL ON FUNCTION f(a,\n  b) TO rds_superuser;\n"),
            "{text}"
        );
        assert_eq!(granted("SELECT 1;"), "SELECT 1;");
    }

    /// An installation in which `postgres` is a text and not all extensions are.
    fn installed(root: &Path) -> Installation {
        let (bin, share, libraries) = (root.join("pg/bin"), root.join("pg/share"), root.join("pg/lib"));
        for folder in [&bin, &share.join("extension"), &libraries] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(bin.join("postgres"), "a server").unwrap();
        fs::write(share.join("postgres.bki"), "a catalog").unwrap();
        fs::write(share.join("extension/bloom.control"), "relocatable = true\n").unwrap();
        fs::write(share.join("extension/file_fdw.control"), "relocatable = true\n").unwrap();
        Installation {
            server: bin.join("postgres"),
            share,
            others: vec![libraries.join("absent"), libraries],
        }
    }

    #[test]
    fn the_mirror_is_the_installation_but_for_what_is_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let (real, root) = (directory.path().join("real"), directory.path().join("mirror"));
        let server = installed(&real).mirror(&root).unwrap();
        assert!(server.starts_with(&root) && !server.is_symlink());
        let top = server.ancestors().nth(2).unwrap();
        let read = |path: &str| fs::read_to_string(top.join(path));
        assert_eq!(read("bin/postgres").unwrap(), "a server");
        assert_eq!(read("share/postgres.bki").unwrap(), "a catalog");
        assert!(top.join("lib").is_dir());
        assert!(read("share/extension/bloom.control").unwrap().contains("trusted = true"));
        assert!(!read("share/extension/file_fdw.control").unwrap().contains("trusted"));
        assert!(read("share/extension/amcheck.control").is_err(), "what is not installed is not made up");
        let untouched = fs::read_to_string(real.join("pg/share/extension/bloom.control")).unwrap();
        assert!(!untouched.contains("trusted"), "the installation itself is left alone");
    }

    #[test]
    fn only_what_rds_has_is_changed() {
        assert!(changed("file_fdw.control", Path::new("/nowhere")).unwrap().is_none());
        assert!(changed("amcheck.control", Path::new("/nowhere")).is_err(), "this one is read");
    }
}
