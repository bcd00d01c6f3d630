//! What an operation that is followed may be expected to take, from the records of earlier ones.

use holdfast_core::expectation::{Expectation, Past, RUNS, Work};
use holdfast_core::operation::{Kind, Phase};
use jiff::Timestamp;
use serde_json::Value;

use crate::Error;
use crate::backup::describe;
use crate::cloud::Cloud;
use crate::ops::list;
use crate::render::{count, duration};

/// Records of the database that are looked through for ended ones of the same kind.
const LOOKED_AT: usize = 60;

/// An operation, and how long it usually takes.
#[derive(Debug, Clone)]
pub struct Expected {
    /// When it was begun.
    pub began: Timestamp,
    /// What its history says.
    pub expectation: Expectation,
}

/// What the history of an operation's kind and database says; `None` when there is none.
///
/// # Errors
/// When the state table cannot be read.
pub async fn of(cloud: &Cloud, operation_id: &str) -> Result<Option<Expected>, Error> {
    let Some(record) = list::item(cloud, operation_id).await? else { return Ok(None) };
    if describe::has_ended(record["status"].as_str().unwrap_or_default()) {
        // Its execution is of another thing, such as a validation of its backup.
        return Ok(None);
    }
    let Some(began) = record["startedAt"].as_str().and_then(|text| text.parse().ok()) else {
        return Ok(None);
    };
    let database = record["databaseId"].as_str().unwrap_or_default();
    let rows = list::of_database(cloud, database, LOOKED_AT).await?;
    // What this one is asked for is not known: then nothing is known to be like it.
    let Some(asked) = kind_and_request(&record).and_then(|(kind, request)| Work::asked(kind, request)) else {
        return Ok(None);
    };
    let mut past = Vec::new();
    for row in rows.iter().filter(|row| tells(row, &record)) {
        let id = row["operationId"].as_str().unwrap_or_default();
        let item = list::item(cloud, id).await?.filter(|item| did(item) == Some(asked));
        past.extend(item.and_then(|item| Past::read(&item["timings"])));
        if past.len() == RUNS {
            break;
        }
    }
    Ok(Expectation::of(&past).map(|expectation| Expected { began, expectation }))
}

/// Whether an earlier operation says how long this one takes: one that failed ended where it failed.
fn tells(row: &Value, record: &Value) -> bool {
    let ended = matches!(row["status"].as_str(), Some("SUCCEEDED" | "PARTIAL"));
    ended && row["type"] == record["type"] && row["operationId"] != record["operationId"]
}

fn kind_and_request(record: &Value) -> Option<(Kind, &str)> {
    Some((serde_json::from_value(record["type"].clone()).ok()?, record["request"].as_str()?))
}

/// What an operation that has ended did.
fn did(record: &Value) -> Option<Work> {
    let (kind, request) = kind_and_request(record)?;
    Work::done(kind, request, record["verdict"].as_str())
}

/// A median of a few runs knows no tenths of a second.
fn about(seconds: f64) -> String {
    if (1.0..59.5).contains(&seconds) {
        return format!("about {seconds:.0} s");
    }
    format!("about {}", duration(seconds))
}

impl Expected {
    /// `of about 3 min 10 s (median of 7 runs), 21 %`, to stand behind the time that has passed.
    pub fn now(&self, now: Timestamp) -> String {
        let far = match self.expectation.percent(self.elapsed_seconds(now)) {
            Some(percent) => format!("{percent} %"),
            None => "longer than usual".to_owned(),
        };
        format!("of {}, {far}", self.whole())
    }

    /// `about 3 min 10 s (median of 7 runs)`.
    pub fn whole(&self) -> String {
        let Expectation { runs, total_seconds, .. } = &self.expectation;
        format!("{} (median of {})", about(*total_seconds), count(*runs as u64, "run"))
    }

