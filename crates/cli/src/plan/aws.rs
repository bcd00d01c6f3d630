//! The account itself: EventBridge Scheduler, RDS, and the metadata bucket.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use aws_config::SdkConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{
    DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target,
};
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::protection::{KEY, ProtectionPlan};
use holdfast_core::retention::Policy;
use holdfast_core::tags;
use holdfast_protection::{Found, Schedule};

use super::Where;
use super::account::{Account, Stored, Written};
use crate::Error;
use crate::look::deployment;

/// An AWS account.
#[derive(Debug)]
pub(super) struct Aws {
    scheduler: aws_sdk_scheduler::Client,
    rds: aws_sdk_rds::Client,
    s3: aws_sdk_s3::Client,
    lambda: aws_sdk_lambda::Client,
    region: Region,
    group: String,
    bucket: String,
    prune_function: Option<String>,
}

impl Aws {
    /// The account of the environment.
    ///
    /// # Errors
    /// `Usage` when no Region is named.
    pub fn new(config: &SdkConfig, at: &Where) -> Result<Self, Error> {
        let region = config.region().map(|region| region.as_ref().to_owned());
        let region = region
            .ok_or_else(|| Error::Usage("no Region: set AWS_REGION to that of the databases".to_owned()))?;
        let region = Region::parse(&region).map_err(|error| Error::Usage(error.message))?;
        let s3 = aws_sdk_s3::config::Builder::from(config)
            // As in `cloud`: a cloud behind an endpoint of its own has no bucket host names.
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Ok(Aws {
            scheduler: aws_sdk_scheduler::Client::new(config),
            rds: aws_sdk_rds::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            lambda: aws_sdk_lambda::Client::new(config),
            region,
            group: at.group.clone(),
            bucket: at.bucket.clone(),
            prune_function: at.prune_function.clone(),
        })
    }

    /// The Region of the databases.
    pub fn region(&self) -> &Region {
        &self.region
    }
}

fn failed<E: StdError>(call: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::aws(call, &error)
}

impl Account for Aws {
    async fn instances(&self) -> Result<Vec<Found>, Error> {
        let mut all = Vec::new();
        let mut items = self.rds.describe_db_instances().into_paginator().items().send();
        while let Some(instance) = items.next().await {
            let instance = instance.map_err(failed("DescribeDBInstances"))?;
            let Ok(id) = DatabaseId::parse(instance.db_instance_identifier().unwrap_or_default()) else {
                continue;
            };
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let tags: BTreeMap<String, String> =
                instance.tag_list().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect();
            let unfit = if let Some(cluster) = instance.db_cluster_identifier() {
                Some(format!("it is a member of the cluster {cluster}, which is backed up as a whole"))
            } else {
                tags.contains_key(tags::TEMPORARY)
                    .then(|| "it is a temporary instance of Holdfast's".to_owned())
            };
            all.push(Found { id, tags, unfit });
        }
        Ok(all)
    }

