//! A decision as it travels: to the person who reads the plan, and into the metadata bucket.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::backup::{Backup, Proof};
use super::quota::Forecast;
use super::reason::{Keep, Reason};
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

    /// The same with at most `most` backups and as many deletions. The newest proven backup of each database in each Region goes first:
    /// whoever asks what there is to go back to is not told that there is nothing. Then what is to be deleted, then what is kept, the
    /// newest first, and last what is not ours.
    #[must_use]
    pub fn bounded(mut self, most: usize) -> Self {
        if self.backups.len() > most {
            self.backups.sort_by_cached_key(Entry::order);
            let mut seen = std::collections::BTreeSet::new();
            let mut ranked: Vec<(u8, Entry)> = Vec::with_capacity(self.backups.len());
            for entry in std::mem::take(&mut self.backups) {
                // In order, so the first of a line is its newest.
                let proven = entry.ours && entry.verdict == Proof::Valid && entry.is_available();
                let is_newest = proven && seen.insert((entry.region.clone(), entry.database_id.clone()));
                let rank = match entry.fate {
                    _ if is_newest => 0,
                    Fate::Delete => 1,
                    Fate::Keep if entry.ours => 2,
                    Fate::Keep => 3,
                };
                ranked.push((rank, entry));
            }
            ranked.sort_by_key(|(rank, entry)| (*rank, std::cmp::Reverse(entry.taken_at)));
            self.omitted += (ranked.len() - most) as u64;
            ranked.truncate(most);
            self.backups = ranked.into_iter().map(|(_, entry)| entry).collect();
            self.backups.sort_by_cached_key(Entry::order);
        }
        self.deletions.truncate(most);
        self
    }
}

impl Entry {
    /// Whether it is complete: RDS restores what is available, and nothing else.
    pub fn is_available(&self) -> bool {
        let incomplete = Keep::NotAvailable { status: String::new() }.code();
        self.reasons.iter().all(|reason| reason.code != incomplete)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `database day fate verdict whose reason`
    fn entry(line: &str) -> Entry {
        let words: Vec<&str> = line.split(' ').collect();
        serde_json::from_value(json!({
            "region": "us-east-1", "databaseId": words[0], "snapshotId": format!("{}-{}", words[0], words[1]),
            "takenAt": format!("2026-11-{}T06:00:00Z", words[1]), "verdict": words[3], "tier": "daily",
            "ours": words[4] == "ours", "fate": words[2],
            "reasons": [{"code": words.get(5).unwrap_or(&"daily"), "text": ""}]}))
        .unwrap()
    }

    #[test]
    fn what_is_left_out_is_never_the_last_that_can_be_gone_back_to() {
        let lines = [
            "a 09 KEEP VALID ours not-available",
            "a 08 KEEP VALID ours",
            "a 07 KEEP VALID ours",
            "a 03 DELETE VALID ours",
            "a 02 DELETE INVALID ours",
            "b 05 KEEP VALID ours",
            "b 04 KEEP VALID ours",
            "c 06 KEEP VALID other",
        ];
        let kept = |most: usize| {
            let plan = json!({
                "plannedAt": "2026-11-20T12:00:00Z", "action": "plan", "policy": Policy::default(),
                "totals": {"keep": 0, "delete": 0, "notOurs": 0}, "documentKey": "retention/p.json", "backups": [],
                "quotas": []});
            let plan: Plan = serde_json::from_value(plan).unwrap();
            let plan = Plan { backups: lines.map(entry).to_vec(), ..plan }.bounded(most);
            assert_eq!(plan.omitted as usize, lines.len() - most);
            plan.backups.iter().map(|entry| entry.snapshot_id.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept(8), "a-09 a-08 a-07 a-03 a-02 b-05 b-04 c-06");
        assert_eq!(kept(7), "a-09 a-08 a-07 a-03 a-02 b-05 b-04", "first what is not ours");
        assert_eq!(kept(5), "a-09 a-08 a-03 a-02 b-05", "then the oldest that is kept");
        assert_eq!(kept(2), "a-08 b-05");
    }
}
