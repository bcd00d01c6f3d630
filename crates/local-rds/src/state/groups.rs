//! Parameter groups and subnet groups.

use std::collections::BTreeMap;

use super::Tags;
use crate::names::Arn;

/// The subnet group of an instance that names none.
pub(crate) const DEFAULT_SUBNET_GROUP: &str = "default";

/// A parameter group of the user's.
#[derive(Clone, Debug)]
pub(crate) struct ParameterGroup {
    pub(crate) arn: Arn,
    pub(crate) family: String,
    pub(crate) description: String,
    pub(crate) tags: Tags,
    /// Name, value and apply method.
    pub(crate) parameters: BTreeMap<String, (String, String)>,
}

/// An option group of the user's.
#[derive(Clone, Debug)]
pub(crate) struct OptionGroup {
    pub(crate) arn: Arn,
    pub(crate) description: String,
    pub(crate) major: String,
    pub(crate) tags: Tags,
}

/// A subnet group.
#[derive(Clone, Debug)]
pub(crate) struct SubnetGroup {
    pub(crate) arn: Arn,
    pub(crate) description: String,
    pub(crate) vpc: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) tags: Tags,
}
