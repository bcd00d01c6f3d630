//! What a target Region has deployed, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::{Execution, RegionStack};
use serde::Serialize;
use serde_json::{Value, json};

use crate::locked;
use crate::trouble::{Call, Troubles};

/// Buckets and executions of every Region.
#[derive(Debug, Default)]
pub struct FakeRegionStack {
    /// What goes wrong.
    pub troubles: Troubles,
    documents: Mutex<BTreeMap<(Region, String), Value>>,
    executions: Mutex<BTreeMap<String, Run>>,
}

#[derive(Debug)]
struct Run {
    input: Value,
    state: Option<Execution>,
}

impl FakeRegionStack {
    /// The document under `key` in the bucket of `region` now.
    pub fn document(&self, region: &Region, key: &str) -> Option<Value> {
        locked(&self.documents).get(&(region.clone(), key.to_owned())).cloned()
    }

    /// ARN and input of every execution that was started.
    pub fn started(&self) -> Vec<(String, Value)> {
        locked(&self.executions).iter().map(|(arn, run)| (arn.clone(), run.input.clone())).collect()
    }

    /// The one execution goes on to `state`; `None`: it is forgotten.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub fn goes_on(&self, state: Option<Execution>) {
        let mut executions = locked(&self.executions);
        assert_eq!(executions.len(), 1, "one execution");
        for run in executions.values_mut() {
            run.state = state.clone();
        }
    }
}

#[async_trait]
impl RegionStack for FakeRegionStack {
    async fn put_document<T: Serialize + Sync>(
        &self,
        region: &Region,
        key: &str,
        document: &T,
    ) -> Result<()> {
        let struck = self.troubles.strike(Call::PutRegionDocument, region.as_str())?;
        locked(&self.documents).insert((region.clone(), key.to_owned()), json!(document));
        struck.answer(())
    }

    async fn start_validation(&self, region: &Region, name: &str, input: &Value) -> Result<String> {
        let struck = self.troubles.strike(Call::StartValidation, region.as_str())?;
        let arn = format!("arn:aws:states:{region}:000000000000:execution:holdfast-backup-validation:{name}");
        let run = || Run { input: input.clone(), state: Some(Execution::Running) };
        locked(&self.executions).entry(arn.clone()).or_insert_with(run);
        struck.answer(arn)
    }

    async fn execution(&self, region: &Region, arn: &str) -> Result<Option<Execution>> {
        let struck = self.troubles.strike(Call::Execution, region.as_str())?;
        struck.answer(locked(&self.executions).get(arn).and_then(|run| run.state.clone()))
    }
}
