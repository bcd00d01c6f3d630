//! One SDK configuration for every client: TLS, time limits, retries, endpoints, call counting.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use holdfast_core::ids::Region;
use holdfast_core::polling::WORK_SECONDS;
use holdfast_core::ports::Breakers;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

use crate::calls::CallCounter;
use crate::circuits::{self, Circuits};
use crate::dynamodb::BreakerTable;
use crate::guard::{CALL_TIMEOUT, Guard};

/// The roots that AWS endpoints chain to. Parsing 145 native roots costs a fifth of a cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Retries that a process has in reserve, all its clients together: one costs 10 after silence or a fault of the service, 5 after
/// throttling; a call that succeeds at once gives one token back, and two seconds another one. So at most ten retries of a service
/// that is down at once, and three a minute while nothing succeeds.
const RETRY_TOKENS: usize = 100;
const RETRY_COST: u32 = 5;
const RETRY_COST_OF_FAULTS: u32 = 10;
const RETRY_TOKENS_PER_SECOND: f32 = 0.5;

/// What every adapter is built from.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(crate) config: SdkConfig,
    pub(crate) guard: Guard,
    /// The budget that the retries of all clients are taken from.
    pub(crate) retries: RetryPartition,
    /// Where the RDS API is, when not at its public endpoint (`AWS_ENDPOINT_URL_RDS`).
    pub(crate) rds_endpoint: Option<String>,
    region: Region,
}

impl Aws {
    /// Configuration of a function: its Region, its role's credentials from the environment, endpoints
    /// from `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_RDS` when set, more roots from `AWS_CA_BUNDLE`. Its circuit breakers are
    /// shared through the table `DR_STATE_TABLE_NAME`; where none is set, they are the process's own.
    ///
    /// # Errors
    /// `Configuration` naming the variable that is missing or wrong.
    pub fn from_env() -> Result<Self> {
        let region = Region::parse(&required("AWS_REGION")?).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("AWS_REGION: {}", error.message))
        })?;
        let endpoint = optional("AWS_ENDPOINT_URL");
        let rds_endpoint = optional("AWS_ENDPOINT_URL_RDS").or_else(|| endpoint.clone());
        let credentials = aws_config::environment::EnvironmentVariableCredentialsProvider::new();
        let mut config = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new(region.as_str().to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client()?)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .operation_timeout(CALL_TIMEOUT)
                    .build(),
            );
        config.set_endpoint_url(endpoint);
        let config = config.build();
        let table = optional("DR_STATE_TABLE_NAME").map(|table| BreakerTable::new(&config, table));
        let shared = table.map(|table| Arc::new(table) as Arc<dyn Breakers>);
        let circuits = Circuits::new(shared, circuits::settings()?, Timestamp::now);
        Ok(Aws { rds_endpoint, ..Aws::guarded(config, region, circuits) })
    }

    /// A configuration whose calls ask `circuits` first.
    pub fn guarded(config: SdkConfig, region: Region, circuits: Circuits) -> Self {
        let guard = Guard::with_circuits(circuits);
        let http = config.http_client().map(|client| guard.round(client));
        let mut builder = config.into_builder();
        builder.set_http_client(http);
        Aws { guard, ..Aws::with_config(builder.build(), region) }
    }

    /// A command's configuration, which the SDK has read from the environment and the profile, with the endpoint of RDS
    /// that a function would use.
    ///
    /// # Errors
    /// `Configuration` when it has no Region, or one that is none.
    pub fn of_command(config: SdkConfig) -> Result<Self> {
        let missing = "no Region is configured: set AWS_REGION, or one in the profile";
        let region = config.region().ok_or_else(|| Error::new(ErrorKind::Configuration, missing))?;
        let region = Region::parse(region.as_ref())?;
        let rds_endpoint =
            optional("AWS_ENDPOINT_URL_RDS").or_else(|| config.endpoint_url().map(str::to_owned));
        Ok(Aws { rds_endpoint, ..Aws::with_config(config, region) })
    }

    /// A configuration that is ready made, for the tests of the adapters.
    pub fn with_config(config: SdkConfig, region: Region) -> Self {
        Aws { config, guard: Guard::default(), retries: retries(), rds_endpoint: None, region }
    }

    /// The Region this process runs in.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The counter that every client of this configuration feeds.
    pub fn calls(&self) -> CallCounter {
        self.guard.calls.clone()
    }

    /// What every call goes through.
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }
}

