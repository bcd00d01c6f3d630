//! A circuit breaker for each service, Region and action of AWS, shared by every execution.
//!
//! *Closed*: calls go through. After [`Settings::failures`] failures without a success in between, it is *open*: nothing is
//! sent, so that a service that is down is not asked by everybody over and over, and an execution waits for less than a
//! function's time limit. When its time is over, one caller may try (*half-open*); what becomes of that one call closes it or
//! opens it again, for twice as long.
//!
//! Pure: where breakers are kept is [`crate::ports::Breakers`], who asks is `holdfast-aws`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures one after the other that open it.
    pub failures: u32,
    /// Failures that are further apart than this have nothing to do with each other.
    pub within: SignedDuration,
    /// How long it is open at first; twice as long each time that a probe fails.
    pub open: SignedDuration,
    /// The longest that it is open at a time.
    pub longest: SignedDuration,
    /// How long a probe may take before another one is let through: its caller may have died.
    pub probe: SignedDuration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            failures: 5,
            within: SignedDuration::from_secs(60),
            open: SignedDuration::from_secs(30),
            longest: SignedDuration::from_secs(300),
            // An attempt ends after 10 s by the time limit of every call.
            probe: SignedDuration::from_secs(20),
        }
    }
}

/// What a breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Every call.
    Closed,
    /// None.
    Open,
    /// The one that tries.
    HalfOpen,
}

impl State {
    /// As it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::Open => "OPEN",
            State::HalfOpen => "HALF_OPEN",
        }
    }
}

/// A breaker that something is known of. One without failures is kept nowhere: it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Breaker {
    /// What it lets through.
    pub state: State,
    /// Failures since the last success.
    pub failures: u32,
    /// The first of them.
    pub since: Timestamp,
    /// The last of them.
    pub failed_at: Timestamp,
    /// What the last of them said.
    pub error: String,
    /// How often it was opened in a row; 0 while it is closed.
    #[serde(default)]
    pub opened: u32,
    /// Until when nothing is sent (`OPEN`), or the one that tries has time (`HALF_OPEN`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Counts the changes, so that two that change it do not undo each other.
    pub version: u64,
}

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Call.
    Go,
    /// Call once this is written: it is the one that tries.
    Try(Breaker),
    /// Not call before this time.
    Refused(Timestamp),
}

/// Whether a call may be sent now.
pub fn admit(breaker: Option<&Breaker>, settings: &Settings, now: Timestamp) -> Admission {
    let Some(breaker) = breaker else { return Admission::Go };
    match (breaker.state, breaker.until) {
        (State::Closed, _) | (State::Open | State::HalfOpen, None) => Admission::Go,
        (State::Open | State::HalfOpen, Some(until)) if now < until => Admission::Refused(until),
        (State::Open | State::HalfOpen, Some(_)) => Admission::Try(Breaker {
            state: State::HalfOpen,
            until: Some(later(now, settings.probe)),
            version: breaker.version + 1,
            ..breaker.clone()
        }),
    }
}

/// The breaker after a call failed in a way that says something of the service: no answer, or a fault of its own.
pub fn failed(breaker: Option<&Breaker>, settings: &Settings, now: Timestamp, error: &str) -> Breaker {
    let error = error.to_owned();
    let apart = |breaker: &Breaker| now.duration_since(breaker.failed_at) > settings.within;
    let Some(breaker) = breaker.filter(|breaker| breaker.state != State::Closed || !apart(breaker)) else {
        let version = breaker.map_or(1, |breaker| breaker.version + 1);
        let first = Breaker {
            state: State::Closed,
            failures: 1,
            since: now,
            failed_at: now,
            error,
            opened: 0,
            until: None,
            version,
        };
        return if settings.failures <= 1 { open(first, settings, now) } else { first };
    };
    let next = Breaker {
        failures: breaker.failures.saturating_add(1),
        failed_at: now.max(breaker.failed_at),
        error,
        version: breaker.version + 1,
        ..breaker.clone()
    };
    match breaker.state {
        State::Closed if next.failures < settings.failures => next,
        // Sent before it was opened: says nothing new, and does not keep it open any longer.
        State::Open => next,
        State::Closed | State::HalfOpen => open(next, settings, now),
    }
}

/// Whether a success of a call that was let through closes it. One that was sent before it was opened does not.
pub fn closes(breaker: &Breaker) -> bool {
    match breaker.state {
        State::Closed | State::HalfOpen => true,
        State::Open => false,
    }
}

