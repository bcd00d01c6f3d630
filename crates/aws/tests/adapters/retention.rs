//! What retention asks of RDS and of the state table.

use aws_sdk_rds::Client;
use aws_smithy_mocks::mock;
use holdfast_aws::dynamodb::StateTable;
use holdfast_core::ErrorKind;
use holdfast_core::ports::{Rds, SnapshotDeletion, Store, Unended};
use holdfast_core::rds::SnapshotStatus;
use holdfast_fakes::sample::{home, request};
use serde_json::json;

use crate::support::{mocked, rds, response, rules, west, xml, xml_error};

fn snapshot(id: &str, more: &str) -> String {
    format!(
        "<DBSnapshot><DBSnapshotIdentifier>{id}</DBSnapshotIdentifier>\
         <DBSnapshotArn>arn:aws:rds:us-west-2:1:snapshot:{id}</DBSnapshotArn>{more}</DBSnapshot>"
    )
}

#[tokio::test]
async fn manual_snapshots_come_from_all_pages_with_their_tags_and_sources() {
    // GIVEN two pages of manual snapshots, among them a copy on its way
    let tags = "<Status>available</Status>\
                <TagList><Tag><Key>holdfast:hold</Key><Value>audit</Value></Tag></TagList>";
    let copy = "<Status>copying</Status><SourceRegion>us-east-1</SourceRegion>\
                <SourceDBSnapshotIdentifier>arn:aws:rds:us-east-1:1:snapshot:b</SourceDBSnapshotIdentifier>";
    let page = |list: &str, marker: &str| format!("<DBSnapshots>{list}</DBSnapshots>{marker}");
    let first = page(&snapshot("a", tags), "<Marker>next</Marker>");
    let second = page(&snapshot("b", copy), "");
    let first = mock!(Client::describe_db_snapshots)
        .match_requests(|asked| asked.marker().is_none() && asked.snapshot_type() == Some("manual"))
        .then_http_response(move || xml("DescribeDBSnapshots", &first));
    let second = mock!(Client::describe_db_snapshots)
        .match_requests(|asked| asked.marker() == Some("next") && asked.snapshot_type() == Some("manual"))
        .then_http_response(move || xml("DescribeDBSnapshots", &second));
    // WHEN they are listed
    let found = rds(&[&first, &second]).manual_snapshots(&west()).await.unwrap();
    // THEN all are there, with what they are judged by
    assert_eq!(found.iter().map(|snapshot| snapshot.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(found[0].tags["holdfast:hold"], "audit");
    assert_eq!(found[0].source_arn, None);
    assert_eq!(found[1].status, SnapshotStatus::Creating);
    assert_eq!(found[1].source_arn.as_deref(), Some("arn:aws:rds:us-east-1:1:snapshot:b"));
}

#[tokio::test]
async fn a_page_that_does_not_come_is_no_shorter_list() {
    let body = format!("<DBSnapshots>{}</DBSnapshots><Marker>next</Marker>", snapshot("a", ""));
    let first = mock!(Client::describe_db_snapshots)
        .match_requests(|asked| asked.marker().is_none())
        .then_http_response(move || xml("DescribeDBSnapshots", &body));
    let second = mock!(Client::describe_db_snapshots)
        .match_requests(|asked| asked.marker().is_some())
        .then_http_response(|| xml_error(403, "AccessDenied", "m"));
    let error = rds(&[&first, &second]).manual_snapshots(&west()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn a_deletion_says_what_it_came_to() {
    let answered = async |code: &'static str| {
        let answer = mock!(Client::delete_db_snapshot)
            .match_requests(|asked| asked.db_snapshot_identifier() == Some("s"))
            .then_http_response(move || xml_error(400, code, "it is being copied"));
        rds(&[&answer]).delete_snapshot(&home(), "s").await
    };
    let deleted = mock!(Client::delete_db_snapshot)
        .then_http_response(|| xml("DeleteDBSnapshot", &snapshot("s", "<Status>deleted</Status>")));
    assert_eq!(rds(&[&deleted]).delete_snapshot(&home(), "s").await, Ok(SnapshotDeletion::Deleted));
    assert_eq!(answered("DBSnapshotNotFound").await, Ok(SnapshotDeletion::Gone));
    assert_eq!(
        answered("InvalidDBSnapshotState").await,
        Ok(SnapshotDeletion::Refused("it is being copied".to_owned()))
    );
    assert_eq!(answered("AccessDenied").await.unwrap_err().kind, ErrorKind::AccessDenied);
}

#[tokio::test]
async fn operations_that_have_not_ended_are_read_over_all_pages() {
    use aws_sdk_dynamodb::Client;
    let item = |id: &str, kind: &str, status: &str| json!({"operationId": {"S": id}, "type": {"S": kind}, "status": {"S": status}});
    // GIVEN two pages, and a table that leaves out what has ended
    let first = mock!(Client::query)
        .match_requests(|asked| {
            let values = asked.expression_attribute_values().unwrap();
            let ends = (0..3).filter_map(|n| values[&format!(":end{n}")].as_s().ok()).cloned();
            asked.exclusive_start_key().is_none() && ends.eq(["SUCCEEDED", "PARTIAL", "FAILED"])
        })
        .then_http_response(move || {
            let items = [item("prod-db-r1-0123456789", "BACKUP", "VALIDATING")];
            let last = json!({"operationId": {"S": "prod-db-r1-0123456789"}});
            response(200, json!({"Items": items, "LastEvaluatedKey": last}).to_string())
        });
    let second = mock!(Client::query)
        .match_requests(|asked| asked.exclusive_start_key().is_some())
        .then_http_response(move || {
            let items = [item("prod-db-r2-0123456789", "RESTORE", "RESTORING")];
            response(200, json!({"Items": items}).to_string())
        });
    let config =
        aws_sdk_dynamodb::config::Builder::from(&mocked()).interceptor(rules(&[&first, &second])).build();
    let table = StateTable::with_client(Client::from_conf(config), "t".into());
    // WHEN they are asked for, THEN both are there
    let found = table.unended(&request(json!({})).database_id).await.unwrap();
    let said = |found: &Unended| format!("{} {} {}", found.id, found.kind, found.phase);
    assert_eq!(
        found.iter().map(said).collect::<Vec<_>>(),
        ["prod-db-r1-0123456789 BACKUP VALIDATING", "prod-db-r2-0123456789 RESTORE RESTORING"]
    );
}
