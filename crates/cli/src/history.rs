//! An execution's events, turned into what a person wants to know while it runs.
//!
//! Every function answers with `progress` (stage, percent, message); the answers are in the history as
//! outputs of `TaskSucceeded` events. Nothing here calls anything: [`View::absorb`] is fed and asked.

use std::collections::BTreeMap;

use aws_sdk_sfn::types::HistoryEvent;
use holdfast_core::ids::Region;
use holdfast_core::operation::Phase;
use serde_json::Value;

/// What an event means to somebody who follows.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A state was entered.
    Entered(String),
    /// A state was left.
    Left(String),
    /// A function answered.
    Answered(Value),
    /// A function failed; the machine may retry.
    TaskFailed {
        /// The error's name.
        error: String,
        /// Its cause.
        cause: String,
    },
    /// Nothing that is shown.
    Other,
}

impl From<&HistoryEvent> for Event {
    fn from(event: &HistoryEvent) -> Self {
        if let Some(details) = event.state_entered_event_details() {
            return Event::Entered(details.name().to_owned());
        }
        if let Some(details) = event.state_exited_event_details() {
            return Event::Left(details.name().to_owned());
        }
        if let Some(details) = event.task_succeeded_event_details() {
            let output = details.output().and_then(|text| serde_json::from_str(text).ok());
            return output.map_or(Event::Other, Event::Answered);
        }
        if let Some(details) = event.task_failed_event_details() {
            return Event::TaskFailed {
                error: details.error().unwrap_or("an unnamed error").to_owned(),
                cause: details.cause().unwrap_or_default().to_owned(),
            };
        }
        Event::Other
    }
}

/// How far one task is: the snapshot, the restore, the copy to one Region.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its stage, and for a copy its Region.
    pub label: String,
    /// 0-100 where the function knows it.
    pub percent: Option<u64>,
    /// One line for a person.
    pub message: String,
}

/// Something worth telling, once.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The operation's id became known.
    Operation(String),
    /// A state was entered that was not current before.
    State(String),
    /// A task got further.
    Task(Task),
    /// The operation entered a phase.
    Phase(Phase),
    /// A task failed, and may be tried again.
    Trouble(String),
}

/// What is known of an execution so far.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The operation, once a function has named it.
    pub operation_id: Option<String>,
    /// States entered: what Step Functions bills.
    pub transitions: u64,
    current: BTreeMap<String, usize>,
    tasks: BTreeMap<String, Task>,
    last_state: Option<String>,
    phase: Option<Phase>,
}

impl View {
    /// Nothing yet, of an operation that is known.
    pub fn of(operation_id: String) -> View {
        View { operation_id: Some(operation_id), ..View::default() }
    }

    /// Takes in one event and says what is new about it.
    pub fn absorb(&mut self, event: &Event) -> Vec<News> {
        match event {
            Event::Entered(name) => self.entered(name),
            Event::Left(name) => {
                if let Some(times) = self.current.get_mut(name) {
                    *times -= 1;
                    if *times == 0 {
                        self.current.remove(name);
                    }
                }
                Vec::new()
            }
            Event::Answered(output) => self.answered(output),
            Event::TaskFailed { error, cause } => vec![News::Trouble(in_words(error, cause))],
            Event::Other => Vec::new(),
        }
    }

    /// The states the execution is in now.
    pub fn current(&self) -> impl Iterator<Item = &str> {
        self.current.keys().map(String::as_str)
    }

    fn entered(&mut self, name: &str) -> Vec<News> {
        self.transitions += 1;
        *self.current.entry(name.to_owned()).or_default() += 1;
        // A poll goes round Task, Choice, Wait: told once, not every time round.
        if self.last_state.as_deref() == Some(name) {
            return Vec::new();
        }
        self.last_state = Some(name.to_owned());
        vec![News::State(name.to_owned())]
    }

    fn answered(&mut self, output: &Value) -> Vec<News> {
        let answer = output.get("Payload").unwrap_or(output);
        let mut news = Vec::new();
        if self.operation_id.is_none()
            && let Some(id) = answer.get("operationId").and_then(Value::as_str)
        {
            self.operation_id = Some(id.to_owned());
            news.push(News::Operation(id.to_owned()));
        }
        let phase = answer.get("phase").and_then(|phase| serde_json::from_value::<Phase>(phase.clone()).ok());
        if let Some(phase) = phase.filter(|phase| !phase.is_end() && self.phase != Some(*phase)) {
            self.phase = Some(phase);
            news.push(News::Phase(phase));
        }
        if let Some(task) = task(answer, self.operation_id.as_deref())
            && self.tasks.get(&task.label) != Some(&task)
        {
            self.tasks.insert(task.label.clone(), task.clone());
            news.push(News::Task(task));
        }
        news
    }
}

