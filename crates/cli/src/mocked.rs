//! AWS clients whose answers a test writes.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::cloud::Cloud;

/// A client of an SDK's crate in us-east-1 that answers each call by the first rule that matches it and has an answer left.
macro_rules! client {
    ($sdk:ident, $rules:expr) => {{
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::from_static("us-east-1"))
            .credentials_provider($sdk::config::Credentials::new("a", "b", None, None, "test"))
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .http_client(aws_smithy_mocks::create_mock_http_client())
            .interceptor($crate::mocked::answers($rules));
        $sdk::Client::from_conf(config.build())
    }};
}
pub(crate) use client;

/// What [`client`] answers by.
pub(crate) fn answers(rules: &[&Rule]) -> MockResponseInterceptor {
    let none = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
    rules.iter().fold(none, |answers, rule| answers.with_rule(rule))
}

/// A body as the service sends it: an error that a test builds has no code.
pub(crate) fn response(status: u16, body: impl ToString) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("the test writes a status code");
    HttpResponse::new(status, SdkBody::from(body.to_string()))
}

/// What a verb talks to, where nobody answers: a test puts in the clients that it has answers for.
pub(crate) fn cloud() -> Cloud {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .http_client(aws_smithy_mocks::create_mock_http_client())
        .build();
    Cloud::new(&config, "T".to_owned())
}
