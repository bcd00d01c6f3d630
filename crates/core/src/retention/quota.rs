//! When a Region's quota of manual snapshots is reached: told before the day.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::backup::Backup;
use super::{Action, Policies, decide_each};
use crate::health::Quota;
use crate::ids::Region;
use crate::rds::SnapshotStatus;

/// Days whose backups show how many are made.
const WINDOW_DAYS: i64 = 28;
/// Of these, days that show how often a database is backed up.
const RHYTHM_DAYS: i64 = 7;
/// Days that are looked ahead when backups are pruned; further ahead, nobody knows the policy.
const HORIZON_DAYS: i64 = 366;
/// A quota that is reached within as many days is warned of.
const WARN_DAYS: i64 = 30;
/// So is one of which this much is used, in percent.
const WARN_PERCENT: i64 = 90;

/// When the quota of one Region is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The Region.
    pub region: Region,
    /// Manual snapshots there now, whoever made them.
    pub used: i64,
    /// Allowed.
    pub max: i64,
    /// Backups of Holdfast's a day, over the last four weeks, as far as they are still there.
    pub per_day: f64,
    /// How many there are a year from now when backups go on as they do and are pruned every day; `None` when nothing
    /// is pruned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub in_a_year: Option<i64>,
    /// When the quota is reached; `None` when that is not to be seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub full_at: Option<Timestamp>,
    /// One sentence, when somebody should do something about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warning: Option<String>,
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn is_recent(taken_at: Timestamp, now: Timestamp) -> bool {
    taken_at <= now && now.duration_since(taken_at) < days(WINDOW_DAYS)
}

/// Looks ahead from `ours`, the backups of Holdfast's in `region`. `pruning` says whether they are pruned every day.
pub fn forecast(
    region: &Region,
    quota: Quota,
    ours: &[Backup],
    policies: &Policies,
    pruning: Action,
    now: Timestamp,
) -> Forecast {
    let recent: Vec<Timestamp> = ours
        .iter()
        .filter_map(|backup| backup.taken_at)
        .filter(|taken_at| is_recent(*taken_at, now))
        .collect();
    let covered = recent.iter().min().map_or(1, |oldest| now.duration_since(*oldest).as_hours() / 24 + 1);
    let per_day = recent.len() as f64 / covered as f64;
    let (in_a_year, full_at) = match pruning {
        Action::Plan => (None, when_full(quota, per_day, now)),
        Action::Delete => look_ahead(quota, ours, policies, now),
    };
    let mut forecast = Forecast {
        region: region.clone(),
        used: quota.used,
        max: quota.max,
        per_day,
        in_a_year,
        full_at,
        warning: None,
    };
    forecast.warning = forecast.warning(now);
    forecast
}

/// Nothing is deleted: it goes on as it did.
fn when_full(quota: Quota, per_day: f64, now: Timestamp) -> Option<Timestamp> {
    let room = (quota.max - quota.used).max(0);
    if room == 0 {
        return Some(now);
    }
    let ahead = room as f64 / per_day;
    // A century is never.
    (ahead < 36_500.0).then(|| now.saturating_add(days(ahead as i64)).unwrap_or(Timestamp::MAX))
}

/// How a database goes on: as on the newest day that it was backed up, as often as it had such a day lately.
struct Pace<'a> {
    /// The backups of that day, each with its time before the end of the day.
    day: Vec<(&'a Backup, SignedDuration)>,
    /// Days with a backup, of so many days.
    days_with: i64,
    of_days: i64,
}

