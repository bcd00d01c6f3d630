//! How long to wait before asking again.
//!
//! The wait grows with the number of polls already made, so that a short operation is followed
//! closely and a 24-hour copy costs few states. Step Functions allows 25,000 history events per
//! execution (AWS Step Functions Developer Guide, "Quotas") and one poll of Task, Choice and Wait
//! is 9 events; see the test for the sum.

/// History events of one poll: 5 of the Task, 2 of the Choice, 2 of the Wait.
pub const EVENTS_PER_POLL: u64 = 9;

/// The longest input deadline, in minutes: 30 hours, so that a 24-hour copy has room before and after it.
pub const MAX_DEADLINE_MINUTES: f64 = 1800.0;

/// Most target Regions of one operation; bounded by the history of 25,000 events.
pub const MAX_TARGET_REGIONS: usize = 10;

/// Seconds that one invocation may work on a restored server: under Lambda's limit of 15 minutes.
pub const WORK_SECONDS: u64 = 780;

/// Most functions that work on one validation at once: what an inline Map state runs at once (AWS Step Functions
/// Developer Guide, "Using Map state in Inline mode").
pub const MAX_WORKERS: u32 = 40;

/// History events that one worker costs besides its polls: its iteration's, its first and its last state's.
const EVENTS_PER_WORKER: u64 = 8;

/// History events that all workers of a validation may cost together; the rest is for the copies.
const WORK_EVENTS: u64 = 12_000;

/// How many workers' polls fit into the history when they work until the deadline.
pub fn max_workers(deadline_minutes: f64) -> u32 {
    let polls = (deadline_minutes * 60.0) as u64 / WORK_SECONDS + 1;
    let workers = WORK_EVENTS / (polls * EVENTS_PER_POLL + EVENTS_PER_WORKER);
    u32::try_from(workers).unwrap_or(MAX_WORKERS).clamp(1, MAX_WORKERS)
}

/// Seconds to wait after poll number `poll` (the first is 1).
pub fn wait_seconds(poll: u32) -> u32 {
    const FIRST: f64 = 10.0;
    const GROWTH: f64 = 1.08;
    const LONGEST: f64 = 600.0;
    (FIRST * GROWTH.powi(poll.saturating_sub(1).min(200) as i32)).min(LONGEST).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polls_within(seconds: u64) -> u64 {
        let mut elapsed = 0;
        let mut polls = 0;
        while elapsed < seconds {
            polls += 1;
            elapsed += u64::from(wait_seconds(polls as u32));
        }
        polls
    }

    #[test]
    fn waits_grow_to_a_limit() {
        assert_eq!(wait_seconds(1), 10);
        assert_eq!(wait_seconds(0), 10);
        assert!(wait_seconds(10) < 25);
        assert_eq!(wait_seconds(u32::MAX), 600);
    }

    #[test]
    fn every_operation_stays_under_the_history_limit() {
        let longest = (MAX_DEADLINE_MINUTES * 60.0) as u64;
        assert!(longest > 24 * 3600, "a 24-hour copy must fit");
        // Health, snapshot, restore and replication share the deadline with the work; the clean-up has its own bound of
        // 60 polls. 500 for the rest, 1,000 for retries. A baseline that is read row by row is one worker more, and
        // 40 polls that wait for its source.
        let others = 3 * polls_within(4 * 3600) * EVENTS_PER_POLL
            + 60 * EVENTS_PER_POLL
            + 40 * EVENTS_PER_POLL
            + 1_500;
        for hours in 1..=longest / 3600 {
            let deadline = hours * 3600;
            let workers = u64::from(max_workers(deadline as f64 / 60.0));
            // However the time is divided between the work and the copies after it.
            for worked in (0..=deadline).step_by(600) {
                let polls = worked.div_ceil(WORK_SECONDS);
                let work = workers * (polls * EVENTS_PER_POLL + EVENTS_PER_WORKER);
                let copies = polls_within(deadline - worked) * EVENTS_PER_POLL * MAX_TARGET_REGIONS as u64;
                let all = work + copies + others;
                assert!(all < 25_000, "{hours} h, {worked} s of it work: {work} + {copies} + {others}");
            }
        }
    }

    #[test]
    fn a_usual_deadline_has_room_for_many_workers() {
        assert_eq!(max_workers(60.0), MAX_WORKERS);
        assert!(max_workers(720.0) >= 20);
        assert!(max_workers(MAX_DEADLINE_MINUTES) >= 8);
        assert_eq!(max_workers(f64::MAX), 1);
    }
}
