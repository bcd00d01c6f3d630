//! `holdfast cost plan`: what a protection plan will cost a month.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use holdfast_core::cost::{
    Assumptions, LONGEST_MONTHS, Part, PriceTable, Protected, Proving, Range, Role, Sum, database, runs,
    standing, sum,
};
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::request::Tier;
use holdfast_core::retention::{Policy, Span};
use holdfast_protection::cadence::expressions;
use holdfast_protection::{Entry, Selector};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::plan_ask::{Asked, ask};
use super::{plan_table, prices};
use crate::backup::Output;
use crate::deployed::Table;
use crate::paint::Paint;
use crate::plan::load;
use crate::{Error, exit};

/// Hours that a temporary instance is there when nobody knows better (README, "What it costs": mostly under an hour).
pub(super) const USUAL_HOURS: f64 = 1.0;
/// RDS bills ten minutes of an instance at least (Amazon RDS User Guide, "On-Demand DB instances").
const LEAST_HOURS: f64 = 1.0 / 6.0;
/// State transitions of a run (README, "What it costs": some 50 to 300).
const TRANSITIONS: Range = Range { estimate: 175.0, upper: 300.0 };
/// Stands for whatever database tags mean, when nobody is asked.
const ANY: &str = "a-database";

/// What is not in any number.
const NOT_COUNTED: [&str; 5] = [
    "backup storage that RDS gives free, up to the storage of the instances in a Region: automated backups use it first",
    "what the database itself costs, with its automated backups and its own key",
    "requests of DynamoDB, S3, KMS, CloudWatch and the Scheduler, and what lies in table, bucket and logs: mostly cents",
    "what the interface endpoints process, and reading the source for a baseline",
    "discounts, free tiers, taxes, restores, drills and validations by hand",
];

/// Estimate what a protection plan costs a month, part by part, by list prices.
///
/// With --size-gib AWS is not asked; else the sizes come from RDS, and how long proofs take from the newest ones.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The plan.
    #[arg(default_value = "holdfast.yaml")]
    file: PathBuf,
    /// Allocated storage, GiB: `100` for every database, `prod-db=500` for one; repeat for more.
    #[arg(long = "size-gib", value_name = "[DATABASE=]GIB")]
    sizes: Vec<String>,
    /// How much of a database changes in a day, percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0)]
    change_percent_per_day: f64,
    /// Hours that the temporary instance of a proof is there. Default: as measured, else 1.
    #[arg(long, value_name = "HOURS")]
    restore_hours: Option<f64>,
    /// Months after the first backup, at most 96: by then, every rule of retention is full.
    #[arg(long, value_name = "MONTHS", default_value_t = LONGEST_MONTHS)]
    after_months: u32,
    /// The Region of the databases.
    #[arg(long, env = "AWS_REGION", value_name = "REGION")]
    region: Option<String>,
    #[command(flatten)]
    prices: prices::Which,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// One database, or what stands for some.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatabaseCost {
    /// Its id, or the tags.
    pub name: String,
    /// Allocated storage; `None` when it is not known.
    pub size_gib: Option<f64>,
    /// Backups held.
    pub backups_held: usize,
    /// Runs in an average month.
    pub runs_per_month: f64,
    /// Part by part.
    pub parts: Vec<Part>,
    /// Together.
    pub sum: Sum,
}

/// The whole estimate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Estimate {
    /// The plan's name.
    pub plan: String,
    /// The Region of the databases.
    pub home: Region,
    /// By database.
    pub databases: Vec<DatabaseCost>,
    /// What the deployment costs without any backup.
    pub standing: Vec<Part>,
    /// Everything.
    pub total: Sum,
    /// What was assumed.
    pub assumptions: Vec<String>,
}

