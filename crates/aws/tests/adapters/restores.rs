//! Bringing a database back: what is asked of RDS, setting by setting, and what its answers come to.

use std::sync::{Arc, Mutex};

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::modify_db_instance::ModifyDbInstanceInput;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDbInstanceInputBuilder;
use aws_sdk_rds::operation::restore_db_instance_from_db_snapshot::RestoreDbInstanceFromDbSnapshotInput;
use aws_sdk_rds::operation::restore_db_instance_to_point_in_time::RestoreDbInstanceToPointInTimeInput;
use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DatabaseInsightsMode, Tag};
use aws_smithy_mocks::mock;
use aws_smithy_types::DateTime;
use holdfast_core::blueprint::{Blueprint, Monitoring};
use holdfast_core::ids::DatabaseId;
use holdfast_core::operation::RecoveryPoint;
use holdfast_core::ports::{LastSettings, NewDatabase, RestoreAnswer, Restores};
use holdfast_core::request::PerformanceInsights;
use holdfast_core::tags::Tags;
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::{at, blueprint, home, instance, tags_of};

use crate::support::{rds, xml, xml_error};

/// What was asked last.
type Asked<T> = Arc<Mutex<Option<T>>>;

fn id(text: &str) -> DatabaseId {
    DatabaseId::parse(text).unwrap()
}

/// Every setting there is.
fn everything() -> Blueprint {
    Blueprint {
        multi_az: true,
        storage_type: Some("io2".into()),
        iops: Some(4000),
        storage_throughput: Some(500),
        publicly_accessible: true,
        port: Some(6543),
        security_groups: vec!["sg-1".into(), "sg-2".into()],
        performance_insights: Some(PerformanceInsights {
            enabled: true,
            kms_key_id: Some("arn:k".into()),
            retention_days: Some(31),
        }),
        monitoring: Some(Monitoring { interval_seconds: 15, role_arn: "arn:r".into() }),
        network_type: Some("DUAL".into()),
        dedicated_log_volume: true,
        database_insights_mode: Some("advanced".into()),
        tags: tags_of("o"),
        ..blueprint(&instance("prod-db"))
    }
}

/// As little as a blueprint can say.
fn nothing() -> Blueprint {
    Blueprint {
        multi_az: false,
        subnet_group: None,
        security_groups: vec![],
        parameter_group: None,
        option_group: None,
        storage_type: Some("gp3".into()),
        max_allocated_gib: None,
        port: None,
        deletion_protection: false,
        backup_retention_days: 0,
        backup_window: None,
        maintenance_window: None,
        iam_authentication: false,
        ca_certificate: None,
        log_exports: vec![],
        performance_insights: None,
        auto_minor_version_upgrade: false,
        copy_tags_to_snapshot: false,
        network_type: None,
        engine_lifecycle_support: None,
        tags: Tags::new(),
        ..blueprint(&instance("prod-db"))
    }
}

fn of_snapshot() -> RecoveryPoint {
    RecoveryPoint::Snapshot { id: "holdfast-s".into(), backup: None, verdict: None, taken_at: None }
}

fn of_log(time: Option<jiff::Timestamp>) -> RecoveryPoint {
    RecoveryPoint::PointInTime { resource_id: "db-LOG".into(), time, latest: at(900) }
}

fn new(from: RecoveryPoint, settings: Blueprint) -> NewDatabase {
    // Whoever asks for everything asks for more storage, too.
    let allocated_storage = settings.multi_az.then_some(500);
    // The class is the one that is tried, and not the blueprint's.
    NewDatabase { id: id("prod-db-2"), from, class: "db.r6g.large".into(), allocated_storage, settings }
}

const MADE: &str = "<DBInstance><DBInstanceIdentifier>prod-db-2</DBInstanceIdentifier>\
                    <DBInstanceStatus>creating</DBInstanceStatus></DBInstance>";

