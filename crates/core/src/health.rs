//! Whether a backup can be taken and copied: judged from facts, before anything is created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Region;
use crate::rds::Instance;

/// What the source's status means for a backup that is about to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceReadiness {
    /// A snapshot can be taken now (`CreateDBSnapshot` accepts these states).
    Ready,
    /// Busy; it becomes ready by itself.
    Busy,
    /// It does not become ready without a person.
    Unusable,
}

/// Reads `DBInstanceStatus` (Amazon RDS User Guide, "Viewing Amazon RDS DB instance status").
/// A word not known here counts as busy: the wait is bounded by the deadline. Where RDS refuses a snapshot after all, the step that
/// takes it waits.
pub fn source_readiness(status: &str) -> SourceReadiness {
    match status {
        "available" | "storage-optimization" | "storage-initialization" => SourceReadiness::Ready,
        "deleting"
        | "delete-precheck"
        | "failed"
        | "inaccessible-encryption-credentials"
        | "inaccessible-encryption-credentials-recoverable"
        | "incompatible-network"
        | "incompatible-option-group"
        | "incompatible-parameters"
        | "incompatible-restore"
        | "incompatible-create"
        | "insufficient-capacity"
        | "restore-error"
        | "stopped"
        | "stopping"
        | "storage-full" => SourceReadiness::Unusable,
        _ => SourceReadiness::Busy,
    }
}

/// Judges the source: `Ok(true)` when a snapshot can be taken now, `Ok(false)` when it is busy.
///
/// # Errors
/// `SourceUnusable` when waiting does not help.
pub fn source_ready(instance: &Instance) -> Result<bool> {
    match source_readiness(&instance.status) {
        SourceReadiness::Ready => Ok(true),
        SourceReadiness::Busy => Ok(false),
        SourceReadiness::Unusable => Err(Error::new(
            ErrorKind::SourceUnusable,
            format!("{} is {}; a snapshot needs it available", instance.id, instance.status),
        )),
    }
}

/// Manual snapshots of one Region against its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// In use.
    pub used: i64,
    /// Allowed.
    pub max: i64,
}

impl Quota {
    /// Makes sure one more fits.
    ///
    /// # Errors
    /// `SnapshotQuotaExceeded` when it does not.
    pub fn require_room(self, region: &Region) -> Result<()> {
        if self.used < self.max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::SnapshotQuotaExceeded,
            format!(
                "there are {} manual snapshots of {} allowed in {region}; prune, or raise the quota in Service Quotas",
                self.used, self.max
            ),
        ))
    }
}

/// A KMS key as described once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// ARN.
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, ... (AWS KMS API Reference, `KeyMetadata`).
    pub state: String,
    /// `ENCRYPT_DECRYPT` for a key RDS can use.
    pub usage: String,
    /// `SYMMETRIC_DEFAULT` for a key RDS can use.
    pub spec: String,
}

impl Key {
    /// Makes sure RDS can encrypt with it.
    ///
    /// # Errors
    /// `KeyUnusable` saying why not.
    pub fn require_usable(&self, region: &Region) -> Result<()> {
        if self.state != "Enabled" {
            return Err(Error::new(
                ErrorKind::KeyUnusable,
                format!("key {} in {region} is {}; it must be Enabled", self.arn, self.state),
            ));
        }
        if self.usage != "ENCRYPT_DECRYPT" || self.spec != "SYMMETRIC_DEFAULT" {
            return Err(Error::new(
                ErrorKind::KeyUnusable,
                format!(
                    "key {} in {region} is for {} with {}; RDS needs a symmetric encryption key",
                    self.arn, self.usage, self.spec
                ),
            ));
        }
        Ok(())
    }
}

/// A named failure as it travels in payloads and records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCause {
    /// `Holdfast.KeyUnusable`.
    pub name: String,
    /// One sentence.
    pub cause: String,
}

impl From<&Error> for NamedCause {
    fn from(error: &Error) -> Self {
        NamedCause { name: error.kind.name(), cause: error.message.clone() }
    }
}

/// What the health check found of one target Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionHealth {
    /// Whether a copy may be started there.
    pub usable: bool,
    /// The key's ARN when it was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kms_key_arn: Option<String>,
    /// Why it is not usable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<NamedCause>,
}

/// What the health check found before anything was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The source's status when it was ready.
    pub source_status: String,
    /// The source's engine.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Whether its storage is encrypted.
    pub encrypted: bool,
    /// Manual snapshots in the source's Region.
    pub snapshot_quota: Option<Quota>,
    /// By target Region.
    pub regions: BTreeMap<Region, RegionHealth>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_source_is_not_waited_for_and_a_busy_one_is() {
        assert_eq!(source_readiness("available"), SourceReadiness::Ready);
        assert_eq!(source_readiness("storage-optimization"), SourceReadiness::Ready);
        assert_eq!(source_readiness("storage-initialization"), SourceReadiness::Ready);
        assert_eq!(source_readiness("backing-up"), SourceReadiness::Busy);
        assert_eq!(source_readiness("a-word-of-next-year"), SourceReadiness::Busy);
        assert_eq!(source_readiness("stopped"), SourceReadiness::Unusable);
        let keyless = "inaccessible-encryption-credentials-recoverable";
        assert_eq!(source_readiness(keyless), SourceReadiness::Unusable);
    }

    #[test]
    fn a_full_quota_is_refused() {
        let region = Region::parse("us-east-1").unwrap();
        assert!(Quota { used: 99, max: 100 }.require_room(&region).is_ok());
        let error = Quota { used: 100, max: 100 }.require_room(&region).unwrap_err();
        assert_eq!(error.kind, ErrorKind::SnapshotQuotaExceeded);
    }

    #[test]
    fn only_an_enabled_symmetric_encryption_key_is_usable() {
        let region = Region::parse("us-west-2").unwrap();
        let key = |state: &str, usage: &str, spec: &str| Key {
            arn: "arn:aws:kms:us-west-2:1:key/k".into(),
            state: state.into(),
            usage: usage.into(),
            spec: spec.into(),
        };
        assert!(key("Enabled", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT").require_usable(&region).is_ok());
        for bad in [
            key("Disabled", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"),
            key("PendingDeletion", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"),
            key("Enabled", "SIGN_VERIFY", "RSA_2048"),
            key("Enabled", "GENERATE_VERIFY_MAC", "HMAC_256"),
        ] {
            assert_eq!(bad.require_usable(&region).unwrap_err().kind, ErrorKind::KeyUnusable);
        }
    }
}
