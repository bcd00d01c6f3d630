//! How long an operation may be expected to take: the medians of earlier ones of its kind and database.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::operation::{Kind, Phase, Request};
use crate::validation::Verdict;

/// So many of the newest are looked at: what was long ago says less of today.
pub const RUNS: usize = 10;

/// What an operation does, as far as its time depends on it: only what does the same tells of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// It plans and makes nothing.
    pub verify_only: bool,
    /// What it made is restored or read, and proven; of a replication, at least some of its copies.
    pub proven: bool,
    /// What it restored takes the database's place.
    pub swapped: bool,
}

impl Work {
    /// What is asked for by `request`, the JSON text in a record. `None` when it cannot be read.
    pub fn asked(kind: Kind, request: &str) -> Option<Work> {
        let request = Request::read(kind, request).ok()?;
        Some(match &request {
            Request::Backup(backup) => {
                Work { verify_only: false, proven: backup.validation.enabled, swapped: false }
            }
            Request::Replication(replication) => {
                Work { verify_only: false, proven: replication.validation.copy_share > 0.0, swapped: false }
            }
            Request::Restore(restore) => Work {
                verify_only: restore.verify_only,
                proven: restore.validation.enabled && !restore.verify_only,
                swapped: restore.swap.is_some() && !restore.verify_only,
            },
        })
    }

    /// What an operation that has ended did: a proof that was asked for may not have been run. `verdict` is the record's.
    pub fn done(kind: Kind, request: &str, verdict: Option<&str>) -> Option<Work> {
        let asked = Work::asked(kind, request)?;
        let ran = match kind {
            // Its verdict would be that of the backup, which it proves nothing of.
            Kind::Replication => true,
            Kind::Backup | Kind::Restore => {
                verdict.is_some_and(|verdict| verdict != Verdict::NotRun.as_str())
            }
        };
        Some(Work { proven: asked.proven && ran, ..asked })
    }
}

/// How long an earlier operation took.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// From its beginning to its end.
    pub total_seconds: f64,
    /// Each phase that it went through.
    pub phases: BTreeMap<Phase, f64>,
}

impl Past {
    /// Reads the `timings` of a record. `None` when it has not ended, or when somebody took it over: then nobody worked on it
    /// for an unknown part of its time.
    pub fn read(timings: &Value) -> Option<Past> {
        let total_seconds = seconds(&timings["totalSeconds"])?;
        let mut phases = BTreeMap::new();
        for phase in timings["phases"].as_array()? {
            let name: Phase = serde_json::from_value(phase["name"].clone()).ok()?;
            *phases.entry(name).or_insert(0.0) += seconds(&phase["seconds"])?;
        }
        Some(Past { total_seconds, phases })
    }
}

fn seconds(value: &Value) -> Option<f64> {
    value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

/// What to expect.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// How many earlier operations it comes from.
    pub runs: usize,
    /// The median of their time.
    pub total_seconds: f64,
    /// The median of each phase, of those that went through it.
    phases: BTreeMap<Phase, f64>,
}

impl Expectation {
    /// From the newest of earlier operations, the newest first; `None` when there is none: a guess is not shown.
    pub fn of(past: &[Past]) -> Option<Expectation> {
        let newest = &past[..past.len().min(RUNS)];
        let total_seconds = median(newest.iter().map(|run| run.total_seconds).collect())?;
        let of_phase = |phase: Phase| {
            let all = newest.iter().filter_map(|run| run.phases.get(&phase).copied()).collect();
            Some((phase, median(all)?))
        };
        let phases = Phase::ALL.into_iter().filter_map(of_phase).collect();
        Some(Expectation { runs: newest.len(), total_seconds, phases })
    }

    /// How long a phase usually takes.
    pub fn phase(&self, phase: Phase) -> Option<f64> {
        self.phases.get(&phase).copied()
    }

    /// How much of the usual time has passed, 99 at the most, for only its end ends it; `None` once it takes longer than usual: then nobody
    /// knows.
    pub fn percent(&self, elapsed_seconds: f64) -> Option<u64> {
        let share = elapsed_seconds / self.total_seconds;
        (share <= 1.0).then(|| (share * 100.0).clamp(0.0, 99.0) as u64)
    }
}

