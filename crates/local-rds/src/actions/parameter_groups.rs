//! Parameter groups: what the user set in them; the engine's own defaults are not listed.

use std::collections::BTreeMap;

use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::names::{Kind, LONG, identifier};
use crate::params::paged;
use crate::state::{ParameterGroup, Region};
use crate::wire::Xml;
use crate::{lock, render};

pub(super) fn create(call: &Call) -> Answer {
    let params = &call.params;
    let name = identifier("DBParameterGroupName", params.required("DBParameterGroupName")?, LONG)?;
    let family = params.required("DBParameterGroupFamily")?;
    let major = family.strip_prefix("postgres").and_then(|major| major.parse::<u8>().ok());
    if major.is_none() {
        let why = format!("ParameterGroupFamily {family} is not a valid parameter group family");
        return Err(RdsError::invalid_value(why));
    }
    let description = params.required("Description")?;
    let made = ParameterGroup {
        arn: call.app.arn(&call.region, Kind::ParameterGroup, &name),
        family: family.to_owned(),
        description: description.to_owned(),
        tags: params.tags()?.unwrap_or_default(),
        parameters: BTreeMap::new(),
    };
    let mut world = lock(&call.app.world);
    let groups = &mut world.region(&call.region).parameter_groups;
    if groups.contains_key(&name) {
        let why = format!("Parameter group {name} already exists");
        return Err(RdsError::new("DBParameterGroupAlreadyExists", why));
    }
    let answer = one("DBParameterGroup", |xml| render::parameter_group(xml, &made));
    groups.insert(name, made);
    answer
}

fn group<'a>(call: &Call, region: &'a mut Region) -> Result<&'a mut ParameterGroup, RdsError> {
    let name = call.params.required("DBParameterGroupName")?.to_ascii_lowercase();
    if name.starts_with("default.") {
        let why = "Default parameter groups cannot be changed.";
        return Err(RdsError::invalid_value(why));
    }
    region.parameter_groups.get_mut(&name).ok_or_else(|| RdsError::group_not_found(&name))
}

pub(super) fn modify(call: &Call) -> Answer {
    let given = call.params.structures("Parameters");
    if given.is_empty() {
        return Err(RdsError::missing("Parameters"));
    }
    if given.len() > 20 {
        return Err(RdsError::invalid_value(
            "A maximum of 20 parameters can be modified in a single request.",
        ));
    }
    let mut parameters = Vec::new();
    for one in &given {
        let field = |name: &str| one.get(name).copied().unwrap_or_default().to_owned();
        let (name, value, method) = (field("ParameterName"), field("ParameterValue"), field("ApplyMethod"));
        // What is not PostgreSQL's own or RDS's belongs to an extension when it has a dot.
        let known = call.app.known_parameters.contains(&name) || name.contains('.');
        if !known {
            return Err(RdsError::invalid_value(format!("Could not find parameter with name: {name}")));
        }
        if !matches!(method.as_str(), "immediate" | "pending-reboot") {
            return Err(RdsError::invalid_value(format!("Invalid ApplyMethod: {method}")));
        }
        parameters.push((name, (value, method)));
    }
    let mut world = lock(&call.app.world);
    let found = group(call, world.region(&call.region))?;
    found.parameters.extend(parameters);
    let name = found.arn.id.clone();
    let instances = world.region(&call.region).instances.values_mut();
    for instance in instances.filter(|instance| instance.parameter_group == name) {
        instance.parameter_status = "pending-reboot";
    }
    named(&name)
}

pub(super) fn reset(call: &Call) -> Answer {
    let params = &call.params;
    let all = params.boolean("ResetAllParameters")?.unwrap_or(false);
    let mut world = lock(&call.app.world);
    let found = group(call, world.region(&call.region))?;
    if all {
        found.parameters.clear();
    }
    for one in params.structures("Parameters") {
        found.parameters.remove(one.get("ParameterName").copied().unwrap_or_default());
    }
    named(&found.arn.id)
}

fn named(name: &str) -> Answer {
    let mut xml = Xml::new();
    xml.text("DBParameterGroupName", name);
    Ok(Some(xml))
}

pub(super) fn describe(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page()?;
    let wanted = params.text("DBParameterGroupName").map(str::to_ascii_lowercase);
    let default = ParameterGroup {
        arn: call.app.arn(&call.region, Kind::ParameterGroup, &call.app.default_group()),
        family: call.app.family(),
        description: format!("Default parameter group for {}", call.app.family()),
        tags: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    let mut world = lock(&call.app.world);
    let groups = &world.region(&call.region).parameter_groups;
    let mut found: Vec<(&str, &ParameterGroup)> = groups
        .iter()
        .map(|(name, group)| (name.as_str(), group))
        .chain([(default.arn.id.as_str(), &default)])
        .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name))
        .collect();
    found.sort_by_key(|(name, _)| *name);
    if let (Some(name), true) = (&wanted, found.is_empty()) {
        return Err(RdsError::group_not_found(name));
    }
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("DBParameterGroups", "DBParameterGroup", shown, render::parameter_group);
    Ok(Some(xml))
}

pub(super) fn parameters(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page()?;
    let name = params.required("DBParameterGroupName")?.to_ascii_lowercase();
    let source = params.text("Source");
    let mut world = lock(&call.app.world);
    let groups = &world.region(&call.region).parameter_groups;
    let nothing = BTreeMap::new();
    let set = match groups.get(&name) {
        Some(group) => &group.parameters,
        None if name == call.app.default_group() => &nothing,
        None => return Err(RdsError::group_not_found(&name)),
    };
    // Only what the user set is kept here.
    let listed = set.iter().filter(|_| source.is_none_or(|source| source == "user"));
    let rows: Vec<_> = listed.collect();
    let (shown, marker) = paged(rows.iter().map(|row| (row.0.as_str(), row)).collect(), page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("Parameters", "Parameter", shown, |xml, (name, (value, method))| {
        xml.text("ParameterName", name).text("ParameterValue", value).text("Source", "user");
        xml.text("ApplyMethod", method).text("IsModifiable", true);
    });
    Ok(Some(xml))
}

pub(super) fn delete(call: &Call) -> Answer {
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let name = group(call, region)?.arn.id.clone();
    if region.instances.values().any(|instance| instance.parameter_group == name) {
        let why = format!(
            "One or more database instances are still members of this parameter group {name}, so the group cannot be deleted"
        );
        return Err(RdsError::new("InvalidDBParameterGroupState", why));
    }
    region.parameter_groups.remove(&name);
    Ok(None)
}
