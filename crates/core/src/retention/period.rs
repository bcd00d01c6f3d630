//! Days, ISO weeks, months and years, in UTC: which one a backup is of, and how they follow each other.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::request::Tier;

/// A length of time of which one backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// A day.
    Day,
    /// A week from Monday to Sunday (ISO 8601).
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl Span {
    /// From the shortest to the longest.
    pub const ALL: [Span; 4] = [Span::Day, Span::Week, Span::Month, Span::Year];

    /// `day`, ...
    pub fn word(self) -> &'static str {
        match self {
            Span::Day => "day",
            Span::Week => "week",
            Span::Month => "month",
            Span::Year => "year",
        }
    }

    /// The rule that keeps one backup of each: `daily`, ...
    pub fn rule(self) -> &'static str {
        self.tier().as_str()
    }

    /// The tier of the same name.
    pub fn tier(self) -> Tier {
        match self {
            Span::Day => Tier::Daily,
            Span::Week => Tier::Weekly,
            Span::Month => Tier::Monthly,
            Span::Year => Tier::Yearly,
        }
    }

    /// The longest span that a tier names.
    pub(super) fn of_tier(tier: Tier) -> Self {
        match tier {
            Tier::Daily => Span::Day,
            Tier::Weekly => Span::Week,
            Tier::Monthly => Span::Month,
            Tier::Yearly => Span::Year,
        }
    }
}

/// One day, week, month or year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    span: Span,
    /// Its first day.
    begins: Date,
}

impl Period {
    /// The one that `time` is in, by the calendar of UTC.
    pub fn of(span: Span, time: Timestamp) -> Self {
        let day = time.to_zoned(TimeZone::UTC).date();
        let begins = match span {
            Span::Day => day,
            Span::Week => day.saturating_sub(i64::from(day.weekday().to_monday_zero_offset()).days()),
            Span::Month => day.first_of_month(),
            Span::Year => day.first_of_year(),
        };
        Period { span, begins }
    }

    /// When the one begins that is `count` later; the end of time, should that be past it.
    pub(super) fn later(self, count: u32) -> Timestamp {
        let count = i64::from(count);
        let span = match self.span {
            Span::Day => count.days(),
            Span::Week => count.weeks(),
            Span::Month => count.months(),
            Span::Year => count.years(),
        };
        let begins = self.begins.saturating_add(span).to_zoned(TimeZone::UTC);
        begins.map_or(Timestamp::MAX, |begins| begins.timestamp())
    }
}

impl fmt::Display for Period {
    /// `day 2026-11-20`, `week 2026-W47`, `month 2026-11`, `year 2026`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, begins) = (self.span.word(), self.begins);
        match self.span {
            Span::Day => write!(f, "{word} {begins}"),
            Span::Week => {
                let week = begins.iso_week_date();
                write!(f, "{word} {:04}-W{:02}", week.year(), week.week())
            }
            Span::Month => write!(f, "{word} {}", begins.strftime("%Y-%m")),
            Span::Year => write!(f, "{word} {}", begins.strftime("%Y")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(span: Span, time: &str) -> String {
        Period::of(span, time.parse().unwrap()).to_string()
    }

    #[test]
    fn periods_are_those_of_the_calendar_in_utc() {
        for (time, names) in [
            ("2026-11-20T23:59:59.9Z", ["day 2026-11-20", "week 2026-W47", "month 2026-11", "year 2026"]),
            // Sunday evening in New York is Monday already.
            ("2026-11-22T20:00:00-05:00", ["day 2026-11-23", "week 2026-W48", "month 2026-11", "year 2026"]),
            // The first days of 2027 are of the last week of 2026, and those of 2024 of the first of 2024.
            ("2027-01-03T12:00:00Z", ["day 2027-01-03", "week 2026-W53", "month 2027-01", "year 2027"]),
            ("2024-12-30T00:00:00Z", ["day 2024-12-30", "week 2025-W01", "month 2024-12", "year 2024"]),
            ("2028-02-29T00:00:00Z", ["day 2028-02-29", "week 2028-W09", "month 2028-02", "year 2028"]),
        ] {
            assert_eq!(Span::ALL.map(|span| named(span, time)), names.map(str::to_owned), "{time}");
        }
    }

    #[test]
    fn periods_follow_each_other() {
        let time = "2026-12-30T06:00:00Z".parse().unwrap();
        for (span, begins) in [
            (Span::Day, "2027-01-01T00:00:00Z"),
            (Span::Week, "2027-01-11T00:00:00Z"),
            (Span::Month, "2027-02-01T00:00:00Z"),
            (Span::Year, "2028-01-01T00:00:00Z"),
        ] {
            assert_eq!(Period::of(span, time).later(2), begins.parse().unwrap());
        }
        assert!(Period::of(Span::Year, Timestamp::MAX).later(1000) >= time);
    }
}
