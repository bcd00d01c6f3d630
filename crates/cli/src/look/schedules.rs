//! Schedules of EventBridge Scheduler that start a state machine.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::primitives::DateTime;
use aws_sdk_scheduler::types::ScheduleState;
use holdfast_aws::classify::classify;
use holdfast_core::doctor::Times;
use holdfast_core::ids::DatabaseId;
use holdfast_core::request::{BackupRequest, Defaults};
use holdfast_core::{Error, Result};
use jiff::Timestamp;
use serde_json::Value;

/// What EventBridge Scheduler puts in its place (EventBridge Scheduler User Guide, "Adding context attributes").
const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";
/// A time such as it puts there.
const SOME_TIME: &str = "2026-11-20T06:00:00Z";

/// One that starts a state machine.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// `group/name`.
    pub name: String,
    /// When it starts what it starts.
    pub times: Times,
    /// What it starts.
    pub target_arn: String,
    /// ARN of the role in whose name it does.
    pub role_arn: String,
    /// The database that its input names.
    pub database: Option<String>,
    input: Option<String>,
}

impl Schedule {
    /// Whether it will start something for this database.
    pub fn starts(&self, database: &DatabaseId, now: Timestamp) -> bool {
        self.times.is_live(now) && self.names(database)
    }

    /// Whether its input names this database.
    pub fn names(&self, database: &DatabaseId) -> bool {
        self.database.as_ref().is_some_and(|named| named.eq_ignore_ascii_case(database.as_str()))
    }

    /// The backup that it asks for.
    ///
    /// # Errors
    /// `InvalidInput`, as the execution would end.
    pub fn request(&self, defaults: &Defaults) -> Result<BackupRequest> {
        let input = self.input.as_deref().unwrap_or("{}").replace(SCHEDULED_TIME, SOME_TIME);
        let input: Value =
            serde_json::from_str(&input).map_err(|error| Error::invalid(format!("input: {error}")))?;
        BackupRequest::parse(&input, SOME_TIME, defaults)
    }
}

/// Those that name a database, the ones that will start something before those that will not. A schedule that somebody disabled is one
/// fault: the Regions that it copies to are looked at all the same.
pub fn of<'a>(schedules: &'a [Schedule], database: &DatabaseId, now: Timestamp) -> Vec<&'a Schedule> {
    let mut naming: Vec<&Schedule> = schedules.iter().filter(|schedule| schedule.names(database)).collect();
    naming.sort_by_key(|schedule| !schedule.times.is_live(now));
    naming
}

/// The database that an input names, as far as it is an input.
fn database_of(input: &str) -> Option<String> {
    let input: Value = serde_json::from_str(input).ok()?;
    Some(input["databaseId"].as_str()?.to_owned())
}

/// Every schedule that starts a state machine.
///
/// # Errors
/// What a call met: a list that is not whole is none.
pub async fn all(client: &Client) -> Result<Vec<Schedule>> {
    let mut pages = client.list_schedules().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(summary) = pages.next().await {
        let summary = summary.map_err(|error| classify("ListSchedules", &error))?;
        let target = summary.target().map(|target| target.arn()).unwrap_or_default();
        if target.contains(":states:") && target.contains(":stateMachine:") {
            found.extend(one(client, summary.group_name(), summary.name().unwrap_or_default()).await?);
        }
    }
    Ok(found)
}

