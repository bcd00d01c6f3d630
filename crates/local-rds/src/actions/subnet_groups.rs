//! Subnet groups, as far as a caller wants to see one. Restores take any name: see the crate's docs.

use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::names::{Kind, LONG, identifier};
use crate::params::paged;
use crate::state::SubnetGroup;
use crate::wire::Xml;
use crate::{lock, render};

pub(super) fn create(call: &Call) -> Answer {
    let params = &call.params;
    let name = identifier("DBSubnetGroupName", params.required("DBSubnetGroupName")?, LONG)?;
    let made = SubnetGroup {
        arn: call.app.arn(&call.region, Kind::SubnetGroup, &name),
        description: params.required("DBSubnetGroupDescription")?.to_owned(),
        subnets: params.list("SubnetIds"),
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

pub(super) fn describe(call: &Call) -> Answer {
    let page = call.params.page()?;
    let wanted = call.params.text("DBSubnetGroupName").map(str::to_ascii_lowercase);
    let mut world = lock(&call.app.world);
    let groups = &world.region(&call.region).subnet_groups;
    if let Some(name) = wanted.as_deref().filter(|name| !groups.contains_key(*name)) {
        return Err(not_found(name));
    }
    let found = groups
        .iter()
        .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == *name))
        .map(|(name, group)| (name.as_str(), group))
        .collect();
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("DBSubnetGroups", "DBSubnetGroup", shown, render::subnet_group);
    Ok(Some(xml))
}

pub(super) fn delete(call: &Call) -> Answer {
    let name = call.params.required("DBSubnetGroupName")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    world.region(&call.region).subnet_groups.remove(&name).ok_or_else(|| not_found(&name))?;
    Ok(None)
}
