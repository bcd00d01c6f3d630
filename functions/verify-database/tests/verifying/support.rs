//! The world of these tests, and the state machine's loop: ask, hand back what is carried, ask again.

use std::time::Duration;

use holdfast_core::Result;
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use holdfast_core::operation::{RecoveryPoint, RestorePlan, RestoreResult, RestoreTimings, ValidationResult};
use holdfast_core::rds::Endpoint;
use holdfast_core::request::{Login, RestoreOptions, RestoreRequest};
use holdfast_core::tags::Tags;
use holdfast_core::validation::Verdict;
use holdfast_fakes::sample::{self, at, blueprint, home, instance};
use holdfast_fakes::{FakeDocuments, FakeLogins};
use serde_json::{Value, json};
use verify_database::{Ports, handle};

use crate::server::{FakeServer, manifest};

pub const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:holdfast/prod-db-AbCdEf";
pub const PASSWORD: &str = "r3ader-s3cret";
pub const BUDGET: Duration = Duration::from_secs(780);

/// The restore that is verified.
pub fn operation() -> OperationId {
    let database = DatabaseId::parse("prod-db").unwrap();
    OperationId::of_restore(&home(), &database, &RunId::parse("back-1").unwrap())
}

/// The backup that it is from.
pub fn backup() -> OperationId {
    sample::operation()
}

/// The backup's snapshot, as it was found.
pub fn snapshot(verdict: Option<Verdict>) -> RecoveryPoint {
    RecoveryPoint::Snapshot {
        id: backup().snapshot_id(),
        backup: Some(backup()),
        verdict,
        taken_at: Some(at(0)),
    }
}

pub struct World {
    pub logins: FakeLogins,
    pub documents: FakeDocuments,
    pub server: FakeServer,
    pub point: RecoveryPoint,
    pub login: Option<Login>,
    /// Where it was brought back.
    pub region: Region,
    /// The part `validation` of the input.
    pub validation: Value,
}

impl World {
    /// From a backup that was found VALID, with its manifest; it can be logged in to with a secret.
    pub fn restored() -> Self {
        let world = World {
            logins: FakeLogins::default(),
            documents: FakeDocuments::default(),
            server: FakeServer::whole(),
            point: snapshot(Some(Verdict::Valid)),
            login: Some(Login::SecretArn(SECRET.into())),
            region: home(),
            validation: json!({}),
        };
        world.documents.lay(&backup().manifest_key(), json!(manifest(100)));
        let secret = json!({"username": "holdfast_reader", "password": PASSWORD});
        world.logins.keep(SECRET, &secret.to_string());
        world.server.set(|server| drop(server.admitted.insert("holdfast_reader".into(), PASSWORD.into())));
        world
    }

    /// Where it listens, which is not where a secret or a name would have it.
    pub fn endpoint() -> Endpoint {
        Endpoint { host: "prod-db.new.us-east-1.rds.amazonaws.com".into(), port: 6543 }
    }

    /// One poll.
    pub async fn ask(&self, poll: u32, carry: &Value) -> Result<Value> {
        let input = json!({"databaseId": "prod-db", "runId": "back-1", "validation": self.validation});
        let plan = self.plan();
        let restore = RestoreResult {
            instance_id: "prod-db".into(),
            arn: "arn:aws:rds:us-east-1:000000000000:db:prod-db".into(),
            endpoint: World::endpoint(),
            class: "db.r6g.large".into(),
            differences: vec![],
            timings: RestoreTimings {
                requested_at: at(10),
                available_seconds: 300.0,
                settled_seconds: 400.0,
            },
        };
        let payload = json!({
            "action": "verify", "operationId": operation(),
            "request": RestoreRequest::parse(&input, "unused", &home()).unwrap(),
            "plan": plan, "restore": restore, "poll": poll, "carry": carry,
        });
        self.call(payload, 0).await
    }

    /// What was planned.
    pub fn plan(&self) -> RestorePlan {
        RestorePlan {
            region: self.region.clone(),
            recovery_point: self.point.clone(),
            newer: None,
            further: None,
            name_taken: None,
            lost: None,
            target_id: DatabaseId::parse("prod-db").unwrap(),
            wanted: blueprint(&instance("prod-db")).wanted(&RestoreOptions::default(), &Tags::new()),
            blueprint_of: backup().to_string(),
            references: vec![],
            login: self.login.clone(),
            unproven: None,
            swap: None,
        }
    }

    /// One call, so many seconds after the world began.
    pub async fn call(&self, payload: Value, seconds: i64) -> Result<Value> {
        let ports = Ports {
            logins: &self.logins,
            documents: &self.documents,
            prover: &self.server,
            budget: BUDGET,
            now: at(seconds),
        };
        let answer = handle(&ports, serde_json::from_value(payload).unwrap()).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Polls until there is a verdict; every answer.
    pub async fn all(&self) -> Vec<Value> {
        let (mut answers, mut carry) = (Vec::new(), json!({}));
        for poll in 1..=100 {
            let answer = self.ask(poll, &carry).await.unwrap();
            carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
            answers.push(answer.clone());
            if answer["status"] == "FINAL" {
                return answers;
            }
        }
        panic!("a hundred polls and no end: {:?}", answers.last());
    }

    /// Polls until there is a verdict.
    pub async fn verdict(&self) -> ValidationResult {
        let last = self.all().await.pop().unwrap();
        serde_json::from_value(last["validation"].clone()).unwrap()
    }

    /// What is kept of it.
    pub fn kept(&self) -> Option<Value> {
        self.documents.now(&operation().validation_key())
    }

    /// Units whose results are kept.
    pub fn units_kept(&self) -> usize {
        self.documents.keys_now(&operation().units_prefix()).len()
    }
}
