//! Amazon RDS in memory, in every Region: what is made takes a few looks to become what it will be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::health::Quota;
use holdfast_core::ids::Region;
use holdfast_core::ports::{
    CopyAnswer, LastSettings, NewCopy, NewRestore, NewSnapshot, Rds, RestoreAnswer, SnapshotAnswer,
    SnapshotDeletion,
};
use holdfast_core::rds::{Endpoint, Instance, Snapshot, SnapshotStatus};
use holdfast_core::tags::{self, Tags};
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::trouble::{Call, Troubles};
use crate::{locked, sample};

mod renames;
mod restores;

/// How a snapshot that is being made ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It becomes available.
    Completes,
    /// It becomes failed.
    Fails,
    /// It stays at 0 %.
    Stuck,
}

/// How this RDS behaves; [`FakeRds::set`] changes it.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Looks until what is made or deleted has got there.
    pub looks: u32,
    /// Looks during which what was just made is not shown.
    pub unseen: u32,
    /// How snapshots and copies end.
    pub snapshot_fate: Fate,
    /// Whether copies come out encrypted.
    pub copies_encrypted: bool,
    /// Copies allowed in flight per Region.
    pub copies_in_flight_allowed: usize,
    /// Manual snapshots allowed by Region; not in it: RDS does not say.
    pub snapshots_allowed: BTreeMap<Region, i64>,
    /// The status in which restored instances end.
    pub restores_end_as: &'static str,
    /// Classes for which there is no capacity.
    pub no_capacity: BTreeSet<String>,
    /// What a restore makes of the instance that was asked for.
    pub restores_come_back: fn(&mut Instance),
    /// Looks during which last settings that were asked for are pending.
    pub settings_pend: u32,
    /// Which of the last settings cannot be had.
    pub refuses_to_settle: Option<LastSettings>,
    /// Whether deletions end.
    pub deletions_end: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            looks: 2,
            unseen: 0,
            snapshot_fate: Fate::Completes,
            copies_encrypted: true,
            copies_in_flight_allowed: 20,
            snapshots_allowed: BTreeMap::new(),
            restores_end_as: "available",
            no_capacity: BTreeSet::new(),
            restores_come_back: |_| {},
            settings_pend: 0,
            refuses_to_settle: None,
            deletions_end: true,
        }
    }
}

/// A resource and how far it is from what it will be.
#[derive(Debug, Clone)]
struct Made<T> {
    thing: T,
    /// Looks until it is shown.
    unseen: u32,
    /// Looks so far, of those that count towards its next state.
    looks: u32,
}

impl<T> Made<T> {
    fn there(thing: T) -> Self {
        Made { thing, unseen: 0, looks: 0 }
    }
}

type Place = (Region, String);

#[derive(Debug, Default)]
struct State {
    behaviour: Behaviour,
    instances: BTreeMap<Place, Made<Instance>>,
    snapshots: BTreeMap<Place, Made<Snapshot>>,
    parameter_groups: BTreeMap<Place, BTreeMap<String, String>>,
    foreign_parameter_groups: BTreeSet<String>,
    passwords: BTreeMap<String, String>,
    restored: restores::Restored,
    renames: Vec<(String, String)>,
}

/// Amazon RDS in every Region.
#[derive(Debug, Default)]
pub struct FakeRds {
    /// What goes wrong. Calls on a snapshot or an instance are named by its id, others by the Region.
    pub troubles: Troubles,
    state: Mutex<State>,
}

fn place(region: &Region, id: &str) -> Place {
    (region.clone(), id.to_owned())
}

