//! Which backups are kept and which are deleted, each with its reasons: one pure function.
//!
//! Grandfather, father, son, for every database in every Region by itself. `docs/retention.md` says what the rules
//! are and why; [`decide`] is the only place that applies them. It does not depend on the order of its input, and it
//! deletes nothing more when what it decided to delete is gone.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

mod backup;
mod period;
mod plan;
mod policy;
mod quota;
mod reason;
mod slots;

pub use backup::{Backup, Owner, Proof};
pub use period::{Period, Span};
pub use plan::{Action, Deletion, DeletionResult, Entry, Fate, Plan, Problem, Totals};
pub use policy::{Policies, Policy, PolicyChange};
pub use quota::{Forecast, forecast};
pub use reason::{Delete, Keep, NoSlot, Reason};
use slots::{Candidate, Place, Table};

use crate::rds::SnapshotStatus;

/// A backup that is kept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// It.
    pub backup: Backup,
    /// Every reason; never empty.
    pub reasons: Vec<Keep>,
    /// Until when the rules keep it, if every period to come has a proven backup; `None` when something else keeps it,
    /// which has no end that is known.
    pub until: Option<Timestamp>,
}

/// A backup that is deleted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// It.
    pub backup: Backup,
    /// Why nothing keeps it.
    pub reason: Delete,
}

/// What becomes of each backup; by Region, database and age, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// These stay.
    pub keep: Vec<Kept>,
    /// These go.
    pub delete: Vec<Deleted>,
}

/// Decides what becomes of each of `backups`, of whatever databases and Regions they are.
pub fn decide(backups: &[Backup], policy: &Policy, now: Timestamp) -> Decision {
    decide_by(backups, |_| policy, now)
}

/// The same where databases have rules of their own.
pub fn decide_each(backups: &[Backup], policies: &Policies, now: Timestamp) -> Decision {
    decide_by(backups, |database| policies.of(database), now)
}

fn decide_by<'a>(backups: &[Backup], policy: impl Fn(&str) -> &'a Policy, now: Timestamp) -> Decision {
    let mut times_listed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut lines: BTreeMap<(&str, &str), Vec<&Backup>> = BTreeMap::new();
    for backup in backups {
        *times_listed.entry(&backup.arn).or_default() += 1;
        lines.entry((backup.region.as_str(), &backup.database)).or_default().push(backup);
    }
    let mut decision = Decision::default();
    for ((_, database), mut line) in lines {
        line.sort_by(|one, other| (other.taken_at, &other.arn).cmp(&(one.taken_at, &one.arn)));
        let twice = |backup: &Backup| times_listed.get(backup.arn.as_str()).is_some_and(|times| *times > 1);
        let line = Line::new(&line, policy(database), now, twice);
        for backup in &line.backups {
            line.judge(backup, twice(backup), &mut decision);
        }
    }
    decision
}

