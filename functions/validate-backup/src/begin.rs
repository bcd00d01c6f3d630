//! A validation by itself: which backup, which snapshot of it in this Region, and what it must equal.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::DatabaseId;
use holdfast_core::operation::SnapshotResult;
use holdfast_core::ports::{Documents, Keys, Rds};
use holdfast_core::rds::require_own;
use holdfast_core::request::ValidationRequest;
use holdfast_core::tags;
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_proving::Prover;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{Begun, Output, Ports, family_to_validate};

/// Finds everything before anything is made: an instance costs money and half an hour.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds, impl Keys, impl Documents, impl Prover>,
    input: &Value,
    started_at: &str,
) -> Result<Answer<Output>> {
    let asked = ValidationRequest::parse(input, started_at)?;
    let region = &ports.settings.region;
    let id = asked.backup.snapshot_id();
    let snapshot = ports.rds.snapshot(region, &id).await?.ok_or_else(|| {
        Error::new(ErrorKind::SnapshotGone, format!("there is no snapshot {id} in {region}"))
    })?;
    require_own(&format!("snapshot {id}"), &snapshot.tags, &asked.backup)?;
    family_to_validate(&snapshot.engine, &snapshot.engine_version)?;
    let key = asked.backup.manifest_key();
    if ports.documents.get::<IgnoredAny>(&key).await?.is_none() {
        return Err(Error::new(
            ErrorKind::ValidationInconclusive,
            format!("there is no {key} in the metadata bucket of {region}: nothing that {id} must equal"),
        ));
    }
    // The tag is set with the snapshot and every copy; the snapshot itself knows the instance as well.
    let database = snapshot.tags.get(tags::DATABASE).unwrap_or(&snapshot.instance_id);
    let validation_id = asked.backup.validated_again(region, &asked.run_id);
    let begun = Begun {
        document_key: validation_id.validation_key(),
        request: asked.of_database(DatabaseId::parse(database)?),
        operation_id: asked.backup,
        validation_id,
        snapshot: SnapshotResult::from(&snapshot),
    };
    Ok(Answer::Final {
        progress: Progress::new(
            "validation",
            Some(0),
            format!("{} in {region} is to be restored", begun.snapshot.id),
        ),
        result: Output::Begun(Box::new(begun)),
    })
}
