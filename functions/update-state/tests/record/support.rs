//! The world of these tests, and the payloads as the state machine sends them.

use holdfast_core::operation::{Operation, Phase};
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::{at, defaults, input, operation, snapshot_result};
use holdfast_fakes::{FakeDocuments, FakeExecutions, FakeStore};
use serde_json::{Value, json};
use update_state::{Output, Ports, handle};

const SCHEMA: &str = include_str!("../../../../docs/report.schema.json");

pub const FIRST: &str = "arn:aws:states:us-east-1:000000000000:execution:backup:first";
pub const SECOND: &str = "arn:aws:states:us-east-1:000000000000:execution:backup:second";

#[derive(Default)]
pub struct World {
    pub store: FakeStore,
    pub documents: FakeDocuments,
    pub executions: FakeExecutions,
}

impl World {
    /// The first execution runs and has begun the operation.
    pub async fn begun() -> Self {
        let world = World::default();
        world.executions.start(FIRST);
        world.begin(FIRST).await.unwrap();
        world
    }

    /// The operation has come as far as `phase`, driven by the first execution.
    pub async fn at(phase: Phase) -> Self {
        let world = World::begun().await;
        for (version, (to, results)) in (1_u64..).zip(way()) {
            if world.record().phase != phase {
                world.advance(FIRST, version, to, results).await.unwrap();
            }
        }
        assert_eq!(world.record().phase, phase);
        world
    }

    pub async fn call(&self, payload: Value, seconds: i64) -> Result<Output> {
        let defaults = defaults();
        let ports = Ports {
            store: &self.store,
            documents: &self.documents,
            executions: &self.executions,
            defaults: &defaults,
            bucket: "metadata",
            now: at(seconds),
        };
        handle(&ports, serde_json::from_value(payload).unwrap()).await
    }

    pub async fn begin(&self, execution: &str) -> Result<Output> {
        self.begin_with(execution, input(json!({}))).await
    }

    pub async fn begin_with(&self, execution: &str, input: Value) -> Result<Output> {
        let payload = json!({"action": "begin", "kind": "BACKUP", "input": input, "execution": execution,
                             "startedAt": "2026-11-20T06:00:01.5Z"});
        self.call(payload, 0).await
    }

    pub async fn advance(&self, execution: &str, version: u64, to: &str, results: Value) -> Result<Output> {
        let payload = json!({"action": "advance", "operationId": operation(), "execution": execution,
                             "version": version, "to": to, "results": results});
        self.call(payload, 10 * i64::try_from(version).unwrap()).await
    }

    pub async fn finish(&self, execution: &str, version: u64, results: Value) -> Result<Output> {
        let payload = json!({"action": "finish", "operationId": operation(), "execution": execution,
                             "version": version, "results": results, "totalApiCalls": 42});
        self.call(payload, 100).await
    }

    /// The record of [`operation`] as it is now.
    pub fn record(&self) -> Operation {
        self.store.now(&operation()).expect("a record")
    }

    /// The report as it lies in the bucket. Every one that a test looks at is held against the schema.
    pub fn report(&self) -> Option<Value> {
        let report = self.documents.now(&operation().report_key())?;
        let schema = serde_json::from_str(SCHEMA).expect("JSON");
        let schema = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("a schema");
        let wrong: Vec<String> =
            schema.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        Some(report)
    }

    /// The page beside it.
    pub fn page(&self) -> Option<String> {
        self.documents.page(&operation().report_page_key())
    }
}

/// The steps of a backup that goes well, each with what its phase found out.
pub fn way() -> [(&'static str, Value); 4] {
    let health = json!({"sourceStatus": "available", "engine": "postgres", "engineVersion": "15.4",
                        "encrypted": true, "snapshotQuota": null, "regions": {}});
    [
        ("SNAPSHOTTING", json!({"health": health})),
        ("VALIDATING", json!({"snapshot": snapshot_result()})),
        ("REPLICATING", json!({"validation": validation("VALID")})),
        (
            "CLEANING_UP",
            json!({"replicas": [replica("us-west-2", "AVAILABLE"), replica("eu-west-1", "AVAILABLE")]}),
        ),
    ]
}

pub fn validation(verdict: &str) -> Value {
    json!({"verdict": verdict, "checks": [], "issues": [], "restoreSeconds": 12.5, "databases": ["shop"],
           "tables": 3, "rows": 100})
}

pub fn replica(region: &str, status: &str) -> Value {
    json!({"region": region, "status": status})
}

/// The kind of the error that `answer` is.
pub fn kind(answer: Result<Output>) -> ErrorKind {
    answer.unwrap_err().kind
}
