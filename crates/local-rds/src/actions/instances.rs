//! CreateDBInstance, DescribeDBInstances, DeleteDBInstance.

use jiff::Timestamp;

use super::offers::check_class;
use super::options::{check_monitoring_role, check_storage, check_zone, insights_key, read};
use super::{Answer, Call, one, snapshots};
use crate::error::RdsError;
use crate::lifecycle::instances::{Remains, Source, bring_up};
use crate::names::{Kind, LONG, SHORT, identifier, resource_id};
use crate::network::Placed;
use crate::params::paged;
use crate::state::{DEFAULT_SUBNET_GROUP, Instance, InstanceStatus, Options, Pending, Region, is_seen};
use crate::wire::Xml;
use crate::{lifecycle, lock, render};

pub(super) async fn create(call: &Call) -> Answer {
    let params = &call.params;
    let id = identifier("DBInstanceIdentifier", params.required("DBInstanceIdentifier")?, SHORT)?;
    if params.required("Engine")? != "postgres" {
        return Err(RdsError::invalid_value("Invalid DB engine: only postgres is served here"));
    }
    params.required("DBInstanceClass")?;
    let master = params.required("MasterUsername")?.to_owned();
    check_master_user(&master)?;
    let password = params.required("MasterUserPassword")?.to_owned();
    check_password(&password)?;
    let kms_key = match (params.boolean("StorageEncrypted")?.unwrap_or(false), params.text("KmsKeyId")) {
        (false, None) => None,
        (false, Some(_)) => {
            let why = "KmsKeyId can only be specified when StorageEncrypted is true.";
            return Err(RdsError::invalid_combination(why));
        }
        (true, given) => Some(call.usable_key(given).await?),
    };
    let mut made = blank(call, &id, call.place(params.list("VpcSecurityGroupIds")).await?)?;
    check_monitoring_role(call).await?;
    made.options = read(call, Options::default(), insights_key(call).await?)?;
    made.engine_version = engine_version(call)?;
    made.master_user = master;
    made.database = params.owned("DBName");
    made.allocated_storage = params.number("AllocatedStorage")?.unwrap_or(20);
    made.backup_retention = retention(call)?.unwrap_or(1);
    made.encrypted = kms_key.is_some();
    made.kms_key = kms_key;
    if params.text("StorageType").is_none() && made.options.iops.is_some() {
        made.storage_type = "io1".to_owned();
    }
    insert(call, made, Source::Empty { password })
}

/// An instance with what create and restore share.
pub(super) fn blank(call: &Call, id: &str, placed: Placed) -> Result<Instance, RdsError> {
    let (app, params) = (&call.app, &call.params);
    check_zone(call)?;
    let serial = resource_id();
    Ok(Instance {
        arn: app.arn(&call.region, Kind::Instance, id),
        status: InstanceStatus::Creating,
        class: params.text("DBInstanceClass").unwrap_or("db.t4g.micro").to_owned(),
        engine_version: app.binaries.version().to_owned(),
        master_user: String::new(),
        database: None,
        allocated_storage: 20,
        storage_type: params.text("StorageType").unwrap_or("gp3").to_owned(),
        encrypted: false,
        kms_key: None,
        port: 0,
        created: Timestamp::now(),
        backup_retention: 0,
        parameter_group: params.owned("DBParameterGroupName").unwrap_or_else(|| app.default_group()),
        parameter_status: "in-sync",
        security_groups: placed.security_groups,
        vpc: placed.vpc,
        // Any name is taken: the stacks of the local cloud make subnet groups elsewhere.
        subnet_group: params.text("DBSubnetGroupName").unwrap_or(DEFAULT_SUBNET_GROUP).to_owned(),
        availability_zone: params.owned("AvailabilityZone").unwrap_or_else(|| format!("{}a", call.region)),
        multi_az: params.boolean("MultiAZ")?.unwrap_or(false),
        public: params.boolean("PubliclyAccessible")?.unwrap_or(true),
        auto_minor_upgrade: params.boolean("AutoMinorVersionUpgrade")?.unwrap_or(true),
        deletion_protection: params.boolean("DeletionProtection")?.unwrap_or(false),
        copy_tags: params.boolean("CopyTagsToSnapshot")?.unwrap_or(false),
        option_group: params.owned("OptionGroupName").unwrap_or_else(|| app.default_option_group()),
        options: Options::default(),
        pending: Pending::default(),
        renaming: None,
        backup: None,
        tags: params.tags()?.unwrap_or_default(),
        directory: app.instance_directory(&serial),
        server: std::sync::Arc::default(),
        unseen_until: call.work.unseen_until(),
        resource_id: serial,
    })
}

/// Puts a new instance in and starts the work that fills it.
pub(super) fn insert(call: &Call, mut made: Instance, source: Source) -> Answer {
    let app = &call.app;
    check_class(app, &made.class)?;
    check_storage(&made.storage_type, made.allocated_storage, &made.options)?;
    let mut world = lock(&app.world);
    let region = world.region(&call.region);
    if region.is_taken(&made.arn.id) {
        return Err(RdsError::instance_exists());
    }
    if region.instances.len() >= app.tuning().max_instances {
        return Err(RdsError::new("InstanceQuotaExceeded", "DB Instance quota exceeded"));
    }
    check_parameter_group(region, &made.parameter_group, &app.family(), &app.default_group())?;
    made.port = app.choose_port(&mut world, &call.region, &made.arn.id)?;
    let key = call.key(&made.arn.id, &made.resource_id);
    let answer = one("DBInstance", |xml| render::instance(xml, &made));
    world.region(&call.region).instances.insert(made.arn.id.clone(), made);
    bring_up(app.clone(), key, source, call.work.clone());
    answer
}

