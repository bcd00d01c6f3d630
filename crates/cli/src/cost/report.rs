//! `holdfast cost report`: what protection did cost, by the tags of what it made, as Cost Explorer says.

use std::collections::BTreeMap;

use aws_sdk_costexplorer::Client;
use aws_sdk_costexplorer::types::{
    CostAllocationTagStatus, DateInterval, Expression, Granularity, Group, GroupDefinition,
    GroupDefinitionType, MatchOption, TagValues,
};
use clap::{Args, ValueEnum};
use holdfast_core::tags;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use serde_json::json;

use super::report_table;
use crate::backup::Output;
use crate::paint::Paint;
use crate::{Error, cloud, exit};

/// What is summed up. Source: AWS Cost Management User Guide, "Understanding Cost Explorer", unblended costs.
const METRIC: &str = "UnblendedCost";
/// Where Cost Explorer is, whatever Region anything else is in (AWS General Reference, "AWS Cost Explorer endpoints").
const REGION: &str = "us-east-1";
/// Most days that are reported at once: Cost Explorer keeps 14 months.
const MOST_DAYS: u16 = 366;

/// Show what protection did cost, by database: what carries the tag of a database, as Cost Explorer says.
///
/// Needs the cost allocation tag to be activated in the billing account; what was billed before does not have it.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A month. Default: this one, as far as it is.
    #[arg(long, value_name = "YYYY-MM", conflicts_with = "days")]
    month: Option<String>,
    /// The last so many days before today.
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
    /// How each database is split.
    #[arg(long, value_enum, default_value = "usage-type")]
    by: By,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// By what the cost of a database is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// `USE1-RDS:ChargedBackupUsage`, ...
    UsageType,
    /// `Amazon Relational Database Service`, ...
    Service,
}

impl By {
    fn dimension(self) -> &'static str {
        match self {
            By::UsageType => "USAGE_TYPE",
            By::Service => "SERVICE",
        }
    }
}

/// From when to when, the end not included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Period {
    /// First day.
    pub start: Date,
    /// Day after the last one.
    pub end: Date,
    #[serde(skip)]
    granularity: Granularity,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    /// The value of the tag.
    pub database: String,
    /// The usage type, or the service.
    pub of: String,
    /// What it came to.
    pub cost: f64,
}

/// What Cost Explorer said.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Billed {
    /// By database, the dearest of each first.
    pub lines: Vec<Line>,
    /// `USD`.
    pub currency: String,
    /// Whether AWS still calls it an estimate.
    pub estimated: bool,
}

/// How it stands with the cost allocation tag, when there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum TagState {
    /// It is, so nothing was billed with it.
    Active,
    /// It is known and not activated.
    Inactive,
    /// Billing does not know it: nothing that carries it was billed yet, or this is no billing account.
    Unknown,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when the period makes no sense; `Aws` when Cost Explorer cannot be asked; `Unreadable` when its answer cannot be
/// summed up.
pub async fn run(args: &ReportArgs) -> Result<u8, Error> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let period = period(args.month.as_deref(), args.days, today)?;
    let config = cloud::configuration().await;
    let config = config.to_builder().region(aws_config::Region::from_static(REGION)).build();
    let client = Client::new(&config);
    let billed = ask(&client, &period, args.by).await?;
    let state = if billed.lines.is_empty() { Some(tag_state(&client).await?) } else { None };
    match args.output {
        Output::Table => print!("{}", report_table::text(&billed, &period, state, Paint::for_stdout())),
        Output::Json => println!(
            "{:#}",
            json!({"period": period, "tag": tags::DATABASE, "billed": billed, "tagState": state})
        ),
    }
    Ok(if billed.lines.is_empty() { exit::PARTIAL } else { exit::SUCCEEDED })
}

/// The days that are meant.
fn period(month: Option<&str>, days: Option<u16>, today: Date) -> Result<Period, Error> {
    let usage = |why: String| Error::Usage(why);
    let days_from = |date: Date, count: i64| {
        date.checked_add(count.days()).map_err(|error| Error::Usage(format!("no such day: {error}")))
    };
    if let Some(days) = days {
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(usage(format!("--days: {days} is not from 1 to {MOST_DAYS}")));
        }
        let start = days_from(today, -i64::from(days))?;
        return Ok(Period { start, end: today, granularity: Granularity::Daily });
    }
    let start = match month {
        None => today.first_of_month(),
        Some(month) => {
            let written = format!("{month}-01").parse::<Date>().ok().filter(|_| month.len() == 7);
            written.ok_or_else(|| usage(format!("--month: {month:?} is not a month such as 2026-11")))?
        }
    };
    if start > today {
        return Err(usage(format!("--month: {} has not begun", start.strftime("%Y-%m"))));
    }
    // Today is in a month that goes on: the end is not included.
    let end = days_from(start.last_of_month(), 1)?.min(days_from(today, 1)?);
    Ok(Period { start, end, granularity: Granularity::Monthly })
}