/// Of an even number, the mean of the two in the middle.
fn median(mut all: Vec<f64>) -> Option<f64> {
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    let upper = all.get(middle)?;
    if all.len() % 2 == 1 { Some(*upper) } else { Some((all.get(middle - 1)? + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn past(total_seconds: f64, validating: Option<f64>) -> Past {
        Past {
            total_seconds,
            phases: validating.map(|seconds| (Phase::Validating, seconds)).into_iter().collect(),
        }
    }

    #[test]
    fn it_is_the_median_of_the_newest_ten() {
        let runs = [past(100.0, Some(60.0)), past(1000.0, None), past(200.0, Some(80.0))];
        let expected = Expectation::of(&runs).unwrap();
        assert_eq!((expected.runs, expected.total_seconds), (3, 200.0));
        assert_eq!((expected.phase(Phase::Validating), expected.phase(Phase::Swapping)), (Some(70.0), None));
        let many: Vec<Past> = (0..12).map(|n| past(if n < 10 { 10.0 } else { 9000.0 }, None)).collect();
        let expected = Expectation::of(&many).unwrap();
        assert_eq!((expected.runs, expected.total_seconds), (10, 10.0));
        assert_eq!(Expectation::of(&[]), None);
    }

    #[test]
    fn before_its_end_it_is_never_whole() {
        let expected = Expectation::of(&[past(200.0, None)]).unwrap();
        let percents = [0.0, 50.0, 199.9, 200.0, -3.0].map(|elapsed| expected.percent(elapsed));
        assert_eq!(percents, [Some(0), Some(25), Some(99), Some(99), Some(0)]);
        assert_eq!([200.1, 5000.0, f64::NAN].map(|elapsed| expected.percent(elapsed)), [None; 3]);
        assert_eq!(Expectation::of(&[past(0.0, None)]).unwrap().percent(5.0), None);
    }

    #[test]
    fn only_what_does_the_same_tells_of_another() {
        use crate::ids::Region;
        use crate::request::RestoreRequest;

        let home = Region::parse("us-east-1").unwrap();
        let request = |more: Value| {
            let mut input = json!({"databaseId": "prod-db", "runId": "r1"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::to_string(&RestoreRequest::parse(&input, "r1", &home).unwrap()).unwrap()
        };
        let asked = |more: Value| Work::asked(Kind::Restore, &request(more)).unwrap();
        let done = |more: Value, verdict| Work::done(Kind::Restore, &request(more), verdict).unwrap();
        let whole = asked(json!({}));
        assert_eq!(whole, done(json!({}), Some("VALID")));
        assert_eq!(whole, done(json!({}), Some("INCONCLUSIVE")));
        // A plan alone, a restore that nobody looked at, and one with a swap are other work.
        for other in [
            done(json!({"verifyOnly": true}), None),
            done(json!({}), Some("NOT_RUN")),
            done(json!({}), None),
            done(json!({"validation": {"enabled": false}}), Some("NOT_RUN")),
            done(json!({"swap": true}), Some("VALID")),
        ] {
            assert_ne!(whole, other);
        }
        // Each is told of by its like.
        assert_eq!(asked(json!({"verifyOnly": true})), done(json!({"verifyOnly": true, "swap": true}), None));
        let unproven = json!({"validation": {"enabled": false}});
        assert_eq!(asked(unproven.clone()), done(unproven, Some("NOT_RUN")));
        assert_eq!(asked(json!({"validation": {"enabled": false}})), done(json!({}), Some("NOT_RUN")));
        assert_eq!(Work::asked(Kind::Restore, "{}"), None);
    }

    #[test]
    fn timings_are_read_as_records_have_them() {
        let phase = |name: &str, seconds: f64| json!({"name": name, "startedAt": "2026-11-20T06:00:00Z", "seconds": seconds});
        let phases = [phase("HEALTH_CHECKING", 1.0), phase("VALIDATING", 2.0), phase("VALIDATING", 3.0)];
        let read = Past::read(&json!({"totalSeconds": 6.5, "phases": phases})).unwrap();
        assert_eq!((read.total_seconds, read.phases[&Phase::Validating], read.phases.len()), (6.5, 5.0, 2));
        let taken_over = [phase("VALIDATING", 2.0), phase("TAKEN_OVER", 3600.0)];
        for odd in [
            json!({"totalSeconds": null, "phases": phases}),
            json!({"totalSeconds": 6.5, "phases": taken_over}),
            json!({"totalSeconds": -1.0, "phases": []}),
            json!({}),
        ] {
            assert_eq!(Past::read(&odd), None, "{odd}");
        }
    }
}
