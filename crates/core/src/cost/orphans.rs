//! What costs and nobody needs. Nothing is deleted by it: each has its reason, and says what a person can do.
//!
//! What may be needed is not listed: what an operation that goes on could use, what retention keeps, what somebody holds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::bill;
use super::prices::PriceTable;
use crate::error::Result;
use crate::health::NamedCause;
use crate::ids::{OperationId, Region};
use crate::rds::{Instance, Snapshot, SnapshotStatus};
use crate::retention::{Action, Backup, Owner, Policies, decide_each};
use crate::tags;

const TEMPORARY: &str = "hfv-";
/// What Holdfast's snapshots are named like.
const SNAPSHOT: &str = "holdfast-";
/// Hexadecimal digits at the end of the names of a swap.
const DIGITS: usize = 10;
/// From this length on, a name of a swap may have lost the end of the database's.
const CUT_FROM: usize = 62;

/// An instance, and what of it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSeen {
    /// It.
    pub instance: Instance,
    /// Allocated storage, GiB; `None` when it was not asked for or is not known.
    pub allocated_gib: Option<u32>,
    /// Whether there are two of it; `None` when it was not asked for or is not known.
    pub multi_az: Option<bool>,
}

/// What one Region has.
#[derive(Debug, Clone)]
pub struct RegionSeen {
    /// Its instances.
    pub instances: Result<Vec<InstanceSeen>>,
    /// Its manual snapshots.
    pub snapshots: Result<Vec<Snapshot>>,
}

/// What is known of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Its record says that it has ended.
    Ended,
    /// Its record says that it has not.
    Running,
    /// There is none: it has expired, or never was; a validation by itself has none.
    Missing,
}

/// Everything that was looked at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When.
    pub now: Timestamp,
    /// Where Holdfast runs.
    pub home: Region,
    /// By Region.
    pub regions: BTreeMap<Region, RegionSeen>,
    /// What became of the [`operations`].
    pub records: BTreeMap<OperationId, Result<Record>>,
    /// Databases with an operation that has not ended.
    pub busy: Result<BTreeSet<String>>,
    /// What retention keeps.
    pub policies: Result<Policies>,
    /// What the daily run does with the rest.
    pub pruning: Action,
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrphanKind {
    /// An instance of a validation.
    TemporaryInstance,
    /// `{database}-old-{digits}`.
    KeptBySwap,
    /// `{database}-new-{digits}`.
    RestoredBeside,
    /// A snapshot or a copy.
    Snapshot,
}

impl OrphanKind {
    /// As the output has it.
    pub fn as_str(self) -> &'static str {
        match self {
            OrphanKind::TemporaryInstance => "temporary-instance",
            OrphanKind::KeptBySwap => "kept-by-swap",
            OrphanKind::RestoredBeside => "restored-beside",
            OrphanKind::Snapshot => "snapshot",
        }
    }
}

/// Something that costs and that nobody needs, as far as is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// What kind of thing.
    pub kind: OrphanKind,
    /// Where.
    pub region: Region,
    /// Its identifier.
    pub id: String,
    /// Whether nothing speaks for it; else a person has to look.
    pub certain: bool,
    /// Why it is listed.
    pub why: String,
    /// Since when it costs; `None` when that is not known.
    pub since: Option<Timestamp>,
    /// What it costs a month by the table of list prices; `None` when that is not known.
    pub monthly: Option<f64>,
    /// How that was made, or why it is not known.
    pub monthly_from: String,
    /// What to do.
    pub advice: String,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unseen {
    /// Where.
    pub region: Region,
    /// What.
    pub what: String,
    /// Why.
    pub error: NamedCause,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// By Region and kind.
    pub orphans: Vec<Orphan>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

/// The operations whose records decide: those of temporary instances, and of snapshots that retention does not keep or does
/// not judge.
pub fn operations(
    regions: &BTreeMap<Region, RegionSeen>,
    policies: &Result<Policies>,
    now: Timestamp,
) -> BTreeSet<OperationId> {
    let mut all = BTreeSet::new();
    for seen in regions.values() {
        let instances = seen.instances.iter().flatten().map(|seen| &seen.instance);
        all.extend(instances.filter(|one| is_temporary(one)).filter_map(|one| operation(&one.tags)));
        for snapshot in seen.snapshots.iter().flatten() {
            let backup = Backup::new(snapshot, vec![]);
            if !backup.is_ours() || backup.status != SnapshotStatus::Available {
                all.extend(operation(&snapshot.tags).or_else(|| named(&snapshot.id)));
            }
        }
        if let (Ok(snapshots), Ok(policies)) = (&seen.snapshots, policies) {
            let unkept = not_kept(snapshots, policies, now);
            all.extend(unkept.iter().filter_map(|snapshot| operation(&snapshot.tags)));
        }
    }
    all
}

fn operation(tags: &tags::Tags) -> Option<OperationId> {
    OperationId::parse(tags.get(tags::OPERATION)?).ok()
}

/// The operation that a snapshot is named after.
fn named(id: &str) -> Option<OperationId> {
    OperationId::parse(id.strip_prefix(SNAPSHOT)?).ok()
}

fn is_temporary(instance: &Instance) -> bool {
    instance.id.starts_with(TEMPORARY) || instance.tags.contains_key(tags::TEMPORARY)
}

/// The snapshots of one Region that no rule keeps.
fn not_kept<'a>(snapshots: &'a [Snapshot], policies: &Policies, now: Timestamp) -> Vec<&'a Snapshot> {
    let backups: Vec<Backup> = snapshots.iter().map(|snapshot| Backup::new(snapshot, vec![])).collect();
    let decision = decide_each(&backups, policies, now);
    let gone: BTreeSet<&str> = decision.delete.iter().map(|one| one.backup.arn.as_str()).collect();
    snapshots.iter().filter(|snapshot| gone.contains(snapshot.arn.as_str())).collect()
}

