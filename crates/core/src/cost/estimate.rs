//! A month's estimate: quantities, list prices and what was assumed, part by part.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::held::{Held, changed, held, runs};
use super::prices::{PriceName, PriceTable};
use crate::cron::Cron;
use crate::ids::Region;
use crate::request::Tier;
use crate::retention::Policy;

/// Hours of a month, as AWS counts them in its price examples: 365 days * 24 / 12.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// Days over which runs are counted: an average month is a twelfth.
const YEAR: i64 = 365;

/// Memory of the functions that read what was restored, GB (`template.yaml`, `ValidateBackup`).
const READER_GB: f64 = 1.0;
/// GB-seconds of one short invocation: a second of the largest function, mostly much less.
const SHORT_GB_SECONDS: Range = Range { estimate: 0.25, upper: 1.0 };
/// Share of a temporary instance's life during which functions read from it.
const READING: Range = Range { estimate: 0.5, upper: 1.0 };
/// Interface endpoints of the validation network of one Region, in one zone (`template.yaml`, `infra/region.yaml`).
const ENDPOINTS: f64 = 2.0;

/// What is thought to come, and what cannot be exceeded when what is assumed holds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Range {
    /// What is thought to come.
    pub estimate: f64,
    /// The most.
    pub upper: f64,
}

impl Range {
    /// No more and no less.
    pub fn exactly(value: f64) -> Range {
        Range { estimate: value, upper: value }
    }

    /// Both, so many times.
    pub fn times(self, factor: f64) -> Range {
        Range { estimate: self.estimate * factor, upper: self.upper * factor }
    }

    fn times_range(self, other: Range) -> Range {
        Range { estimate: self.estimate * other.estimate, upper: self.upper * other.upper }
    }

    fn plus(self, other: Range) -> Range {
        Range { estimate: self.estimate + other.estimate, upper: self.upper + other.upper }
    }
}

/// How the backups of a database are proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Proving {
    /// Class of the temporary instance.
    pub class: String,
    /// Share of the copies that is restored as well, 0 to 1.
    pub copy_share: f64,
    /// Functions that read at once.
    pub parallelism: u32,
    /// Hours that a temporary instance is there.
    pub hours: f64,
    /// Where `hours` comes from, for a person.
    pub hours_from: String,
}

/// One database, as a plan protects it.
#[derive(Debug, Clone, PartialEq)]
pub struct Protected {
    /// What messages call it.
    pub name: String,
    /// Where it is.
    pub home: Region,
    /// Where copies go.
    pub targets: Vec<Region>,
    /// Allocated storage, GiB; `None` when it is not known.
    pub size_gib: Option<f64>,
    /// When it is backed up.
    pub schedules: BTreeMap<Tier, Cron>,
    /// What is kept.
    pub policy: Policy,
    /// How it is proven; `None` when it is not.
    pub proving: Option<Proving>,
}

/// What is assumed of all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Assumptions {
    /// Share of a database that changes in a day, 0 to 1.
    pub change_per_day: f64,
    /// Months after the first backup.
    pub months: u32,
    /// State transitions, and short invocations of functions, of one run and its proof.
    pub transitions: Range,
    /// When the simulation begins.
    pub from: Timestamp,
}

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// Snapshots in the home Region.
    SnapshotStorage,
    /// Copies in a target Region.
    CopyStorage,
    /// From the home Region to a target Region.
    Transfer,
    /// Temporary instances, their hours.
    TemporaryInstance,
    /// Temporary instances, their storage.
    TemporaryStorage,
    /// Transitions of workflows.
    Transitions,
    /// Invocations of functions.
    FunctionRequests,
    /// Run time of functions.
    FunctionTime,
    /// KMS keys of the deployment.
    Keys,
    /// Interface endpoints of the validation network.
    Endpoints,
}

impl PartKind {
    /// Every kind.
    pub const ALL: [PartKind; 10] = [
        PartKind::SnapshotStorage,
        PartKind::CopyStorage,
        PartKind::Transfer,
        PartKind::TemporaryInstance,
        PartKind::TemporaryStorage,
        PartKind::Transitions,
        PartKind::FunctionRequests,
        PartKind::FunctionTime,
        PartKind::Keys,
        PartKind::Endpoints,
    ];

    /// As the output has it.
    pub fn as_str(self) -> &'static str {
        match self {
            PartKind::SnapshotStorage => "snapshot-storage",
            PartKind::CopyStorage => "copy-storage",
            PartKind::Transfer => "transfer",
            PartKind::TemporaryInstance => "temporary-instance",
            PartKind::TemporaryStorage => "temporary-storage",
            PartKind::Transitions => "transitions",
            PartKind::FunctionRequests => "function-requests",
            PartKind::FunctionTime => "function-time",
            PartKind::Keys => "keys",
            PartKind::Endpoints => "endpoints",
        }
    }

    /// What is counted.
    fn unit(self) -> &'static str {
        match self {
            PartKind::SnapshotStorage | PartKind::CopyStorage | PartKind::TemporaryStorage => "GiB-months",
            PartKind::Transfer => "GB",
            PartKind::TemporaryInstance | PartKind::Endpoints => "hours",
            PartKind::Transitions => "transitions",
            PartKind::FunctionRequests => "invocations",
            PartKind::FunctionTime => "GB-seconds",
            PartKind::Keys => "keys",
        }
    }
}

