//! Schedules that start a database's backups, and whether they will start any.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{At, Check, Facts, Notes, interval_seconds};

/// How much later than UTC a clock may show the same local time: the westernmost zones are twelve hours behind.
const WESTERNMOST: SignedDuration = SignedDuration::from_hours(12);

/// When a schedule starts what it starts, as EventBridge Scheduler has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Whether it is ENABLED. One that has fired for the last time stays so.
    pub enabled: bool,
    /// `rate(6 hours)`.
    pub expression: String,
    /// The zone of `cron` and `at`; UTC where none is said.
    pub timezone: Option<String>,
    /// Before this it starts nothing.
    pub begins: Option<Timestamp>,
    /// After this neither.
    pub ends: Option<Timestamp>,
}

/// What a schedule will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// It starts one again and again.
    Repeats,
    /// It starts nothing before this time, and then again and again.
    NotBefore(Timestamp),
    /// It starts one, and then none.
    Once,
    /// Somebody switched it off.
    Disabled,
    /// It starts none any more, and why.
    Over(String),
}

impl Times {
    /// What it will do, seen from `now`.
    pub fn course(&self, now: Timestamp) -> Course {
        if !self.enabled {
            return Course::Disabled;
        }
        if self.expression.starts_with("at(") {
            // Neither a start nor an end is looked at then (EventBridge Scheduler API Reference, `CreateSchedule`).
            let is_past = self.latest_start().is_some_and(|at| at <= now);
            return if is_past {
                Course::Over(format!("it was to start one, {}", self.expression))
            } else {
                Course::Once
            };
        }
        match (self.begins, self.ends) {
            (_, Some(ends)) if ends <= now => Course::Over(format!("its end was {ends:.0}")),
            (Some(begins), _) if begins > now => Course::NotBefore(begins),
            _ => Course::Repeats,
        }
    }

    /// Whether it will start anything.
    pub fn is_live(&self, now: Timestamp) -> bool {
        match self.course(now) {
            Course::Repeats | Course::NotBefore(_) | Course::Once => true,
            Course::Disabled | Course::Over(_) => false,
        }
    }

    /// Seconds between two starts, when it starts one again and again by now and its expression says so.
    pub fn interval_seconds(&self, now: Timestamp) -> Option<f64> {
        match self.course(now) {
            Course::Repeats => interval_seconds(&self.expression),
            Course::NotBefore(_) | Course::Once | Course::Disabled | Course::Over(_) => None,
        }
    }

    /// The time of `at(2026-11-20T06:00:00)`; in a zone that is not UTC, the latest that it can be: whoever asks whether it is past
    /// is not told so too early. `None` when it cannot be read.
    fn latest_start(&self) -> Option<Timestamp> {
        let time = self.expression.strip_prefix("at(")?.strip_suffix(')')?.trim().parse::<DateTime>().ok()?;
        let at = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
        match self.timezone.as_deref() {
            None | Some("" | "UTC" | "Etc/UTC") => Some(at),
            Some(_) => at.checked_add(WESTERNMOST).ok(),
        }
    }
}

/// A schedule of EventBridge Scheduler that starts a state machine for this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleFacts {
    /// `group/name`.
    pub name: String,
    /// When it does.
    pub times: Times,
    /// What it starts.
    pub target_arn: String,
    /// Why its input is no backup request; `None` when it is one.
    pub input_problem: Option<String>,
}

