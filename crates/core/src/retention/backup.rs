//! A snapshot as retention sees it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{OperationId, Region};
use crate::rds::{Snapshot, SnapshotStatus};
use crate::request::Tier;
use crate::tags;

/// What the tag `holdfast:verdict` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Proof {
    /// Proven.
    Valid,
    /// Refused.
    Invalid,
    /// A validation came to no end.
    Inconclusive,
    /// No validation has spoken, or none was wanted.
    Unproven,
    /// There is no such tag, or it says something else.
    Unknown,
}

impl Proof {
    fn of(tag: Option<&str>) -> Self {
        match tag {
            Some("VALID") => Proof::Valid,
            Some("INVALID") => Proof::Invalid,
            Some("INCONCLUSIVE") => Proof::Inconclusive,
            Some(tags::UNPROVEN) => Proof::Unproven,
            _ => Proof::Unknown,
        }
    }

    /// The word of the tag.
    pub fn as_str(&self) -> &'static str {
        match self {
            Proof::Valid => "VALID",
            Proof::Invalid => "INVALID",
            Proof::Inconclusive => "INCONCLUSIVE",
            Proof::Unproven => tags::UNPROVEN,
            Proof::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a snapshot is a backup of Holdfast's: by tag and by name, as the names are derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This operation made it.
    Operation(OperationId),
    /// It carries no readable `holdfast:operation`.
    Nobody,
    /// It carries the tag of an operation whose snapshot has another name: somebody copied it.
    Renamed(OperationId),
}

/// A snapshot as retention sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Identifier.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Where it lies.
    pub region: Region,
    /// The database: its tag's, else the instance it was taken of.
    pub database: String,
    /// When the data is from; a copy is as old as its original.
    pub taken_at: Option<Timestamp>,
    /// What its validation found.
    pub proof: Proof,
    /// The tier it was taken as.
    pub tier: Tier,
    /// The value of `holdfast:hold`, when it has the tag.
    pub hold: Option<String>,
    /// Whose it is.
    pub owner: Owner,
    /// State.
    pub status: SnapshotStatus,
    /// By what it is in use, a sentence each. What is not known is a use.
    pub uses: Vec<String>,
}

impl Backup {
    /// What retention sees of `snapshot`.
    pub fn new(snapshot: &Snapshot, uses: Vec<String>) -> Self {
        let tag = |key: &str| snapshot.tags.get(key).map(String::as_str);
        let operation = tag(tags::OPERATION).and_then(|id| OperationId::parse(id).ok());
        let owner = match operation {
            Some(id) if id.snapshot_id() == snapshot.id => Owner::Operation(id),
            Some(id) => Owner::Renamed(id),
            None => Owner::Nobody,
        };
        Backup {
            id: snapshot.id.clone(),
            arn: snapshot.arn.clone(),
            region: snapshot.region.clone(),
            database: snapshot.database().to_owned(),
            taken_at: snapshot.taken_at,
            proof: Proof::of(tag(tags::VERDICT)),
            tier: match tag(tags::TIER) {
                Some("weekly") => Tier::Weekly,
                Some("monthly") => Tier::Monthly,
                Some("yearly") => Tier::Yearly,
                // `daily`, and what nobody can read: no slot is claimed by that.
                _ => Tier::Daily,
            },
            hold: tag(tags::HOLD).map(str::to_owned),
            owner,
            status: snapshot.status.clone(),
            uses,
        }
    }

    /// Whether Holdfast made it.
    pub fn is_ours(&self) -> bool {
        matches!(self.owner, Owner::Operation(_))
    }
}

/// A time as a person reads it.
pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
