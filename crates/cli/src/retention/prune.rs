//! `holdfast prune`: shows which backups no rule keeps any more, and deletes them when that is asked for.

use clap::Args;
use holdfast_core::retention::{DeletionResult, Plan};
use serde_json::{Map, Value, json};

use super::{Where, table};
use crate::backup::Output;
use crate::cloud::Cloud;
use crate::paint::Paint;
use crate::{Error, ask, exit};

/// Show which backups are kept and which are not, and why. Deletes nothing unless --delete is given.
#[derive(Debug, Args)]
pub struct Prune {
    /// Only these databases.
    #[arg(value_name = "DATABASE")]
    databases: Vec<String>,
    #[command(flatten)]
    at: Where,
    /// Days of which one backup is kept; like the next ones, as deployed when not given.
    #[arg(long, value_name = "DAYS")]
    keep_daily: Option<u32>,
    /// ISO weeks of which one is kept.
    #[arg(long, value_name = "WEEKS")]
    keep_weekly: Option<u32>,
    /// Months of which one is kept.
    #[arg(long, value_name = "MONTHS")]
    keep_monthly: Option<u32>,
    /// Years of which one is kept.
    #[arg(long, value_name = "YEARS")]
    keep_yearly: Option<u32>,
    /// Backups that are left in any case.
    #[arg(long, value_name = "COUNT")]
    keep_at_least: Option<u32>,
    /// Days for which a refused or unproven backup can be looked at.
    #[arg(long, value_name = "DAYS")]
    inspection_days: Option<u32>,
    /// Show the plan, ask, and delete what no rule keeps.
    #[arg(long)]
    delete: bool,
    /// Do not ask.
    #[arg(long, requires = "delete")]
    yes: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Prune {
    /// What it is about, where it is not about everything.
    fn asked(&self) -> String {
        let what =
            if self.databases.is_empty() { "Holdfast's".to_owned() } else { self.databases.join(", ") };
        self.at.of(&what)
    }

    fn input(&self, action: &str) -> Value {
        let numbers = [
            ("daily", self.keep_daily),
            ("weekly", self.keep_weekly),
            ("monthly", self.keep_monthly),
            ("yearly", self.keep_yearly),
            ("minimum", self.keep_at_least),
            ("inspectionDays", self.inspection_days),
        ];
        let policy: Map<String, Value> = numbers
            .iter()
            .filter_map(|(name, number)| Some(((*name).to_owned(), json!((*number)?))))
            .collect();
        json!({"action": action, "databases": self.databases, "regions": self.at.regions, "policy": policy})
    }
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when nothing was asked of the function or it refused the input; `Aws` when it could not be asked.
pub async fn run(args: Prune, table: String) -> Result<u8, Error> {
    let asks = args.delete && !args.yes;
    ask::possible(!asks, "--delete")?;
    let cloud = Cloud::from_env(table).await;
    let plan = super::ask(&cloud, &args.at.function, &args.input("plan")).await?;
    let deletes = args.delete && plan.totals.delete > 0;
    if matches!(args.output, Output::Table) {
        print!("{}", table::plan(&plan, &args.asked(), Paint::for_stdout()));
    } else if !deletes {
        println!("{:#}", json!(plan));
    }
    if !deletes {
        return Ok(code(&plan));
    }
    let question = format!("Delete {} backups? Deleted backups cannot be had back.", plan.totals.delete);
    if asks && !ask::agreed(&question).await? {
        eprintln!("Nothing was deleted.");
        return Ok(exit::FAILED);
    }
    let done = super::ask(&cloud, &args.at.function, &args.input("delete")).await?;
    match args.output {
        Output::Table => print!("\n{}", table::deletions(&done, Paint::for_stdout())),
        Output::Json => println!("{:#}", json!(done)),
    }
    Ok(code(&done))
}

/// The exit code: what could not be looked at or done makes it partial.
pub(super) fn code(plan: &Plan) -> u8 {
    let undone = plan.deletions.iter().any(|deletion| deletion.result == DeletionResult::NotDone);
    if plan.problems.is_empty() && !undone { exit::SUCCEEDED } else { exit::PARTIAL }
}
