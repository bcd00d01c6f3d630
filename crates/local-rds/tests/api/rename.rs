//! Identifiers that change: who has a name is reached under its host and port.

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{DbInstance, Tag};

use crate::support::{Local, PASSWORD, code, until};

async fn described(rds: &Client, id: &str) -> DbInstance {
    let found = rds.describe_db_instances().db_instance_identifier(id).send().await.unwrap();
    found.db_instances()[0].clone()
}

fn port(instance: &DbInstance) -> i32 {
    instance.endpoint().unwrap().port().unwrap()
}

fn rename(rds: &Client, from: &str, to: &str) -> Modify {
    rds.modify_db_instance().db_instance_identifier(from).new_db_instance_identifier(to)
}

/// Renames and waits until the new name is available and the old one gone.
async fn renamed(local: &Local, rds: &Client, from: &str, to: &str) {
    rename(rds, from, to).apply_immediately(true).send().await.unwrap();
    until("the status `renaming`", async || {
        let status = local.status(rds, from).await;
        (status.as_deref() == Some("renaming")).then_some(())
    })
    .await;
    until("the new name", async || local.status(rds, to).await).await;
    local.await_instance(rds, to, "available").await;
    assert_eq!(local.status(rds, from).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_renames_swap_what_a_client_reaches() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    let session = local.connect(&rds, "prod-db", PASSWORD, "shop").await.unwrap();
    session.batch_execute("create table whose as select 'old'::text as data").await.unwrap();
    let before = described(&rds, "prod-db").await;
    let tag = Tag::builder().key("Environment").value("prod").build();
    rds.add_tags_to_resource()
        .resource_name(before.db_instance_arn().unwrap())
        .tags(tag)
        .send()
        .await
        .unwrap();
    local.snapshot(&rds, "prod-db", "s").await;
    local.await_instance(&rds, "prod-db", "available").await;
    rds.restore_db_instance_from_db_snapshot()
        .db_snapshot_identifier("s")
        .db_instance_identifier("new-db")
        .send()
        .await
        .unwrap();
    local.await_instance(&rds, "new-db", "available").await;
    local.sql("new-db", "shop", "update whose set data = 'new'").await;
    let (prod_port, new_port) = (port(&before), port(&described(&rds, "new-db").await));
    refusals(&rds).await;

    renamed(&local, &rds, "prod-db", "prod-db-old").await;
    assert!(session.query("select 1", &[]).await.is_err(), "sessions are cut");
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", prod_port as u16)).await.is_err(),
        "nobody is there"
    );
    renamed(&local, &rds, "new-db", "prod-db").await;

    let after = described(&rds, "prod-db").await;
    assert_eq!(port(&after), prod_port, "the name's own host and port");
    let session = local.connect(&rds, "prod-db", PASSWORD, "shop").await.unwrap();
    let row = session.query_one("select data from whose", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "new");
    let old = described(&rds, "prod-db-old").await;
    assert_eq!(old.dbi_resource_id(), before.dbi_resource_id());
    assert_eq!(old.tag_list()[0].value(), Some("prod"));
    assert!(old.db_instance_arn().unwrap().ends_with(":db:prod-db-old"));
    assert!(![prod_port, new_port].contains(&port(&old)));
    backups_go_along(&local, &rds, &old).await;

    renamed(&local, &rds, "prod-db", "new-db").await;
    assert_eq!(port(&described(&rds, "new-db").await), new_port, "a name that comes back has its port again");
    local.stop().await;
}