impl FakeRds {
    /// Changes how it behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut locked(&self.state).behaviour);
    }

    /// Puts an instance there, as it is.
    pub fn lay_instance(&self, region: &Region, instance: Instance) {
        locked(&self.state).instances.insert(place(region, &instance.id.clone()), Made::there(instance));
    }

    /// Hides an instance for as many looks.
    pub fn hide_instance(&self, region: &Region, id: &str, looks: u32) {
        if let Some(made) = locked(&self.state).instances.get_mut(&place(region, id)) {
            made.unseen = looks;
        }
    }

    /// Allows `max` manual snapshots in `region`.
    pub fn allow_snapshots(&self, region: &Region, max: i64) {
        locked(&self.state).behaviour.snapshots_allowed.insert(region.clone(), max);
    }

    /// Puts a snapshot there, as it is; it shows when a made one would.
    pub fn lay_snapshot(&self, snapshot: Snapshot) {
        locked(&self.state).make_snapshot(snapshot);
    }

    /// Makes `name` a parameter group that is not Holdfast's.
    pub fn lay_foreign_parameter_group(&self, name: &str) {
        locked(&self.state).foreign_parameter_groups.insert(name.to_owned());
    }

    /// Takes a snapshot away.
    pub fn lose_snapshot(&self, region: &Region, id: &str) {
        locked(&self.state).snapshots.remove(&place(region, id));
    }

    /// The instance as it is now; this does not count as a look.
    pub fn instance_now(&self, region: &Region, id: &str) -> Option<Instance> {
        locked(&self.state).instances.get(&place(region, id)).map(|made| made.thing.clone())
    }

    /// The snapshot as it is now; this does not count as a look.
    pub fn snapshot_now(&self, region: &Region, id: &str) -> Option<Snapshot> {
        locked(&self.state).snapshots.get(&place(region, id)).map(|made| made.thing.clone())
    }

    /// Ids of the instances in `region`.
    pub fn instances_in(&self, region: &Region) -> Vec<String> {
        let state = locked(&self.state);
        state.instances.keys().filter(|(at, _)| at == region).map(|(_, id)| id.clone()).collect()
    }

    /// Ids of the snapshots in `region`.
    pub fn snapshots_in(&self, region: &Region) -> Vec<String> {
        let state = locked(&self.state);
        state.snapshots.keys().filter(|(at, _)| at == region).map(|(_, id)| id.clone()).collect()
    }

    /// The parameters of a group of Holdfast's.
    pub fn parameters_now(&self, region: &Region, group: &str) -> Option<BTreeMap<String, String>> {
        locked(&self.state).parameter_groups.get(&place(region, group)).cloned()
    }

    /// The master password that was set on an instance.
    pub fn password_now(&self, id: &str) -> Option<String> {
        locked(&self.state).passwords.get(id).cloned()
    }
}

impl State {
    /// One look at a snapshot, which moves it on.
    fn look_at_snapshot(&mut self, at: &Place) -> Option<Snapshot> {
        let Behaviour { looks, snapshot_fate, .. } = self.behaviour;
        let made = self.snapshots.get_mut(at)?;
        if made.unseen > 0 {
            made.unseen -= 1;
            return None;
        }
        if made.thing.status == SnapshotStatus::Creating && snapshot_fate != Fate::Stuck {
            made.looks += 1;
            let percent = (100 * made.looks / looks.max(1)).min(100);
            made.thing.percent = u8::try_from(percent).unwrap_or(100);
            match (made.looks >= looks, snapshot_fate) {
                (true, Fate::Fails) => made.thing.status = SnapshotStatus::Failed,
                (true, _) => made.thing.status = SnapshotStatus::Available,
                (false, _) => {}
            }
        }
        Some(made.thing.clone())
    }

