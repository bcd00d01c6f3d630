//! One block of settings as the file has it: of `defaults`, of an environment, of a database.

use std::collections::BTreeMap;

use holdfast_core::cron::Cron;
use holdfast_core::ids::Region;
use holdfast_core::objectives::Importance;
use holdfast_core::protection::{Notification, Outcome};
use holdfast_core::request::{TargetRegion, Tier};
use holdfast_core::tags::Tags;

use crate::cadence::{At, CLOSEST_MINUTES, Cadence, MonthDay, TIERS, WEEKDAYS};
use crate::node::{Faults, Fields, Kind, Node, Place, below};

/// The key of a copy when a target names none: the one that `infra/region.yaml` makes.
const USUAL_KEY: &str = "alias/holdfast";

/// Longest that anything in a plan lasts, seconds: a year.
const LONGEST_SECONDS: u64 = 366 * 24 * 3600;

/// What every block may say.
pub const KEYS: [&str; 11] = [
    "importance",
    "objectives",
    "schedules",
    "window",
    "targets",
    "validation",
    "baseline",
    "snapshotTags",
    "deadline",
    "retention",
    "notifications",
];

/// What a block says; what it does not say comes from the block above it.
#[derive(Debug, Default)]
pub struct Block<'a> {
    /// How it is called: `defaults`, `databases[0]`.
    pub path: String,
    /// How much the databases matter.
    pub importance: Option<Importance>,
    /// Seconds until a database is back.
    pub rto: Option<u64>,
    /// Seconds that may be lost.
    pub rpo: Option<u64>,
    /// `None` where it says `none`.
    pub schedules: BTreeMap<Tier, (Option<Cadence>, Place)>,
    /// Minutes.
    pub window: Option<(u32, Place)>,
    /// Whether it says where copies go, be it so that it cannot be read.
    pub has_targets: bool,
    /// Where copies go.
    pub targets: Option<Vec<TargetRegion>>,
    /// As it stands.
    pub validation: Option<&'a Node>,
    /// As it stands.
    pub baseline: Option<&'a Node>,
    /// Tags of the snapshots.
    pub tags: Option<(Tags, Place)>,
    /// Minutes.
    pub deadline: Option<(u32, Place)>,
    /// As it stands.
    pub retention: Option<&'a Node>,
    /// Who is to be told.
    pub notifications: Option<Vec<Notification>>,
}

/// Reads `30m`, `4h`, `1d`, `1h30m`, `45s`; seconds.
pub fn seconds(text: &str) -> Option<u64> {
    let mut sum: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return None,
        };
        sum = sum.checked_add(rest[..digits].parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (sum > 0 && sum <= LONGEST_SECONDS).then_some(sum)
}

fn duration(faults: &mut Faults, node: &Node, path: &str) -> Option<u64> {
    let read = if let Kind::Text(text) = &node.kind { seconds(text) } else { None };
    if read.is_none() {
        let said = node.to_json();
        faults.add(
            node.place,
            format!("{path}: {said} is not a duration such as 45s, 30m, 4h or 1d, and at most 366d"),
        );
    }
    read
}

/// A duration of whole minutes within these bounds.
fn minutes(faults: &mut Faults, node: &Node, path: &str, most: u32) -> Option<(u32, Place)> {
    let seconds = duration(faults, node, path)?;
    let minutes = u32::try_from(seconds / 60).ok().filter(|n| seconds % 60 == 0 && (1..=most).contains(n));
    if minutes.is_none() {
        faults.add(node.place, format!("{path}: {} is not from 1m to {most}m", node.to_json()));
    }
    Some((minutes?, node.place))
}

/// One of some words.
fn word<T: Copy>(faults: &mut Faults, node: &Node, path: &str, words: &[(&str, T)]) -> Option<T> {
    let text = faults.text(node, path)?;
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        faults.add(node.place, format!("{path}: {text:?} is not one of {}", known.join(", ")));
    }
    found.map(|(_, value)| *value)
}

