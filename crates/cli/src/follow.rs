//! Polls an execution until it ends, feeding a [`Screen`] with what is new.

use std::time::Duration;

use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    Error, cloud::Cloud, expected, history::Event, history::News, history::View, history::in_words,
    screen::Screen,
};

/// How often the execution is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events fetched per call; newest first, until one that is already known.
const PAGE: i32 = 200;
/// How long AWS may not answer before nobody follows any more: a laptop was closed, a network changed, somebody logs in again.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest wait between two tries of that time.
const TRY_EVERY: Duration = Duration::from_secs(15);

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

/// Why something could not be looked at.
#[derive(Debug)]
pub struct Unseen {
    /// What was met.
    pub error: Error,
    /// Whether asking again can help.
    may_pass: bool,
}

impl Unseen {
    fn of(call: &'static str, error: &(impl std::error::Error + ProvideErrorMetadata + 'static)) -> Self {
        // Who may not look will not be let look in some minutes either; whose session has ended may log in again.
        let may_pass = error.code() != Some("AccessDeniedException");
        Unseen { error: Error::aws(call, error), may_pass }
    }
}

impl From<Error> for Unseen {
    fn from(error: Error) -> Self {
        Unseen { error, may_pass: true }
    }
}

/// Asks until there is an answer, for some minutes ([`PATIENCE`]): what is followed goes on, whoever looks at it.
///
/// # Errors
/// What was met last.
pub async fn patiently<T>(
    screen: &mut Screen,
    mut ask: impl AsyncFnMut() -> Result<T, Unseen>,
) -> Result<T, Error> {
    let begun = Instant::now();
    let mut wait = LOOK_EVERY;
    loop {
        let unseen = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(unseen) => unseen,
        };
        if !unseen.may_pass || begun.elapsed() + wait > PATIENCE {
            return Err(unseen.error);
        }
        if wait == LOOK_EVERY {
            let minutes = PATIENCE.as_secs() / 60;
            screen.tell(&News::Trouble(format!("tried again for up to {minutes} min: {}", unseen.error)));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(TRY_EVERY);
    }
}

/// Follows the execution to its end. Dropping the future stops following, nothing else. The screen is left open.
///
/// # Errors
/// When Step Functions could not be asked for some minutes.
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
        let (described, events) = patiently(screen, async || look(cloud, execution, known).await).await?;
        if let Some(began) = time(described.start_date()) {
            screen.began(began);
        }
        for event in events {
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

/// An execution as it is now, and the events after `known`.
async fn look(
    cloud: &Cloud,
    execution: &str,
    known: i64,
) -> Result<(DescribeExecutionOutput, Vec<HistoryEvent>), Unseen> {
    let described = cloud.sfn.describe_execution().execution_arn(execution).send().await;
    let described = described.map_err(|error| Unseen::of("DescribeExecution", &error))?;
    Ok((described, events_after(cloud, execution, known).await?))
}

fn time(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
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
    for event in events_after(cloud, execution, 0).await.map_err(|unseen| unseen.error)? {
        view.absorb(&Event::from(&event));
    }
    Ok(view.transitions)
}

/// What failed while an execution went on: each with its time, oldest first.
///
/// # Errors
/// When Step Functions cannot be asked, or has forgotten the execution.
pub async fn failures(cloud: &Cloud, execution: &str) -> Result<Vec<(Timestamp, String)>, Error> {
    let failed = |event: &HistoryEvent| Some((time(event.timestamp())?, failure(event)?));
    let events = events_after(cloud, execution, 0).await.map_err(|unseen| unseen.error)?;
    Ok(events.iter().filter_map(failed).collect())
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
async fn events_after(cloud: &Cloud, execution: &str, known: i64) -> Result<Vec<HistoryEvent>, Unseen> {
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
            .map_err(|error| Unseen::of("GetExecutionHistory", &error))?;
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
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::mocked;

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

    /// What was said, and how it ended, of something that answers as `answers` says at each try.
    async fn asked(answers: impl Fn(usize) -> Result<u32, Unseen>) -> (Result<u32, Error>, usize, Duration) {
        let (mut screen, begun, mut tries) = (Screen::lines(Box::new(std::io::sink())), Instant::now(), 0);
        let ended = patiently(&mut screen, async || {
            tries += 1;
            answers(tries)
        })
        .await;
        (ended, tries, begun.elapsed())
    }

    fn unseen(may_pass: bool) -> Unseen {
        let error = Error::Aws { call: "DescribeExecution", cause: "no network".to_owned() };
        Unseen { error, may_pass }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_some_minutes_is_asked_again_and_not_for_ever() {
        let (ended, _, took) = asked(|tries| if tries < 20 { Err(unseen(true)) } else { Ok(7) }).await;
        assert_eq!(ended.unwrap(), 7);
        assert!(took > Duration::from_secs(180) && took < PATIENCE, "{took:?}");
        let (ended, tries, took) = asked(|_| Err(unseen(true))).await;
        assert!(ended.is_err() && tries > 20, "{tries}");
        assert!(took > PATIENCE - TRY_EVERY && took <= PATIENCE, "{took:?}");
        // Who may not look is not asked to wait.
        let (ended, tries, took) = asked(|_| Err(unseen(false))).await;
        assert_eq!((ended.is_err(), tries, took), (true, 1, Duration::ZERO));
    }

    #[tokio::test]
    async fn who_is_denied_may_not_look_later_either_and_all_else_may_pass() {
        for (status, kind, may_pass) in [
            (400, "AccessDeniedException", false),
            (400, "ExpiredTokenException", true),
            (400, "ExecutionDoesNotExist", true),
            (500, "InternalFailure", true),
        ] {
            let body = serde_json::json!({"__type": kind, "message": "no"});
            let rule = mock!(aws_sdk_sfn::Client::describe_execution)
                .then_http_response(move || mocked::response(status, &body));
            let mut cloud = mocked::cloud();
            cloud.sfn = mocked::client!(aws_sdk_sfn, &[&rule]);
            assert_eq!(look(&cloud, "arn", 0).await.unwrap_err().may_pass, may_pass, "{kind}");
        }
    }
}