/// A rename makes everything that waits for the maintenance window, and until then it waits.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_made_by_a_rename() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    let before = described(&rds, "prod-db").await;
    let later = rds.modify_db_instance().db_instance_identifier("prod-db");
    let later = later.db_instance_class("db.m6g.large").multi_az(true).send().await.unwrap();
    let asked = later.db_instance().unwrap().pending_modified_values().unwrap().clone();
    assert_eq!((asked.db_instance_class(), asked.multi_az()), (Some("db.m6g.large"), Some(true)));
    // GIVEN another change that is made at once, THEN that one is, and of these nothing
    let protect = rds.modify_db_instance().db_instance_identifier("prod-db").deletion_protection(true);
    protect.send().await.unwrap();
    let password = rds.modify_db_instance().db_instance_identifier("prod-db");
    password.master_user_password("another-password").send().await.unwrap();
    until("the password", async || local.connect(&rds, "prod-db", "another-password", "shop").await.ok())
        .await;
    local.await_instance(&rds, "prod-db", "available").await;
    let waiting = described(&rds, "prod-db").await;
    assert_eq!(waiting.db_instance_class(), before.db_instance_class());
    assert_eq!(waiting.pending_modified_values().unwrap().db_instance_class(), Some("db.m6g.large"));
    // WHEN it is renamed at once, THEN they are made with it
    renamed(&local, &rds, "prod-db", "prod-db-old").await;
    let after = described(&rds, "prod-db-old").await;
    assert_eq!((after.db_instance_class(), after.multi_az()), (Some("db.m6g.large"), Some(true)));
    let pending = after.pending_modified_values();
    assert!(pending.is_none_or(|pending| pending.db_instance_class().is_none()));
    local.stop().await;
}

async fn refusals(rds: &Client) {
    assert_eq!(code(rename(rds, "prod-db", "new-db").send().await), "DBInstanceAlreadyExists");
    assert_eq!(code(rename(rds, "prod-db", "bad--name").send().await), "InvalidParameterValue");
    assert_eq!(code(rename(rds, "none", "x").send().await), "DBInstanceNotFound");
    let later = rename(rds, "new-db", "another").send().await.unwrap();
    let pending = later.db_instance().unwrap().pending_modified_values().unwrap().clone();
    assert_eq!(pending.db_instance_identifier(), Some("another"), "not before the maintenance window");
    let back = rename(rds, "new-db", "another").apply_immediately(true).send().await.unwrap();
    assert_eq!(back.db_instance().unwrap().db_instance_identifier(), Some("new-db"));
    let taken = rename(rds, "prod-db", "another").send().await;
    assert_eq!(code(taken), "DBInstanceAlreadyExists", "a name that another one is about to have");
    until("the rename", async || {
        let found = rds.describe_db_instances().db_instance_identifier("another").send().await.ok()?;
        (found.db_instances()[0].db_instance_status() == Some("available")).then_some(())
    })
    .await;
    rename(rds, "another", "new-db").apply_immediately(true).send().await.unwrap();
    until("the first name again", async || {
        let found = rds.describe_db_instances().db_instance_identifier("new-db").send().await.ok()?;
        (found.db_instances()[0].db_instance_status() == Some("available")).then_some(())
    })
    .await;
}

/// A time before the rename is reached under the new name.
async fn backups_go_along(local: &Local, rds: &Client, old: &DbInstance) {
    let found = rds.describe_db_instance_automated_backups().db_instance_identifier("prod-db-old").send();
    let found = found.await.unwrap();
    let backup = &found.db_instance_automated_backups()[0];
    assert_eq!(backup.dbi_resource_id(), old.dbi_resource_id());
    let earliest = backup.restore_window().unwrap().earliest_time().unwrap();
    rds.restore_db_instance_to_point_in_time()
        .source_db_instance_identifier("prod-db-old")
        .target_db_instance_identifier("first")
        .restore_time(DateTime::from_millis(earliest.to_millis().unwrap()))
        .send()
        .await
        .unwrap();
    local.await_instance(rds, "first", "available").await;
    let session = local.connect(rds, "first", PASSWORD, "shop").await.unwrap();
    let tables = session.query("select from pg_class where relname = 'whose'", &[]).await.unwrap();
    assert!(tables.is_empty(), "it was made after that time");
}