/// What the command line says, checked.
pub(super) struct Told {
    /// For every database.
    every: Option<f64>,
    /// For single ones.
    single: BTreeMap<DatabaseId, f64>,
    pub hours: Option<f64>,
    change: f64,
    months: u32,
    pub home: Region,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when the file, the prices or a flag make no sense, or a Region has no prices; `Aws` when sizes are asked for in vain.
pub async fn run(args: &PlanArgs, table: Table) -> Result<u8, Error> {
    let prices = args.prices.load()?;
    let told = args.told()?;
    let plan = load(&args.file, Some(&told.home))?;
    let needs_size = |entry: &Entry| match &entry.selector {
        Selector::Id(id) => told.size(id).is_none(),
        Selector::Tags(_) => told.every.is_none(),
    };
    let asked = if plan.entries.iter().any(needs_size) {
        Some(ask(&plan.entries, &told, table).await?)
    } else {
        None
    };
    let estimate = estimate(&plan.name, &plan.entries, &told, asked.as_ref(), &prices, Timestamp::now());
    let estimate = estimate.map_err(Error::Usage)?;
    match args.output {
        Output::Table => {
            print!("{}", plan_table::text(&estimate, &prices, &NOT_COUNTED, Paint::for_stdout()))
        }
        Output::Json => println!(
            "{:#}",
            json!({"estimate": estimate, "notCounted": NOT_COUNTED,
                   "prices": {"file": prices.file, "asOf": prices.as_of, "currency": prices.currency, "note": prices.note}})
        ),
    }
    Ok(if estimate.total.missing.is_empty() { exit::SUCCEEDED } else { exit::PARTIAL })
}

impl PlanArgs {
    fn told(&self) -> Result<Told, Error> {
        let usage = |why: String| Err(Error::Usage(why));
        let Some(home) = &self.region else {
            return usage(
                "the Region of the databases is not known: say --region, or set AWS_REGION".to_owned(),
            );
        };
        let home = Region::parse(home).map_err(|error| Error::Usage(error.message))?;
        if !(0.0..=100.0).contains(&self.change_percent_per_day) {
            return usage(format!(
                "--change-percent-per-day: {} is not from 0 to 100",
                self.change_percent_per_day
            ));
        }
        if let Some(hours) = self.restore_hours.filter(|hours| !(*hours > 0.0 && *hours <= 720.0)) {
            return usage(format!("--restore-hours: {hours} is not more than 0 and at most 720"));
        }
        if !(1..=LONGEST_MONTHS).contains(&self.after_months) {
            return usage(format!("--after-months: {} is not from 1 to {LONGEST_MONTHS}", self.after_months));
        }
        let (mut every, mut single) = (None, BTreeMap::new());
        for said in &self.sizes {
            let (id, size) =
                said.split_once('=').map_or((None, said.as_str()), |(id, size)| (Some(id), size));
            let size = size.parse::<f64>().ok().filter(|size| *size > 0.0 && *size <= 65_536.0);
            let Some(size) = size else {
                return usage(format!(
                    "--size-gib: {said:?} is no size in GiB, of more than 0 and at most 65536"
                ));
            };
            let before = match id {
                None => every.replace(size),
                Some(id) => {
                    let id = DatabaseId::parse(id).map_err(|error| Error::Usage(error.message))?;
                    single.insert(id, size)
                }
            };
            if before.is_some() {
                return usage(format!("--size-gib: {said:?} says again what was said before"));
            }
        }
        let (hours, months) = (self.restore_hours, self.after_months);
        Ok(Told { every, single, hours, change: self.change_percent_per_day / 100.0, months, home })
    }
}

impl Told {
    fn size(&self, id: &DatabaseId) -> Option<f64> {
        self.single.get(id).copied().or(self.every)
    }
}

/// Sums a plan up.
pub(super) fn estimate(
    name: &str,
    entries: &[Entry],
    told: &Told,
    asked: Option<&Asked>,
    prices: &PriceTable,
    from: Timestamp,
) -> Result<Estimate, String> {
    let mut assumptions = vec![format!(
        "{} % of each database changes in a day (--change-percent-per-day), and snapshots are incremental; at most, every \
         snapshot and copy is full",
        told.change * 100.0
    )];
    let assumed =
        Assumptions { change_per_day: told.change, months: told.months, transitions: TRANSITIONS, from };
    let mut databases = Vec::new();
    for entry in entries {
        for id in means(entry, entries, asked, &mut assumptions)? {
            let protected = protected(entry, &id, told, asked, &mut assumptions)?;
            let (parts, held) = database(&protected, prices, &assumed)?;
            let runs = runs(&protected.schedules, from, 365).len() as f64 / 12.0;
            let sum = sum(parts.iter());
            let Protected { name, size_gib, .. } = protected;
            let backups_held = held.times.len();
            databases.push(DatabaseCost { name, size_gib, backups_held, runs_per_month: runs, parts, sum });
        }
    }
    let targets: BTreeSet<&Region> =
        entries.iter().flat_map(|entry| &entry.settings.targets).map(|target| &target.region).collect();
    let mut there = standing(&told.home, Role::Home, prices)?;
    for region in targets {
        there.extend(standing(region, Role::Target, prices)?);
    }
    let total = sum(databases.iter().flat_map(|one| &one.parts).chain(&there));
    assumptions.push(
        "what no rule keeps is deleted every day (PruneBackups=delete); else it grows without end".to_owned(),
    );
    Ok(Estimate {
        plan: name.to_owned(),
        home: told.home.clone(),
        databases,
        standing: there,
        total,
        assumptions,
    })
}

/// The databases of an entry; where nobody was asked, one stands for all that carry the tags.
fn means(
    entry: &Entry,
    entries: &[Entry],
    asked: Option<&Asked>,
    assumptions: &mut Vec<String>,
) -> Result<Vec<DatabaseId>, String> {
    match (&entry.selector, asked) {
        (Selector::Id(id), _) => Ok(vec![id.clone()]),
        (Selector::Tags(_), None) => {
            assumptions
                .push(format!("{}: counted once; how many carry them, nobody was asked", entry.selector));
            DatabaseId::parse(ANY).map(|id| vec![id]).map_err(|error| error.message)
        }
        (Selector::Tags(tags), Some(asked)) => {
            let named =
                |id: &DatabaseId| entries.iter().any(|other| other.selector == Selector::Id(id.clone()));
            let found: Vec<DatabaseId> = asked.tagged(tags).filter(|id| !named(id)).cloned().collect();
            if found.is_empty() {
                assumptions.push(format!("{}: no database carries them now", entry.selector));
            }
            Ok(found)
        }
    }
}

fn protected(
    entry: &Entry,
    id: &DatabaseId,
    told: &Told,
    asked: Option<&Asked>,
    assumptions: &mut Vec<String>,
) -> Result<Protected, String> {
    let settings = &entry.settings;
    let stands = matches!(entry.selector, Selector::Tags(_)) && asked.is_none();
    let name = if stands { entry.selector.to_string() } else { id.to_string() };
    let schedules = expressions(id, &settings.schedules)
        .map_err(|meeting| format!("{name}: two backups come at {}", meeting.at))?;
    let said = settings.retention.unwrap_or_default();
    if Span::ALL.iter().any(|span| said.count(*span).is_none()) {
        let Policy { daily, weekly, monthly, yearly, .. } = said.laid_over(Policy::default());
        let what =
            if settings.retention.is_none() { "how many are kept" } else { "all of how many are kept" };
        assumptions.push(format!(
            "{name}: the plan does not say {what}; {daily} daily, {weekly} weekly, {monthly} monthly and {yearly} \
             yearly, what it does not say as prune-backups is deployed by itself"
        ));
    }
    let policy = said.laid_over(Policy::default());
    let request = settings.request(id.as_str(), Tier::Daily, Some(&told.home))?;
    let validation = request.validation;
    let (hours, hours_from) =
        told.hours.map(|hours| (hours, "--restore-hours".to_owned())).unwrap_or_else(|| {
            let measured = asked.and_then(|asked| asked.hours.get(id).cloned());
            measured.unwrap_or_else(|| (USUAL_HOURS, "assumed".to_owned()))
        });
    let billed = if hours < LEAST_HOURS {
        (LEAST_HOURS, format!("{hours_from}: {:.0} s, billed as ten minutes", hours * 3600.0))
    } else {
        (hours, hours_from)
    };
    let (hours, hours_from) = billed;
    let proving = validation.enabled.then(|| Proving {
        class: validation.instance_classes.first().cloned().unwrap_or_default(),
        copy_share: validation.copy_share,
        parallelism: validation.parallelism,
        hours,
        hours_from,
    });
    Ok(Protected {
        name,
        home: told.home.clone(),
        targets: settings.targets.iter().map(|target| target.region.clone()).collect(),
        size_gib: told.size(id).filter(|_| !stands).or(told.every).or_else(|| asked?.sizes.get(id)?.gib),
        schedules,
        policy,
        proving,
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
