//! The cron expressions of EventBridge Scheduler, in UTC.
//!
//! Six fields: minute, hour, day of the month, month, day of the week (1 or SUN is Sunday), year; exactly one of the two
//! days is `?`. Source: EventBridge Scheduler User Guide, "Schedule types", "Cron-based schedules".

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, DateTime, Weekday, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Days that are searched for the next time: 29 February may be eight years off.
const HORIZON_DAYS: usize = 366 * 9;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A cron expression that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: BTreeSet<i8>,
    hours: BTreeSet<i8>,
    day: Day,
    months: BTreeSet<i8>,
    /// Every year when empty.
    years: BTreeSet<i16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    OfMonth(Vec<OfMonth>),
    OfWeek(Vec<OfWeek>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum OfMonth {
    These(BTreeSet<i8>),
    /// `L`.
    Last,
    /// `15W`: the working day next to it, in the same month.
    Working(i8),
}

/// Weekdays are counted from Sunday, which is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OfWeek {
    These(BTreeSet<i8>),
    /// `6L`: the last Friday of the month.
    Last(i8),
    /// `6#3`: the third Friday.
    Nth(i8, i8),
}

impl fmt::Display for Cron {
    /// As EventBridge Scheduler takes it: `cron(0 3 ? * SUN *)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron({})", self.text)
    }
}

impl Cron {
    /// Reads `0 3 ? * SUN *`, in `cron(...)` or bare.
    ///
    /// # Errors
    /// One sentence that says which field is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = text.trim();
        let bare = bare.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare);
        let fields: Vec<&str> = bare.split_whitespace().collect();
        let &[minute, hour, day, month, weekday, year] = fields.as_slice() else {
            return Err(format!(
                "{text:?} is not a cron expression of six fields (minute hour day month weekday year, such as \
                 0 3 ? * SUN *)"
            ));
        };
        let field = |text: &str, name: &str, least: i16, most: i16, names: &[&str]| {
            set(text, least, most, names).ok_or_else(|| {
                format!("{text:?} is no {name} of a cron expression: {least} to {most}, *, or lists, ranges and steps")
            })
        };
        let narrow = |all: BTreeSet<i16>| all.into_iter().filter_map(|n| i8::try_from(n).ok()).collect();
        let day = match (day, weekday) {
            ("?", "?") => return Err(both_days(text)),
            (_, "?") => Day::OfMonth(items(day, of_month).ok_or_else(|| {
                format!("{day:?} is no day of a cron expression: 1 to 31, *, L (the last), 15W, or lists, ranges and steps")
            })?),
            ("?", _) => Day::OfWeek(items(weekday, of_week).ok_or_else(|| {
                format!("{weekday:?} is no weekday of a cron expression: 1 to 7 or SUN to SAT, *, 6L (the last Friday), 6#3")
            })?),
            _ => return Err(both_days(text)),
        };
        Ok(Cron {
            text: fields.join(" "),
            minutes: narrow(field(minute, "minute", 0, 59, &[])?),
            hours: narrow(field(hour, "hour", 0, 23, &[])?),
            day,
            months: narrow(field(month, "month", 1, 12, &MONTHS)?),
            years: if year == "*" { BTreeSet::new() } else { field(year, "year", 1970, 2199, &[])? },
        })
    }

    fn is_on(&self, day: Date) -> bool {
        let in_year = self.years.is_empty() || self.years.contains(&day.year());
        in_year
            && self.months.contains(&day.month())
            && match &self.day {
                Day::OfMonth(items) => items.iter().any(|item| item.is(day)),
                Day::OfWeek(items) => items.iter().any(|item| item.is(day)),
            }
    }

    /// The times after `after`, the next one first.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let begin = after.to_zoned(TimeZone::UTC).datetime();
        begin
            .date()
            .series(1.day())
            .take(HORIZON_DAYS)
            .filter(|day| self.is_on(*day))
            .flat_map(|day| self.hours.iter().map(move |hour| (day, *hour)))
            .flat_map(|(day, hour)| {
                self.minutes.iter().map(move |minute| day.to_datetime(time(hour, *minute, 0, 0)))
            })
            .filter(move |at| *at > begin)
            .filter_map(|at| at.to_zoned(TimeZone::UTC).ok())
            .map(|at| at.timestamp())
    }

    /// The first time at which both come, however rarely that is.
    pub fn meets(&self, other: &Cron) -> Option<DateTime> {
        // Without a minute of the day in common no day need be looked at.
        let hour = *self.hours.intersection(&other.hours).next()?;
        let minute = *self.minutes.intersection(&other.minutes).next()?;
        let years: Vec<i16> = match (self.years.is_empty(), other.years.is_empty()) {
            (true, true) => CALENDARS.collect(),
            (false, true) => self.years.iter().copied().collect(),
            (true, false) => other.years.iter().copied().collect(),
            (false, false) => self.years.intersection(&other.years).copied().collect(),
        };
        let days = years
            .into_iter()
            .flat_map(|year| date(year, 1, 1).series(1.day()).take_while(move |day| day.year() == year));
        let mut days = days.filter(|day| self.is_on(*day) && other.is_on(*day));
        days.next().map(|day| day.to_datetime(time(hour, minute, 0, 0)))
    }

    /// The longest time between one and the next, as far as anybody looks ahead: how old the newest of what it makes gets.
    pub fn longest_gap(&self) -> Option<SignedDuration> {
        let times: Vec<Timestamp> = self.after(some_day()).take(400).collect();
        times.windows(2).map(|pair| pair[1].duration_since(pair[0])).max()
    }

    /// The shortest time between one and the next, as far as anybody looks ahead.
    pub fn shortest_gap(&self) -> Option<SignedDuration> {
        let times: Vec<Timestamp> = self.after(some_day()).take(400).collect();
        times.windows(2).map(|pair| pair[1].duration_since(pair[0])).min()
    }
}