/// Finds what costs and nobody needs.
pub fn find(facts: &Facts, prices: &PriceTable) -> Found {
    let mut finder = Finder { facts, prices, found: Found::default() };
    if let Err(error) = &facts.busy {
        finder.unseen(&facts.home, "operations that have not ended", error);
    }
    if let Err(error) = &facts.policies {
        finder.unseen(&facts.home, "the retention of the protection plan", error);
    }
    for (id, record) in &facts.records {
        if let Err(error) = record {
            finder.unseen(&facts.home, &format!("the record of {id}"), error);
        }
    }
    for (region, seen) in &facts.regions {
        match &seen.instances {
            Err(error) => finder.unseen(region, "instances", error),
            Ok(instances) => instances.iter().for_each(|one| finder.instance(region, one, instances)),
        }
        match &seen.snapshots {
            Err(error) => finder.unseen(region, "snapshots", error),
            Ok(snapshots) => finder.snapshots(region, snapshots),
        }
    }
    finder.found.orphans.sort_by(|one, other| {
        (&one.region, one.kind, !one.certain, &one.id).cmp(&(
            &other.region,
            other.kind,
            !other.certain,
            &other.id,
        ))
    });
    finder.found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SwapName {
    Old,
    New,
}

/// The database that a name of a swap was made of, or its beginning.
fn of_swap(id: &str) -> Option<(&str, SwapName)> {
    let (stem, digits) = id.rsplit_once('-')?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if digits.len() != DIGITS || !hexadecimal {
        return None;
    }
    let old = stem.strip_suffix("-old").map(|database| (database, SwapName::Old));
    old.or_else(|| Some((stem.strip_suffix("-new")?, SwapName::New)))
}

/// Whether the operation that made `new` is the one whose digits `old` was renamed with.
fn swapped_out(old: &Instance, new: &Instance) -> bool {
    let digits = old.id.rsplit('-').next().unwrap_or_default();
    operation(&new.tags).is_some_and(|operation| operation.as_str().ends_with(&format!("-{digits}")))
}

struct Finder<'a> {
    facts: &'a Facts,
    prices: &'a PriceTable,
    found: Found,
}

struct Reason {
    certain: bool,
    why: String,
    advice: String,
}

