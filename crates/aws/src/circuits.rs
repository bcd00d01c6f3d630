//! Circuit breakers as a process sees them: what the other executions know is read every few seconds, what its own calls say is
//! written when it changes something.
//!
//! Where breakers cannot be read or written, a process goes by what it saw itself: a guard that cannot be asked must not keep
//! a database from being brought back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_core::breaker::{self, Admission, Breaker, Settings};
use holdfast_core::ports::Breakers;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::{SignedDuration, Timestamp};

use crate::config::optional;

/// How old what is known of the others may be.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// How long a table that did not answer is left alone.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(60);
/// Attempts at a change that others make at the same time.
const ATTEMPTS: usize = 4;

/// What an attempt says of the service that it was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service answered, if only to refuse.
    Answered,
    /// No answer, or a fault of the service's own: what is known of it.
    Failed(String),
}

/// Nothing is sent: the service failed too often.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{key} is not called before {until:.0}: it failed {failures} times in a row since {since:.0}, the last time with: {error}"
)]
pub struct CircuitOpen {
    /// Service, Region and action.
    pub key: String,
    /// When the next call may be tried.
    pub until: Timestamp,
    /// Failures since the last success.
    pub failures: u32,
    /// The first of them.
    pub since: Timestamp,
    /// What the last one said.
    pub error: String,
}

/// The circuit breakers of a process, shared by all its clients.
#[derive(Debug, Clone)]
pub struct Circuits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Option<Arc<dyn Breakers>>,
    settings: Settings,
    clock: fn() -> Timestamp,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    breakers: BTreeMap<String, Breaker>,
    /// When the others are asked next.
    stale_at: Option<Timestamp>,
    news: Vec<(String, Outcome)>,
}

impl Circuits {
    /// Breakers that are kept in `shared`; without it, this process's own.
    pub fn new(shared: Option<Arc<dyn Breakers>>, settings: Settings, clock: fn() -> Timestamp) -> Self {
        Circuits(Arc::new(Inner { shared, settings, clock, known: Mutex::default() }))
    }

    /// Whether a call may be sent. The caller that gets through an open breaker whose time is over is the one that tries.
    ///
    /// # Errors
    /// `CircuitOpen` with the time before which nothing is sent.
    pub async fn admit(&self, key: &str) -> std::result::Result<(), CircuitOpen> {
        self.settle().await;
        if self.known().stale_at.is_none_or(|stale_at| self.now() >= stale_at) {
            self.read().await;
        }
        for _ in 0..ATTEMPTS {
            let (seen, admission) = {
                let known = self.known();
                let seen = known.breakers.get(key).cloned();
                let admission = breaker::admit(seen.as_ref(), &self.0.settings, self.now());
                (seen, admission)
            };
            let next = match (&seen, admission) {
                (None, _) | (_, Admission::Go) => return Ok(()),
                (Some(seen), Admission::Refused(until)) => return Err(open(key, seen, until)),
                (_, Admission::Try(next)) => next,
            };
            if self.replace(key, seen.as_ref(), Some(&next)).await {
                return Ok(());
            }
            self.read().await;
        }
        // Others are at it all the time: one of them tries.
        let seen = self.known().breakers.get(key).cloned();
        seen.map_or(Ok(()), |seen| Err(open(key, &seen, seen.until.unwrap_or_else(|| self.now()))))
    }

    /// Takes in what became of an attempt. It is shared by the next call or [`Circuits::settle`].
    pub fn observe(&self, key: String, outcome: Outcome) {
        let mut known = self.known();
        let news = match outcome {
            Outcome::Failed(_) => true,
            // Nothing is known against it: nothing to take back.
            Outcome::Answered => {
                known.breakers.get(&key).is_some_and(breaker::closes)
                    || known.news.iter().any(|(other, _)| *other == key)
            }
        };
        if news {
            known.news.push((key, outcome));
        }
    }

