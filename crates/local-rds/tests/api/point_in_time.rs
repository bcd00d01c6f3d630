//! Automated backups: what they promise, and restores to a time that keep the promise.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::PermissionsExt as _;

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::restore_db_instance_to_point_in_time::builders::RestoreDBInstanceToPointInTimeFluentBuilder as Restore;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{DbInstance, DbInstanceAutomatedBackup, Filter, Tag};
use tokio_postgres::Client as Session;

use crate::support::{Local, PASSWORD, code, until};

async fn described(rds: &Client, id: &str) -> DbInstance {
    let found = rds.describe_db_instances().db_instance_identifier(id).send().await.unwrap();
    found.db_instances()[0].clone()
}

async fn backups(rds: &Client) -> Vec<DbInstanceAutomatedBackup> {
    let found = rds.describe_db_instance_automated_backups().send().await.unwrap();
    found.db_instance_automated_backups().to_vec()
}

fn millis(time: &DateTime) -> i64 {
    time.to_millis().unwrap()
}

/// The server's clock, in ms.
async fn clock(session: &Session) -> i64 {
    let sql = "select floor(extract(epoch from clock_timestamp()) * 1000)::bigint";
    session.query_one(sql, &[]).await.unwrap().get(0)
}

async fn write(session: &Session, note: &str) {
    session.execute("insert into notes (note) values ($1)", &[&note]).await.unwrap();
}

