//! DescribeDBSnapshotAttributes, ModifyDBSnapshotAttribute: who may restore a snapshot beside its own account.

use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::lock;
use crate::state::{Snapshot, SnapshotStatus};
use crate::wire::Xml;

/// The one attribute that a snapshot of these engines has.
const RESTORE: &str = "restore";
/// Everybody.
const ALL: &str = "all";

fn render(xml: &mut Xml, id: &str, snapshot: &Snapshot) {
    xml.text("DBSnapshotIdentifier", id);
    xml.list("DBSnapshotAttributes", "DBSnapshotAttribute", [RESTORE], |xml, name| {
        xml.text("AttributeName", name);
        xml.list("AttributeValues", "AttributeValue", &snapshot.shared_with, |xml, value| {
            xml.inner(value);
        });
    });
}

pub(super) fn describe(call: &Call) -> Answer {
    let id = call.params.required("DBSnapshotIdentifier")?.to_ascii_lowercase();
    let mut world = lock(&call.app.world);
    let found = world.region(&call.region).snapshot(&id)?;
    one("DBSnapshotAttributesResult", |xml| render(xml, &id, found))
}

pub(super) fn modify(call: &Call) -> Answer {
    let params = &call.params;
    let id = params.required("DBSnapshotIdentifier")?.to_ascii_lowercase();
    let attribute = params.required("AttributeName")?;
    if attribute != RESTORE {
        return Err(RdsError::invalid_value(format!("Invalid attribute name: {attribute}")));
    }
    let (add, remove) = (params.list("ValuesToAdd"), params.list("ValuesToRemove"));
    let is_account = |value: &&String| value.len() == 12 && value.chars().all(|c| c.is_ascii_digit());
    if let Some(wrong) = add.iter().find(|value| *value != ALL && !is_account(value)) {
        return Err(RdsError::invalid_value(format!("Invalid account number: {wrong}")));
    }
    let mut world = lock(&call.app.world);
    let found = world.region(&call.region).snapshot(&id)?;
    if found.status != SnapshotStatus::Available {
        let why =
            format!("Cannot share the snapshot because it is not currently in the available state: {id}");
        return Err(RdsError::snapshot_state(why));
    }
    if found.encrypted && add.iter().any(|value| value == ALL) {
        return Err(RdsError::invalid_combination("Encrypted snapshots cannot be shared publicly"));
    }
    found.shared_with.extend(add);
    found.shared_with.retain(|value| !remove.contains(value));
    one("DBSnapshotAttributesResult", |xml| render(xml, &id, found))
}