    /// One look at an instance, which moves it on.
    fn look_at_instance(&mut self, at: &Place) -> Option<Instance> {
        let Behaviour { looks, restores_end_as, deletions_end, .. } = self.behaviour;
        let being_snapshotted = self.snapshots.iter().any(|((region, _), made)| {
            *region == at.0 && made.thing.instance_id == at.1 && made.thing.status == SnapshotStatus::Creating
        });
        let made = self.instances.get_mut(at)?;
        if made.unseen > 0 {
            made.unseen -= 1;
            return None;
        }
        made.thing.change_pending = self.restored.still_pending(at);
        match made.thing.status.as_str() {
            "creating" => {
                made.looks += 1;
                if made.looks >= looks {
                    made.looks = 0;
                    made.thing.status = restores_end_as.to_owned();
                    let host = format!("{}.x.{}.rds.amazonaws.com", at.1, at.0);
                    made.thing.endpoint = Some(Endpoint { host, port: 5432 });
                }
            }
            "renaming" | "starting" => {
                made.looks += 1;
                if made.looks >= looks {
                    made.looks = 0;
                    made.thing.status = "available".to_owned();
                }
            }
            "deleting" => {
                made.looks += 1;
                if made.looks >= looks && deletions_end {
                    self.instances.remove(at);
                    return None;
                }
            }
            _ => {}
        }
        let mut seen = made.thing.clone();
        if being_snapshotted && seen.status == "available" {
            seen.status = "backing-up".into();
        }
        Some(seen)
    }

    fn manual_snapshots(&self, region: &Region) -> i64 {
        i64::try_from(self.snapshots.keys().filter(|(at, _)| at == region).count()).unwrap_or(i64::MAX)
    }

    fn require_room(&self, region: &Region) -> Result<()> {
        let max = self.behaviour.snapshots_allowed.get(region).copied().unwrap_or(100);
        Quota { used: self.manual_snapshots(region), max }.require_room(region)
    }

    fn copies_in_flight(&self, region: &Region) -> usize {
        let copies = self.snapshots.iter().filter(|((at, _), made)| {
            at == region
                && made.thing.status == SnapshotStatus::Creating
                && made.thing.source_region.is_some()
        });
        copies.count()
    }

    fn make_snapshot(&mut self, snapshot: Snapshot) {
        let at = place(&snapshot.region, &snapshot.id);
        self.snapshots.insert(at, Made { thing: snapshot, unseen: self.behaviour.unseen, looks: 0 });
    }
}

#[async_trait]
impl Rds for FakeRds {
    async fn instance(&self, region: &Region, id: &str) -> Result<Option<Instance>> {
        let struck = self.troubles.strike(Call::Instance, id)?;
        struck.answer(locked(&self.state).look_at_instance(&place(region, id)))
    }

    async fn temporary_instances(&self, region: &Region) -> Result<Vec<Instance>> {
        let struck = self.troubles.strike(Call::TemporaryInstances, region.as_str())?;
        let mut state = locked(&self.state);
        let places: Vec<Place> = state.instances.keys().filter(|(at, _)| at == region).cloned().collect();
        let mut found: Vec<Instance> = places.iter().filter_map(|at| state.look_at_instance(at)).collect();
        found.retain(|instance| instance.tags.contains_key(tags::TEMPORARY));
        struck.answer(found)
    }

    async fn snapshot(&self, region: &Region, id: &str) -> Result<Option<Snapshot>> {
        let struck = self.troubles.strike(Call::Snapshot, id)?;
        struck.answer(locked(&self.state).look_at_snapshot(&place(region, id)))
    }

    async fn copies_in_flight(&self, region: &Region) -> Result<usize> {
        let struck = self.troubles.strike(Call::CopiesInFlight, region.as_str())?;
        struck.answer(locked(&self.state).copies_in_flight(region))
    }

    async fn snapshot_quota(&self, region: &Region) -> Result<Option<Quota>> {
        let struck = self.troubles.strike(Call::SnapshotQuota, region.as_str())?;
        let state = locked(&self.state);
        let max = state.behaviour.snapshots_allowed.get(region);
        struck.answer(max.map(|max| Quota { used: state.manual_snapshots(region), max: *max }))
    }

