//! `update-state`: the only one that moves an operation.
//!
//! Every move is a pure transition and a conditional write on the version, owner and phase that were
//! read. A write that is repeated after its answer was lost finds its own effect and succeeds; a write of
//! an execution that lost the operation to another is refused.

use holdfast_core::answer::Progress;
use holdfast_core::health::NamedCause;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{Command, Kind, Operation, Phase, Request, Results, transition};
use holdfast_core::ports::{Documents, Executions, Store, Write};
use holdfast_core::rds::Creation;
use holdfast_core::request::{BackupRequest, Defaults, Reopen, ReplicationRequest, RestoreRequest};
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Seconds until a second start of the same operation looks again: over the longest deadline, 8,100 events of the
/// 25,000 that an execution's history may have.
const JOIN_WAIT_SECONDS: u32 = 120;

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Input {
    /// Begin, join, or resume an operation.
    Begin {
        /// What kind of operation the workflow is for. Executions that began before there was more than one kind say none.
        #[serde(default = "backup")]
        kind: Kind,
        /// The execution's input as it came.
        input: Value,
        /// The execution's ARN.
        execution: String,
        /// The execution's start: the run id when the input has none.
        started_at: String,
    },
    /// The phase's work is done.
    Advance {
        /// The operation.
        operation_id: OperationId,
        /// The execution that drives it.
        execution: String,
        /// The version it saw last.
        version: u64,
        /// The next phase.
        to: Phase,
        /// What the phase found out.
        results: Box<Results>,
    },
    /// The clean-up is over.
    Finish {
        /// The operation.
        operation_id: OperationId,
        /// The execution that drives it.
        execution: String,
        /// The version it saw last.
        version: u64,
        /// What the clean-up found out.
        results: Box<Results>,
        /// AWS API calls counted over the whole execution.
        total_api_calls: u64,
    },
}

fn backup() -> Kind {
    Kind::Backup
}

/// Who goes on with the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Disposition {
    /// This execution, from the results so far.
    Run,
    /// Another execution that is alive: wait and ask again.
    Join,
    /// Nobody: it has ended.
    Ended,
}

/// What every action answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The operation.
    pub operation_id: OperationId,
    /// Who goes on.
    pub disposition: Disposition,
    /// Where it is.
    pub phase: Phase,
    /// The version to name in the next call.
    pub version: u64,
    /// What was asked for, defaults filled in.
    pub request: Request,
    /// What has been found out so far, to resume from.
    pub results: Results,
    /// The newest operation of this database that was found VALID, to be held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_operation_id: Option<OperationId>,
    /// The execution's output, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Value>,
    /// Seconds until it is worth asking again, when joined.
    pub wait_seconds: u32,
    /// Whether this execution is to end it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// For whoever follows.
    pub progress: Progress,
}

/// What the function works with.
pub struct Ports<'a, S, D, E> {
    /// The state table.
    pub store: &'a S,
    /// The metadata bucket.
    pub documents: &'a D,
    /// Whether another owner lives.
    pub executions: &'a E,
    /// The deployment's settings.
    pub defaults: &'a Defaults,
    /// Name of the metadata bucket, for the summary.
    pub bucket: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Moves the operation.
///
/// # Errors
/// `InvalidInput`, `RequestMismatch`, `StaleOwner`, `OperationEnded`, `IllegalTransition`, `UnreadableRecord`, or
/// what a call met.
pub async fn handle(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    input: Input,
) -> Result<Output> {
    match input {
        Input::Begin { kind, input, execution, started_at } => {
            if let Some(reopen) = Reopen::parse(&input)? {
                return reopened(ports, kind, &reopen, execution).await;
            }
            let request = match kind {
                Kind::Backup => BackupRequest::parse(&input, &started_at, ports.defaults)?.into(),
                Kind::Restore => RestoreRequest::parse(&input, &started_at, &ports.defaults.region)?.into(),
                Kind::Replication => ReplicationRequest::parse(&input, &started_at, ports.defaults)?.into(),
            };
            begin(ports, request, execution).await
        }
        Input::Advance { operation_id, execution, version, to, results } => {
            let command = Command::Advance { to, results: Box::new(readable(*results)) };
            let next = step(ports, &operation_id, &execution, version, command, 0).await?;
            output(ports, next, Disposition::Run, None).await
        }
        Input::Finish { operation_id, execution, version, results, total_api_calls } => {
            let command = Command::Finish { results };
            let next = step(ports, &operation_id, &execution, version, command, total_api_calls).await?;
            write_report(ports, &next).await?;
            output(ports, next, Disposition::Ended, None).await
        }
    }
}

