//! S3 on the wire.

use aws_sdk_s3::Client;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use holdfast_aws::s3::Bucket;
use holdfast_core::ErrorKind;
use holdfast_core::ports::Documents;
use holdfast_core::rds::Creation;
use serde_json::json;

use crate::support::{mocked, response, rules};

fn bucket(answers: &[&Rule]) -> Bucket {
    let config = aws_sdk_s3::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    Bucket::with_client(Client::from_conf(config), "metadata".into())
}

/// An error as S3 writes it.
fn error(status: u16, code: &str) -> HttpResponse {
    response(status, format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>"))
}

#[tokio::test(start_paused = true)]
async fn a_document_is_there_or_not_or_not_known() {
    // GIVEN a document, THEN it is read
    let there = mock!(Client::get_object)
        .match_requests(|asked| asked.bucket() == Some("metadata") && asked.key() == Some("reports/o.json"))
        .then_http_response(|| response(200, r#"{"a": 1}"#));
    assert_eq!(bucket(&[&there]).get("reports/o.json").await, Ok(Some(json!({"a": 1}))));
    // GIVEN none, THEN there is none
    let none = mock!(Client::get_object).then_http_response(|| error(404, "NoSuchKey"));
    assert_eq!(bucket(&[&none]).get("k").await, Ok(None));
    // GIVEN no bucket, no permission, no time, or no JSON, THEN that is not the same as none
    for (status, code, kind) in [
        (404, "NoSuchBucket", ErrorKind::Internal),
        (403, "AccessDenied", ErrorKind::AccessDenied),
        (503, "SlowDown", ErrorKind::Throttled),
        (500, "InternalError", ErrorKind::OutcomeUnknown),
    ] {
        let answer = mock!(Client::get_object)
            .sequence()
            .http_response(move || error(status, code))
            .repeatedly()
            .build();
        assert_eq!(bucket(&[&answer]).get("k").await.unwrap_err().kind, kind, "{code}");
    }
    let torn = mock!(Client::get_object).then_http_response(|| response(200, r#"{"a": "#));
    assert_eq!(bucket(&[&torn]).get("k").await.unwrap_err().kind, ErrorKind::UnreadableRecord);
}

#[tokio::test(start_paused = true)]
async fn a_document_is_written_over_only_when_that_is_meant() {
    let document = json!({"a": 1});
    // GIVEN a bucket, WHEN a document is put, THEN it is put unconditionally
    let put = mock!(Client::put_object)
        .match_requests(|asked| asked.if_none_match().is_none() && asked.key() == Some("k"))
        .then_http_response(|| response(200, ""));
    assert_eq!(bucket(&[&put]).put("k", &document).await, Ok(()));
    // WHEN it is created, THEN only where there is none
    let create = |answer: fn() -> HttpResponse| {
        mock!(Client::put_object)
            .match_requests(|asked| asked.if_none_match() == Some("*"))
            .sequence()
            .http_response(answer)
            .repeatedly()
            .build()
    };
    let done = create(|| response(200, ""));
    assert_eq!(bucket(&[&done]).create("k", &document).await, Ok(Creation::Created(())));
    let taken = create(|| error(412, "PreconditionFailed"));
    assert_eq!(bucket(&[&taken]).create("k", &document).await, Ok(Creation::AlreadyThere));
    // AND where somebody else is writing it at this moment, the next attempt looks
    let racing = create(|| error(409, "ConditionalRequestConflict"));
    let error = bucket(&[&racing]).create("k", &document).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}
