//! The proof of a copy where it lies: what it must equal is put beside it, and the workflow there is asked to see.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::operation::{CopyValidation, ReplicaResult, ValidationResult};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{Documents, Execution, Rds, RegionStack};
use holdfast_core::validation::Verdict;
use holdfast_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::{Carry, Input, Output, Ports};

/// The run of the one validation that belongs to the backup; others are started by hand.
const RUN: &str = "copy";

/// With a copy that is there: puts the manifest beside it, so that it can be proven without the home Region, and starts
/// the proof where this copy is one of those that are to be proven.
pub(crate) async fn begin(
    ports: &Ports<'_, impl Rds, impl Documents, impl RegionStack>,
    input: &Input,
    replica: ReplicaResult,
) -> Result<Answer<Output>> {
    if input.verdict != Verdict::Valid {
        return Ok(there(replica));
    }
    if let Err(error) = put_manifest(ports, input).await {
        return without_proof(replica, error);
    }
    if !input.request.validation.proves_copy(&input.operation_id, &replica.region) {
        return Ok(there(replica));
    }
    let name = input.operation_id.as_str();
    match ports.regions.start_validation(&replica.region, name, &workflow_input(input)).await {
        Ok(execution) => Ok(waiting(input, Carry { replica, execution })),
        Err(error) => without_proof(replica, error),
    }
}

/// What the workflow in the target Region is asked.
fn workflow_input(input: &Input) -> Value {
    json!({
        "operationId": input.operation_id,
        "runId": RUN,
        "validation": input.request.validation.as_input(),
        "deadlineMinutes": input.request.deadline_minutes,
    })
}

async fn put_manifest(
    ports: &Ports<'_, impl Rds, impl Documents, impl RegionStack>,
    input: &Input,
) -> Result<()> {
    let key = input.operation_id.manifest_key();
    let manifest: Box<RawValue> = ports.documents.get(&key).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::UnreadableRecord,
            format!("there is no {key}, which the backup has since it is VALID"),
        )
    })?;
    ports.regions.put_document(&input.target.region, &key, &manifest).await
}

/// Looks how far the proof is.
pub(crate) async fn follow(
    ports: &Ports<'_, impl Rds, impl Documents, impl RegionStack>,
    input: &Input,
    carry: &Carry,
) -> Result<Answer<Output>> {
    let Carry { replica, execution } = carry.clone();
    let found = match ports.regions.execution(&replica.region, &execution).await {
        Ok(Some(Execution::Running)) => return Ok(waiting(input, carry.clone())),
        Ok(Some(Execution::Succeeded(output))) => validated(input, output),
        Ok(Some(Execution::Failed { name, cause })) => refused(&name, cause),
        Ok(None) => CopyValidation::inconclusive("the execution is not known any more".to_owned()),
        Err(error) => return without_proof(replica, error),
    };
    let validation = Some(CopyValidation { execution: Some(execution), ..found });
    Ok(there(ReplicaResult { validation, ..replica }))
}

/// What the workflow puts out when the copy is VALID.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validated {
    operation_id: String,
    validation: ValidationResult,
    leftovers: Vec<String>,
}

fn validated(input: &Input, output: Value) -> CopyValidation {
    match serde_json::from_value::<Validated>(output) {
        Ok(found) if found.operation_id == input.operation_id.as_str() => {
            CopyValidation { leftovers: found.leftovers, ..CopyValidation::of(found.validation) }
        }
        Ok(found) => CopyValidation::inconclusive(format!("the execution is about {}", found.operation_id)),
        Err(error) => CopyValidation::inconclusive(format!("the execution's output cannot be read: {error}")),
    }
}

fn refused(name: &str, cause: String) -> CopyValidation {
    match ErrorKind::from_name(name) {
        Some(ErrorKind::ValidationFailed) => CopyValidation::ended(Verdict::Invalid, cause),
        Some(ErrorKind::ValidationInconclusive) => CopyValidation::inconclusive(cause),
        _ => CopyValidation::inconclusive(format!("{name}: {cause}")),
    }
}

/// The copy is there, its proof is not to be had. What clears by itself is left to the state machine's retries.
fn without_proof(replica: ReplicaResult, error: Error) -> Result<Answer<Output>> {
    if error.kind.retryable() {
        return Err(error);
    }
    let reason = format!(
        "{}: {}; infra/region.yaml deploys to {} what this needs",
        error.kind.name(),
        error.message,
        replica.region
    );
    Ok(there(ReplicaResult { validation: Some(CopyValidation::inconclusive(reason)), ..replica }))
}

fn waiting(input: &Input, carry: Carry) -> Answer<Output> {
    Answer::Waiting {
        wait_seconds: wait_seconds(input.poll),
        progress: Progress::new(
            "copy",
            Some(100),
            format!("validating the copy in {}", carry.replica.region),
        ),
        carry: Some(json!(carry)),
    }
}

fn there(replica: ReplicaResult) -> Answer<Output> {
    let message = match &replica.validation {
        None => format!("the copy in {} is available", replica.region),
        Some(found) => format!("the copy in {} is available and {}", replica.region, found.verdict.as_str()),
    };
    Answer::Final { progress: Progress::new("copy", Some(100), message), result: Output { replica } }
}
