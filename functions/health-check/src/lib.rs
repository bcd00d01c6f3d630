//! `health-check`: whether a backup can be taken and copied, before anything is created.
//!
//! The source must be ready (a busy one is waited for), there must be room for one more manual snapshot, and
//! every target Region's key must be enabled and usable by this role. A Region that fails does not stop the
//! others: it is reported as not usable and its copy is not started.
//!
//! What the source is made with is kept as well: whoever brings it back needs to know.

use std::collections::BTreeMap;

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::blueprint::KeptBlueprint;
use holdfast_core::health::{Health, NamedCause, RegionHealth, source_ready};
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{Documents, Keys, Rds, Restores};
use holdfast_core::request::{BackupRequest, TargetRegion};
use holdfast_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The operation.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: BackupRequest,
    /// Which poll this is, from 1.
    pub poll: u32,
}

/// The findings, once the source is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// What the record keeps.
    pub health: Health,
}

/// Looks at source, quota and keys.
///
/// # Errors
/// `SourceNotFound`, `SourceUnusable`, `SnapshotQuotaExceeded` for the source's own Region, or what a call met.
pub async fn handle(
    rds: &(impl Rds + Restores),
    keys: &impl Keys,
    documents: &impl Documents,
    region: &Region,
    input: Input,
) -> Result<Answer<Output>> {
    let database = input.request.database_id.as_str();
    let source = rds.instance(region, database).await?.ok_or_else(|| {
        Error::new(ErrorKind::SourceNotFound, format!("there is no DB instance {database} in {region}"))
    })?;
    if input.request.validation.enabled && source.engine != "postgres" {
        return Err(Error::invalid(format!(
            "validation.enabled: {database} is {}; only postgres can be validated, set it to false",
            source.engine
        )));
    }
    let exists = rds.snapshot(region, &input.operation_id.snapshot_id()).await?.is_some();
    // A snapshot that an earlier attempt began makes its source busy and takes its place in the quota already.
    if !exists && !source_ready(&source)? {
        let message = format!("{database} is {}; waiting for it to become available", source.status);
        return Ok(Answer::waiting(wait_seconds(input.poll), Progress::new("health", None, message)));
    }
    let snapshot_quota = rds.snapshot_quota(region).await?;
    if let Some(quota) = snapshot_quota.filter(|_| !exists) {
        quota.require_room(region)?;
    }
    keep_blueprint(rds, documents, region, &input).await?;
    let mut regions = BTreeMap::new();
    for target in &input.request.target_regions {
        regions.insert(target.region.clone(), region_health(rds, keys, target).await);
    }
    let unusable = regions.values().filter(|health| !health.usable).count();
    let message = match unusable {
        0 => format!("{database} is {}; target Regions ready: {}", source.status, regions.len()),
        n => {
            format!("{database} is {}; target Regions not usable: {n} of {}", source.status, regions.len())
        }
    };
    Ok(Answer::Final {
        progress: Progress::new("health", Some(100), message),
        result: Output {
            health: Health {
                source_status: source.status,
                engine: source.engine,
                engine_version: source.engine_version,
                encrypted: source.encrypted,
                snapshot_quota,
                regions,
            },
        },
    })
}

/// Keeps what the source is made with: a snapshot has the data, and not the class, the groups or the network.
async fn keep_blueprint(
    rds: &impl Restores,
    documents: &impl Documents,
    region: &Region,
    input: &Input,
) -> Result<()> {
    let database = input.request.database_id.as_str();
    // Gone since it was looked at: the snapshot will say so.
    let Some(blueprint) = rds.blueprint(region, database).await? else { return Ok(()) };
    let login = input.request.baseline.as_ref().map(|baseline| baseline.login.clone());
    documents.create(&input.operation_id.blueprint_key(), &KeptBlueprint { blueprint, login }).await?;
    Ok(())
}

/// One target Region. A Region that cannot be used, or looked at, is a finding and never ends the backup.
async fn region_health(rds: &impl Rds, keys: &impl Keys, target: &TargetRegion) -> RegionHealth {
    match require_region(rds, keys, target).await {
        Ok(kms_key_arn) => RegionHealth { usable: true, kms_key_arn: Some(kms_key_arn), error: None },
        // Not known is not a reason to lose the Region, nor the backup: the copy tries, with retries of its own.
        Err(error) => RegionHealth {
            usable: error.kind.retryable(),
            kms_key_arn: None,
            error: Some(NamedCause::from(&error)),
        },
    }
}

async fn require_region(rds: &impl Rds, keys: &impl Keys, target: &TargetRegion) -> Result<String> {
    let region = &target.region;
    let key = keys.key(region, &target.kms_key_id).await?.ok_or_else(|| {
        Error::new(ErrorKind::KeyUnusable, format!("there is no key {} in {region}", target.kms_key_id))
    })?;
    key.require_usable(region)?;
    keys.require_permission(region, &key).await?;
    if let Some(quota) = rds.snapshot_quota(region).await? {
        quota.require_room(region)?;
    }
    Ok(key.arn)
}
