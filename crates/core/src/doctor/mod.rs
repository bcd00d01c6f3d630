//! What would fail on the day: the whole path from backup over copy to restore, judged from facts.
//!
//! ```text
//! facts.rs      what was looked at, and what could not be
//! source.rs     the database itself
//! schedules.rs  the schedules that start its backups
//! backups.rs    age, proof, copies, who else can read them, tags
//! quotas.rs     room for snapshots, instances and storage
//! restore.rs    what a restore refers to in each Region, and names that are taken
//! keys.rs       keys, and whether Holdfast's role may use them
//! key_policy.rs what a key's own policy and grants say for certain
//! roles.rs      what the roles of functions, state machines and schedules have to be allowed
//! deployment.rs workflows and functions
//! operations.rs operations that nobody works on
//! ```
//!
//! A check says that something is wrong, or that it is in order, or that it could not be looked at. It never says nothing.

mod backups;
mod deployment;
mod facts;
mod key_policy;
mod keys;
mod operations;
mod quotas;
mod restore;
mod roles;
mod schedules;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ids::{DatabaseId, Region};

pub use backups::{backup_limit_seconds, interval_seconds, newest_valid, own};
pub use facts::{Facts, FunctionFacts, KeyFacts, Live, MachineFacts, Quotas, RegionFacts, SharedWith};
pub use operations::{OpenOperation, Worker};
pub use roles::{Decision, Need, RoleFacts, Where, Whose, Workflow, needs};
pub use schedules::{Course, ScheduleFacts, Times};

/// What is looked at. The words are part of the interface: docs/doctor.md has a line for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The database is there and can be backed up.
    Source,
    /// Its storage is encrypted.
    Encryption,
    /// It has automated backups: without them there is no point in time.
    AutomatedBackups,
    /// It cannot be deleted by mistake.
    DeletionProtection,
    /// No change waits to be made.
    PendingChange,
    /// It is what its newest proven backup would make of it.
    Drift,
    /// A schedule starts its backups.
    Schedule,
    /// Room for snapshots.
    SnapshotQuota,
    /// Room for instances.
    InstanceQuota,
    /// Room for their storage.
    StorageQuota,
    /// A key is there and enabled.
    Key,
    /// Holdfast's role may use it.
    KeyPermission,
    /// The key's own policy does not shut Holdfast's roles out.
    KeyPolicy,
    /// The key has room for grants.
    KeyGrants,
    /// The roles of functions, state machines and schedules may do what these do.
    RolePermission,
    /// The newest backup is young enough.
    BackupAge,
    /// The newest backup is proven.
    BackupProof,
    /// A target Region has what home has.
    Copy,
    /// What the database was made with is kept.
    Blueprint,
    /// How to log in to what comes back is known.
    Login,
    /// Something that a restore refers to.
    Reference,
    /// The name under which it would come back.
    Name,
    /// Names that belong to validations.
    TemporaryName,
    /// Nobody else can restore the snapshots.
    Sharing,
    /// Backups carry the tags by which they are found.
    Tags,
    /// Workflows and functions are deployed.
    Deployment,
    /// Somebody works on every operation that has not ended.
    Operation,
}

impl Check {
    /// Every check.
    pub const ALL: [Check; 27] = [
        Check::Source,
        Check::Encryption,
        Check::AutomatedBackups,
        Check::DeletionProtection,
        Check::PendingChange,
        Check::Drift,
        Check::Schedule,
        Check::SnapshotQuota,
        Check::InstanceQuota,
        Check::StorageQuota,
        Check::Key,
        Check::KeyPermission,
        Check::KeyPolicy,
        Check::KeyGrants,
        Check::RolePermission,
        Check::BackupAge,
        Check::BackupProof,
        Check::Copy,
        Check::Blueprint,
        Check::Login,
        Check::Reference,
        Check::Name,
        Check::TemporaryName,
        Check::Sharing,
        Check::Tags,
        Check::Deployment,
        Check::Operation,
    ];

    /// The word of tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Check::Source => "source",
            Check::Encryption => "encryption",
            Check::AutomatedBackups => "automated-backups",
            Check::DeletionProtection => "deletion-protection",
            Check::PendingChange => "pending-change",
            Check::Drift => "drift",
            Check::Schedule => "schedule",
            Check::SnapshotQuota => "snapshot-quota",
            Check::InstanceQuota => "instance-quota",
            Check::StorageQuota => "storage-quota",
            Check::Key => "key",
            Check::KeyPermission => "key-permission",
            Check::KeyPolicy => "key-policy",
            Check::KeyGrants => "key-grants",
            Check::RolePermission => "role-permission",
            Check::BackupAge => "backup-age",
            Check::BackupProof => "backup-proof",
            Check::Copy => "copy",
            Check::Blueprint => "blueprint",
            Check::Login => "login",
            Check::Reference => "reference",
            Check::Name => "name",
            Check::TemporaryName => "temporary-name",
            Check::Sharing => "sharing",
            Check::Tags => "tags",
            Check::Deployment => "deployment",
            Check::Operation => "operation",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How bad a finding is. The order is that of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    /// A backup, a copy or a restore would fail; or everybody can read a backup already.
    FailsOnTheDay,
    /// It would work, but not as somebody may think.
    Warning,
    /// It could not be looked at: unknown is not success.
    NotChecked,
}

