//! What bringing a database back needs of RDS.

use async_trait::async_trait;
use jiff::Timestamp;

use super::RestoreAnswer;
use crate::blueprint::Blueprint;
use crate::error::Result;
use crate::ids::{DatabaseId, Region};
use crate::operation::RecoveryPoint;

/// The times a database can be restored to by its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreWindow {
    /// `DbiResourceId` of the instance whose log it is; it may be gone.
    pub resource_id: String,
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
    /// Everything else it is to be like; its class is not used.
    pub settings: Blueprint,
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
    /// An option group.
    OptionGroup(String),
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
            Referred::OptionGroup(_) => "option group",
            Referred::Certificate(_) => "certificate authority",
            Referred::Class { .. } => "instance class",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Referred::SubnetGroup(name) | Referred::OptionGroup(name) | Referred::Certificate(name) => name,
            Referred::ParameterGroup { name, .. } => name,
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
    /// Sets, at once, what a restore does not take: Performance Insights, monitoring, windows, growing storage.
    async fn settle(&self, region: &Region, id: &str, settings: &Blueprint) -> Result<()>;
}