impl<'a> Block<'a> {
    /// Reads what a block may say; its mapping may have other keys as well, which are somebody else's.
    pub fn read(faults: &mut Faults, fields: &Fields<'a>, home: Option<&Region>) -> Self {
        let mut block = Block { path: fields.path.clone(), ..Block::default() };
        if let Some((node, path)) = fields.get("importance") {
            let words = [
                ("critical", Importance::Critical),
                ("standard", Importance::Standard),
                ("low", Importance::Low),
            ];
            block.importance = word(faults, node, &path, &words);
        }
        if let Some((node, path)) = fields.get("objectives")
            && let Some(objectives) = faults.fields(node, &path, &["rto", "rpo"])
        {
            block.rto = objectives.get("rto").and_then(|(node, path)| duration(faults, node, &path));
            block.rpo = objectives.get("rpo").and_then(|(node, path)| duration(faults, node, &path));
        }
        if let Some((node, path)) = fields.get("schedules") {
            block.schedules = schedules(faults, node, &path);
        }
        block.window = fields.get("window").and_then(|(node, path)| minutes(faults, node, &path, 1440));
        block.has_targets = fields.get("targets").is_some();
        block.targets = fields.get("targets").and_then(|(node, path)| targets(faults, node, &path, home));
        block.tags = fields.get("snapshotTags").and_then(|(node, path)| tags(faults, node, &path));
        block.deadline = fields.get("deadline").and_then(|(node, path)| minutes(faults, node, &path, 1800));
        block.notifications =
            fields.get("notifications").and_then(|(node, path)| notifications(faults, node, &path));
        // These are read by those who know them: the request of a backup, and retention.
        let mut mapping = |name: &str| {
            let (node, path) = fields.get(name)?;
            let is_mapping = matches!(node.kind, Kind::Map(_));
            if !is_mapping {
                faults.add(node.place, format!("{path}: {} is not a mapping", node.to_json()));
            }
            is_mapping.then_some(node)
        };
        block.validation = mapping("validation");
        block.baseline = mapping("baseline");
        block.retention = mapping("retention");
        block
    }
}

/// A mapping of texts.
pub fn tags(faults: &mut Faults, node: &Node, path: &str) -> Option<(Tags, Place)> {
    let Kind::Map(pairs) = &node.kind else {
        faults.fields(node, path, &[]);
        return None;
    };
    let mut all = Tags::new();
    for (key, value) in pairs {
        let text = faults.text(value, &below(path, &key.name))?;
        all.insert(key.name.clone(), text.to_owned());
    }
    Some((all, node.place))
}

fn schedules(faults: &mut Faults, node: &Node, path: &str) -> BTreeMap<Tier, (Option<Cadence>, Place)> {
    let mut all = BTreeMap::new();
    let Some(fields) = faults.fields(node, path, &TIERS.map(Tier::as_str)) else { return all };
    for tier in TIERS {
        let Some((node, path)) = fields.get(tier.as_str()) else { continue };
        let cadence = match &node.kind {
            Kind::Text(text) if text == "none" => Some(None),
            Kind::Map(_) => cadence(faults, node, &path, tier).map(Some),
            Kind::Text(text) if tier == Tier::Daily => every(faults, node, &path, text, None).map(Some),
            _ => {
                let how = if tier == Tier::Daily {
                    "a mapping, a duration such as 6h, or none"
                } else {
                    "a mapping or none"
                };
                faults.add(node.place, format!("{path}: {} is not {how}", node.to_json()));
                None
            }
        };
        if let Some(cadence) = cadence {
            all.insert(tier, (cadence, node.place));
        }
    }
    all
}

fn every(faults: &mut Faults, node: &Node, path: &str, text: &str, at: Option<At>) -> Option<Cadence> {
    let hours = seconds(text).filter(|seconds| seconds % 3600 == 0).map(|seconds| seconds / 3600);
    let hours = hours
        .and_then(|hours| u8::try_from(hours).ok())
        .filter(|hours| (1..=24).contains(hours) && 24 % hours == 0);
    if hours.is_none() {
        faults.add(node.place, format!("{path}: {text:?} is not one of 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h"));
    }
    Some(Cadence::Every { hours: hours?, at })
}

