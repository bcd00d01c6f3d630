//! When a database is backed up: in the words of a plan, and as cron expressions.

use std::collections::BTreeMap;
use std::fmt;

use holdfast_core::cron::Cron;
use holdfast_core::ids::DatabaseId;
use holdfast_core::request::Tier;
use sha2::{Digest, Sha256};

/// The weekdays as a plan names them.
pub const WEEKDAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// Every tier, the one whose backups are taken most often first.
pub const TIERS: [Tier; 4] = [Tier::Daily, Tier::Weekly, Tier::Monthly, Tier::Yearly];

/// Backups of one tier are no closer together than this, minutes: each is restored and read as a whole.
pub const CLOSEST_MINUTES: i64 = 60;

/// The hour (UTC) of weekly, monthly and yearly backups, when the plan names none.
const USUAL_HOUR: u8 = 1;

/// A time of day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl At {
    /// Reads `03:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let two = |text: &str, limit: u8| {
            let number =
                (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)?;
            number.parse().ok().filter(|number| *number < limit)
        };
        Some(At { hour: two(hour, 24)?, minute: two(minute, 60)? })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// A day of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthDay {
    /// 1 to 28: every month has it.
    Of(u8),
    /// The last one.
    Last,
}

/// How often, as a plan says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cadence {
    /// Every so many hours, a divisor of 24, from a time of day on.
    Every {
        /// Hours between.
        hours: u8,
        /// One of the times.
        at: Option<At>,
    },
    /// Once a week, on the n-th of [`WEEKDAYS`].
    Weekly {
        /// Which.
        on: usize,
        /// When.
        at: Option<At>,
    },
    /// Once a month.
    Monthly {
        /// Which day.
        on: MonthDay,
        /// When.
        at: Option<At>,
    },
    /// Once a year.
    Yearly {
        /// 1 to 12.
        month: u8,
        /// The day of that month.
        day: u8,
        /// When.
        at: Option<At>,
    },
    /// As it is written.
    Cron(Cron),
}

impl Cadence {
    /// What each tier is taken at when the plan names the tier and says nothing more.
    pub fn usual(tier: Tier) -> Self {
        match tier {
            Tier::Daily => Cadence::Every { hours: 24, at: None },
            Tier::Weekly => Cadence::Weekly { on: 0, at: None },
            Tier::Monthly => Cadence::Monthly { on: MonthDay::Of(1), at: None },
            Tier::Yearly => Cadence::Yearly { month: 1, day: 1, at: None },
        }
    }

    /// The expression, with `usual` as time of day when none is named.
    fn cron(&self, usual: At) -> Result<Cron, String> {
        let text = match self {
            Cadence::Cron(cron) => return Ok(cron.clone()),
            Cadence::Every { hours: 24, at } => {
                let At { hour, minute } = at.unwrap_or(usual);
                format!("{minute} {hour} * * ? *")
            }
            Cadence::Every { hours, at } => {
                let At { hour, minute } = at.unwrap_or(usual);
                format!("{minute} {}/{hours} * * ? *", hour % hours)
            }
            Cadence::Weekly { on, at } => {
                let At { hour, minute } = at.unwrap_or(usual);
                format!("{minute} {hour} ? * {} *", WEEKDAYS[*on][..3].to_uppercase())
            }
            Cadence::Monthly { on, at } => {
                let At { hour, minute } = at.unwrap_or(usual);
                let day = match on {
                    MonthDay::Of(day) => day.to_string(),
                    MonthDay::Last => "L".to_owned(),
                };
                format!("{minute} {hour} {day} * ? *")
            }
            Cadence::Yearly { month, day, at } => {
                let At { hour, minute } = at.unwrap_or(usual);
                format!("{minute} {hour} {day} {month} ? *")
            }
        };
        Cron::parse(&text)
    }