fn open(breaker: Breaker, settings: &Settings, now: Timestamp) -> Breaker {
    let doubled = settings.open * 2_i32.pow(breaker.opened.min(16));
    let until = later(now, doubled.min(settings.longest));
    Breaker { state: State::Open, opened: breaker.opened + 1, until: Some(until), ..breaker }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn after(seconds: &[i64]) -> Option<Breaker> {
        seconds.iter().fold(None, |breaker, second| {
            Some(failed(breaker.as_ref(), &Settings::default(), at(*second), "503"))
        })
    }

    #[test]
    fn it_opens_at_the_fifth_failure_in_a_row() {
        for (seconds, state) in [
            (vec![0], State::Closed),
            (vec![0, 1, 2, 3], State::Closed),
            (vec![0, 1, 2, 3, 4], State::Open),
            (vec![0, 0, 0, 0, 0], State::Open),
            (vec![0, 60, 120, 180, 240], State::Open),
            // Four, and long afterwards another one: that is the first of its own row.
            (vec![0, 1, 2, 3, 64], State::Closed),
        ] {
            assert_eq!(after(&seconds).unwrap().state, state, "{seconds:?}");
        }
        let alone = after(&[0, 1, 2, 3, 64]).unwrap();
        assert_eq!((alone.failures, alone.since, alone.version), (1, at(64), 5));
    }

    #[test]
    fn one_failure_is_enough_where_that_is_set() {
        let settings = Settings { failures: 1, ..Settings::default() };
        let breaker = failed(None, &settings, at(0), "503");
        assert_eq!((breaker.state, breaker.until), (State::Open, Some(at(30))));
    }

    #[test]
    fn an_open_one_refuses_until_its_time_and_then_lets_one_through() {
        let settings = Settings::default();
        let open = after(&[0, 1, 2, 3, 4]).unwrap();
        assert_eq!(admit(None, &settings, at(0)), Admission::Go);
        assert_eq!(admit(after(&[0, 1]).as_ref(), &settings, at(2)), Admission::Go);
        assert_eq!(admit(Some(&open), &settings, at(33)), Admission::Refused(at(34)));
        let Admission::Try(trying) = admit(Some(&open), &settings, at(34)) else {
            panic!("its time is over")
        };
        assert_eq!((trying.state, trying.until, trying.version), (State::HalfOpen, Some(at(54)), 6));
        // Nobody else, until the one that tries has had its time.
        assert_eq!(admit(Some(&trying), &settings, at(53)), Admission::Refused(at(54)));
        assert!(matches!(admit(Some(&trying), &settings, at(54)), Admission::Try(_)));
        assert!(closes(&trying));
    }

    #[test]
    fn each_probe_that_fails_doubles_the_wait_up_to_the_longest() {
        let settings = Settings::default();
        let mut breaker = after(&[0, 0, 0, 0, 0]).unwrap();
        let mut waits = Vec::new();
        for _ in 0..6 {
            let opened = breaker.failed_at;
            let until = breaker.until.unwrap();
            waits.push(until.duration_since(opened).as_secs());
            let Admission::Try(trying) = admit(Some(&breaker), &settings, until) else {
                panic!("{breaker:?}")
            };
            breaker = failed(Some(&trying), &settings, until, "503");
            assert_eq!(breaker.state, State::Open);
        }
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
        assert_eq!(breaker.since, at(0), "since when is since the first failure");
    }

    #[test]
    fn what_was_sent_before_it_opened_neither_closes_nor_prolongs_it() {
        let settings = Settings::default();
        let open = after(&[0, 1, 2, 3, 4]).unwrap();
        let still = failed(Some(&open), &settings, at(10), "timeout");
        assert_eq!((still.state, still.until, still.opened), (State::Open, open.until, 1));
        assert!(!closes(&open));
        assert!(closes(&after(&[0]).unwrap()));
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        for breaker in [after(&[0]).unwrap(), after(&[0, 1, 2, 3, 4]).unwrap()] {
            let text = serde_json::to_string(&breaker).unwrap();
            assert_eq!(serde_json::from_str::<Breaker>(&text).unwrap(), breaker);
        }
        let open = serde_json::to_value(after(&[0, 1, 2, 3, 4]).unwrap()).unwrap();
        assert_eq!(open["state"], State::Open.as_str());
    }
}
