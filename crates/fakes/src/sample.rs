//! Values that tests begin with: one database, one run, one instance, one snapshot.

use holdfast_core::blueprint::{Attached, Blueprint};
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::operation::SnapshotResult;
use holdfast_core::rds::{Endpoint, Instance, Snapshot, SnapshotStatus};
use holdfast_core::request::{BackupRequest, Defaults, PerformanceInsights};
use holdfast_core::tags::{self, Tags};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The Region code `text`.
///
/// # Panics
/// When it is none.
pub fn region(text: &str) -> Region {
    Region::parse(text).expect("a Region code")
}

/// The Region that Holdfast runs in: `us-east-1`.
pub fn home() -> Region {
    region("us-east-1")
}

/// `seconds` after 2026-11-20T06:00:00Z.
///
/// # Panics
/// Past the end of time.
pub fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-20T06:00:00Z".parse().expect("a time");
    begin + SignedDuration::from_secs(seconds)
}

/// The settings of a deployment in [`home`] without target Regions of its own.
pub fn defaults() -> Defaults {
    Defaults { region: home(), target_regions: vec![] }
}

/// The input of a backup of `prod-db` to us-west-2 and eu-west-1, with the fields of `more` on top.
pub fn input(more: Value) -> Value {
    let mut input = json!({
        "databaseId": "prod-db",
        "runId": "2026-11-20T06:00:00Z",
        "targetRegions": [{"region": "us-west-2"}, {"region": "eu-west-1"}],
        "tags": {"Environment": "production"},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

/// The request that [`input`] amounts to.
///
/// # Panics
/// When `more` is not accepted.
pub fn request(more: Value) -> BackupRequest {
    BackupRequest::parse(&input(more), "unused", &defaults()).expect("an input")
}

/// The operation of [`request`].
pub fn operation() -> OperationId {
    let request = request(json!({}));
    OperationId::derive(&home(), &request.database_id, &request.run_id)
}

/// Tags of what belongs to `operation`.
pub fn tags_of(operation: &str) -> Tags {
    Tags::from([(tags::OPERATION.to_owned(), operation.to_owned())])
}

/// An available, encrypted PostgreSQL instance.
pub fn instance(id: &str) -> Instance {
    Instance {
        id: id.to_owned(),
        arn: format!("arn:aws:rds:us-east-1:000000000000:db:{id}"),
        resource_id: format!("db-{}", id.to_ascii_uppercase()),
        status: "available".into(),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        class: "db.m6g.large".into(),
        endpoint: Some(Endpoint { host: format!("{id}.x.us-east-1.rds.amazonaws.com"), port: 5432 }),
        master_username: "postgres".into(),
        encrypted: true,
        change_pending: false,
        pending: vec![],
        backup_retention_days: 7,
        publicly_accessible: false,
        parameter_groups: vec!["default.postgres15".into()],
        security_groups: vec!["sg-default".into()],
        tags: Tags::new(),
    }
}

/// What `instance` was made with: two zones, groups of its own, logs and insights.
pub fn blueprint(instance: &Instance) -> Blueprint {
    Blueprint {
        instance_id: instance.id.clone(),
        resource_id: instance.resource_id.clone(),
        engine: instance.engine.clone(),
        engine_version: instance.engine_version.clone(),
        class: instance.class.clone(),
        multi_az: true,
        subnet_group: Some("production".into()),
        security_groups: instance.security_groups.clone(),
        parameter_group: instance.parameter_groups.first().cloned(),
        option_group: Some("default:postgres-15".into()),
        storage_type: Some("gp3".into()),
        allocated_gib: 20,
        max_allocated_gib: Some(100),
        iops: None,
        storage_throughput: None,
        publicly_accessible: instance.publicly_accessible,
        port: Some(5432),
        deletion_protection: true,
        backup_retention_days: u32::try_from(instance.backup_retention_days).unwrap_or(0),
        backup_window: Some("03:00-03:30".into()),
        maintenance_window: Some("sun:05:00-sun:05:30".into()),
        iam_authentication: true,
        ca_certificate: Some("rds-ca-rsa2048-g1".into()),
        log_exports: vec!["postgresql".into()],
        performance_insights: Some(PerformanceInsights {
            enabled: true,
            kms_key_id: None,
            retention_days: Some(7),
        }),
        monitoring: None,
        auto_minor_version_upgrade: true,
        copy_tags_to_snapshot: true,
        network_type: Some("IPV4".into()),
        engine_lifecycle_support: Some("open-source-rds-extended-support-disabled".into()),
        dedicated_log_volume: false,
        database_insights_mode: None,
        encrypted: instance.encrypted,
        kms_key_id: Some("arn:aws:kms:us-east-1:000000000000:key/k".into()),
        master_username: instance.master_username.clone(),
        attached: Attached::default(),
        tags: instance.tags.clone(),
    }
}

/// An available, encrypted snapshot of `prod-db` in `region`.
pub fn snapshot(region: &Region, id: &str, tags: Tags) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        arn: format!("arn:aws:rds:{region}:000000000000:snapshot:{id}"),
        region: region.clone(),
        instance_id: "prod-db".into(),
        status: SnapshotStatus::Available,
        percent: 100,
        size_gib: 20,
        encrypted: true,
        kms_key_id: Some(format!("arn:aws:kms:{region}:000000000000:key/k")),
        taken_at: Some(at(0)),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        source_region: None,
        source_arn: None,
        tags,
    }
}

/// What the record keeps of [`operation`]'s snapshot.
pub fn snapshot_result() -> SnapshotResult {
    SnapshotResult::from(&snapshot(&home(), &operation().snapshot_id(), Tags::new()))
}