/// How good a schedule is.
enum Judged {
    /// It starts backups.
    Starts,
    /// It starts less than somebody may think: what, and what to do.
    Little(String, &'static str),
    /// It starts none: why, and what to do.
    Nothing(String, &'static str),
}

/// Whether something starts backups by itself.
pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    if !facts.looks_at_home() {
        return;
    }
    let at = At { check: Check::Schedule, region: &facts.home };
    let schedules = match &facts.schedules {
        Err(error) => return notes.unknown(at, facts.database.as_str(), error),
        Ok(schedules) => schedules,
    };
    if schedules.is_empty() {
        return notes.warns(
            at,
            facts.database.as_str(),
            "nothing starts its backups: no schedule names it",
            "make a schedule (stack parameter DatabaseId, or your own), or start backups by what you have",
        );
    }
    let judged: Vec<_> = schedules.iter().map(|schedule| (schedule, judge(facts, schedule))).collect();
    let works = judged.iter().any(|(_, judged)| matches!(judged, Judged::Starts));
    let starts_any = judged.iter().any(|(_, judged)| !matches!(judged, Judged::Nothing(..)));
    for (schedule, judged) in judged {
        match judged {
            Judged::Starts => notes.good(at, &schedule.name, schedule.times.expression.clone()),
            // Beside one that goes on, one more backup is one more backup.
            Judged::Little(..) if works => {
                notes.good(at, &schedule.name, schedule.times.expression.clone());
            }
            Judged::Little(what, advice) => notes.warns(at, &schedule.name, what, advice),
            // Another one starts backups.
            Judged::Nothing(what, advice) if starts_any => notes.warns(at, &schedule.name, what, advice),
            Judged::Nothing(what, advice) => {
                let what = format!("no more backups are taken: {what}");
                notes.fails(at, &schedule.name, what, advice);
            }
        }
    }
}

fn judge(facts: &Facts, schedule: &ScheduleFacts) -> Judged {
    let course = schedule.times.course(facts.now);
    match &course {
        Course::Disabled => return Judged::Nothing("the schedule is disabled".to_owned(), "enable it"),
        Course::Over(why) => {
            return Judged::Nothing(
                format!("the schedule is over: {why}"),
                "make one that goes on (stack parameter DatabaseId, holdfast plan, or your own), and delete this one",
            );
        }
        Course::Repeats | Course::NotBefore(_) | Course::Once => {}
    }
    if schedule.target_arn != facts.backup_machine {
        let what = format!(
            "the schedule starts {}, and backups are made by {}",
            schedule.target_arn, facts.backup_machine
        );
        return Judged::Nothing(what, "point it at the backup state machine (output BackupStateMachineArn)");
    }
    if let Some(refused) = &schedule.input_problem {
        let what = format!("the input that it starts with is refused: {refused}");
        return Judged::Nothing(what, "correct the schedule's input");
    }
    match course {
        Course::NotBefore(begins) => Judged::Little(
            format!("nothing starts its backups before {begins:.0}: that is when the schedule begins"),
            "have it begin earlier, or start backups by what you have until then",
        ),
        Course::Once => Judged::Little(
            format!("the schedule starts one backup, {}, and then nothing does", schedule.times.expression),
            "make one that goes on (stack parameter DatabaseId, holdfast plan, or your own)",
        ),
        Course::Repeats | Course::Disabled | Course::Over(_) => Judged::Starts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn course(change: impl FnOnce(&mut Times)) -> Course {
        let mut times = Times {
            enabled: true,
            expression: "rate(6 hours)".into(),
            timezone: None,
            begins: None,
            ends: None,
        };
        change(&mut times);
        times.course(NOW.parse().unwrap())
    }

    fn at(expression: &str, timezone: Option<&str>) -> Course {
        course(|times| {
            times.expression = expression.into();
            times.timezone = timezone.map(str::to_owned);
        })
    }

    fn is_over(course: &Course) -> bool {
        matches!(course, Course::Over(_))
    }

    #[test]
    fn one_that_was_to_start_one_is_over_once_it_did() {
        assert_eq!(at("at(2026-11-20T12:00:01)", None), Course::Once);
        assert!(is_over(&at("at(2026-11-20T12:00:00)", Some("UTC"))));
        // Whatever the zone is, it is past after twelve hours more.
        assert_eq!(at("at(2026-11-20T00:00:01)", Some("Pacific/Midway")), Course::Once);
        assert!(is_over(&at("at(2026-11-20T00:00:00)", Some("Europe/Vienna"))));
        // What cannot be read is not said to be over, and never to go on.
        assert_eq!(at("at(noon)", None), Course::Once);
        // AWS looks at neither end of such a one.
        let ended = |times: &mut Times| {
            (times.expression, times.ends) = ("at(2026-12-01T00:00:00)".into(), Some(Timestamp::UNIX_EPOCH));
        };
        assert_eq!(course(ended), Course::Once);
    }

    #[test]
    fn one_that_repeats_does_so_between_its_ends() {
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(course(|_| ()), Course::Repeats);
        assert_eq!(course(|times| times.begins = time(NOW)), Course::Repeats);
        let later = time("2026-11-20T12:00:01Z");
        assert_eq!(course(|times| times.begins = later), Course::NotBefore(later.unwrap()));
        assert_eq!(course(|times| times.ends = later), Course::Repeats);
        assert!(is_over(&course(|times| times.ends = time(NOW))));
        assert_eq!(course(|times| (times.enabled, times.ends) = (false, time(NOW))), Course::Disabled);
    }

    #[test]
    fn only_one_that_repeats_by_now_gives_a_rate() {
        let rate = |begins: Option<Timestamp>, ends: Option<Timestamp>| {
            let expression = "rate(6 hours)".to_owned();
            let times = Times { enabled: true, expression, timezone: None, begins, ends };
            times.interval_seconds(NOW.parse().unwrap())
        };
        assert_eq!(rate(None, None), Some(21_600.0));
        assert_eq!(rate(Some("2026-12-01T00:00:00Z".parse().unwrap()), None), None);
        assert_eq!(rate(None, Some(Timestamp::UNIX_EPOCH)), None);
    }
}
