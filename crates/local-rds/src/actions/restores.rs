//! RestoreDBInstanceFromDBSnapshot, RestoreDBInstanceToPointInTime.

use jiff::Timestamp;

use super::automated_backups::{self, Named};
use super::instances::{blank, insert, retention};
use super::options::read;
use super::{Answer, Call};
use crate::app::Key;
use crate::error::RdsError;
use crate::lifecycle::instances::Source;
use crate::names::{Arn, SHORT, identifier};
use crate::state::{Instance, Options, Snapshot, SnapshotStatus};
use crate::{lifecycle, lock};

/// The new instance keeps the snapshot's master user and its password of that time; security groups,
/// parameter group and the like are the defaults unless the call names others.
pub(super) async fn restore(call: &Call) -> Answer {
    let params = &call.params;
    let id = identifier("DBInstanceIdentifier", params.required("DBInstanceIdentifier")?, SHORT)?;
    let source = source(call, params.required("DBSnapshotIdentifier")?)?;
    check(call, source.kms_key.as_deref()).await?;
    let mut made = blank(call, &id, call.place(params.list("VpcSecurityGroupIds")).await?)?;
    if params.text("DBInstanceClass").is_none() {
        made.class = "db.t4g.medium".to_owned();
    }
    made.engine_version = source.engine_version;
    made.master_user = source.master_user;
    store(call, &mut made, source.allocated_storage, &source.storage_type, source.performance)?;
    made.options.backup_window = params.owned("PreferredBackupWindow").unwrap_or(source.backup_window);
    made.backup_retention = retention(call)?.unwrap_or(source.backup_retention);
    made.encrypted = source.encrypted;
    made.kms_key = source.kms_key;
    insert(call, made, Source::Snapshot(source.directory))
}

/// What both restores refuse.
async fn check(call: &Call, key: Option<&str>) -> Result<(), RdsError> {
    if let Some(engine) = call.params.text("Engine").filter(|engine| *engine != "postgres") {
        return Err(RdsError::invalid_combination(format!("Cannot restore postgres as {engine}")));
    }
    if call.params.text("DBName").is_some() {
        return Err(RdsError::invalid_combination("DBName is not valid for engine postgres"));
    }
    if let Some(key) = key {
        call.usable_key(Some(key)).await?;
    }
    Ok(())
}

/// The options of a restored instance: RDS's defaults but for the storage, which is the source's.
fn store(
    call: &Call,
    made: &mut Instance,
    size: i64,
    kind: &str,
    performance: (Option<i64>, Option<i64>),
) -> Result<(), RdsError> {
    let params = &call.params;
    made.allocated_storage = params.number("AllocatedStorage")?.unwrap_or(size);
    if made.allocated_storage < size {
        let why = format!("The allocated storage of a restored instance must be at least {size} GiB.");
        return Err(RdsError::invalid_value(why));
    }
    made.storage_type = params.text("StorageType").unwrap_or(kind).to_owned();
    let mut options = Options::default();
    // What was provisioned for one type of storage means nothing for another.
    if made.storage_type == kind {
        (options.iops, options.storage_throughput) = performance;
    }
    made.options = read(call, options, None)?;
    Ok(())
}

