//! Networks and security groups: those of the local cloud. Without a cloud there is one network, and any group is in it.

use std::collections::BTreeMap;

use aws_sdk_ec2::error::ProvideErrorMetadata as _;
use aws_sdk_ec2::types::Filter;
use aws_smithy_types::error::display::DisplayErrorContext;

use crate::cloud::client;
use crate::error::RdsError;

/// The network of everything when there is no cloud.
pub(crate) const ONLY_VPC: &str = "vpc-local";
/// The security group of an instance that names none, when there is no cloud.
const ONLY_GROUP: &str = "sg-default";

/// Where an instance is.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) vpc: String,
    pub(crate) security_groups: Vec<String>,
}

/// Asks the local cloud about networks.
pub(crate) struct Networks {
    endpoint: String,
}

fn unanswered(what: &str, cause: impl std::error::Error) -> RdsError {
    RdsError::internal(format!("the local cloud: {what}: {}", DisplayErrorContext(cause)))
}

impl Networks {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned() }
    }

    async fn default_vpc(&self, region: &str) -> Result<String, RdsError> {
        let ec2 = client!(aws_sdk_ec2, &self.endpoint, region);
        let filter = Filter::builder().name("is-default").values("true").build();
        let asked = ec2.describe_vpcs().filters(filter).send().await;
        let vpcs = asked.map_err(|cause| unanswered("DescribeVpcs", cause))?.vpcs.unwrap_or_default();
        let default = vpcs.into_iter().find_map(|vpc| vpc.vpc_id);
        default.ok_or_else(|| RdsError::new("InvalidSubnet", "No default subnet exists in the default VPC."))
    }

    /// The network of subnets.
    async fn of_subnets(&self, region: &str, subnets: &[String]) -> Result<String, RdsError> {
        let ec2 = client!(aws_sdk_ec2, &self.endpoint, region);
        let asked = ec2.describe_subnets().set_subnet_ids(Some(subnets.to_vec())).send().await;
        let found = asked.map_err(|cause| match cause.code() {
            Some("InvalidSubnetID.NotFound") => {
                let why = format!("Some input subnets in :[{}] are invalid.", subnets.join(", "));
                RdsError::new("InvalidSubnet", why)
            }
            _ => unanswered("DescribeSubnets", cause),
        })?;
        let vpc = found.subnets.unwrap_or_default().into_iter().find_map(|subnet| subnet.vpc_id);
        vpc.ok_or_else(|| RdsError::new("InvalidSubnet", "The subnets have no VPC."))
    }

    /// Every security group: its network and its name, by id.
    async fn groups(&self, region: &str) -> Result<BTreeMap<String, (String, String)>, RdsError> {
        let ec2 = client!(aws_sdk_ec2, &self.endpoint, region);
        let asked = ec2.describe_security_groups().send().await;
        let all = asked.map_err(|cause| unanswered("DescribeSecurityGroups", cause))?;
        let all = all.security_groups.unwrap_or_default().into_iter();
        Ok(all.filter_map(|one| Some((one.group_id?, (one.vpc_id?, one.group_name?)))).collect())
    }
}

/// The network of subnets, or the default one when there are none.
pub(crate) async fn vpc(
    networks: Option<&Networks>,
    region: &str,
    subnets: &[String],
) -> Result<String, RdsError> {
    match networks {
        None => Ok(ONLY_VPC.to_owned()),
        Some(networks) if subnets.is_empty() => networks.default_vpc(region).await,
        Some(networks) => networks.of_subnets(region, subnets).await,
    }
}

/// The security groups of an instance in `vpc`: those that are asked for, or the network's own.
pub(crate) async fn place(
    networks: Option<&Networks>,
    region: &str,
    vpc: String,
    asked: Vec<String>,
) -> Result<Placed, RdsError> {
    let Some(networks) = networks else {
        let security_groups = if asked.is_empty() { vec![ONLY_GROUP.to_owned()] } else { asked };
        return Ok(Placed { vpc, security_groups });
    };
    let all = networks.groups(region).await?;
    if asked.is_empty() {
        let own = all.iter().find(|(_, (of, name))| *of == vpc && name == "default");
        let (id, _) =
            own.ok_or_else(|| RdsError::internal(format!("{vpc} has no default security group")))?;
        return Ok(Placed { vpc, security_groups: vec![id.clone()] });
    }
    for group in &asked {
        match all.get(group) {
            None => {
                let why = format!("Invalid security group , groupId= {group}, groupName=.");
                return Err(RdsError::invalid_value(why));
            }
            Some((of, _)) if *of != vpc => {
                return Err(RdsError::new(
                    "InvalidVPCNetworkStateFault",
                    format!(
                        "The DB instance and EC2 security group are in different VPCs. The DB instance is in {vpc} and \
                         the EC2 security group is in {of}"
                    ),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(Placed { vpc, security_groups: asked })
}