/// One thing that somebody should do something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub region: Region,
    /// What exactly: a key, a group, a snapshot, a schedule.
    pub subject: String,
    /// What would fail, a sentence without its full stop.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// One thing that was looked at and is in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InOrder {
    /// Which check.
    pub check: Check,
    /// Where.
    pub region: Region,
    /// What exactly.
    pub subject: String,
    /// How it is: `3 of 100 used`.
    pub how: String,
}

/// Everything that was found of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The database.
    pub database_id: DatabaseId,
    /// Where it lives.
    pub region: Region,
    /// Where its backups are copied to.
    pub target_regions: Vec<Region>,
    /// What somebody should do something about, the worst first.
    pub findings: Vec<Finding>,
    /// What is in order.
    pub in_order: Vec<InOrder>,
}

impl Diagnosis {
    /// How bad the worst finding is; `None` when there is none.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).min()
    }
}

/// Judges everything that was looked at.
pub fn examine(facts: &Facts) -> Diagnosis {
    let mut notes = Notes { findings: vec![], in_order: vec![] };
    if facts.regions.is_empty() {
        let known: Vec<&str> =
            std::iter::once(&facts.home).chain(facts.targets()).map(Region::as_str).collect();
        let at = At { check: Check::Source, region: &facts.home };
        let what = "nothing was looked at: none of the Regions that were asked for is its own, or one that it is copied to";
        let advice = format!("its Regions are {}", known.join(", "));
        notes.note(at, Severity::NotChecked, facts.database.as_str(), what.to_owned(), advice);
    }
    source::examine(facts, &mut notes);
    schedules::examine(facts, &mut notes);
    backups::examine(facts, &mut notes);
    quotas::examine(facts, &mut notes);
    keys::examine(facts, &mut notes);
    roles::examine(facts, &mut notes);
    restore::examine(facts, &mut notes);
    deployment::examine(facts, &mut notes);
    operations::examine(facts, &mut notes);
    let Notes { mut findings, mut in_order } = notes;
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| {
            (finding.severity, finding.check, finding.region.clone(), finding.subject.clone())
        };
        key(one).cmp(&key(other))
    });
    in_order.sort_by_key(|one| (one.check, one.region.clone(), one.subject.clone()));
    Diagnosis {
        database_id: facts.database.clone(),
        region: facts.home.clone(),
        target_regions: facts.targets().cloned().collect(),
        findings,
        in_order,
    }
}

/// What the checks write down.
struct Notes {
    findings: Vec<Finding>,
    in_order: Vec<InOrder>,
}

/// One check in one Region: what its notes have in common.
#[derive(Clone, Copy)]
struct At<'a> {
    check: Check,
    region: &'a Region,
}

impl Notes {
    fn note(&mut self, at: At<'_>, severity: Severity, subject: &str, what: String, advice: String) {
        self.findings.push(Finding {
            check: at.check,
            severity,
            region: at.region.clone(),
            subject: subject.to_owned(),
            what,
            advice,
        });
    }

    fn fails(&mut self, at: At<'_>, subject: &str, what: impl Into<String>, advice: impl Into<String>) {
        self.note(at, Severity::FailsOnTheDay, subject, what.into(), advice.into());
    }

    fn warns(&mut self, at: At<'_>, subject: &str, what: impl Into<String>, advice: impl Into<String>) {
        self.note(at, Severity::Warning, subject, what.into(), advice.into());
    }

    /// Writes down what could not be looked at.
    fn unknown(&mut self, at: At<'_>, subject: &str, error: &Error) {
        let advice = "docs/doctor.md has the permissions that this needs; ask again when the Region answers";
        let what = format!("not known: {} ({})", error.message, error.kind);
        self.note(at, Severity::NotChecked, subject, what, advice.to_owned());
    }

    fn good(&mut self, at: At<'_>, subject: &str, how: impl Into<String>) {
        self.in_order.push(InOrder {
            check: at.check,
            region: at.region.clone(),
            subject: subject.to_owned(),
            how: how.into(),
        });
    }
}

/// Seconds as a person says them: `45 min`, `13 h`, `3 days`. Rounded down: an age is not overstated.
pub(crate) fn age(seconds: f64) -> String {
    let minutes = (seconds.max(0.0) / 60.0) as u64;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
