//! Option groups: PostgreSQL has no options, so a name, an engine and a major version are all of one. What creates,
//! restores and changes an instance takes any name: see the crate's docs.

use holdfast_local_postgres::Binaries;

use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::names::{Kind, LONG, identifier};
use crate::params::paged;
use crate::state::OptionGroup;
use crate::wire::Xml;
use crate::{lock, render};

pub(super) fn create(call: &Call) -> Answer {
    let params = &call.params;
    let name = identifier("OptionGroupName", params.required("OptionGroupName")?, LONG)?;
    let (engine, major) = (params.required("EngineName")?, params.required("MajorEngineVersion")?);
    let known = Binaries::MAJORS.map(|major| major.to_string()).any(|known| known == major);
    if engine != "postgres" || !known {
        let why = format!("Invalid engine or major version: {engine} {major}");
        return Err(RdsError::invalid_combination(why));
    }
    let made = OptionGroup {
        arn: call.app.arn(&call.region, Kind::OptionGroup, &name),
        description: params.required("OptionGroupDescription")?.to_owned(),
        major: major.to_owned(),
        tags: params.tags()?.unwrap_or_default(),
    };
    let mut world = lock(&call.app.world);
    let groups = &mut world.region(&call.region).option_groups;
    if groups.contains_key(&name) {
        let why = format!("Specified OptionGroupName: {name} already exists.");
        return Err(RdsError::new("OptionGroupAlreadyExistsFault", why));
    }
    let answer = one("OptionGroup", |xml| render::option_group(xml, &made));
    groups.insert(name, made);
    answer
}

fn not_found(name: &str) -> RdsError {
    let why = format!("Specified OptionGroupName: {name} not found.");
    RdsError::with_status("OptionGroupNotFoundFault", 404, why)
}

/// The ones that every account has: by engine and major version.
fn default_groups(call: &Call) -> Vec<OptionGroup> {
    let group = |major: u32| OptionGroup {
        arn: call.app.arn(&call.region, Kind::OptionGroup, &format!("default:postgres-{major}")),
        description: format!("Default option group for postgres {major}"),
        major: major.to_string(),
        tags: Default::default(),
    };
    Binaries::MAJORS.map(group).collect()
}

pub(super) fn describe(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page()?;
    let wanted = params.text("OptionGroupName").map(str::to_ascii_lowercase);
    let (engine, major) = (params.text("EngineName"), params.text("MajorEngineVersion"));
    let defaults = default_groups(call);
    let mut world = lock(&call.app.world);
    let groups = world.region(&call.region).option_groups.values().chain(&defaults);
    let mut found: Vec<(&str, &OptionGroup)> = groups
        .filter(|group| wanted.as_ref().is_none_or(|wanted| *wanted == group.arn.id))
        .filter(|_| engine.is_none_or(|engine| engine == "postgres"))
        .filter(|group| major.is_none_or(|major| major == group.major))
        .map(|group| (group.arn.id.as_str(), group))
        .collect();
    if let (Some(name), true) = (&wanted, found.is_empty()) {
        return Err(not_found(name));
    }
    found.sort_by_key(|(name, _)| *name);
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list("OptionGroupsList", "OptionGroup", shown, render::option_group);
    Ok(Some(xml))
}

pub(super) fn delete(call: &Call) -> Answer {
    let name = call.params.required("OptionGroupName")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    if region.instances.values().any(|instance| instance.option_group == name) {
        let why = format!("The option group {name} is used by a DB instance.");
        return Err(RdsError::new("InvalidOptionGroupStateFault", why));
    }
    region.option_groups.remove(&name).ok_or_else(|| not_found(&name))?;
    Ok(None)
}
