//! What has been captured so far, part by part: each is written once and never again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::health::NamedCause;
use holdfast_core::ids::OperationId;
use holdfast_core::ports::Documents;
use holdfast_verify::{Journal, UnitResult};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The heartbeat, once it is written.
pub(crate) const HEARTBEAT: &str = "heartbeat";
/// Why there is none.
pub(crate) const NO_HEARTBEAT: &str = "no-heartbeat";
/// The reading before the snapshot.
pub(crate) const BEFORE: &str = "before";
/// Where the source stood in its log when that reading was there: a replica has to get that far.
pub(crate) const STANDING: &str = "standing";
/// How the rows are read.
pub(crate) const PLAN: &str = "plan";
/// What keeps anything more from being read before the snapshot.
pub(crate) const TROUBLE: &str = "trouble";

/// The parts of one operation.
pub(crate) struct Parts<'a, D> {
    pub documents: &'a D,
    pub operation: &'a OperationId,
}

impl<D: Documents> Parts<'_, D> {
    /// A part, if it is there.
    pub async fn get<T: DeserializeOwned>(&self, part: &str) -> Result<Option<T>> {
        let key = self.operation.baseline_part_key(part);
        self.documents.get(&key).await
    }

    /// Keeps a part, unless there is one: of two attempts the first stands.
    pub async fn keep(&self, part: &str, value: &(impl Serialize + Sync)) -> Result<()> {
        self.documents.create(&self.operation.baseline_part_key(part), value).await.map(drop)
    }

    /// What keeps the rest from being read.
    pub async fn trouble(&self) -> Result<Option<NamedCause>> {
        self.get(TROUBLE).await
    }

    /// Numbers of the pieces that are done.
    pub async fn done(&self) -> Result<Vec<u32>> {
        let prefix = self.operation.baseline_part_key(UNITS).replace(".json", "/");
        let keys = self.documents.keys(&prefix).await?;
        let number = |key: &String| key.strip_prefix(&prefix)?.strip_suffix(".json")?.parse().ok();
        Ok(keys.iter().filter_map(number).collect())
    }

    /// What the pieces came to that are done.
    pub async fn results(&self) -> Result<BTreeMap<u32, UnitResult>> {
        let mut results = BTreeMap::new();
        for unit in self.done().await? {
            if let Some(result) = self.get(&unit_part(unit)).await? {
                results.insert(unit, result);
            }
        }
        Ok(results)
    }
}

const UNITS: &str = "units";

fn unit_part(unit: u32) -> String {
    format!("{UNITS}/{unit}")
}

#[async_trait]
impl<D: Documents> Journal for Parts<'_, D> {
    async fn keep(&self, result: &UnitResult) -> std::result::Result<(), String> {
        Parts::keep(self, &unit_part(result.unit), result).await.map_err(|error| error.message)
    }
}