/// What a restore from a snapshot asks for.
async fn from_snapshot(settings: Blueprint) -> RestoreDbInstanceFromDbSnapshotInput {
    let asked: Asked<RestoreDbInstanceFromDbSnapshotInput> = Asked::default();
    let seen = asked.clone();
    let answer = mock!(Client::restore_db_instance_from_db_snapshot)
        .match_requests(move |input| seen.lock().unwrap().replace(input.clone()).is_none())
        .then_http_response(|| xml("RestoreDBInstanceFromDBSnapshot", MADE));
    let answer = rds(&[&answer]).restore_database(&home(), &new(of_snapshot(), settings)).await.unwrap();
    assert!(
        matches!(answer, RestoreAnswer::Started(made) if made.id == "prod-db-2" && made.status == "creating")
    );
    asked.lock().unwrap().clone().unwrap()
}

/// What a restore from the log asks for.
async fn from_log(time: Option<jiff::Timestamp>, settings: Blueprint) -> RestoreDbInstanceToPointInTimeInput {
    let asked: Asked<RestoreDbInstanceToPointInTimeInput> = Asked::default();
    let seen = asked.clone();
    let answer = mock!(Client::restore_db_instance_to_point_in_time)
        .match_requests(move |input| seen.lock().unwrap().replace(input.clone()).is_none())
        .then_http_response(|| xml("RestoreDBInstanceToPointInTime", MADE));
    let answer = rds(&[&answer]).restore_database(&home(), &new(of_log(time), settings)).await.unwrap();
    assert!(matches!(answer, RestoreAnswer::Started(made) if made.id == "prod-db-2"));
    asked.lock().unwrap().clone().unwrap()
}

/// What last settings ask for; nothing when RDS is not asked at all.
async fn settled(settings: Blueprint, which: LastSettings) -> Option<ModifyDbInstanceInput> {
    let asked: Asked<ModifyDbInstanceInput> = Asked::default();
    let seen = asked.clone();
    let answer = mock!(Client::modify_db_instance)
        .match_requests(move |input| seen.lock().unwrap().replace(input.clone()).is_none())
        .then_http_response(|| xml("ModifyDBInstance", MADE));
    rds(&[&answer]).settle(&home(), "prod-db-2", &settings, which).await.unwrap();
    asked.lock().unwrap().clone()
}

/// Everything that a restore takes, on either's builder.
macro_rules! everything_taken {
    ($builder:expr) => {
        $builder
            .db_instance_class("db.r6g.large")
            .multi_az(true)
            .db_subnet_group_name("production")
            .vpc_security_group_ids("sg-1")
            .vpc_security_group_ids("sg-2")
            .db_parameter_group_name("default.postgres15")
            .option_group_name("default:postgres-15")
            .storage_type("io2")
            .iops(4000)
            .storage_throughput(500)
            .publicly_accessible(true)
            .port(6543)
            .backup_retention_period(7)
            .preferred_backup_window("03:00-03:30")
            .enable_iam_database_authentication(true)
            .ca_certificate_identifier("rds-ca-rsa2048-g1")
            .enable_cloudwatch_logs_exports("postgresql")
            .auto_minor_version_upgrade(true)
            .copy_tags_to_snapshot(true)
            .deletion_protection(true)
            .network_type("DUAL")
            .engine_lifecycle_support("open-source-rds-extended-support-disabled")
            .dedicated_log_volume(true)
            .allocated_storage(500)
            .tags(Tag::builder().key("holdfast:operation").value("o").build())
            .build()
            .unwrap()
    };
}

/// What is said even of a blueprint that says nothing: what is off has to be said to be off.
macro_rules! nothing_taken {
    ($builder:expr) => {
        $builder
            .db_instance_class("db.r6g.large")
            .multi_az(false)
            .storage_type("gp3")
            .publicly_accessible(false)
            .backup_retention_period(0)
            .enable_iam_database_authentication(false)
            .auto_minor_version_upgrade(false)
            .copy_tags_to_snapshot(false)
            .deletion_protection(false)
            .set_tags(Some(vec![]))
            .build()
            .unwrap()
    };
}

