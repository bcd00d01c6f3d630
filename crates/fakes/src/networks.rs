//! EC2 in memory: security groups and the networks they are in.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::Networks;

use crate::locked;
use crate::trouble::{Call, Troubles};

/// The default network of every Region, and that of every subnet group.
pub const VPC: &str = "vpc-default";
/// The security group that is there in every Region, in [`VPC`].
pub const GROUP: &str = "sg-default";

/// Security groups of every Region.
#[derive(Debug, Default)]
pub struct FakeNetworks {
    /// What goes wrong.
    pub troubles: Troubles,
    /// By Region and id, where they are not as [`GROUP`]: the VPC, or `None` when it is gone.
    groups: Mutex<BTreeMap<(Region, String), Option<String>>>,
    without_default: Mutex<bool>,
}

impl FakeNetworks {
    /// Lays a security group into a network.
    pub fn lay(&self, region: &Region, id: &str, vpc: &str) {
        locked(&self.groups).insert((region.clone(), id.to_owned()), Some(vpc.to_owned()));
    }

    /// Takes a security group away.
    pub fn lose(&self, region: &Region, id: &str) {
        locked(&self.groups).insert((region.clone(), id.to_owned()), None);
    }

    /// Takes the default networks away.
    pub fn lose_default(&self) {
        *locked(&self.without_default) = true;
    }
}

#[async_trait]
impl Networks for FakeNetworks {
    async fn security_groups(&self, region: &Region, ids: &[String]) -> Result<BTreeMap<String, String>> {
        let struck = self.troubles.strike(Call::SecurityGroups, region.as_str())?;
        let groups = locked(&self.groups);
        let vpc = |id: &String| match groups.get(&(region.clone(), id.clone())) {
            Some(laid) => laid.clone(),
            None => (id == GROUP).then(|| VPC.to_owned()),
        };
        struck.answer(ids.iter().filter_map(|id| Some((id.clone(), vpc(id)?))).collect())
    }

    async fn default_vpc(&self, region: &Region) -> Result<Option<String>> {
        let struck = self.troubles.strike(Call::DefaultVpc, region.as_str())?;
        struck.answer((!*locked(&self.without_default)).then(|| VPC.to_owned()))
    }
}