fn cadence(faults: &mut Faults, node: &Node, path: &str, tier: Tier) -> Option<Cadence> {
    let own = if tier == Tier::Daily { "every" } else { "on" };
    let fields = faults.fields(node, path, &["cron", own, "at"])?;
    if let Some((node, path)) = fields.get("cron") {
        if let Some((other, _)) = fields.get(own).or_else(|| fields.get("at")) {
            faults.add(other.place, format!("{path}: it says everything; leave {own} and at away, or cron"));
            return None;
        }
        return cron(faults, node, &path);
    }
    let at = match fields.get("at") {
        None => None,
        Some((node, path)) => {
            let text = faults.text(node, &path)?;
            let at = At::parse(text);
            if at.is_none() {
                faults.add(
                    node.place,
                    format!("{path}: {text:?} is not a time of day (UTC) such as \"03:00\""),
                );
            }
            Some(at?)
        }
    };
    match (tier, fields.get(own)) {
        (_, None) => Some(match Cadence::usual(tier) {
            Cadence::Every { hours, .. } => Cadence::Every { hours, at },
            Cadence::Weekly { on, .. } => Cadence::Weekly { on, at },
            Cadence::Monthly { on, .. } => Cadence::Monthly { on, at },
            Cadence::Yearly { month, day, .. } => Cadence::Yearly { month, day, at },
            cron @ Cadence::Cron(_) => cron,
        }),
        (Tier::Daily, Some((node, path))) => {
            let text = faults.text(node, &path)?;
            every(faults, node, &path, text, at)
        }
        (Tier::Weekly, Some((node, path))) => {
            let days: Vec<(&str, usize)> = WEEKDAYS.iter().enumerate().map(|(n, day)| (*day, n)).collect();
            Some(Cadence::Weekly { on: word(faults, node, &path, &days)?, at })
        }
        (Tier::Monthly, Some((node, path))) => {
            month_day(faults, node, &path).map(|on| Cadence::Monthly { on, at })
        }
        (Tier::Yearly, Some((node, path))) => {
            let (month, day) = year_day(faults, node, &path)?;
            Some(Cadence::Yearly { month, day, at })
        }
    }
}

fn cron(faults: &mut Faults, node: &Node, path: &str) -> Option<Cadence> {
    let text = faults.text(node, path)?;
    let cron = match Cron::parse(text) {
        Ok(cron) => cron,
        Err(why) => {
            faults.add(node.place, format!("{path}: {why}"));
            return None;
        }
    };
    let gap = cron.shortest_gap().map(|gap| gap.as_mins());
    if let Some(gap) = gap.filter(|gap| *gap < CLOSEST_MINUTES) {
        faults.add(
            node.place,
            format!("{path}: {cron} comes after {gap} minutes again; {CLOSEST_MINUTES} are the least"),
        );
        return None;
    }
    Some(Cadence::Cron(cron))
}

fn month_day(faults: &mut Faults, node: &Node, path: &str) -> Option<MonthDay> {
    if node.kind == Kind::Text("last".to_owned()) {
        return Some(MonthDay::Last);
    }
    if let Kind::Number(number) = &node.kind {
        let day = number.as_u64().and_then(|day| u8::try_from(day).ok()).filter(|day| (1..=28).contains(day));
        if let Some(day) = day {
            return Some(MonthDay::Of(day));
        }
    }
    faults.add(
        node.place,
        format!("{path}: {} is not a day from 1 to 28, which every month has, or last", node.to_json()),
    );
    None
}