/// Whatever carries the tag.
fn tagged() -> Expression {
    let absent = TagValues::builder().key(tags::DATABASE).match_options(MatchOption::Absent).build();
    Expression::builder().not(Expression::builder().tags(absent).build()).build()
}

/// Asks Cost Explorer, page by page: each is a request that costs.
async fn ask(client: &Client, period: &Period, by: By) -> Result<Billed, Error> {
    let unreadable = |why: String| Error::Unreadable(format!("Cost Explorer: {why}"));
    let interval =
        DateInterval::builder().start(period.start.to_string()).end(period.end.to_string()).build();
    let interval = interval.map_err(|error| unreadable(error.to_string()))?;
    let group =
        |kind: GroupDefinitionType, key: &str| GroupDefinition::builder().r#type(kind).key(key).build();
    let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
    let (mut billed, mut next) = (Billed::default(), None);
    loop {
        let request =
            client.get_cost_and_usage().time_period(interval.clone()).filter(tagged()).metrics(METRIC);
        let request = request.granularity(period.granularity.clone()).set_next_page_token(next);
        let page = request
            .group_by(group(GroupDefinitionType::Tag, tags::DATABASE))
            .group_by(group(GroupDefinitionType::Dimension, by.dimension()))
            .send()
            .await
            .map_err(|error| Error::aws("GetCostAndUsage", &error))?;
        for result in page.results_by_time() {
            billed.estimated |= result.estimated();
            for group in result.groups() {
                let (key, amount, unit) = read(group).map_err(unreadable)?;
                if billed.currency.is_empty() {
                    billed.currency = unit;
                } else if billed.currency != unit {
                    return Err(unreadable(format!(
                        "there are amounts in {} and in {unit}",
                        billed.currency
                    )));
                }
                *sums.entry(key).or_default() += amount;
            }
        }
        next = page.next_page_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    billed.lines = sums.into_iter().map(|((database, of), cost)| Line { database, of, cost }).collect();
    billed.lines.sort_by(|one, other| {
        one.database.cmp(&other.database).then(other.cost.total_cmp(&one.cost)).then(one.of.cmp(&other.of))
    });
    Ok(billed)
}

/// The database and what it is split by, the amount and its unit.
fn read(group: &Group) -> Result<((String, String), f64, String), String> {
    let [tag, of] = group.keys() else { return Err(format!("a group of {} keys", group.keys().len())) };
    // `holdfast:database$prod-db` (AWS Cost Explorer API Reference, "GetCostAndUsage", groups by tag).
    let database = tag.split_once('$').map_or(tag.as_str(), |(_, value)| value);
    let metric = group.metrics().and_then(|metrics| metrics.get(METRIC));
    let metric = metric.ok_or_else(|| format!("no {METRIC} of {database}"))?;
    let said = metric.amount().unwrap_or_default();
    let amount = said.parse::<f64>().ok().filter(|amount| amount.is_finite());
    let amount = amount.ok_or_else(|| format!("{said:?} is no amount"))?;
    Ok(((database.to_owned(), of.clone()), amount, metric.unit().unwrap_or_default().to_owned()))
}

/// How it stands with the cost allocation tag.
async fn tag_state(client: &Client) -> Result<TagState, Error> {
    let answer = client.list_cost_allocation_tags().tag_keys(tags::DATABASE).send().await;
    let answer = answer.map_err(|error| Error::aws("ListCostAllocationTags", &error))?;
    let found = answer.cost_allocation_tags().iter().find(|tag| tag.tag_key() == tags::DATABASE);
    Ok(match found.map(|tag| tag.status()) {
        Some(CostAllocationTagStatus::Active) => TagState::Active,
        Some(CostAllocationTagStatus::Inactive) => TagState::Inactive,
        // What this version does not know is not known.
        Some(_) | None => TagState::Unknown,
    })
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