/// One schedule, or `None` when it is gone by now.
async fn one(client: &Client, group: Option<&str>, name: &str) -> Result<Option<Schedule>> {
    let group = group.unwrap_or("default");
    let answer = match client.get_schedule().group_name(group).name(name).send().await {
        Ok(answer) => answer,
        Err(error)
            if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(classify(&format!("GetSchedule {group}/{name}"), &error)),
    };
    let time = |time: &DateTime| Timestamp::from_second(time.secs()).ok();
    let target = answer.target();
    let input = target.and_then(|target| target.input()).map(str::to_owned);
    Ok(Some(Schedule {
        name: format!("{group}/{name}"),
        times: Times {
            enabled: answer.state() == Some(&ScheduleState::Enabled),
            expression: answer.schedule_expression().unwrap_or_default().to_owned(),
            timezone: answer.schedule_expression_timezone().map(str::to_owned),
            begins: answer.start_date().and_then(time),
            ends: answer.end_date().and_then(time),
        },
        role_arn: target.map(|target| target.role_arn()).unwrap_or_default().to_owned(),
        target_arn: target.map(|target| target.arn()).unwrap_or_default().to_owned(),
        database: input.as_deref().and_then(database_of),
        input,
    }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_scheduler::operation::get_schedule::{GetScheduleError, GetScheduleOutput};
    use aws_sdk_scheduler::operation::list_schedules::ListSchedulesOutput;
    use aws_sdk_scheduler::types::error::ResourceNotFoundException;
    use aws_sdk_scheduler::types::{ScheduleSummary, Target, TargetSummary};
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::mocked;

    const MACHINE: &str = "arn:aws:states:us-east-1:1:stateMachine:backup";

    fn summary(name: &str, target: &str) -> ScheduleSummary {
        let target = TargetSummary::builder().arn(target).build().unwrap();
        ScheduleSummary::builder().group_name("default").name(name).target(target).build()
    }

    fn schedule(state: ScheduleState, end: Option<i64>) -> GetScheduleOutput {
        let target = Target::builder().arn(MACHINE).role_arn("arn:role");
        let target = target.input(r#"{"databaseId": "Prod-DB", "runId": "<aws.scheduler.scheduled-time>"}"#);
        GetScheduleOutput::builder()
            .state(state)
            .schedule_expression("rate(6 hours)")
            .schedule_expression_timezone("Europe/Vienna")
            .start_date(DateTime::from_secs(60))
            .set_end_date(end.map(DateTime::from_secs))
            .target(target.build().unwrap())
            .build()
    }

    #[tokio::test]
    async fn schedules_of_state_machines_are_told_apart_from_those_that_are_over_or_gone() {
        let lambda = "arn:aws:lambda:us-east-1:1:function:sweep";
        let list = mock!(Client::list_schedules).then_output(move || {
            let names = ["on", "off", "over", "gone"].map(|name| summary(name, MACHINE));
            let all = names.into_iter().chain([summary("other", lambda)]).collect();
            ListSchedulesOutput::builder().set_schedules(Some(all)).build().unwrap()
        });
        let get = |name: &'static str| {
            mock!(Client::get_schedule).match_requests(move |asked| asked.name() == Some(name))
        };
        let on = get("on").then_output(|| schedule(ScheduleState::Enabled, None));
        let off = get("off").then_output(|| schedule(ScheduleState::Disabled, None));
        let over = get("over").then_output(|| schedule(ScheduleState::Enabled, Some(0)));
        let gone = get("gone").then_error(|| {
            let gone = ResourceNotFoundException::builder().message("gone").build().unwrap();
            GetScheduleError::ResourceNotFoundException(gone)
        });
        let client = mocked::client!(aws_sdk_scheduler, &[&list, &on, &off, &over, &gone]);
        let found = all(&client).await.unwrap();
        let now = Timestamp::now();
        let seen: Vec<(&str, bool)> =
            found.iter().map(|one| (one.name.as_str(), one.times.is_live(now))).collect();
        assert_eq!(seen, [("default/on", true), ("default/off", false), ("default/over", false)]);
        let database = DatabaseId::parse("prod-db").unwrap();
        assert!(found[0].starts(&database, now) && found[1].names(&database));
        assert!(!found[1].starts(&database, now) && !found[2].starts(&database, now));
        // The one that goes on comes first, and one that was disabled still says where it copied to.
        let reversed = [found[1].clone(), found[0].clone()];
        let ordered = of(&reversed, &database, now);
        assert_eq!(ordered.iter().map(|one| one.times.enabled).collect::<Vec<_>>(), [true, false]);
        assert!(of(&found, &DatabaseId::parse("other-db").unwrap(), now).is_empty());
        assert_eq!((found[0].role_arn.as_str(), found[0].target_arn.as_str()), ("arn:role", MACHINE));
        let times = Times {
            enabled: true,
            expression: "rate(6 hours)".into(),
            timezone: Some("Europe/Vienna".into()),
            begins: Some(Timestamp::from_second(60).unwrap()),
            ends: None,
        };
        assert_eq!(found[0].times, times);
    }

    #[test]
    fn an_input_is_read_as_the_workflow_would_read_it() {
        let asked = |input: &str| Schedule {
            name: "default/s".into(),
            times: Times {
                enabled: true,
                expression: "rate(6 hours)".into(),
                timezone: None,
                begins: None,
                ends: None,
            },
            target_arn: MACHINE.into(),
            role_arn: "arn:role".into(),
            database: database_of(input),
            input: Some(input.to_owned()),
        };
        let region = |name: &str| holdfast_core::ids::Region::parse(name).unwrap();
        let defaults = Defaults { region: region("us-east-1"), target_regions: vec![] };
        let good = r#"{"databaseId": "prod-db", "runId": "<aws.scheduler.scheduled-time>",
                       "targetRegions": [{"region": "us-west-2"}]}"#;
        let request = asked(good).request(&defaults).unwrap();
        assert_eq!(request.target_regions[0].region, region("us-west-2"));
        let refused = |input: &str| asked(input).request(&defaults).unwrap_err().message;
        assert!(refused(r#"{"databaseId": "prod-db", "tiers": 1}"#).contains("tiers"));
        assert!(refused("{").starts_with("input: "));
        assert_eq!((asked("{").database, asked("{}").database), (None, None));
    }
}
