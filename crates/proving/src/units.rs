//! The plan and what has been done of it, as they lie in the metadata bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use holdfast_core::ids::OperationId;
use holdfast_core::ports::Documents;
use holdfast_core::rds::Creation;
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_verify::{Plan, Unit, UnitResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Results that are read at once.
const READS_AT_ONCE: usize = 16;

/// A plan, and what is known only at the time of planning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// From asking for the restore to the first login.
    pub restore_seconds: Option<f64>,
    /// The work.
    pub plan: Plan,
}

/// What a worker needs of [`Planned`].
#[derive(Debug, Deserialize)]
struct PlannedUnits {
    plan: UnitsOfPlan,
}

#[derive(Debug, Deserialize)]
struct UnitsOfPlan {
    units: Vec<Unit>,
}

/// One operation's plan and units.
#[derive(Debug)]
pub struct Units<'a, D> {
    documents: &'a D,
    operation: &'a OperationId,
}

impl<'a, D: Documents> Units<'a, D> {
    /// Those of `operation`.
    pub fn of(documents: &'a D, operation: &'a OperationId) -> Self {
        Units { documents, operation }
    }

    /// The plan, once there is one.
    pub async fn plan(&self) -> Result<Option<Planned>> {
        read(self.documents, &self.operation.plan_key()).await
    }

    /// The plan's units alone, once there is a plan: the catalog, which may be larger than all of them, is for those who
    /// sum up.
    pub async fn pieces(&self) -> Result<Option<Vec<Unit>>> {
        let planned: Option<PlannedUnits> = read(self.documents, &self.operation.plan_key()).await?;
        Ok(planned.map(|planned| planned.plan.units))
    }

    /// Keeps a plan. Of two attempts the first stands: units that are done already are units of that one.
    pub async fn keep_plan(&self, planned: Planned) -> Result<Planned> {
        let key = self.operation.plan_key();
        match self.documents.create(&key, &planned).await? {
            Creation::Created(()) => Ok(planned),
            Creation::AlreadyThere => self.plan().await?.ok_or_else(|| {
                Error::new(ErrorKind::OutcomeUnknown, format!("{key} was there and cannot be read"))
            }),
        }
    }

    /// The units that are done.
    pub async fn done(&self) -> Result<BTreeSet<u32>> {
        let keys = self.documents.keys(&self.operation.units_prefix()).await?;
        Ok(keys.iter().filter_map(|key| self.operation.unit_of_key(key)).collect())
    }

    /// What the units in `done` came to.
    pub async fn results(&self, done: &BTreeSet<u32>) -> Result<BTreeMap<u32, UnitResult>> {
        let reads = done.iter().map(|unit| async move {
            let key = self.operation.unit_key(*unit);
            let result = read(self.documents, &key).await?;
            let gone =
                || Error::new(ErrorKind::UnreadableRecord, format!("{key} was listed and is not there"));
            Ok((*unit, result.ok_or_else(gone)?))
        });
        // Collected first: a lazy iterator of futures that borrow is more than the compiler can follow.
        let reads: Vec<_> = reads.collect();
        stream::iter(reads).buffer_unordered(READS_AT_ONCE).try_collect().await
    }

    /// Where results go as they come.
    pub fn journal(&self) -> Journal<'_, D> {
        Journal { documents: self.documents, operation: self.operation, failure: Mutex::default() }
    }
}

async fn read<T: DeserializeOwned>(documents: &impl Documents, key: &str) -> Result<Option<T>> {
    documents.get(key).await
}

/// Keeps each unit under a key of its own, and remembers what stopped it.
#[derive(Debug)]
pub struct Journal<'a, D> {
    documents: &'a D,
    operation: &'a OperationId,
    failure: Mutex<Option<Error>>,
}

impl<D> Journal<'_, D> {
    /// Why a result could not be kept, with the name that the state machine retries by.
    pub fn into_failure(self) -> Option<Error> {
        self.failure.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<D: Documents> holdfast_verify::Journal for Journal<'_, D> {
    async fn keep(&self, result: &UnitResult) -> std::result::Result<(), String> {
        let key = self.operation.unit_key(result.unit);
        let Err(error) = self.documents.put(&key, result).await else { return Ok(()) };
        let reason = error.to_string();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Err(reason)
    }
}