/// Years in which every day of the year has fallen on every day of the week, 29 February too: until 2099 the calendar
/// repeats itself after 28.
const CALENDARS: std::ops::Range<i16> = 2024..2052;

/// From where it is looked ahead, so that the answer is always the same: a leap year that begins on a Monday.
fn some_day() -> Timestamp {
    let day = date(2024, 1, 1).to_zoned(TimeZone::UTC);
    day.map_or(Timestamp::UNIX_EPOCH, |day| day.timestamp())
}

fn both_days(text: &str) -> String {
    format!("{text:?}: of day and weekday exactly one must be ? in a cron expression")
}

/// A number or a name of one.
fn number(text: &str, least: i16, names: &[&str]) -> Option<i16> {
    let upper = text.to_ascii_uppercase();
    match names.iter().position(|name| *name == upper) {
        Some(n) => Some(least + i16::try_from(n).ok()?),
        None => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?,
    }
}

/// `*`, `5`, `1-5`, `0/15`, `1-10/2` and lists of these.
fn set(text: &str, least: i16, most: i16, names: &[&str]) -> Option<BTreeSet<i16>> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, 0, &[]).filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (from, to) = if range == "*" {
            (least, most)
        } else if let Some((from, to)) = range.split_once('-') {
            (number(from, least, names)?, number(to, least, names)?)
        } else {
            let one = number(range, least, names)?;
            (one, if step.is_some() { most } else { one })
        };
        if from < least || to > most || from > to {
            return None;
        }
        all.extend((from..=to).step_by(usize::try_from(step.unwrap_or(1)).ok()?));
    }
    Some(all)
}

fn items<T>(text: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(item).collect()
}

fn small(all: BTreeSet<i16>) -> BTreeSet<i8> {
    all.into_iter().filter_map(|n| i8::try_from(n).ok()).collect()
}

fn of_month(text: &str) -> Option<OfMonth> {
    if text == "L" {
        return Some(OfMonth::Last);
    }
    if let Some(day) = text.strip_suffix('W') {
        let day = number(day, 1, &[]).filter(|day| (1..=31).contains(day))?;
        return Some(OfMonth::Working(i8::try_from(day).ok()?));
    }
    set(text, 1, 31, &[]).map(small).map(OfMonth::These)
}

fn of_week(text: &str) -> Option<OfWeek> {
    let weekday = |text: &str| {
        let day = number(text, 1, &WEEKDAYS).filter(|day| (1..=7).contains(day))?;
        i8::try_from(day).ok()
    };
    if text == "L" {
        return Some(OfWeek::These([7].into()));
    }
    if let Some((day, nth)) = text.split_once('#') {
        let nth = number(nth, 1, &[]).filter(|nth| (1..=5).contains(nth))?;
        return Some(OfWeek::Nth(weekday(day)?, i8::try_from(nth).ok()?));
    }
    if let Some(day) = text.strip_suffix('L').filter(|day| !day.is_empty()) {
        return Some(OfWeek::Last(weekday(day)?));
    }
    set(text, 1, 7, &WEEKDAYS).map(small).map(OfWeek::These)
}

impl OfMonth {
    fn is(&self, day: Date) -> bool {
        match self {
            OfMonth::These(days) => days.contains(&day.day()),
            OfMonth::Last => day == day.last_of_month(),
            OfMonth::Working(wanted) => {
                let Ok(wanted) = Date::new(day.year(), day.month(), *wanted) else { return false };
                day == working_day(wanted)
            }
        }
    }
}

