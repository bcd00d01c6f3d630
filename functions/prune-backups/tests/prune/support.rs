//! The world of these tests.

use std::time::Instant;

use holdfast_core::ids::{OperationId, Region, RunId};
use holdfast_core::operation::{Operation, Phase};
use holdfast_core::rds::Snapshot;
use holdfast_core::retention::{Action, Deletion, DeletionResult, Entry, Fate, Plan, Policy};
use holdfast_core::tags::{self, Tags};
use holdfast_core::{Result, ids::DatabaseId};
use holdfast_fakes::sample::{at, home, region, request, snapshot};
use holdfast_fakes::{FakeDocuments, FakeRds, FakeStore};
use jiff::{SignedDuration, Timestamp};
use prune_backups::{Input, Output, Ports, Settings, handle};
use serde_json::{Value, json};

/// Every backup is so many days old at [`at`]`(0)`, when the function runs.
pub struct World {
    pub rds: FakeRds,
    pub store: FakeStore,
    pub documents: FakeDocuments,
    pub settings: Settings,
    pub ends: Option<Instant>,
}

pub fn west() -> Region {
    region("us-west-2")
}

/// Keeps two days, and one backup in any case; refused ones for three days.
pub fn two_days() -> Policy {
    Policy { daily: 2, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspection_days: 3 }
}

pub fn days_ago(days: i64) -> Timestamp {
    at(0) - SignedDuration::from_hours(24 * days)
}

/// The backup of `prod-db` that many days ago.
pub fn operation(days: i64) -> OperationId {
    let database = DatabaseId::parse("prod-db").unwrap();
    OperationId::derive(&home(), &database, &RunId::parse(&days_ago(days).to_string()).unwrap())
}

/// Its snapshot, or its copy elsewhere: VALID.
pub fn backup(at: &Region, days: i64) -> Snapshot {
    let operation = operation(days);
    let tags = Tags::from([
        (tags::OPERATION.to_owned(), operation.to_string()),
        (tags::DATABASE.to_owned(), "prod-db".to_owned()),
        (tags::VERDICT.to_owned(), "VALID".to_owned()),
    ]);
    Snapshot { taken_at: Some(days_ago(days)), ..snapshot(at, &operation.snapshot_id(), tags) }
}

/// Its record.
pub fn record(days: i64, phase: Phase) -> Operation {
    let request = request(json!({"runId": days_ago(days).to_string()}));
    let mut record = Operation::begin(operation(days), request.into(), "owner".into(), days_ago(days));
    record.phase = phase;
    record
}

impl World {
    /// Backups of each of the last `days` days in both Regions, with their ended records.
    pub fn of_days(days: i64) -> Self {
        let settings = Settings { regions: vec![home(), west()], policy: two_days(), daily: Action::Plan };
        let world = World {
            rds: FakeRds::default(),
            store: FakeStore::default(),
            documents: FakeDocuments::default(),
            settings,
            ends: None,
        };
        for day in 0..days {
            world.rds.lay_snapshot(backup(&home(), day));
            world.rds.lay_snapshot(backup(&west(), day));
            world.store.lay(&record(day, Phase::Succeeded));
        }
        world
    }

    pub async fn run(&self, input: Value) -> Result<Output> {
        let ports = Ports {
            rds: &self.rds,
            store: &self.store,
            documents: &self.documents,
            settings: &self.settings,
            now: at(0),
            ends: self.ends,
        };
        let input: Input = serde_json::from_value(input).unwrap();
        handle(&ports, input).await
    }

    /// Asks for the deletions to be carried out.
    pub async fn prune(&self) -> Plan {
        self.run(json!({"action": "delete"})).await.unwrap().plan
    }

    /// The days of the backups that are left in a Region.
    pub fn left(&self, region: &Region, days: i64) -> Vec<i64> {
        let there = self.rds.snapshots_in(region);
        (0..days).filter(|day| there.contains(&operation(*day).snapshot_id())).collect()
    }
}

/// The entry of the backup of that many days ago.
pub fn entry<'a>(plan: &'a Plan, region: &Region, days: i64) -> &'a Entry {
    let id = operation(days).snapshot_id();
    plan.backups.iter().find(|entry| entry.region == *region && entry.snapshot_id == id).unwrap()
}

/// The words of the reasons for which it is kept; `None` when it is to be deleted.
pub fn kept(plan: &Plan, region: &Region, days: i64) -> Option<Vec<String>> {
    let entry = entry(plan, region, days);
    (entry.fate == Fate::Keep).then(|| entry.reasons.iter().map(|reason| reason.code.clone()).collect())
}

/// What became of the deletion of that backup.
pub fn deletion<'a>(plan: &'a Plan, region: &Region, days: i64) -> Option<&'a Deletion> {
    let id = operation(days).snapshot_id();
    plan.deletions.iter().find(|deletion| deletion.region == *region && deletion.snapshot_id == id)
}

pub fn results(plan: &Plan) -> Vec<DeletionResult> {
    plan.deletions.iter().map(|deletion| deletion.result).collect()
}
