//! What was looked at. Every look that can fail is a `Result`: an error is a fact too.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{OpenOperation, RoleFacts, ScheduleFacts, Workflow};
use crate::blueprint::{Blueprint, KeptBlueprint};
use crate::error::Result;
use crate::health::{Key, Quota};
use crate::ids::{DatabaseId, Region};
use crate::operation::Reference;
use crate::rds::{Instance, Snapshot};
use crate::request::TargetRegion;
use crate::retention::Forecast;

/// The database as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// As described.
    pub instance: Instance,
    /// What it is made with.
    pub blueprint: Blueprint,
}

/// A key, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// Id, ARN or alias.
    pub id: String,
    /// What fails without it: `the copies to us-west-2`.
    pub used_for: String,
    /// The key, or `None` when there is none.
    pub found: Result<Option<Key>>,
    /// Whether the role that tries it before each backup may; `None` when it has no need to.
    pub permitted: Option<Result<bool>>,
    /// Its own policy; `None` when there is no key.
    pub policy: Option<Result<String>>,
    /// How many grants it has; `None` when there is no key.
    pub grants: Option<Result<u32>>,
    /// ARNs of the roles in whose name it is used.
    pub roles: Vec<String>,
}

/// Who can restore a snapshot besides this account (`DescribeDBSnapshotAttributes`, attribute `restore`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedWith {
    /// Its identifier.
    pub snapshot_id: String,
    /// Account numbers; `all` is everybody.
    pub accounts: Result<Vec<String>>,
}

/// Quotas of one Region.
#[derive(Debug, Clone, PartialEq)]
pub struct Quotas {
    /// Manual snapshots, with what is to come; `None` when RDS does not say.
    pub snapshots: Option<Forecast>,
    /// DB instances; `None` when RDS does not say.
    pub instances: Option<Quota>,
    /// Their storage, GiB; `None` when RDS does not say.
    pub storage: Option<Quota>,
}

/// A function of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its name.
    pub name: String,
    /// Why it cannot be invoked; `None` when it can.
    pub problem: Result<Option<String>>,
}

/// The state machine of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineFacts {
    /// Its ARN.
    pub arn: String,
    /// Whether it is there.
    pub there: Result<bool>,
    /// The functions that it invokes.
    pub functions: Vec<FunctionFacts>,
}

/// What is known of one Region.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionFacts {
    /// Manual snapshots of the database, copies among them, and those named as if Holdfast had made them.
    pub snapshots: Result<Vec<Snapshot>>,
    /// Who else can restore them, whoever made them.
    pub shared: Vec<SharedWith>,
    /// Room.
    pub quotas: Result<Quotas>,
    /// The instance of the database's own name.
    pub namesake: Result<Option<Instance>>,
    /// Instances whose names begin like those of validations.
    pub temporary: Result<Vec<Instance>>,
    /// What the newest proven backup there was made with, and how it logged in; `None` when nothing is kept of that, or
    /// there is no such backup.
    pub blueprint: Result<Option<KeptBlueprint>>,
    /// What a restore there refers to.
    pub references: Vec<(Reference, Result<()>)>,
    /// Every key that matters there.
    pub keys: Vec<KeyFacts>,
    /// The workflow that validates there: its name, and whether it is there.
    pub validation: Option<(String, Result<bool>)>,
}

/// What is known of one database.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// When it was looked at.
    pub now: Timestamp,
    /// The database.
    pub database: DatabaseId,
    /// Where it lives and Holdfast runs.
    pub home: Region,
    /// Where its next backup is copied to.
    pub wanted_targets: Vec<TargetRegion>,
    /// Whether everything that says so could be read: a copy in a Region that nobody knew of is not looked at.
    pub targets_seen: Result<()>,
    /// The database itself; `None` when it is not there.
    pub source: Result<Option<Live>>,
    /// The state machine that makes backups.
    pub backup_machine: String,
    /// The state machines that somebody named: what nobody named is not known.
    pub machines: BTreeMap<Workflow, MachineFacts>,
    /// What the roles of functions, state machines and schedules have to be allowed, as far as the workflows are known.
    pub roles: Vec<RoleFacts>,
    /// Schedules that start a state machine for this database.
    pub schedules: Result<Vec<ScheduleFacts>>,
    /// Its operations that have not ended.
    pub operations: Result<Vec<OpenOperation>>,
    /// Home and the target Regions, as far as they were asked for.
    pub regions: BTreeMap<Region, RegionFacts>,
}

impl Facts {
    /// Where copies go.
    pub fn targets(&self) -> impl Iterator<Item = &Region> {
        self.wanted_targets.iter().map(|target| &target.region)
    }

    /// Whether home was asked for.
    pub(super) fn looks_at_home(&self) -> bool {
        self.regions.contains_key(&self.home)
    }
}
