//! `holdfast prune` and `holdfast points`: the plan of the deployed function, which alone decides.

pub mod points;
pub mod prune;
mod table;

use aws_sdk_lambda::primitives::Blob;
use clap::Args;
use holdfast_core::retention::Plan;
use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::cloud::Cloud;

/// Where the function is, and what it is asked about.
#[derive(Debug, Args)]
pub struct Where {
    /// Only this Region; repeat for more. Default: the home Region, and every Region that backups are or were copied to.
    #[arg(long = "region", value_name = "REGION", value_parser = crate::arguments::region)]
    regions: Vec<String>,
    /// The function (Output PruneFunctionName of the stack).
    #[arg(long, env = "HOLDFAST_PRUNE_FUNCTION", value_name = "NAME")]
    function: String,
}

impl Where {
    /// `prod-db`, or `prod-db in us-west-2` where only that Region is asked about.
    fn of(&self, what: &str) -> String {
        if self.regions.is_empty() {
            return what.to_owned();
        }
        format!("{what} in {}", self.regions.join(", "))
    }
}

/// What Lambda says of a function that failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

/// Asks the function.
async fn ask(cloud: &Cloud, function: &str, input: &Value) -> Result<Plan, Error> {
    let answer = cloud
        .lambda
        .invoke()
        .function_name(function)
        .payload(Blob::new(input.to_string()))
        .send()
        .await
        .map_err(|error| Error::aws("Invoke", &error))?;
    read(answer.function_error().is_some(), answer.payload().map_or(&[], |payload| payload.as_ref()))
}

fn read(failed: bool, payload: &[u8]) -> Result<Plan, Error> {
    let unreadable = |error: serde_json::Error| Error::Unreadable(format!("the function's answer: {error}"));
    if !failed {
        return serde_json::from_slice(payload).map_err(unreadable);
    }
    let failed: Failed = serde_json::from_slice(payload).map_err(unreadable)?;
    Err(match failed.error_type.as_str() {
        "Holdfast.InvalidInput" => Error::Usage(failed.error_message),
        name => Error::Aws { call: "prune-backups", cause: format!("{name}: {}", failed.error_message) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_function_refuses_is_usage_and_what_it_meets_is_not() {
        let failed = |name: &str| {
            let said = format!(r#"{{"errorType": "{name}", "errorMessage": "policy.daily: 5000"}}"#);
            read(true, said.as_bytes()).unwrap_err()
        };
        assert!(matches!(failed("Holdfast.InvalidInput"), Error::Usage(why) if why == "policy.daily: 5000"));
        assert_eq!(
            failed("Holdfast.AccessDenied").to_string(),
            "prune-backups: Holdfast.AccessDenied: policy.daily: 5000"
        );
        assert!(matches!(read(false, b"{}").unwrap_err(), Error::Unreadable(_)));
        assert!(matches!(read(true, b"").unwrap_err(), Error::Unreadable(_)));
    }
}
