//! Addresses that must answer.

use std::time::Duration;

use holdfast_core::operation::SmokeResult;
use holdfast_core::request::HttpCheck;
use ureq::Agent;

/// Bound for one address: connecting, the certificate, the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer that are looked at.
const LOOKED_AT: u64 = 64 * 1024;

/// Asks each address once.
pub(crate) async fn ask(checks: &[HttpCheck]) -> Vec<SmokeResult> {
    let asked = checks.iter().map(|check| {
        let check = check.clone();
        tokio::task::spawn_blocking(move || get(&check))
    });
    let asked: Vec<_> = asked.collect();
    let mut results = Vec::new();
    for (check, answer) in checks.iter().zip(asked) {
        let reason = match answer.await {
            Ok(answer) => answer.err(),
            Err(error) => Some(format!("it could not be asked: {error}")),
        };
        results.push(SmokeResult { name: check.url.clone(), passed: reason.is_none(), reason });
    }
    results
}

/// What is wrong with the answer. What it says is not repeated: it may be anything.
fn get(check: &HttpCheck) -> Result<(), String> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        // Through no proxy that an environment may name: what is asked is what is named.
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(&check.url).call().map_err(|error| format!("no answer: {error}"))?;
    let status = answer.status().as_u16();
    if status != check.status {
        return Err(format!("it answered {status}, not {}", check.status));
    }
    let Some(wanted) = &check.contains else { return Ok(()) };
    let body = answer.body_mut().with_config().limit(LOOKED_AT).lossy_utf8(true).read_to_string();
    // A longer answer is cut by an error.
    let body = match body {
        Ok(body) => body,
        Err(ureq::Error::BodyExceedsLimit(_)) => {
            return Err(format!("its answer is longer than {LOOKED_AT} bytes"));
        }
        Err(error) => return Err(format!("its answer broke off: {error}")),
    };
    if body.contains(wanted) { Ok(()) } else { Err(format!("its answer does not contain {wanted:?}")) }
}
