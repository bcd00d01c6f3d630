//! What bringing a database back needs of RDS.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RestoreAnswer;
use crate::blueprint::Blueprint;
use crate::error::Result;
use crate::ids::{DatabaseId, OperationId, Region};
use crate::operation::RecoveryPoint;

/// The times a database can be restored to by its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreWindow {
    /// `DbiResourceId` of the instance whose log it is; it may be gone.
    pub resource_id: String,
    /// The restore that made this instance, where one of Holdfast's did: it may have been another before a swap.
    pub operation: Option<OperationId>,
    /// The first.
    pub earliest: Timestamp,
    /// The last: a few minutes ago, while it lives.
    pub latest: Timestamp,
}

/// A database to make from a recovery point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDatabase {
    /// Its identifier.
    pub id: DatabaseId,
    /// What its data is taken from.
    pub from: RecoveryPoint,
    /// Instance class.
    pub class: String,
    /// GiB of storage, where it is to be more than the data's source had.
    pub allocated_storage: Option<u32>,
    /// Everything else it is to be like; its class is not used.
    pub settings: Blueprint,
}

/// Which of the settings that a restore does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LastSettings {
    /// All of them, in one call.
    All,
    /// How far storage grows by itself.
    Storage,
    /// Performance Insights and Database Insights.
    Insights,
    /// Enhanced Monitoring.
    Monitoring,
    /// Logs that go to CloudWatch.
    Logs,
    /// The maintenance window.
    MaintenanceWindow,
}

impl LastSettings {
    /// What comes next where RDS refused all of them at once: one refusal keeps no other from being made.
    pub const ONE_BY_ONE: [LastSettings; 5] = [
        LastSettings::Storage,
        LastSettings::Insights,
        LastSettings::Monitoring,
        LastSettings::Logs,
        LastSettings::MaintenanceWindow,
    ];

    /// Whether a call for these sets `which` too.
    pub fn include(self, which: LastSettings) -> bool {
        self == LastSettings::All || self == which
    }

    /// What a person calls them.
    pub fn what(self) -> &'static str {
        match self {
            LastSettings::All => "last settings",
            LastSettings::Storage => "storage that grows by itself",
            LastSettings::Insights => "Performance Insights",
            LastSettings::Monitoring => "Enhanced Monitoring",
            LastSettings::Logs => "log exports",
            LastSettings::MaintenanceWindow => "maintenance window",
        }
    }
}

/// Something that has to be there before an instance can be made that refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referred {
    /// A DB subnet group.
    SubnetGroup(String),
    /// A DB parameter group, and the family that the engine version needs.
    ParameterGroup {
        /// Its name.
        name: String,
        /// `postgres15`; `None` when the engine's rule is not known.
        family: Option<String>,
    },
    /// An option group, and what it has to be for.
    OptionGroup {
        /// Its name.
        name: String,
        /// `postgres`.
        engine: String,
        /// `15`; `None` when the engine's rule is not known.
        major_version: Option<String>,
    },
    /// An authority that signs the server's certificate.
    Certificate(String),
    /// A class that this version of the engine is offered with.
    Class {
        /// `db.m6g.large`.
        class: String,
        /// `postgres`.
        engine: String,
        /// `15.4`.
        version: String,
    },
}

impl Referred {
    /// What it is, for a person.
    pub fn what(&self) -> &'static str {
        match self {
            Referred::SubnetGroup(_) => "subnet group",
            Referred::ParameterGroup { .. } => "parameter group",
            Referred::OptionGroup { .. } => "option group",
            Referred::Certificate(_) => "certificate authority",
            Referred::Class { .. } => "instance class",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Referred::SubnetGroup(name) | Referred::Certificate(name) => name,
            Referred::ParameterGroup { name, .. } | Referred::OptionGroup { name, .. } => name,
            Referred::Class { class, .. } => class,
        }
    }
}

/// Amazon RDS, as far as a database is brought back by it.
#[async_trait]
pub trait Restores: Send + Sync {
    /// What an instance is made with now, or `None` when there is none of that name.
    async fn blueprint(&self, region: &Region, id: &str) -> Result<Option<Blueprint>>;
    /// The times that its automated backups reach, those of instances that had its name, are gone and left theirs among them;
    /// the one that reaches furthest first.
    async fn restore_windows(&self, region: &Region, database: &DatabaseId) -> Result<Vec<RestoreWindow>>;
    /// Why something cannot be referred to in `region`; `None` when it can.
    async fn problem_with(&self, region: &Region, referred: &Referred) -> Result<Option<String>>;
    /// The id of the VPC of a subnet group; `None` when the group is not there.
    async fn subnet_group_vpc(&self, region: &Region, name: &str) -> Result<Option<String>>;
    /// Starts a restore.
    async fn restore_database(&self, region: &Region, new: &NewDatabase) -> Result<RestoreAnswer>;
    /// Sets, at once, what a restore does not take.
    async fn settle(
        &self,
        region: &Region,
        id: &str,
        settings: &Blueprint,
        which: LastSettings,
    ) -> Result<()>;
}
