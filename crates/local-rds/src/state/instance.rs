//! One database instance.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use holdfast_local_postgres::Cluster;
use jiff::Timestamp;

use super::{AutomatedBackup, Options, Tags, performance};
use crate::names::Arn;

/// The PostgreSQL cluster behind an instance, once there is one.
pub(crate) type Server = Arc<tokio::sync::Mutex<Option<Cluster>>>;

/// A database instance.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) arn: Arn,
    pub(crate) resource_id: String,
    pub(crate) status: InstanceStatus,
    pub(crate) class: String,
    pub(crate) engine_version: String,
    pub(crate) master_user: String,
    pub(crate) database: Option<String>,
    pub(crate) allocated_storage: i64,
    pub(crate) storage_type: String,
    pub(crate) encrypted: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) port: u16,
    pub(crate) created: Timestamp,
    pub(crate) backup_retention: i64,
    pub(crate) parameter_group: String,
    pub(crate) parameter_status: &'static str,
    pub(crate) security_groups: Vec<String>,
    pub(crate) subnet_group: String,
    /// The network of its subnet group.
    pub(crate) vpc: String,
    pub(crate) availability_zone: String,
    pub(crate) multi_az: bool,
    pub(crate) public: bool,
    pub(crate) auto_minor_upgrade: bool,
    pub(crate) deletion_protection: bool,
    pub(crate) copy_tags: bool,
    pub(crate) option_group: String,
    pub(crate) options: Options,
    pub(crate) pending: Pending,
    /// The identifier that it is about to have.
    pub(crate) renaming: Option<String>,
    /// While there are automated backups.
    pub(crate) backup: Option<AutomatedBackup>,
    pub(crate) tags: Tags,
    pub(crate) directory: PathBuf,
    pub(crate) server: Server,
    /// Describe calls do not show it before this time.
    pub(crate) unseen_until: Option<Instant>,
}

impl Instance {
    /// IOPS and throughput as they are described.
    pub(crate) fn performance(&self) -> (Option<i64>, Option<i64>) {
        let options = (self.options.iops, self.options.storage_throughput);
        performance(&self.storage_type, self.allocated_storage, options)
    }

    /// The last part of the ARN of its automated backups.
    pub(crate) fn backup_id(&self) -> Option<&str> {
        self.backup.as_ref().map(|backup| backup.id.as_str())
    }
}

/// Changes asked for and not yet made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) password: bool,
    pub(crate) identifier: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) allocated_storage: Option<i64>,
    pub(crate) backup_retention: Option<i64>,
    pub(crate) multi_az: Option<bool>,
    pub(crate) storage_type: Option<String>,
    pub(crate) iops: Option<i64>,
    pub(crate) storage_throughput: Option<i64>,
}

impl Pending {
    /// Whether there is more than a password and an identifier.
    pub(crate) fn has_others(&self) -> bool {
        let Pending { allocated_storage, backup_retention, iops, storage_throughput, .. } = self;
        let numbers = [allocated_storage, backup_retention, iops, storage_throughput];
        let texts = [&self.class, &self.storage_type];
        numbers.into_iter().any(Option::is_some)
            || texts.into_iter().any(Option::is_some)
            || self.multi_az.is_some()
    }
}

/// Where an instance is in its life.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum InstanceStatus {
    Creating,
    BackingUp,
    /// Restored, and still loading: usable.
    StorageInitialization,
    Available,
    Modifying,
    ResettingMasterCredentials,
    Rebooting,
    Renaming,
    Stopping,
    Stopped,
    Starting,
    Deleting,
    /// An end state: a failed restore, or one that a fault ordered.
    Ended(String),
}

impl InstanceStatus {
    /// Whether a snapshot can be taken and changes can be made.
    pub(crate) fn is_available(&self) -> bool {
        match self {
            Self::Available | Self::StorageInitialization => true,
            Self::Ended(status) => status == "storage-optimization",
            Self::Creating
            | Self::BackingUp
            | Self::Modifying
            | Self::ResettingMasterCredentials
            | Self::Rebooting
            | Self::Renaming
            | Self::Stopping
            | Self::Stopped
            | Self::Starting
            | Self::Deleting => false,
        }
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::BackingUp => "backing-up",
            Self::StorageInitialization => "storage-initialization",
            Self::Available => "available",
            Self::Modifying => "modifying",
            Self::ResettingMasterCredentials => "resetting-master-credentials",
            Self::Rebooting => "rebooting",
            Self::Renaming => "renaming",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Deleting => "deleting",
            Self::Ended(status) => status,
        })
    }
}
