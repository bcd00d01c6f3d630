//! DescribeAccountAttributes: quotas and how much of them is used.

use super::{Answer, Call};
use crate::lock;
use crate::wire::Xml;

pub(super) fn attributes(call: &Call) -> Answer {
    let tuning = call.app.tuning();
    let mut world = lock(&call.app.world);
    let region = world.region(&call.region);
    let storage: i64 = region.instances.values().map(|instance| instance.allocated_storage).sum();
    let quotas = [
        ("DBInstances", region.instances.len(), tuning.max_instances),
        ("ManualSnapshots", region.snapshots.len(), tuning.manual_snapshots_in(&call.region)),
        ("DBParameterGroups", region.parameter_groups.len(), 50),
        ("DBSubnetGroups", region.subnet_groups.len(), 50),
        ("AllocatedStorage", usize::try_from(storage).unwrap_or(0), 100_000),
    ];
    let mut xml = Xml::new();
    xml.list("AccountQuotas", "AccountQuota", quotas, |xml, (name, used, max)| {
        xml.text("AccountQuotaName", name).text("Used", used).text("Max", max);
    });
    Ok(Some(xml))
}
