//! The query API over HTTP: who calls, from which Region, what is ordered for the call, the answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, Response};
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::actions::{Call, KNOWN, perform};
use crate::app::App;
use crate::caller::kill_caller;
use crate::control;
use crate::error::RdsError;
use crate::faults::Orders;
use crate::iam::{Principal, resources};
use crate::journal::CallRecord;
use crate::names::request_id;
use crate::params::Params;
use crate::wire::{Xml, answer, failure};

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new().route("/", get(health).post(api)).nest("/_local", control::router()).with_state(app)
}

async fn health(
    state: State<Arc<App>>,
    cut: ConnectInfo<Cut>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    match &query.0 {
        Some(text) if text.contains("Action=") => api(state, cut, query, headers, Bytes::new()).await,
        _ => Response::new(Body::from("holdfast-local-rds\n")),
    }
}

/// Access key and Region, from the credential scope of the Authorization header or of a signed query.
fn credential(headers: &HeaderMap, params: &Params) -> Option<(String, String)> {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let scope = match header {
        Some(text) => text.split("Credential=").nth(1)?.split([',', ' ']).next()?,
        None => params.text("X-Amz-Credential")?,
    };
    let mut parts = scope.split('/');
    let (access_key, _day, region) = (parts.next()?, parts.next()?, parts.next()?);
    Some((access_key.to_owned(), region.to_owned()))
}

/// What one call left to tell.
struct Told {
    record: CallRecord,
    orders: Orders,
    outcome: Result<Option<Xml>, RdsError>,
}

async fn api(
    State(app): State<Arc<App>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let params = Params::parse(query.as_deref().unwrap_or_default(), &body);
    let action = params.text("Action").unwrap_or_default().to_owned();
    let id = request_id();
    // In a task of its own: a caller that hangs up does not stop the effect half-way.
    let told = tokio::spawn(tell(app.clone(), action.clone(), params, headers)).await;
    let Ok(mut told) = told else {
        return failure(&RdsError::internal("the call died: see the log"), &id);
    };
    told.record.error = told.outcome.as_ref().err().map(|error| error.code.clone());
    let CallRecord { region, resource, principal, error, fault, .. } = &told.record;
    tracing::info!(
        %action,
        %region,
        %resource,
        %principal,
        error = error.as_deref().unwrap_or("-"),
        fault = fault.as_deref().unwrap_or("-"),
        request = %id,
        "call"
    );
    app.journal.write(told.record);
    if told.orders.kill_caller {
        match kill_caller(cut.caller) {
            Ok(pid) => tracing::info!(pid, "killed the caller, as ordered"),
            Err(why) => tracing::warn!(%why, "the caller could not be killed"),
        }
    }
    if told.orders.drop_answer || told.orders.kill_caller {
        cut.cut.store(true, Ordering::SeqCst);
    }
    if told.orders.answer_503 {
        return failure(&RdsError::with_status("ServiceUnavailable", 503, "Service Unavailable"), &id);
    }
    match told.outcome {
        Ok(result) => answer(&action, result, &id),
        Err(error) => failure(&error, &id),
    }
}

async fn tell(app: Arc<App>, action: String, params: Params, headers: HeaderMap) -> Told {
    let resource = resources::subject(&action, &params);
    let (access_key, region) = credential(&headers, &params).unwrap_or_default();
    let mut record = CallRecord {
        time: jiff::Timestamp::now().to_string(),
        action: action.clone(),
        region: region.clone(),
        resource: resource.clone(),
        principal: access_key.clone(),
        error: None,
        fault: None,
    };
    let refused = |record, error| Told { record, orders: Orders::default(), outcome: Err(error) };
    if access_key.is_empty() || region.is_empty() {
        let why = "Request is missing Authentication Token";
        return refused(record, RdsError::with_status("MissingAuthenticationToken", 403, why));
    }
    let principal = match &app.iam {
        Some(iam) => match iam.identify(&access_key, &region).await {
            Ok(principal) => principal,
            Err(error) => return refused(record, error),
        },
        None => Principal::Open(access_key),
    };
    record.principal = principal.to_string();
    let orders = app.faults.meet(&action, &region, &resource);
    record.fault = orders.named();
    if let Some(seconds) = orders.delay {
        tokio::time::sleep(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()).await;
    }
    if let Some((code, message, status)) = &orders.error {
        let error = RdsError::with_status(code, *status, message.clone());
        return Told { record, orders, outcome: Err(error) };
    }
    let call = Call { app, region, principal, params, work: orders.work.clone() };
    let outcome = match authorize(&call, &action).await {
        Ok(()) => perform(&action, &call).await,
        Err(error) => Err(error),
    };
    Told { record, orders, outcome }
}

async fn authorize(call: &Call, action: &str) -> Result<(), RdsError> {
    let Some(iam) = call.app.iam.as_ref().filter(|_| KNOWN.contains(&action)) else {
        return Ok(());
    };
    for need in resources::needs(&call.app, &call.region, action, &call.params) {
        iam.authorize(&call.principal, &need.action, &need.resource, &need.context).await?;
    }
    Ok(())
}

/// Who is at the other end of a connection, and whether it is to be cut instead of answered.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    cut: Arc<AtomicBool>,
    caller: SocketAddr,
}

/// Accepts connections that can be cut.
pub(crate) struct CuttingListener(pub(crate) TcpListener);

impl Listener for CuttingListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Answers are small and at once: waiting to fill a packet only makes them late.
        let _ = stream.set_nodelay(true);
        (CuttableStream { stream, cut: Cut { cut: Arc::default(), caller: address } }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, CuttingListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CuttingListener>) -> Self {
        stream.io().cut.clone()
    }
}

/// A connection whose writing end fails once it is cut.
pub(crate) struct CuttableStream {
    stream: TcpStream,
    cut: Cut,
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.cut.cut.load(Ordering::SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
