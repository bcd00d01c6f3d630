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
    fn the_longest_operation_stays_under_the_history_limit() {
        let longest = (MAX_DEADLINE_MINUTES * 60.0) as u64;
        assert!(longest > 24 * 3600, "a 24-hour copy must fit");
        let copies = polls_within(longest) * EVENTS_PER_POLL * MAX_TARGET_REGIONS as u64;
        // Health, snapshot and validation share the deadline with the copies; the clean-up has its own bound of
        // 60 polls. 500 for the rest, 1,000 for retries.
        let others = 3 * polls_within(4 * 3600) * EVENTS_PER_POLL + 60 * EVENTS_PER_POLL + 1_500;
        assert!(copies + others < 25_000, "{copies} + {others}");
    }
}
