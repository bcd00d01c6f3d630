//! The operating system user that servers run as.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid};
use tokio::process::Command;

use crate::Error;

/// Who runs the server: this process's own user, or another when this process is root.
#[derive(Clone, Debug)]
pub struct ServerUser {
    other: Option<User>,
}

impl ServerUser {
    /// This user, or when it is root the one of `HOLDFAST_PG_USER`, else `postgres`, else `nobody`.
    pub fn find() -> Result<Self, Error> {
        if !geteuid().is_root() {
            return Ok(Self { other: None });
        }
        let wanted = std::env::var("HOLDFAST_PG_USER").ok().filter(|name| !name.is_empty());
        let names = match &wanted {
            Some(name) => vec![name.as_str()],
            None => vec!["postgres", "nobody"],
        };
        for name in &names {
            if let Ok(Some(user)) = User::from_name(name)
                && !user.uid.is_root()
            {
                return Ok(Self { other: Some(user) });
            }
        }
        Err(Error::NoServerUser(names.join("` or `")))
    }

    /// Makes the command run as this user.
    pub fn apply(&self, command: &mut Command) {
        if let Some(user) = &self.other {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
    }

    /// User and group that files must belong to, when it is not this process's own.
    pub(crate) fn owner(&self) -> Option<(Uid, Gid)> {
        self.other.as_ref().map(|user| (user.uid, user.gid))
    }

    /// Makes sure that this user can reach `path`: its direct parent is opened when needed, any other
    /// directory above it that keeps the user out is an error.
    pub fn open_way_to(&self, path: &Path) -> Result<(), Error> {
        let Some(user) = &self.other else {
            return Ok(());
        };
        for (depth, directory) in path.ancestors().skip(1).enumerate() {
            let Ok(metadata) = directory.metadata() else {
                continue;
            };
            let mode = metadata.permissions().mode();
            let open = mode & 0o001 != 0
                || (metadata.uid() == user.uid.as_raw() && mode & 0o100 != 0)
                || (metadata.gid() == user.gid.as_raw() && mode & 0o010 != 0);
            if open {
                continue;
            }
            if depth > 0 {
                return Err(Error::NotTraversable {
                    directory: directory.to_owned(),
                    user: user.name.clone(),
                });
            }
            let opened = std::fs::Permissions::from_mode(mode & 0o7777 | 0o011);
            std::fs::set_permissions(directory, opened)
                .map_err(|cause| Error::io(format!("cannot open {directory:?}"), cause))?;
        }
        Ok(())
    }
}
