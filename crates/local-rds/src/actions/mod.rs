//! The actions, one file per family. Each checks, changes what exists, starts background work, answers.

mod account;
mod automated_backups;
mod copies;
mod instances;
mod instances_change;
mod offers;
mod option_groups;
mod options;
mod parameter_groups;
mod restores;
mod sharing;
mod snapshots;
mod subnet_groups;
mod tags;

use std::sync::Arc;

use crate::app::{App, Key};
use crate::error::RdsError;
use crate::faults::WorkOrders;
use crate::iam::{Context, Principal};
use crate::kms;
use crate::network::{self, Placed};
use crate::params::Params;
use crate::state::DEFAULT_SUBNET_GROUP;
use crate::wire::Xml;

/// One authorised call.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) region: String,
    pub(crate) principal: Principal,
    pub(crate) params: Params,
    pub(crate) work: WorkOrders,
}

/// An action's result; actions without one answer `None`.
type Answer = Result<Option<Xml>, RdsError>;

/// Every action that is known.
pub(crate) const KNOWN: [&str; 35] = [
    "AddTagsToResource",
    "CopyDBSnapshot",
    "CreateDBInstance",
    "CreateDBParameterGroup",
    "CreateDBSnapshot",
    "CreateDBSubnetGroup",
    "CreateOptionGroup",
    "DeleteDBInstance",
    "DeleteDBInstanceAutomatedBackup",
    "DeleteDBParameterGroup",
    "DeleteDBSnapshot",
    "DeleteDBSubnetGroup",
    "DeleteOptionGroup",
    "DescribeAccountAttributes",
    "DescribeCertificates",
    "DescribeDBInstanceAutomatedBackups",
    "DescribeDBInstances",
    "DescribeDBParameterGroups",
    "DescribeDBParameters",
    "DescribeDBSnapshotAttributes",
    "DescribeDBSnapshots",
    "DescribeDBSubnetGroups",
    "DescribeOptionGroups",
    "DescribeOrderableDBInstanceOptions",
    "ListTagsForResource",
    "ModifyDBInstance",
    "ModifyDBParameterGroup",
    "ModifyDBSnapshotAttribute",
    "RebootDBInstance",
    "RemoveTagsFromResource",
    "ResetDBParameterGroup",
    "RestoreDBInstanceFromDBSnapshot",
    "RestoreDBInstanceToPointInTime",
    "StartDBInstance",
    "StopDBInstance",
];

/// Does what the action asks.
pub(crate) async fn perform(action: &str, call: &Call) -> Answer {
    match action {
        "CreateDBInstance" => instances::create(call).await,
        "DescribeDBInstances" => instances::describe(call),
        "DeleteDBInstance" => instances::delete(call),
        "ModifyDBInstance" => instances_change::modify(call).await,
        "StopDBInstance" => instances_change::stop(call),
        "StartDBInstance" => instances_change::start(call),
        "RebootDBInstance" => instances_change::reboot(call),
        "CreateDBSnapshot" => snapshots::create(call),
        "DescribeDBSnapshots" => snapshots::describe(call),
        "DescribeDBSnapshotAttributes" => sharing::describe(call),
        "ModifyDBSnapshotAttribute" => sharing::modify(call),
        "DeleteDBSnapshot" => snapshots::delete(call),
        "CopyDBSnapshot" => copies::copy(call).await,
        "RestoreDBInstanceFromDBSnapshot" => restores::restore(call).await,
        "RestoreDBInstanceToPointInTime" => restores::restore_to_point_in_time(call).await,
        "DescribeDBInstanceAutomatedBackups" => automated_backups::describe(call),
        "DeleteDBInstanceAutomatedBackup" => automated_backups::delete(call),
        "CreateDBParameterGroup" => parameter_groups::create(call),
        "ModifyDBParameterGroup" => parameter_groups::modify(call),
        "ResetDBParameterGroup" => parameter_groups::reset(call),
        "DescribeDBParameterGroups" => parameter_groups::describe(call),
        "DescribeDBParameters" => parameter_groups::parameters(call),
        "DeleteDBParameterGroup" => parameter_groups::delete(call),
        "AddTagsToResource" => tags::add(call),
        "RemoveTagsFromResource" => tags::remove(call),
        "ListTagsForResource" => tags::list(call),
        "DescribeAccountAttributes" => account::attributes(call),
        "CreateDBSubnetGroup" => subnet_groups::create(call).await,
        "DescribeDBSubnetGroups" => subnet_groups::describe(call).await,
        "CreateOptionGroup" => option_groups::create(call),
        "DescribeOptionGroups" => option_groups::describe(call),
        "DeleteOptionGroup" => option_groups::delete(call),
        "DescribeOrderableDBInstanceOptions" => offers::orderable(call),
        "DescribeCertificates" => offers::certificates(call),
        "DeleteDBSubnetGroup" => subnet_groups::delete(call),
        _ => {
            let why = format!("Could not find operation {action} for version 2014-10-31");
            Err(RdsError::new("InvalidAction", why))
        }
    }
}

impl Call {
    fn key(&self, id: &str, serial: &str) -> Key {
        Key { region: self.region.clone(), id: id.to_owned(), serial: serial.to_owned() }
    }

    /// Where an instance would be: in the network of the subnet group that is named, in these security groups.
    async fn place(&self, groups: Vec<String>) -> Result<Placed, RdsError> {
        let networks = self.app.networks.as_ref();
        let name = self.params.text("DBSubnetGroupName").unwrap_or(DEFAULT_SUBNET_GROUP);
        let vpc = match subnet_groups::vpc_of(self, &name.to_ascii_lowercase()).await {
            Some(vpc) => vpc,
            None => network::vpc(networks, &self.region, &[]).await?,
        };
        network::place(networks, &self.region, vpc, groups).await
    }

    /// A key that is usable in this Region, and by this caller.
    async fn usable_key(&self, given: Option<&str>) -> Result<String, RdsError> {
        let app = &self.app;
        let key = kms::resolve(app.keys.as_ref(), &self.region, &app.settings.account_id, given).await?;
        let Some(iam) = app.iam.as_ref() else { return Ok(key) };
        if kms::is_managed(app.keys.as_ref(), &key).await {
            return Ok(key);
        }
        // RDS takes its grant on the key in the caller's name.
        let service = format!("rds.{}.amazonaws.com", self.region);
        let context: Context = [
            ("kms:viaservice".to_owned(), vec![service]),
            ("kms:grantisforawsresource".to_owned(), vec!["true".to_owned()]),
            ("aws:requestedregion".to_owned(), vec![self.region.clone()]),
        ]
        .into();
        for action in ["kms:DescribeKey", "kms:CreateGrant"] {
            if let Err(cause) = iam.authorize(&self.principal, action, &key, &context).await {
                tracing::warn!(%cause, "the caller may not use the key");
                return Err(RdsError::key_not_accessible(given.unwrap_or(&key)));
            }
        }
        Ok(key)
    }
}

/// `<Name>…</Name>` as the whole result.
fn one(name: &str, inside: impl FnOnce(&mut Xml)) -> Answer {
    let mut xml = Xml::new();
    xml.element(name, inside);
    Ok(Some(xml))
}
