//! ModifyDBInstance, StopDBInstance, StartDBInstance, RebootDBInstance.

use super::instances::{check_parameter_group, check_password, retention};
use super::offers::check_class;
use super::options::{check_monitoring_role, check_storage, check_zone, insights_key, read};
use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::lifecycle::instances::{Change, Power, change, power};
use crate::names::{SHORT, identifier};
use crate::network::{self, Placed};
use crate::state::{Instance, InstanceStatus, Options, Region};
use crate::{lock, render};

pub(super) async fn modify(call: &Call) -> Answer {
    let params = &call.params;
    let id = params.required("DBInstanceIdentifier")?.to_ascii_lowercase();
    let password = params.owned("MasterUserPassword");
    password.as_deref().map(check_password).transpose()?;
    let retention = retention(call)?;
    let key = insights_key(call).await?;
    check_monitoring_role(call).await?;
    params.text("DBInstanceClass").map(|class| check_class(&call.app, class)).transpose()?;
    check_zone(call)?;
    let moved = moved(call, &id).await?;
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let group = params.owned("DBParameterGroupName");
    if let Some(name) = &group {
        check_parameter_group(region, name, &call.app.family(), &call.app.default_group())?;
    }
    let renamed = renamed(call, region, &id)?;
    let instance = region.instance(&id)?;
    if !instance.status.is_available() && instance.status != InstanceStatus::BackingUp {
        return Err(RdsError::instance_state("Database instance is not in available state."));
    }
    let options = read(call, instance.options.clone(), key)?;
    let performance = (options.iops, options.storage_throughput);
    check_change(call, instance, &options)?;
    at_once(call, instance, options, moved)?;
    if let Some(name) = group.filter(|name| *name != instance.parameter_group) {
        instance.parameter_group = name;
        instance.parameter_status = "pending-reboot";
    }
    ask(call, instance, retention, performance)?;
    let pending = &mut instance.pending;
    pending.password |= password.is_some();
    pending.identifier = renamed.or(pending.identifier.take());
    let now = params.boolean("ApplyImmediately")?.unwrap_or(false);
    let rename = pending.identifier.clone().filter(|_| now);
    // All that waits for the maintenance window is made with what is asked for now, whatever that is.
    let others = now && pending.has_others();
    if password.is_some() || others || rename.is_some() {
        // The name is taken from now on.
        instance.renaming = rename.clone().or(instance.renaming.take());
        let key = call.key(&id, &instance.resource_id);
        change(call.app.clone(), key, Change { password, others, rename }, call.work.clone());
    }
    one("DBInstance", |xml| render::instance(xml, instance))
}

/// Notes what takes time and differs from what is.
fn ask(
    call: &Call,
    instance: &mut Instance,
    retention: Option<i64>,
    performance: (Option<i64>, Option<i64>),
) -> Result<(), RdsError> {
    let params = &call.params;
    let class = params.owned("DBInstanceClass").filter(|class| *class != instance.class);
    let storage = params.number("AllocatedStorage")?.filter(|size| *size != instance.allocated_storage);
    let retention = retention.filter(|days| *days != instance.backup_retention);
    let multi_az = params.boolean("MultiAZ")?.filter(|wanted| *wanted != instance.multi_az);
    let storage_type = params.owned("StorageType").filter(|kind| *kind != instance.storage_type);
    let iops = performance.0.filter(|iops| instance.options.iops != Some(*iops));
    let throughput = performance.1.filter(|rate| instance.options.storage_throughput != Some(*rate));
    // What an earlier call asked for stays pending.
    let pending = &mut instance.pending;
    pending.class = class.or(pending.class.take());
    pending.allocated_storage = storage.or(pending.allocated_storage);
    pending.backup_retention = retention.or(pending.backup_retention);
    pending.multi_az = multi_az.or(pending.multi_az);
    pending.storage_type = storage_type.or(pending.storage_type.take());
    pending.iops = iops.or(pending.iops);
    pending.storage_throughput = throughput.or(pending.storage_throughput);
    Ok(())
}

