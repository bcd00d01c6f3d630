//! What a person's command looks at beside the ports: it changes nothing.

use holdfast_core::Result;
use holdfast_core::health::Quota;
use holdfast_core::ids::Region;
use holdfast_core::rds::Instance;

use super::RdsApi;
use super::convert::instance_from;
use crate::classify::classify;

/// Who may restore a snapshot (Amazon RDS API Reference, `DBSnapshotAttribute`).
const RESTORE: &str = "restore";

impl RdsApi {
    /// Every instance in `region`, whoever made it.
    ///
    /// # Errors
    /// What the call met.
    pub async fn instances(&self, region: &Region) -> Result<Vec<Instance>> {
        let mut pages = self.client(region).describe_db_instances().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(instance) = pages.next().await {
            let instance =
                instance.map_err(|error| classify(&format!("DescribeDBInstances in {region}"), &error))?;
            found.push(instance_from(&instance)?);
        }
        Ok(found)
    }

    /// A quota of `region` by RDS's name for it (`DBInstances`, `ManualSnapshots`, ...); `None` when RDS does not say.
    ///
    /// # Errors
    /// What the call met.
    pub async fn quota(&self, region: &Region, name: &str) -> Result<Option<Quota>> {
        let answer = self
            .client(region)
            .describe_account_attributes()
            .send()
            .await
            .map_err(|error| classify(&format!("DescribeAccountAttributes in {region}"), &error))?;
        let quota = answer.account_quotas().iter().find(|quota| quota.account_quota_name() == Some(name));
        Ok(quota.and_then(|quota| Some(Quota { used: quota.used()?, max: quota.max()? })))
    }

    /// The accounts besides its owner that may restore a manual snapshot; `all` is everybody.
    ///
    /// # Errors
    /// What the call met.
    pub async fn shared_with(&self, region: &Region, snapshot: &str) -> Result<Vec<String>> {
        let answer = self
            .client(region)
            .describe_db_snapshot_attributes()
            .db_snapshot_identifier(snapshot)
            .send()
            .await
            .map_err(|error| {
                classify(&format!("DescribeDBSnapshotAttributes {snapshot} in {region}"), &error)
            })?;
        let attributes = answer.db_snapshot_attributes_result();
        let attributes = attributes.map(|result| result.db_snapshot_attributes()).unwrap_or_default();
        let restore = attributes.iter().filter(|attribute| attribute.attribute_name() == Some(RESTORE));
        Ok(restore.flat_map(|attribute| attribute.attribute_values().to_vec()).collect())
    }
}
