//! Keys: known to the local cloud, enabled, of the right Region.

use std::collections::HashMap;

use aws_sdk_kms::error::ProvideErrorMetadata as _;
use aws_sdk_kms::types::KeyState;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::cloud::client;
use crate::error::RdsError;

/// The alias of the key that RDS itself manages.
const MANAGED: &str = "alias/aws/rds";

/// Asks the local cloud about keys.
pub(crate) struct Keys {
    endpoint: String,
    /// The ARN of the key that RDS manages, by Region: the local cloud has none of its own, so each is made there when it is
    /// first used, as AWS does.
    managed: Mutex<HashMap<String, String>>,
}

impl Keys {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), managed: Mutex::default() }
    }

    /// The ARN of the key that RDS manages in a Region, which needs nobody's permission.
    async fn managed(&self, region: &str) -> Result<String, RdsError> {
        let mut managed = self.managed.lock().await;
        if let Some(arn) = managed.get(region) {
            return Ok(arn.clone());
        }
        let arn = match self.usable(region, MANAGED).await {
            Ok(arn) => arn,
            Err(_) => self.make_managed(region).await?,
        };
        managed.insert(region.to_owned(), arn.clone());
        Ok(arn)
    }

    async fn is_managed(&self, region: &str, arn: &str) -> bool {
        let known = self.managed.lock().await.get(region).cloned();
        match known {
            Some(known) => known == arn,
            // Made before this process began.
            None => self.usable(region, MANAGED).await.is_ok_and(|managed| managed == arn),
        }
    }

    async fn make_managed(&self, region: &str) -> Result<String, RdsError> {
        let refused = || RdsError::key_not_accessible(MANAGED);
        let kms = client!(aws_sdk_kms, &self.endpoint, region);
        let about = "Default key that protects my RDS database volumes when no other key is defined";
        let made = kms.create_key().description(about).send().await.map_err(|_| refused())?;
        let key = made.key_metadata.ok_or_else(refused)?;
        let alias = kms.create_alias().alias_name(MANAGED).target_key_id(key.key_id());
        alias.send().await.map_err(|_| refused())?;
        key.arn.ok_or_else(refused)
    }

    /// The ARN of a usable key.
    async fn usable(&self, region: &str, key: &str) -> Result<String, RdsError> {
        let kms = client!(aws_sdk_kms, &self.endpoint, region);
        let described = kms.describe_key().key_id(key).send().await.map_err(|cause| match cause.code() {
            Some("NotFoundException") => {
                RdsError::invalid_value(format!("The KMS key [{key}] does not exist in {region}."))
            }
            _ => RdsError::key_not_accessible(key),
        })?;
        let metadata = described.key_metadata.ok_or_else(|| RdsError::key_not_accessible(key))?;
        let usable = match &metadata.key_state {
            Some(state) => *state == KeyState::Enabled,
            None => metadata.enabled,
        };
        match (usable, metadata.arn) {
            (true, Some(arn)) => Ok(arn),
            _ => Err(RdsError::key_not_accessible(key)),
        }
    }
}

/// Resolves what a caller gave (id, ARN, alias or nothing) to a key's ARN, and holds it against the
/// local cloud when there is one.
pub(crate) async fn resolve(
    keys: Option<&Keys>,
    region: &str,
    account: &str,
    given: Option<&str>,
) -> Result<String, RdsError> {
    let given = given.unwrap_or(MANAGED);
    if let Some(rest) = given.strip_prefix("arn:aws:kms:")
        && rest.split(':').next() != Some(region)
    {
        return Err(RdsError::key_not_accessible(given));
    }
    let Some(keys) = keys else { return Ok(made_up(region, account, given)) };
    if given == MANAGED || given.ends_with(&format!(":{MANAGED}")) {
        return keys.managed(region).await;
    }
    keys.usable(region, given).await
}

/// The ARN that a spelling stands for where there is no local cloud to ask.
fn made_up(region: &str, account: &str, given: &str) -> String {
    let name = given.rsplit(':').next().unwrap_or(given);
    let id = match name.strip_prefix("key/") {
        Some(id) => id.to_owned(),
        None if name.starts_with("alias/") => id_of_alias(region, name),
        None => name.to_owned(),
    };
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

/// Whether this is the ARN of the key that RDS manages in its Region.
pub(crate) async fn is_managed(keys: Option<&Keys>, arn: &str) -> bool {
    let region = arn.split(':').nth(3).unwrap_or_default();
    match keys {
        Some(keys) => keys.is_managed(region, arn).await,
        None => arn.ends_with(&format!(":key/{}", id_of_alias(region, MANAGED))),
    }
}

fn id_of_alias(region: &str, alias: &str) -> String {
    let hex = hex::encode(Sha256::digest(format!("{region}:{alias}")));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_spelling_becomes_an_arn_of_the_region() {
        let resolve = |given| resolve(None, "eu-west-1", "000000000000", given);
        let id = resolve(Some("1234")).await.unwrap();
        assert_eq!(id, "arn:aws:kms:eu-west-1:000000000000:key/1234");
        assert_eq!(resolve(Some(&id)).await.unwrap(), id);
        let managed = resolve(None).await.unwrap();
        assert!(is_managed(None, &managed).await && !is_managed(None, &id).await);
        let foreign = resolve(Some("arn:aws:kms:us-east-1:000000000000:key/1234")).await;
        assert_eq!(foreign.unwrap_err().code, "KMSKeyNotAccessibleFault");
    }
}