/// One part of a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What is paid for.
    pub kind: PartKind,
    /// Where; of a transfer, where to.
    pub region: Region,
    /// How much in a month; `None` when it is not known.
    pub quantity: Option<Range>,
    /// Of what.
    pub unit: &'static str,
    /// The list price, for [`Part::price_per`] units; `None` when it is not known.
    pub price: Option<f64>,
    /// For how many units the price is.
    pub price_per: f64,
    /// What it comes to; `None` when the quantity or the price is not known.
    pub cost: Option<Range>,
    /// What is not known, when something is not.
    pub missing: Option<String>,
    /// How the quantity was made.
    pub assumed: String,
}

/// Parts summed up.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sum {
    /// Of the parts that are known.
    pub cost: Range,
    /// What is not in it.
    pub missing: Vec<String>,
}

/// Sums up; what is not known is named, once.
pub fn sum<'a>(parts: impl Iterator<Item = &'a Part>) -> Sum {
    let mut sum = Sum::default();
    for part in parts {
        match (part.cost, &part.missing) {
            (Some(cost), _) => sum.cost = sum.cost.plus(cost),
            (None, missing) => {
                let missing =
                    missing.clone().unwrap_or_else(|| format!("{} is not known", part.kind.as_str()));
                if !sum.missing.contains(&missing) {
                    sum.missing.push(missing);
                }
            }
        }
    }
    sum
}

/// Parts in the making.
struct Parts<'a> {
    prices: &'a PriceTable,
    parts: Vec<Part>,
}

/// What is counted, and how that was made.
struct Counted {
    quantity: Option<Range>,
    /// Why there is no quantity.
    unknown: String,
    assumed: String,
}

impl Counted {
    fn known(quantity: Range, assumed: String) -> Counted {
        Counted { quantity: Some(quantity), unknown: String::new(), assumed }
    }
}

impl Parts<'_> {
    /// Adds a part, priced in `of`.
    fn add(
        &mut self,
        kind: PartKind,
        region: &Region,
        of: &Region,
        name: &PriceName,
        counted: Counted,
    ) -> Result<(), String> {
        let price = self.prices.region(of)?.of(name).map(|price| price.price);
        let cost = counted.quantity.zip(price).map(|(quantity, price)| quantity.times(price / name.per()));
        let missing = match (&counted.quantity, price) {
            (None, _) => Some(counted.unknown),
            (Some(_), None) => Some(format!("{} has no price {name} of {of}", self.prices.file)),
            (Some(_), Some(_)) => None,
        };
        self.parts.push(Part {
            kind,
            region: region.clone(),
            quantity: counted.quantity,
            unit: kind.unit(),
            price,
            price_per: name.per(),
            cost,
            missing,
            assumed: counted.assumed,
        });
        Ok(())
    }
}

/// A month of one database, and the backups that it holds then.
///
/// # Errors
/// A sentence that names a Region that the table does not have.
pub fn database(
    database: &Protected,
    prices: &PriceTable,
    assumed: &Assumptions,
) -> Result<(Vec<Part>, Held), String> {
    let there = held(&database.schedules, &database.policy, assumed.from, assumed.months);
    let mut parts = Parts { prices, parts: Vec::new() };
    storage(&mut parts, database, &there, assumed)?;
    transfer(&mut parts, database, assumed)?;
    let runs = runs(&database.schedules, assumed.from, YEAR).len() as f64 / 12.0;
    if let Some(proving) = &database.proving {
        temporary(&mut parts, database, proving, runs)?;
    }
    functions(&mut parts, database, runs, assumed)?;
    Ok((parts.parts, there))
}

fn sized(database: &Protected, factor: Range, assumed: String) -> Counted {
    Counted {
        quantity: database.size_gib.map(|size| factor.times(size)),
        unknown: format!("the size of {} is not known", database.name),
        assumed,
    }
}

fn storage(
    parts: &mut Parts<'_>,
    database: &Protected,
    there: &Held,
    assumed: &Assumptions,
) -> Result<(), String> {
    let count = there.times.len();
    let factor = Range { estimate: there.incremental(assumed.change_per_day), upper: count as f64 };
    let said = |what: &str| {
        let change = assumed.change_per_day * 100.0;
        format!(
            "{count} {what} held after {} months; the oldest full, each other what changed since the one before, {change} % \
             a day; at most, every one full",
            assumed.months
        )
    };
    let home = &database.home;
    let name = PriceName::SnapshotStorage;
    parts.add(PartKind::SnapshotStorage, home, home, &name, sized(database, factor, said("backups")))?;
    for region in &database.targets {
        parts.add(PartKind::CopyStorage, region, region, &name, sized(database, factor, said("copies")))?;
    }
    Ok(())
}