    /// Whether the plan itself says at which minute.
    pub fn has_time(&self) -> bool {
        match self {
            Cadence::Cron(_) => true,
            Cadence::Every { at, .. }
            | Cadence::Weekly { at, .. }
            | Cadence::Monthly { at, .. }
            | Cadence::Yearly { at, .. } => at.is_some(),
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = match self {
            Cadence::Cron(cron) => return write!(f, "{cron}"),
            Cadence::Every { hours, at } => {
                write!(f, "every {hours} h")?;
                at
            }
            Cadence::Weekly { on, at } => {
                write!(f, "every {}", WEEKDAYS[*on])?;
                at
            }
            Cadence::Monthly { on: MonthDay::Of(day), at } => {
                write!(f, "day {day} of every month")?;
                at
            }
            Cadence::Monthly { on: MonthDay::Last, at } => {
                write!(f, "the last day of every month")?;
                at
            }
            Cadence::Yearly { month, day, at } => {
                write!(f, "every {month:02}-{day:02}")?;
                at
            }
        };
        at.map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}

/// Two schedules of a database that come at the same time: they would be one run, as the time is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The one that comes more rarely.
    pub tier: Tier,
    /// The other.
    pub with: Tier,
    /// An example.
    pub at: String,
}

/// The expressions of a database's schedules. Where the plan names no time of day, the minute comes from the
/// database's name, so that a fleet does not start at once, and never the same for two tiers.
///
/// # Errors
/// The first two that come at the same time.
pub fn expressions(
    database: &DatabaseId,
    schedules: &BTreeMap<Tier, Cadence>,
) -> Result<BTreeMap<Tier, Cron>, Meeting> {
    let drawn =
        Sha256::digest(database.as_str()).iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let mut all: BTreeMap<Tier, Cron> = BTreeMap::new();
    // What the plan says comes first: the others make way.
    let (told, free): (Vec<_>, Vec<_>) = schedules.iter().partition(|(_, cadence)| cadence.has_time());
    for (tier, cadence) in told.into_iter().chain(free) {
        let tries = if cadence.has_time() { 1 } else { 60 };
        let mut meeting = None;
        for attempt in 0..tries {
            let hour = if *tier == Tier::Daily { 0 } else { USUAL_HOUR };
            let minute = u8::try_from((drawn + 15 * (*tier as u32) + attempt) % 60).unwrap_or_default();
            let Ok(cron) = cadence.cron(At { hour, minute }) else { continue };
            meeting = meets(*tier, &cron, &all);
            if meeting.is_none() {
                all.insert(*tier, cron);
                break;
            }
        }
        if let Some(meeting) = meeting {
            return Err(meeting);
        }
    }
    Ok(all)
}

fn meets(tier: Tier, cron: &Cron, others: &BTreeMap<Tier, Cron>) -> Option<Meeting> {
    others.iter().find_map(|(other, its)| {
        let (rare, often) = if tier > *other { (cron, its) } else { (its, cron) };
        let at = rare.meets(often)?.strftime("%Y-%m-%d %H:%M").to_string();
        Some(Meeting { tier: tier.max(*other), with: tier.min(*other), at })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(database: &str, schedules: &[(Tier, Cadence)]) -> Result<Vec<String>, Meeting> {
        let database = DatabaseId::parse(database).unwrap();
        let all = expressions(&database, &schedules.iter().cloned().collect())?;
        Ok(all.values().map(ToString::to_string).collect())
    }

    fn at(text: &str) -> Option<At> {
        Some(At::parse(text).unwrap())
    }

    #[test]
    fn each_cadence_is_the_expression_that_it_says() {
        for (cadence, expression) in [
            (Cadence::Every { hours: 6, at: at("03:10") }, "cron(10 3/6 * * ? *)"),
            (Cadence::Every { hours: 6, at: at("21:10") }, "cron(10 3/6 * * ? *)"),
            (Cadence::Every { hours: 24, at: at("23:00") }, "cron(0 23 * * ? *)"),
            (Cadence::Weekly { on: 0, at: at("03:00") }, "cron(0 3 ? * SUN *)"),
            (Cadence::Weekly { on: 6, at: at("03:00") }, "cron(0 3 ? * SAT *)"),
            (Cadence::Monthly { on: MonthDay::Of(28), at: at("00:00") }, "cron(0 0 28 * ? *)"),
            (Cadence::Monthly { on: MonthDay::Last, at: at("00:00") }, "cron(0 0 L * ? *)"),
            (Cadence::Yearly { month: 2, day: 28, at: at("04:05") }, "cron(5 4 28 2 ? *)"),
            (Cadence::Cron(Cron::parse("0  8 ? * 6L *").unwrap()), "cron(0 8 ? * 6L *)"),
        ] {
            assert_eq!(texts("prod-db", &[(Tier::Daily, cadence)]).unwrap(), [expression]);
        }
        for bad in ["3:00", "24:00", "03:60", "0300", "+3:00", "03:0a", ""] {
            assert_eq!(At::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_fleet_does_not_start_at_once_and_a_database_always_at_the_same_minute() {
        let daily = [(Tier::Daily, Cadence::Every { hours: 6, at: None })];
        assert_eq!(texts("prod-db", &daily), texts("prod-db", &daily));
        let minutes: std::collections::BTreeSet<String> =
            (0..60).map(|n| texts(&format!("db-{n}"), &daily).unwrap().remove(0)).collect();
        assert!(minutes.len() > 30, "{minutes:?}");
    }

    #[test]
    fn two_that_are_told_to_come_at_the_same_time_are_refused() {
        let weekly = (Tier::Weekly, Cadence::Weekly { on: 0, at: at("03:00") });
        let meeting =
            texts("prod-db", &[(Tier::Daily, Cadence::Every { hours: 6, at: at("21:00") }), weekly.clone()]);
        let meeting = meeting.unwrap_err();
        assert_eq!(
            (meeting.tier, meeting.with, meeting.at.as_str()),
            (Tier::Weekly, Tier::Daily, "2024-01-07 03:00")
        );
        assert!(
            texts("prod-db", &[(Tier::Daily, Cadence::Every { hours: 6, at: at("21:05") }), weekly]).is_ok()
        );
    }

    proptest! {
        #[test]
        fn those_without_a_time_never_meet_another(
            database in "[a-z][a-z0-9]{0,20}", hour in 0_u8..24, minute in 0_u8..60, hours in prop::sample::select(vec![1_u8, 2, 6, 24]),
        ) {
            let daily = Cadence::Every { hours, at: Some(At { hour, minute }) };
            let all = [
                (Tier::Daily, daily),
                (Tier::Weekly, Cadence::usual(Tier::Weekly)),
                (Tier::Monthly, Cadence::usual(Tier::Monthly)),
                (Tier::Yearly, Cadence::usual(Tier::Yearly)),
            ];
            prop_assert_eq!(texts(&database, &all).unwrap().len(), 4);
        }
    }
}