/// As from a snapshot, but that the class, the storage and the retention are the source's.
pub(super) async fn restore_to_point_in_time(call: &Call) -> Answer {
    let params = &call.params;
    let name = params.required("TargetDBInstanceIdentifier")?;
    let id = identifier("TargetDBInstanceIdentifier", name, SHORT)?;
    let wanted = wanted_time(call)?;
    let named = named_source(call)?;
    let found = automated_backups::source(lock(&call.app.world).region(&call.region), &named)?;
    check(call, found.kms_key.as_deref()).await?;
    let key = Key { region: call.region.clone(), id: found.arn.id, serial: found.resource_id };
    lifecycle::backups::reach_now(&call.app, &key).await;
    let source = automated_backups::source(lock(&call.app.world).region(&call.region), &named)?;
    let until = within_window(&source, wanted)?;
    // Since then a look at the instance may have let the window reach further, without a commit: this one is after `until`.
    lifecycle::backups::reach_now(&call.app, &key).await;
    let Some(backup) = source.backup.filter(|backup| backup.window.is_some()) else {
        return Err(no_window(&source.arn.id));
    };
    let mut made = blank(call, &id, call.place(params.list("VpcSecurityGroupIds")).await?)?;
    if params.text("DBInstanceClass").is_none() {
        made.class = source.class;
    }
    made.engine_version = source.engine_version;
    made.master_user = source.master_user;
    made.database = source.database;
    let performance = (source.options.iops, source.options.storage_throughput);
    store(call, &mut made, source.allocated_storage, &source.storage_type, performance)?;
    let backup_window = params.owned("PreferredBackupWindow");
    made.options.backup_window = backup_window.unwrap_or(source.options.backup_window);
    made.backup_retention = retention(call)?.unwrap_or(source.backup_retention);
    made.encrypted = source.encrypted;
    made.kms_key = source.kms_key;
    insert(call, made, Source::PointInTime { base: backup.base(), archive: backup.archive(), until })
}

/// The time to restore to; none is the latest one.
fn wanted_time(call: &Call) -> Result<Option<Timestamp>, RdsError> {
    let latest = call.params.boolean("UseLatestRestorableTime")?.unwrap_or(false);
    match (call.params.text("RestoreTime"), latest) {
        (None, true) => Ok(None),
        (Some(text), false) => text
            .parse()
            .map(Some)
            .map_err(|_| RdsError::invalid_value(format!("Invalid value {text} for RestoreTime"))),
        (Some(_), true) => Err(RdsError::invalid_combination(
            "RestoreTime cannot be specified when UseLatestRestorableTime is set.",
        )),
        (None, false) => {
            let why = "Either RestoreTime or UseLatestRestorableTime must be specified.";
            Err(RdsError::invalid_combination(why))
        }
    }
}

fn named_source(call: &Call) -> Result<Named, RdsError> {
    let params = &call.params;
    let by_arn = |text: String| Arn::parse(&text).map_or(text, |arn| arn.id);
    let given = (
        params.owned("SourceDBInstanceIdentifier").map(by_arn),
        params.owned("SourceDbiResourceId"),
        params.text("SourceDBInstanceAutomatedBackupsArn"),
    );
    match given {
        (Some(id), None, None) => Ok(Named::Instance(id)),
        (None, Some(id), None) => Ok(Named::Resource(id)),
        (None, None, Some(arn)) => Named::backup(call, arn),
        _ => Err(RdsError::invalid_combination(
            "One of SourceDBInstanceIdentifier, SourceDbiResourceId and SourceDBInstanceAutomatedBackupsArn \
             must be specified.",
        )),
    }
}

fn no_window(id: &str) -> RdsError {
    RdsError::instance_state(format!("DB instance {id} has no restorable time yet."))
}

/// A time that a recovery ends at. Its order against `RestoreTime` is the commits' own.
fn within_window(source: &Instance, wanted: Option<Timestamp>) -> Result<Timestamp, RdsError> {
    let window = source.backup.as_ref().and_then(|backup| backup.window);
    let (earliest, latest) = window.ok_or_else(|| no_window(&source.arn.id))?;
    match wanted {
        None => Ok(latest),
        Some(time) if (earliest..=latest).contains(&time) => Ok(time),
        Some(time) => Err(RdsError::invalid_value(format!(
            "The specified instance cannot be restored to {time}: the restorable times are from {earliest} to {latest}."
        ))),
    }
}

fn source(call: &Call, given: &str) -> Result<Snapshot, RdsError> {
    let id = Arn::parse(given).map_or_else(|| given.to_ascii_lowercase(), |arn| arn.id);
    let mut world = lock(&call.app.world);
    let found = world.region(&call.region).snapshot(&id)?;
    if found.status != SnapshotStatus::Available {
        let why = format!("The snapshot {id} is not in the available state.");
        return Err(RdsError::snapshot_state(why));
    }
    Ok(found.clone())
}
