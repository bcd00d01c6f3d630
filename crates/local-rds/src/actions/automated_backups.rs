//! DescribeDBInstanceAutomatedBackups, DeleteDBInstanceAutomatedBackup, and finding what a restore is made from.

use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::names::{Arn, Kind};
use crate::params::paged;
use crate::state::{Instance, Region};
use crate::wire::Xml;
use crate::{lifecycle, lock, render};

/// Which automated backups a caller means.
pub(super) enum Named {
    Instance(String),
    Resource(String),
    Backup(String),
}

impl Named {
    /// The last part of an ARN of automated backups of this Region.
    pub(super) fn backup(call: &Call, arn: &str) -> Result<Self, RdsError> {
        let known = Arn::parse(arn).filter(|arn| arn.kind == Kind::AutomatedBackup);
        match known.filter(|arn| arn.region == call.region) {
            Some(arn) => Ok(Self::Backup(arn.id)),
            None => Err(RdsError::backup_not_found(arn)),
        }
    }

    fn is(&self, found: &Instance) -> bool {
        match self {
            Self::Instance(id) => id.eq_ignore_ascii_case(&found.arn.id),
            Self::Resource(id) => id.eq_ignore_ascii_case(&found.resource_id),
            Self::Backup(id) => found.backup_id() == Some(id),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Instance(text) | Self::Resource(text) | Self::Backup(text) => text,
        }
    }
}

/// The instance, gone or not, that a restore starts from. By identifier only one that is there.
pub(super) fn source(region: &Region, named: &Named) -> Result<Instance, RdsError> {
    let live = region.instances.values().find(|found| named.is(found));
    let found = match named {
        Named::Instance(id) => live.ok_or_else(|| RdsError::instance_not_found(id))?,
        Named::Resource(_) | Named::Backup(_) => live
            .or_else(|| region.retained.values().find(|found| named.is(found)))
            .ok_or_else(|| RdsError::backup_not_found(named.text()))?,
    };
    if found.backup_retention == 0 && found.backup.is_none() {
        let why = format!("Point in time restore is not enabled for DB instance {}.", found.arn.id);
        return Err(RdsError::new("PointInTimeRestoreNotEnabled", why));
    }
    Ok(found.clone())
}

fn named(call: &Call) -> Result<Vec<Named>, RdsError> {
    let params = &call.params;
    let mut named = Vec::new();
    named.extend(params.owned("DBInstanceIdentifier").map(Named::Instance));
    named.extend(params.owned("DbiResourceId").map(Named::Resource));
    if let Some(arn) = params.text("DBInstanceAutomatedBackupsArn") {
        named.push(Named::backup(call, arn)?);
    }
    Ok(named)
}

pub(super) fn describe(call: &Call) -> Answer {
    let params = &call.params;
    let (page, wanted) = (params.page()?, named(call)?);
    let (statuses, ids, resources) =
        (params.filter("status"), params.filter("db-instance-id"), params.filter("dbi-resource-id"));
    lifecycle::backups::follow(&call.app, &call.region, |_| true);
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let within = |list: &Option<Vec<String>>, value: &str| {
        list.as_ref().is_none_or(|list| list.iter().any(|one| one.rsplit(':').next() == Some(value)))
    };
    let mut found: Vec<(&str, &Instance)> = region
        .instances
        .values()
        .chain(region.retained.values())
        .filter(|found| wanted.iter().all(|named| named.is(found)))
        .filter_map(|found| Some((found, found.backup.as_ref()?.status().to_string())))
        .filter(|(_, status)| within(&statuses, status))
        .filter(|(found, _)| within(&ids, &found.arn.id) && within(&resources, &found.resource_id))
        .map(|(found, _)| (found.resource_id.as_str(), found))
        .collect();
    if let (Some(named), true) = (wanted.first(), found.is_empty()) {
        return Err(RdsError::backup_not_found(named.text()));
    }
    found.sort_by_key(|(resource, _)| *resource);
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list(
        "DBInstanceAutomatedBackups",
        "DBInstanceAutomatedBackup",
        shown,
        render::automated_backup,
    );
    Ok(Some(xml))
}

/// Only what is retained: the others go with their instance, or with its retention.
pub(super) fn delete(call: &Call) -> Answer {
    let wanted = named(call)?;
    let named = wanted.first().ok_or_else(|| RdsError::missing("DbiResourceId"))?;
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    if region.instances.values().any(|found| named.is(found) && found.backup.is_some()) {
        let why = format!("Automated backups of {} are not retained.", named.text());
        return Err(RdsError::new("InvalidDBInstanceAutomatedBackupState", why));
    }
    let id = region.retained.iter().find(|(_, found)| named.is(found)).map(|(id, _)| id.clone());
    let gone = id.and_then(|id| region.retained.remove(&id));
    let gone = gone.ok_or_else(|| RdsError::backup_not_found(named.text()))?;
    if let Some(backup) = gone.backup.clone() {
        call.app.spawn(async move { lifecycle::backups::remove(&backup.directory).await });
    }
    one("DBInstanceAutomatedBackup", |xml| render::automated_backup(xml, &gone))
}
