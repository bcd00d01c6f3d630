//! By the applied protection plan: its databases are kept as it says, all others as it was deployed.

use holdfast_core::ErrorKind;
use holdfast_core::protection::KEY;
use holdfast_core::regions;
use holdfast_core::retention::Policy;
use holdfast_core::tags;
use holdfast_fakes::sample::{home, region};
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::support::{World, backup, kept, two_days, west};

/// A plan that names `prod-db`, with these rules and these target Regions.
fn applied(retention: Value, targets: &[&str]) -> Value {
    let targets: Vec<Value> =
        targets.iter().map(|region| json!({"region": region, "kmsKeyId": "alias/holdfast"})).collect();
    json!({"version": 1, "name": "shop", "databases": {"prod-db": {
        "environment": "production", "importance": "standard",
        "objectives": {"rtoSeconds": 3600, "rpoSeconds": 900},
        "schedules": {}, "targets": targets, "retention": retention}}})
}

fn keeping(days: u32) -> Value {
    json!({"daily": days, "weekly": 0, "monthly": 0, "yearly": 0, "minimum": 1, "inspectionDays": 3})
}

#[tokio::test]
async fn a_database_of_the_plan_is_kept_as_the_plan_says_and_others_as_deployed() {
    // GIVEN four days of backups of a database of the plan, which keeps three, and of another, deployed to keep two
    let world = World::of_days(4);
    for days in 0..4 {
        let mut other = backup(&home(), days);
        other.id = format!("{}x", other.id);
        other.arn = format!("{}x", other.arn);
        let id = other.id.strip_prefix("holdfast-").unwrap().to_owned();
        other.tags.insert(tags::OPERATION.into(), id);
        other.tags.insert(tags::DATABASE.into(), "other-db".into());
        world.rds.lay_snapshot(other);
    }
    world.documents.lay(KEY, applied(keeping(3), &["us-west-2"]));
    // WHEN it is planned
    let plan = world.run(json!({"action": "plan"})).await.unwrap().plan;
    // THEN each is decided by its own rules, and the plan says which
    assert!(kept(&plan, &home(), 2).is_some() && kept(&plan, &west(), 2).is_some());
    assert_eq!((kept(&plan, &home(), 3), kept(&plan, &west(), 3)), (None, None));
    let others = plan.backups.iter().filter(|entry| entry.database_id == "other-db");
    let fates: Vec<bool> = others.map(|entry| entry.reasons[0].text.contains("no record")).collect();
    assert_eq!(
        fates.iter().filter(|doomed| **doomed).count(),
        2,
        "two are past the deployed rule: {plan:#?}"
    );
    assert_eq!(plan.policy, two_days());
    assert_eq!(plan.own_policies["prod-db"], Policy { daily: 3, ..two_days() });
    // AND what is carried out is that
    world.prune().await;
    assert_eq!(world.left(&home(), 4), [0, 1, 2]);
    assert_eq!(world.left(&west(), 4), [0, 1, 2]);
}

#[tokio::test]
async fn numbers_that_are_asked_for_win_over_the_plan() {
    let world = World::of_days(4);
    world.documents.lay(KEY, applied(keeping(3), &[]));
    let asked = json!({"action": "plan", "policy": {"daily": 1}});
    let plan = world.run(asked).await.unwrap().plan;
    assert_eq!((kept(&plan, &home(), 1), plan.own_policies["prod-db"].daily), (None, 1));
    // A database that is not asked about is not spoken of.
    let other = world.run(json!({"action": "plan", "databases": ["other-db"]})).await.unwrap().plan;
    assert!(other.own_policies.is_empty() && other.backups.is_empty());
}

#[tokio::test]
async fn a_plan_without_rules_leaves_the_deployed_ones() {
    let world = World::of_days(4);
    world.documents.lay(KEY, applied(json!(null), &[]));
    world.prune().await;
    assert_eq!(world.left(&home(), 4), [0, 1]);
}

#[tokio::test]
async fn a_plan_that_says_one_number_leaves_the_others_as_deployed() {
    // GIVEN a deployment that keeps three days, and a plan that says only how many are left in any case
    let mut world = World::of_days(4);
    world.settings.policy.daily = 3;
    world.documents.lay(KEY, applied(json!({"minimum": 2}), &[]));
    world.prune().await;
    assert_eq!(world.left(&home(), 4), [0, 1, 2]);
    // AND a database that is protected no more is kept by the rules that it had
    let mut plan = applied(json!(null), &[]);
    plan["databases"] = json!({});
    plan["kept"] = json!({"prod-db": {"retention": {"daily": 60}}});
    let mut world = World::of_days(4);
    world.settings.policy.daily = 1;
    world.documents.lay(KEY, plan);
    world.prune().await;
    assert_eq!(world.left(&home(), 4).len(), 4);
}

#[tokio::test]
async fn copies_in_a_region_that_only_the_plan_names_are_pruned_as_well() {
    // GIVEN copies in a Region that is no target of the deployment
    let world = World::of_days(4);
    let ireland = region("eu-west-1");
    for days in 0..4 {
        world.rds.lay_snapshot(backup(&ireland, days));
    }
    world.prune().await;
    assert_eq!(world.left(&ireland, 4), [0, 1, 2, 3]);
    // WHEN the plan copies there, THEN they go by its rules
    world.documents.lay(KEY, applied(keeping(1), &["eu-west-1"]));
    world.prune().await;
    assert_eq!(world.left(&ireland, 4), [0]);
}

#[tokio::test]
async fn copies_in_a_region_that_they_once_went_to_are_pruned_as_well() {
    // GIVEN copies in a Region that neither the deployment nor a plan names
    let world = World::of_days(4);
    let ireland = region("eu-west-1");
    for days in 0..4 {
        world.rds.lay_snapshot(backup(&ireland, days));
    }
    // WHEN it is on record that copies went there, THEN they go by the rules of the deployment
    regions::note(&world.documents, &ireland).await.unwrap();
    world.documents.lay("regions/readme.txt", json!("somebody's"));
    let plan = world.prune().await;
    assert_eq!(world.left(&ireland, 4), world.left(&home(), 4));
    assert!(world.left(&ireland, 4).len() < 4 && plan.problems.is_empty(), "{:?}", plan.problems);
    // AND when that cannot be read, nothing is deleted by half of the facts
    world.documents.troubles.once(Call::ListDocuments, Trouble::refused(ErrorKind::AccessDenied));
    let error = world.run(json!({"action": "delete"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn nothing_is_deleted_while_the_plan_cannot_be_read() {
    let mut newer = applied(keeping(1), &[]);
    newer["version"] = json!(2);
    let nothing_kept =
        json!({"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0, "minimum": 1, "inspectionDays": 0});
    for document in [json!("not a plan"), newer, applied(nothing_kept, &[])] {
        let world = World::of_days(4);
        world.documents.lay(KEY, document.clone());
        let error = world.run(json!({"action": "delete"})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnreadableRecord, "{document}");
        assert!(error.message.contains(KEY), "{error}");
        assert_eq!(world.left(&home(), 4).len(), 4, "{document}");
    }
    let world = World::of_days(4);
    world.documents.troubles.always_for(Call::GetDocument, KEY, Trouble::refused(ErrorKind::AccessDenied));
    assert_eq!(world.run(json!({"action": "delete"})).await.unwrap_err().kind, ErrorKind::AccessDenied);
    assert_eq!(world.left(&home(), 4).len(), 4);
}
