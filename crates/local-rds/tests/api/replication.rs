//! A subscription in a restored instance: what takes its publisher's slot, and what keeps it from that.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, Parameter};
use serde_json::json;
use tokio_postgres::Client as Session;

use crate::support::{Local, PASSWORD, until};

async fn group(rds: &Client, name: &str, parameters: &[(&str, &str)]) {
    let found = rds.describe_db_parameter_groups().send().await.unwrap();
    let family = found.db_parameter_groups()[0].db_parameter_group_family().unwrap();
    let create =
        rds.create_db_parameter_group().db_parameter_group_name(name).db_parameter_group_family(family);
    create.description(name).send().await.unwrap();
    let parameters = parameters.iter().map(|(name, value)| {
        let parameter = Parameter::builder().parameter_name(*name).parameter_value(*value);
        parameter.apply_method(ApplyMethod::PendingReboot).build()
    });
    let modify = rds.modify_db_parameter_group().db_parameter_group_name(name);
    modify.set_parameters(Some(parameters.collect())).send().await.unwrap();
}

async fn create(local: &Local, rds: &Client, id: &str, group: &str) -> Session {
    rds.create_db_instance()
        .db_instance_identifier(id)
        .engine("postgres")
        .db_instance_class("db.t4g.micro")
        .master_username("owner")
        .master_user_password(PASSWORD)
        .db_name("shop")
        .allocated_storage(20)
        .db_parameter_group_name(group)
        .send()
        .await
        .unwrap();
    local.await_instance(rds, id, "available").await;
    let session = local.connect(rds, id, PASSWORD, "shop").await.unwrap();
    session.batch_execute("create table orders (id int primary key)").await.unwrap();
    session
}

/// The publisher's rows arrive in the subscriber through a slot that the master user's password opens.
async fn subscribe(local: &Local, rds: &Client, publisher: &Session) {
    for (setting, wanted) in
        [("wal_level", "logical"), ("max_replication_slots", "20"), ("max_wal_senders", "20")]
    {
        let row = publisher.query_one(&format!("show {setting}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), wanted, "{setting}");
    }
    publisher.batch_execute("create publication orders for table orders").await.unwrap();
    let found = rds.describe_db_instances().db_instance_identifier("publisher").send().await.unwrap();
    let endpoint = found.db_instances()[0].endpoint().unwrap().clone();
    physical_replication_is_closed(endpoint.port().unwrap()).await;
    let (host, port, password) =
        (endpoint.address().unwrap(), endpoint.port().unwrap(), PASSWORD.replace('\'', r"\'"));
    let connection = format!("host={host} port={port} user=owner dbname=shop password='{password}'");
    // Before PostgreSQL 16 this needs a superuser, where RDS does not.
    let sql = format!(
        "create subscription orders connection '{}' publication orders",
        connection.replace('\'', "''")
    );
    local.sql("subscriber", "shop", &sql).await;
}

/// The attribute that opens a slot would open the files, too: on RDS nobody gets those.
async fn physical_replication_is_closed(port: i32) {
    let program = holdfast_local_postgres::Binaries::find().await.unwrap().program("pg_basebackup");
    let directory = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(program)
        .args([
            "--host=127.0.0.1",
            "--username=owner",
            "--no-password",
            "--port",
            &port.to_string(),
            "--pgdata",
        ])
        .arg(directory.path().join("stolen"))
        .env("PGPASSWORD", PASSWORD)
        .output();
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no pg_hba.conf entry for replication"), "{said}");
}

/// Inserts a row at the publisher; answers its number.
async fn publish(publisher: &Session) -> i32 {
    let sql = "insert into orders select coalesce(max(id), 0) + 1 from orders returning id";
    publisher.query_one(sql, &[]).await.unwrap().get(0)
}

async fn has(session: &Session, id: i32) -> bool {
    session.query_opt("select from orders where id = $1", &[&id]).await.unwrap().is_some()
}

async fn arrives(session: &Session, id: i32) {
    until(&format!("row {id}"), async || has(session, id).await.then_some(())).await;
}

/// The original goes away for as long as a restart takes: whoever waits for the slot has it then.
async fn restart(local: &Local, rds: &Client, id: &str) {
    rds.reboot_db_instance().db_instance_identifier(id).send().await.unwrap();
    local.await_instance(rds, id, "available").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_subscriber_takes_the_slot_unless_it_is_kept_from_it() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    group(&rds, "publishers", &[("rds.logical_replication", "1")]).await;
    group(&rds, "subscribers", &[("rds.logical_replication", "1"), ("wal_retrieve_retry_interval", "5000")])
        .await;
    group(&rds, "guarded", &[("max_logical_replication_workers", "0")]).await;
    group(&rds, "eager", &[("wal_retrieve_retry_interval", "20")]).await;
    let publisher = create(&local, &rds, "publisher", "publishers").await;
    let subscriber = create(&local, &rds, "subscriber", "subscribers").await;
    subscribe(&local, &rds, &publisher).await;
    arrives(&subscriber, publish(&publisher).await).await;
    for name in ["safe", "unsafe"] {
        assert_eq!(local.snapshot(&rds, "subscriber", name).await, "available");
        local.await_instance(&rds, "subscriber", "available").await;
    }
    let holders = "select distinct state from pg_stat_replication where application_name = 'orders'";
    assert_eq!(publisher.query(holders, &[]).await.unwrap().len(), 1);

    let alone = "do $$ begin
        if current_setting('max_logical_replication_workers') <> '0' then raise 'not alone'; end if;
    end $$";
    local
        .damage("safe", json!({"kind": "runSql", "sql": alone}))
        .await
        .expect("damage must not take the slot");
    local.restore(&rds, "safe", Some("guarded")).await;
    let safe = local.connect(&rds, "safe", PASSWORD, "shop").await.unwrap();
    restart(&local, &rds, "subscriber").await;
    let subscriber = local.connect(&rds, "subscriber", PASSWORD, "shop").await.unwrap();
    let row = publish(&publisher).await;
    arrives(&subscriber, row).await;
    assert!(!has(&safe, row).await, "the restored one stays as it was");

    local.restore(&rds, "unsafe", Some("eager")).await;
    let stolen = local.connect(&rds, "unsafe", PASSWORD, "shop").await.unwrap();
    restart(&local, &rds, "subscriber").await;
    let subscriber = local.connect(&rds, "subscriber", PASSWORD, "shop").await.unwrap();
    let row = publish(&publisher).await;
    arrives(&stolen, row).await;
    assert!(!has(&subscriber, row).await, "and never reaches the one it was meant for");
    local.stop().await;
}
