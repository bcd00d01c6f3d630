//! IAM on the wire.

use aws_sdk_iam::Client;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use holdfast_aws::iam::Iam;
use holdfast_core::ports::Roles;
use holdfast_core::{ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::support::{mocked, response, rules};

const ARN: &str = "arn:aws:iam::000000000000:role/monitoring/rds-monitoring-role";

async fn asked(answer: &Rule) -> Result<Option<Vec<String>>> {
    let config = aws_sdk_iam::config::Builder::from(&mocked()).interceptor(rules(&[answer])).build();
    Iam::with_client(Client::from_conf(config)).trusted_services(ARN).await
}

/// A role as IAM writes it: its trust policy percent-encoded.
fn role(arn: &str, trust: &str) -> HttpResponse {
    let trust = utf8_percent_encode(trust, NON_ALPHANUMERIC);
    let role = format!(
        "<Path>/</Path><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>{arn}</Arn><CreateDate>2026-11-20T06:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>"
    );
    let inside = format!("<GetRoleResult><Role>{role}</Role></GetRoleResult>");
    response(
        200,
        format!(
            "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">{inside}</GetRoleResponse>"
        ),
    )
}

fn refused(status: u16, code: &str) -> HttpResponse {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>");
    response(status, format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"))
}

#[tokio::test]
async fn the_services_that_may_take_a_role_are_read_from_every_form_of_its_trust() {
    for (trust, services) in [
        (
            r#"{"Statement": [{"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}}]}"#,
            vec!["monitoring.rds.amazonaws.com"],
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Principal": {"Service": ["a.amazonaws.com", "b.amazonaws.com"]}}}"#,
            vec!["a.amazonaws.com", "b.amazonaws.com"],
        ),
        (
            r#"{"Statement": [{"Effect": "Deny", "Principal": {"Service": "monitoring.rds.amazonaws.com"}},
                              {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}},
                              {"Effect": "Allow", "Principal": "*"}]}"#,
            vec![],
        ),
    ] {
        // A path is no part of the name.
        let answer = mock!(Client::get_role)
            .match_requests(|asked| asked.role_name() == Some("rds-monitoring-role"))
            .then_http_response(move || role(ARN, trust));
        let found = asked(&answer).await.unwrap();
        assert_eq!(found, Some(services.into_iter().map(str::to_owned).collect()), "{trust}");
    }
}

#[tokio::test]
async fn a_role_that_is_not_there_is_none_and_to_be_denied_is_not() {
    for code in ["NoSuchEntity", "ValidationError"] {
        let gone = mock!(Client::get_role).then_http_response(move || refused(404, code));
        assert_eq!(asked(&gone).await, Ok(None));
    }
    // A role of that name elsewhere is another.
    let trust =
        r#"{"Statement": {"Effect": "Allow", "Principal": {"Service": "monitoring.rds.amazonaws.com"}}}"#;
    let other = mock!(Client::get_role)
        .then_http_response(move || role("arn:aws:iam::000000000000:role/rds-monitoring-role", trust));
    assert_eq!(asked(&other).await, Ok(None));
    let denied = mock!(Client::get_role).then_http_response(|| refused(403, "AccessDenied"));
    assert_eq!(asked(&denied).await.unwrap_err().kind, ErrorKind::AccessDenied);
    let odd = mock!(Client::get_role).then_http_response(|| role(ARN, "no policy"));
    assert_eq!(asked(&odd).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
}
