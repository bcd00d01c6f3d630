//! The world of these tests, and the state machine's loop: ask, hand back what is carried, ask again.

use holdfast_core::Result;
use holdfast_core::blueprint::KeptBlueprint;
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use holdfast_core::operation::{RecoveryPoint, RestorePlan, RestoreResult};
use holdfast_core::rds::{Instance, Snapshot};
use holdfast_core::request::RestoreRequest;
use holdfast_core::tags;
use holdfast_fakes::sample::{at, blueprint, home, instance, snapshot, tags_of};
use holdfast_fakes::{FakeDocuments, FakeKeys, FakeNetworks, FakeRds, FakeRoles};
use restore_database::{Ports, handle};
use serde_json::{Value, json};

/// The restore that these tests make.
pub fn operation() -> OperationId {
    OperationId::of_restore(&home(), &database(), &RunId::parse("back-1").unwrap())
}

fn database() -> DatabaseId {
    DatabaseId::parse("prod-db").unwrap()
}

#[derive(Default)]
pub struct World {
    pub rds: FakeRds,
    pub keys: FakeKeys,
    pub documents: FakeDocuments,
    pub networks: FakeNetworks,
    pub roles: FakeRoles,
}

impl World {
    /// The key is there; neither the database nor a backup of it is.
    pub fn empty() -> Self {
        let world = World::default();
        world.keys.add(&home(), &FakeKeys::arn(&home()));
        world
    }

    /// The database is gone, and one backup of it was found VALID and has its blueprint beside it.
    pub fn lost() -> Self {
        let world = World::empty();
        let backup = world.backup("run-1", 0, |_| {});
        world.keep_blueprint(&backup, |_| {});
        world
    }

    /// A backup that was found VALID, of data from so many seconds after the beginning, but for what `change`
    /// makes of it.
    pub fn backup(&self, run: &str, seconds: i64, change: impl FnOnce(&mut Snapshot)) -> OperationId {
        let backup = OperationId::derive(&home(), &database(), &RunId::parse(run).unwrap());
        let mut of_backup = tags_of(backup.as_str());
        of_backup.insert(tags::DATABASE.into(), "prod-db".into());
        of_backup.insert(tags::VERDICT.into(), "VALID".into());
        let mut made = snapshot(&home(), &backup.snapshot_id(), of_backup);
        made.taken_at = Some(at(seconds));
        change(&mut made);
        self.rds.lay_snapshot(made);
        backup
    }

    /// Lays beside a backup what its source was made with, but for what `change` makes of it.
    pub fn keep_blueprint(&self, backup: &OperationId, change: impl FnOnce(&mut KeptBlueprint)) {
        let mut kept = KeptBlueprint { blueprint: blueprint(&instance("prod-db")), login: None };
        change(&mut kept);
        self.documents.lay(&backup.blueprint_key(), json!(kept));
    }

    async fn call(&self, payload: Value, seconds: i64) -> Result<Value> {
        let ports = Ports {
            rds: &self.rds,
            keys: &self.keys,
            documents: &self.documents,
            networks: &self.networks,
            roles: &self.roles,
            now: at(seconds),
        };
        let answer = handle(&ports, serde_json::from_value(payload).unwrap()).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// Plans an hour after the beginning what the fields of `more` say.
    pub async fn plan(&self, more: Value) -> Result<RestorePlan> {
        self.plan_at(3600, more).await
    }

    pub async fn plan_at(&self, seconds: i64, more: Value) -> Result<RestorePlan> {
        let payload = json!({"action": "plan", "operationId": operation(), "request": request(more)});
        let answer = self.call(payload, seconds).await?;
        assert_eq!(answer["status"], "FINAL");
        // A plan makes nothing, and what it answers is what the next step reads.
        assert_eq!((self.rds.databases_asked().len(), self.rds.settled()), (0, 0));
        Ok(serde_json::from_value(answer["plan"].clone()).unwrap())
    }

    /// One poll of the restore, `10 * poll` seconds after the beginning.
    pub async fn ask(&self, plan: &RestorePlan, poll: u32, carry: &Value) -> Result<Value> {
        let payload = json!({
            "action": "restore", "operationId": operation(), "plan": plan, "poll": poll, "carry": carry,
        });
        self.call(payload, 10 * i64::from(poll)).await
    }

    /// Polls until it is final; an error that the state machine tries again is tried again. Every answer.
    pub async fn all(&self, plan: &RestorePlan) -> Result<Vec<Value>> {
        let (mut answers, mut carry) = (Vec::new(), json!({}));
        for poll in 1..=100 {
            let answer = match self.ask(plan, poll, &carry).await {
                Err(error) if error.kind.retryable() => continue,
                asked => asked?,
            };
            carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
            answers.push(answer.clone());
            if answer["status"] == "FINAL" {
                return Ok(answers);
            }
        }
        panic!("a hundred polls and no end: {:?}", answers.last());
    }

    /// Polls until the database is there.
    pub async fn restore(&self, plan: &RestorePlan) -> Result<RestoreResult> {
        Ok(restored(self.all(plan).await?.last().unwrap()))
    }

    /// What is said to be left behind.
    pub async fn leftovers(&self) -> Vec<String> {
        let payload =
            json!({"action": "leftovers", "operationId": operation(), "request": request(json!({}))});
        let answer = self.call(payload, 0).await.unwrap();
        serde_json::from_value(answer["leftovers"].clone()).unwrap()
    }

    /// The target as it is now.
    pub fn target(&self) -> Option<Instance> {
        self.rds.instance_now(&home(), "prod-db")
    }
}

/// The database of a final answer.
pub fn restored(answer: &Value) -> RestoreResult {
    serde_json::from_value(answer["restore"].clone()).unwrap()
}

pub fn request(more: Value) -> RestoreRequest {
    let mut input = json!({"databaseId": "prod-db", "runId": "back-1"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    RestoreRequest::parse(&input, "unused", &home()).unwrap()
}

/// The snapshot that a plan takes.
pub fn snapshot_of(plan: &RestorePlan) -> &str {
    match &plan.recovery_point {
        RecoveryPoint::Snapshot { id, .. } => id,
        RecoveryPoint::PointInTime { .. } => panic!("not a snapshot: {plan:?}"),
    }
}

/// The snapshot as a copy in another Region, with a key of that Region.
pub fn copied_to(region: &Region, made: &mut Snapshot) {
    *made = Snapshot { taken_at: made.taken_at, ..snapshot(region, &made.id, made.tags.clone()) };
    made.source_region = Some(home());
}
