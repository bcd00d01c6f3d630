//! The state table in memory, with the real condition: version, owner and phase as they were read.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::ids::{DatabaseId, OperationId};
use holdfast_core::operation::{Kind, Operation};
use holdfast_core::ports::{Store, Unended, Write};
use holdfast_core::rds::Creation;
use holdfast_core::validation::Verdict;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde_json::Value;

use crate::locked;
use crate::trouble::{Call, Troubles};

type Change = Box<dyn FnOnce(&mut Operation) + Send>;

/// Operations by id, each with the summary written beside it.
#[derive(Default)]
pub struct FakeStore {
    /// What goes wrong.
    pub troubles: Troubles,
    records: Mutex<BTreeMap<OperationId, (Operation, Value)>>,
    meanwhile: Mutex<Option<Change>>,
    others: Mutex<Vec<(DatabaseId, Unended)>>,
}

impl FakeStore {
    /// The record as it is now.
    pub fn now(&self, id: &OperationId) -> Option<Operation> {
        locked(&self.records).get(id).map(|(operation, _)| operation.clone())
    }

    /// The summary written with it.
    pub fn summary(&self, id: &OperationId) -> Option<Value> {
        locked(&self.records).get(id).map(|(_, summary)| summary.clone())
    }

    /// How many records there are.
    pub fn count(&self) -> usize {
        locked(&self.records).len()
    }

    /// Lays a record there.
    pub fn lay(&self, operation: &Operation) {
        let summary = operation.summary("bucket");
        locked(&self.records).insert(operation.id.clone(), (operation.clone(), summary));
    }

    /// Lets an operation of another kind go on for `database`.
    pub fn lay_unended(&self, database: &DatabaseId, other: Unended) {
        locked(&self.others).push((database.clone(), other));
    }

    /// Between the next read and its write, somebody else changes the record.
    pub fn meanwhile(&self, change: impl FnOnce(&mut Operation) + Send + 'static) {
        *locked(&self.meanwhile) = Some(Box::new(change));
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn create(&self, operation: &Operation, summary: &Value) -> Result<Creation<()>> {
        let struck = self.troubles.strike(Call::CreateRecord, operation.id.as_str())?;
        let mut records = locked(&self.records);
        if records.contains_key(&operation.id) {
            return struck.answer(Creation::AlreadyThere);
        }
        records.insert(operation.id.clone(), (operation.clone(), summary.clone()));
        struck.answer(Creation::Created(()))
    }

    async fn get(&self, id: &OperationId) -> Result<Option<Operation>> {
        self.troubles.strike(Call::GetRecord, id.as_str())?.answer(self.now(id))
    }

    async fn replace(&self, current: &Operation, next: &Operation, summary: &Value) -> Result<Write> {
        let struck = self.troubles.strike(Call::ReplaceRecord, current.id.as_str())?;
        let mut records = locked(&self.records);
        let (there, _) = records
            .get_mut(&current.id)
            .ok_or_else(|| Error::new(ErrorKind::UnreadableRecord, "the record is gone"))?;
        if let Some(change) = locked(&self.meanwhile).take() {
            change(there);
        }
        let condition = |operation: &Operation| (operation.version, operation.owner.clone(), operation.phase);
        if condition(there) != condition(current) {
            return struck.answer(Write::Conflict(Box::new(there.clone())));
        }
        records.insert(next.id.clone(), (next.clone(), summary.clone()));
        struck.answer(Write::Done)
    }

    async fn latest_valid(&self, database: &DatabaseId, before: Timestamp) -> Result<Option<OperationId>> {
        let struck = self.troubles.strike(Call::LatestValid, database.as_str())?;
        let records = locked(&self.records);
        let valid = records.values().map(|(operation, _)| operation).filter(|operation| {
            let verdict = operation.results.validation.as_ref().map(|validation| validation.verdict);
            operation.request.kind() == Kind::Backup
                && operation.request.database_id() == database
                && operation.started_at < before
                && verdict == Some(Verdict::Valid)
        });
        struck
            .answer(valid.max_by_key(|operation| operation.started_at).map(|operation| operation.id.clone()))
    }

    async fn unended(&self, database: &DatabaseId) -> Result<Vec<Unended>> {
        let struck = self.troubles.strike(Call::Unended, database.as_str())?;
        let others = locked(&self.others)
            .iter()
            .filter(|(of, _)| of == database)
            .map(|(_, other)| other.clone())
            .collect::<Vec<_>>();
        let records = locked(&self.records);
        let own = records
            .values()
            .map(|(operation, _)| operation)
            .filter(|operation| *operation.request.database_id() == *database && !operation.phase.is_end());
        let own = own.map(|operation| Unended {
            id: operation.id.clone(),
            kind: operation.request.kind().as_str().to_owned(),
            phase: operation.phase.as_str().to_owned(),
        });
        struck.answer(own.chain(others).collect())
    }
}
