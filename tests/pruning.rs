//! Pruning on the whole stack: real snapshots are deleted by the deployed function, with IAM enforced.

use std::collections::BTreeMap;

use aws_sdk_rds::config::Credentials;
use aws_sdk_rds::types::Tag;
use holdfast_testkit::clients::{HOME_REGION, config};
use holdfast_testkit::project::binary;
use holdfast_tests::World;
use holdfast_tests::world::tag;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const WEST: &str = "us-west-2";

/// Takes a backup with a copy and gives both the verdict that a validation would have.
async fn backed_up(world: &World, run: &str, verdict: &str) -> String {
    let mut input = world.input(run);
    input["validation"] = json!({"enabled": false});
    input["targetRegions"] = json!([{"region": WEST}]);
    let ended = world.run(&input).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    let id = world.operation(run).snapshot_id();
    for region in [HOME_REGION, WEST] {
        set_tag(world, region, &id, "holdfast:verdict", verdict).await;
    }
    id
}

async fn set_tag(world: &World, region: &str, id: &str, key: &str, value: &str) {
    let snapshot = world.snapshot(region, id).await.expect("the snapshot");
    let arn = snapshot.db_snapshot_arn().expect("an ARN");
    let tags = Tag::builder().key(key).value(value).build();
    world
        .region(region)
        .rds
        .add_tags_to_resource()
        .resource_name(arn)
        .tags(tags)
        .send()
        .await
        .expect("a tag");
}

/// Which of these snapshots are there.
async fn there<'a>(world: &World, region: &str, ids: &[&'a str]) -> Vec<&'a str> {
    let mut there = Vec::new();
    for id in ids {
        if world.snapshot(region, id).await.is_some() {
            there.push(*id);
        }
    }
    there
}

/// The RDS API of the home Region as the function that the template calls `logical_id` has it. The local cloud derives
/// a worker's access key from its function and its role.
async fn as_function(world: &World, logical_id: &str) -> aws_sdk_rds::Client {
    let setting = |name: &str| std::env::var(name).expect("a setting of the stack");
    let lambda = aws_sdk_lambda::Client::new(&config(&setting("AWS_ENDPOINT_URL"), HOME_REGION));
    let name = world.resource(logical_id).await;
    let function =
        lambda.get_function_configuration().function_name(name).send().await.expect("the function");
    let (arn, role) = (function.function_arn().expect("an ARN"), function.role().expect("a role"));
    let digest = hex::encode(Sha256::digest(format!("{arn}:{role}")));
    let key = format!("ASIA{}", digest[..16].to_ascii_uppercase());
    let rds = aws_sdk_rds::config::Builder::from(&config(&setting("AWS_ENDPOINT_URL_RDS"), HOME_REGION))
        .credentials_provider(Credentials::new(key, "secret", Some("token".into()), None, "test"));
    aws_sdk_rds::Client::from_conf(rds.build())
}

/// What the function keeps and deletes of the test's database: one a day, refused ones not for a minute.
fn asked(world: &World, action: &str) -> Value {
    let policy =
        json!({"daily": 1, "weekly": 0, "monthly": 0, "yearly": 0, "minimum": 1, "inspectionDays": 0});
    json!({"action": action, "databases": [world.database], "policy": policy})
}