    async fn schedules(&self) -> Result<BTreeMap<String, Schedule>, Error> {
        // A group that is not there has no schedules, says one cloud, and is an error, says the other.
        let group = self.scheduler.get_schedule_group().name(&self.group).send().await;
        group.map_err(|error| match error.code() {
            Some("ResourceNotFoundException") => Error::Usage(format!(
                "there is no schedule group {} in {}: deploy template.yaml, or name the stack's with --group",
                self.group, self.region
            )),
            _ => Error::aws("GetScheduleGroup", &error),
        })?;
        let mut all = BTreeMap::new();
        let mut items =
            self.scheduler.list_schedules().group_name(&self.group).into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.map_err(failed("ListSchedules"))?;
            let name = item.name().unwrap_or_default();
            let get = self.scheduler.get_schedule().group_name(&self.group).name(name).send().await;
            let schedule = schedule(name, &get.map_err(failed("GetSchedule"))?);
            all.insert(name.to_owned(), schedule);
        }
        Ok(all)
    }

    async fn stored(&self) -> Result<Option<Stored>, Error> {
        let answer = match self.s3.get_object().bucket(&self.bucket).key(KEY).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(Error::aws("GetObject", &error)),
        };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let body = answer.body.collect().await.map_err(failed("GetObject"))?.into_bytes();
        let unreadable = |why: String| Error::Unreadable(format!("s3://{}/{KEY}: {why}", self.bucket));
        let plan: ProtectionPlan =
            serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
        let plan = plan.checked().map_err(|error| unreadable(error.message))?;
        Ok(Some(Stored { plan, etag }))
    }

    async fn deployed(&self) -> Option<Policy> {
        deployment::policy(&self.lambda, self.prune_function.as_deref()?).await
    }

    async fn store(&self, plan: &ProtectionPlan, before: Option<&Stored>) -> Result<Written, Error> {
        let body = serde_json::to_vec_pretty(plan).map_err(|error| Error::Unreadable(error.to_string()))?;
        let put = self.s3.put_object().bucket(&self.bucket).key(KEY).content_type("application/json");
        let put = match before {
            Some(before) => put.if_match(&before.etag),
            None => put.if_none_match("*"),
        };
        match put.body(ByteStream::from(body)).send().await {
            Ok(answer) => Ok(Written::Done(answer.e_tag().unwrap_or_default().to_owned())),
            // NoSuchKey: it was there and is gone. Amazon S3 User Guide, "Conditional requests".
            Err(error) => match error.code() {
                Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey") => {
                    Ok(Written::Changed)
                }
                _ => Err(Error::aws("PutObject", &error)),
            },
        }
    }

    async fn create(&self, schedule: &Schedule) -> Result<(), Error> {
        let create = self.scheduler.create_schedule().group_name(&self.group).name(&schedule.name);
        create
            .schedule_expression(&schedule.expression)
            .schedule_expression_timezone(&schedule.timezone)
            .description(&schedule.description)
            .state(ScheduleState::Enabled)
            .flexible_time_window(window(schedule)?)
            .target(target(schedule)?)
            .send()
            .await
            .map_err(failed("CreateSchedule"))?;
        Ok(())
    }

    async fn update(&self, schedule: &Schedule) -> Result<(), Error> {
        let update = self.scheduler.update_schedule().group_name(&self.group).name(&schedule.name);
        update
            .schedule_expression(&schedule.expression)
            .schedule_expression_timezone(&schedule.timezone)
            .description(&schedule.description)
            .state(ScheduleState::Enabled)
            .flexible_time_window(window(schedule)?)
            .target(target(schedule)?)
            .send()
            .await
            .map_err(failed("UpdateSchedule"))?;
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.scheduler.delete_schedule().group_name(&self.group).name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(()),
            Err(error) => Err(Error::aws("DeleteSchedule", &error)),
        }
    }
}

/// A schedule as the Scheduler has it.
fn schedule(name: &str, there: &GetScheduleOutput) -> Schedule {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let window = there.flexible_time_window();
    let target = there.target();
    let retry = target.and_then(|target| target.retry_policy());
    Schedule {
        name: name.to_owned(),
        expression: text(there.schedule_expression()),
        timezone: text(there.schedule_expression_timezone()),
        window_minutes: window
            .filter(|window| *window.mode() == FlexibleTimeWindowMode::Flexible)
            .and_then(|window| window.maximum_window_in_minutes()),
        enabled: there.state() == Some(&ScheduleState::Enabled),
        description: text(there.description()),
        ends: there.end_date().map(ToString::to_string),
        target_arn: target.map(|target| target.arn().to_owned()).unwrap_or_default(),
        role_arn: target.map(|target| target.role_arn().to_owned()).unwrap_or_default(),
        input: target.and_then(|target| serde_json::from_str(target.input()?).ok()),
        dead_letters_arn: target.and_then(|target| target.dead_letter_config()?.arn()).map(str::to_owned),
        attempts: retry.and_then(|retry| retry.maximum_retry_attempts()),
        max_age_seconds: retry.and_then(|retry| retry.maximum_event_age_in_seconds()),
    }
}

fn window(schedule: &Schedule) -> Result<FlexibleTimeWindow, Error> {
    let mode = match schedule.window_minutes {
        Some(_) => FlexibleTimeWindowMode::Flexible,
        None => FlexibleTimeWindowMode::Off,
    };
    let window =
        FlexibleTimeWindow::builder().mode(mode).set_maximum_window_in_minutes(schedule.window_minutes);
    window.build().map_err(failed("a schedule's window"))
}

fn target(schedule: &Schedule) -> Result<Target, Error> {
    let retry = RetryPolicy::builder()
        .set_maximum_retry_attempts(schedule.attempts)
        .set_maximum_event_age_in_seconds(schedule.max_age_seconds)
        .build();
    let dead_letters = DeadLetterConfig::builder().set_arn(schedule.dead_letters_arn.clone()).build();
    Target::builder()
        .arn(&schedule.target_arn)
        .role_arn(&schedule.role_arn)
        .set_input(schedule.input.as_ref().map(ToString::to_string))
        .dead_letter_config(dead_letters)
        .retry_policy(retry)
        .build()
        .map_err(failed("a schedule's target"))
}

#[cfg(test)]
mod tests;