    /// Shares what was observed.
    pub async fn settle(&self) {
        let news = std::mem::take(&mut self.known().news);
        for (key, outcome) in news {
            for _ in 0..ATTEMPTS {
                let seen = self.known().breakers.get(&key).cloned();
                let next = match (&outcome, &seen) {
                    (Outcome::Failed(error), _) => {
                        Some(breaker::failed(seen.as_ref(), &self.0.settings, self.now(), error))
                    }
                    (Outcome::Answered, Some(seen)) if breaker::closes(seen) => None,
                    (Outcome::Answered, _) => break,
                };
                if self.replace(&key, seen.as_ref(), next.as_ref()).await {
                    break;
                }
                self.read().await;
            }
        }
    }

    /// Whether the change was made. A table that does not answer leaves it to what this process knows.
    async fn replace(&self, key: &str, seen: Option<&Breaker>, next: Option<&Breaker>) -> bool {
        if let Some(shared) = &self.0.shared
            && !self.left_alone()
        {
            match shared.replace(key, seen.map(|seen| seen.version), next).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => self.leave_alone(),
            }
        }
        let mut known = self.known();
        match next {
            Some(next) => known.breakers.insert(key.to_owned(), next.clone()),
            None => known.breakers.remove(key),
        };
        true
    }

    async fn read(&self) {
        let Some(shared) = &self.0.shared else { return };
        if self.left_alone() {
            return;
        }
        match shared.all().await {
            Ok(all) => {
                let mut known = self.known();
                known.breakers = all;
                known.stale_at = Some(self.now().checked_add(FRESH).unwrap_or(Timestamp::MAX));
            }
            Err(_) => self.leave_alone(),
        }
    }

    /// Only `leave_alone` sets a time so far ahead.
    fn left_alone(&self) -> bool {
        self.known().stale_at.is_some_and(|stale_at| stale_at.duration_since(self.now()) > FRESH)
    }

    fn leave_alone(&self) {
        self.known().stale_at = Some(self.now().checked_add(LEFT_ALONE).unwrap_or(Timestamp::MAX));
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(key: &str, breaker: &Breaker, until: Timestamp) -> CircuitOpen {
    CircuitOpen {
        key: key.to_owned(),
        until,
        failures: breaker.failures,
        since: breaker.since,
        error: breaker.error.clone(),
    }
}

/// The settings of a function: `HOLDFAST_BREAKER_OPEN_SECONDS` and `HOLDFAST_BREAKER_LONGEST_SECONDS`, else the usual ones.
///
/// # Errors
/// `Configuration` when one is not a whole number of seconds above 0.
pub fn settings() -> Result<Settings> {
    let usual = Settings::default();
    Ok(Settings {
        open: seconds("HOLDFAST_BREAKER_OPEN_SECONDS", optional, usual.open)?,
        longest: seconds("HOLDFAST_BREAKER_LONGEST_SECONDS", optional, usual.longest)?,
        ..usual
    })
}

fn seconds(name: &str, read: fn(&str) -> Option<String>, usual: SignedDuration) -> Result<SignedDuration> {
    let Some(text) = read(name) else { return Ok(usual) };
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(SignedDuration::from_secs(seconds.into())),
        _ => Err(Error::new(
            ErrorKind::Configuration,
            format!("{name}: {text:?} is not a whole number of seconds above 0"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds() {
        let usual = SignedDuration::from_secs(30);
        assert_eq!(seconds("HOLDFAST_BREAKER_OPEN_SECONDS", |_| None, usual).unwrap(), usual);
        assert_eq!(
            seconds("HOLDFAST_BREAKER_OPEN_SECONDS", |_| Some("7".into()), usual).unwrap(),
            SignedDuration::from_secs(7)
        );
        for wrong in [
            |_: &str| Some("0".to_owned()),
            |_: &str| Some("1.5".to_owned()),
            |_: &str| Some("-3".to_owned()),
        ] {
            let error = seconds("HOLDFAST_BREAKER_OPEN_SECONDS", wrong, usual).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Configuration);
            assert!(error.message.starts_with("HOLDFAST_BREAKER_OPEN_SECONDS: "), "{error:?}");
        }
    }
}
