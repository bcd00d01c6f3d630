//! The world of these tests, and the state machine's loop: ask, hand back what is carried, ask again.

use std::sync::Arc;
use std::time::Duration;

use capture_baseline::{PIECE_BYTES, Ports, handle};
use holdfast_core::Result;
use holdfast_core::baseline::Captured;
use holdfast_core::ids::OperationId;
use holdfast_fakes::sample::{home, instance, operation, request, snapshot, tags_of};
use holdfast_fakes::{FakeDocuments, FakeLogins, FakeRds};
use serde_json::{Value, json};

use crate::source::{FakeSource, shared};

pub const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:holdfast/prod-db-AbCdEf";
pub const PASSWORD: &str = "r3ader-s3cret";

pub struct World {
    pub rds: Arc<FakeRds>,
    pub logins: FakeLogins,
    pub documents: Arc<FakeDocuments>,
    pub source: Arc<FakeSource>,
    /// The part `baseline` of the input.
    pub baseline: Value,
    /// The part `validation.checks`.
    pub checks: Value,
}

impl World {
    /// A source that can be read with a secret, its replica, and no snapshot yet.
    pub fn new() -> Self {
        let world = World {
            rds: Arc::default(),
            logins: FakeLogins::default(),
            documents: Arc::default(),
            source: shared(),
            baseline: json!({"secretArn": SECRET}),
            checks: json!({}),
        };
        world.rds.lay_instance(&home(), instance("prod-db"));
        world.rds.lay_instance(&home(), instance("prod-db-replica"));
        world.source.admit("holdfast_reader", PASSWORD);
        world.logins.keep(SECRET, &json!({"username": "holdfast_reader", "password": PASSWORD}).to_string());
        world
    }

    /// One that is read to its rows.
    pub fn full() -> Self {
        World { baseline: json!({"secretArn": SECRET, "depth": "full"}), ..World::new() }
    }

    /// One call.
    pub async fn ask(&self, when: &str, poll: u32, carry: &Value, trouble: &Value) -> Result<Value> {
        let region = home();
        let ports = Ports {
            rds: &*self.rds,
            logins: &self.logins,
            documents: &*self.documents,
            source: &*self.source,
            region: &region,
            budget: Duration::from_secs(780),
            piece_bytes: PIECE_BYTES,
        };
        let payload = json!({
            "operationId": operation(), "request": request(json!({"baseline": self.baseline, "validation": {"checks": self.checks}})),
            "when": when, "poll": poll, "carry": carry, "trouble": trouble,
        });
        let answer = handle(&ports, serde_json::from_value(payload).unwrap()).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Polls until it is final; every answer.
    pub async fn all(&self, when: &str, trouble: &Value) -> Result<Vec<Value>> {
        let (mut answers, mut carry) = (Vec::new(), json!({}));
        for poll in 1..=100 {
            let answer = self.ask(when, poll, &carry, trouble).await?;
            carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
            answers.push(answer.clone());
            if answer["status"] == "FINAL" {
                return Ok(answers);
            }
        }
        panic!("a hundred polls and no end: {:?}", answers.last());
    }

    /// Polls the reading before the snapshot until it is final.
    pub async fn before(&self) -> Value {
        self.all("before", &Value::Null).await.unwrap().pop().unwrap()["baseline"].clone()
    }

    /// Polls the reading after the snapshot until it is final.
    pub async fn after(&self) -> Value {
        self.all("after", &Value::Null).await.unwrap().pop().unwrap()["baseline"].clone()
    }

    /// Takes the snapshot.
    pub fn snapshot(&self) {
        lay_snapshot(&self.rds, &operation());
    }

    /// What is kept of it all.
    pub fn captured(&self) -> Option<Captured> {
        let document = self.documents.now(&operation().baseline_key())?;
        Some(serde_json::from_value(document).unwrap())
    }

    /// A part that is kept.
    pub fn part(&self, part: &str) -> Option<Value> {
        self.documents.now(&operation().baseline_part_key(part))
    }

    /// Why the baseline is not whole.
    pub fn reason(&self) -> (String, String) {
        let reason = self.captured().unwrap().reason.unwrap();
        (reason.name, reason.cause)
    }
}

pub fn lay_snapshot(rds: &FakeRds, operation: &OperationId) {
    rds.lay_snapshot(snapshot(&home(), &operation.snapshot_id(), tags_of(operation.as_str())));
}
