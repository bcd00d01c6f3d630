//! Instances that change their names, in memory.

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::{RenameAnswer, Renames};

use super::{FakeRds, place};
use crate::locked;
use crate::trouble::Call;

#[async_trait]
impl Renames for FakeRds {
    async fn rename(&self, region: &Region, id: &str, new: &str) -> Result<RenameAnswer> {
        let struck = self.troubles.strike(Call::Rename, id)?;
        let mut state = locked(&self.state);
        if state.instances.contains_key(&place(region, new)) {
            return struck.answer(RenameAnswer::Taken);
        }
        let at = place(region, id);
        let usable = state.instances.get(&at).is_some_and(|made| made.thing.status == "available");
        if !usable {
            return struck.answer(RenameAnswer::NotNow);
        }
        let Some(mut made) = state.instances.remove(&at) else {
            return struck.answer(RenameAnswer::NotNow);
        };
        made.thing.id = new.to_owned();
        made.thing.status = "renaming".to_owned();
        made.thing.arn = made.thing.arn.replace(&format!(":db:{id}"), &format!(":db:{new}"));
        if let Some(endpoint) = &mut made.thing.endpoint {
            endpoint.host = endpoint.host.replacen(id, new, 1);
        }
        made.looks = 0;
        made.unseen = state.behaviour.unseen;
        if let Some(mut blueprint) = state.restored.blueprints.remove(&at) {
            blueprint.instance_id = new.to_owned();
            state.restored.blueprints.insert(place(region, new), blueprint);
        }
        state.instances.insert(place(region, new), made);
        state.renames.push((id.to_owned(), new.to_owned()));
        struck.answer(RenameAnswer::Started)
    }

    async fn stop(&self, region: &Region, id: &str) -> Result<bool> {
        let struck = self.troubles.strike(Call::Stop, id)?;
        let mut state = locked(&self.state);
        let made = state.instances.get_mut(&place(region, id));
        let stops = made.filter(|made| made.thing.status == "available").map(|made| {
            made.thing.status = "stopped".to_owned();
        });
        struck.answer(stops.is_some())
    }

    async fn start(&self, region: &Region, id: &str) -> Result<bool> {
        let struck = self.troubles.strike(Call::Start, id)?;
        let mut state = locked(&self.state);
        let made = state.instances.get_mut(&place(region, id));
        let starts = made.filter(|made| made.thing.status == "stopped").map(|made| {
            made.thing.status = "starting".to_owned();
            made.looks = 0;
        });
        struck.answer(starts.is_some())
    }
}

impl FakeRds {
    /// Every rename that began, in order: from, to.
    pub fn renames(&self) -> Vec<(String, String)> {
        locked(&self.state).renames.clone()
    }
}
