//! What can be set, once at start or later through the control API.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the server is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port of the API on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Everything on disk is below this directory and is removed at the end.
    pub data_dir: PathBuf,
    /// First port for instances; the next free one from here. 0 takes any free one.
    pub instance_port_base: u16,
    /// The one account.
    pub account_id: String,
    /// The local cloud, for KMS keys and IAM roles.
    pub cloud_endpoint: Option<String>,
    /// Whether calls are held against the policies of the caller's role.
    pub enforce_iam: bool,
    /// A Region whose functions are known before any call came from it.
    pub home_region: String,
    /// What can be changed while it runs.
    pub tuning: Tuning,
}

impl Settings {
    /// Defaults: free ports, the account 000000000000, no cloud, nothing enforced.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            port: 0,
            data_dir: data_dir.into(),
            instance_port_base: 0,
            account_id: "000000000000".to_owned(),
            cloud_endpoint: None,
            enforce_iam: false,
            home_region: "us-east-1".to_owned(),
            tuning: Tuning::default(),
        }
    }
}

/// How long things take, and how many there may be.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Tuning {
    /// Every duration below is divided by this.
    pub speed: f64,
    /// An instance: creating to available.
    pub create_seconds: f64,
    /// The first automated backup of an instance: backing-up to available.
    pub backup_seconds: f64,
    /// How old `LatestRestorableTime` may be when somebody looks.
    pub restorable_seconds: f64,
    /// A snapshot: creating to available.
    pub snapshot_seconds: f64,
    /// A copy: creating to available.
    pub copy_seconds: f64,
    /// A restored instance: creating to available.
    pub restore_seconds: f64,
    /// A restored instance: storage-initialization, in which it can be used, to available.
    pub initialize_seconds: f64,
    /// A change of an instance, a stop, a start.
    pub modify_seconds: f64,
    /// An instance: deleting to gone.
    pub delete_seconds: f64,
    /// Manual snapshots per Region.
    pub max_manual_snapshots: usize,
    /// Manual snapshots in single Regions, where it is another number there.
    pub max_manual_snapshots_in: BTreeMap<String, usize>,
    /// Copies in flight per destination Region.
    pub max_copies_in_flight: usize,
    /// Instances per Region.
    pub max_instances: usize,
    /// Globs of instance classes that are not offered: neither listed nor accepted.
    pub classes_not_offered: Vec<String>,
    /// Globs of instance classes that are listed, and of which there is none left.
    pub classes_without_capacity: Vec<String>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            speed: 1.0,
            create_seconds: 1.0,
            backup_seconds: 0.25,
            restorable_seconds: 2.0,
            snapshot_seconds: 2.0,
            copy_seconds: 3.0,
            restore_seconds: 2.0,
            initialize_seconds: 1.0,
            modify_seconds: 0.5,
            delete_seconds: 1.0,
            max_manual_snapshots: 100,
            max_manual_snapshots_in: BTreeMap::new(),
            max_copies_in_flight: 20,
            max_instances: 40,
            classes_not_offered: Vec::new(),
            classes_without_capacity: Vec::new(),
        }
    }
}

impl Tuning {
    /// How many manual snapshots a Region may hold.
    pub(crate) fn manual_snapshots_in(&self, region: &str) -> usize {
        self.max_manual_snapshots_in.get(region).copied().unwrap_or(self.max_manual_snapshots)
    }

    /// A duration as it is after `speed`.
    pub(crate) fn scaled(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed.max(0.001)).unwrap_or_default()
    }
}
