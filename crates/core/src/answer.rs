//! What every ensuring function answers: final, or how far it is and when to ask again.

use serde::{Deserialize, Serialize};

/// How far a step is, for whoever follows the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// A short word: `snapshot`, `restoring`, `checking`, `copying`.
    pub stage: String,
    /// 0-100 where the step knows it.
    pub percent: Option<u8>,
    /// One line for a person.
    pub message: String,
}

impl Progress {
    /// Progress of `stage` with a line for a person.
    pub fn new(stage: &str, percent: Option<u8>, message: impl Into<String>) -> Self {
        Progress { stage: stage.to_owned(), percent, message: message.into() }
    }
}

/// One answer of a function that ensures: the state machine asks again until it is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Answer<T> {
    /// Not there yet.
    Waiting {
        /// Seconds until it is worth asking again.
        wait_seconds: u32,
        /// How far it is.
        progress: Progress,
        /// What the next poll is handed back verbatim (`carry` of its input).
        #[serde(skip_serializing_if = "Option::is_none")]
        carry: Option<serde_json::Value>,
    },
    /// Done: asking again changes nothing.
    Final {
        /// How it ended, for whoever follows.
        progress: Progress,
        /// What was ensured.
        #[serde(flatten)]
        result: T,
    },
}

impl<T> Answer<T> {
    /// Not there yet, with nothing to carry.
    pub fn waiting(wait_seconds: u32, progress: Progress) -> Self {
        Answer::Waiting { wait_seconds, progress, carry: None }
    }
}
