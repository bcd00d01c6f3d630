//! The world of these tests, and the state machine's loop: ask, hand back what is carried, ask again.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::Result;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::ValidationResult;
use holdfast_core::rds::Instance;
use holdfast_fakes::sample::{at, home, instance, operation, request, snapshot, snapshot_result, tags_of};
use holdfast_fakes::{FakeDocuments, FakeKeys, FakeRds};
use serde_json::{Value, json};
use validate_backup::{Ports, Settings, handle};

use crate::server::FakeServer;

pub struct World {
    pub rds: Arc<FakeRds>,
    pub keys: FakeKeys,
    pub documents: Arc<FakeDocuments>,
    pub server: FakeServer,
    /// Fields of the input.
    pub input: Value,
    pub reference: Option<OperationId>,
    /// What the data must equal.
    pub same_as: Option<OperationId>,
    /// Seconds that one call may work.
    pub budget: Duration,
    /// When the execution began, in seconds.
    begun: std::cell::Cell<i64>,
}

/// How a validation went.
#[derive(Debug)]
pub struct Ended {
    pub validation: ValidationResult,
    /// Every answer, the last one among them.
    pub answers: Vec<Value>,
}

impl World {
    /// The snapshot is there, the data is whole.
    pub fn whole() -> Self {
        let rds = Arc::new(FakeRds::default());
        rds.lay_instance(&home(), instance("prod-db"));
        rds.lay_snapshot(snapshot(&home(), &operation().snapshot_id(), tags_of(operation().as_str())));
        World {
            server: FakeServer::whole(rds.clone()),
            rds,
            keys: FakeKeys::default(),
            documents: Arc::default(),
            input: json!({"validation": {"instanceClass": "db.a", "fallbackInstanceClasses": ["db.b"]}}),
            reference: None,
            same_as: None,
            budget: Duration::from_secs(780),
            begun: std::cell::Cell::new(0),
        }
    }

    pub async fn call(&self, payload: Value, seconds: i64) -> Result<Value> {
        let settings = Settings {
            region: home(),
            subnet_group: "no-way-out".into(),
            security_group: "sg-validation".into(),
            verify_budget: self.budget,
        };
        let ports = Ports {
            rds: &*self.rds,
            keys: &self.keys,
            documents: &*self.documents,
            prover: &self.server,
            settings: &settings,
            now: at(seconds),
        };
        let answer = handle(&ports, serde_json::from_value(payload).unwrap()).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// One poll of the validation, `10 * poll` seconds after the beginning.
    pub async fn ask(&self, poll: u32, carry: &Value) -> Result<Value> {
        let mut payload = json!({
            "action": "validate", "operationId": operation(), "request": request(self.input.clone()),
            "snapshot": snapshot_result(), "referenceOperationId": self.reference, "poll": poll, "carry": carry,
        });
        if let Some(same_as) = &self.same_as {
            payload["sameAs"] = json!(same_as);
        }
        self.call(payload, self.begun.get() + 10 * i64::from(poll)).await
    }

    /// Another execution begins.
    pub fn begin_later(&self, seconds: i64) {
        self.begun.set(seconds);
    }

    /// Polls until `done` says of an answer that it is, or an error comes.
    pub async fn until(&self, done: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        let (mut answers, mut carry) = (Vec::new(), json!({}));
        for poll in 1..=100 {
            let answer = self.ask(poll, &carry).await?;
            carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
            answers.push(answer.clone());
            if done(&answer) {
                return Ok(answers);
            }
        }
        panic!("a hundred polls and no end: {:?}", answers.last());
    }

    /// Polls until there is a verdict.
    pub async fn run(&self) -> Result<Ended> {
        let answers = self.until(|answer| answer["status"] == "FINAL").await?;
        let validation = answers.last().unwrap()["validation"].clone();
        Ok(Ended { validation: serde_json::from_value(validation).unwrap(), answers })
    }

    /// One poll of a worker.
    pub async fn work(&self, worker: u32, workers: u32, poll: u32, carry: &Value) -> Result<Value> {
        let payload = json!({
            "action": "work", "operationId": operation(), "request": request(self.input.clone()),
            "worker": worker, "workers": workers, "poll": poll, "carry": carry,
        });
        self.call(payload, 1000 + 10 * i64::from(poll)).await
    }

    /// Polls until the units are to be worked on by others; how many.
    pub async fn handed_out(&self) -> (u32, Value) {
        let answers = self.until(|answer| answer["carry"]["workers"].is_u64()).await.unwrap();
        let carry = answers.last().unwrap()["carry"].clone();
        (u32::try_from(carry["workers"].as_u64().unwrap()).unwrap(), carry)
    }

    /// Units whose results are kept.
    pub fn units_kept(&self) -> Vec<u32> {
        let keys = self.documents.keys_now(&operation().units_prefix());
        let mut units: Vec<u32> = keys.iter().map(|key| operation().unit_of_key(key).unwrap()).collect();
        units.sort_unstable();
        units
    }

    pub async fn cleanup(&self, failed: bool, poll: u32) -> Result<Value> {
        let payload =
            json!({"action": "cleanup", "operationId": operation(), "failed": failed, "poll": poll});
        self.call(payload, 0).await
    }

    /// Cleans up until it is final, and answers what stays.
    pub async fn cleaned_up(&self, failed: bool) -> Vec<String> {
        for poll in 1..=100 {
            let answer = self.cleanup(failed, poll).await.unwrap();
            if answer["status"] == "FINAL" {
                return serde_json::from_value(answer["leftovers"].clone()).unwrap();
            }
        }
        panic!("a hundred polls and no end");
    }

    /// The temporary instance as it is now.
    pub fn temporary(&self) -> Option<Instance> {
        self.rds.instance_now(&home(), &operation().validation_instance_id())
    }

    /// The verdict that the snapshot's tag says.
    pub fn tagged(&self) -> Option<String> {
        let snapshot = self.rds.snapshot_now(&home(), &operation().snapshot_id())?;
        snapshot.tags.get(holdfast_core::tags::VERDICT).cloned()
    }
}

/// Whether the temporary instance is gone or going.
pub fn gone(world: &World) -> bool {
    world.temporary().is_none_or(|instance| instance.status == "deleting")
}
