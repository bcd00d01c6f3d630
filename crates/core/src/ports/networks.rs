//! What a restore needs to know of networks.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::error::Result;
use crate::ids::Region;

/// Amazon EC2, as far as instances of RDS are in its networks.
#[async_trait]
pub trait Networks: Send + Sync {
    /// The VPC of each of these security groups, by the group's id; what is not in the answer is not there.
    async fn security_groups(&self, region: &Region, ids: &[String]) -> Result<BTreeMap<String, String>>;
    /// The id of the default VPC; `None` when the Region has none.
    async fn default_vpc(&self, region: &Region) -> Result<Option<String>>;
}