/// The words of the reasons by snapshot and Region; `None` for what is to be deleted.
fn reasons(plan: &Value) -> BTreeMap<(String, String), Option<Vec<String>>> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let entries = plan["backups"].as_array().expect("backups").iter();
    entries
        .map(|entry| {
            let codes =
                entry["reasons"].as_array().expect("reasons").iter().map(|reason| text(&reason["code"]));
            let kept = (entry["fate"] == "KEEP").then(|| codes.collect());
            ((text(&entry["snapshotId"]), text(&entry["region"])), kept)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_pruned_and_what_must_stay_stays() {
    // GIVEN four backups of a database, each with a copy: an old one, one on hold, the newest proven one, a refused one
    let world = World::new("prune").await;
    let old = backed_up(&world, "run-1", "VALID").await;
    let held = backed_up(&world, "run-2", "VALID").await;
    set_tag(&world, HOME_REGION, &held, "holdfast:hold", "case 4711").await;
    let newest = backed_up(&world, "run-3", "VALID").await;
    let refused = backed_up(&world, "run-4", "INVALID").await;
    // AND a snapshot that only looks like one of them
    let foreign = format!("holdfast-by-hand-{}", world.database);
    let create = world.home.rds.create_db_snapshot().db_snapshot_identifier(&foreign);
    create.db_instance_identifier(&world.database).send().await.expect("a snapshot");
    // While it is being made it may be a copy of any of them, and keeps them all.
    holdfast_tests::world::until("the snapshot", std::time::Duration::from_secs(60), async || {
        let status = world.snapshot(HOME_REGION, &foreign).await?.status.unwrap_or_default();
        (status == "available").then_some(())
    })
    .await;
    let all = [old.as_str(), &held, &newest, &refused];

    // WHEN a plan is asked for, THEN it says what becomes of each, in both Regions, and does nothing
    let plan = world.invoke("PruneBackupsFunction", &asked(&world, "plan")).await;
    let found = reasons(&plan);
    let of = |id: &str, region: &str| found[&(id.to_owned(), region.to_owned())].clone();
    for region in [HOME_REGION, WEST] {
        assert_eq!(of(&old, region), None, "{plan:#}");
        assert_eq!(of(&newest, region).unwrap(), ["newest-valid", "daily", "minimum"], "{plan:#}");
        assert_eq!(of(&refused, region), None, "{plan:#}");
    }
    assert_eq!(of(&held, HOME_REGION).unwrap(), ["on-hold"]);
    assert_eq!(of(&held, WEST), None);
    assert_eq!(of(&foreign, HOME_REGION).unwrap()[0], "not-ours");
    assert_eq!((there(&world, HOME_REGION, &all).await.len(), there(&world, WEST, &all).await.len()), (4, 4));
    let key = plan["documentKey"].as_str().expect("a key");
    assert_eq!(world.document(key).await.expect("the plan")["backups"], plan["backups"]);
    let quota = &plan["quotas"][0];
    assert!(quota["region"] == HOME_REGION && quota["used"].as_i64() >= Some(5), "{quota}");

    // AND the command shows the same, and deletes nothing by itself
    let shown = holdfast(&[
        "prune",
        &world.database,
        "--keep-daily",
        "1",
        "--keep-weekly",
        "0",
        "--keep-monthly",
        "0",
        "--keep-yearly",
        "0",
        "--keep-at-least",
        "1",
        "--inspection-days",
        "0",
    ])
    .await;
    assert!(shown.contains(&format!("{} in {HOME_REGION}", world.database)), "{shown}");
    assert!(shown.contains("KEEP    on hold (tag holdfast:hold): case 4711"), "{shown}");
    assert!(shown.contains("DELETE  INVALID: a refused backup fills no slot"), "{shown}");
    assert!(shown.contains("3 to keep, 5 to delete, by 1 daily"), "{shown}");

    // WHEN it is carried out, THEN these are gone, and the others are there
    let done = world.invoke("PruneBackupsFunction", &asked(&world, "delete")).await;
    assert_eq!(there(&world, HOME_REGION, &all).await, [&held, &newest], "{done:#}");
    assert_eq!(there(&world, WEST, &all).await, [&newest], "{done:#}");
    assert!(world.snapshot(HOME_REGION, &foreign).await.is_some());
    let deletions = done["deletions"].as_array().expect("deletions");
    assert!(deletions.len() == 5 && deletions.iter().all(|one| one["result"] == "DELETED"), "{done:#}");
    let document = world.document(done["documentKey"].as_str().expect("a key")).await.expect("the plan");
    assert_eq!(document["deletions"], done["deletions"]);
    // AND a second time nothing more goes
    let again = world.invoke("PruneBackupsFunction", &asked(&world, "delete")).await;
    assert_eq!((&again["totals"]["delete"], &again["deletions"]), (&json!(0), &json!([])), "{again:#}");

    // AND the points that are left are shown with their Regions
    let shown = holdfast(&["points", &world.database]).await;
    assert!(shown.contains(WEST) && shown.contains("the newest validated backup"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.contains(" VALID ")).count(), 3, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_may_delete_no_snapshot_but_an_operations_that_nobody_holds() {
    // GIVEN a backup on hold, and snapshots of the same database that no operation made
    let world = World::new("prune-iam").await;
    let held = backed_up(&world, "run-1", "VALID").await;
    set_tag(&world, HOME_REGION, &held, "holdfast:hold", "").await;
    let (alike, mine) = (format!("holdfast-{}", world.database), format!("{}-mine", world.database));
    for id in [&alike, &mine] {
        let create = world.home.rds.create_db_snapshot().db_snapshot_identifier(id);
        create.db_instance_identifier(&world.database).send().await.expect("a snapshot");
        holdfast_tests::world::until("the snapshot", std::time::Duration::from_secs(60), async || {
            let status = world.snapshot(HOME_REGION, id).await?.status.unwrap_or_default();
            let ready = world.instance(&world.database).await?.db_instance_status == Some("available".into());
            (status == "available" && ready).then_some(())
        })
        .await;
    }
    // WHEN its role deletes them, THEN it is not let
    let role = as_function(&world, "PruneBackupsFunction").await;
    for id in [&held, &alike, &mine] {
        let error = role.delete_db_snapshot().db_snapshot_identifier(id).send().await.expect_err("refused");
        let said = format!("{error:?}");
        assert!(said.contains("AccessDenied") && said.contains("rds:DeleteDBSnapshot"), "{id}: {said}");
        assert!(world.snapshot(HOME_REGION, id).await.is_some(), "{id}");
    }
    // AND once nobody holds the backup, it is
    let snapshot = world.snapshot(HOME_REGION, &held).await.expect("the snapshot");
    assert_eq!(tag(&snapshot, "holdfast:hold"), Some(""));
    let arn = snapshot.db_snapshot_arn().expect("an ARN");
    let free = world.home.rds.remove_tags_from_resource().resource_name(arn).tag_keys("holdfast:hold");
    free.send().await.expect("no tag");
    role.delete_db_snapshot().db_snapshot_identifier(&held).send().await.expect("deleted");
    assert!(world.snapshot(HOME_REGION, &held).await.is_none());
}

/// Runs the command as a user would; what it printed.
async fn holdfast(arguments: &[&str]) -> String {
    let path = binary("holdfast").expect("the command is built");
    let output = tokio::process::Command::new(path).args(arguments).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
