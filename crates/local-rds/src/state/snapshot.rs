//! One snapshot, manual or a copy.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Tags;
use crate::names::Arn;

/// A snapshot. Its files are a physical copy of the instance's cluster.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) arn: Arn,
    /// Tells this snapshot from an earlier one of the same name.
    pub(crate) serial: String,
    pub(crate) instance: String,
    pub(crate) instance_resource_id: String,
    pub(crate) instance_created: Timestamp,
    pub(crate) status: SnapshotStatus,
    pub(crate) progress: Progress,
    pub(crate) created: Option<Timestamp>,
    pub(crate) original_created: Option<Timestamp>,
    pub(crate) engine_version: String,
    pub(crate) allocated_storage: i64,
    pub(crate) storage_type: String,
    /// As they were provisioned.
    pub(crate) performance: (Option<i64>, Option<i64>),
    pub(crate) iam_authentication: bool,
    pub(crate) backup_retention: i64,
    pub(crate) backup_window: String,
    pub(crate) master_user: String,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) port: u16,
    pub(crate) availability_zone: String,
    pub(crate) option_group: String,
    pub(crate) origin: Option<Origin>,
    pub(crate) tags: Tags,
    /// Accounts that may restore it beside its own; `all` is everybody.
    pub(crate) shared_with: BTreeSet<String>,
    pub(crate) directory: PathBuf,
    /// Describe calls do not show it before this time.
    pub(crate) unseen_until: Option<Instant>,
}

/// What a copy was made from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) arn: String,
    pub(crate) region: String,
}

/// Where a snapshot is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SnapshotStatus {
    Creating,
    Copying,
    Available,
    Failed,
    /// Only in the answer to its deletion.
    Deleted,
}

impl fmt::Display for SnapshotStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Copying => "copying",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        })
    }
}

/// How far unfinished work is, from the time it has had.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) began: Instant,
    pub(crate) takes: Duration,
    pub(crate) stuck_at: Option<u8>,
}

impl Progress {
    /// 0 to 99: only the end of the work makes it 100.
    pub(crate) fn percent(&self) -> u8 {
        let share = self.began.elapsed().as_secs_f64() / self.takes.as_secs_f64().max(0.001);
        let percent = (share * 100.0).clamp(0.0, 99.0) as u8;
        self.stuck_at.map_or(percent, |stuck| percent.min(stuck))
    }
}

impl Snapshot {
    /// What `PercentProgress` says.
    pub(crate) fn percent(&self) -> u8 {
        match self.status {
            SnapshotStatus::Creating | SnapshotStatus::Copying => self.progress.percent(),
            SnapshotStatus::Available | SnapshotStatus::Deleted => 100,
            SnapshotStatus::Failed => 0,
        }
    }
}
