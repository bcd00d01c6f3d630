//! Replications on the whole stack: a backup that is there, copied to further Regions.

use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_tests::World;
use holdfast_tests::world::{holdfast, tag};
use serde_json::{Value, json};

/// A proven backup without a copy anywhere; its operation.
async fn backed_up(world: &World) -> holdfast_core::ids::OperationId {
    let mut input = world.input("run-1");
    input["targetRegions"] = json!([]);
    let ended = world.run(&input).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    world.operation("run-1")
}

async fn replicate(world: &World, more: &[&str]) -> (i32, Value, String) {
    let arguments = ["replicate", &world.database, "--yes", "--output", "json"];
    let arguments: Vec<&str> = arguments.into_iter().chain(more.iter().copied()).collect();
    let (code, said, complaint) = holdfast(&arguments).await;
    (code, serde_json::from_str(&said).unwrap_or(Value::Null), complaint)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_copied_later_and_the_copy_is_as_good_as_its_own() {
    // GIVEN a proven backup that nobody copied
    let world = World::new("replicated").await;
    let backup = backed_up(&world).await;
    // WHEN it is copied to a Region, and that copy is to be proven there
    let (code, summary, complaint) =
        replicate(&world, &["--to", "us-west-2", "--copy-share", "1", "--run-id", "r1"]).await;
    // THEN the copy is there, called after the backup, with its tags, its manifest and its proof
    assert_eq!(code, 0, "{complaint}");
    assert_eq!((&summary["type"], &summary["status"]), (&json!("REPLICATION"), &json!("SUCCEEDED")));
    assert_eq!(summary["backup"]["operationId"], backup.as_str());
    let copy = world.snapshot("us-west-2", &backup.snapshot_id()).await.expect("a copy");
    assert_eq!(tag(&copy, "holdfast:operation"), Some(backup.as_str()));
    assert_eq!((tag(&copy, "holdfast:verdict"), tag(&copy, "holdfast:tier")), (Some("VALID"), Some("daily")));
    assert!(world.document_in("us-west-2", &backup.manifest_key()).await.is_some(), "a manifest beside it");
    assert_eq!(summary["replicas"]["us-west-2"]["validation"]["verdict"], "VALID", "{summary:#}");
    assert!(world.snapshot("eu-west-1", &backup.snapshot_id()).await.is_none(), "nobody asked for that one");
    // AND it is an operation like any other, with a record and a report
    let id = summary["operationId"].as_str().expect("an id");
    let (_, listed, _) = holdfast(&["ops", "list", "--output", "json", &world.database]).await;
    assert!(listed.contains(id) && listed.contains("REPLICATION"), "{listed}");
    let report = world.document(&format!("reports/{id}.json")).await.expect("a report");
    assert_eq!(report["request"]["targetRegions"][0]["region"], "us-west-2");

    // WHEN it is asked for again, with a Region more, THEN what is there is left as it is
    let (code, again, complaint) =
        replicate(&world, &["--to", "us-west-2", "--to", "eu-west-1", "--backup", backup.as_str()]).await;
    assert_eq!((code, &again["status"]), (0, &json!("SUCCEEDED")), "{complaint}");
    assert_eq!(world.effects("CopyDBSnapshot").await, 2, "one copy for each Region");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_loses_no_other_and_none_at_all_is_a_failure() {
    let world = World::new("unreplicated").await;
    let backup = backed_up(&world).await;
    let refused = json!({"type": "error", "code": "KMSKeyNotAccessibleFault", "message": "no such key"});
    let fault = json!({"action": "CopyDBSnapshot", "region": "eu-west-1", "effect": refused});
    let fault = world.fault(fault).await;
    // GIVEN a key in one of two Regions that cannot be used, WHEN the backup is copied to both
    let (code, summary, _) = replicate(&world, &["--to", "us-west-2", "--to", "eu-west-1"]).await;
    // THEN one has it, and the other says why it has not
    assert_eq!((code, &summary["status"]), (3, &json!("PARTIAL")), "{summary:#}");
    assert!(world.snapshot("us-west-2", &backup.snapshot_id()).await.is_some());
    assert_eq!(summary["replicas"]["eu-west-1"]["error"]["name"], "Holdfast.KeyUnusable", "{summary:#}");
    // WHEN that Region alone is asked for, THEN it fails with that name
    let (code, summary, _) = replicate(&world, &["--to", "eu-west-1"]).await;
    assert_eq!((code, &summary["status"]), (1, &json!("FAILED")), "{summary:#}");
    assert_eq!(summary["failure"]["name"], "Holdfast.KeyUnusable");
    assert!(summary["failure"]["cause"].as_str().expect("a cause").contains("eu-west-1"), "{summary:#}");
    world.heal(fault).await;
    // A backup that nobody proved has nothing that its copies could be held against: nothing is begun.
    let mut unproven = world.input("run-2");
    unproven["targetRegions"] = json!([]);
    unproven["validation"] = json!({"enabled": false});
    assert_eq!(world.run(&unproven).await.status, ExecutionStatus::Succeeded);
    let unproven = world.operation("run-2");
    let named = ["--backup", unproven.as_str(), "--to", "us-west-2"];
    let (code, _, said) = replicate(&world, &[named.as_slice(), &["--copy-share", "1"]].concat()).await;
    assert!(code == 2 && said.contains("was never proven"), "{said}");
    assert!(world.snapshot("us-west-2", &unproven.snapshot_id()).await.is_none());
    // A database without a proven backup has nothing to copy.
    let (code, summary, _) =
        replicate(&world, &["--backup", "nobody-r1-0123456789", "--to", "us-west-2"]).await;
    assert_eq!(
        (code, &summary["failure"]["name"]),
        (1, &json!("Holdfast.RecoveryPointNotFound")),
        "{summary:#}"
    );
    // Who asks for nothing that changes something is asked first.
    let (code, _, complaint) = holdfast(&["replicate", &world.database, "--to", "us-west-2"]).await;
    assert_eq!(code, 2, "{complaint}");
    assert!(complaint.contains("--yes"), "{complaint}");
}
