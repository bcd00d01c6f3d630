//! What a person's command asks beside the ports.

use aws_sdk_rds::Client;
use aws_smithy_mocks::mock;
use holdfast_aws::config::Aws;
use holdfast_core::ErrorKind;
use holdfast_core::health::Quota;

use crate::support::{mocked, rds, west, xml, xml_error};

fn instance(id: &str) -> String {
    format!("<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier></DBInstance>")
}

#[tokio::test]
async fn instances_come_from_all_pages_whoever_made_them() {
    let page = |id: &str, marker: &str| format!("<DBInstances>{}</DBInstances>{marker}", instance(id));
    let (first, second) = (page("hfv-mine", "<Marker>next</Marker>"), page("prod-db", ""));
    let first = mock!(Client::describe_db_instances)
        .match_requests(|asked| asked.marker().is_none())
        .then_http_response(move || xml("DescribeDBInstances", &first));
    let second = mock!(Client::describe_db_instances)
        .match_requests(|asked| asked.marker() == Some("next"))
        .then_http_response(move || xml("DescribeDBInstances", &second));
    let found = rds(&[&first, &second]).instances(&west()).await.unwrap();
    let names: Vec<&str> = found.iter().map(|instance| instance.id.as_str()).collect();
    assert_eq!(names, ["hfv-mine", "prod-db"]);
}

#[tokio::test]
async fn a_snapshot_is_shared_with_whom_its_attribute_restore_names() {
    let answer = mock!(Client::describe_db_snapshot_attributes)
        .match_requests(|asked| asked.db_snapshot_identifier() == Some("s"))
        .then_http_response(|| {
            let attribute = |name: &str, values: &str| {
                format!(
                    "<DBSnapshotAttribute><AttributeName>{name}</AttributeName>\
                     <AttributeValues>{values}</AttributeValues></DBSnapshotAttribute>"
                )
            };
            let value = |value: &str| format!("<AttributeValue>{value}</AttributeValue>");
            let restore = attribute("restore", &format!("{}{}", value("123456789012"), value("all")));
            let result = format!(
                "<DBSnapshotAttributesResult><DBSnapshotIdentifier>s</DBSnapshotIdentifier>\
                 <DBSnapshotAttributes>{}{restore}</DBSnapshotAttributes></DBSnapshotAttributesResult>",
                attribute("another", &value("210987654321"))
            );
            xml("DescribeDBSnapshotAttributes", &result)
        });
    assert_eq!(rds(&[&answer]).shared_with(&west(), "s").await.unwrap(), ["123456789012", "all"]);
    let denied = mock!(Client::describe_db_snapshot_attributes)
        .then_http_response(|| xml_error(403, "AccessDenied", "not you"));
    let error = rds(&[&denied]).shared_with(&west(), "s").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert!(error.message.contains("DescribeDBSnapshotAttributes s in us-west-2"), "{error:?}");
}

#[tokio::test]
async fn a_quota_is_found_by_its_name() {
    let answer = || {
        mock!(Client::describe_account_attributes).then_http_response(|| {
            let quota = |name: &str, used: u32| {
                format!(
                    "<AccountQuota><AccountQuotaName>{name}</AccountQuotaName><Used>{used}</Used><Max>40</Max></AccountQuota>"
                )
            };
            let all = format!("{}{}", quota("ManualSnapshots", 3), quota("DBInstances", 7));
            xml("DescribeAccountAttributes", &format!("<AccountQuotas>{all}</AccountQuotas>"))
        })
    };
    let (one, other) = (answer(), answer());
    let found = rds(&[&one]).quota(&west(), "DBInstances").await.unwrap();
    assert_eq!(found, Some(Quota { used: 7, max: 40 }));
    assert_eq!(rds(&[&other]).quota(&west(), "DBClusters").await.unwrap(), None);
}

#[test]
fn a_command_without_a_region_is_told_to_set_one() {
    let config = mocked().to_builder().region(None).build();
    let error = Aws::of_command(config).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.message.contains("set AWS_REGION"), "{error:?}");
    assert_eq!(Aws::of_command(mocked()).unwrap().region().as_str(), "us-east-1");
}