/// What crosses in an average month: what changed since the run before, as if a year came again and again.
fn transfer(parts: &mut Parts<'_>, database: &Protected, assumed: &Assumptions) -> Result<(), String> {
    let runs = runs(&database.schedules, assumed.from, YEAR);
    let year = SignedDuration::from_hours(24 * YEAR);
    let wrapped = runs.last().zip(runs.first()).map(|(last, first)| year - last.0.duration_since(first.0));
    let gaps = runs.windows(2).map(|pair| pair[1].0.duration_since(pair[0].0)).chain(wrapped);
    let year: f64 = gaps.map(|gap| changed(gap, assumed.change_per_day)).sum();
    let monthly = Range { estimate: year / 12.0, upper: runs.len() as f64 / 12.0 };
    for region in &database.targets {
        let said = format!(
            "{:.1} copies a month, each what changed since the run before; at most, every one full",
            monthly.upper
        );
        let name = PriceName::Transfer(region.clone());
        parts.add(PartKind::Transfer, region, &database.home, &name, sized(database, monthly, said))?;
    }
    Ok(())
}

/// Instances that backups, and a share of the copies, are restored to.
fn temporary(
    parts: &mut Parts<'_>,
    database: &Protected,
    proving: &Proving,
    runs: f64,
) -> Result<(), String> {
    let home = std::iter::once((&database.home, 1.0));
    let copies = database.targets.iter().map(|region| (region, proving.copy_share));
    for (region, share) in home.chain(copies).filter(|(_, share)| *share > 0.0) {
        let Proving { class, hours, hours_from, parallelism, .. } = proving;
        let instance_hours = runs * share * hours;
        let said =
            format!("{:.1} proofs a month of {hours:.2} h each ({hours_from}), on a {class}", runs * share);
        let name = PriceName::InstanceHour(class.clone());
        let counted = Counted::known(Range::exactly(instance_hours), said);
        parts.add(PartKind::TemporaryInstance, region, region, &name, counted)?;
        let months = Range::exactly(instance_hours / HOURS_PER_MONTH);
        let said = "as large as the database, for these hours".to_owned();
        let counted = sized(database, months, said);
        parts.add(PartKind::TemporaryStorage, region, region, &PriceName::InstanceStorage, counted)?;
        let readers = instance_hours * 3600.0 * f64::from(*parallelism) * READER_GB;
        let said =
            format!("{parallelism} functions of 1 GB read for half of these hours; at most, for all of them");
        let counted = Counted::known(READING.times(readers), said);
        parts.add(PartKind::FunctionTime, region, region, &PriceName::FunctionGbSecond, counted)?;
    }
    Ok(())
}

/// Workflow and short invocations, in the home Region; a copy that is proven where it lies has as many there.
fn functions(
    parts: &mut Parts<'_>,
    database: &Protected,
    runs: f64,
    assumed: &Assumptions,
) -> Result<(), String> {
    let share = database.proving.as_ref().map_or(0.0, |proving| proving.copy_share);
    let copies = database.targets.iter().map(|region| (region, share));
    for (region, share) in
        std::iter::once((&database.home, 1.0)).chain(copies).filter(|(_, share)| *share > 0.0)
    {
        let calls = assumed.transitions.times(runs * share);
        let Range { estimate, upper } = assumed.transitions;
        let each = format!("{:.1} runs a month of {estimate} each; at most {upper}", runs * share);
        let mut add = |kind: PartKind, name: PriceName, quantity: Range, said: String| {
            parts.add(kind, region, region, &name, Counted::known(quantity, said))
        };
        add(PartKind::Transitions, PriceName::Transitions, calls, each.clone())?;
        add(PartKind::FunctionRequests, PriceName::FunctionRequests, calls, each)?;
        let said = "of each invocation 0.25 GB-seconds; at most 1".to_owned();
        let time = calls.times_range(SHORT_GB_SECONDS);
        add(PartKind::FunctionTime, PriceName::FunctionGbSecond, time, said)?;
    }
    Ok(())
}

/// What a Region is for a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It runs there.
    Home,
    /// Copies go there.
    Target,
}

/// What a deployment costs in a Region without any backup: keys and endpoints.
///
/// # Errors
/// A sentence that names a Region that the table does not have.
pub fn standing(region: &Region, role: Role, prices: &PriceTable) -> Result<Vec<Part>, String> {
    let mut parts = Parts { prices, parts: Vec::new() };
    let (keys, said) = match role {
        Role::Home => (1.0, "the key that passwords of temporary instances come from (template.yaml)"),
        Role::Target => (2.0, "the key of the copies and that of the passwords (infra/region.yaml)"),
    };
    let counted = Counted::known(Range::exactly(keys), said.to_owned());
    parts.add(PartKind::Keys, region, region, &PriceName::Key, counted)?;
    let hours = Range::exactly(ENDPOINTS * HOURS_PER_MONTH);
    let said =
        "two interface endpoints of the validation network, in one zone; what they process is not counted";
    parts.add(
        PartKind::Endpoints,
        region,
        region,
        &PriceName::EndpointHour,
        Counted::known(hours, said.to_owned()),
    )?;
    Ok(parts.parts)
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
