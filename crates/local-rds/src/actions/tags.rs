//! AddTagsToResource, RemoveTagsFromResource, ListTagsForResource.

use super::{Answer, Call};
use crate::error::RdsError;
use crate::lock;
use crate::names::{Arn, Kind};
use crate::state::Tags;
use crate::wire::Xml;

fn with_tags<T>(call: &Call, act: impl FnOnce(&mut Tags) -> T) -> Result<T, RdsError> {
    let name = call.params.required("ResourceName")?;
    let arn = Arn::parse(name).filter(|arn| arn.region == call.region).ok_or_else(|| {
        RdsError::invalid_value(format!(
            "The specified resource name does not match an RDS resource in this region: {name}"
        ))
    })?;
    let mut world = lock(&call.app.world);
    let tags = world.tags(&arn).ok_or_else(|| match arn.kind {
        Kind::Instance => RdsError::instance_not_found(&arn.id),
        Kind::Snapshot => RdsError::snapshot_not_found(&arn.id),
        Kind::AutomatedBackup => RdsError::backup_not_found(&arn.id),
        Kind::ParameterGroup | Kind::SubnetGroup | Kind::OptionGroup => RdsError::group_not_found(&arn.id),
    })?;
    Ok(act(tags))
}

pub(super) fn add(call: &Call) -> Answer {
    let given = call.params.tags()?.ok_or_else(|| RdsError::missing("Tags"))?;
    with_tags(call, |tags| tags.extend(given))?;
    Ok(None)
}

pub(super) fn remove(call: &Call) -> Answer {
    let keys = call.params.list("TagKeys");
    with_tags(call, |tags| tags.retain(|key, _| !keys.contains(key)))?;
    Ok(None)
}

pub(super) fn list(call: &Call) -> Answer {
    let tags = with_tags(call, |tags| tags.clone())?;
    let mut xml = Xml::new();
    xml.tags(&tags);
    Ok(Some(xml))
}
