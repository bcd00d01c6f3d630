//! Secrets Manager on the wire.

use aws_sdk_secretsmanager::Client;
use aws_smithy_mocks::{Rule, mock};
use holdfast_aws::config::Aws;
use holdfast_aws::secrets::SourceLogins;
use holdfast_core::ErrorKind;
use holdfast_core::ids::Region;
use holdfast_core::ports::Logins;
use holdfast_core::rds::Endpoint;
use holdfast_fakes::sample::home;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{json_error, mocked, response, rules};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:holdfast/prod-db-AbCdEf";

fn logins(answer: &Rule) -> SourceLogins {
    let config =
        aws_sdk_secretsmanager::config::Builder::from(&mocked()).interceptor(rules(&[answer])).build();
    SourceLogins::with_client(&Aws::with_config(mocked(), home()), Client::from_conf(config))
}

#[tokio::test]
async fn a_secret_is_its_text_or_nothing() {
    // GIVEN a secret, THEN it is its text, and its text is told to nobody
    let there = mock!(Client::get_secret_value)
        .match_requests(|asked| asked.secret_id() == Some(ARN))
        .then_http_response(|| response(200, json!({"ARN": ARN, "SecretString": "s3cret"}).to_string()));
    let secret = logins(&there).secret(ARN).await.unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "s3cret");
    assert!(!format!("{secret:?}").contains("s3cret"));
    // GIVEN no such secret, THEN there is none
    let none = mock!(Client::get_secret_value)
        .then_http_response(|| json_error(400, "ResourceNotFoundException", "m"));
    assert!(logins(&none).secret(ARN).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_had_has_a_name() {
    for (code, kind) in [
        ("AccessDeniedException", ErrorKind::AccessDenied),
        ("DecryptionFailure", ErrorKind::KeyUnusable),
        ("InvalidRequestException", ErrorKind::BaselineUnreadable),
        ("ThrottlingException", ErrorKind::Throttled),
    ] {
        let refused = mock!(Client::get_secret_value)
            .sequence()
            .http_response(move || json_error(400, code, "m"))
            .repeatedly()
            .build();
        let error = logins(&refused).secret(ARN).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert!(error.message.contains(ARN), "{}", error.message);
    }
    // GIVEN bytes instead of text, THEN they are no password
    let binary = mock!(Client::get_secret_value)
        .then_http_response(|| response(200, json!({"ARN": ARN, "SecretBinary": "q83v"}).to_string()));
    let error = logins(&binary).secret(ARN).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BaselineUnreadable);
    assert!(error.message.contains("binary"), "{}", error.message);
}

#[tokio::test]
async fn a_token_is_for_the_user_at_the_place() {
    let none = mock!(Client::get_secret_value).then_http_response(|| response(500, ""));
    // GIVEN a server in another Region than this function's
    let endpoint = Endpoint { host: "prod-db.x.us-west-2.rds.amazonaws.com".into(), port: 5433 };
    let west = Region::parse("us-west-2").unwrap();
    let token = logins(&none).iam_token(&west, &endpoint, "holdfast_reader").await.unwrap();
    let begin = "prod-db.x.us-west-2.rds.amazonaws.com:5433/?Action=connect&DBUser=holdfast_reader&X-Amz-";
    assert!(token.expose_secret().starts_with(begin));
    assert!(token.expose_secret().contains("us-west-2%2Frds-db%2Faws4_request"));
}