impl<'a> Pace<'a> {
    /// From the backups of one database, none of them older than [`WINDOW_DAYS`].
    fn of(recent: &[(Timestamp, &'a Backup)], now: Timestamp) -> Option<Self> {
        let newest = recent.iter().map(|(taken_at, _)| *taken_at).max()?;
        let oldest = recent.iter().map(|(taken_at, _)| *taken_at).min()?;
        let back = |taken_at: Timestamp| now.duration_since(taken_at);
        // Older days are thinned already where it is pruned: only the newest one has all that were taken.
        let day = recent.iter().filter(|(taken_at, _)| newest.duration_since(*taken_at) < days(1));
        let day = day.map(|(taken_at, backup)| (*backup, newest.duration_since(*taken_at))).collect();
        let of_days = (back(oldest).as_hours() / 24 + 1).min(RHYTHM_DAYS);
        let lately: BTreeSet<i64> = recent
            .iter()
            .map(|(taken_at, _)| back(*taken_at).as_hours() / 24)
            .filter(|day| *day < of_days)
            .collect();
        // Of a database that had none in that time, one day is known.
        let (days_with, of_days) = match i64::try_from(lately.len()).unwrap_or(of_days) {
            0 => (1, back(newest).as_hours() / 24 + 1),
            days_with => (days_with, of_days),
        };
        Some(Pace { day, days_with, of_days })
    }

    /// What there will be more of on the `n`th day from now, which ends at `end`.
    fn next(&self, n: i64, end: Timestamp) -> impl Iterator<Item = Backup> {
        let until = |n: i64| n * self.days_with / self.of_days;
        let comes = until(n) > until(n - 1);
        self.day.iter().filter(move |_| comes).map(move |(like, before)| Backup {
            arn: format!("{}+{n}", like.arn),
            taken_at: end.checked_sub(*before).ok(),
            status: SnapshotStatus::Available,
            hold: None,
            uses: vec![],
            // The proof is that of its example: of what is not proven, more is kept.
            ..(*like).clone()
        })
    }
}

/// Lets the time pass: every database goes on as it did, and what each day leaves over is pruned at its end. Counted is
/// what is there before that.
fn look_ahead(
    quota: Quota,
    ours: &[Backup],
    policies: &Policies,
    now: Timestamp,
) -> (Option<i64>, Option<Timestamp>) {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let others = (quota.used - count(ours.len())).max(0);
    let mut lines: BTreeMap<&str, Vec<(Timestamp, &Backup)>> = BTreeMap::new();
    for backup in ours.iter().filter(|backup| backup.is_ours()) {
        if let Some(taken_at) = backup.taken_at.filter(|taken_at| is_recent(*taken_at, now)) {
            lines.entry(&backup.database).or_default().push((taken_at, backup));
        }
    }
    let paces: Vec<Pace<'_>> = lines.values().filter_map(|recent| Pace::of(recent, now)).collect();
    let pruned = |there: Vec<Backup>, at: Timestamp| -> Vec<Backup> {
        decide_each(&there, policies, at).keep.into_iter().map(|kept| kept.backup).collect()
    };
    // What has not been pruned yet, and may be far more than the rules keep, goes with the next run.
    let mut there = pruned(ours.to_vec(), now);
    let mut full_at = (quota.used >= quota.max).then_some(now);
    let mut total = quota.used;
    for day in 1..=HORIZON_DAYS {
        let at = now.saturating_add(days(day)).unwrap_or(Timestamp::MAX);
        there.extend(paces.iter().flat_map(|pace| pace.next(day, at)));
        total = others + count(there.len());
        there = pruned(there, at);
        if total >= quota.max && full_at.is_none() {
            full_at = Some(at);
        }
    }
    (Some(total), full_at)
}

impl Forecast {
    fn warning(&self, now: Timestamp) -> Option<String> {
        let Forecast { region, used, max, .. } = self;
        let there_are = format!("there are {used} manual snapshots of {max} allowed in {region}");
        if used >= max {
            return Some(format!(
                "{there_are}: nothing more can be backed up or copied there; prune, or raise the quota"
            ));
        }
        if let Some(at) = self.full_at.filter(|at| at.duration_since(now) < days(WARN_DAYS)) {
            let on = at.strftime("%Y-%m-%d");
            let why = match self.in_a_year {
                None => format!("at {:.1} a day and with nothing deleted", self.per_day),
                Some(_) => "as backups go on and are pruned".to_owned(),
            };
            return Some(format!("{there_are}; {why}, it is full on {on}"));
        }
        let percent = 100 * used / (*max).max(1);
        (percent >= WARN_PERCENT).then(|| format!("{there_are}, that is {percent} %"))
    }
}
