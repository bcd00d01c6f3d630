//! The shell round every function: decode strictly, run, name errors, log one line.
//!
//! The Lambda runtime names an error after a Rust type path when a function panics or cannot decode its
//! input. The state machine matches names, so both are caught here and given names of Holdfast's own.

use std::panic::AssertUnwindSafe;
use std::time::{Instant, SystemTime};

use futures::FutureExt;
use holdfast_aws::config::Aws;
use holdfast_aws::guard::Guard;
use holdfast_core::{Error, ErrorKind, Result};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::Instrument as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Serves invocations until the environment ends.
///
/// `wire` makes what the handler works with, once. When it fails (a missing setting), every invocation fails with its
/// name, instead of an initialisation that dies without one.
///
/// # Errors
/// Only what the Lambda runtime API itself fails with.
pub async fn serve<P, I, O, H>(
    function: &'static str,
    wire: impl FnOnce(&Aws) -> Result<P>,
    handler: H,
) -> std::result::Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned,
    O: Serialize,
    H: AsyncFn(&P, I) -> Result<O>,
{
    start_log();
    let wired = Aws::from_env().and_then(|aws| Ok((wire(&aws)?, aws.guard())));
    let (wired, handler) = (&wired, &handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let deadline = event.context.deadline();
        let answer = observed(function, wired, handler, event.payload, deadline).await;
        answer.map_err(|error| Diagnostic { error_type: error.kind.name(), error_message: error.message })
    }))
    .await
}

/// One invocation, and a line that says how it went. Every line of it carries the function and the operation: its own in
/// itself, those of the work in their `span`. By them `holdfast ops logs` finds what belongs together.
async fn observed<P, I, O, H>(
    function: &'static str,
    wired: &Result<(P, Guard)>,
    handler: &H,
    payload: Value,
    deadline: SystemTime,
) -> Result<Value>
where
    I: DeserializeOwned,
    O: Serialize,
    H: AsyncFn(&P, I) -> Result<O>,
{
    let started = Instant::now();
    let given = payload["operationId"].as_str().map(str::to_owned);
    // Of the highest level: whatever is logged at all is inside of it.
    let span =
        tracing::error_span!("invocation", function, operation.id = given.as_deref().unwrap_or_default());
    let answer = invoke(wired, handler, payload, deadline).instrument(span).await;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &answer {
        Ok(answer) => {
            // Who begins an operation is not told its id and tells it.
            let operation = given.as_deref().or_else(|| answer["operationId"].as_str()).unwrap_or_default();
            tracing::info!(
                function,
                operation.id = operation,
                duration_ms,
                aws.calls = answer["apiCalls"].as_u64(),
                progress = answer["progress"]["message"].as_str(),
                "answered"
            );
        }
        Err(error) => tracing::error!(
            function,
            operation.id = given.as_deref().unwrap_or_default(),
            duration_ms,
            error.name = error.kind.name(),
            error.message = error.message,
            error.retryable = error.kind.retryable(),
            "failed"
        ),
    }
    answer
}

/// One invocation; its answer says in `apiCalls` how many AWS calls it took.
async fn invoke<P, I, O, H>(
    wired: &Result<(P, Guard)>,
    handler: &H,
    payload: Value,
    deadline: SystemTime,
) -> Result<Value>
where
    I: DeserializeOwned,
    O: Serialize,
    H: AsyncFn(&P, I) -> Result<O>,
{
    let (ports, guard) = wired.as_ref().map_err(Clone::clone)?;
    let input: I = serde_path_to_error::deserialize(payload)
        .map_err(|error| Error::invalid(format!("payload.{}: {}", error.path(), error.inner())))?;
    guard.begin(deadline);
    let answer = AssertUnwindSafe(handler(ports, input))
        .catch_unwind()
        .await
        .map_err(|_| Error::new(ErrorKind::Internal, "the function panicked; its log has the place"));
    guard.end().await;
    let answer = answer??;
    let mut answer = serde_json::to_value(answer)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("answer: {error}")))?;
    answer["apiCalls"] = guard.calls.take().into();
    Ok(answer)
}

/// JSON lines on standard output, where CloudWatch Logs reads them. `HOLDFAST_LOG` sets the level.
fn start_log() {
    let filter = EnvFilter::try_from_env("HOLDFAST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second call (in a test) keeps the first log.
    let _ = tracing::subscriber::set_global_default(log_to(filter, std::io::stdout));
}

fn log_to<W>(filter: EnvFilter, to: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(to)
        .finish()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        n: u32,
    }

    /// Works with the counter itself, as the SDK's clients do, and calls AWS three times.
    async fn double(guard: &Guard, input: Input) -> Result<Value> {
        for _ in 0..3 {
            guard.calls.count();
        }
        assert!(input.n < 100, "too large for this test");
        Ok(json!({"n": input.n * 2}))
    }

    fn answer(wired: &Result<(Guard, Guard)>, payload: Value) -> Result<Value> {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(invoke(
            wired,
            &double,
            payload,
            in_a_minute(),
        ))
    }

    fn in_a_minute() -> SystemTime {
        SystemTime::now() + std::time::Duration::from_secs(60)
    }

    fn wired() -> Result<(Guard, Guard)> {
        let guard = Guard::default();
        Ok((guard.clone(), guard))
    }

    fn run(payload: Value) -> Result<Value> {
        answer(&wired(), payload)
    }

    /// Warns, and then answers with the id of an operation that it begins.
    async fn warn(_: &Guard, _: Value) -> Result<Value> {
        tracing::warn!("something odd");
        Ok(json!({"operationId": "op-begun"}))
    }

    #[derive(Clone, Default)]
    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_carries_its_function_and_its_operation() {
        for (payload, inside, at_the_end) in
            [(json!({"operationId": "op-1"}), "op-1", "op-1"), (json!({}), "", "op-begun")]
        {
            let shared = Shared::default();
            let writer = shared.clone();
            let log = log_to(EnvFilter::new("info"), move || writer.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            tracing::subscriber::with_default(log, || {
                let wired = wired();
                let answered = observed("some-function", &wired, &warn, payload, in_a_minute());
                runtime.block_on(answered).unwrap();
            });
            let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let [work, end] = lines.as_slice() else { panic!("{text}") };
            assert_eq!(work["message"], "something odd");
            assert_eq!(work["span"]["function"], "some-function", "{text}");
            assert_eq!(work["span"]["operation.id"], inside, "{text}");
            assert_eq!((&end["message"], &end["function"]), (&json!("answered"), &json!("some-function")));
            assert_eq!(end["operation.id"], at_the_end, "{text}");
        }
    }

    #[test]
    fn an_answer_carries_its_own_calls_and_not_those_of_one_that_failed() {
        let wired = wired();
        assert!(answer(&wired, json!({"n": 200})).is_err());
        assert_eq!(answer(&wired, json!({"n": 2})).unwrap(), json!({"n": 4, "apiCalls": 3}));
    }

    #[test]
    fn undecodable_input_and_panics_get_names() {
        let error = run(json!({"n": 2, "m": 3})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert!(error.message.contains('m'), "{}", error.message);
        assert_eq!(run(json!({"n": 200})).unwrap_err().kind, ErrorKind::Internal);
    }

    #[test]
    fn a_missing_setting_is_named_at_every_invocation() {
        let missing = Err(Error::new(ErrorKind::Configuration, "X is not set"));
        assert_eq!(answer(&missing, json!({"n": 1})).unwrap_err().kind, ErrorKind::Configuration);
    }
}
