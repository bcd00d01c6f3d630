//! The state table: one item per operation, written only when version and owner are what was read.
//!
//! The parts a person reads (`snapshot`, `validation`, `replicas`, `timings`, ...) are native maps, the
//! same JSON as the execution's output; `request` is kept as text.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use holdfast_core::ids::{DatabaseId, OperationId};
use holdfast_core::operation::{Kind, Operation, Phase, ReplicaResult, Request, Results};
use holdfast_core::ports::{Store, Unended, Write};
use holdfast_core::rds::Creation;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::classify::classify;
use crate::config::{Aws, configured};

mod breakers;
mod unended;

pub use breakers::{BreakerTable, ITEM as BREAKERS_ITEM};

/// The index that lists a database's operations by time.
pub const DATABASE_INDEX: &str = "DatabaseOperationsIndex";

/// Operations looked at for the last valid one before giving up: 100 per page.
const PAGES_FOR_LATEST_VALID: usize = 10;

type Item = HashMap<String, AttributeValue>;

/// Operations in one table.
#[derive(Debug, Clone)]
pub struct StateTable {
    client: Client,
    name: String,
}

impl StateTable {
    /// Operations in the table `name`.
    pub fn new(aws: &Aws, name: String) -> Self {
        let config = configured!(aws, aws_sdk_dynamodb).build();
        StateTable { client: Client::from_conf(config), name }
    }

    /// A table behind a given client, for the tests of this adapter.
    pub fn with_client(client: Client, name: String) -> Self {
        StateTable { client, name }
    }
}

#[async_trait]
impl Store for StateTable {
    async fn create(&self, operation: &Operation, summary: &Value) -> Result<Creation<()>> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item(operation, summary)?))
            .condition_expression("attribute_not_exists(operationId)")
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Creation::Created(())),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(Creation::AlreadyThere)
            }
            Err(error) => Err(classify(&format!("PutItem {}", operation.id), &error)),
        }
    }

    async fn get(&self, id: &OperationId) -> Result<Option<Operation>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("operationId", AttributeValue::S(id.to_string()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&format!("GetItem {id}"), &error))?;
        answer.item().map(read).transpose()
    }

    async fn replace(&self, current: &Operation, next: &Operation, summary: &Value) -> Result<Write> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item(next, summary)?))
            .condition_expression("#version = :version AND #owner = :owner AND #status = :status")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":version", AttributeValue::N(current.version.to_string()))
            .expression_attribute_values(":owner", AttributeValue::S(current.owner.clone()))
            .expression_attribute_values(":status", AttributeValue::S(current.phase.as_str().to_owned()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Write::Done),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                let there = self.get(&current.id).await?.ok_or_else(|| {
                    Error::new(ErrorKind::UnreadableRecord, format!("the record of {} is gone", current.id))
                })?;
                Ok(Write::Conflict(Box::new(there)))
            }
            Err(error) => Err(classify(&format!("PutItem {}", next.id), &error)),
        }
    }

    async fn latest_valid(&self, database: &DatabaseId, before: Timestamp) -> Result<Option<OperationId>> {
        let mut start: Option<Item> = None;
        for _ in 0..PAGES_FOR_LATEST_VALID {
            let page = self
                .client
                .query()
                .table_name(&self.name)
                .index_name(DATABASE_INDEX)
                .key_condition_expression("databaseId = :database AND startedAt < :before")
                .expression_attribute_values(":before", AttributeValue::S(sortable(before)))
                .filter_expression("verdict = :valid AND #type = :backup")
                .expression_attribute_names("#type", "type")
                .expression_attribute_values(":backup", AttributeValue::S(Kind::Backup.as_str().to_owned()))
                .expression_attribute_values(":database", AttributeValue::S(database.to_string()))
                .expression_attribute_values(":valid", AttributeValue::S("VALID".to_owned()))
                .scan_index_forward(false)
                .limit(100)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| classify(&format!("Query {DATABASE_INDEX} for {database}"), &error))?;
            if let Some(found) = page.items().first() {
                return OperationId::parse(text(found, "operationId")?).map(Some);
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn unended(&self, database: &DatabaseId) -> Result<Vec<Unended>> {
        unended::list(&self.client, &self.name, database).await
    }
}

/// The item of `operation`: the parts of `summary` as native maps, and what only Holdfast reads.
fn item(operation: &Operation, summary: &Value) -> Result<Item> {
    let request = serde_json::to_string(&operation.request)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("request of {}: {error}", operation.id)))?;
    let mut item: Item = HashMap::new();
    for (name, value) in summary.as_object().into_iter().flatten() {
        item.insert(name.clone(), attribute(value));
    }
    let checkpoints = serde_json::to_value(&operation.checkpoints).map_err(|error| {
        Error::new(ErrorKind::Internal, format!("checkpoints of {}: {error}", operation.id))
    })?;
    let health = serde_json::to_value(&operation.results.health)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("health of {}: {error}", operation.id)))?;
    item.insert("type".into(), AttributeValue::S(operation.request.kind().as_str().into()));
    item.insert("startedAt".into(), AttributeValue::S(sortable(operation.started_at)));
    item.insert("version".into(), AttributeValue::N(operation.version.to_string()));
    item.insert("owner".into(), AttributeValue::S(operation.owner.clone()));
    item.insert("request".into(), AttributeValue::S(request));
    item.insert("checkpoints".into(), attribute(&checkpoints));
    item.insert("health".into(), attribute(&health));
    item.insert("expiresAt".into(), AttributeValue::N(operation.expires_at().as_second().to_string()));
    if let Some(ended_at) = operation.ended_at {
        item.insert("endedAt".into(), AttributeValue::S(ended_at.to_string()));
    }
    if let Some(validation) = &operation.results.validation {
        item.insert("verdict".into(), AttributeValue::S(validation.verdict.as_str().into()));
    }
    if operation.results.replicas.is_none() {
        item.insert("replicas".into(), AttributeValue::Null(true));
    }
    if operation.results.leftovers.is_none() {
        item.insert("leftovers".into(), AttributeValue::Null(true));
    }
    Ok(item)
}

