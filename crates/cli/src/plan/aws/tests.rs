//! What is asked of AWS, call by call.

use aws_sdk_rds::operation::describe_db_instances::DescribeDbInstancesOutput;
use aws_sdk_rds::types::{DbInstance, Tag};
use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::types::error::NoSuchKey;
use aws_sdk_scheduler::operation::get_schedule_group::GetScheduleGroupOutput;
use aws_sdk_scheduler::operation::list_schedules::ListSchedulesOutput;
use aws_sdk_scheduler::types::ScheduleSummary;
use aws_smithy_mocks::{Rule, mock};

use super::*;
use crate::mocked::client;

fn account(s3: &[&Rule], rds: &[&Rule], scheduler: &[&Rule]) -> Aws {
    Aws {
        scheduler: client!(aws_sdk_scheduler, scheduler),
        rds: client!(aws_sdk_rds, rds),
        s3: client!(aws_sdk_s3, s3),
        lambda: client!(aws_sdk_lambda, &[]),
        region: Region::parse("us-east-1").unwrap(),
        group: "holdfast".to_owned(),
        bucket: "metadata".to_owned(),
        prune_function: None,
    }
}

fn plan() -> ProtectionPlan {
    ProtectionPlan { version: 1, name: "shop".to_owned(), databases: BTreeMap::new(), kept: BTreeMap::new() }
}

#[tokio::test]
async fn settings_are_stored_only_over_what_was_looked_at() {
    let before = Stored { plan: plan(), etag: "\"one\"".to_owned() };
    // GIVEN something there, THEN only over that version of it; GIVEN nothing, THEN only where there is nothing
    let over = mock!(aws_sdk_s3::Client::put_object)
        .match_requests(|put| {
            (put.bucket(), put.key(), put.if_match(), put.if_none_match())
                == (Some("metadata"), Some(KEY), Some("\"one\""), None)
        })
        .then_output(|| PutObjectOutput::builder().e_tag("\"two\"").build());
    assert_eq!(
        account(&[&over], &[], &[]).store(&plan(), Some(&before)).await.unwrap(),
        Written::Done("\"two\"".to_owned())
    );
    let new = mock!(aws_sdk_s3::Client::put_object)
        .match_requests(|put| (put.if_match(), put.if_none_match()) == (None, Some("*")))
        .then_output(|| PutObjectOutput::builder().e_tag("\"one\"").build());
    assert_eq!(
        account(&[&new], &[], &[]).store(&plan(), None).await.unwrap(),
        Written::Done("\"one\"".to_owned())
    );
    // AND what S3 says when something else is there is told from what it says else
    for code in ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"] {
        let refused = mock!(aws_sdk_s3::Client::put_object)
            .then_error(move || PutObjectError::generic(ErrorMetadata::builder().code(code).build()));
        let written = account(&[&refused], &[], &[]).store(&plan(), Some(&before)).await.unwrap();
        assert_eq!(written, Written::Changed, "{code}");
    }
    let denied = mock!(aws_sdk_s3::Client::put_object)
        .then_error(|| PutObjectError::generic(ErrorMetadata::builder().code("AccessDenied").build()));
    assert!(account(&[&denied], &[], &[]).store(&plan(), None).await.is_err());
}