    /// What a phase that begins usually takes, and how far the whole is.
    pub fn phase(&self, phase: Phase, now: Timestamp) -> String {
        let whole = about(self.expectation.total_seconds);
        let far = match self.expectation.percent(self.elapsed_seconds(now)) {
            Some(percent) => format!("{percent} % of {whole} have passed"),
            None => format!("it takes longer than the usual {whole}"),
        };
        match self.expectation.phase(phase) {
            Some(seconds) => format!("{} expected; {far}", about(seconds)),
            None => far,
        }
    }

    /// Seconds since it was begun.
    pub fn elapsed_seconds(&self, now: Timestamp) -> f64 {
        now.duration_since(self.began).as_secs_f64().max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn expected() -> Expected {
        let phases = json!([{"name": "VALIDATING", "seconds": 130.0}]);
        let past = Past::read(&json!({"totalSeconds": 190.0, "phases": phases})).unwrap();
        let expectation = Expectation::of(&[past.clone(), past]).unwrap();
        Expected { began: "2026-11-20T06:00:00Z".parse().unwrap(), expectation }
    }

    #[test]
    fn what_is_only_about_so_long_has_no_tenths() {
        let said: Vec<String> = [0.25, 12.34, 59.4, 59.6, 190.0].into_iter().map(about).collect();
        assert_eq!(said, ["about 250 ms", "about 12 s", "about 59 s", "about 59.6 s", "about 3 min 10 s"]);
    }

    #[test]
    fn what_to_expect_is_said_in_words() {
        let now: Timestamp = "2026-11-20T06:00:41Z".parse().unwrap();
        assert_eq!(expected().now(now), "of about 3 min 10 s (median of 2 runs), 21 %");
        assert_eq!(
            expected().phase(Phase::Validating, now),
            "about 2 min 10 s expected; 21 % of about 3 min 10 s have passed"
        );
        assert_eq!(expected().phase(Phase::Replicating, now), "21 % of about 3 min 10 s have passed");
        // Once it takes longer, there is no share of it any more.
        let late: Timestamp = "2026-11-20T06:03:11Z".parse().unwrap();
        assert_eq!(expected().now(late), "of about 3 min 10 s (median of 2 runs), longer than usual");
        assert_eq!(
            expected().phase(Phase::Replicating, late),
            "it takes longer than the usual about 3 min 10 s"
        );
    }

    #[test]
    fn what_a_record_did_is_read_from_its_request_and_its_verdict() {
        let home = holdfast_core::ids::Region::parse("us-east-1").unwrap();
        let asked =
            holdfast_core::request::RestoreRequest::parse(&json!({"databaseId": "prod-db"}), "r1", &home);
        let request = serde_json::to_string(&asked.unwrap()).unwrap();
        let record = json!({"type": "RESTORE", "request": request, "verdict": "VALID"});
        assert!(did(&record).is_some_and(|work| work.proven && !work.verify_only));
        let unread = json!({"type": "RESTORE", "request": record["request"], "verdict": "NOT_RUN"});
        assert!(did(&unread).is_some_and(|work| !work.proven));
        assert_eq!(did(&json!({"type": "RESTORE"})), None);
        assert_eq!(did(&json!({"type": "DANCE", "request": record["request"]})), None);
    }

    #[test]
    fn only_others_of_the_same_kind_that_got_to_their_end_tell() {
        let row =
            |id: &str, kind: &str, status: &str| json!({"operationId": id, "type": kind, "status": status});
        let this = row("op-1", "BACKUP", "VALIDATING");
        assert!(
            tells(&row("op-2", "BACKUP", "SUCCEEDED"), &this)
                && tells(&row("op-2", "BACKUP", "PARTIAL"), &this)
        );
        for other in [
            row("op-1", "BACKUP", "SUCCEEDED"),
            row("op-2", "RESTORE", "SUCCEEDED"),
            row("op-2", "BACKUP", "FAILED"),
            row("op-2", "BACKUP", "VALIDATING"),
        ] {
            assert!(!tells(&other, &this), "{other}");
        }
    }
}