/// Reads an item back.
///
/// # Errors
/// `UnreadableRecord` naming the attribute: such a record is set aside for a person, never guessed at.
fn read(item: &Item) -> Result<Operation> {
    let replicas: Option<BTreeMap<String, ReplicaResult>> = part(item, "replicas")?;
    let results = Results {
        health: part(item, "health")?,
        snapshot: part(item, "snapshot")?,
        baseline: part(item, "baseline")?,
        validation: part(item, "validation")?,
        replicas: replicas.map(|replicas| replicas.into_values().collect()),
        backup: part(item, "backup")?,
        plan: part(item, "plan")?,
        restore: part(item, "restore")?,
        swap: part(item, "swap")?,
        failure: part(item, "failure")?,
        leftovers: part(item, "leftovers")?,
    };
    let phase: Option<Phase> = part(item, "status")?;
    let kind: Kind = part(item, "type")?.ok_or_else(|| unreadable("type", &"it is missing"))?;
    Ok(Operation {
        id: OperationId::parse(text(item, "operationId")?)?,
        request: Request::read(kind, text(item, "request")?)
            .map_err(|error| unreadable("request", &error))?,
        phase: phase.ok_or_else(|| unreadable("status", &"it is missing"))?,
        version: part(item, "version")?.ok_or_else(|| unreadable("version", &"it is missing"))?,
        owner: text(item, "owner")?.to_owned(),
        started_at: text(item, "startedAt")?.parse().map_err(|error| unreadable("startedAt", &error))?,
        ended_at: part(item, "endedAt")?,
        results,
        checkpoints: part(item, "checkpoints")?.unwrap_or_default(),
        api_calls: part(item, "apiCalls")?.unwrap_or_default(),
    })
}

/// A time as text that sorts as the time does: always nine digits after the second.
fn sortable(time: Timestamp) -> String {
    format!("{time:.9}")
}

fn unreadable(attribute: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::UnreadableRecord, format!("attribute {attribute} of the record: {why}"))
}

fn text<'a>(item: &'a Item, name: &str) -> Result<&'a str> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| unreadable(name, &"it is missing or not text"))
}

fn part<T: DeserializeOwned>(item: &Item, name: &str) -> Result<Option<T>> {
    match item.get(name) {
        None | Some(AttributeValue::Null(_)) => Ok(None),
        Some(value) => {
            serde_json::from_value(json(value)).map(Some).map_err(|error| unreadable(name, &error))
        }
    }
}

/// JSON as a DynamoDB attribute.
pub fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Number(value) => AttributeValue::N(value.to_string()),
        Value::String(value) => AttributeValue::S(value.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(values) => {
            AttributeValue::M(values.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
    }
}

/// A DynamoDB attribute as JSON; sets and binary, which Holdfast never writes, become null.
pub fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::N(value) => serde_json::from_str(value).unwrap_or(Value::Null),
        AttributeValue::S(value) => Value::String(value.clone()),
        AttributeValue::L(values) => Value::Array(values.iter().map(json).collect()),
        AttributeValue::M(values) => {
            Value::Object(values.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::ids::Region;
    use holdfast_core::operation::{
        Command, CopyValidation, ReplicaStatus, SnapshotResult, ValidationResult, transition,
    };
    use holdfast_core::request::{BackupRequest, Defaults};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let region = Region::parse("us-east-1").unwrap();
        let defaults = Defaults { region: region.clone(), target_regions: vec![] };
        let request = BackupRequest::parse(&json!({"databaseId": "prod-db"}), "r1", &defaults).unwrap();
        let id = OperationId::derive(&region, &request.database_id, &request.run_id);
        let now = "2026-11-20T06:00:00.5Z".parse().unwrap();
        let begun = Operation::begin(id, request.into(), "execution".into(), now);
        let results = Results {
            snapshot: Some(SnapshotResult {
                id: "s".into(),
                arn: "arn".into(),
                region: region.clone(),
                size_gib: 20,
                encrypted: true,
                created_at: Some(now),
            }),
            validation: Some(ValidationResult { restore_seconds: Some(1.5), ..ValidationResult::not_run() }),
            replicas: Some(vec![ReplicaResult {
                region,
                status: ReplicaStatus::Available,
                snapshot_arn: Some("arn".into()),
                kms_key_id: None,
                error: None,
                seconds: Some(2.25),
                validation: Some(CopyValidation::inconclusive("no capacity".into())),
            }]),
            leftovers: Some(vec![]),
            ..Results::default()
        };
        let command = Command::Advance { to: Phase::CleaningUp, results: Box::new(results) };
        for operation in [begun.clone(), transition(&begun, command, now).unwrap()] {
            let item = item(&operation, &operation.summary("bucket")).unwrap();
            assert_eq!(read(&item).unwrap(), operation);
        }
    }

    #[test]
    fn a_record_that_makes_no_sense_is_an_error_and_names_the_attribute() {
        let error =
            read(&HashMap::from([("status".to_owned(), AttributeValue::S("DANCING".into()))])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnreadableRecord);
        assert!(error.message.contains("status"), "{}", error.message);
    }
}