#[tokio::test]
async fn a_restore_from_a_snapshot_asks_for_every_setting_and_invents_none() {
    let call = || {
        RestoreDbInstanceFromDbSnapshotInput::builder()
            .db_instance_identifier("prod-db-2")
            .db_snapshot_identifier("holdfast-s")
    };
    assert_eq!(from_snapshot(everything()).await, everything_taken!(call()));
    // Neither IOPS of a small gp3 nor an empty list of groups.
    assert_eq!(from_snapshot(nothing()).await, nothing_taken!(call()));
}

#[tokio::test]
async fn a_restore_to_a_point_in_time_asks_for_every_setting_and_invents_none() {
    let call = || {
        RestoreDbInstanceToPointInTimeInput::builder()
            .target_db_instance_identifier("prod-db-2")
            .source_dbi_resource_id("db-LOG")
    };
    // GIVEN a time, to a part of a second: it is the one that is asked for
    let time = "2026-11-20T06:00:01.25Z".parse().unwrap();
    let wire = DateTime::from_secs_and_nanos(at(1).as_second(), 250_000_000);
    let timed = call().use_latest_restorable_time(false).restore_time(wire);
    assert_eq!(from_log(Some(time), everything()).await, everything_taken!(timed));
    // GIVEN none, THEN the latest is asked for, whatever it was when it was planned
    let latest = call().use_latest_restorable_time(true);
    assert_eq!(from_log(None, nothing()).await, nothing_taken!(latest));
}

#[tokio::test]
async fn last_settings_are_those_that_a_restore_does_not_take() {
    let call =
        || ModifyDbInstanceInput::builder().db_instance_identifier("prod-db-2").apply_immediately(true);
    let logs = CloudwatchLogsExportConfiguration::builder().enable_log_types("postgresql").build();
    let insights = |call: ModifyDbInstanceInputBuilder| {
        call.enable_performance_insights(true)
            .performance_insights_kms_key_id("arn:k")
            .performance_insights_retention_period(31)
            .database_insights_mode(DatabaseInsightsMode::Advanced)
    };
    let storage = |call: ModifyDbInstanceInputBuilder| call.max_allocated_storage(100);
    let monitoring =
        |call: ModifyDbInstanceInputBuilder| call.monitoring_interval(15).monitoring_role_arn("arn:r");
    let exports =
        |call: ModifyDbInstanceInputBuilder| call.cloudwatch_logs_export_configuration(logs.clone());
    let window =
        |call: ModifyDbInstanceInputBuilder| call.preferred_maintenance_window("sun:05:00-sun:05:30");
    let all = window(exports(monitoring(storage(insights(call())))));
    for (which, expected) in [
        (LastSettings::All, all),
        (LastSettings::Storage, storage(call())),
        (LastSettings::Insights, insights(call())),
        (LastSettings::Monitoring, monitoring(call())),
        (LastSettings::Logs, exports(call())),
        (LastSettings::MaintenanceWindow, window(call())),
    ] {
        assert_eq!(settled(everything(), which).await, Some(expected.build().unwrap()), "{which:?}");
        // Of a blueprint that says nothing, only what may be on by itself is asked for.
        let off = call().enable_performance_insights(false).build().unwrap();
        let asks = which.include(LastSettings::Insights);
        assert_eq!(settled(nothing(), which).await, asks.then_some(off), "{which:?}");
    }
    // GIVEN an instance in the middle of another change, THEN it is tried again
    let busy = mock!(Client::modify_db_instance)
        .then_http_response(|| xml_error(400, "InvalidDBInstanceState", "m"));
    let error = rds(&[&busy]).settle(&home(), "prod-db-2", &nothing(), LastSettings::All).await.unwrap_err();
    assert!(error.kind.retryable(), "{error:?}");
}

