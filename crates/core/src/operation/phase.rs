//! Where an operation can be, and which steps lead from one place to the next.

use serde::{Deserialize, Serialize};

/// What kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A snapshot, proven and copied.
    Backup,
    /// A database, brought back.
    Restore,
    /// A backup that is there, copied to further Regions.
    Replication,
}

impl Kind {
    /// The word kept in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Backup => "BACKUP",
            Kind::Restore => "RESTORE",
            Kind::Replication => "REPLICATION",
        }
    }

    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Backup, Kind::Restore, Kind::Replication];

    /// Where an operation of this kind begins.
    pub(super) fn first_phase(self) -> Phase {
        match self {
            Kind::Backup => Phase::HealthChecking,
            Kind::Restore | Kind::Replication => Phase::Planning,
        }
    }
}

/// Where an operation is. The last three are end states and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Source, keys and quotas are looked at; nothing exists yet.
    HealthChecking,
    /// The snapshot is being taken.
    Snapshotting,
    /// The snapshot is restored and checked.
    Validating,
    /// Copies go to the target Regions.
    Replicating,
    /// The recovery point is looked for, and everything that the restore refers to; nothing exists yet.
    Planning,
    /// The database is being restored.
    Restoring,
    /// What was restored and proven takes the place of what is there.
    Swapping,
    /// It did not do there: what was there before gets its place back.
    UndoingSwap,
    /// Temporary resources are removed.
    CleaningUp,
    /// Everything that was wanted is there, and the proof where one was wanted.
    Succeeded,
    /// The snapshot, or the restored database, is there, but something named in the record is missing.
    Partial,
    /// There is no backup, or no database, to rely on; the record says why.
    Failed,
}

impl Phase {
    /// Every phase of every kind of operation.
    pub const ALL: [Phase; 12] = [
        Phase::HealthChecking,
        Phase::Snapshotting,
        Phase::Validating,
        Phase::Replicating,
        Phase::Planning,
        Phase::Restoring,
        Phase::Swapping,
        Phase::UndoingSwap,
        Phase::CleaningUp,
        Phase::Succeeded,
        Phase::Partial,
        Phase::Failed,
    ];

    /// The word kept in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::HealthChecking => "HEALTH_CHECKING",
            Phase::Snapshotting => "SNAPSHOTTING",
            Phase::Validating => "VALIDATING",
            Phase::Replicating => "REPLICATING",
            Phase::Planning => "PLANNING",
            Phase::Restoring => "RESTORING",
            Phase::Swapping => "SWAPPING",
            Phase::UndoingSwap => "UNDOING_SWAP",
            Phase::CleaningUp => "CLEANING_UP",
            Phase::Succeeded => "SUCCEEDED",
            Phase::Partial => "PARTIAL",
            Phase::Failed => "FAILED",
        }
    }

    /// Whether it is an end state.
    pub fn is_end(self) -> bool {
        match self {
            Phase::Succeeded | Phase::Partial | Phase::Failed => true,
            Phase::HealthChecking
            | Phase::Snapshotting
            | Phase::Validating
            | Phase::Replicating
            | Phase::Planning
            | Phase::Restoring
            | Phase::Swapping
            | Phase::UndoingSwap
            | Phase::CleaningUp => false,
        }
    }

    /// Forward by one, or to the clean-up from anywhere that is not an end.
    pub(super) fn may_advance_to(self, kind: Kind, to: Phase) -> bool {
        match (kind, self, to) {
            (Kind::Backup, Phase::HealthChecking, Phase::Snapshotting)
            | (Kind::Backup, Phase::Snapshotting, Phase::Validating)
            | (Kind::Backup, Phase::Validating, Phase::Replicating)
            | (Kind::Restore, Phase::Planning, Phase::Restoring)
            | (Kind::Restore, Phase::Restoring, Phase::Validating)
            | (Kind::Restore, Phase::Validating, Phase::Swapping)
            | (Kind::Restore, Phase::Swapping, Phase::UndoingSwap)
            | (Kind::Replication, Phase::Planning, Phase::Replicating) => true,
            (_, from, Phase::CleaningUp) => !from.is_end() && from != Phase::CleaningUp,
            _ => false,
        }
    }
}
