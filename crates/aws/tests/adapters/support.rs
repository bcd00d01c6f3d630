//! Clients whose answers the tests write: real bodies, since a bare error carries no code.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::ids::Region;
use holdfast_fakes::sample::home;

pub use holdfast_fakes::sample::region;

/// What the functions are configured with, but for the HTTP client.
pub fn sdk_config(http: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(std::time::Duration::from_secs(10))
                .operation_timeout(std::time::Duration::from_secs(30))
                .build(),
        )
        .build()
}

/// A configuration whose calls are answered by rules.
pub fn mocked() -> SdkConfig {
    sdk_config(create_mock_http_client())
}

/// Answers each call by the first rule that matches it and has an answer left.
pub fn rules(rules: &[&Rule]) -> MockResponseInterceptor {
    let empty = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
    rules.iter().fold(empty, |interceptor, rule| interceptor.with_rule(rule))
}

/// RDS in us-east-1 and us-west-2, answered by `answers`.
pub fn rds(answers: &[&Rule]) -> RdsApi {
    let config = aws_sdk_rds::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    let client = aws_sdk_rds::Client::from_conf(config);
    let aws = Aws::with_config(mocked(), home());
    RdsApi::with_clients(&aws, [(home(), client.clone()), (west(), client)])
}

pub fn west() -> Region {
    region("us-west-2")
}

pub fn response(status: u16, body: impl Into<String>) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.into()))
}

/// An error as RDS writes it.
pub fn xml_error(status: u16, code: &str, message: &str) -> HttpResponse {
    response(
        status,
        format!(
            "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        ),
    )
}

/// An answer as RDS writes it.
pub fn xml(action: &str, result: &str) -> HttpResponse {
    response(
        200,
        format!(
            "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{result}\
             </{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

/// An error as the JSON services write it.
pub fn json_error(status: u16, code: &str, message: &str) -> HttpResponse {
    response(status, format!("{{\"__type\":\"com.amazonaws#{code}\",\"message\":\"{message}\"}}"))
}
