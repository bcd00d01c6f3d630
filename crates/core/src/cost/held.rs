//! How many backups are held: retention decides over a simulated time, day by day.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::cron::Cron;
use crate::ids::{OperationId, Region};
use crate::rds::SnapshotStatus;
use crate::request::Tier;
use crate::retention::{Backup, Owner, Policy, Proof, decide};

/// The longest time that is simulated, months: by then seven yearly backups are there. [`Cron::after`] looks nine years ahead.
pub const LONGEST_MONTHS: u32 = 96;

/// The backups that are held at some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// When the data of each is from, the oldest first.
    pub times: Vec<Timestamp>,
}

impl Held {
    /// What they take, as multiples of the database's size: the oldest is full, each later one is what changed since the one
    /// before it, at most all. `change` is the share of the database that changes in a day.
    pub fn incremental(&self, change: f64) -> f64 {
        let first = if self.times.is_empty() { 0.0 } else { 1.0 };
        let later = self.times.windows(2).map(|pair| changed(pair[1].duration_since(pair[0]), change));
        first + later.sum::<f64>()
    }
}

/// The share of a database that changes in a time, at most all of it.
pub(super) fn changed(time: SignedDuration, change: f64) -> f64 {
    (time.as_secs_f64() / 86_400.0 * change).min(1.0)
}

/// When backups come between `from` and `from` and so many days, of whatever tier, the first one first.
pub fn runs(schedules: &BTreeMap<Tier, Cron>, from: Timestamp, days: i64) -> Vec<(Timestamp, Tier)> {
    let end = from.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    let mut all: Vec<(Timestamp, Tier)> = schedules
        .iter()
        .flat_map(|(tier, cron)| cron.after(from).take_while(|at| *at <= end).map(|at| (at, *tier)))
        .collect();
    all.sort_unstable();
    all
}

/// What is held after so many months when there was nothing at `from`, every backup is proven, and what no rule keeps is
/// deleted every day.
pub fn held(schedules: &BTreeMap<Tier, Cron>, policy: &Policy, from: Timestamp, months: u32) -> Held {
    let days = i64::from(months.min(LONGEST_MONTHS)) * 365 / 12;
    let mut coming = runs(schedules, from, days).into_iter().enumerate().peekable();
    let mut there: Vec<Backup> = Vec::new();
    for day in 1..=days {
        let now = from.saturating_add(SignedDuration::from_hours(24 * day)).unwrap_or(Timestamp::MAX);
        while let Some((number, (at, tier))) = coming.next_if(|(_, (at, _))| *at <= now) {
            there.extend(simulated(number, at, tier));
        }
        there = decide(&there, policy, now).keep.into_iter().map(|kept| kept.backup).collect();
    }
    let mut times: Vec<Timestamp> = there.iter().filter_map(|backup| backup.taken_at).collect();
    times.sort_unstable();
    Held { times }
}

/// A proven backup that nothing holds but the rules.
fn simulated(number: usize, taken_at: Timestamp, tier: Tier) -> Option<Backup> {
    let operation = OperationId::parse(&format!("simulated-{number:010x}")).ok()?;
    Some(Backup {
        id: operation.snapshot_id(),
        arn: operation.snapshot_id(),
        region: Region::parse("us-east-1").ok()?,
        database: "simulated".to_owned(),
        taken_at: Some(taken_at),
        proof: Proof::Valid,
        tier,
        hold: None,
        owner: Owner::Operation(operation),
        status: SnapshotStatus::Available,
        uses: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedules(crons: &[(Tier, &str)]) -> BTreeMap<Tier, Cron> {
        crons.iter().map(|(tier, text)| (*tier, Cron::parse(text).unwrap())).collect()
    }

    fn from() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    const NOTHING: Policy =
        Policy { daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1, inspection_days: 0 };

    #[test]
    fn as_many_are_held_as_the_rules_keep() {
        let nightly = schedules(&[(Tier::Daily, "0 3 * * ? *")]);
        let of = |policy: Policy, months: u32| held(&nightly, &policy, from(), months).times.len();
        assert_eq!(of(Policy { daily: 7, ..NOTHING }, 12), 7);
        assert_eq!(of(Policy { daily: 30, ..NOTHING }, 1), 30, "no more than there were days");
        // In the long run seven days, four weeks, twelve months and seven years, some of them the same backup.
        let all = held(&nightly, &Policy::default(), from(), LONGEST_MONTHS).times.len();
        assert!((24..=30).contains(&all), "{all}");
        let six_hourly = schedules(&[(Tier::Daily, "0 0/6 * * ? *")]);
        let kept = held(&six_hourly, &Policy { daily: 7, ..NOTHING }, from(), 2);
        assert_eq!(kept.times.len(), 7, "one each of seven days, however many were taken");
    }

    #[test]
    fn a_later_backup_takes_what_changed_since_the_one_before_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let held = Held {
            times: vec![at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"), at("2026-03-03T00:00:00Z")],
        };
        // All of it, 2 % of a day, and of 60 days at 2 % all of it once more.
        assert!((held.incremental(0.02) - 2.02).abs() < 1e-9);
        assert!((held.incremental(0.01) - (1.0 + 0.01 + 0.60)).abs() < 1e-9);
        assert_eq!(Held::default().incremental(0.02), 0.0);
    }

    #[test]
    fn runs_of_all_tiers_are_counted() {
        let all = schedules(&[(Tier::Daily, "0 0/6 * * ? *"), (Tier::Weekly, "30 1 ? * SUN *")]);
        // The first one comes at 06:00 of the first day, the last at 00:00 after the last day.
        assert_eq!(runs(&all, from(), 365).len(), 4 * 365 + 52);
        assert!(runs(&BTreeMap::new(), from(), 365).is_empty());
    }
}
