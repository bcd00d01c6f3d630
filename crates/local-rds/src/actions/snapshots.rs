//! CreateDBSnapshot, DescribeDBSnapshots, DeleteDBSnapshot.

use std::time::Instant;

use super::{Answer, Call, one};
use crate::app::Key;
use crate::error::RdsError;
use crate::names::{Kind, LONG, identifier, resource_id};
use crate::params::paged;
use crate::state::{InstanceStatus, Progress, Region, Snapshot, SnapshotStatus, is_seen};
use crate::wire::Xml;
use crate::{lifecycle, lock, render};

pub(super) fn create(call: &Call) -> Answer {
    let params = &call.params;
    let id = identifier("DBSnapshotIdentifier", params.required("DBSnapshotIdentifier")?, LONG)?;
    let source = params.required("DBInstanceIdentifier")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let key = insert(call, region, &id, &source)?;
    let instance = region.instance(&source)?;
    if instance.status == InstanceStatus::Available {
        instance.status = InstanceStatus::BackingUp;
    }
    let instance = call.key(&source, &instance.resource_id);
    lifecycle::snapshots::begin(call.app.clone(), key, instance, call.work.clone());
    let made = region.snapshot(&id)?;
    one("DBSnapshot", |xml| render::snapshot(xml, made))
}

/// Puts a new snapshot of an instance in, `creating`.
pub(super) fn insert(call: &Call, region: &mut Region, id: &str, source: &str) -> Result<Key, RdsError> {
    let app = &call.app;
    if region.snapshots.contains_key(id) {
        return Err(RdsError::snapshot_exists(id));
    }
    let instance = region.instance(source)?.clone();
    if !instance.status.is_available() {
        let why = format!(
            "Cannot create a snapshot because the database instance {source} is not currently in the available state."
        );
        return Err(RdsError::instance_state(why));
    }
    check_quota(call, region)?;
    let serial = resource_id();
    let mut tags = if instance.copy_tags { instance.tags.clone() } else { Default::default() };
    tags.extend(call.params.tags()?.unwrap_or_default());
    let made = Snapshot {
        arn: app.arn(&call.region, Kind::Snapshot, id),
        instance: source.to_owned(),
        instance_resource_id: instance.resource_id,
        instance_created: instance.created,
        status: SnapshotStatus::Creating,
        progress: Progress {
            began: Instant::now(),
            takes: lifecycle::takes(app, &call.work, app.tuning().snapshot_seconds),
            stuck_at: call.work.stuck_at,
        },
        created: None,
        original_created: None,
        engine_version: instance.engine_version,
        allocated_storage: instance.allocated_storage,
        storage_type: instance.storage_type,
        performance: (instance.options.iops, instance.options.storage_throughput),
        iam_authentication: instance.options.iam_authentication,
        backup_retention: instance.backup_retention,
        backup_window: instance.options.backup_window,
        master_user: instance.master_user,
        encrypted: instance.encrypted,
        kms_key: instance.kms_key,
        port: instance.port,
        availability_zone: instance.availability_zone,
        option_group: instance.option_group,
        origin: None,
        tags,
        shared_with: Default::default(),
        directory: app.snapshot_directory(&serial),
        serial: serial.clone(),
        unseen_until: call.work.unseen_until(),
    };
    region.snapshots.insert(id.to_owned(), made);
    Ok(call.key(id, &serial))
}

/// Only the second meaning of this code, too many copies, clears by waiting.
pub(super) fn check_quota(call: &Call, region: &Region) -> Result<(), RdsError> {
    let most = call.app.tuning().manual_snapshots_in(&call.region);
    if region.snapshots.len() < most {
        return Ok(());
    }
    Err(RdsError::new("SnapshotQuotaExceeded", format!("Cannot create more than {most} manual snapshots")))
}

pub(super) fn describe(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page()?;
    let by_arn = |text: &str| text.splitn(7, ':').nth(6).unwrap_or(text).to_ascii_lowercase();
    let wanted = params.text("DBSnapshotIdentifier").map(by_arn);
    let instance = params.text("DBInstanceIdentifier").map(by_arn);
    let resource = params.text("DbiResourceId");
    let (by_id, by_instance) = (params.filter("db-snapshot-id"), params.filter("db-instance-id"));
    let kind = params.text("SnapshotType");
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    if let Some(id) = &wanted {
        let found = region.snapshot(id)?;
        if !is_seen(found.unseen_until) {
            return Err(RdsError::snapshot_not_found(id));
        }
    }
    let within = |list: &Option<Vec<String>>, value: &str| {
        list.as_ref().is_none_or(|list| list.iter().any(|listed| by_arn(listed) == value))
    };
    let found = region
        .snapshots
        .iter()
        .filter(|(_, found)| is_seen(found.unseen_until))
        // All that is made here is manual.
        .filter(|_| kind.is_none_or(|kind| kind == "manual"))
        .filter(|(id, _)| wanted.as_ref().is_none_or(|wanted| wanted == *id) && within(&by_id, id))
        .filter(|(_, found)| instance.as_ref().is_none_or(|id| *id == found.instance))
        .filter(|(_, found)| within(&by_instance, &found.instance))
        .filter(|(_, found)| resource.is_none_or(|id| id == found.instance_resource_id))
        .map(|(id, snapshot)| (id.as_str(), snapshot))
        .collect();
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("DBSnapshots", "DBSnapshot", shown, render::snapshot);
    Ok(Some(xml))
}

pub(super) fn delete(call: &Call) -> Answer {
    let id = call.params.required("DBSnapshotIdentifier")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let found = region.snapshot(&id)?;
    match found.status {
        SnapshotStatus::Available | SnapshotStatus::Failed => {}
        SnapshotStatus::Creating | SnapshotStatus::Copying | SnapshotStatus::Deleted => {
            let why = format!(
                "Cannot delete the snapshot because it is not currently in the available state: {id}"
            );
            return Err(RdsError::snapshot_state(why));
        }
    }
    let mut gone = region.snapshots.remove(&id).ok_or_else(|| RdsError::snapshot_not_found(&id))?;
    gone.status = SnapshotStatus::Deleted;
    let directory = gone.directory.clone();
    call.app.spawn(async move { lifecycle::remove_files(&directory).await });
    one("DBSnapshot", |xml| render::snapshot(xml, &gone))
}