async fn refused(from: RecoveryPoint, code: &'static str, message: &'static str) -> Result<RestoreAnswer> {
    let snapshot = mock!(Client::restore_db_instance_from_db_snapshot)
        .then_http_response(move || xml_error(400, code, message));
    let log = mock!(Client::restore_db_instance_to_point_in_time)
        .then_http_response(move || xml_error(400, code, message));
    rds(&[&snapshot, &log]).restore_database(&home(), &new(from, nothing())).await
}

#[tokio::test]
async fn a_restore_that_was_not_started_says_why() {
    const CLASS: &str = "RDS does not support creating a DB instance with DBInstanceClass=db.r6g.large";
    let (taken, none, busy) = (RestoreAnswer::AlreadyThere, RestoreAnswer::NoCapacity, RestoreAnswer::NotYet);
    for from in [of_snapshot(), of_log(None)] {
        // GIVEN what another class or waiting can mend, THEN it is an answer
        for (code, message, answer) in [
            ("DBInstanceAlreadyExists", "m", &taken),
            ("InsufficientDBInstanceCapacity", "m", &none),
            ("ProvisionedIopsNotAvailableInAZFault", "m", &none),
            ("InvalidParameterCombination", CLASS, &none),
            ("InvalidParameterValue", "Invalid DB Instance class: db.r6g.large", &none),
            ("InvalidDBSnapshotState", "m", &busy),
            ("InvalidDBInstanceState", "m", &busy),
            ("InvalidDBInstanceAutomatedBackupState", "m", &busy),
        ] {
            assert_eq!(refused(from.clone(), code, message).await.as_ref(), Ok(answer), "{code} {message}");
        }
        // GIVEN what is for a person, THEN it is a named error that carries what RDS said
        for (code, kind) in [
            ("InstanceQuotaExceeded", ErrorKind::InstanceQuotaExceeded),
            ("StorageQuotaExceeded", ErrorKind::InstanceQuotaExceeded),
            ("DBSnapshotNotFound", ErrorKind::SnapshotGone),
            ("DBInstanceNotFound", ErrorKind::RecoveryPointNotFound),
            ("DBInstanceAutomatedBackupNotFound", ErrorKind::RecoveryPointNotFound),
            ("PointInTimeRestoreNotEnabled", ErrorKind::RecoveryPointNotFound),
            ("InvalidRestoreFault", ErrorKind::OutsideRestoreWindow),
            ("DBSubnetGroupNotFoundFault", ErrorKind::ReferenceUnresolved),
            ("DBParameterGroupNotFound", ErrorKind::ReferenceUnresolved),
            ("OptionGroupNotFoundFault", ErrorKind::ReferenceUnresolved),
            ("CertificateNotFound", ErrorKind::ReferenceUnresolved),
            ("InvalidSubnet", ErrorKind::ReferenceUnresolved),
            ("InvalidVPCNetworkStateFault", ErrorKind::ReferenceUnresolved),
            ("DBSecurityGroupNotFound", ErrorKind::ReferenceUnresolved),
            ("DBSubnetGroupDoesNotCoverEnoughAZs", ErrorKind::ReferenceUnresolved),
            ("DomainNotFoundFault", ErrorKind::ReferenceUnresolved),
            ("NetworkTypeNotSupported", ErrorKind::ReferenceUnresolved),
            ("StorageTypeNotSupported", ErrorKind::ReferenceUnresolved),
            ("KMSKeyNotAccessibleFault", ErrorKind::KeyUnusable),
            ("AccessDenied", ErrorKind::AccessDenied),
            ("InvalidParameterValue", ErrorKind::ReferenceUnresolved),
            ("InvalidParameterCombination", ErrorKind::ReferenceUnresolved),
        ] {
            let error = refused(from.clone(), code, "the port is too high").await.unwrap_err();
            assert_eq!(error.kind, kind, "{code}");
            assert!(error.message.contains("the port is too high"), "{error}");
            assert!(error.message.contains("prod-db-2 in us-east-1"), "{error}");
        }
    }
}
