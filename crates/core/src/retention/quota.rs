//! When a Region's quota of manual snapshots is reached: told before the day.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::backup::{Backup, Proof};
use super::{Action, Policies, decide_each};
use crate::health::Quota;
use crate::ids::Region;
use crate::rds::SnapshotStatus;

/// Days whose backups show how many are made.
const WINDOW_DAYS: i64 = 28;
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
        .filter(|taken_at| *taken_at <= now && now.duration_since(*taken_at) < days(WINDOW_DAYS))
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

/// Lets the time pass: every database that was backed up lately has one more every day, all that the day before left
/// over is pruned, and as many as were taken in the last day are there beside them.
fn look_ahead(
    quota: Quota,
    ours: &[Backup],
    policies: &Policies,
    now: Timestamp,
) -> (Option<i64>, Option<Timestamp>) {
    let within = |backup: &Backup, count: i64| {
        backup.taken_at.is_some_and(|taken_at| taken_at <= now && now.duration_since(taken_at) < days(count))
    };
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let today = count(ours.iter().filter(|backup| backup.is_ours() && within(backup, 1)).count());
    let others = (quota.used - count(ours.len())).max(0);
    // One per database shows what the next ones will be like.
    let going_on: BTreeMap<&str, &Backup> = ours
        .iter()
        .filter(|backup| backup.is_ours() && within(backup, WINDOW_DAYS))
        .map(|backup| (backup.database.as_str(), backup))
        .collect();
    let next = |like: &Backup, day: i64| Backup {
        arn: format!("{}+{day}", like.arn),
        taken_at: now.checked_add(days(day)).ok(),
        proof: Proof::Valid,
        status: SnapshotStatus::Available,
        hold: None,
        uses: vec![],
        ..like.clone()
    };
    let mut there: Vec<Backup> = ours.to_vec();
    let mut full_at = (quota.used >= quota.max).then_some(now);
    let mut total = quota.used;
    for day in 1..=HORIZON_DAYS {
        let at = now.saturating_add(days(day)).unwrap_or(Timestamp::MAX);
        there.extend(going_on.values().map(|like| next(like, day)));
        there = decide_each(&there, policies, at).keep.into_iter().map(|kept| kept.backup).collect();
        total = others + count(there.len()) + (today - count(going_on.len())).max(0);
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
