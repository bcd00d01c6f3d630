//! Subnet groups: their subnets are the local cloud's. Restores take any name: see the crate's docs.

use super::{Answer, Call, one};
use crate::cloud::client;
use crate::error::RdsError;
use crate::names::{Kind, LONG, identifier};
use crate::params::paged;
use crate::state::{DEFAULT_SUBNET_GROUP, SubnetGroup};
use crate::wire::Xml;
use crate::{lock, network, render};

pub(super) async fn create(call: &Call) -> Answer {
    let params = &call.params;
    let name = identifier("DBSubnetGroupName", params.required("DBSubnetGroupName")?, LONG)?;
    let subnets = params.list("SubnetIds");
    let made = SubnetGroup {
        arn: call.app.arn(&call.region, Kind::SubnetGroup, &name),
        description: params.required("DBSubnetGroupDescription")?.to_owned(),
        vpc: network::vpc(call.app.networks.as_ref(), &call.region, &subnets).await?,
        subnets,
        tags: params.tags()?.unwrap_or_default(),
    };
    let mut world = lock(&call.app.world);
    let groups = &mut world.region(&call.region).subnet_groups;
    if groups.contains_key(&name) {
        let why = format!("The DB subnet group '{name}' already exists.");
        return Err(RdsError::new("DBSubnetGroupAlreadyExists", why));
    }
    let answer = one("DBSubnetGroup", |xml| render::subnet_group(xml, &made));
    groups.insert(name, made);
    answer
}

fn not_found(name: &str) -> RdsError {
    let why = format!("DB subnet group '{name}' does not exist.");
    RdsError::with_status("DBSubnetGroupNotFoundFault", 404, why)
}

pub(super) async fn describe(call: &Call) -> Answer {
    let page = call.params.page()?;
    let wanted = call.params.text("DBSubnetGroupName").map(str::to_ascii_lowercase);
    let mut groups = lock(&call.app.world).region(&call.region).subnet_groups.clone();
    if !groups.contains_key(DEFAULT_SUBNET_GROUP) {
        groups.insert(DEFAULT_SUBNET_GROUP.to_owned(), default_group(call).await?);
    }
    if let Some(name) = wanted {
        let made = match groups.remove(&name) {
            Some(made) => made,
            None => elsewhere(call, &name).await.ok_or_else(|| not_found(&name))?,
        };
        groups = [(name, made)].into();
    }
    let found = groups.iter().map(|(name, group)| (name.as_str(), group)).collect();
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("DBSubnetGroups", "DBSubnetGroup", shown, render::subnet_group);
    Ok(Some(xml))
}

/// The one that an instance has when it names none.
async fn default_group(call: &Call) -> Result<SubnetGroup, RdsError> {
    Ok(SubnetGroup {
        vpc: network::vpc(call.app.networks.as_ref(), &call.region, &[]).await?,
        arn: call.app.arn(&call.region, Kind::SubnetGroup, DEFAULT_SUBNET_GROUP),
        description: "Created from the RDS Management Console".to_owned(),
        subnets: ["a", "b"].map(|zone| format!("subnet-default-{zone}")).to_vec(),
        tags: Default::default(),
    })
}

/// The network of the group of this name; `None` when nobody knows it, and of the default one.
pub(super) async fn vpc_of(call: &Call, name: &str) -> Option<String> {
    let own = lock(&call.app.world).region(&call.region).subnet_groups.get(name).cloned();
    match own {
        Some(group) => Some(group.vpc),
        None if name == DEFAULT_SUBNET_GROUP => None,
        None => elsewhere(call, name).await.map(|group| group.vpc),
    }
}

/// A group that a stack of the local cloud made there.
async fn elsewhere(call: &Call, name: &str) -> Option<SubnetGroup> {
    let endpoint = call.app.settings.cloud_endpoint.as_ref()?;
    let cloud = client!(aws_sdk_rds, endpoint, call.region);
    let found = match cloud.describe_db_subnet_groups().db_subnet_group_name(name).send().await {
        Ok(found) => found,
        Err(cause) => {
            let cause = aws_smithy_types::error::display::DisplayErrorContext(cause).to_string();
            tracing::info!(%name, cause, "the cloud has no such subnet group");
            return None;
        }
    };
    let group = found.db_subnet_groups().first()?;
    let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier());
    Some(SubnetGroup {
        arn: call.app.arn(&call.region, Kind::SubnetGroup, name),
        description: group.db_subnet_group_description().unwrap_or(name).to_owned(),
        vpc: group.vpc_id()?.to_owned(),
        subnets: subnets.map(str::to_owned).collect(),
        tags: Default::default(),
    })
}

pub(super) fn delete(call: &Call) -> Answer {
    let name = call.params.required("DBSubnetGroupName")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    world.region(&call.region).subnet_groups.remove(&name).ok_or_else(|| not_found(&name))?;
    Ok(None)
}
