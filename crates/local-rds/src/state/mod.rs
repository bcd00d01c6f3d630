//! What exists: instances, snapshots, parameter groups, by Region. In memory only.

mod backup;
mod groups;
mod instance;
mod options;
mod ports;
mod snapshot;

use std::collections::BTreeMap;
use std::time::Instant;

pub(crate) use backup::{AutomatedBackup, archive};
pub(crate) use groups::{DEFAULT_SUBNET_GROUP, OptionGroup, ParameterGroup, SubnetGroup};
pub(crate) use instance::{Instance, InstanceStatus, Pending, Server};
pub(crate) use options::{CERTIFICATES, Insights, LARGE, Monitoring, Options, performance};
pub(crate) use ports::Ports;
pub(crate) use snapshot::{Origin, Progress, Snapshot, SnapshotStatus};

use crate::error::RdsError;
use crate::names::{Arn, Kind};

/// Tags of one resource.
pub(crate) type Tags = BTreeMap<String, String>;

/// Everything.
#[derive(Default)]
pub(crate) struct World {
    regions: BTreeMap<String, Region>,
    pub(crate) ports: Ports,
}

/// What one Region holds.
#[derive(Default)]
pub(crate) struct Region {
    pub(crate) instances: BTreeMap<String, Instance>,
    /// Instances that are gone and whose automated backups are kept, by resource id.
    pub(crate) retained: BTreeMap<String, Instance>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) parameter_groups: BTreeMap<String, ParameterGroup>,
    pub(crate) subnet_groups: BTreeMap<String, SubnetGroup>,
    pub(crate) option_groups: BTreeMap<String, OptionGroup>,
}

impl World {
    pub(crate) fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_default()
    }

    pub(crate) fn all_instances(&self) -> impl Iterator<Item = &Instance> {
        self.regions.values().flat_map(|region| region.instances.values())
    }

    pub(crate) fn region_names(&self) -> Vec<String> {
        self.regions.keys().cloned().collect()
    }

    /// The tags of a resource, if it exists.
    pub(crate) fn tags(&mut self, arn: &Arn) -> Option<&mut Tags> {
        let region = self.regions.get_mut(&arn.region)?;
        match arn.kind {
            Kind::Instance => region.instances.get_mut(&arn.id).map(|found| &mut found.tags),
            Kind::Snapshot => region.snapshots.get_mut(&arn.id).map(|found| &mut found.tags),
            Kind::ParameterGroup => region.parameter_groups.get_mut(&arn.id).map(|found| &mut found.tags),
            Kind::SubnetGroup => region.subnet_groups.get_mut(&arn.id).map(|found| &mut found.tags),
            Kind::OptionGroup => region.option_groups.get_mut(&arn.id).map(|found| &mut found.tags),
            Kind::AutomatedBackup => {
                let mut all = region.instances.values_mut().chain(region.retained.values_mut());
                all.find(|found| found.backup_id() == Some(arn.id.as_str())).map(|found| &mut found.tags)
            }
        }
    }
}

/// Whether describe calls show it yet.
pub(crate) fn is_seen(unseen_until: Option<Instant>) -> bool {
    unseen_until.is_none_or(|time| time <= Instant::now())
}

impl Region {
    pub(crate) fn instance(&mut self, id: &str) -> Result<&mut Instance, RdsError> {
        self.instances.get_mut(id).ok_or_else(|| RdsError::instance_not_found(id))
    }

    /// Whether an instance has this identifier, or is about to.
    pub(crate) fn is_taken(&self, id: &str) -> bool {
        self.instances.contains_key(id)
            || self.instances.values().any(|found| found.renaming.as_deref() == Some(id))
    }

    pub(crate) fn snapshot(&mut self, id: &str) -> Result<&mut Snapshot, RdsError> {
        self.snapshots.get_mut(id).ok_or_else(|| RdsError::snapshot_not_found(id))
    }

    pub(crate) fn copies_in_flight(&self) -> usize {
        let from_elsewhere = |snapshot: &&Snapshot| {
            snapshot.origin.as_ref().is_some_and(|origin| origin.region != snapshot.arn.region)
        };
        let unfinished = |snapshot: &&Snapshot| {
            matches!(snapshot.status, SnapshotStatus::Creating | SnapshotStatus::Copying)
        };
        self.snapshots.values().filter(from_elsewhere).filter(unfinished).count()
    }
}