    async fn create_snapshot(&self, region: &Region, new: &NewSnapshot) -> Result<SnapshotAnswer> {
        let struck = self.troubles.strike(Call::CreateSnapshot, &new.id)?;
        let mut state = locked(&self.state);
        if state.snapshots.contains_key(&place(region, &new.id)) {
            return struck.answer(SnapshotAnswer::AlreadyThere);
        }
        let Some(source) = state.instances.get(&place(region, &new.instance_id)) else {
            return Err(Error::new(ErrorKind::SourceNotFound, format!("no instance {}", new.instance_id)));
        };
        let source = source.thing.clone();
        if !matches!(source.status.as_str(), "available" | "storage-optimization") {
            return struck.answer(SnapshotAnswer::SourceBusy);
        }
        state.require_room(region)?;
        let snapshot = Snapshot {
            status: SnapshotStatus::Creating,
            percent: 0,
            instance_id: source.id,
            encrypted: source.encrypted,
            engine: source.engine,
            engine_version: source.engine_version,
            ..sample::snapshot(region, &new.id, new.tags.clone())
        };
        state.make_snapshot(snapshot.clone());
        struck.answer(SnapshotAnswer::Created(Box::new(snapshot)))
    }

    async fn manual_snapshots(&self, region: &Region) -> Result<Vec<Snapshot>> {
        let struck = self.troubles.strike(Call::ManualSnapshots, region.as_str())?;
        let mut state = locked(&self.state);
        let places: Vec<Place> = state.snapshots.keys().filter(|(at, _)| at == region).cloned().collect();
        struck.answer(places.iter().filter_map(|at| state.look_at_snapshot(at)).collect())
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> Result<SnapshotDeletion> {
        let struck = self.troubles.strike(Call::DeleteSnapshot, id)?;
        let mut state = locked(&self.state);
        let at = place(region, id);
        struck.answer(match state.snapshots.get(&at).map(|made| &made.thing.status) {
            None => SnapshotDeletion::Gone,
            Some(SnapshotStatus::Available) => {
                state.snapshots.remove(&at);
                SnapshotDeletion::Deleted
            }
            Some(status) => SnapshotDeletion::Refused(format!("it is {status:?}")),
        })
    }

    async fn copy_snapshot(&self, new: &NewCopy) -> Result<CopyAnswer> {
        let struck = self.troubles.strike(Call::CopySnapshot, &new.id)?;
        let mut state = locked(&self.state);
        if state.snapshots.contains_key(&place(&new.to, &new.id)) {
            return struck.answer(CopyAnswer::AlreadyThere);
        }
        let source =
            state.snapshots.values().map(|made| &made.thing).find(|snapshot| {
                snapshot.arn == new.source_arn && snapshot.status == SnapshotStatus::Available
            });
        let Some(source) = source.cloned() else {
            return Err(Error::new(ErrorKind::SnapshotGone, format!("no snapshot {}", new.source_arn)));
        };
        if state.copies_in_flight(&new.to) >= state.behaviour.copies_in_flight_allowed {
            return struck.answer(CopyAnswer::TooManyInFlight);
        }
        state.require_room(&new.to)?;
        let copy = Snapshot {
            arn: format!("arn:aws:rds:{}:000000000000:snapshot:{}", new.to, new.id),
            region: new.to.clone(),
            status: SnapshotStatus::Creating,
            percent: 0,
            encrypted: state.behaviour.copies_encrypted,
            kms_key_id: Some(new.kms_key_id.clone()),
            source_region: Some(new.from.clone()),
            source_arn: Some(new.source_arn.clone()),
            tags: new.tags.clone(),
            id: new.id.clone(),
            ..source
        };
        state.make_snapshot(copy.clone());
        struck.answer(CopyAnswer::Created(Box::new(copy)))
    }

    async fn tag_snapshot(&self, snapshot: &Snapshot, tags: &Tags) -> Result<()> {
        let struck = self.troubles.strike(Call::TagSnapshot, &snapshot.id)?;
        let mut state = locked(&self.state);
        let made = state
            .snapshots
            .get_mut(&place(&snapshot.region, &snapshot.id))
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no snapshot {}", snapshot.arn)))?;
        made.thing.tags.extend(tags.clone());
        struck.answer(())
    }

    async fn tag_instance(&self, region: &Region, instance: &Instance, tags: &Tags) -> Result<()> {
        let struck = self.troubles.strike(Call::TagInstance, &instance.id)?;
        let mut state = locked(&self.state);
        let made = state
            .instances
            .get_mut(&place(region, &instance.id))
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no instance {}", instance.arn)))?;
        made.thing.tags.extend(tags.clone());
        struck.answer(())
    }

    async fn ensure_parameter_group(
        &self,
        region: &Region,
        name: &str,
        _family: &str,
        parameters: &[(&str, &str)],
    ) -> Result<()> {
        let struck = self.troubles.strike(Call::EnsureParameterGroup, name)?;
        let mut state = locked(&self.state);
        if state.foreign_parameter_groups.contains(name) {
            return Err(Error::new(
                ErrorKind::NameTaken,
                format!("parameter group {name} is not Holdfast's"),
            ));
        }
        let set = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        state.parameter_groups.insert(place(region, name), set.collect());
        struck.answer(())
    }

    async fn restore(&self, region: &Region, new: &NewRestore) -> Result<RestoreAnswer> {
        let struck = self.troubles.strike(Call::Restore, &new.id)?;
        let mut state = locked(&self.state);
        if state.instances.contains_key(&place(region, &new.id)) {
            return struck.answer(RestoreAnswer::AlreadyThere);
        }
        let Some(snapshot) =
            state.snapshots.get(&place(region, &new.snapshot_id)).map(|made| made.thing.clone())
        else {
            return Err(Error::new(ErrorKind::SnapshotGone, format!("no snapshot {}", new.snapshot_id)));
        };
        if snapshot.status != SnapshotStatus::Available {
            return struck.answer(RestoreAnswer::NotYet);
        }
        if state.behaviour.no_capacity.contains(&new.class) {
            return struck.answer(RestoreAnswer::NoCapacity);
        }
        let mut instance = Instance {
            status: "creating".into(),
            class: new.class.clone(),
            endpoint: None,
            engine: snapshot.engine,
            engine_version: snapshot.engine_version,
            encrypted: snapshot.encrypted,
            backup_retention_days: 0,
            parameter_groups: vec![new.parameter_group.clone()],
            security_groups: vec![new.security_group.clone()],
            tags: new.tags.clone(),
            ..sample::instance(&new.id)
        };
        (state.behaviour.restores_come_back)(&mut instance);
        let unseen = state.behaviour.unseen;
        state.instances.insert(place(region, &new.id), Made { thing: instance.clone(), unseen, looks: 0 });
        struck.answer(RestoreAnswer::Started(Box::new(instance)))
    }

    async fn take_over_instance(&self, region: &Region, id: &str, password: &SecretString) -> Result<()> {
        let struck = self.troubles.strike(Call::TakeOverInstance, id)?;
        let mut state = locked(&self.state);
        let made = state
            .instances
            .get_mut(&place(region, id))
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no instance {id}")))?;
        made.thing.change_pending = true;
        made.thing.backup_retention_days = 0;
        state.passwords.insert(id.to_owned(), password.expose_secret().to_owned());
        struck.answer(())
    }

    async fn delete_instance(&self, region: &Region, id: &str) -> Result<()> {
        let struck = self.troubles.strike(Call::DeleteInstance, id)?;
        let mut state = locked(&self.state);
        let made = state.instances.get_mut(&place(region, id));
        if let Some(made) = made.filter(|made| made.thing.status != "deleting") {
            made.thing.status = "deleting".into();
            made.looks = 0;
        }
        struck.answer(())
    }
}
