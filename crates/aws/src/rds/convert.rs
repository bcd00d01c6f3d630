//! From the SDK's types to the domain's.

use aws_sdk_rds::types::{DbInstance, DbSnapshot, Tag};
use holdfast_core::ids::Region;
use holdfast_core::rds::{Endpoint, Instance, Snapshot, SnapshotStatus};
use holdfast_core::tags::Tags;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

/// Tags for a request.
pub(super) fn sdk_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn domain_tags(tags: &[Tag]) -> Tags {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect()
}

/// An instance as described.
pub(super) fn instance_from(instance: &DbInstance) -> Result<Instance> {
    let id = instance.db_instance_identifier().ok_or_else(|| missing("DBInstanceIdentifier"))?;
    let endpoint = instance.endpoint().and_then(|endpoint| {
        Some(Endpoint { host: endpoint.address()?.to_owned(), port: u16::try_from(endpoint.port()?).ok()? })
    });
    let pending = instance.pending_modified_values();
    Ok(Instance {
        id: id.to_owned(),
        arn: instance.db_instance_arn().unwrap_or_default().to_owned(),
        status: instance.db_instance_status().unwrap_or("unknown").to_owned(),
        engine: instance.engine().unwrap_or_default().to_owned(),
        engine_version: instance.engine_version().unwrap_or_default().to_owned(),
        class: instance.db_instance_class().unwrap_or_default().to_owned(),
        endpoint,
        master_username: instance.master_username().unwrap_or_default().to_owned(),
        encrypted: instance.storage_encrypted().unwrap_or(false),
        change_pending: pending.is_some_and(|pending| {
            pending.master_user_password().is_some() || pending.backup_retention_period().is_some()
        }),
        backup_retention_days: instance.backup_retention_period().unwrap_or(0),
        publicly_accessible: instance.publicly_accessible().unwrap_or(false),
        parameter_groups: instance
            .db_parameter_groups()
            .iter()
            .filter_map(|group| group.db_parameter_group_name().map(str::to_owned))
            .collect(),
        security_groups: instance
            .vpc_security_groups()
            .iter()
            .filter_map(|group| group.vpc_security_group_id().map(str::to_owned))
            .collect(),
        tags: domain_tags(instance.tag_list()),
    })
}

/// A snapshot as described in `region`.
pub(super) fn snapshot_from(snapshot: &DbSnapshot, region: &Region) -> Result<Snapshot> {
    let time = snapshot.original_snapshot_create_time().or(snapshot.snapshot_create_time());
    Ok(Snapshot {
        id: snapshot.db_snapshot_identifier().ok_or_else(|| missing("DBSnapshotIdentifier"))?.to_owned(),
        arn: snapshot.db_snapshot_arn().ok_or_else(|| missing("DBSnapshotArn"))?.to_owned(),
        region: region.clone(),
        instance_id: snapshot.db_instance_identifier().unwrap_or_default().to_owned(),
        status: match snapshot.status().unwrap_or("unknown") {
            "creating" | "copying" | "pending" => SnapshotStatus::Creating,
            "available" => SnapshotStatus::Available,
            "failed" => SnapshotStatus::Failed,
            word => SnapshotStatus::Other(word.to_owned()),
        },
        percent: u8::try_from(snapshot.percent_progress().unwrap_or(0).clamp(0, 100)).unwrap_or(0),
        size_gib: u32::try_from(snapshot.allocated_storage().unwrap_or(0)).unwrap_or(0),
        encrypted: snapshot.encrypted().unwrap_or(false),
        kms_key_id: snapshot.kms_key_id().map(str::to_owned),
        taken_at: time
            .and_then(|time| Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()),
        engine: snapshot.engine().unwrap_or_default().to_owned(),
        engine_version: snapshot.engine_version().unwrap_or_default().to_owned(),
        source_region: snapshot.source_region().and_then(|region| Region::parse(region).ok()),
        tags: domain_tags(snapshot.tag_list()),
    })
}

fn missing(field: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("RDS answered without {field}"))
}
