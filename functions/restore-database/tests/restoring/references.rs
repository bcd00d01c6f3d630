//! Everything that the new instance refers to, known before anything is made.

use holdfast_core::ErrorKind;
use holdfast_core::blueprint::Monitoring;
use holdfast_core::operation::RestorePlan;
use holdfast_fakes::sample::home;
use holdfast_fakes::{Call, FakeKeys, Trouble};
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn everything_it_refers_to_is_looked_up_and_shown() {
    let plan = World::lost().plan(json!({})).await.unwrap();
    let shown: Vec<(&str, &str)> =
        plan.references.iter().map(|reference| (reference.what.as_str(), reference.name.as_str())).collect();
    let key = FakeKeys::arn(&home());
    assert_eq!(
        shown,
        [
            ("subnet group", "production"),
            ("parameter group", "default.postgres15"),
            ("option group", "default:postgres-15"),
            ("certificate authority", "rds-ca-rsa2048-g1"),
            ("instance class", "db.m6g.large"),
            ("security group", "sg-default"),
            ("KMS key", key.as_str()),
        ]
    );
    assert!(plan.references.iter().all(|reference| reference.problem.is_none()));
}

#[tokio::test]
async fn everything_that_is_missing_is_named_at_once() {
    // GIVEN a Region in which nothing of it is
    let world = World::lost();
    let missing =
        ["production", "default.postgres15", "default:postgres-15", "rds-ca-rsa2048-g1", "db.m6g.large"];
    for name in missing {
        world.rds.lay_problem(name, "is not there");
    }
    world.networks.lose(&home(), "sg-default");
    world.keys.set_state(&home(), "PendingDeletion");
    // WHEN it is planned, THEN one refusal names all
    let error = world.plan(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    for name in missing {
        assert!(error.message.contains(&format!("{name} is not there")), "{name}: {error}");
    }
    assert!(error.message.contains("security group sg-default is not there: make it"), "{error}");
    assert!(error.message.contains("KMS key") && error.message.contains("PendingDeletion"), "{error}");
}

#[tokio::test]
async fn the_key_of_performance_insights_is_one_of_the_region() {
    let world = World::lost();
    let with = async |key: &str| {
        world.plan(json!({"options": {"performanceInsights": {"enabled": true, "kmsKeyId": key}}})).await
    };
    // GIVEN the key of the Region
    let plan = with(&FakeKeys::arn(&home())).await.unwrap();
    let insights = plan.references.iter().find(|reference| reference.what == "Performance Insights key");
    assert_eq!(insights.map(|reference| &reference.problem), Some(&None));
    // GIVEN one of another Region, one that is not there, and one that is about to go
    for (key, why) in [
        ("arn:aws:kms:us-west-2:000000000000:key/there", "is a key of us-west-2: name one of us-east-1"),
        ("arn:aws:kms:us-east-1:000000000000:key/gone", "is not there: name one of us-east-1"),
    ] {
        let error = with(key).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
        assert!(error.message.contains(&format!("Performance Insights key {key} {why}")), "{error}");
    }
    world.keys.add(&home(), "alias/insights");
    world.keys.set_state(&home(), "Disabled");
    let error = with("alias/insights").await.unwrap_err();
    assert!(error.message.contains("Performance Insights key alias/insights cannot be used ("), "{error}");
    // AND without it there is nothing to look for
    world.keys.set_state(&home(), "Enabled");
    let plan = world.plan(json!({"options": {"performanceInsights": {"enabled": false}}})).await.unwrap();
    assert!(plan.references.iter().all(|reference| reference.what != "Performance Insights key"));
}

#[tokio::test]
async fn the_role_of_enhanced_monitoring_is_there_and_may_be_taken() {
    const ROLE: &str = "arn:aws:iam::000000000000:role/rds-monitoring-role";
    const OTHER: &str = "arn:aws:iam::000000000000:role/lambda";
    let world = World::empty();
    let backup = world.backup("run-1", 0, |_| {});
    world.keep_blueprint(&backup, |kept| {
        kept.blueprint.monitoring = Some(Monitoring { interval_seconds: 60, role_arn: ROLE.to_owned() });
    });
    // GIVEN a source that had Enhanced Monitoring, whose role is gone
    let error = world.plan(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    assert!(
        error.message.contains(&format!("Enhanced Monitoring role {ROLE} is not there: mend it")),
        "{error}"
    );
    // AND one that only another service may take
    world.roles.add(OTHER, "lambda.amazonaws.com");
    let other = json!({"options": {"monitoring": {"intervalSeconds": 15, "roleArn": OTHER}}});
    let error = world.plan(other).await.unwrap_err();
    assert!(error.message.contains("does not let monitoring.rds.amazonaws.com take it"), "{error}");
    // WHEN it can be taken, THEN it is shown; WHEN it is not wanted, THEN nobody looks
    let role = |plan: &RestorePlan| {
        plan.references.iter().find(|reference| reference.what == "Enhanced Monitoring role").cloned()
    };
    let plan = world.plan(json!({"options": {"monitoring": {"intervalSeconds": 0}}})).await.unwrap();
    assert_eq!((role(&plan), plan.wanted.settings.monitoring), (None, None));
    world.roles.add(ROLE, "monitoring.rds.amazonaws.com");
    let shown = role(&world.plan(json!({})).await.unwrap()).unwrap();
    assert_eq!((shown.problem, shown.unseen), (None, None));
    // AND where IAM does not answer, the restore does not wait for it: that nobody looked is said
    world.roles.troubles.once(Call::TrustedServices, Trouble::refused(ErrorKind::Throttled));
    let unseen = role(&world.plan(json!({})).await.unwrap()).unwrap();
    assert!(unseen.problem.is_none() && unseen.unseen.is_some(), "{unseen:?}");
}

#[tokio::test]
async fn each_that_is_missing_is_enough() {
    for name in ["production", "default.postgres15", "default:postgres-15", "rds-ca-rsa2048-g1"] {
        let world = World::lost();
        world.rds.lay_problem(name, "is not there");
        let error = world.plan(json!({})).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
        assert!(error.message.contains(&format!("{name} is not there")), "{error}");
    }
}

#[tokio::test]
async fn one_class_that_is_offered_is_enough() {
    // GIVEN two classes that would do, of which one is not offered
    let world = World::lost();
    let asked = json!({"options": {"instanceClasses": ["db.a", "db.b"]}});
    world.rds.lay_problem("db.a", "is not offered");
    // THEN it can be planned, and the plan shows which is not
    let plan = world.plan(asked.clone()).await.unwrap();
    let problems: Vec<&str> =
        plan.references.iter().filter_map(|reference| reference.problem.as_deref()).collect();
    assert_eq!(problems, ["is not offered"]);
    // AND with an offered class another thing that is missing is still missing
    world.networks.lose(&home(), "sg-default");
    let error = world.plan(asked.clone()).await.unwrap_err();
    assert!(error.message.contains("in us-east-1: security group sg-default is not there"), "{error}");
    assert!(!error.message.contains("db.a"), "{error}");
    // GIVEN neither is, THEN that is an error that names both
    world.rds.lay_problem("db.b", "is not offered");
    let error = world.plan(asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    for class in ["db.a is not offered", "db.b is not offered"] {
        assert!(error.message.contains(class), "{error}");
    }
}

#[tokio::test]
async fn without_its_key_nothing_that_is_encrypted_comes_back() {
    // GIVEN a key that is disabled
    let world = World::lost();
    world.keys.set_state(&home(), "Disabled");
    let error = world.plan(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    assert!(error.message.contains("cannot be used") && error.message.contains("Disabled"), "{error}");
    // GIVEN one that is not there
    let missing = "arn:aws:kms:us-east-1:000000000000:key/gone";
    world.keys.set_state(&home(), "Enabled");
    world.backup("run-1", 0, |made| made.kms_key_id = Some(missing.into()));
    let error = world.plan(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    assert!(error.message.contains(&format!("KMS key {missing} is not there")), "{error}");
    // GIVEN a snapshot that is not encrypted, THEN no key is asked for
    world.backup("run-1", 0, |made| made.encrypted = false);
    let plan = world.plan(json!({})).await.unwrap();
    assert!(plan.references.iter().all(|reference| reference.what != "KMS key"));
}

#[tokio::test]
async fn security_groups_are_those_of_the_restores_network() {
    let problems =
        async |world: &World, options: serde_json::Value| match world.plan(json!({"options": options})).await
        {
            Ok(_) => String::new(),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
                error.message
            }
        };
    // GIVEN a group of another network, and one that is not there, WHEN both are named, THEN each is told
    let world = World::lost();
    world.networks.lay(&home(), "sg-far", "vpc-far");
    let said = problems(&world, json!({"securityGroups": ["sg-default", "sg-far", "sg-gone"]})).await;
    assert!(
        said.contains("security group sg-far is in vpc-far and the instance would be in vpc-default"),
        "{said}"
    );
    assert!(said.contains("security group sg-gone is not there"), "{said}");
    assert!(!said.contains("group sg-default"), "{said}");
    // AND one that is there and fits is none
    world.networks.lay(&home(), "sg-near", "vpc-default");
    assert_eq!(problems(&world, json!({"securityGroups": ["sg-near"]})).await, "");
    // GIVEN that nothing names a subnet group, THEN the default network counts
    let world = World::empty();
    let backup = world.backup("run-1", 0, |_| {});
    world.keep_blueprint(&backup, |kept| kept.blueprint.subnet_group = None);
    assert_eq!(problems(&world, json!({})).await, "");
    world.networks.lose_default();
    let said = problems(&world, json!({})).await;
    assert!(said.contains("there is no default VPC"), "{said}");
}

#[tokio::test]
async fn a_look_that_fails_is_no_reference_that_is_there() {
    for call in
        [Call::ProblemWith, Call::Key, Call::ManualSnapshots, Call::SubnetGroupVpc, Call::SecurityGroups]
    {
        let world = World::lost();
        let trouble = Trouble::refused(ErrorKind::AccessDenied);
        match call {
            Call::Key => world.keys.troubles.once(call, trouble),
            Call::SecurityGroups => world.networks.troubles.once(call, trouble),
            _ => world.rds.troubles.once(call, trouble),
        }
        assert_eq!(world.plan(json!({})).await.unwrap_err().kind, ErrorKind::AccessDenied, "{call:?}");
    }
}
