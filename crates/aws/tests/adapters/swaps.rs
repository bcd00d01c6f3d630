//! A swap: renames and stops in RDS, a CNAME in Route 53, versions of a secret.

use std::sync::{Arc, Mutex};

use aws_sdk_route53::types::{ChangeAction, RrType};
use aws_smithy_mocks::{Rule, mock};
use holdfast_aws::config::Aws;
use holdfast_aws::route53::Route53;
use holdfast_aws::secrets::SourceLogins;
use holdfast_core::ErrorKind;
use holdfast_core::ports::{Dns, FoundRecord, RenameAnswer, Renames, Secrets};
use holdfast_fakes::sample::home;
use secrecy::{ExposeSecret, SecretString};

use crate::support::{mocked, rds, response, rules, xml_error};

fn route53(answers: &[&Rule]) -> Route53 {
    let config = aws_sdk_route53::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    Route53::with_client(aws_sdk_route53::Client::from_conf(config))
}

fn secrets(answers: &[&Rule]) -> SourceLogins {
    let config = aws_sdk_secretsmanager::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    let client = aws_sdk_secretsmanager::Client::from_conf(config);
    SourceLogins::with_client(&Aws::with_config(mocked(), home()), client)
}

#[tokio::test]
async fn an_instance_is_renamed_at_once_and_what_is_in_the_way_is_told() {
    let asked = Arc::new(Mutex::new(None));
    let keep = asked.clone();
    let rule = mock!(aws_sdk_rds::Client::modify_db_instance)
        .match_requests(move |request| {
            *keep.lock().unwrap() = Some(request.clone());
            true
        })
        .sequence()
        .output(|| aws_sdk_rds::operation::modify_db_instance::ModifyDbInstanceOutput::builder().build())
        .http_response(|| xml_error(400, "DBInstanceAlreadyExists", "taken"))
        .http_response(|| xml_error(400, "InvalidDBInstanceState", "busy"))
        .http_response(|| xml_error(404, "DBInstanceNotFound", "gone"))
        .http_response(|| xml_error(403, "AccessDenied", "no"))
        .build();
    let rds = rds(&[&rule]);
    let home = home();
    for expected in [RenameAnswer::Started, RenameAnswer::Taken, RenameAnswer::NotNow, RenameAnswer::NotNow] {
        assert_eq!(rds.rename(&home, "prod-db", "prod-db-old").await.unwrap(), expected);
    }
    assert_eq!(rds.rename(&home, "prod-db", "x").await.unwrap_err().kind, ErrorKind::AccessDenied);
    let asked = asked.lock().unwrap().clone().unwrap();
    assert_eq!((asked.db_instance_identifier(), asked.apply_immediately()), (Some("prod-db"), Some(true)));
    assert_eq!(asked.new_db_instance_identifier(), Some("x"));
    // Nothing else is changed by it.
    assert_eq!((asked.master_user_password(), asked.db_instance_class()), (None, None));
}

#[tokio::test]
async fn an_instance_that_cannot_be_stopped_now_is_no_error() {
    let rule = mock!(aws_sdk_rds::Client::stop_db_instance)
        .match_requests(|request| request.db_instance_identifier() == Some("prod-db-old"))
        .sequence()
        .output(|| aws_sdk_rds::operation::stop_db_instance::StopDbInstanceOutput::builder().build())
        .http_response(|| xml_error(400, "InvalidDBInstanceState", "busy"))
        .http_response(|| xml_error(404, "DBInstanceNotFound", "gone"))
        .build();
    let rds = rds(&[&rule]);
    assert!(rds.stop(&home(), "prod-db-old").await.unwrap());
    assert!(!rds.stop(&home(), "prod-db-old").await.unwrap());
    assert!(rds.stop(&home(), "prod-db-old").await.is_err());
}

#[tokio::test]
async fn an_instance_that_cannot_be_started_now_is_no_error() {
    let rule = mock!(aws_sdk_rds::Client::start_db_instance)
        .match_requests(|request| request.db_instance_identifier() == Some("prod-db-old"))
        .sequence()
        .output(|| aws_sdk_rds::operation::start_db_instance::StartDbInstanceOutput::builder().build())
        .http_response(|| xml_error(400, "InvalidDBInstanceState", "busy"))
        .http_response(|| xml_error(404, "DBInstanceNotFound", "gone"))
        .build();
    let rds = rds(&[&rule]);
    assert!(rds.start(&home(), "prod-db-old").await.unwrap());
    assert!(!rds.start(&home(), "prod-db-old").await.unwrap());
    assert!(rds.start(&home(), "prod-db-old").await.is_err());
}

fn listed(sets: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
         <ResourceRecordSets>{sets}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>10</MaxItems>\
         </ListResourceRecordSetsResponse>"
    )
}

fn set(name: &str, kind: &str, more: &str, values: &[&str]) -> String {
    let values: String = values
        .iter()
        .map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>"))
        .collect();
    format!(
        "<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type>{more}<TTL>30</TTL>\
         <ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>"
    )
}

