//! A decision as it travels: to the person who reads the plan, and into the metadata bucket.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::backup::{Backup, Proof};
use super::quota::Forecast;
use super::reason::Reason;
use super::{Decision, Deleted, Kept, Policy};
use crate::health::NamedCause;
use crate::ids::Region;
use crate::request::Tier;

/// Whether backups are deleted, or only said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing is deleted.
    Plan,
    /// What the plan says is deleted, each after another look.
    Delete,
}

/// What becomes of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fate {
    /// It stays.
    Keep,
    /// It goes.
    Delete,
}

/// One backup and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where it lies.
    pub region: Region,
    /// The database.
    pub database_id: String,
    /// Its identifier.
    pub snapshot_id: String,
    /// When its data is from.
    pub taken_at: Option<Timestamp>,
    /// What its validation found.
    pub verdict: Proof,
    /// The tier it was taken as.
    pub tier: Tier,
    /// Whether Holdfast made it.
    pub ours: bool,
    /// What becomes of it.
    pub fate: Fate,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// Until when the rules keep it, if every period to come has a proven backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
}

impl Entry {
    fn new(backup: &Backup, fate: Fate, reasons: Vec<Reason>, until: Option<Timestamp>) -> Self {
        Entry {
            region: backup.region.clone(),
            database_id: backup.database.clone(),
            snapshot_id: backup.id.clone(),
            taken_at: backup.taken_at,
            verdict: backup.proof.clone(),
            tier: backup.tier,
            ours: backup.is_ours(),
            fate,
            reasons,
            until,
        }
    }

    /// By Region and database, what is not ours last, the newest first.
    fn order(&self) -> impl Ord + use<> {
        let newest_first = std::cmp::Reverse((self.taken_at, self.snapshot_id.clone()));
        (self.region.clone(), !self.ours, self.database_id.clone(), newest_first)
    }
}

impl From<&Kept> for Entry {
    fn from(kept: &Kept) -> Self {
        let reasons = kept.reasons.iter().map(Reason::from).collect();
        Entry::new(&kept.backup, Fate::Keep, reasons, kept.until)
    }
}

impl From<&Deleted> for Entry {
    fn from(deleted: &Deleted) -> Self {
        Entry::new(&deleted.backup, Fate::Delete, vec![Reason::from(&deleted.reason)], None)
    }
}

/// What came of one deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeletionResult {
    /// RDS deleted it.
    Deleted,
    /// It was gone already.
    Gone,
    /// The second look, or RDS itself, said that it must stay.
    Kept,
    /// It is not known, or it was not tried.
    NotDone,
}

/// What came of one deletion, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// Where.
    pub region: Region,
    /// Its identifier.
    pub snapshot_id: String,
    /// What came of it.
    pub result: DeletionResult,
    /// Why, in one sentence.
    pub why: String,
}

/// How many there are of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Backups of Holdfast's that stay.
    pub keep: u64,
    /// Backups that go.
    pub delete: u64,
    /// Manual snapshots that are not Holdfast's; they stay.
    pub not_ours: u64,
}

/// Something that could not be looked at or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where.
    pub region: Region,
    /// The error's name and sentence.
    #[serde(flatten)]
    pub error: NamedCause,
}

/// The plan: every backup with its reasons, and what was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// When it was made.
    pub planned_at: Timestamp,
    /// Whether it was carried out.
    pub action: Action,
    /// By which rules.
    pub policy: Policy,
    /// Rules of single databases, by the protection plan.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub own_policies: BTreeMap<String, Policy>,
    /// How many there are of each.
    pub totals: Totals,
    /// Every backup, by Region, database and age.
    pub backups: Vec<Entry>,
    /// Backups that the plan has beyond `backups`; the whole plan lies in the metadata bucket.
    #[serde(default)]
    pub omitted: u64,
    /// What became of the deletions.
    #[serde(default)]
    pub deletions: Vec<Deletion>,
    /// Region by Region, when the quota of manual snapshots is reached.
    pub quotas: Vec<Forecast>,
    /// What could not be looked at or done.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Where the whole plan lies in the metadata bucket.
    pub document_key: String,
}

impl Plan {
    /// Every backup of `decision`, in order, and how many there are.
    pub fn list(decision: &Decision) -> (Vec<Entry>, Totals) {
        let mut entries: Vec<Entry> = decision.keep.iter().map(Entry::from).collect();
        entries.extend(decision.delete.iter().map(Entry::from));
        entries.sort_by_cached_key(Entry::order);
        let count =
            |wanted: &dyn Fn(&Entry) -> bool| entries.iter().filter(|entry| wanted(entry)).count() as u64;
        let totals = Totals {
            keep: count(&|entry| entry.ours && entry.fate == Fate::Keep),
            delete: count(&|entry| entry.fate == Fate::Delete),
            not_ours: count(&|entry| !entry.ours),
        };
        (entries, totals)
    }

    /// The same with at most `most` backups and as many deletions, those to be deleted first.
    #[must_use]
    pub fn bounded(mut self, most: usize) -> Self {
        if self.backups.len() > most {
            self.backups.sort_by_key(|entry| (entry.fate == Fate::Keep, !entry.ours));
            self.omitted += (self.backups.len() - most) as u64;
            self.backups.truncate(most);
            self.backups.sort_by_cached_key(Entry::order);
        }
        self.deletions.truncate(most);
        self
    }
}
