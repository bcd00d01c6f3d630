//! What Cost Explorer answers, summed up, and what it does not know.

use aws_sdk_costexplorer::operation::get_cost_and_usage::GetCostAndUsageOutput;
use aws_sdk_costexplorer::operation::list_cost_allocation_tags::ListCostAllocationTagsOutput;
use aws_sdk_costexplorer::types::{CostAllocationTag, CostAllocationTagType, MetricValue, ResultByTime};
use aws_smithy_mocks::mock;

use super::*;
use crate::mocked::client;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn group(database: &str, of: &str, amount: &str, unit: &str) -> Group {
    let value = MetricValue::builder().amount(amount).unit(unit).build();
    Group::builder().keys(format!("holdfast:database${database}")).keys(of).metrics(METRIC, value).build()
}

fn page(groups: Vec<Group>, estimated: bool, next: Option<&str>) -> GetCostAndUsageOutput {
    let result = ResultByTime::builder().set_groups(Some(groups)).estimated(estimated).build();
    GetCostAndUsageOutput::builder()
        .results_by_time(result)
        .set_next_page_token(next.map(str::to_owned))
        .build()
}

fn november() -> Period {
    period(Some("2026-11"), None, day("2026-11-22")).unwrap()
}

#[test]
fn a_month_or_some_days_are_meant() {
    let of = |month: Option<&str>, days: Option<u16>| {
        period(month, days, day("2026-11-22"))
            .map(|period| (period.start.to_string(), period.end.to_string()))
    };
    let dates = |start: &str, end: &str| (start.to_owned(), end.to_owned());
    assert_eq!(of(None, None).unwrap(), dates("2026-11-01", "2026-11-23"));
    assert_eq!(of(Some("2026-10"), None).unwrap(), dates("2026-10-01", "2026-11-01"));
    assert_eq!(of(None, Some(7)).unwrap(), dates("2026-11-15", "2026-11-22"));
    let first = period(None, None, day("2026-11-01")).unwrap();
    assert!(first.start < first.end, "on the first day, too");
    for (month, days) in
        [(Some("2026-13"), None), (Some("2026-1"), None), (Some("2026-12"), None), (None, Some(0))]
    {
        assert!(matches!(of(month, days), Err(Error::Usage(_))), "{month:?} {days:?}");
    }
}

#[tokio::test]
async fn every_page_is_summed_up_by_database_and_usage() {
    let first = mock!(Client::get_cost_and_usage)
        .match_requests(|asked| {
            let absent = asked.filter().and_then(|filter| filter.not()).and_then(|not| not.tags());
            let keys: Vec<Option<&str>> = asked.group_by().iter().map(|group| group.key()).collect();
            asked.next_page_token().is_none()
                && keys == [Some("holdfast:database"), Some("USAGE_TYPE")]
                && absent.is_some_and(|tag| tag.match_options() == [MatchOption::Absent])
        })
        .then_output(|| {
            let groups = vec![
                group("prod-db", "RDS:ChargedBackupUsage", "1.25", "USD"),
                group("prod-db", "InstanceUsage:db.t4g.medium", "2.5", "USD"),
            ];
            page(groups, false, Some("more"))
        });
    let second = mock!(Client::get_cost_and_usage)
        .match_requests(|asked| asked.next_page_token() == Some("more"))
        .then_output(|| {
            let groups = vec![
                group("prod-db", "RDS:ChargedBackupUsage", "0.75", "USD"),
                group("other", "RDS:ChargedBackupUsage", "4", "USD"),
            ];
            page(groups, true, None)
        });
    let billed =
        ask(&client!(aws_sdk_costexplorer, &[&first, &second]), &november(), By::UsageType).await.unwrap();
    let lines: Vec<(&str, &str, f64)> =
        billed.lines.iter().map(|line| (line.database.as_str(), line.of.as_str(), line.cost)).collect();
    assert_eq!(
        lines,
        [
            ("other", "RDS:ChargedBackupUsage", 4.0),
            ("prod-db", "InstanceUsage:db.t4g.medium", 2.5),
            ("prod-db", "RDS:ChargedBackupUsage", 2.0),
        ]
    );
    assert!(billed.estimated);
    let said = report_table::text(&billed, &november(), None, Paint::PLAIN);
    assert!(said.contains("In all 8.50 USD; AWS still calls it an estimate."), "{said}");
    assert!(said.contains("\nprod-db  4.50 USD\n"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_summed_up_is_an_error() {
    for groups in [
        vec![group("a", "x", "much", "USD")],
        vec![group("a", "x", "1", "USD"), group("a", "x", "1", "EUR")],
        vec![Group::builder().keys("holdfast:database$a").build()],
        vec![Group::builder().keys("holdfast:database$a").keys("x").build()],
    ] {
        let answer = mock!(Client::get_cost_and_usage).then_output(move || page(groups.clone(), false, None));
        let error =
            ask(&client!(aws_sdk_costexplorer, &[&answer]), &november(), By::Service).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable(_)), "{error}");
    }
}

#[tokio::test]
async fn when_nothing_carries_the_tag_it_is_said_why_and_never_that_it_cost_nothing() {
    let tag = |status: CostAllocationTagStatus| {
        let tag = CostAllocationTag::builder().tag_key("holdfast:database").status(status);
        tag.r#type(CostAllocationTagType::UserDefined).build().unwrap()
    };
    let cases = [
        (vec![tag(CostAllocationTagStatus::Active)], TagState::Active),
        (vec![tag(CostAllocationTagStatus::Inactive)], TagState::Inactive),
        (vec![], TagState::Unknown),
    ];
    for (known, expected) in cases {
        let answer = mock!(Client::list_cost_allocation_tags)
            .match_requests(|asked| asked.tag_keys() == ["holdfast:database"])
            .then_output(move || {
                ListCostAllocationTagsOutput::builder().set_cost_allocation_tags(Some(known.clone())).build()
            });
        let state = tag_state(&client!(aws_sdk_costexplorer, &[&answer])).await.unwrap();
        assert_eq!(state, expected);
        let said = report_table::text(&Billed::default(), &november(), Some(state), Paint::PLAIN);
        assert!(said.contains("What it did cost is not known") && !said.contains("0.00"), "{said}");
    }
}
