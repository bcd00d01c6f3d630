//! Bringing databases back, in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use holdfast_core::blueprint::Blueprint;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::operation::RecoveryPoint;
use holdfast_core::ports::{LastSettings, NewDatabase, Referred, RestoreAnswer, RestoreWindow, Restores};
use holdfast_core::rds::{Instance, SnapshotStatus};
use holdfast_core::{Error, ErrorKind, Result};

use super::{FakeRds, Made, Place, place};
use crate::trouble::Call;
use crate::{locked, sample};

/// What is known of instances beyond [`Instance`], and what they may refer to.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// By instance; another is what [`sample::blueprint`] makes of it.
    pub(super) blueprints: BTreeMap<Place, Blueprint>,
    windows: BTreeMap<Place, Vec<RestoreWindow>>,
    /// Why something cannot be referred to, by its name.
    problems: BTreeMap<String, String>,
    /// What was asked of RDS, in order.
    asked: Vec<NewDatabase>,
    settled: u32,
    /// Looks during which an instance's last settings are still pending.
    pending: BTreeMap<Place, u32>,
}

impl Restored {
    /// One look at what is pending, which moves it on.
    pub(super) fn still_pending(&mut self, at: &Place) -> bool {
        let Some(looks) = self.pending.get_mut(at).filter(|looks| **looks > 0) else { return false };
        *looks -= 1;
        true
    }
}

impl FakeRds {
    /// Says what an instance is made with.
    pub fn lay_blueprint(&self, region: &Region, blueprint: Blueprint) {
        let at = place(region, &blueprint.instance_id);
        locked(&self.state).restored.blueprints.insert(at, blueprint);
    }

    /// Keeps automated backups of a database.
    pub fn lay_window(&self, region: &Region, database: &str, window: RestoreWindow) {
        let mut state = locked(&self.state);
        let windows = state.restored.windows.entry(place(region, database)).or_default();
        windows.push(window);
        windows.sort_by_key(|window| std::cmp::Reverse(window.latest));
    }

    /// What has this name cannot be referred to.
    pub fn lay_problem(&self, name: &str, problem: &str) {
        locked(&self.state).restored.problems.insert(name.to_owned(), problem.to_owned());
    }

    /// Takes an instance away, with what is known of it.
    pub fn lose_instance(&self, region: &Region, id: &str) {
        let mut state = locked(&self.state);
        state.instances.remove(&place(region, id));
        state.restored.blueprints.remove(&place(region, id));
    }

    /// Every database that was asked for and begun, in order.
    pub fn databases_asked(&self) -> Vec<NewDatabase> {
        locked(&self.state).restored.asked.clone()
    }

    /// How often last settings were asked for.
    pub fn settled(&self) -> u32 {
        locked(&self.state).restored.settled
    }

    /// What an instance is made with now; this does not count as a look.
    pub fn blueprint_now(&self, region: &Region, id: &str) -> Option<Blueprint> {
        let state = locked(&self.state);
        let instance = state.instances.get(&place(region, id))?;
        let known = state.restored.blueprints.get(&place(region, id)).cloned();
        Some(known.unwrap_or_else(|| sample::blueprint(&instance.thing)))
    }
}

#[async_trait]
impl Restores for FakeRds {
    async fn blueprint(&self, region: &Region, id: &str) -> Result<Option<Blueprint>> {
        let struck = self.troubles.strike(Call::Blueprint, id)?;
        struck.answer(self.blueprint_now(region, id))
    }

    async fn restore_windows(&self, region: &Region, database: &DatabaseId) -> Result<Vec<RestoreWindow>> {
        let struck = self.troubles.strike(Call::RestoreWindow, database.as_str())?;
        let windows = locked(&self.state).restored.windows.get(&place(region, database.as_str())).cloned();
        struck.answer(windows.unwrap_or_default())
    }

    async fn problem_with(&self, _region: &Region, referred: &Referred) -> Result<Option<String>> {
        let struck = self.troubles.strike(Call::ProblemWith, referred.name())?;
        struck.answer(locked(&self.state).restored.problems.get(referred.name()).cloned())
    }