/// The builder of a client's configuration, with what every client has.
macro_rules! configured {
    ($aws:expr, $sdk:ident) => {
        $sdk::config::Builder::from(&$aws.config)
            .interceptor($aws.guard.clone())
            .retry_partition($aws.retries.clone())
    };
}
pub(crate) use configured;

/// One bucket of tokens: where a service is down, the calls to it do not multiply, whoever makes them.
fn retries() -> RetryPartition {
    let bucket = TokenBucket::builder()
        .capacity(RETRY_TOKENS)
        .retry_cost(RETRY_COST)
        .throttling_retry_cost(RETRY_COST)
        .timeout_retry_cost(RETRY_COST_OF_FAULTS)
        .refill_rate(RETRY_TOKENS_PER_SECOND)
        .build();
    RetryPartition::custom("holdfast").token_bucket(bucket).build()
}

/// A setting that must be there.
///
/// # Errors
/// `Configuration` naming it.
pub fn required(name: &str) -> Result<String> {
    optional(name).ok_or_else(|| {
        Error::new(ErrorKind::Configuration, format!("the environment variable {name} is not set"))
    })
}

/// A setting that may be missing; an empty one counts as missing.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The authorities that servers of RDS are trusted by: those of the file that `HOLDFAST_RDS_CA_FILE` names, else `usual`.
///
/// # Errors
/// `Configuration` when the file cannot be read.
pub fn rds_authorities(usual: &str) -> Result<String> {
    authorities(optional("HOLDFAST_RDS_CA_FILE").as_deref(), usual)
}

fn authorities(path: Option<&str>, usual: &str) -> Result<String> {
    let Some(path) = path else { return Ok(usual.to_owned()) };
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("HOLDFAST_RDS_CA_FILE: {path}: {error}"))
    })
}

/// How long one invocation may work on a server: `HOLDFAST_VERIFY_BUDGET_SECONDS`, else as long as Lambda lets it.
///
/// # Errors
/// `Configuration` when it is not a whole number.
pub fn work_budget() -> Result<Duration> {
    budget(optional("HOLDFAST_VERIFY_BUDGET_SECONDS").as_deref())
}

fn budget(text: Option<&str>) -> Result<Duration> {
    let seconds = match text {
        Some(text) => text.parse().map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("HOLDFAST_VERIFY_BUDGET_SECONDS: {error}"))
        })?,
        None => WORK_SECONDS,
    };
    Ok(Duration::from_secs(seconds))
}

fn http_client() -> Result<SharedHttpClient> {
    let mut roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    if let Some(path) = optional("AWS_CA_BUNDLE") {
        let pem = std::fs::read(&path).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("AWS_CA_BUNDLE: {path}: {error}"))
        })?;
        roots = roots.with_pem_certificate(pem);
    }
    let tls = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("TLS roots: {error}")))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_the_usual_ones_unless_a_file_is_named() {
        assert_eq!(authorities(None, "usual").unwrap(), "usual");
        let error = authorities(Some("/nowhere/ca.pem"), "usual").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration);
        assert!(error.message.starts_with("HOLDFAST_RDS_CA_FILE: /nowhere/ca.pem: "), "{error:?}");
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(authorities(Some(manifest), "usual").unwrap().contains("holdfast-aws"));
    }

    #[test]
    fn a_budget_is_a_whole_number_of_seconds() {
        assert_eq!(budget(None).unwrap(), Duration::from_secs(WORK_SECONDS));
        assert_eq!(budget(Some("7")).unwrap(), Duration::from_secs(7));
        let error = budget(Some("7 s")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration);
        assert!(error.message.starts_with("HOLDFAST_VERIFY_BUDGET_SECONDS: "), "{error:?}");
    }
}
