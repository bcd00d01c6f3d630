//! What is known of the backups, and by what they are in use. What is not known is a use.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::ids::{DatabaseId, OperationId, Region};
use holdfast_core::operation::Kind;
use holdfast_core::ports::{Rds, Store, Unended};
use holdfast_core::rds::{Instance, Snapshot, SnapshotStatus};
use holdfast_core::retention::{Backup, Decision, Owner, Policies, decide_each};
use holdfast_core::{Error, Result, tags};
use jiff::{SignedDuration, Timestamp};

/// No record expires sooner (`Operation::expires_at`): a younger backup without one is not understood.
const RECORDS_LAST_DAYS: i64 = 90;

/// Where facts come from.
pub(crate) struct Facts<'a, R, S> {
    pub rds: &'a R,
    pub store: &'a S,
    pub now: Timestamp,
    pub policies: &'a Policies,
}

/// One look at all Regions.
pub(crate) struct Sight {
    snapshots: BTreeMap<Region, Result<Vec<Snapshot>>>,
    temporary: BTreeMap<Region, Result<Vec<Instance>>>,
}

impl Sight {
    /// The backups of these Regions, as far as they can be seen; used by nothing yet.
    pub fn backups(&self, regions: &[Region]) -> Vec<Backup> {
        let seen = regions.iter().filter_map(|region| self.snapshots.get(region)?.as_ref().ok());
        seen.flatten().map(|snapshot| Backup::new(snapshot, vec![])).collect()
    }

    /// What could not be looked at in these Regions.
    pub fn errors(&self, regions: &[Region]) -> Vec<(Region, Error)> {
        let snapshots =
            self.snapshots.iter().filter_map(|(region, seen)| Some((region, seen.as_ref().err()?)));
        let temporary =
            self.temporary.iter().filter_map(|(region, seen)| Some((region, seen.as_ref().err()?)));
        let all = snapshots.chain(temporary).filter(|(region, _)| regions.contains(region));
        all.map(|(region, error)| (region.clone(), error.clone())).collect()
    }

    /// The copies that are being made of `backup`, in whatever Region.
    fn copies_of(&self, backup: &Backup) -> Vec<String> {
        let mut uses = Vec::new();
        for (region, seen) in &self.snapshots {
            let snapshots = match seen {
                Ok(snapshots) => snapshots,
                Err(error) => {
                    uses.push(format!("whether it is being copied to {region} is not known ({error})"));
                    continue;
                }
            };
            let in_flight = snapshots
                .iter()
                .filter(|copy| copy.arn != backup.arn && copy.status == SnapshotStatus::Creating);
            for copy in in_flight {
                let by_name = copy.id == backup.id && copy.source_region.as_ref() == Some(&backup.region);
                let id = &copy.id;
                if copy.source_arn.as_deref() == Some(backup.arn.as_str()) || by_name {
                    uses.push(format!("it is being copied to {region} as {id}"));
                } else if *region == backup.region && self.may_be_copy(copy, backup) {
                    uses.push(format!(
                        "{id} is being made of the same instance in {region} and may be a copy of it"
                    ));
                }
            }
        }
        uses
    }

    /// Whether `copy`, which is being made in the Region of `backup`, may be one of it. RDS says of what a copy is made only
    /// where that lies in another Region or account (API Reference, `DBSnapshot`, `SourceDBSnapshotIdentifier`), and ends a
    /// copy whose source is deleted.
    fn may_be_copy(&self, copy: &Snapshot, backup: &Backup) -> bool {
        let there = self.snapshots.get(&backup.region).and_then(|seen| seen.as_ref().ok());
        let source = there.into_iter().flatten().find(|snapshot| snapshot.arn == backup.arn);
        // A backup or copy of Holdfast's that is being made has its own name: it is no copy within the Region.
        let own = Backup::new(copy, vec![]).is_ours();
        let from_elsewhere = copy.source_arn.is_some()
            || copy.source_region.as_ref().is_some_and(|region| *region != backup.region);
        // A copy is as old as its original, or of the time at which it is made until RDS says how old that is.
        let too_old = copy.taken_at < backup.taken_at && copy.taken_at.is_some();
        !own && !from_elsewhere
            && !too_old
            && source.is_some_and(|source| source.instance_id == copy.instance_id)
    }

