//! S3 on the wire.

use aws_sdk_s3::Client;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use holdfast_aws::s3::Bucket;
use holdfast_core::ErrorKind;
use holdfast_core::ports::Documents;
use holdfast_core::rds::Creation;
use serde_json::{Value, json};

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
    assert_eq!(bucket(&[&none]).get::<Value>("k").await, Ok(None));
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
        assert_eq!(bucket(&[&answer]).get::<Value>("k").await.unwrap_err().kind, kind, "{code}");
    }
    let torn = mock!(Client::get_object).then_http_response(|| response(200, r#"{"a": "#));
    assert_eq!(bucket(&[&torn]).get::<Value>("k").await.unwrap_err().kind, ErrorKind::UnreadableRecord);
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

#[tokio::test(start_paused = true)]
async fn the_keys_of_a_folder_are_listed_to_the_last_page() {
    // A page of a listing as S3 writes it.
    let page = |keys: &[&str], next: Option<&str>| {
        let contents: String =
            keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        let more = next.map_or_else(
            || "<IsTruncated>false</IsTruncated>".to_owned(),
            |token| {
                format!(
                    "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
                )
            },
        );
        response(200, format!("<?xml version=\"1.0\"?><ListBucketResult>{more}{contents}</ListBucketResult>"))
    };
    // GIVEN a folder whose listing takes two pages
    let first = mock!(Client::list_objects_v2)
        .match_requests(|asked| asked.prefix() == Some("units/") && asked.continuation_token().is_none())
        .then_http_response(move || page(&["units/0.json", "units/1.json"], Some("t")));
    let second = mock!(Client::list_objects_v2)
        .match_requests(|asked| asked.prefix() == Some("units/") && asked.continuation_token() == Some("t"))
        .then_http_response(move || page(&["units/2.json"], None));
    // WHEN it is listed, THEN all keys are there
    let keys = bucket(&[&first, &second]).keys("units/").await;
    assert_eq!(keys.unwrap(), ["units/0.json", "units/1.json", "units/2.json"]);
    // GIVEN an empty one, THEN there are none
    let empty = mock!(Client::list_objects_v2).then_http_response(move || page(&[], None));
    assert_eq!(bucket(&[&empty]).keys("units/").await.unwrap(), [""; 0]);
    // GIVEN a second page that may not be read, THEN the first is not taken for all
    let first = mock!(Client::list_objects_v2)
        .match_requests(|asked| asked.continuation_token().is_none())
        .then_http_response(move || page(&["units/0.json"], Some("t")));
    let denied = mock!(Client::list_objects_v2)
        .match_requests(|asked| asked.continuation_token().is_some())
        .sequence()
        .http_response(|| error(403, "AccessDenied"))
        .repeatedly()
        .build();
    let error = bucket(&[&first, &denied]).keys("units/").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
}

#[tokio::test(start_paused = true)]
async fn a_page_says_what_it_is() {
    // GIVEN a bucket, WHEN a page is put, THEN a browser is told that it is one, and in which encoding
    let put = mock!(Client::put_object)
        .match_requests(|asked| {
            asked.content_type() == Some("text/html; charset=utf-8")
                && asked.key() == Some("reports/o.html")
                && asked.body().bytes() == Some("<p>é</p>".as_bytes())
        })
        .then_http_response(|| response(200, ""));
    assert_eq!(bucket(&[&put]).put_page("reports/o.html", "<p>é</p>").await, Ok(()));
    // GIVEN a bucket that refuses it, THEN that is said by name
    let refused = mock!(Client::put_object).then_http_response(|| error(403, "AccessDenied"));
    let answer = bucket(&[&refused]).put_page("reports/o.html", "").await;
    assert_eq!(answer.unwrap_err().kind, ErrorKind::AccessDenied);
}