#[tokio::test]
async fn what_is_stored_comes_with_its_tag_and_what_cannot_be_read_is_not_taken_for_nothing() {
    let holding = |text: &'static str| {
        mock!(aws_sdk_s3::Client::get_object).match_requests(|get| get.key() == Some(KEY)).then_output(
            move || {
                let body = ByteStream::from_static(text.as_bytes());
                GetObjectOutput::builder().e_tag("\"one\"").body(body).build()
            },
        )
    };
    let there = holding(r#"{"version": 1, "name": "shop", "databases": {}}"#);
    let stored = account(&[&there], &[], &[]).stored().await.unwrap();
    assert_eq!(stored, Some(Stored { plan: plan(), etag: "\"one\"".to_owned() }));
    let none = mock!(aws_sdk_s3::Client::get_object).then_error(|| {
        GetObjectError::NoSuchKey(
            NoSuchKey::builder().meta(ErrorMetadata::builder().code("NoSuchKey").build()).build(),
        )
    });
    assert_eq!(account(&[&none], &[], &[]).stored().await.unwrap(), None);
    for text in ["{", r#"{"version": 2, "name": "shop", "databases": {}}"#] {
        let error = account(&[&holding(text)], &[], &[]).stored().await.unwrap_err();
        assert!(error.to_string().starts_with("s3://metadata/protection/plan.json: "), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_backed_up_by_itself_is_known_for_it() {
    let instance = |id: &str| DbInstance::builder().db_instance_identifier(id);
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let pages = mock!(aws_sdk_rds::Client::describe_db_instances)
        .match_requests(|ask| ask.marker().is_none())
        .then_output(move || {
            DescribeDbInstancesOutput::builder()
                .db_instances(instance("prod-db").tag_list(tag("Team", "shop")).build())
                .db_instances(instance("member").db_cluster_identifier("aurora").build())
                .marker("next")
                .build()
        });
    let last = mock!(aws_sdk_rds::Client::describe_db_instances)
        .match_requests(|ask| ask.marker() == Some("next"))
        .then_output(move || {
            let temporary = instance("hfv-x").tag_list(tag("holdfast:temporary", "validation"));
            DescribeDbInstancesOutput::builder().db_instances(temporary.build()).build()
        });
    let found = account(&[], &[&pages, &last], &[]).instances().await.unwrap();
    assert_eq!(
        found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(),
        ["prod-db", "member", "hfv-x"]
    );
    assert_eq!((found[0].tags["Team"].as_str(), &found[0].unfit), ("shop", &None));
    assert!(found[1].unfit.as_ref().is_some_and(|why| why.contains("cluster aurora")), "{found:?}");
    assert!(found[2].unfit.as_ref().is_some_and(|why| why.contains("temporary")), "{found:?}");
}

#[tokio::test]
async fn every_page_of_schedules_is_read() {
    let group = mock!(aws_sdk_scheduler::Client::get_schedule_group)
        .match_requests(|ask| ask.name() == Some("holdfast"))
        .then_output(|| GetScheduleGroupOutput::builder().build());
    let page = |token: Option<&'static str>, name: &'static str, next: Option<&'static str>| {
        mock!(aws_sdk_scheduler::Client::list_schedules)
            .match_requests(move |ask| ask.group_name() == Some("holdfast") && ask.next_token() == token)
            .then_output(move || {
                let schedule = ScheduleSummary::builder().name(name).build();
                ListSchedulesOutput::builder()
                    .schedules(schedule)
                    .set_next_token(next.map(str::to_owned))
                    .build()
                    .unwrap()
            })
    };
    let get = mock!(aws_sdk_scheduler::Client::get_schedule)
        .match_requests(|ask| ask.group_name() == Some("holdfast"))
        .then_output(|| GetScheduleOutput::builder().schedule_expression("rate(1 days)").build());
    let rules = [&group, &page(None, "one", Some("t")), &page(Some("t"), "other", None), &get];
    let there = account(&[], &[], &rules).schedules().await.unwrap();
    assert_eq!(there.keys().collect::<Vec<_>>(), ["one", "other"]);
    assert_eq!(
        (there["one"].expression.as_str(), there["one"].enabled, there["one"].window_minutes),
        ("rate(1 days)", false, None)
    );
}

#[tokio::test]
async fn what_is_deployed_is_known_whole_or_not_at_all() {
    use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
    use aws_sdk_lambda::types::EnvironmentResponse;
    use holdfast_core::retention::Policy;
    let deployed = async |without: Option<&'static str>| {
        let function = mock!(aws_sdk_lambda::Client::get_function_configuration)
            .match_requests(|ask| ask.function_name() == Some("prune"))
            .then_output(move || {
                let numbers = [
                    ("HOLDFAST_KEEP_DAILY", "1"),
                    ("HOLDFAST_KEEP_WEEKLY", "2"),
                    ("HOLDFAST_KEEP_MONTHLY", "60"),
                    ("HOLDFAST_KEEP_YEARLY", "4"),
                    ("HOLDFAST_KEEP_AT_LEAST", "5"),
                    ("HOLDFAST_INSPECTION_DAYS", "6"),
                ];
                let mut told = EnvironmentResponse::builder();
                for (name, number) in numbers.into_iter().filter(|(name, _)| Some(*name) != without) {
                    told = told.variables(name, number);
                }
                GetFunctionConfigurationOutput::builder().environment(told.build()).build()
            });
        let prune_function = Some("prune".to_owned());
        let lambda = client!(aws_sdk_lambda, &[&function]);
        Aws { lambda, prune_function, ..account(&[], &[], &[]) }.deployed().await
    };
    let whole = Policy { daily: 1, weekly: 2, monthly: 60, yearly: 4, minimum: 5, inspection_days: 6 };
    assert_eq!(deployed(None).await, Some(whole));
    assert_eq!(deployed(Some("HOLDFAST_KEEP_YEARLY")).await, None);
    assert_eq!(account(&[], &[], &[]).deployed().await, None);
}
