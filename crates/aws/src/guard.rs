//! What every call to AWS goes through: it is counted, ends before the invocation does, and is not sent where a circuit
//! breaker is open.
//!
//! The [`Guard`] is an interceptor of every client; where there are [`Circuits`], it is also round the HTTP client, because
//! only there the SDK waits for somebody else's answer before it sends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime::client::retries::classifiers::run_classifiers_on_ctx;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::classifiers::{RetryAction, RetryReason};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::ErrorKind;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::calls::CallCounter;
use crate::circuits::{Circuits, Outcome};

/// The longest that one call may take, all its attempts together.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// What is left of an invocation's time for naming the error.
const TO_ANSWER: Duration = Duration::from_millis(500);
/// Carries the breaker's key from the interceptor, which knows it, to the connector, which takes it off again.
const KEY_HEADER: &str = "x-holdfast-circuit";

/// What every client of a process shares.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Counts what is sent.
    pub calls: CallCounter,
    deadline: Arc<Mutex<Option<Instant>>>,
    circuits: Option<Circuits>,
}

impl Guard {
    /// A guard that asks `circuits` before it lets a call through.
    pub fn with_circuits(circuits: Circuits) -> Self {
        Guard { circuits: Some(circuits), ..Guard::default() }
    }

    /// Begins an invocation that ends at `deadline`: no call outlives it. One that is over already is none.
    pub fn begin(&self, deadline: SystemTime) {
        let left = deadline.duration_since(SystemTime::now()).ok();
        let left = left.filter(|left| !left.is_zero());
        let deadline = left.map(|left| Instant::now() + left.saturating_sub(TO_ANSWER));
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
        // Whatever an earlier, failed invocation counted is not this one's.
        self.calls.take();
    }

    /// Ends it: what its calls said of the services is shared with the other executions.
    pub async fn end(&self) {
        if let Some(circuits) = &self.circuits {
            circuits.settle().await;
        }
    }

    /// `client`, asking the circuits first.
    pub(crate) fn round(&self, client: SharedHttpClient) -> SharedHttpClient {
        match &self.circuits {
            Some(circuits) => SharedHttpClient::new(GuardedClient {
                inner: client,
                circuits: circuits.clone(),
                calls: self.calls.clone(),
            }),
            None => client,
        }
    }

    /// What is left of the invocation's time; `None` where that is not known.
    pub fn left(&self) -> Option<Duration> {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The circuits, and the key of the call, where a breaker guards it.
    fn circuit(&self, cfg: &ConfigBag) -> Option<(&Circuits, String)> {
        let circuits = self.circuits.as_ref()?;
        let metadata = cfg.load::<Metadata>()?;
        // Breakers are kept in DynamoDB: where it is down, nobody could share that.
        if metadata.service() == "DynamoDB" {
            return None;
        }
        let service = metadata.service().to_ascii_lowercase().replace(' ', "-");
        let region = cfg.load::<aws_config::Region>().map_or("global", |region| region.as_ref());
        Some((circuits, format!("{service}/{region}/{}", metadata.name())))
    }
}

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "Guard"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(left) = self.left() {
            // Waiting between two attempts is within it, too.
            let limit = left.clamp(Duration::from_millis(1), CALL_TIMEOUT);
            cfg.interceptor_state().store_put(TimeoutConfig::builder().operation_timeout(limit).build());
        }
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match self.circuit(cfg) {
            Some((_, key)) => {
                context.request_mut().headers_mut().try_insert(KEY_HEADER, key)?;
            }
            None => self.calls.count(),
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some((circuits, key)) = self.circuit(cfg)
            && let Some(outcome) = outcome(context, components)
        {
            circuits.observe(key, outcome);
        }
        Ok(())
    }
}

/// What an attempt says of the service. `None`: nothing was sent.
fn outcome(context: &FinalizerInterceptorContextRef<'_>, components: &RuntimeComponents) -> Option<Outcome> {
    let error = match context.output_or_error()? {
        Ok(_) => return Some(Outcome::Answered),
        Err(error) => error,
    };
    if error.is_timeout_error() {
        return Some(Outcome::Failed("no answer within the time limit".to_owned()));
    }
    if let Some(connector) = error.as_connector_error() {
        let why =
            std::error::Error::source(connector).map_or_else(|| connector.to_string(), ToString::to_string);
        return (!connector.is_user()).then_some(Outcome::Failed(why));
    }
    let status = context.response().map(|response| response.status().as_u16())?;
    match run_classifiers_on_ctx(components.retry_classifiers(), context.inner()) {
        // Asked to slow down by a service that is well.
        RetryAction::RetryIndicated(RetryReason::RetryableError {
            kind: ErrorKind::ThrottlingError, ..
        }) => Some(Outcome::Answered),
        _ if status >= 500 => Some(Outcome::Failed(format!("HTTP {status}"))),
        _ => Some(Outcome::Answered),
    }
}

#[derive(Debug)]
struct GuardedClient {
    inner: SharedHttpClient,
    circuits: Circuits,
    calls: CallCounter,
}

impl HttpClient for GuardedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(GuardedConnector {
            inner: self.inner.http_connector(settings, components),
            circuits: self.circuits.clone(),
            calls: self.calls.clone(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct GuardedConnector {
    inner: SharedHttpConnector,
    circuits: Circuits,
    calls: CallCounter,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let Some(key) = request.headers_mut().remove(KEY_HEADER) else {
            return self.inner.call(request);
        };
        let (inner, circuits, calls) = (self.inner.clone(), self.circuits.clone(), self.calls.clone());
        HttpConnectorFuture::new(async move {
            circuits.admit(&key).await.map_err(|open| ConnectorError::user(open.into()))?;
            calls.count();
            inner.call(request).await
        })
    }
}
