//! `holdfast status`: backups, copies, what a loss would cost now, and how well that is protected.

mod breakers;
mod measured;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ValueEnum};
use holdfast_core::Error as Named;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::objectives::{Importance, Objectives};
use holdfast_core::ports::Restores;
use holdfast_core::protection::ProtectionPlan;
use holdfast_core::status::{Facts, Status, assess, total};
use jiff::Timestamp;
use serde_json::json;

use crate::backup::Output;
use crate::cloud::Cloud;
use crate::doctor::Where;
use crate::look::Look;
use crate::paint::Paint;
use crate::{Error, exit};

/// Show how databases stand: backups and copies, what a loss would cost now as measured, and a score with its parts.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only these databases. Without: every one that has operations or that a schedule names.
    #[arg(value_name = "DATABASE")]
    databases: Vec<String>,
    /// How much they matter: what the times are held against. Default: as the protection plan says, else standard.
    #[arg(long, value_enum)]
    importance: Option<HowMuch>,
    /// Show instead which services of AWS Holdfast does not call at the moment, because they failed: the circuit breakers
    /// that all executions share.
    #[arg(long, conflicts_with_all = ["databases", "importance"])]
    breakers: bool,
    #[command(flatten)]
    at: Where,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// How much a database matters, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HowMuch {
    /// Back in 15 minutes, at most 5 minutes lost.
    Critical,
    /// Back in an hour, at most 15 minutes lost.
    Standard,
    /// Back in four hours, at most one hour lost.
    Low,
}

/// What databases are held to.
enum Held {
    /// All of them to this.
    Asked(Importance),
    /// Each to what the protection plan says of it; one that it does not know is a standard one.
    Planned(Option<ProtectionPlan>),
}

impl Held {
    async fn look(look: &Look, asked: Option<HowMuch>) -> Result<Held, Error> {
        Ok(match asked {
            Some(HowMuch::Critical) => Held::Asked(Importance::Critical),
            Some(HowMuch::Standard) => Held::Asked(Importance::Standard),
            Some(HowMuch::Low) => Held::Asked(Importance::Low),
            // Held against what nobody knows, everything would look well.
            None => Held::Planned(look.plan().await.map_err(|error| {
                Error::Unreadable(format!("the protection plan cannot be read: {error}; say --importance"))
            })?),
        })
    }

    fn of(&self, database: &DatabaseId) -> (Importance, Objectives) {
        match self {
            Held::Asked(importance) => (*importance, importance.objectives()),
            Held::Planned(plan) => {
                let planned = plan.as_ref().and_then(|plan| plan.databases.get(database));
                let usual = || (Importance::default(), Importance::default().objectives());
                planned.map_or_else(usual, |planned| (planned.importance, planned.objectives))
            }
        }
    }
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when what was asked for does not make sense; `Aws` when the state table cannot be read.
pub async fn run(args: StatusArgs, table: String) -> Result<u8, Error> {
    if args.breakers {
        return breakers::run(&Cloud::from_env(table).await, args.output).await;
    }
    let look = Look::begin(args.at.state_machine_arn, args.at.prune_function, table).await?;
    let held = Held::look(&look, args.importance).await?;
    let mut all = Vec::new();
    let databases = look.databases(&args.databases).await?;
    databases.say_left_out();
    for database in &databases.all {
        all.push(assess(&facts(&look, database, &held).await));
    }
    match args.output {
        Output::Table => print!("{}", table::text(&all, Timestamp::now(), Paint::for_stdout())),
        Output::Json => println!("{:#}", json!({"databases": all, "total": total(&all)})),
    }
    Ok(code(&all))
}

/// The exit code: what cannot be read is worse than what is not held.
fn code(all: &[Status]) -> u8 {
    if !all.iter().all(Status::is_readable) {
        exit::FAILED
    } else if all.iter().all(Status::is_held) {
        exit::SUCCEEDED
    } else {
        exit::PARTIAL
    }
}

async fn facts(look: &Look, database: &DatabaseId, held: &Held) -> Facts {
    let now = Timestamp::now();
    let (importance, objectives) = held.of(database);
    let (targets, mut targets_seen) = look.targets(database).await;
    let targets: Vec<Region> = targets.into_iter().map(|target| target.region).collect();
    // Copies lie where they were made, wherever the next ones go.
    let mut regions: BTreeSet<Region> = targets.iter().cloned().collect();
    match look.noted().await {
        Ok(noted) => regions.extend(noted),
        Err(error) => targets_seen = targets_seen.and(Err(error)),
    }
    regions.insert(look.home.clone());
    let (mut snapshots, mut shared) = (BTreeMap::new(), BTreeMap::new());
    for region in &regions {
        let (seen, others) = look.backups(region, database).await;
        snapshots.insert(region.clone(), seen);
        shared.insert(region.clone(), others);
    }
    let (restores, validations) = measured::measured(look, database).await;
    let interval_seconds = look.schedules.as_ref().map_err(Named::clone).map(|all| {
        let naming = all.iter().filter(|schedule| schedule.names(database));
        naming.filter_map(|schedule| schedule.times.interval_seconds(now)).reduce(f64::min)
    });
    Facts {
        now,
        database: database.clone(),
        home: look.home.clone(),
        importance,
        objectives,
        targets,
        targets_seen,
        interval_seconds,
        encrypted: look.source(database).await.map(|live| live.map(|live| live.instance.encrypted)),
        window: look
            .rds
            .restore_windows(&look.home, database)
            .await
            .map(|windows| windows.into_iter().next()),
        snapshots,
        shared,
        minimum: look.deployment.pruning.1.minimum,
        restores,
        validations,
    }
}