async fn notes(session: &Session) -> Vec<String> {
    let rows = session.query("select note from notes order by id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until the instance says that this time is restorable.
async fn restorable(rds: &Client, id: &str, time: i64) {
    until("the time to be restorable", async || {
        let found = described(rds, id).await;
        (millis(found.latest_restorable_time()?) >= time).then_some(())
    })
    .await;
}

fn restore(rds: &Client, target: &str) -> Restore {
    rds.restore_db_instance_to_point_in_time().target_db_instance_identifier(target)
}

/// A table of notes with one row in it.
async fn prepared(local: &Local, rds: &Client) -> Session {
    local.create(rds, "prod-db").await;
    let session = local.connect(rds, "prod-db", PASSWORD, "shop").await.unwrap();
    let table = "create table notes (id int generated always as identity primary key, note text not null)";
    session.batch_execute(table).await.unwrap();
    write(&session, "first").await;
    session
}

async fn gone(local: &Local, rds: &Client, id: &str) {
    until("it to be gone", async || local.status(rds, id).await.is_none().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_until_a_time_is_there_and_nothing_after() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    let session = prepared(&local, &rds).await;
    let (mut times, mut wanted) = (Vec::new(), vec!["first".to_owned()]);
    for note in ["second", "third"] {
        write(&session, note).await;
        wanted.push(note.to_owned());
        // The next whole millisecond: what follows is committed after it.
        let time = clock(&session).await + 1;
        until("the clock to go on", async || (clock(&session).await > time).then_some(())).await;
        times.push((time, wanted.clone()));
    }
    session.batch_execute("delete from notes; insert into notes (note) values ('bad')").await.unwrap();
    restorable(&rds, "prod-db", times[1].0).await;
    for (number, (time, wanted)) in times.iter().enumerate() {
        let target = format!("restored-{number}");
        restore(&rds, &target)
            .source_db_instance_identifier("prod-db")
            .restore_time(DateTime::from_millis(*time))
            .send()
            .await
            .unwrap();
        local.await_instance(&rds, &target, "available").await;
        let restored = local.connect(&rds, &target, PASSWORD, "shop").await.unwrap();
        assert_eq!(notes(&restored).await, *wanted, "{time}");
        write(&restored, "it is open for writing").await;
    }
    restore(&rds, "latest")
        .source_db_instance_identifier("prod-db")
        .use_latest_restorable_time(true)
        .send()
        .await
        .unwrap();
    local.await_instance(&rds, "latest", "available").await;
    let latest = local.connect(&rds, "latest", PASSWORD, "shop").await.unwrap();
    assert_eq!(notes(&latest).await, ["bad"]);
    a_restored_one_has_a_line_of_its_own(&local, &rds, &latest).await;
    local.stop().await;
}

async fn a_restored_one_has_a_line_of_its_own(local: &Local, rds: &Client, latest: &Session) {
    let (source, found) = (described(rds, "prod-db").await, described(rds, "latest").await);
    assert_eq!(found.backup_retention_period(), source.backup_retention_period());
    assert_ne!(found.dbi_resource_id(), source.dbi_resource_id());
    write(latest, "another life").await;
    let time = clock(latest).await;
    restorable(rds, "latest", time).await;
    restore(rds, "second-line")
        .source_dbi_resource_id(found.dbi_resource_id().unwrap())
        .restore_time(DateTime::from_millis(time))
        .send()
        .await
        .unwrap();
    local.await_instance(rds, "second-line", "available").await;
    let second = local.connect(rds, "second-line", PASSWORD, "shop").await.unwrap();
    assert_eq!(notes(&second).await, ["bad", "another life"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_database_comes_back_from_what_was_retained() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    let session = prepared(&local, &rds).await;
    let tag = Tag::builder().key("Environment").value("prod").build();
    let arn = described(&rds, "prod-db").await.db_instance_arn().unwrap().to_owned();
    rds.add_tags_to_resource().resource_name(arn).tags(tag).send().await.unwrap();
    write(&session, "last words").await;
    let time = clock(&session).await + 1;
    until("the clock to go on", async || (clock(&session).await > time).then_some(())).await;
    session.batch_execute("drop table notes").await.unwrap();
    let delete = rds.delete_db_instance().db_instance_identifier("prod-db").skip_final_snapshot(true);
    delete.delete_automated_backups(false).send().await.unwrap();
    gone(&local, &rds, "prod-db").await;

    let kept = backups(&rds).await;
    let kept = &kept[0];
    assert_eq!((kept.status(), kept.db_instance_identifier()), (Some("retained"), Some("prod-db")));
    assert_eq!((kept.allocated_storage(), kept.master_username()), (Some(20), Some("owner")));
    assert_eq!(kept.tag_list()[0].value(), Some("prod"));
    let window = kept.restore_window().unwrap();
    assert!(millis(window.earliest_time().unwrap()) < time && time < millis(window.latest_time().unwrap()));
    let by_name = restore(&rds, "prod-db").source_db_instance_identifier("prod-db");
    assert_eq!(code(by_name.use_latest_restorable_time(true).send().await), "DBInstanceNotFound");
    let back = |target: &str| restore(&rds, target).restore_time(DateTime::from_millis(time));
    back("prod-db").source_dbi_resource_id(kept.dbi_resource_id().unwrap()).send().await.unwrap();
    back("by-arn")
        .source_db_instance_automated_backups_arn(kept.db_instance_automated_backups_arn().unwrap())
        .send()
        .await
        .unwrap();
    for target in ["prod-db", "by-arn"] {
        local.await_instance(&rds, target, "available").await;
        let session = local.connect(&rds, target, PASSWORD, "shop").await.unwrap();
        assert_eq!(notes(&session).await, ["first", "last words"]);
    }
    removed(&rds, kept).await;
    local.stop().await;
}

async fn removed(rds: &Client, kept: &DbInstanceAutomatedBackup) {
    let delete = |id: &str| rds.delete_db_instance_automated_backup().dbi_resource_id(id);
    let live = described(rds, "prod-db").await.dbi_resource_id().unwrap().to_owned();
    assert_eq!(code(delete(&live).send().await), "InvalidDBInstanceAutomatedBackupState");
    delete(kept.dbi_resource_id().unwrap()).send().await.unwrap();
    let again = delete(kept.dbi_resource_id().unwrap()).send().await;
    assert_eq!(code(again), "DBInstanceAutomatedBackupNotFound");
    let retained = Filter::builder().name("status").values("retained").build();
    let found = rds.describe_db_instance_automated_backups().filters(retained).send().await.unwrap();
    assert!(found.db_instance_automated_backups().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_says_why() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    let _session = prepared(&local, &rds).await;
    let from = |target: &str| restore(&rds, target).source_db_instance_identifier("prod-db");
    let seconds = |seconds: i64| DateTime::from_secs(jiff::Timestamp::now().as_second() + seconds);
    for (refused, wanted) in [
        (from("x").restore_time(seconds(3600)), "InvalidParameterValue"),
        (from("x").restore_time(seconds(-3600)), "InvalidParameterValue"),
        (from("x"), "InvalidParameterCombination"),
        (from("x").use_latest_restorable_time(true).restore_time(seconds(0)), "InvalidParameterCombination"),
        (
            from("x").source_dbi_resource_id("db-Y").use_latest_restorable_time(true),
            "InvalidParameterCombination",
        ),
        (restore(&rds, "x").use_latest_restorable_time(true), "InvalidParameterCombination"),
        (from("prod-db").use_latest_restorable_time(true), "DBInstanceAlreadyExists"),
        (from("-x").use_latest_restorable_time(true), "InvalidParameterValue"),
    ] {
        assert_eq!(code(refused.send().await), wanted);
    }
    let latest = |target: &str| restore(&rds, target).use_latest_restorable_time(true);
    let unknown = latest("x").source_db_instance_identifier("none").send().await;
    assert_eq!(code(unknown), "DBInstanceNotFound");
    let unknown = latest("x").source_dbi_resource_id("db-NONE").send().await;
    assert_eq!(code(unknown), "DBInstanceAutomatedBackupNotFound");
    let arn = "arn:aws:rds:us-east-1:000000000000:auto-backup:ab-none";
    let unknown = latest("x").source_db_instance_automated_backups_arn(arn).send().await;
    assert_eq!(code(unknown), "DBInstanceAutomatedBackupNotFound");
    retention_decides(&local, &rds).await;
    local.stop().await;
}

async fn retention_decides(local: &Local, rds: &Client) {
    let retain = async |days: i32| {
        let modify = rds.modify_db_instance().db_instance_identifier("prod-db").apply_immediately(true);
        modify.backup_retention_period(days).send().await.unwrap();
    };
    let before = backups(rds).await;
    assert_eq!((before.len(), before[0].status()), (1, Some("active")));
    retain(0).await;
    until("no backups", async || backups(rds).await.is_empty().then_some(())).await;
    local.await_instance(rds, "prod-db", "available").await;
    assert!(described(rds, "prod-db").await.latest_restorable_time().is_none());
    let find = rds.describe_db_instance_automated_backups().db_instance_identifier("prod-db");
    assert_eq!(code(find.send().await), "DBInstanceAutomatedBackupNotFound");
    let off = restore(rds, "x").source_db_instance_identifier("prod-db").use_latest_restorable_time(true);
    assert_eq!(code(off.send().await), "PointInTimeRestoreNotEnabled");

    retain(7).await;
    let seen = until("backups again", async || {
        let status = local.status(rds, "prod-db").await?;
        let backups = backups(rds).await;
        (status == "available" && backups.first()?.status() == Some("active")).then_some(backups)
    });
    let after = seen.await;
    let earliest = |backup: &DbInstanceAutomatedBackup| {
        millis(backup.restore_window().unwrap().earliest_time().unwrap())
    };
    assert!(earliest(&after[0]) > earliest(&before[0]), "what was before is not reached any more");
    rds.delete_db_instance()
        .db_instance_identifier("prod-db")
        .skip_final_snapshot(true)
        .send()
        .await
        .unwrap();
    gone(local, rds, "prod-db").await;
    assert!(backups(rds).await.is_empty(), "by default they go with their instance");
}

/// The promise under load: of what a session saw committed before the latest restorable time nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn the_latest_restorable_time_is_never_later_than_the_truth() {
    let local = Local::with(|settings| {
        settings.tuning.speed = 5.0;
        settings.tuning.restorable_seconds = 0.2;
    })
    .await;
    let rds = local.client("us-east-1");
    let session = prepared(&local, &rds).await;
    let committed = RefCell::new(Vec::new());
    let promised = Cell::new(None);
    let load = async {
        while promised.get().is_none() {
            write(&session, "more").await;
            let time = clock(&session).await;
            committed.borrow_mut().push(time);
        }
    };
    let watch = async {
        let time = until("some load", async || committed.borrow().get(20).copied()).await;
        restorable(&rds, "prod-db", time).await;
        promised.set(described(&rds, "prod-db").await.latest_restorable_time().copied());
    };
    tokio::join!(load, watch);
    let promised = promised.get().unwrap();
    restore(&rds, "kept")
        .source_db_instance_identifier("prod-db")
        .restore_time(promised)
        .send()
        .await
        .unwrap();
    local.await_instance(&rds, "kept", "available").await;
    let restored = local.connect(&rds, "kept", PASSWORD, "shop").await.unwrap();
    let before = committed.borrow().iter().filter(|time| **time < millis(&promised)).count();
    let (found, all) = (notes(&restored).await.len() - 1, committed.borrow().len());
    // One more row at most: it was committed before that time, and its session read the clock after.
    assert!((before..=before + 1).contains(&found), "{found} rows, {before} of {all} are promised");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_archived_is_not_promised() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    let session = prepared(&local, &rds).await;
    let archive = local.archive(described(&rds, "prod-db").await.dbi_resource_id().unwrap());
    let allow = |mode: u32| {
        std::fs::set_permissions(&archive, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(0o500);
    let time = clock(&session).await;
    write(&session, "not archived").await;
    let latest = async || millis(described(&rds, "prod-db").await.latest_restorable_time().unwrap());
    until("the archiver to fail", async || {
        latest().await;
        let rows = local.sql("prod-db", "postgres", "select failed_count > 0 from pg_stat_archiver").await;
        (rows[0][0] == "t").then_some(())
    })
    .await;
    assert!(latest().await < time, "the row would be missing");
    let early = restore(&rds, "x").source_db_instance_identifier("prod-db");
    let early = early.restore_time(DateTime::from_millis(clock(&session).await)).send().await;
    assert_eq!(code(early), "InvalidParameterValue");
    allow(0o700);
    until("the archive to go on", async || {
        // The archiver tries again when there is more.
        write(&session, "more").await;
        (latest().await >= time).then_some(())
    })
    .await;
    local.stop().await;
}
