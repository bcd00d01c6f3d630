//! Schedules that start nothing, or less than they seem to.

use super::*;

#[test]
fn schedules_that_start_nothing() {
    each(&[
        (|facts| facts.schedules = Ok(vec![]), Check::Schedule, Warning, "prod-db", "no schedule names it"),
        (
            |facts| its(facts).times.enabled = false,
            Check::Schedule,
            Fails,
            "default/prod",
            "no more backups are taken: the schedule is disabled",
        ),
        (
            |facts| its(facts).target_arn = "arn:another".into(),
            Check::Schedule,
            Fails,
            "default/prod",
            "the schedule starts arn:another",
        ),
        (
            |facts| its(facts).input_problem = Some("tier: no".into()),
            Check::Schedule,
            Fails,
            "default/prod",
            "is refused: tier: no",
        ),
        (
            |facts| {
                let mut other = ScheduleFacts { name: "default/old".into(), ..schedule() };
                other.times.enabled = false;
                facts.schedules.as_mut().unwrap().push(other);
            },
            Check::Schedule,
            Warning,
            "default/old",
            "is disabled",
        ),
    ]);
}

/// A schedule that starts one backup, at this time.
fn once(name: &str, at: &str) -> ScheduleFacts {
    let mut once = ScheduleFacts { name: name.into(), ..schedule() };
    once.times.expression = format!("at({at})");
    once
}

#[test]
fn schedules_that_start_less_than_they_seem_to() {
    each(&[
        (
            |facts| facts.schedules = Ok(vec![once("default/once", "2026-11-20T06:00:00")]),
            Check::Schedule,
            Fails,
            "default/once",
            "no more backups are taken: the schedule is over: it was to start one, at(2026-11-20T06:00:00)",
        ),
        (
            |facts| facts.schedules = Ok(vec![once("default/once", "2026-11-21T06:00:00")]),
            Check::Schedule,
            Warning,
            "default/once",
            "starts one backup, at(2026-11-21T06:00:00), and then nothing does",
        ),
        (
            |facts| its(facts).times.ends = Some(NOW.parse().unwrap()),
            Check::Schedule,
            Fails,
            "default/prod",
            "the schedule is over: its end was 2026-11-20T12:00:00Z",
        ),
        (
            |facts| its(facts).times.begins = Some("2026-12-01T00:00:00Z".parse().unwrap()),
            Check::Schedule,
            Warning,
            "default/prod",
            "nothing starts its backups before 2026-12-01T00:00:00Z",
        ),
    ]);
    // Beside one that goes on, one more is in order.
    let beside =
        |at: &'static str| seen(|facts| facts.schedules.as_mut().unwrap().push(once("default/once", at)));
    assert_eq!(beside("2026-11-21T06:00:00"), []);
    let past = beside("2026-11-20T06:00:00");
    assert_eq!((past.len(), past[0].severity), (1, Warning));
    // While one is still to come, it is not true that no more are taken.
    let left = seen(|facts| {
        its(facts).times.enabled = false;
        facts.schedules.as_mut().unwrap().push(once("default/once", "2026-11-21T06:00:00"));
    });
    assert_eq!(left.iter().map(|one| one.severity).collect::<Vec<_>>(), [Warning, Warning]);
}
