//! The shell round every function: decode strictly, run, name errors, log one line.
//!
//! The Lambda runtime names an error after a Rust type path when a function panics or cannot decode its
//! input. The state machine matches names, so both are caught here and given names of Holdfast's own.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt;
use holdfast_core::{Error, ErrorKind, Result};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a function is wired with.
pub trait Dependencies {
    /// AWS API calls since the last time it was asked; reported in every answer as `apiCalls`.
    fn take_api_calls(&self) -> u64;
}

/// Serves invocations until the environment ends.
///
/// `dependencies` may be an error (a missing setting): every invocation then fails with its name, instead of
/// an initialisation that dies without one.
///
/// # Errors
/// Only what the Lambda runtime API itself fails with.
pub async fn serve<D, I, O, H>(
    function: &'static str,
    dependencies: Result<D>,
    handler: H,
) -> std::result::Result<(), lambda_runtime::Error>
where
    D: Dependencies,
    I: DeserializeOwned,
    O: Serialize,
    H: AsyncFn(&D, I) -> Result<O>,
{
    start_log();
    let (dependencies, handler) = (&dependencies, &handler);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let started = Instant::now();
        let operation = event.payload["operationId"].as_str().unwrap_or_default().to_owned();
        let answer = invoke(dependencies, handler, event.payload).await;
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

async fn invoke<D, I, O, H>(dependencies: &Result<D>, handler: &H, payload: Value) -> Result<Value>
where
    D: Dependencies,
    I: DeserializeOwned,
    O: Serialize,
    H: AsyncFn(&D, I) -> Result<O>,
{
    let dependencies = dependencies.as_ref().map_err(Clone::clone)?;
    let input: I = serde_path_to_error::deserialize(payload)
        .map_err(|error| Error::invalid(format!("payload.{}: {}", error.path(), error.inner())))?;
    // Whatever an earlier, failed invocation counted is not this one's.
    dependencies.take_api_calls();
    let answer = AssertUnwindSafe(handler(dependencies, input))
        .catch_unwind()
        .await
        .map_err(|_| Error::new(ErrorKind::Internal, "the function panicked; its log has the place"))??;
    let mut answer = serde_json::to_value(answer)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("answer: {error}")))?;
    answer["apiCalls"] = dependencies.take_api_calls().into();
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
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    struct Fake;

    impl Dependencies for Fake {
        fn take_api_calls(&self) -> u64 {
            3
        }
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        n: u32,
    }

    async fn double(_: &Fake, input: Input) -> Result<Value> {
        assert!(input.n < 100, "too large for this test");
        Ok(json!({"n": input.n * 2}))
    }

    fn run(payload: Value) -> Result<Value> {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(invoke(
            &Ok(Fake),
            &double,
            payload,
        ))
    }

    #[test]
    fn an_answer_carries_its_calls() {
        assert_eq!(run(json!({"n": 2})).unwrap(), json!({"n": 4, "apiCalls": 3}));
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
        let missing: Result<Fake> = Err(Error::new(ErrorKind::Configuration, "X is not set"));
        let answer = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(invoke(&missing, &double, json!({"n": 1})));
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Configuration);
    }
}
