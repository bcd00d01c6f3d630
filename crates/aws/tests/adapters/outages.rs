//! Throttling, faults of AWS, broken connections and silence: retried within bounds, then named by what is known.

use std::time::Duration;

use aws_sdk_rds::Client;
use aws_smithy_http_client::test_util::NeverClient;
use aws_smithy_mocks::mock;
use aws_smithy_runtime_api::client::http::{
    HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::ErrorKind;
use holdfast_core::ports::{NewSnapshot, Rds, SnapshotAnswer};
use holdfast_fakes::sample::{home, tags_of};
use tokio::time::Instant;

use crate::support::{rds, response, sdk_config, xml_error};

fn new() -> NewSnapshot {
    NewSnapshot { id: "s".into(), instance_id: "prod-db".into(), tags: tags_of("o") }
}

#[tokio::test(start_paused = true)]
async fn a_moments_trouble_is_retried() {
    for (status, code) in [
        (400, "Throttling"),
        (400, "RequestLimitExceeded"),
        (503, "ServiceUnavailable"),
        (500, "InternalFailure"),
    ] {
        // GIVEN an RDS that answers badly twice
        let answer = mock!(Client::create_db_snapshot)
            .sequence()
            .http_response(move || xml_error(status, code, "Rate exceeded"))
            .times(2)
            .http_response(|| xml_error(400, "DBSnapshotAlreadyExists", "m"))
            .build();
        // WHEN a snapshot is asked for, THEN the third attempt gets its answer
        assert_eq!(rds(&[&answer]).create_snapshot(&home(), &new()).await, Ok(SnapshotAnswer::AlreadyThere));
        assert_eq!(answer.num_calls(), 3, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn lasting_trouble_is_named_after_a_bounded_number_of_attempts() {
    for (status, code, kind) in [
        (400, "Throttling", ErrorKind::Throttled),
        (400, "ThrottlingException", ErrorKind::Throttled),
        (503, "RequestLimitExceeded", ErrorKind::Throttled),
        (503, "ServiceUnavailable", ErrorKind::ServiceUnavailable),
        // It may have taken effect.
        (500, "InternalFailure", ErrorKind::OutcomeUnknown),
    ] {
        // GIVEN an RDS that goes on answering badly
        let answer = mock!(Client::create_db_snapshot)
            .sequence()
            .http_response(move || xml_error(status, code, "Rate exceeded"))
            .repeatedly()
            .build();
        // WHEN a snapshot is asked for, THEN three attempts are made and the trouble has its name
        let error = rds(&[&answer]).create_snapshot(&home(), &new()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert!(error.kind.retryable());
        assert_eq!(answer.num_calls(), 3, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_mended_is_asked_once() {
    for (status, code) in [
        (403, "AccessDenied"),
        (403, "InvalidClientTokenId"),
        (403, "ExpiredToken"),
        (403, "SignatureDoesNotMatch"),
    ] {
        // GIVEN a role that may not
        let answer = mock!(Client::create_db_snapshot)
            .sequence()
            .http_response(move || xml_error(status, code, "not authorized to perform rds:CreateDBSnapshot"))
            .repeatedly()
            .build();
        // WHEN a snapshot is asked for, THEN that is the answer
        let error = rds(&[&answer]).create_snapshot(&home(), &new()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{code}");
        assert!(error.message.contains("rds:CreateDBSnapshot"), "{}", error.message);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_answer_leaves_it_open() {
    // GIVEN a proxy that answers a 502 page, or a body that breaks off
    for (status, body) in [(502, "<html>Bad Gateway</html>"), (200, "<CreateDBSnapshotResponse><CreateDB")] {
        let answer = mock!(Client::create_db_snapshot)
            .sequence()
            .http_response(move || response(status, body))
            .repeatedly()
            .build();
        // WHEN a snapshot is asked for, THEN nobody claims to know whether it is there
        let error = rds(&[&answer]).create_snapshot(&home(), &new()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{status}: {error}");
    }
}

fn api(http: SharedHttpClient) -> (RdsApi, Aws) {
    let aws = Aws::with_config(sdk_config(http), home());
    (RdsApi::new(&aws), aws)
}

#[tokio::test(start_paused = true)]
async fn silence_ends_within_its_bound_and_leaves_it_open() {
    // GIVEN an RDS that never answers
    let (api, aws) = api(SharedHttpClient::new(NeverClient::new()));
    // WHEN a snapshot is asked for
    let begun = Instant::now();
    let error = api.create_snapshot(&home(), &new()).await.unwrap_err();
    // THEN it ends by the clock, unknown, and every attempt is counted
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{error}");
    assert!(begun.elapsed() <= Duration::from_secs(31), "{:?}", begun.elapsed());
    assert!((1..=3).contains(&aws.calls().take()));
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_leaves_it_open() {
    // GIVEN connections that break or cannot be made
    for make in [
        || ConnectorError::io("connection reset by peer".into()),
        || ConnectorError::timeout("connect timed out".into()),
        || ConnectorError::other("tls handshake eof".into(), None),
    ] {
        #[derive(Debug)]
        struct Broken(fn() -> ConnectorError);
        impl aws_smithy_runtime_api::client::http::HttpConnector for Broken {
            fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
                HttpConnectorFuture::ready(Err((self.0)()))
            }
        }
        let (api, _) = api(http_client_fn(move |_, _| SharedHttpConnector::new(Broken(make))));
        // WHEN a snapshot is asked for, THEN nobody claims to know whether it is there, and the reason is told
        let error = api.create_snapshot(&home(), &new()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{error}");
        let reasons = ["connection reset", "timed out", "tls handshake"];
        assert!(reasons.iter().any(|reason| error.message.contains(reason)), "{error}");
    }
}
