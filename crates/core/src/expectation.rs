//! How long an operation may be expected to take: the medians of earlier ones of its kind and database.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::operation::Phase;

/// So many of the newest are looked at: what was long ago says less of today.
pub const RUNS: usize = 10;

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

    /// How much of the usual time has passed; 99 is the most, for only its end ends it.
    pub fn percent(&self, elapsed_seconds: f64) -> u64 {
        if self.total_seconds <= 0.0 || !elapsed_seconds.is_finite() {
            return 0;
        }
        (elapsed_seconds / self.total_seconds * 100.0).clamp(0.0, 99.0) as u64
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
        let percents =
            [0.0, 50.0, 199.9, 200.0, 5000.0, -3.0, f64::NAN].map(|elapsed| expected.percent(elapsed));
        assert_eq!(percents, [0, 25, 99, 99, 99, 0, 0]);
        assert_eq!(Expectation::of(&[past(0.0, None)]).unwrap().percent(5.0), 0);
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
