//! Isolation on the whole stack: what a restored copy must not do.

use std::time::Duration;

use aws_sdk_rds::types::{ApplyMethod, Parameter};
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_tests::World;
use holdfast_tests::world::until;

/// A database that publishes, beside the test's own.
async fn publisher(world: &World) -> String {
    let id = format!("{}-publisher", world.database);
    let rds = &world.home.rds;
    let source = world.instance(&world.database).await.expect("the database");
    let major = source.engine_version().and_then(|version| version.split('.').next()).expect("a version");
    rds.create_db_parameter_group()
        .db_parameter_group_name(&id)
        .db_parameter_group_family(format!("postgres{major}"))
        .description("publishes")
        .send()
        .await
        .expect("a parameter group");
    let logical = Parameter::builder()
        .parameter_name("rds.logical_replication")
        .parameter_value("1")
        .apply_method(ApplyMethod::PendingReboot)
        .build();
    rds.modify_db_parameter_group()
        .db_parameter_group_name(&id)
        .parameters(logical)
        .send()
        .await
        .expect("set");
    world.create_instance(&id, Some(&id)).await;
    id
}

/// A restored subscriber that ran would connect to production's publisher, take its slot over, and production would
/// lose what the slot hands out: see "A restored copy is alive" in the facts.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_subscriber_takes_nothing_from_production() {
    let world = World::new("subscriber").await;
    let publisher = publisher(&world).await;
    world
        .sql_on(
            &publisher,
            "create table public.feed (id int primary key); create publication feed for table public.feed",
        )
        .await;
    world.sql("create table public.feed (id int primary key)").await;
    let connection = world.connection_string(&publisher).await;
    // Before PostgreSQL 16 this needs a superuser, where RDS does not.
    let subscribe =
        format!("create subscription feed connection '{}' publication feed", connection.replace('\'', "''"));
    world.sql_as_admin(&world.database, &subscribe).await;
    world.sql_on(&publisher, "insert into public.feed values (0)").await;
    let arrived = async || world.number(&world.database, "select count(*) from public.feed").await;
    until("the first row", Duration::from_secs(30), async || (arrived().await == 1).then_some(())).await;

    let operation = world.operation("run-1");
    let execution = world.start(&world.input("run-1")).await;
    let copy = operation.validation_instance_id();
    until("the restored copy", Duration::from_secs(120), async || {
        let instance = world.instance(&copy).await?;
        (instance.db_instance_status() == Some("available")).then_some(())
    })
    .await;
    // The slot is let go while both could take it, again and again, and every time there is something to lose.
    let mut published = 1;
    while world.instance(&copy).await.is_some() {
        let free = "select count(pg_terminate_backend(active_pid)) from pg_replication_slots where active_pid is not null";
        world.number(&publisher, free).await;
        world.sql_on(&publisher, &format!("insert into public.feed values ({published})")).await;
        published += 1;
    }
    assert!(published > 3, "{published} rows: the copy was not there for long");
    let ended = world.ended(&execution).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    until("every row", Duration::from_secs(60), async || (arrived().await == published).then_some(())).await;
    let holders = "select count(*) from pg_replication_slots where slot_name = 'feed'";
    assert_eq!(world.number(&publisher, holders).await, 1);

    let checks = ended.output["validation"]["checks"].as_array().expect("checks");
    let isolation = checks.iter().find(|check| check["name"] == "isolation").expect("isolation");
    assert_eq!(isolation["result"], "passed");
    let reason = isolation["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("subscription") && reason.contains("feed"), "{reason}");
    world.assert_clean(&operation).await;
}