async fn begin(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    request: Request,
    execution: String,
) -> Result<Output> {
    let id = request.operation_id(&ports.defaults.region);
    let new = Operation::begin(id.clone(), request.clone(), execution.clone(), ports.now);
    if let Creation::Created(()) = ports.store.create(&new, &new.summary(ports.bucket)).await? {
        let reference = reference(ports, &new).await?;
        return output(ports, new, Disposition::Run, reference).await;
    }
    let found = ports.store.get(&id).await?.ok_or_else(|| {
        Error::new(ErrorKind::OutcomeUnknown, format!("the record of {id} was there and cannot be read"))
    })?;
    if found.request != request {
        return Err(Error::new(
            ErrorKind::RequestMismatch,
            format!(
                "operation {id} ({} run {}) was started with other options; start it with the same ones, or with \
                 another runId",
                request.database_id(),
                request.run_id()
            ),
        ));
    }
    take_on(ports, found, execution).await
}

/// Goes on with an operation by what its record says, or ends it.
async fn reopened(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    kind: Kind,
    reopen: &Reopen,
    execution: String,
) -> Result<Output> {
    let (id, name) = (&reopen.operation_id, if reopen.cancel { "cancel" } else { "resume" });
    let found = ports.store.get(id).await?;
    let found = found.ok_or_else(|| Error::invalid(format!("{name}: there is no operation {id}")))?;
    let its = found.request.kind();
    if its != kind {
        return Err(Error::invalid(format!(
            "{name}: {id} is a {}, and this workflow is for a {}; start the other one",
            its.as_str(),
            kind.as_str()
        )));
    }
    let mut output = take_on(ports, found, execution).await?;
    output.cancelled = reopen.cancel && output.disposition == Disposition::Run;
    Ok(output)
}

/// Makes `execution` the one that drives an operation that has begun, unless it has ended or its owner lives.
async fn take_on(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    found: Operation,
    execution: String,
) -> Result<Output> {
    let reference = reference(ports, &found).await?;
    if found.phase.is_end() {
        // The report is derived from the record: written again, it mends a crash between the two.
        write_report(ports, &found).await?;
        return output(ports, found, Disposition::Ended, reference).await;
    }
    if found.owner == execution {
        return output(ports, found, Disposition::Run, reference).await;
    }
    if ports.executions.is_running(&found.owner).await? {
        return output(ports, found, Disposition::Join, reference).await;
    }
    let next = transition(&found, Command::TakeOver { owner: execution.clone() }, ports.now)?;
    match ports.store.replace(&found, &next, &next.summary(ports.bucket)).await? {
        Write::Done => output(ports, next, Disposition::Run, reference).await,
        // Our own write, repeated.
        Write::Conflict(there) if there.owner == execution => {
            output(ports, *there, Disposition::Run, reference).await
        }
        Write::Conflict(there) => output(ports, *there, Disposition::Join, reference).await,
    }
}

/// What the data of a backup is held against. A restore is of a recovery point of its own, and equals that or nothing.
async fn reference(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    operation: &Operation,
) -> Result<Option<OperationId>> {
    match &operation.request {
        Request::Backup(request) => {
            ports.store.latest_valid(&request.database_id, operation.started_at).await
        }
        Request::Restore(_) | Request::Replication(_) => Ok(None),
    }
}

/// One transition of an operation that `execution` drives and last saw at `version`.
async fn step(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    id: &OperationId,
    execution: &str,
    version: u64,
    command: Command,
    api_calls: u64,
) -> Result<Operation> {
    let current = ports.store.get(id).await?.ok_or_else(|| {
        Error::new(ErrorKind::UnreadableRecord, format!("there is no record of operation {id}"))
    })?;
    if let Some(done) = already_done(&current, execution, version, &command)? {
        return Ok(done);
    }
    let mut next = transition(&current, command.clone(), ports.now)?;
    next.api_calls = next.api_calls.max(api_calls);
    match ports.store.replace(&current, &next, &next.summary(ports.bucket)).await? {
        Write::Done => Ok(next),
        Write::Conflict(there) => already_done(&there, execution, version, &command)?.ok_or_else(|| {
            Error::new(
                ErrorKind::OutcomeUnknown,
                format!("operation {id} was written by somebody else at the same time"),
            )
        }),
    }
}

