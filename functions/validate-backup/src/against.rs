//! What the restored data is held against: the last valid backup, another restore of the same data, the source.

use holdfast_core::baseline::{Beat, Captured, held_against};
use holdfast_core::ports::Documents;
use holdfast_core::validation::{Baseline, Check, CheckResult, Manifest, NotChecked};
use holdfast_core::{Error, ErrorKind, Result};

use crate::restore::Job;

/// What there is to be held against.
#[derive(Debug, Default)]
pub(crate) struct Against {
    pub reference: Option<Manifest>,
    pub same_as: Option<Manifest>,
    pub baseline: Option<Baseline>,
    /// The baseline that was asked for, required, and is not there or not whole: a check that could not finish.
    pub unheld: Option<Check>,
    /// A row that the backup wrote into its source before the snapshot.
    pub heartbeat: Option<Beat>,
    /// What would have been, and why it is not.
    pub not_checked: Vec<NotChecked>,
}

/// Reads them. The inner error is a reason why nothing can be proven: equality with something was asked for, and that
/// is not there.
pub(crate) async fn read(
    documents: &impl Documents,
    job: &Job,
) -> Result<std::result::Result<Against, String>> {
    let mut against = Against::default();
    match reference(documents, job).await? {
        Ok(reference) => against.reference = reference,
        Err(reason) => against.not_checked.push(NotChecked {
            check: "schema".into(),
            scope: "instance".into(),
            object: None,
            reason,
        }),
    }
    match same_as(documents, job).await? {
        Ok(same_as) => against.same_as = same_as,
        Err(reason) => return Ok(Err(reason)),
    }
    against_baseline(&mut against, documents, job).await?;
    Ok(Ok(against))
}

/// The manifest of the last backup that was found VALID.
async fn reference(
    documents: &impl Documents,
    job: &Job,
) -> Result<std::result::Result<Option<Manifest>, String>> {
    let Some(operation) = job.reference.as_ref().filter(|reference| **reference != job.operation) else {
        return Ok(Ok(None));
    };
    let key = operation.manifest_key();
    Ok(unless_unreadable(documents.get(&key).await)?.map_err(|error| {
        // A manifest of another version of Holdfast: nothing to be held against, and no reason to fail.
        tracing::warn!(key, %error, "the reference manifest cannot be read");
        format!("not held against the last valid backup: {key} is of another version of Holdfast")
    }))
}

/// The manifest that the data must equal.
async fn same_as(
    documents: &impl Documents,
    job: &Job,
) -> Result<std::result::Result<Option<Manifest>, String>> {
    let Some(operation) = &job.same_as else { return Ok(Ok(None)) };
    let key = operation.manifest_key();
    Ok(match unless_unreadable(documents.get(&key).await)? {
        Ok(Some(manifest)) => Ok(Some(manifest)),
        Ok(None) => Err(format!("it must equal {operation}, and there is no {key}")),
        Err(error) => Err(format!("it must equal {operation}, and {key} cannot be read: {error}")),
    })
}

/// Apart from all that may get better by itself: that a document is not what it should be.
fn unless_unreadable<T>(read: Result<T>) -> Result<std::result::Result<T, Error>> {
    match read {
        Err(error) if error.kind == ErrorKind::UnreadableRecord => Ok(Err(error)),
        read => read.map(Ok),
    }
}

/// What the source was around the snapshot, as far as it was read. What is missing of it leaves the backup unproven,
/// unless the input said that it may be missing.
async fn against_baseline(against: &mut Against, documents: &impl Documents, job: &Job) -> Result<()> {
    let key = job.operation.baseline_key();
    let captured: Option<Captured> = documents.get(&key).await?;
    let held = held_against(job.request.baseline.as_ref(), captured);
    against.baseline = held.against;
    against.heartbeat = held.heartbeat;
    let Some(missing) = held.missing else { return Ok(()) };
    let (name, scope) = ("baseline".to_owned(), "instance".to_owned());
    let reason = format!("{}: {}", missing.name, missing.cause);
    if held.unproven {
        let (result, findings) = (CheckResult::Errored, vec![]);
        against.unheld = Some(Check { name, scope, result, reason: Some(reason), duration_ms: 0, findings });
    } else {
        against.not_checked.push(NotChecked { check: name, scope, object: None, reason });
    }
    Ok(())
}