/// Where an instance is that is asked to be in another network or in other security groups.
async fn moved(call: &Call, id: &str) -> Result<Option<Placed>, RdsError> {
    let groups = call.params.list("VpcSecurityGroupIds");
    let now = lock(&call.app.world).region(&call.region).instance(id)?.clone();
    if call.params.text("DBSubnetGroupName").is_some() {
        let groups = if groups.is_empty() { now.security_groups } else { groups };
        return call.place(groups).await.map(Some);
    }
    if groups.is_empty() {
        return Ok(None);
    }
    let vpc = now.vpc;
    network::place(call.app.networks.as_ref(), &call.region, vpc, groups).await.map(Some)
}

/// Another identifier that is asked for.
fn renamed(call: &Call, region: &Region, id: &str) -> Result<Option<String>, RdsError> {
    let Some(name) = call.params.text("NewDBInstanceIdentifier") else { return Ok(None) };
    let name = identifier("NewDBInstanceIdentifier", name, SHORT)?;
    match name == id {
        true => Ok(None),
        false if region.is_taken(&name) => Err(RdsError::instance_exists()),
        false => Ok(Some(name)),
    }
}

/// The storage as it would be.
fn check_change(call: &Call, instance: &Instance, options: &Options) -> Result<(), RdsError> {
    let size = call.params.number("AllocatedStorage")?.unwrap_or(instance.allocated_storage);
    if size < instance.allocated_storage {
        return Err(RdsError::invalid_value("Requested storage size is less than the current one."));
    }
    check_storage(call.params.text("StorageType").unwrap_or(&instance.storage_type), size, options)
}

/// What takes no time and leaves the status as it is.
fn at_once(
    call: &Call,
    instance: &mut Instance,
    options: Options,
    moved: Option<Placed>,
) -> Result<(), RdsError> {
    let params = &call.params;
    // The storage's performance is pending until it is changed.
    let (iops, storage_throughput) = (instance.options.iops, instance.options.storage_throughput);
    instance.options = Options { iops, storage_throughput, ..options };
    if let Some(group) = params.owned("DBSubnetGroupName") {
        instance.subnet_group = group;
    }
    if let Some(group) = params.owned("OptionGroupName") {
        instance.option_group = group;
    }
    if let Some(placed) = moved {
        instance.vpc = placed.vpc;
        instance.security_groups = placed.security_groups;
    }
    for (name, field) in [
        ("DeletionProtection", &mut instance.deletion_protection),
        ("CopyTagsToSnapshot", &mut instance.copy_tags),
        ("PubliclyAccessible", &mut instance.public),
        ("AutoMinorVersionUpgrade", &mut instance.auto_minor_upgrade),
    ] {
        if let Some(value) = params.boolean(name)? {
            *field = value;
        }
    }
    Ok(())
}

pub(super) fn stop(call: &Call) -> Answer {
    switch(call, Power::Off, InstanceStatus::Available, InstanceStatus::Stopping)
}

pub(super) fn start(call: &Call) -> Answer {
    switch(call, Power::On, InstanceStatus::Stopped, InstanceStatus::Starting)
}

pub(super) fn reboot(call: &Call) -> Answer {
    switch(call, Power::Cycle, InstanceStatus::Available, InstanceStatus::Rebooting)
}

fn switch(call: &Call, how: Power, from: InstanceStatus, through: InstanceStatus) -> Answer {
    let id = call.params.required("DBInstanceIdentifier")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    let instance = world.region(&call.region).instance(&id)?;
    let loads = from == InstanceStatus::Available && instance.status.is_available();
    if instance.status != from && !loads {
        let why = format!("Instance {id} is not in {from} state.");
        return Err(RdsError::instance_state(why));
    }
    instance.status = through;
    power(call.app.clone(), call.key(&id, &instance.resource_id), how, call.work.clone());
    one("DBInstance", |xml| render::instance(xml, instance))
}
