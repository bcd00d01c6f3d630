//! A validation by itself: of a copy where it lies, of a backup that was proven before.

use holdfast_core::ids::OperationId;
use holdfast_core::tags;
use holdfast_core::validation::{CheckResult, Verdict};
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::{at, home, operation, snapshot, tags_of};
use serde_json::{Value, json};

use crate::server::{check, manifest};
use crate::support::World;

/// A backup that was found VALID some time ago: tagged, its manifest kept, nothing else left of it.
fn proven() -> World {
    let world = World::whole();
    let mut of_backup = tags_of(operation().as_str());
    of_backup.insert(tags::VERDICT.into(), "VALID".into());
    of_backup.insert(tags::DATABASE.into(), "prod-db".into());
    world.rds.lay_snapshot(snapshot(&home(), &operation().snapshot_id(), of_backup));
    world.documents.lay(&operation().manifest_key(), json!(manifest()));
    world
}

async fn begin(world: &World, input: Value) -> Result<Value> {
    let payload = json!({"action": "begin", "input": input, "startedAt": "2026-12-20T06:00:00Z"});
    world.call(payload, 0).await
}

/// The whole of `stepfunctions/backup-validation.asl.json`: the last answer of the validation.
async fn validated(world: &World, begun: &Value) -> Value {
    let mut carry = json!({});
    for poll in 1..=100 {
        let payload = json!({
            "action": "validate", "operationId": begun["validationId"], "request": begun["request"],
            "snapshot": begun["snapshot"], "backupOf": begun["operationId"], "sameAs": begun["operationId"],
            "poll": poll, "carry": carry,
        });
        let answer = world.call(payload, 10 * poll).await.unwrap();
        if answer["status"] == "FINAL" {
            return answer["validation"].clone();
        }
        carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
    }
    panic!("a hundred polls and no end");
}

fn id(begun: &Value) -> OperationId {
    OperationId::parse(begun["validationId"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_backup_is_proven_again_and_held_against_what_it_was() {
    // GIVEN a backup that was found VALID, WHEN it is validated again
    let world = proven();
    let begun = begin(&world, json!({"operationId": operation()})).await.unwrap();
    let found = validated(&world, &begun).await;
    // THEN it must equal what the first validation found, and the data is as old as the snapshot
    assert_eq!(found["verdict"], "VALID");
    assert_eq!(world.server.proofs()[0].same_as, Some(manifest()));
    assert_eq!(world.server.proofs()[0].snapshot_time, Some(at(0).to_string()));
    // AND everything is kept under a name of its own
    let validation = id(&begun);
    assert_ne!(validation, operation());
    assert_eq!(begun["documentKey"], validation.validation_key());
    assert!(world.documents.now(&validation.validation_key()).is_some());
    assert_eq!(world.documents.now(&operation().validation_key()), None);
    // AND what it is held against stays the first one's
    assert_eq!(world.documents.now(&operation().manifest_key()), Some(json!(manifest())));
    assert_eq!(world.documents.now(&validation.manifest_key()), None);
    // AND the instance was its own, and goes
    let left = world.rds.instance_now(&home(), &validation.validation_instance_id());
    assert!(left.is_none_or(|instance| instance.status == "deleting"));
}

#[tokio::test]
async fn two_validations_of_one_backup_are_two_and_a_repeated_start_is_none() {
    let world = proven();
    let of =
        async |run: &str| begin(&world, json!({"operationId": operation(), "runId": run})).await.unwrap();
    let (first, again, other) = (of("a").await, of("a").await, of("b").await);
    assert_eq!(first, again);
    assert_ne!(id(&first), id(&other));
    validated(&world, &first).await;
    validated(&world, &again).await;
    assert_eq!(world.server.proofs().len(), 1);
    validated(&world, &other).await;
    assert_eq!(world.server.proofs().len(), 2);
}

#[tokio::test]
async fn what_is_known_of_a_backup_changes_only_by_what_is_found_out() {
    for (result, verdict, tagged) in [
        (CheckResult::Passed, Verdict::Valid, "VALID"),
        (CheckResult::Failed, Verdict::Invalid, "INVALID"),
        // No capacity a month later says nothing of the backup: it is still the one to restore from.
        (CheckResult::Errored, Verdict::Inconclusive, "VALID"),
    ] {
        // GIVEN a proven backup, WHEN it is validated again and the checks come to this
        let world = proven();
        world.server.finds(vec![check("same-as", result)]);
        let begun = begin(&world, json!({"operationId": operation()})).await.unwrap();
        let found = validated(&world, &begun).await;
        // THEN the verdict says so, and the snapshot's tag as far as something is known
        assert_eq!(found["verdict"], verdict.as_str());
        assert_eq!(world.tagged().as_deref(), Some(tagged), "{result:?}");
        assert_eq!(world.documents.now(&operation().manifest_key()), Some(json!(manifest())));
    }
}

#[tokio::test]
async fn what_cannot_be_proven_is_said_before_anything_is_made() {
    let refused = async |world: &World, input: Value| {
        let error = begin(world, input).await.unwrap_err();
        assert!(world.rds.instances_in(&home()).iter().all(|id| id == "prod-db"), "{error:?}");
        (error.kind, error.message)
    };
    let asked = || json!({"operationId": operation()});
    // GIVEN no snapshot in this Region
    let world = proven();
    world.rds.lose_snapshot(&home(), &operation().snapshot_id());
    let (kind, message) = refused(&world, asked()).await;
    assert_eq!(kind, ErrorKind::SnapshotGone);
    assert!(message.contains("us-east-1"), "{message}");
    // GIVEN one of that name that is another's
    let world = proven();
    let theirs = snapshot(&home(), &operation().snapshot_id(), tags_of("other-db-r1-0123456789"));
    world.rds.lay_snapshot(theirs);
    assert_eq!(refused(&world, asked()).await.0, ErrorKind::NameTaken);
    // GIVEN nothing that it must equal
    let world = proven();
    world.documents.lose(&operation().manifest_key());
    let (kind, message) = refused(&world, asked()).await;
    assert_eq!(kind, ErrorKind::ValidationInconclusive);
    assert!(message.contains(&operation().manifest_key()), "{message}");
    // GIVEN an engine that nobody here can check
    let world = proven();
    let mut mysql = world.rds.snapshot_now(&home(), &operation().snapshot_id()).unwrap();
    mysql.engine = "mysql".into();
    world.rds.lay_snapshot(mysql);
    assert_eq!(refused(&world, asked()).await.0, ErrorKind::InvalidInput);
    // GIVEN an input that says something else
    let (kind, message) = refused(&proven(), json!({"databaseId": "prod-db"})).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("databaseId"), "{message}");
}
