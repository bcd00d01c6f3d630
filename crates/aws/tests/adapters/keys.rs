//! KMS on the wire.

use aws_sdk_kms::Client;
use aws_smithy_mocks::{Rule, mock};
use holdfast_aws::config::Aws;
use holdfast_aws::kms::Kms;
use holdfast_core::ErrorKind;
use holdfast_core::health::Key;
use holdfast_core::ports::Keys;
use holdfast_fakes::sample::home;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{json_error, mocked, response, rules, west};

fn kms(answers: &[&Rule]) -> Kms {
    let config = aws_sdk_kms::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    let client = Client::from_conf(config);
    let clients = [(home(), client.clone()), (west(), client)];
    Kms::with_clients(&Aws::with_config(mocked(), home()), Some("alias/hmac".into()), clients)
}

fn key() -> Key {
    Key {
        arn: "arn:k".into(),
        state: "Enabled".into(),
        usage: "ENCRYPT_DECRYPT".into(),
        spec: "SYMMETRIC_DEFAULT".into(),
    }
}

#[tokio::test]
async fn a_key_is_what_kms_says_or_nothing() {
    // GIVEN a key that goes, THEN its state is told as it is
    let described = mock!(Client::describe_key)
        .match_requests(|asked| asked.key_id() == Some("alias/holdfast"))
        .then_http_response(|| {
            let metadata = json!({"KeyId": "k", "Arn": "arn:k", "KeyState": "PendingDeletion",
                                  "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"});
            response(200, json!({"KeyMetadata": metadata}).to_string())
        });
    let expected = Key { state: "PendingDeletion".into(), ..key() };
    assert_eq!(kms(&[&described]).key(&west(), "alias/holdfast").await, Ok(Some(expected)));
    // GIVEN an id that names none, THEN there is none
    for code in ["NotFoundException", "InvalidArnException"] {
        let none = mock!(Client::describe_key).then_http_response(move || json_error(400, code, "m"));
        assert_eq!(kms(&[&none]).key(&west(), "alias/x").await, Ok(None));
    }
    // GIVEN a role that may not look, THEN that is not the same as none
    let denied =
        mock!(Client::describe_key).then_http_response(|| json_error(400, "AccessDeniedException", "m"));
    assert_eq!(kms(&[&denied]).key(&west(), "alias/x").await.unwrap_err().kind, ErrorKind::AccessDenied);
}

#[tokio::test(start_paused = true)]
async fn whether_a_key_may_be_used_is_tried() {
    for (code, kind) in [
        // GIVEN a key that this role cannot encrypt with, THEN it is unusable
        ("AccessDeniedException", ErrorKind::KeyUnusable),
        ("DisabledException", ErrorKind::KeyUnusable),
        ("KMSInvalidStateException", ErrorKind::KeyUnusable),
        ("NotFoundException", ErrorKind::KeyUnusable),
        // GIVEN a KMS that has no time now, THEN that says nothing of the key
        ("ThrottlingException", ErrorKind::Throttled),
    ] {
        let answer = mock!(Client::generate_data_key_without_plaintext)
            .sequence()
            .http_response(move || json_error(400, code, "m"))
            .repeatedly()
            .build();
        let error = kms(&[&answer]).require_permission(&west(), &key()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
    }
    let allowed = mock!(Client::generate_data_key_without_plaintext)
        .then_http_response(|| response(200, r#"{"CiphertextBlob":"AAAA","KeyId":"k"}"#));
    assert_eq!(kms(&[&allowed]).require_permission(&west(), &key()).await, Ok(()));
}

#[tokio::test]
async fn a_password_is_derived_from_the_operation_and_told_to_nobody() {
    // GIVEN a KMS that answers a code for this operation's message
    let answer = mock!(Client::generate_mac)
        .match_requests(|asked| {
            let message = asked.message().unwrap().as_ref().to_owned();
            asked.key_id() == Some("alias/hmac") && message == b"holdfast/master-password/v1/op-1"
        })
        .then_http_response(|| response(200, r#"{"Mac":"q83v","KeyId":"k"}"#));
    // WHEN the password is derived, THEN it is the code in letters that PostgreSQL and RDS take
    let password = kms(&[&answer]).derive_password("op-1").await.unwrap();
    assert_eq!(password.expose_secret(), "abcdef");
    assert!(!format!("{password:?}").contains("abcdef"));
    // GIVEN no key for it, THEN the setting is named
    let without = Kms::new(&Aws::with_config(mocked(), home()), None);
    let error = without.derive_password("op-1").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("HOLDFAST_HMAC_KEY_ID"));
}

#[tokio::test]
async fn the_policy_of_a_key_is_read_and_its_grants_are_counted_to_the_end() {
    let policy = mock!(Client::get_key_policy)
        .match_requests(|asked| asked.key_id() == Some("arn:k") && asked.policy_name() == Some("default"))
        .then_http_response(|| response(200, json!({"Policy": "{}", "PolicyName": "default"}).to_string()));
    assert_eq!(kms(&[&policy]).policy(&west(), "arn:k").await, Ok("{}".to_owned()));
    let empty = mock!(Client::get_key_policy).then_http_response(|| response(200, "{}"));
    assert_eq!(kms(&[&empty]).policy(&west(), "arn:k").await.unwrap_err().kind, ErrorKind::OutcomeUnknown);

    let page = |grants: usize, next: Option<&str>| {
        let grants: Vec<_> =
            (0..grants).map(|n| json!({"GrantId": n.to_string(), "KeyId": "arn:k"})).collect();
        response(200, json!({"Grants": grants, "NextMarker": next, "Truncated": next.is_some()}).to_string())
    };
    let first = mock!(Client::list_grants)
        .match_requests(|asked| asked.marker().is_none())
        .then_http_response(move || page(100, Some("more")));
    let last = mock!(Client::list_grants)
        .match_requests(|asked| asked.marker() == Some("more"))
        .then_http_response(move || page(7, None));
    assert_eq!(kms(&[&first, &last]).grants(&west(), "arn:k").await, Ok(107));
    let denied = mock!(Client::list_grants)
        .match_requests(|asked| asked.marker() == Some("more"))
        .then_http_response(|| json_error(400, "AccessDeniedException", "no"));
    let cut = kms(&[&first, &denied]).grants(&west(), "arn:k").await.unwrap_err();
    assert_eq!(cut.kind, ErrorKind::AccessDenied, "half of a list is none");
}