#[tokio::test]
async fn only_a_plain_cname_is_one_that_can_be_pointed() {
    let other = |kind: &str| FoundRecord::Other(kind.to_owned());
    let weighted = "<SetIdentifier>a</SetIdentifier><Weight>1</Weight>";
    let cases = [
        (
            set("DB.example.com.", "CNAME", "", &["old.host."]),
            FoundRecord::Cname { ttl: 30, value: "old.host".into() },
        ),
        (set("db.example.com.", "A", "", &["10.0.0.1"]), other("A")),
        (
            set("db.example.com.", "A", "", &["10.0.0.1"]) + &set("db.example.com.", "AAAA", "", &["::1"]),
            other("A among others"),
        ),
        (
            set("db.example.com.", "CNAME", weighted, &["old.host."]),
            other("CNAME with a routing policy or an alias"),
        ),
        // The list goes on with the next name.
        (set("other.example.com.", "CNAME", "", &["old.host."]), FoundRecord::Missing),
        (String::new(), FoundRecord::Missing),
    ];
    for (sets, expected) in cases {
        let body = listed(&sets);
        let rule = mock!(aws_sdk_route53::Client::list_resource_record_sets)
            .match_requests(|request| {
                request.hosted_zone_id() == Some("Z1")
                    && request.start_record_name() == Some("db.example.com")
            })
            .then_http_response(move || response(200, body.clone()));
        assert_eq!(route53(&[&rule]).record("Z1", "db.example.com").await.unwrap(), expected, "{sets}");
    }
    let rule = mock!(aws_sdk_route53::Client::list_resource_record_sets)
        .then_http_response(|| xml_error(404, "NoSuchHostedZone", "none"));
    assert_eq!(route53(&[&rule]).record("Z1", "db.example.com").await.unwrap(), FoundRecord::NoZone);
}

#[tokio::test(start_paused = true)]
async fn a_record_is_pointed_with_the_time_that_it_had() {
    let asked = Arc::new(Mutex::new(None));
    let keep = asked.clone();
    let rule = mock!(aws_sdk_route53::Client::change_resource_record_sets)
        .match_requests(move |request| {
            *keep.lock().unwrap() = Some(request.clone());
            true
        })
        .sequence()
        .http_response(|| {
            response(
                200,
                "<?xml version=\"1.0\"?><ChangeResourceRecordSetsResponse \
                 xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeInfo><Id>/change/C1</Id>\
                 <Status>PENDING</Status><SubmittedAt>2026-11-20T06:00:00Z</SubmittedAt></ChangeInfo>\
                 </ChangeResourceRecordSetsResponse>",
            )
        })
        .http_response(|| xml_error(400, "PriorRequestNotComplete", "wait"))
        .repeatedly()
        .build();
    let dns = route53(&[&rule]);
    dns.point("Z1", "db.example.com", 30, "new.host").await.unwrap();
    let asked = asked.lock().unwrap().clone().unwrap();
    let change = &asked.change_batch().unwrap().changes()[0];
    let set = change.resource_record_set().unwrap();
    assert_eq!((asked.hosted_zone_id(), change.action()), (Some("Z1"), &ChangeAction::Upsert));
    assert_eq!((set.name(), set.r#type(), set.ttl()), ("db.example.com", &RrType::Cname, Some(30)));
    assert_eq!(set.resource_records()[0].value(), "new.host");
    // Another change under way is waited for.
    assert_eq!(dns.point("Z1", "db.example.com", 30, "x").await.unwrap_err().kind, ErrorKind::Throttled);
}

#[tokio::test]
async fn a_secrets_versions_are_told_apart() {
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app";
    let current = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
        .match_requests(|request| request.version_stage().is_none())
        .sequence()
        .http_response(|| response(200, r#"{"VersionId": "v1", "SecretString": "{}"}"#))
        .http_response(|| response(200, r#"{"VersionId": "v1", "SecretBinary": "AAAA"}"#))
        .http_response(|| response(400, r#"{"__type": "ResourceNotFoundException", "message": "none"}"#))
        .build();
    let previous = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
        .match_requests(|request| request.version_stage() == Some("AWSPREVIOUS"))
        .sequence()
        .http_response(|| response(200, r#"{"VersionId": "v0", "SecretString": "{}"}"#))
        .http_response(|| response(400, r#"{"__type": "ResourceNotFoundException", "message": "none"}"#))
        .build();
    let put = mock!(aws_sdk_secretsmanager::Client::put_secret_value)
        .match_requests(|request| {
            request.client_request_token() == Some("token") && request.secret_string() == Some("{\"a\":1}")
        })
        .then_http_response(|| response(200, "{}"));
    let back = mock!(aws_sdk_secretsmanager::Client::update_secret_version_stage)
        .match_requests(|request| {
            request.version_stage() == Some("AWSCURRENT")
                && request.move_to_version_id() == Some("v1")
                && request.remove_from_version_id() == Some("v2")
        })
        .then_http_response(|| response(200, "{}"));
    let secrets = secrets(&[&current, &previous, &put, &back]);
    assert_eq!(secrets.previous(arn).await.unwrap().as_deref(), Some("v0"));
    assert_eq!(secrets.previous(arn).await.unwrap(), None);
    let found = secrets.current(arn).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.text.expose_secret()), ("v1", "{}"));
    assert_eq!(secrets.current(arn).await.unwrap_err().kind, ErrorKind::ReferenceUnresolved);
    assert!(secrets.current(arn).await.unwrap().is_none());
    secrets.put(arn, "token", &SecretString::from("{\"a\":1}")).await.unwrap();
    secrets.make_current(arn, "v1", "v2").await.unwrap();
    assert_eq!((put.num_calls(), back.num_calls()), (1, 1));
}
