//! `holdfast status --breakers`: which services are not called at the moment, as all executions know it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use holdfast_aws::dynamodb::BreakerTable;
use holdfast_core::breaker::{Breaker, State};
use holdfast_core::ports::Breakers as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::backup::Output;
use crate::cloud::Cloud;
use crate::paint::Paint;
use crate::render::duration;
use crate::{Error, exit};

/// Runs the verb; the answer is the exit code: 3 when one is not closed.
///
/// # Errors
/// `Unreadable` when the state table cannot be read, or what it says makes no sense.
pub(super) async fn run(cloud: &Cloud, output: Output) -> Result<u8, Error> {
    let table = BreakerTable::with_client(cloud.dynamodb.clone(), cloud.table.clone());
    let all = table.all().await.map_err(|error| Error::Unreadable(error.to_string()))?;
    match output {
        Output::Table => print!("{}", text(&all, Timestamp::now(), Paint::for_stdout())),
        Output::Json => println!("{:#}", json!({"breakers": all.iter().map(member).collect::<Vec<_>>()})),
    }
    let closed = all.values().all(|breaker| breaker.state == State::Closed);
    Ok(if closed { exit::SUCCEEDED } else { exit::PARTIAL })
}

/// Service, Region and action of a key.
fn parts(key: &str) -> [&str; 3] {
    let mut parts = key.splitn(3, '/');
    std::array::from_fn(|_| parts.next().unwrap_or("?"))
}

fn member((key, breaker): (&String, &Breaker)) -> Value {
    let [service, region, action] = parts(key);
    json!({
        "service": service,
        "region": region,
        "action": action,
        "state": breaker.state,
        "failures": breaker.failures,
        "since": breaker.since,
        "failedAt": breaker.failed_at,
        "error": breaker.error,
        "opened": breaker.opened,
        "until": breaker.until,
    })
}

fn text(all: &BTreeMap<String, Breaker>, now: Timestamp, paint: Paint) -> String {
    if all.is_empty() {
        return "Every circuit breaker is closed: no service of AWS is known to fail.\n".to_owned();
    }
    let away = |time: Timestamp| duration(time.duration_since(now).as_secs_f64().abs());
    let mut text = String::new();
    for (key, breaker) in all {
        let [service, region, action] = parts(key);
        let state = format!("{:<9}", breaker.state.as_str());
        let state = match breaker.state {
            State::Closed => state,
            State::Open => paint.bad(&state),
            State::HalfOpen => paint.warn(&state),
        };
        let times =
            if breaker.failures == 1 { "once".to_owned() } else { format!("{} times", breaker.failures) };
        let _ = writeln!(text, "  {state}  {}", paint.bold(&format!("{service} {action} in {region}")));
        let _ = writeln!(
            text,
            "             failed {times} since {:.0}, the last time {} ago: {}",
            breaker.since,
            away(breaker.failed_at),
            breaker.error
        );
        let next = match (breaker.state, breaker.until) {
            (State::Closed, _) | (State::Open | State::HalfOpen, None) => "calls go through".to_owned(),
            (State::Open, Some(until)) if until > now => {
                format!("nothing is sent for another {}; then one execution tries", away(until))
            }
            (State::Open, Some(_)) => "the next execution that needs it tries".to_owned(),
            (State::HalfOpen, Some(_)) => {
                "one execution is trying; the others wait for what becomes of it".to_owned()
            }
        };
        let _ = writeln!(text, "             {next}");
    }
    text
}

#[cfg(test)]
mod tests {
    use holdfast_core::breaker::{Admission, Settings, admit, failed};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn breakers() -> BTreeMap<String, Breaker> {
        let settings = Settings::default();
        let fail = |times: i64| {
            (0..times).fold(None, |breaker: Option<Breaker>, second| {
                Some(failed(breaker.as_ref(), &settings, at(second), "HTTP 503"))
            })
        };
        let open = fail(5).unwrap();
        let Admission::Try(trying) = admit(Some(&open), &settings, at(40)) else {
            panic!("its time is over")
        };
        BTreeMap::from([
            ("kms/us-east-1/DescribeKey".to_owned(), fail(1).unwrap()),
            ("rds/us-west-2/CopyDBSnapshot".to_owned(), open),
            ("s3/us-east-1/PutObject".to_owned(), trying),
        ])
    }

    #[test]
    fn each_says_what_is_known_and_what_comes_next() {
        let text = text(&breakers(), at(10), Paint::PLAIN);
        assert_eq!(
            text,
            "  CLOSED     kms DescribeKey in us-east-1\n             \
             failed once since 2027-01-15T08:00:00Z, the last time 10.0 s ago: HTTP 503\n             \
             calls go through\n  \
             OPEN       rds CopyDBSnapshot in us-west-2\n             \
             failed 5 times since 2027-01-15T08:00:00Z, the last time 6.0 s ago: HTTP 503\n             \
             nothing is sent for another 24.0 s; then one execution tries\n  \
             HALF_OPEN  s3 PutObject in us-east-1\n             \
             failed 5 times since 2027-01-15T08:00:00Z, the last time 6.0 s ago: HTTP 503\n             \
             one execution is trying; the others wait for what becomes of it\n"
        );
        assert!(
            super::text(&breakers(), at(34), Paint::PLAIN).contains("the next execution that needs it tries")
        );
        assert!(
            super::text(&BTreeMap::new(), at(0), Paint::PLAIN).starts_with("Every circuit breaker is closed")
        );
    }

    #[test]
    fn json_has_the_parts_of_the_key() {
        let member = member(breakers().iter().nth(1).unwrap());
        assert_eq!(member["service"], "rds");
        assert_eq!(member["region"], "us-west-2");
        assert_eq!(member["action"], "CopyDBSnapshot");
        assert_eq!((&member["state"], &member["opened"]), (&json!("OPEN"), &json!(1)));
    }
}
