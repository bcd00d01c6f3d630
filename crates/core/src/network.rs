//! The network that an instance is restored into: its security groups have to be there, and in the same VPC.

use crate::blueprint::Wanted;
use crate::error::Result;
use crate::ids::Region;
use crate::operation::Reference;
use crate::ports::{Networks, Restores};

/// What a security group is called among the references of a restore.
pub const SECURITY_GROUP: &str = "security group";

/// The VPC that an instance would be made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vpc {
    /// This one, by its id.
    Known(String),
    /// That of a subnet group that is not there.
    OfMissingGroup(String),
    /// No subnet group is named, and the Region has no default VPC.
    NoDefault,
}

/// Why an instance in `vpc` cannot have a security group that is in the VPC `found`, or is not there; `None` when it can.
///
/// A group belongs to one VPC, and an instance takes only those of its own (Amazon RDS User Guide, "Controlling access with
/// security groups"; RDS API Reference, `InvalidVPCNetworkStateFault`).
pub fn problem(found: Option<&str>, vpc: &Vpc) -> Option<String> {
    let other = "name others with --security-group (options.securityGroups)";
    match (found, vpc) {
        (None, _) => Some(format!("is not there: make it, or {other}")),
        (Some(found), Vpc::Known(wanted)) if found == wanted => None,
        (Some(found), Vpc::Known(wanted)) => {
            Some(format!("is in {found} and the instance would be in {wanted}: {other}"))
        }
        // Said as well, so that one look at the message is enough to put everything right.
        (Some(found), Vpc::OfMissingGroup(group)) => Some(format!(
            "is in {found}, and nobody knows whether the instance would be: subnet group {group} is not there"
        )),
        (Some(found), Vpc::NoDefault) => Some(format!(
            "is in {found}, and there is no default VPC that the instance could be in: name a subnet group of {found} with \
             --subnet-group (options.subnetGroup)"
        )),
    }
}

/// Looks up the VPC of a restore and each of its security groups.
///
/// # Errors
/// What a call met: a group that was not looked up is not one that is there.
pub async fn proven(
    rds: &impl Restores,
    networks: &impl Networks,
    region: &Region,
    wanted: &Wanted,
) -> Result<Vec<Reference>> {
    let groups = &wanted.settings.security_groups;
    if groups.is_empty() {
        return Ok(vec![]);
    }
    let vpc = match &wanted.settings.subnet_group {
        Some(name) => match rds.subnet_group_vpc(region, name).await? {
            Some(vpc) => Vpc::Known(vpc),
            None => Vpc::OfMissingGroup(name.clone()),
        },
        // RDS then takes the default VPC (RDS API Reference, CreateDBInstance, `DBSubnetGroupName`).
        None => networks.default_vpc(region).await?.map_or(Vpc::NoDefault, Vpc::Known),
    };
    let found = networks.security_groups(region, groups).await?;
    let problem = |group: &String| problem(found.get(group).map(String::as_str), &vpc);
    let reference = |group: &String| Reference::new(SECURITY_GROUP, group, problem(group));
    Ok(groups.iter().map(reference).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_to_be_there_and_in_the_network_of_the_instance() {
        let known = Vpc::Known("vpc-1".into());
        assert_eq!(problem(Some("vpc-1"), &known), None);
        let said = |found, vpc: &Vpc| problem(found, vpc).unwrap();
        assert_eq!(
            said(Some("vpc-2"), &known),
            "is in vpc-2 and the instance would be in vpc-1: name others with --security-group (options.securityGroups)"
        );
        let missing = Vpc::OfMissingGroup("dr".into());
        for vpc in [&known, &missing, &Vpc::NoDefault] {
            assert!(said(None, vpc).starts_with("is not there: make it, or name others"), "{vpc:?}");
        }
        assert!(said(Some("vpc-1"), &missing).ends_with("subnet group dr is not there"));
        assert!(said(Some("vpc-1"), &Vpc::NoDefault).contains("with --subnet-group (options.subnetGroup)"));
    }
}
