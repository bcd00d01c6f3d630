//! What an instance had beside itself, for a person to attach again.

use serde::{Deserialize, Serialize};

/// What is attached to an instance and does not come back with it: somebody has to attach it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attached {
    /// `AssociatedRoles`: with which it reached other services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<FeatureRole>,
    /// `MasterUserSecret`: the secret in which RDS kept the master password, and which is gone with the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_user_secret: Option<String>,
    /// `DomainMemberships`: the Active Directory domains that it had joined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// `ProcessorFeatures`, `name=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processor_features: Vec<String>,
    /// Identifiers of its read replicas, and of the clusters that were some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_replicas: Vec<String>,
    /// ARNs of the replications of its automated backups to other Regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backup_replications: Vec<String>,
}

/// A role of an instance, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureRole {
    /// `s3Import`, `Lambda`, ...
    pub feature: String,
    /// The role.
    pub role_arn: String,
}

impl Attached {
    /// A sentence for each, with what to do once `id` is there.
    pub fn by_hand(&self, id: &str) -> Vec<String> {
        let on = format!("--db-instance-identifier {id}");
        let mut all = Vec::new();
        for FeatureRole { feature, role_arn } in &self.roles {
            all.push(format!(
                "the role {role_arn} ({feature}): aws rds add-role-to-db-instance {on} --role-arn {role_arn} --feature-name {feature}"
            ));
        }
        if let Some(secret) = &self.master_user_secret {
            all.push(format!(
                "the master password, which RDS kept in {secret}: what comes back has that of the recovery point, and nobody manages it; \
                 aws rds modify-db-instance {on} --manage-master-user-password"
            ));
        }
        for domain in &self.domains {
            all.push(format!("the domain {domain}: aws rds modify-db-instance {on} --domain {domain} --domain-iam-role-name ROLE"));
        }
        if !self.processor_features.is_empty() {
            let features = self.processor_features.join(", ");
            all.push(format!(
                "the processor features {features}: aws rds modify-db-instance {on} --processor-features ..."
            ));
        }
        if !self.read_replicas.is_empty() {
            let replicas = self.read_replicas.join(", ");
            all.push(format!("the read replicas {replicas}: they go on following the old instance, or nobody; make new ones of {id}"));
        }
        for arn in &self.backup_replications {
            all.push(format!(
                "the replication of its automated backups ({arn}): aws rds start-db-instance-automated-backups-replication in the Region \
                 that they are to be in"
            ));
        }
        all
    }
}