/// The backups of one database in one Region.
struct Line<'a> {
    backups: Vec<&'a Backup>,
    policy: &'a Policy,
    now: Timestamp,
    tables: Vec<Table<'a>>,
    newest_valid: Option<&'a str>,
    /// The ARNs of those that are left in any case.
    minimum: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// `backups` are sorted, the newest first.
    fn new(
        backups: &[&'a Backup],
        policy: &'a Policy,
        now: Timestamp,
        twice: impl Fn(&Backup) -> bool,
    ) -> Self {
        let candidates: Vec<Candidate<'a>> =
            backups.iter().filter_map(|backup| candidate(backup, twice(backup), now)).collect();
        let tables = Span::ALL
            .into_iter()
            .filter(|span| policy.count(*span) > 0)
            .map(|span| Table::new(span, policy.count(span), &candidates));
        let of = |wanted: fn(&Candidate<'a>) -> bool| candidates.iter().filter(move |found| wanted(found));
        // Proven ones first, refused ones last, the newest of each first.
        let in_order = of(Candidate::is_valid)
            .chain(of(Candidate::may_stand_in))
            .chain(of(|candidate| candidate.backup.proof == Proof::Invalid));
        let minimum = usize::try_from(policy.minimum).unwrap_or(usize::MAX);
        Line {
            backups: backups.to_vec(),
            policy,
            now,
            tables: tables.collect(),
            newest_valid: of(Candidate::is_valid).next().map(|newest| newest.backup.arn.as_str()),
            minimum: in_order.take(minimum).map(|candidate| candidate.backup.arn.as_str()).collect(),
        }
    }

    fn judge(&self, backup: &Backup, twice: bool, decision: &mut Decision) {
        let mut reasons = protections(backup, twice, self.now);
        let mut until = None;
        let Some(candidate) = candidate(backup, twice, self.now) else {
            decision.keep.push(Kept { backup: backup.clone(), reasons, until });
            return;
        };
        let protected = !reasons.is_empty();
        if self.newest_valid == Some(backup.arn.as_str()) {
            reasons.push(Keep::NewestValid);
        }
        let no_slot = self.slots(&candidate, &mut reasons, &mut until);
        if self.minimum.contains(&backup.arn.as_str()) {
            reasons.push(Keep::Minimum { minimum: self.policy.minimum });
        }
        let inspected_until = (backup.proof != Proof::Valid).then(|| {
            let days = SignedDuration::from_hours(24 * i64::from(self.policy.inspection_days));
            candidate.taken_at.saturating_add(days).unwrap_or(Timestamp::MAX)
        });
        if let Some(end) = inspected_until.filter(|end| *end > self.now) {
            reasons.push(Keep::Inspection { until: end });
            until = until.max(Some(end));
        }
        if reasons.is_empty() {
            let reason = Delete { proof: backup.proof.clone(), no_slot, inspected_until };
            decision.delete.push(Deleted { backup: backup.clone(), reason });
        } else {
            let until = until.filter(|_| !protected);
            decision.keep.push(Kept { backup: backup.clone(), reasons, until });
        }
    }

    /// Rule by rule: adds a reason for each slot that the candidate fills; the answer is why it fills no other.
    fn slots(
        &self,
        candidate: &Candidate<'_>,
        reasons: &mut Vec<Keep>,
        until: &mut Option<Timestamp>,
    ) -> Vec<NoSlot> {
        let mut no_slot = Vec::new();
        if candidate.backup.proof == Proof::Invalid {
            return no_slot;
        }
        for table in &self.tables {
            let (span, count) = (table.span, table.count);
            match table.place(candidate) {
                Place::Fills { period, until: end } => {
                    reasons.push(Keep::Slot { period, span, stands_in: !candidate.is_valid() });
                    *until = (*until).max(Some(end));
                }
                Place::Taken { period, by } => {
                    no_slot.push(NoSlot { period, span, count, taken_by: Some(by) });
                }
                Place::Past { period } => no_slot.push(NoSlot { period, span, count, taken_by: None }),
            }
        }
        no_slot
    }
}

/// A backup that the rules apply to: one that can be restored from now, and whose age and verdict are sure. Whatever
/// is none has a reason among its [`protections`].
fn candidate(backup: &Backup, twice: bool, now: Timestamp) -> Option<Candidate<'_>> {
    let sure = backup.is_ours()
        && backup.status == SnapshotStatus::Available
        && backup.proof != Proof::Unknown
        && !twice;
    let taken_at = backup.taken_at.filter(|taken_at| sure && *taken_at <= now)?;
    Some(Candidate { backup, taken_at })
}

/// What keeps a backup whatever the rules say.
fn protections(backup: &Backup, twice: bool, now: Timestamp) -> Vec<Keep> {
    let mut reasons = Vec::new();
    match &backup.owner {
        Owner::Operation(_) => {}
        Owner::Nobody => reasons.push(Keep::NotOurs { renamed_from: None }),
        Owner::Renamed(from) => reasons.push(Keep::NotOurs { renamed_from: Some(from.to_string()) }),
    }
    if twice {
        reasons.push(Keep::ListedTwice);
    }
    if let Some(why) = &backup.hold {
        reasons.push(Keep::OnHold { why: why.clone() });
    }
    reasons.extend(backup.uses.iter().map(|by| Keep::InUse { by: by.clone() }));
    let status = match &backup.status {
        SnapshotStatus::Available => None,
        SnapshotStatus::Creating => Some("creating"),
        SnapshotStatus::Failed => Some("failed"),
        SnapshotStatus::Other(word) => Some(word.as_str()),
    };
    reasons.extend(status.map(|status| Keep::NotAvailable { status: status.to_owned() }));
    match backup.taken_at {
        None => reasons.push(Keep::TimeMissing),
        Some(taken_at) if taken_at > now => reasons.push(Keep::TimeInFuture { taken_at }),
        Some(_) => {}
    }
    if backup.is_ours() && backup.proof == Proof::Unknown {
        reasons.push(Keep::VerdictUnknown);
    }
    reasons
}
