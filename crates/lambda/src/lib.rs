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
        let started = Instant::now();
        let operation = event.payload["operationId"].as_str().unwrap_or_default().to_owned();
        let answer = invoke(wired, handler, event.payload, event.context.deadline()).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match answer {
            Ok(answer) => {
                tracing::info!(
                    function,
                    operation.id = operation,
                    duration_ms,
                    aws.calls = answer["apiCalls"].as_u64(),
                    progress = answer["progress"]["message"].as_str(),
                    "answered"
                );
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(
                    function,
                    operation.id = operation,
                    duration_ms,
                    error.name = error.kind.name(),
                    error.message = error.message,
                    error.retryable = error.kind.retryable(),
                    "failed"
                );
                Err(Diagnostic { error_type: error.kind.name(), error_message: error.message })
            }
        }
    }))
    .await
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
    let filter = tracing_subscriber::EnvFilter::try_from_env("HOLDFAST_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second call (in a test) keeps the first log.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            SystemTime::now() + Duration::from_secs(60),
        ))
    }

    fn wired() -> Result<(Guard, Guard)> {
        let guard = Guard::default();
        Ok((guard.clone(), guard))
    }

    fn run(payload: Value) -> Result<Value> {
        answer(&wired(), payload)
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