/// The working day next to `day` in its month.
fn working_day(day: Date) -> Date {
    let by = match day.weekday() {
        Weekday::Saturday if day.day() == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if day == day.last_of_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    day.saturating_add(by.days())
}

impl OfWeek {
    fn is(&self, day: Date) -> bool {
        let weekday = day.weekday().to_sunday_one_offset();
        match self {
            OfWeek::These(days) => days.contains(&weekday),
            OfWeek::Last(wanted) => weekday == *wanted && day.day() + 7 > day.days_in_month(),
            OfWeek::Nth(wanted, nth) => weekday == *wanted && (day.day() - 1) / 7 + 1 == *nth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next three times after Friday, 20 November 2026, 12:00.
    fn next(text: &str) -> Vec<String> {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let cron = Cron::parse(text).unwrap_or_else(|why| panic!("{why}"));
        cron.after(now).take(3).map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).collect()
    }

    #[test]
    fn times_are_those_that_the_guide_of_the_scheduler_says() {
        for (text, times) in [
            ("0 0/6 * * ? *", ["2026-11-20 18:00", "2026-11-21 00:00", "2026-11-21 06:00"]),
            ("cron(15 10 * * ? *)", ["2026-11-21 10:15", "2026-11-22 10:15", "2026-11-23 10:15"]),
            ("0 3 ? * SUN *", ["2026-11-22 03:00", "2026-11-29 03:00", "2026-12-06 03:00"]),
            ("0 18 ? * MON-FRI *", ["2026-11-20 18:00", "2026-11-23 18:00", "2026-11-24 18:00"]),
            ("0 8 1 * ? *", ["2026-12-01 08:00", "2027-01-01 08:00", "2027-02-01 08:00"]),
            ("0 8 L * ? *", ["2026-11-30 08:00", "2026-12-31 08:00", "2027-01-31 08:00"]),
            ("0 8 ? * 6L *", ["2026-11-27 08:00", "2026-12-25 08:00", "2027-01-29 08:00"]),
            ("0 8 ? * FRI#2 *", ["2026-12-11 08:00", "2027-01-08 08:00", "2027-02-12 08:00"]),
            // 21 November is a Saturday, 15 August 2027 a Sunday.
            ("0 13 21W NOV ? *", ["2026-11-20 13:00", "2027-11-22 13:00", "2028-11-21 13:00"]),
            ("0 8 1W AUG ? *", ["2027-08-02 08:00", "2028-08-01 08:00", "2029-08-01 08:00"]),
            ("0/20 13 20,21 11 ? 2026", ["2026-11-20 13:00", "2026-11-20 13:20", "2026-11-20 13:40"]),
            ("5,35 1 29 2 ? *", ["2028-02-29 01:05", "2028-02-29 01:35", "2032-02-29 01:05"]),
        ] {
            assert_eq!(next(text), times, "{text}");
        }
        assert!(next("0 0 31 2 ? *").is_empty() && next("0 0 1 1 ? 2020").is_empty());
    }

    #[test]
    fn what_is_no_cron_says_which_field() {
        for (text, said) in [
            ("", "six fields"),
            ("every day", "six fields"),
            ("0 3 * * *", "six fields"),
            ("rate(6 hours)", "six fields"),
            ("60 3 * * ? *", "\"60\" is no minute"),
            ("0 24 * * ? *", "\"24\" is no hour"),
            ("0 -1 * * ? *", "no hour"),
            ("0 3 32 * ? *", "\"32\" is no day"),
            ("0 3 0W * ? *", "no day"),
            ("0 3 1 13 ? *", "no month"),
            ("0 3 1 FOO ? *", "no month"),
            ("0 3 ? * FRIDAY *", "no weekday"),
            ("0 3 ? * 8 *", "no weekday"),
            ("0 3 ? * 6#6 *", "no weekday"),
            ("0 3 * * ? 1969", "no year"),
            ("0 3 * * * *", "exactly one must be ?"),
            ("0 3 ? * ? *", "exactly one must be ?"),
            ("5-1 3 * * ? *", "no minute"),
            ("0/0 3 * * ? *", "no minute"),
        ] {
            let why = Cron::parse(text).unwrap_err();
            assert!(why.contains(said), "{text:?}: {why}");
        }
    }

    #[test]
    fn two_that_come_at_the_same_time_are_found() {
        let cron = |text| Cron::parse(text).unwrap();
        let weekly = cron("0 3 ? * SUN *");
        assert_eq!(weekly.meets(&cron("0 3/6 * * ? *")).unwrap().to_string(), "2024-01-07T03:00:00");
        assert_eq!(weekly.meets(&cron("1 3/6 * * ? *")), None);
        assert_eq!(cron("0 3 1 * ? *").meets(&weekly).unwrap().to_string(), "2024-09-01T03:00:00");
        // Not within the first years, and not among the first few hundred times of the one that comes more often.
        assert_eq!(cron("0 3 29 2 ? *").meets(&weekly).unwrap().to_string(), "2032-02-29T03:00:00");
        let rare = cron("0 3 29 2 ? *");
        for often in ["0 0/1 ? * SAT *", "0 0/1 * * ? *"] {
            assert_eq!(cron(often).meets(&rare), rare.meets(&cron(often)), "{often}");
        }
        assert_eq!(cron("0 0/1 ? * SAT *").meets(&rare).unwrap().to_string(), "2048-02-29T03:00:00");
        let later = cron("0 3 ? * SUN 2060-2061");
        assert_eq!(later.meets(&weekly).unwrap().to_string(), "2060-01-04T03:00:00");
        assert_eq!(weekly.meets(&later), later.meets(&weekly));
        assert_eq!(later.meets(&cron("0 3 ? * SUN 2059")), None);
        assert_eq!(cron("0 0/6 * * ? *").shortest_gap().unwrap(), SignedDuration::from_hours(6));
        assert_eq!(cron("0,30 3 * * ? *").shortest_gap().unwrap(), SignedDuration::from_mins(30));
    }
}
