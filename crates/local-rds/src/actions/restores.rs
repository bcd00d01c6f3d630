//! RestoreDBInstanceFromDBSnapshot.

use super::instances::{blank, insert, retention};
use super::{Answer, Call};
use crate::error::RdsError;
use crate::lifecycle::instances::Source;
use crate::names::{Arn, SHORT, identifier};
use crate::state::{Snapshot, SnapshotStatus};
use crate::{kms, lock};

/// The new instance keeps the snapshot's master user and its password of that time; security groups,
/// parameter group and the like are the defaults unless the call names others.
pub(super) async fn restore(call: &Call) -> Answer {
    let params = &call.params;
    let id = identifier("DBInstanceIdentifier", params.required("DBInstanceIdentifier")?, SHORT)?;
    let source = source(call, params.required("DBSnapshotIdentifier")?)?;
    if let Some(engine) = params.text("Engine").filter(|engine| *engine != "postgres") {
        return Err(RdsError::invalid_combination(format!("Cannot restore a postgres snapshot as {engine}")));
    }
    if params.text("DBName").is_some() {
        return Err(RdsError::invalid_combination("DBName is not valid for engine postgres"));
    }
    if let Some(key) = source.kms_key.as_deref().filter(|key| !kms::is_managed(key)) {
        call.usable_key(Some(key)).await?;
    }
    let mut made = blank(call, &id)?;
    if params.text("DBInstanceClass").is_none() {
        made.class = "db.t4g.medium".to_owned();
    }
    made.engine_version = source.engine_version;
    made.master_user = source.master_user;
    made.allocated_storage = params.number("AllocatedStorage")?.unwrap_or(source.allocated_storage);
    made.storage_type = params.owned("StorageType").unwrap_or(source.storage_type);
    made.backup_retention = retention(call)?.unwrap_or(1);
    made.encrypted = source.encrypted;
    made.kms_key = source.kms_key;
    insert(call, made, Source::Snapshot(source.directory))
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