fn year_day(faults: &mut Faults, node: &Node, path: &str) -> Option<(u8, u8)> {
    let text = faults.text(node, path)?;
    // 2023 was no leap year: what it has, every year has.
    let day = (text.len() == 5).then(|| format!("2023-{text}").parse::<jiff::civil::Date>().ok()).flatten();
    let (month, day) =
        day.map_or((None, None), |day| (u8::try_from(day.month()).ok(), u8::try_from(day.day()).ok()));
    if month.is_none() {
        faults.add(
            node.place,
            format!("{path}: {text:?} is not a month and a day that every year has, such as \"01-31\""),
        );
    }
    Some((month?, day?))
}

fn targets(faults: &mut Faults, node: &Node, path: &str, home: Option<&Region>) -> Option<Vec<TargetRegion>> {
    let mut all: Vec<TargetRegion> = Vec::new();
    for (n, item) in faults.items(node, path)?.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let (region, at, key) = if let Kind::Text(region) = &item.kind {
            (region.as_str(), item.place, USUAL_KEY)
        } else {
            let fields = faults.fields(item, &path, &["region", "key"])?;
            let Some((node, path)) = fields.get("region") else {
                faults.add(item.place, format!("{path}.region: it is missing"));
                return None;
            };
            let key = match fields.get("key") {
                Some((node, path)) => faults.text(node, &path)?,
                None => USUAL_KEY,
            };
            (faults.text(node, &path)?, node.place, key)
        };
        let region = match Region::parse(region) {
            Ok(region) => region,
            Err(_) => {
                faults.add(at, format!("{path}: {region:?} is not a Region code such as us-west-2"));
                continue;
            }
        };
        if home == Some(&region) {
            faults
                .add(at, format!("{path}: {region} is the Region of the databases themselves; name another"));
        } else if all.iter().any(|other| other.region == region) {
            faults.add(at, format!("{path}: {region} is named twice; name it once"));
        } else {
            all.push(TargetRegion { region, kms_key_id: key.to_owned() });
        }
    }
    Some(all)
}

fn notifications(faults: &mut Faults, node: &Node, path: &str) -> Option<Vec<Notification>> {
    let outcomes =
        [("succeeded", Outcome::Succeeded), ("partial", Outcome::Partial), ("failed", Outcome::Failed)];
    let mut all = Vec::new();
    for (n, item) in faults.items(node, path)?.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let fields = faults.fields(item, &path, &["topic", "on"])?;
        let Some((node, path_of_topic)) = fields.get("topic") else {
            faults.add(item.place, format!("{path}.topic: it is missing"));
            return None;
        };
        let topic = faults.text(node, &path_of_topic)?;
        let parts: Vec<&str> = topic.split(':').collect();
        let is_topic = matches!(parts[..], ["arn", partition, "sns", region, account, name]
            if partition.starts_with("aws") && !region.is_empty() && account.len() == 12 && !name.is_empty());
        if !is_topic {
            faults.add(
                node.place,
                format!("{path_of_topic}: {topic:?} is not the ARN of an SNS topic (arn:aws:sns:Region:account:name)"),
            );
        }
        let mut on = Vec::new();
        if let Some((node, path)) = fields.get("on") {
            for (n, item) in faults.items(node, &path)?.iter().enumerate() {
                on.extend(word(faults, item, &format!("{path}[{n}]"), &outcomes));
            }
        } else {
            on = vec![Outcome::Partial, Outcome::Failed];
        }
        on.sort();
        on.dedup();
        all.push(Notification { topic: topic.to_owned(), on });
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, read) in [
            ("45s", Some(45)),
            ("30m", Some(1800)),
            ("4h", Some(14_400)),
            ("1d", Some(86_400)),
            ("1h30m", Some(5400)),
            ("366d", Some(LONGEST_SECONDS)),
            ("367d", None),
            ("0m", None),
            ("", None),
            ("30", None),
            ("m", None),
            ("30 m", None),
            ("-1h", None),
            ("1.5h", None),
            ("1w", None),
            ("99999999999999999999h", None),
            ("18446744073709551615d", None),
            ("1ä", None),
        ] {
            assert_eq!(seconds(text), read, "{text:?}");
        }
    }
}