    async fn subnet_group_vpc(&self, _region: &Region, name: &str) -> Result<Option<String>> {
        let struck = self.troubles.strike(Call::SubnetGroupVpc, name)?;
        let there = !locked(&self.state).restored.problems.contains_key(name);
        struck.answer(there.then(|| crate::networks::VPC.to_owned()))
    }

    async fn restore_database(&self, region: &Region, new: &NewDatabase) -> Result<RestoreAnswer> {
        let struck = self.troubles.strike(Call::RestoreDatabase, new.id.as_str())?;
        let mut state = locked(&self.state);
        let at = place(region, new.id.as_str());
        if state.instances.contains_key(&at) {
            return struck.answer(RestoreAnswer::AlreadyThere);
        }
        if let RecoveryPoint::Snapshot { id, .. } = &new.from {
            let Some(snapshot) = state.snapshots.get(&place(region, id)).map(|made| made.thing.clone())
            else {
                return Err(Error::new(ErrorKind::SnapshotGone, format!("no snapshot {id}")));
            };
            if snapshot.status != SnapshotStatus::Available {
                return struck.answer(RestoreAnswer::NotYet);
            }
        }
        if state.behaviour.no_capacity.contains(&new.class) {
            return struck.answer(RestoreAnswer::NoCapacity);
        }
        let settings = &new.settings;
        let mut instance = Instance {
            status: "creating".into(),
            class: new.class.clone(),
            endpoint: None,
            engine: settings.engine.clone(),
            engine_version: settings.engine_version.clone(),
            encrypted: settings.encrypted,
            backup_retention_days: i32::try_from(settings.backup_retention_days).unwrap_or(0),
            publicly_accessible: settings.publicly_accessible,
            parameter_groups: settings.parameter_group.iter().cloned().collect(),
            security_groups: settings.security_groups.clone(),
            tags: settings.tags.clone(),
            ..sample::instance(new.id.as_str())
        };
        (state.behaviour.restores_come_back)(&mut instance);
        let made = Blueprint {
            instance_id: new.id.to_string(),
            class: instance.class.clone(),
            // What a restore does not take.
            performance_insights: None,
            monitoring: None,
            max_allocated_gib: None,
            security_groups: instance.security_groups.clone(),
            publicly_accessible: instance.publicly_accessible,
            allocated_gib: new.allocated_storage.unwrap_or(settings.allocated_gib),
            ..settings.clone()
        };
        let unseen = state.behaviour.unseen;
        state.restored.blueprints.insert(at.clone(), made);
        state.restored.asked.push(new.clone());
        state.instances.insert(at, Made { thing: instance.clone(), unseen, looks: 0 });
        struck.answer(RestoreAnswer::Started(Box::new(instance)))
    }

    async fn settle(
        &self,
        region: &Region,
        id: &str,
        settings: &Blueprint,
        which: LastSettings,
    ) -> Result<()> {
        let struck = self.troubles.strike(Call::Settle, id)?;
        let mut state = locked(&self.state);
        state.restored.settled += 1;
        if let Some(refused) = state.behaviour.refuses_to_settle
            && which.include(refused)
        {
            let why = format!("{} cannot be had", refused.what());
            return Err(Error::new(ErrorKind::Internal, why));
        }
        let made = state
            .restored
            .blueprints
            .get_mut(&place(region, id))
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no instance {id}")))?;
        if which.include(LastSettings::Insights) {
            made.performance_insights.clone_from(&settings.performance_insights);
        }
        if which.include(LastSettings::Monitoring) {
            made.monitoring.clone_from(&settings.monitoring);
        }
        if which.include(LastSettings::Storage) {
            made.max_allocated_gib = settings.max_allocated_gib;
        }
        let looks = state.behaviour.settings_pend;
        state.restored.pending.insert(place(region, id), looks);
        struck.answer(())
    }
}