/// `Some` when the step was taken by an earlier attempt of the same execution, whose answer was lost.
///
/// # Errors
/// `StaleOwner` when another execution drives the operation, `IllegalTransition` when the version is another.
fn already_done(
    there: &Operation,
    execution: &str,
    version: u64,
    command: &Command,
) -> Result<Option<Operation>> {
    if there.owner != execution {
        return Err(Error::new(
            ErrorKind::StaleOwner,
            format!("operation {} is driven by {}; {execution} must stop", there.id, there.owner),
        ));
    }
    if there.version == version {
        return Ok(None);
    }
    let same_step = match command {
        Command::Advance { to, .. } => there.phase == *to,
        Command::Finish { .. } => there.phase.is_end(),
        Command::TakeOver { .. } => false,
    };
    if there.version == version + 1 && same_step {
        return Ok(Some(there.clone()));
    }
    let kind = if there.phase.is_end() { ErrorKind::OperationEnded } else { ErrorKind::IllegalTransition };
    Err(Error::new(
        kind,
        format!(
            "operation {} is {} at version {}, not at version {version}",
            there.id,
            there.phase.as_str(),
            there.version
        ),
    ))
}

async fn output(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    operation: Operation,
    disposition: Disposition,
    reference: Option<OperationId>,
) -> Result<Output> {
    let message = match disposition {
        Disposition::Run => format!("{} is {}", operation.id, operation.phase.as_str()),
        Disposition::Join => format!("{} is driven by {}", operation.id, operation.owner),
        Disposition::Ended => format!("{} has ended as {}", operation.id, operation.phase.as_str()),
    };
    Ok(Output {
        operation_id: operation.id.clone(),
        disposition,
        phase: operation.phase,
        version: operation.version,
        request: operation.request.clone(),
        results: operation.results.clone(),
        reference_operation_id: reference,
        summary: operation.phase.is_end().then(|| operation.summary(ports.bucket)),
        wait_seconds: JOIN_WAIT_SECONDS,
        cancelled: false,
        progress: Progress::new("record", None, message),
    })
}

/// The full report, for machines and for people.
async fn write_report(
    ports: &Ports<'_, impl Store, impl Documents, impl Executions>,
    operation: &Operation,
) -> Result<()> {
    let details = ports.documents.get(&operation.id.validation_key()).await?;
    let report = report(operation, ports.bucket, details);
    ports.documents.put(&operation.id.report_key(), &report).await?;
    if operation.request.kind() != Kind::Backup {
        return Ok(());
    }
    match holdfast_report::html(&report) {
        Ok(page) => ports.documents.put_page(&operation.id.report_page_key(), &page).await,
        Err(error) => {
            // The evidence is written, and the operation has its end: a page that cannot be made changes neither.
            tracing::error!(operation.id = operation.id.as_str(), %error, "there is no page of this report");
            Ok(())
        }
    }
}

/// The summary, the request, the history, and every check with all its findings, as `docs/report.schema.json` has it.
fn report(operation: &Operation, bucket: &str, details: Option<Value>) -> Value {
    let mut report = operation.summary(bucket);
    if let (Some(_), Some(validation)) = (&details, report["validation"].as_object_mut()) {
        // The record's lists are cut to size; the details have them whole.
        validation.remove("checks");
        validation.remove("notChecked");
    }
    report["request"] = json!(operation.request);
    if operation.request.kind() == Kind::Backup {
        report["health"] = json!(operation.results.health);
    }
    report["checkpoints"] = json!(operation.checkpoints);
    report["owner"] = json!(operation.owner);
    report["validationDetails"] = json!(details);
    report
}

/// Lambda reports an error's cause as JSON text; a person wants the sentence in it.
fn readable(mut results: Results) -> Results {
    let named = results
        .replicas
        .iter_mut()
        .flatten()
        .filter_map(|replica| replica.error.as_mut())
        .chain(results.failure.as_mut());
    for NamedCause { cause, .. } in named {
        let parsed: Option<Value> = serde_json::from_str(cause).ok();
        if let Some(message) = parsed.as_ref().and_then(|cause| cause["errorMessage"].as_str()) {
            *cause = message.to_owned();
        }
    }
    results
}