fn task(answer: &Value, operation: Option<&str>) -> Option<Task> {
    let progress = answer.get("progress")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let stage = text(progress.get("stage"))?;
    let message = plain(&text(progress.get("message")).unwrap_or_default(), operation);
    // Copies to several Regions go on at once; each answer names its Region.
    let region = message.split_whitespace().find(|word| stage == "copy" && Region::parse(word).is_ok());
    let label = region.map_or_else(|| stage.clone(), |region| format!("{stage} {region}"));
    let percent =
        progress.get("percent").and_then(Value::as_f64).map(|percent| percent.clamp(0.0, 100.0) as u64);
    Some(Task { label, percent, message })
}

/// Names that are derived from the operation's id are long, and the same in every line.
fn plain(message: &str, operation: Option<&str>) -> String {
    let Some(id) = operation else { return message.to_owned() };
    message
        .replace(&format!("holdfast-{id}"), "the snapshot")
        .replace(&format!("hfv-{id}"), "the temporary instance")
        .replace(id, "the operation")
}

/// The cause of a Lambda error is JSON with `errorMessage`; a person wants the message.
pub fn in_words(error: &str, cause: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(cause).ok();
    let message =
        parsed.as_ref().and_then(|value| value.get("errorMessage")).and_then(Value::as_str).unwrap_or(cause);
    if message.is_empty() { error.to_owned() } else { format!("{error}: {message}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(value: Value) -> Event {
        Event::Answered(json!({"StatusCode": 200, "Payload": value}))
    }

    #[test]
    fn a_poll_loop_is_told_once_and_counted_every_time() {
        let mut view = View::default();
        assert_eq!(view.absorb(&Event::Entered("Wait".into())), vec![News::State("Wait".into())]);
        view.absorb(&Event::Left("Wait".into()));
        assert_eq!(view.absorb(&Event::Entered("Wait".into())), vec![]);
        assert_eq!(view.transitions, 2);
        assert_eq!(view.current().collect::<Vec<_>>(), ["Wait"]);
    }

    #[test]
    fn progress_is_kept_per_region_and_told_when_it_moves() {
        let mut view = View::default();
        let at = |region: &str, percent: u64| {
            let message = format!("copying to {region}");
            answer(json!({"progress": {"stage": "copy", "percent": percent, "message": message}}))
        };
        let task = |region: &str, percent: u64| {
            let (label, message) = (format!("copy {region}"), format!("copying to {region}"));
            vec![News::Task(Task { label, percent: Some(percent), message })]
        };
        assert_eq!(view.absorb(&at("us-west-2", 10)), task("us-west-2", 10));
        assert_eq!(view.absorb(&at("eu-west-1", 10)), task("eu-west-1", 10));
        assert_eq!(view.absorb(&at("us-west-2", 10)), vec![]);
        assert_eq!(view.absorb(&at("us-west-2", 250)), task("us-west-2", 100));
    }

    #[test]
    fn the_operation_is_named_once() {
        let mut view = View::default();
        assert_eq!(
            view.absorb(&answer(json!({"operationId": "op-1"}))),
            vec![News::Operation("op-1".into())]
        );
        assert_eq!(view.absorb(&answer(json!({"operationId": "op-1"}))), vec![]);
    }

    #[test]
    fn a_phase_is_told_when_it_begins_and_an_end_is_none() {
        let mut view = View::default();
        let at = |phase: &str| answer(json!({"phase": phase}));
        assert_eq!(view.absorb(&at("VALIDATING")), [News::Phase(Phase::Validating)]);
        assert_eq!(view.absorb(&at("VALIDATING")), []);
        assert_eq!(view.absorb(&at("REPLICATING")), [News::Phase(Phase::Replicating)]);
        assert_eq!(view.absorb(&at("SUCCEEDED")), []);
        assert_eq!(view.absorb(&at("DANCING")), []);
    }

    #[test]
    fn derived_names_are_told_in_words() {
        let told = |message| plain(message, Some("prod-db-1f"));
        assert_eq!(told("holdfast-prod-db-1f is being taken"), "the snapshot is being taken");
        assert_eq!(told("restoring to hfv-prod-db-1f"), "restoring to the temporary instance");
        assert_eq!(
            told("prod-db-1f is VALIDATING; prod-db is not"),
            "the operation is VALIDATING; prod-db is not"
        );
    }

    #[test]
    fn an_answer_without_progress_or_sense_is_ignored() {
        let mut view = View::default();
        for odd in [json!(null), json!({"progress": 3}), json!({"progress": {"percent": 5}})] {
            assert_eq!(view.absorb(&Event::Answered(odd)), vec![]);
        }
        assert_eq!(view.absorb(&Event::Left("never entered".into())), vec![]);
    }

    #[test]
    fn a_lambda_error_is_shown_by_its_message() {
        let mut view = View::default();
        let event = Event::TaskFailed {
            error: "Holdfast.Throttled".into(),
            cause: r#"{"errorMessage":"rate exceeded","errorType":"x"}"#.into(),
        };
        assert_eq!(view.absorb(&event), vec![News::Trouble("Holdfast.Throttled: rate exceeded".into())]);
    }
}
