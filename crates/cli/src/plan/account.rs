//! What a plan needs of an AWS account.

use std::collections::BTreeMap;

use holdfast_core::protection::ProtectionPlan;
use holdfast_core::retention::Policy;
use holdfast_protection::{Found, Schedule};

use crate::Error;

/// The settings that are stored, and the tag of that version of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    /// The settings.
    pub plan: ProtectionPlan,
    /// The object's ETag.
    pub etag: String,
}

/// Whether settings were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// They were, and this is the tag of that version.
    Done(String),
    /// Something else is there than what was looked at.
    Changed,
}

/// What a plan needs of an AWS account.
pub(super) trait Account {
    /// Every DB instance of the Region.
    async fn instances(&self) -> Result<Vec<Found>, Error>;
    /// Every schedule of the plan's group.
    async fn schedules(&self) -> Result<BTreeMap<String, Schedule>, Error>;
    /// What was applied last.
    async fn stored(&self) -> Result<Option<Stored>, Error>;
    /// How many backups are kept where the plan does not say it; `None` when that is not known.
    async fn deployed(&self) -> Option<Policy>;
    /// Stores settings if what is there is still what `before` says.
    async fn store(&self, plan: &ProtectionPlan, before: Option<&Stored>) -> Result<Written, Error>;
    /// Makes a schedule.
    async fn create(&self, schedule: &Schedule) -> Result<(), Error>;
    /// Makes a schedule be this.
    async fn update(&self, schedule: &Schedule) -> Result<(), Error>;
    /// Deletes a schedule; one that is gone is as good.
    async fn delete(&self, name: &str) -> Result<(), Error>;
}
