//! What flags may be given, one parser for each kind of value: what is misspelt is refused before AWS is asked anything.
//!
//! Each answers with the text as it was typed: the workflow reads its input strictly again, and says the same.

use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use holdfast_core::polling::MAX_DEADLINE_MINUTES;
use holdfast_core::request::Tier;
use jiff::Timestamp;

/// What a Region code ends in, before its number (AWS General Reference, "AWS service endpoints"): the names of areas before
/// it grow in number, the directions do not.
const DIRECTIONS: [&str; 9] =
    ["north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "central"];

/// An RDS instance: 1-63 letters, digits and hyphens.
///
/// # Errors
/// A sentence on what is allowed.
pub fn database(text: &str) -> Result<String, String> {
    DatabaseId::parse(text).map(|_| text.to_owned()).map_err(|_| {
        "a DB instance identifier is 1 to 63 letters, digits and hyphens, first a letter, no hyphen last, no two in a row"
            .to_owned()
    })
}

/// A Region code, such as `us-west-2`.
///
/// # Errors
/// A sentence on what is allowed.
pub fn region(text: &str) -> Result<String, String> {
    let direction = text.rsplit('-').nth(1).unwrap_or_default();
    if Region::parse(text).is_err() || !DIRECTIONS.contains(&direction) {
        return Err("a Region is written such as us-west-2 or eu-central-1".to_owned());
    }
    Ok(text.to_owned())
}

/// A time of day with its distance from UTC, as RFC 3339 writes it.
///
/// # Errors
/// A sentence on what is allowed.
pub fn time(text: &str) -> Result<String, String> {
    match text.parse::<Timestamp>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            Err("a time is written such as 2026-11-20T06:00:00Z or 2026-11-20T07:00:00+01:00".to_owned())
        }
    }
}

/// A run: the same database and run are the same operation.
///
/// # Errors
/// A sentence on what is allowed.
pub fn run_id(text: &str) -> Result<String, String> {
    RunId::parse(text)
        .map(|_| text.to_owned())
        .map_err(|_| "a run is 1 to 128 letters, digits and :._+-".to_owned())
}

/// An operation's id.
///
/// # Errors
/// A sentence on what is allowed.
pub fn operation(text: &str) -> Result<String, String> {
    OperationId::parse(text).map(|_| text.to_owned()).map_err(|_| {
        "an operation is written such as prod-db-20261120t060000z-3f9a1c2b7d (holdfast ops list)".to_owned()
    })
}

/// How long a snapshot is kept for.
///
/// # Errors
/// A sentence on what is allowed.
pub fn tier(text: &str) -> Result<String, String> {
    Tier::read(text)
        .map(|_| text.to_owned())
        .ok_or_else(|| "a tier is daily, weekly, monthly or yearly".to_owned())
}

/// A share, from 0 to 1.
///
/// # Errors
/// A sentence on what is allowed.
pub fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is from 0 to 1, such as 0.25 for every fourth".to_owned())
}

/// Minutes after which an operation gives up.
///
/// # Errors
/// A sentence on what is allowed.
pub fn minutes(text: &str) -> Result<u32, String> {
    let minutes =
        text.parse::<u32>().ok().filter(|&minutes| minutes > 0 && f64::from(minutes) <= MAX_DEADLINE_MINUTES);
    minutes.ok_or_else(|| format!("a deadline is from 1 to {MAX_DEADLINE_MINUTES} minutes"))
}

/// A DB instance class.
///
/// # Errors
/// A sentence on what is allowed.
pub fn class(text: &str) -> Result<String, String> {
    if text.starts_with("db.") && text.len() <= 40 {
        return Ok(text.to_owned());
    }
    Err("an instance class is written such as db.m6g.large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_formed_is_taken_as_it_was_typed() {
        for name in [
            "us-west-2",
            "ap-southeast-5",
            "us-gov-east-1",
            "us-isob-east-1",
            "eusc-de-east-1",
            "mx-central-1",
        ] {
            assert_eq!(region(name).as_deref(), Ok(name));
        }
        for text in ["2026-11-20T06:00:00Z", "2026-11-20T06:00:00.5+01:00"] {
            assert_eq!(time(text).as_deref(), Ok(text));
        }
        assert_eq!(database("Prod-DB").as_deref(), Ok("Prod-DB"));
        assert_eq!(operation("prod-db-r1-0123456789").as_deref(), Ok("prod-db-r1-0123456789"));
        assert_eq!((share("0.25"), minutes("60")), (Ok(0.25), Ok(60)));
        assert!(
            run_id("2026-11-20T06:00:00Z").is_ok() && tier("weekly").is_ok() && class("db.t4g.micro").is_ok()
        );
    }

    #[test]
    fn what_is_misspelt_is_told_what_is_allowed() {
        for wrong in ["mars-1", "eu-wst-1", "us-west", "us-west-2b", "US-WEST-2", "", "west-2", "us--west-2"]
        {
            assert!(region(wrong).unwrap_err().contains("such as us-west-2"), "{wrong}");
        }
        for wrong in ["yesterday", "2026-11-20", "2026-11-20T06:00:00", "06:00", ""] {
            assert!(time(wrong).unwrap_err().contains("such as 2026-11-20T06:00:00Z"), "{wrong}");
        }
        for wrong in ["prod_db", "-prod", "prod-", "pro--d", "", "1prod"] {
            assert!(database(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-0.1", "1.5", "half", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0", "-5", "1.5", "99999999"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
        assert!(run_id("a b").is_err() && tier("hourly").is_err() && class("m6g.large").is_err());
        assert!(operation("prod-db").is_err() && operation("Prod-db-0123456789").is_err());
    }
}