/// The group must exist and be of the engine's family.
pub(super) fn check_parameter_group(
    region: &Region,
    name: &str,
    family: &str,
    default: &str,
) -> Result<(), RdsError> {
    if name == default {
        return Ok(());
    }
    let group = region.parameter_groups.get(name).ok_or_else(|| RdsError::group_not_found(name))?;
    if group.family == family {
        return Ok(());
    }
    Err(RdsError::invalid_combination(format!(
        "The parameter group {name} with DBParameterGroupFamily {} can't be used for this instance. \
         Please use a parameter group with DBParameterGroupFamily {family}",
        group.family
    )))
}

fn check_master_user(name: &str) -> Result<(), RdsError> {
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = ["rdsadmin", "admin", "postgres_admin", "rdsrepladmin"];
    if valid && !reserved.contains(&name) && !name.starts_with("pg_") && !name.starts_with("rds_") {
        return Ok(());
    }
    let why = format!("MasterUsername {name} cannot be used as it is a reserved word used by the engine");
    Err(RdsError::invalid_value(why))
}

pub(super) fn check_password(password: &str) -> Result<(), RdsError> {
    let printable = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '"');
    if !(8..=128).contains(&password.len()) {
        let why = "The parameter MasterUserPassword is not a valid password because it is shorter than 8 or longer than 128 characters.";
        return Err(RdsError::invalid_value(why));
    }
    if !password.chars().all(printable) {
        let why = "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.";
        return Err(RdsError::invalid_value(why));
    }
    Ok(())
}

pub(super) fn retention(call: &Call) -> Result<Option<i64>, RdsError> {
    match call.params.number("BackupRetentionPeriod")? {
        Some(days) if !(0..=35).contains(&days) => Err(RdsError::invalid_value(format!(
            "Invalid backup retention period: {days}. Must be between 0 and 35"
        ))),
        days => Ok(days),
    }
}

/// The major version must be the installed one; the answer is what was asked for, if it was exact.
fn engine_version(call: &Call) -> Result<String, RdsError> {
    let binaries = &call.app.binaries;
    let Some(wanted) = call.params.text("EngineVersion") else {
        return Ok(binaries.version().to_owned());
    };
    match wanted.split_once('.') {
        Some((major, _)) if major == binaries.major_version() => Ok(wanted.to_owned()),
        None if wanted == binaries.major_version() => Ok(binaries.version().to_owned()),
        _ => Err(RdsError::invalid_combination(format!(
            "Cannot find version {wanted} for postgres (installed on this machine: {})",
            binaries.version()
        ))),
    }
}

pub(super) fn describe(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page()?;
    let wanted = params.text("DBInstanceIdentifier").map(|id| id.rsplit(':').next().unwrap_or(id));
    let filter = params.filter("db-instance-id");
    let looked_at = |id: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(id));
    lifecycle::backups::follow(&call.app, &call.region, looked_at);
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    if let Some(id) = wanted {
        let found = region.instance(&id.to_ascii_lowercase())?;
        if !is_seen(found.unseen_until) {
            return Err(RdsError::instance_not_found(id));
        }
    }
    let listed = |id: &str| {
        filter.as_ref().is_none_or(|ids| ids.iter().any(|listed| listed.rsplit(':').next() == Some(id)))
    };
    let found = region
        .instances
        .iter()
        .filter(|(_, found)| is_seen(found.unseen_until))
        .filter(|(id, _)| looked_at(id) && listed(id))
        .map(|(id, instance)| (id.as_str(), instance))
        .collect();
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("DBInstances", "DBInstance", shown, render::instance);
    Ok(Some(xml))
}

pub(super) fn delete(call: &Call) -> Answer {
    let params = &call.params;
    let id = params.required("DBInstanceIdentifier")?.to_ascii_lowercase();
    let skip = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
    let automated_backups = !params.boolean("DeleteAutomatedBackups")?.unwrap_or(true);
    let last = match (skip, params.text("FinalDBSnapshotIdentifier")) {
        (true, None) => None,
        (false, Some(name)) => Some(identifier("FinalDBSnapshotIdentifier", name, LONG)?),
        (false, None) => {
            let why = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.";
            return Err(RdsError::invalid_combination(why));
        }
        (true, Some(_)) => {
            let why = "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.";
            return Err(RdsError::invalid_combination(why));
        }
    };
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let instance = region.instance(&id)?;
    if instance.status == InstanceStatus::Deleting {
        let why = format!("Instance {id} is already being deleted.");
        return Err(RdsError::instance_state(why));
    }
    if instance.deletion_protection {
        let why = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
        return Err(RdsError::invalid_combination(why));
    }
    if last.is_some() && !instance.status.is_available() {
        let why = format!(
            "Cannot create a snapshot because the database instance {id} is not currently in the available state."
        );
        return Err(RdsError::instance_state(why));
    }
    let last = match last {
        Some(name) => Some(snapshots::insert(call, region, &name, &id)?),
        None => None,
    };
    let instance = region.instance(&id)?;
    instance.status = InstanceStatus::Deleting;
    let key = call.key(&id, &instance.resource_id);
    let remains = Remains { final_snapshot: last, automated_backups };
    lifecycle::instances::delete(call.app.clone(), key, remains, call.work.clone());
    one("DBInstance", |xml| render::instance(xml, instance))
}
