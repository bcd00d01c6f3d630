//! The automated backups of one instance.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;

/// A base backup and the WAL since. It belongs to an instance, and outlives it when its deletion says so.
#[derive(Clone, Debug)]
pub(crate) struct AutomatedBackup {
    /// `ab-` and 26 letters and digits: the last part of its ARN.
    pub(crate) id: String,
    /// What is below it: see [`AutomatedBackup::base`] and [`AutomatedBackup::archive`].
    pub(crate) directory: PathBuf,
    /// The first and the last time that a restore reaches; none until the base backup is there.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
    /// When the window was last asked to reach further.
    pub(crate) asked: Option<Instant>,
    /// Whether its instance is gone.
    pub(crate) retained: bool,
}

/// Where automated backups are in their life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BackupStatus {
    /// The base backup is not there yet.
    Creating,
    Active,
    Retained,
}

impl AutomatedBackup {
    pub(crate) fn status(&self) -> BackupStatus {
        match (self.retained, self.window) {
            (true, _) => BackupStatus::Retained,
            (false, Some(_)) => BackupStatus::Active,
            (false, None) => BackupStatus::Creating,
        }
    }

    /// The files of the base backup.
    pub(crate) fn base(&self) -> PathBuf {
        self.directory.join("base")
    }

    /// Finished WAL segments.
    pub(crate) fn archive(&self) -> PathBuf {
        archive(&self.directory)
    }
}

/// Where an instance's finished WAL segments go while it has automated backups in this directory.
pub(crate) fn archive(directory: &std::path::Path) -> PathBuf {
    directory.join("wal")
}

impl fmt::Display for BackupStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Retained => "retained",
        })
    }
}
