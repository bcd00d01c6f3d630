//! What is known of a database when its status is worked out.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Unseen;
use crate::doctor::{SharedWith, backup_limit_seconds};
use crate::error::{Error, Result};
use crate::health::NamedCause;
use crate::ids::{DatabaseId, Region};
use crate::objectives::{Importance, Objectives};
use crate::operation::{RestoreTimings, seconds_between};
use crate::ports::RestoreWindow;
use crate::rds::Snapshot;

/// A restore that brought the database back, as its record has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreSeen {
    /// When the operation began.
    pub started_at: Timestamp,
    /// What was measured.
    pub timings: RestoreTimings,
    /// When it had the database's place, where a swap was asked for: until then nobody found it by its name. `None` where none
    /// was.
    pub in_place_at: Option<Timestamp>,
}

impl RestoreSeen {
    /// Seconds from the start of the operation until what was asked for was there: the database as it was to be, and in its place
    /// where that was wanted.
    pub(super) fn seconds(&self) -> f64 {
        match self.in_place_at {
            Some(in_place_at) => seconds_between(self.started_at, in_place_at),
            None => {
                seconds_between(self.started_at, self.timings.requested_at) + self.timings.settled_seconds
            }
        }
    }
}

/// A backup that was found VALID, as its record has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationSeen {
    /// When it was: the copies that are made afterwards say nothing of that.
    pub validated_at: Timestamp,
    /// Seconds from asking for the temporary instance until its data could be read.
    pub restore_seconds: Option<f64>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// When.
    pub now: Timestamp,
    /// The database.
    pub database: DatabaseId,
    /// Where it lives.
    pub home: Region,
    /// How much it matters.
    pub importance: Importance,
    /// What it is held to.
    pub objectives: Objectives,
    /// Where its backups are copied to.
    pub targets: Vec<Region>,
    /// Whether everything that says so could be read.
    pub targets_seen: Result<()>,
    /// Seconds between two backups, where a schedule says so.
    pub interval_seconds: Result<Option<f64>>,
    /// Whether the database is encrypted; `None` when it is not there.
    pub encrypted: Result<Option<bool>>,
    /// The times that its log reaches; `None` when it has no automated backups.
    pub window: Result<Option<RestoreWindow>>,
    /// Manual snapshots of the database by Region.
    pub snapshots: BTreeMap<Region, Result<Vec<Snapshot>>>,
    /// Who else can restore them, by Region.
    pub shared: BTreeMap<Region, Vec<SharedWith>>,
    /// Proven backups that retention leaves in any case.
    pub minimum: u32,
    /// Restores that brought it back, in any order.
    pub restores: Result<Vec<RestoreSeen>>,
    /// Backups that were found VALID, in any order.
    pub validations: Result<Vec<ValidationSeen>>,
}

impl Facts {
    /// What lies at home, as far as it could be seen; that it could not is in [`Facts::unseen`].
    pub(super) fn at_home(&self) -> &[Snapshot] {
        match self.snapshots.get(&self.home) {
            Some(Ok(snapshots)) => snapshots,
            Some(Err(_)) | None => &[],
        }
    }

    /// How old a backup may be, in seconds.
    pub(super) fn limit_seconds(&self) -> f64 {
        backup_limit_seconds(self.interval_seconds.as_ref().ok().copied().flatten())
    }

    /// What could not be looked at.
    pub(super) fn unseen(&self) -> Vec<Unseen> {
        let unseen = |region: &Region, error: &Error| Unseen {
            region: region.clone(),
            error: NamedCause::from(error),
        };
        let home = |error: Option<&Error>| error.map(|error| unseen(&self.home, error));
        let mut all: Vec<Unseen> = Vec::new();
        all.extend(home(self.targets_seen.as_ref().err()));
        all.extend(home(self.interval_seconds.as_ref().err()));
        all.extend(home(self.encrypted.as_ref().err()));
        all.extend(home(self.window.as_ref().err()));
        all.extend(home(self.restores.as_ref().err()));
        all.extend(home(self.validations.as_ref().err()));
        for (region, seen) in &self.snapshots {
            all.extend(seen.as_ref().err().map(|error| unseen(region, error)));
        }
        for (region, shared) in &self.shared {
            let errors = shared.iter().filter_map(|one| one.accounts.as_ref().err());
            all.extend(errors.map(|error| unseen(region, error)));
        }
        all.dedup();
        all
    }
}
