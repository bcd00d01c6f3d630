//! Polls an execution until it ends, feeding a [`Screen`] with what is new.

use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};

use crate::{
    Error, cloud::Cloud, expected, history::Event, history::News, history::View, history::in_words,
    screen::Screen,
};

/// How often the execution is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events fetched per call; newest first, until one that is already known.
const PAGE: i32 = 200;

/// An execution that ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How Step Functions sees it.
    pub status: ExecutionStatus,
    /// Its output, when it succeeded.
    pub output: Option<String>,
    /// The error's name, when it did not.
    pub error: Option<String>,
    /// The error's cause.
    pub cause: Option<String>,
    /// What its history told.
    pub view: View,
}

/// Whether executions like this one leave records, so that earlier ones say how long this one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Operations do, in the state table of the home Region.
    InRecords,
    /// Validations by themselves do not; and their Region may have no state table.
    NotKept,
}

/// Follows the execution to its end. Dropping the future stops following, nothing else.
///
/// # Errors
/// When Step Functions cannot be asked.
pub async fn to_the_end(
    cloud: &Cloud,
    execution: &str,
    view: &mut View,
    screen: &mut Screen,
    past: Past,
) -> Result<Ended, Error> {
    let mut known = 0;
    let mut compared = past == Past::NotKept;
    loop {
        // Asked first, so that what is read afterwards includes the last event.
        let described = cloud
            .sfn
            .describe_execution()
            .execution_arn(execution)
            .send()
            .await
            .map_err(|error| Error::aws("DescribeExecution", &error))?;
        for event in events_after(cloud, execution, known).await? {
            known = known.max(event.id());
            for news in view.absorb(&Event::from(&event)) {
                screen.tell(&news);
            }
        }
        if *described.status() == ExecutionStatus::Running
            && let Some(id) = view.operation_id.clone().filter(|_| !compared)
        {
            compared = true;
            compare(cloud, &id, screen).await;
        }
        screen.states(view.current());
        if *described.status() != ExecutionStatus::Running {
            screen.close();
            return Ok(Ended {
                status: described.status().clone(),
                output: described.output().map(str::to_owned),
                error: described.error().map(str::to_owned),
                cause: described.cause().map(str::to_owned),
                view: view.clone(),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Shows what earlier operations say of this one's time. What cannot be read is said, and nothing is lost by it.
async fn compare(cloud: &Cloud, operation_id: &str, screen: &mut Screen) {
    match expected::of(cloud, operation_id).await {
        Ok(Some(expected)) => screen.expect(expected),
        Ok(None) => {}
        Err(error) => {
            let said = format!("how long earlier ones took could not be read: {error}");
            screen.tell(&News::Trouble(said));
        }
    }
}

/// How many states the execution has entered.
///
/// # Errors
/// When Step Functions cannot be asked.
pub async fn transitions(cloud: &Cloud, execution: &str) -> Result<u64, Error> {
    let mut view = View::default();
    for event in events_after(cloud, execution, 0).await? {
        view.absorb(&Event::from(&event));
    }
    Ok(view.transitions)
}

/// What failed while an execution went on: each with its time, oldest first.
///
/// # Errors
/// When Step Functions cannot be asked, or has forgotten the execution.
pub async fn failures(cloud: &Cloud, execution: &str) -> Result<Vec<(jiff::Timestamp, String)>, Error> {
    let failed = |event: &HistoryEvent| {
        let time = event.timestamp();
        let time = jiff::Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).unwrap_or(0)).ok()?;
        Some((time, failure(event)?))
    };
    Ok(events_after(cloud, execution, 0).await?.iter().filter_map(failed).collect())
}

/// What an event says to have failed.
fn failure(event: &HistoryEvent) -> Option<String> {
    let (what, error, cause) = if let Some(failed) = event.task_failed_event_details() {
        ("a function failed", failed.error(), failed.cause())
    } else if let Some(late) = event.task_timed_out_event_details() {
        ("a function ran out of time", late.error(), late.cause())
    } else if let Some(failed) = event.execution_failed_event_details() {
        ("the execution failed", failed.error(), failed.cause())
    } else if let Some(late) = event.execution_timed_out_event_details() {
        ("the execution ran out of time", late.error(), late.cause())
    } else {
        let ended = event.execution_aborted_event_details()?;
        ("the execution was stopped", ended.error(), ended.cause())
    };
    Some(match (error.filter(|error| !error.is_empty()), cause.unwrap_or_default()) {
        (None, "") => what.to_owned(),
        (None, cause) => format!("{what}: {}", in_words("no name", cause)),
        (Some(error), cause) => format!("{what}: {}", in_words(error, cause)),
    })
}

/// The events after `known`, oldest first. Read backwards: a day of polling is tens of thousands of
/// events, and only the newest few are news.
async fn events_after(cloud: &Cloud, execution: &str, known: i64) -> Result<Vec<HistoryEvent>, Error> {
    let mut fresh = Vec::new();
    let mut token = None;
    loop {
        let page = cloud
            .sfn
            .get_execution_history()
            .execution_arn(execution)
            .reverse_order(true)
            .max_results(PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Error::aws("GetExecutionHistory", &error))?;
        let old = page.events().iter().any(|event| event.id() <= known);
        fresh.extend(page.events.into_iter().filter(|event| event.id() > known));
        token = page.next_token;
        if old || token.is_none() {
            fresh.reverse();
            return Ok(fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::types::{ExecutionAbortedEventDetails, HistoryEventType};
    use aws_smithy_types::DateTime;

    use super::*;

    fn aborted(error: Option<&str>, cause: Option<&str>) -> Option<String> {
        let details = ExecutionAbortedEventDetails::builder()
            .set_error(error.map(str::to_owned))
            .set_cause(cause.map(str::to_owned));
        let event = HistoryEvent::builder()
            .timestamp(DateTime::from_secs(0))
            .r#type(HistoryEventType::ExecutionAborted)
            .id(1)
            .execution_aborted_event_details(details.build());
        failure(&event.build().unwrap())
    }

    #[test]
    fn an_end_without_a_cause_is_told_without_one() {
        let plain = Some("the execution was stopped".to_owned());
        assert_eq!(aborted(None, None), plain);
        assert_eq!(aborted(Some(""), Some("")), plain);
        assert_eq!(aborted(Some("Mine"), None).as_deref(), Some("the execution was stopped: Mine"));
        assert_eq!(
            aborted(None, Some("enough")).as_deref(),
            Some("the execution was stopped: no name: enough")
        );
    }
}