impl Finder<'_> {
    fn unseen(&mut self, region: &Region, what: &str, error: &crate::Error) {
        let error = NamedCause::from(error);
        self.found.unseen.push(Unseen { region: region.clone(), what: what.to_owned(), error });
    }

    /// What the record of an operation says; an error when it could not be read or was not asked for.
    fn record(&self, id: &OperationId) -> Option<&Record> {
        self.facts.records.get(id)?.as_ref().ok()
    }

    fn instance(&mut self, region: &Region, seen: &InstanceSeen, all: &[InstanceSeen]) {
        let instance = &seen.instance;
        if instance.status == "deleting" {
            return;
        }
        let (kind, reason) = if is_temporary(instance) {
            (OrphanKind::TemporaryInstance, self.temporary(instance))
        } else if let Some((database, which)) = of_swap(&instance.id) {
            let kind = match which {
                SwapName::Old => OrphanKind::KeptBySwap,
                SwapName::New => OrphanKind::RestoredBeside,
            };
            (kind, self.of_swap(instance, database, which, all))
        } else {
            return;
        };
        let Some(reason) = reason else { return };
        // The old one of a swap may carry the time of an earlier restore: the one that took its name carries that of the swap.
        let made = match kind {
            OrphanKind::KeptBySwap => {
                all.iter().map(|one| &one.instance).find(|one| swapped_out(instance, one))
            }
            OrphanKind::TemporaryInstance | OrphanKind::RestoredBeside | OrphanKind::Snapshot => {
                Some(instance)
            }
        };
        let since = made.and_then(|made| made.tags.get(tags::REQUESTED_AT)?.parse().ok());
        let cost = bill::instance(self.prices, region, seen);
        self.push(kind, region, &instance.id, reason, since, cost);
    }

    fn push(
        &mut self,
        kind: OrphanKind,
        region: &Region,
        id: &str,
        reason: Reason,
        since: Option<Timestamp>,
        (monthly, monthly_from): (Option<f64>, String),
    ) {
        let Reason { certain, why, advice } = reason;
        let (region, id) = (region.clone(), id.to_owned());
        self.found.orphans.push(Orphan {
            kind,
            region,
            id,
            certain,
            why,
            since,
            monthly,
            monthly_from,
            advice,
        });
    }

    /// Why a temporary instance is listed; `None` while it may be needed.
    fn temporary(&self, instance: &Instance) -> Option<Reason> {
        let unsure = |why: &str| {
            let advice = "see whose it is; the sweep leaves it alone (docs/runbooks/a-temporary-instance-is-left-over.md)";
            Some(Reason { certain: false, why: why.to_owned(), advice: advice.to_owned() })
        };
        if !instance.id.starts_with(TEMPORARY) {
            return unsure("it is tagged as temporary and has another name than a validation's instance");
        }
        let Some(operation) =
            operation(&instance.tags).filter(|_| instance.tags.contains_key(tags::TEMPORARY))
        else {
            return unsure("it is called like a validation's instance and lacks the tags of one");
        };
        let Some(expires) = instance.tags.get(tags::EXPIRES_AT).and_then(|at| at.parse::<Timestamp>().ok())
        else {
            return unsure("nobody can read when it expires");
        };
        let sure = |why: String| {
            let advice =
                "sweep-temporary deletes it within the hour after it expired; where it does not, see its log";
            Some(Reason { certain: true, why, advice: advice.to_owned() })
        };
        if expires <= self.facts.now {
            return sure(format!("it expired at {}", expires.strftime("%Y-%m-%d %H:%MZ")));
        }
        match self.record(&operation)? {
            Record::Running => None,
            Record::Ended => sure(format!("its operation {operation} has ended")),
            Record::Missing => unsure(&format!(
                "its operation {operation} has no record: a validation by itself has none, and it may still run until {}",
                expires.strftime("%Y-%m-%d %H:%MZ")
            )),
        }
    }

    /// Why what a swap made or moved is listed; `None` while an operation of its database goes on, or nobody knows.
    fn of_swap(
        &self,
        instance: &Instance,
        database: &str,
        which: SwapName,
        all: &[InstanceSeen],
    ) -> Option<Reason> {
        let is_it = |id: &str| id == database || (instance.id.len() >= CUT_FROM && id.starts_with(database));
        let busy = self.facts.busy.as_ref().ok()?;
        if busy.iter().any(|id| is_it(id)) {
            return None;
        }
        let there = all.iter().any(|one| is_it(&one.instance.id) && of_swap(&one.instance.id).is_none());
        let why = match (which, there) {
            (SwapName::Old, true) => {
                format!("a swap of {database} kept it, no operation goes on, and nothing ever deletes it")
            }
            (SwapName::New, true) => {
                format!(
                    "it was restored beside {database}, no operation goes on, and it did not take its place"
                )
            }
            (SwapName::Old, false) => {
                format!("it is called like what a swap of {database} keeps, and there is no {database} here")
            }
            (SwapName::New, false) => {
                format!(
                    "it is called like what is restored beside {database}, and there is no {database} here"
                )
            }
        };
        let advice = if there {
            "look whether it holds what the database lacks; when nobody needs it, delete it with a final snapshot"
        } else {
            "it may be all that is left: look before anything else (docs/runbooks/a-database-is-lost.md)"
        };
        // What is in it may be in nothing else, whatever its name says: only somebody who looks can know.
        Some(Reason { certain: false, why, advice: advice.to_owned() })
    }

    fn snapshots(&mut self, region: &Region, snapshots: &[Snapshot]) {
        // That nobody knows what is kept, or what goes on, is said.
        let unkept = match (&self.facts.policies, self.facts.pruning) {
            (Ok(policies), Action::Plan) => not_kept(snapshots, policies, self.facts.now),
            // What no rule keeps goes with the next daily run.
            (Ok(_), Action::Delete) | (Err(_), _) => vec![],
        };
        let unkept: BTreeSet<&str> = unkept.into_iter().map(|snapshot| snapshot.arn.as_str()).collect();
        for snapshot in snapshots {
            let backup = Backup::new(snapshot, vec![]);
            let reason = if unkept.contains(snapshot.arn.as_str()) {
                self.unkept(&backup)
            } else {
                self.unjudged(snapshot, &backup)
            };
            let Some(reason) = reason.filter(|_| !self.is_in_use(snapshot)) else { continue };
            let cost = bill::snapshot(self.prices, region, snapshot);
            self.push(OrphanKind::Snapshot, region, &snapshot.id, reason, snapshot.taken_at, cost);
        }
    }

    /// A backup that retention decided to delete, in a deployment that deletes nothing.
    fn unkept(&self, backup: &Backup) -> Option<Reason> {
        let Owner::Operation(operation) = &backup.owner else { return None };
        if *self.record(operation)? == Record::Running {
            return None;
        }
        let mut why =
            "no rule of retention keeps it, and prune-backups is deployed to delete nothing".to_owned();
        if self.is_without_source(operation) {
            why.push_str("; the backup that it is a copy of is gone");
        }
        let advice = format!("holdfast prune {} --delete, or deploy PruneBackups=delete", backup.database);
        Some(Reason { certain: true, why, advice })
    }

    /// Whether home could be looked at and has no snapshot of this operation.
    fn is_without_source(&self, operation: &OperationId) -> bool {
        let home = self.facts.regions.get(&self.facts.home).map(|seen| &seen.snapshots);
        matches!(home, Some(Ok(all)) if !all.iter().any(|one| one.id == operation.snapshot_id()))
    }

    /// What retention does not judge and leaves alone for ever.
    fn unjudged(&self, snapshot: &Snapshot, backup: &Backup) -> Option<Reason> {
        if backup.hold.is_some() {
            return None;
        }
        let goes_on = |id: &OperationId| match self.record(id) {
            Some(Record::Running) | None => true,
            Some(Record::Ended | Record::Missing) => false,
        };
        let reason = |certain: bool, why: String, advice: &str| {
            Some(Reason { certain, why, advice: advice.to_owned() })
        };
        match (&backup.owner, &backup.status) {
            (Owner::Operation(id), SnapshotStatus::Failed) if !goes_on(id) => reason(
                true,
                format!("it failed and cannot be restored, and its operation {id} has ended"),
                "delete it; whether a failed snapshot is billed, AWS does not say",
            ),
            (Owner::Renamed(id), _) if !goes_on(id) => reason(
                false,
                format!("somebody copied it from a backup of {id}; retention never judges it"),
                "ask who made it; else delete it, or tag it holdfast:hold with the reason",
            ),
            (Owner::Nobody, _) if named(&snapshot.id).is_some_and(|id| !goes_on(&id)) => reason(
                false,
                "it is called like a backup and lacks the tag of its operation: retention never judges it"
                    .to_owned(),
                "set the tag holdfast:operation (holdfast doctor says more), or delete it",
            ),
            (Owner::Operation(_) | Owner::Renamed(_) | Owner::Nobody, _) => None,
        }
    }

    /// Whether it is being restored or copied, or an operation of its database goes on; what is not known is a use.
    fn is_in_use(&self, snapshot: &Snapshot) -> bool {
        // RDS says of what a copy is made only where that lies in another Region or account.
        let may_be = |other: &Snapshot| {
            other.source_arn.is_none()
                && (&other.region, &other.instance_id) == (&snapshot.region, &snapshot.instance_id)
                && other.arn != snapshot.arn
        };
        let copied = |other: &Snapshot| {
            other.status == SnapshotStatus::Creating
                && (other.source_arn.as_deref() == Some(&*snapshot.arn) || may_be(other))
        };
        let copied = |seen: &RegionSeen| match &seen.snapshots {
            Ok(all) => all.iter().any(copied),
            Err(_) => true,
        };
        let validated = |seen: &RegionSeen| {
            let of = |instance: &Instance| {
                instance.id.starts_with(TEMPORARY)
                    && instance.tags.get(tags::DATABASE) == snapshot.tags.get(tags::DATABASE)
            };
            match &seen.instances {
                Ok(all) => all.iter().any(|seen| of(&seen.instance)),
                Err(_) => true,
            }
        };
        let busy = match &self.facts.busy {
            Ok(busy) => busy.contains(snapshot.database()),
            Err(_) => true,
        };
        let here = self.facts.regions.get(&snapshot.region);
        busy || self.facts.regions.values().any(copied) || here.is_some_and(validated)
    }
}

#[cfg(test)]
#[path = "orphans_tests.rs"]
mod tests;