    /// The temporary instances that were restored from `backup`.
    fn instances_of(&self, backup: &Backup, operation: &OperationId) -> Vec<String> {
        let instances = match self.temporary.get(&backup.region) {
            Some(Ok(instances)) => instances,
            Some(Err(error)) => return vec![format!("whether it is being validated is not known ({error})")],
            None => return vec!["whether it is being validated is not known".to_owned()],
        };
        // A later validation is an operation of its own, with other digits behind the same words.
        let is_of_it = |instance: &&Instance| {
            let owner = instance.tags.get(tags::OPERATION).map_or(instance.id.as_str(), String::as_str);
            words(owner) == words(operation.as_str())
        };
        let named =
            |instance: &Instance| format!("temporary instance {} is {}", instance.id, instance.status);
        instances.iter().filter(is_of_it).map(named).collect()
    }
}

/// An operation's id without its digits.
fn words(id: &str) -> &str {
    id.strip_prefix("hfv-").unwrap_or(id).rsplit_once('-').map_or(id, |(words, _)| words)
}

impl<R: Rds, S: Store> Facts<'_, R, S> {
    /// Looks at the Regions that are asked for, and at those that may have copies.
    pub async fn look(&self, asked: &[Region], known: &[Region]) -> Sight {
        let all: BTreeSet<&Region> = asked.iter().chain(known).collect();
        let (mut snapshots, mut temporary) = (BTreeMap::new(), BTreeMap::new());
        for region in all {
            snapshots.insert(region.clone(), self.rds.manual_snapshots(region).await);
            if asked.contains(region) {
                temporary.insert(region.clone(), self.rds.temporary_instances(region).await);
            }
        }
        Sight { snapshots, temporary }
    }

    /// Decides. What would be deleted is looked up in the state table first, or `only` this one of it: what uses a
    /// backup only ever keeps that one, so that the others need not be.
    pub async fn decide(&self, seen: &Sight, mut backups: Vec<Backup>, only: Option<&str>) -> Decision {
        let first = decide_each(&backups, self.policies, self.now);
        let doomed: BTreeSet<&str> = first
            .delete
            .iter()
            .map(|deleted| deleted.backup.arn.as_str())
            .filter(|arn| only.is_none_or(|only| only == *arn))
            .collect();
        let mut unended = BTreeMap::new();
        for backup in backups.iter_mut().filter(|backup| doomed.contains(backup.arn.as_str())) {
            if !unended.contains_key(&backup.database) {
                unended.insert(backup.database.clone(), self.unended(&backup.database).await);
            }
            backup.uses = self.uses(seen, backup, &unended[&backup.database]).await;
        }
        decide_each(&backups, self.policies, self.now)
    }

    async fn unended(&self, database: &str) -> Result<Vec<Unended>> {
        self.store.unended(&DatabaseId::parse(database)?).await
    }

    async fn uses(&self, seen: &Sight, backup: &Backup, unended: &Result<Vec<Unended>>) -> Vec<String> {
        let Owner::Operation(operation) = &backup.owner else { return vec![] };
        let mut uses = seen.copies_of(backup);
        uses.extend(seen.instances_of(backup, operation));
        uses.extend(self.record(backup, operation).await);
        match unended {
            // A backup of the same database touches no other's snapshot; whatever else there is may restore from it.
            Ok(unended) => uses.extend(
                unended
                    .iter()
                    .filter(|other| other.kind != Kind::Backup.as_str())
                    .map(|other| format!("operation {} ({}) is {}", other.id, other.kind, other.phase)),
            ),
            Err(error) => uses.push(format!("what goes on with its database is not known ({error})")),
        }
        uses
    }

    /// What its record says of the operation that made it.
    async fn record(&self, backup: &Backup, operation: &OperationId) -> Option<String> {
        let limit =
            self.now.checked_sub(SignedDuration::from_hours(24 * RECORDS_LAST_DAYS)).unwrap_or(self.now);
        match self.store.get(operation).await {
            Ok(Some(record)) if record.phase.is_end() => None,
            Ok(Some(record)) => Some(format!("its operation {operation} is {}", record.phase.as_str())),
            Ok(None) if backup.taken_at.is_some_and(|taken_at| taken_at < limit) => None,
            Ok(None) => Some(format!("whether its operation {operation} has ended is not known (no record)")),
            Err(error) => Some(format!("whether its operation {operation} has ended is not known ({error})")),
        }
    }
}
