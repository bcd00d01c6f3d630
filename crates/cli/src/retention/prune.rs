//! `holdfast prune`: shows which backups no rule keeps any more, and deletes them when that is asked for.

use std::collections::BTreeMap;

use clap::Args;
use holdfast_core::retention::{DeletionResult, Fate, Plan};
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

    /// What is asked of the function: the plan, or the deletion of what `agreed` showed.
    fn input(&self, agreed: Option<&Plan>) -> Value {
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
        let action = if agreed.is_some() { "delete" } else { "plan" };
        let mut input = json!({"action": action, "databases": self.databases, "regions": self.at.regions, "policy": policy});
        if let Some(agreed) = agreed {
            input["agreed"] = json!(doomed(agreed));
        }
        input
    }
}

/// The backups that a plan shows as going, by Region: what somebody agrees to, and nothing else.
fn doomed(plan: &Plan) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in plan.backups.iter().filter(|entry| entry.fate == Fate::Delete) {
        all.entry(entry.region.as_str()).or_default().push(&entry.snapshot_id);
    }
    all
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when nothing was asked of the function or it refused the input; `Aws` when it could not be asked.
pub async fn run(args: Prune, table: String) -> Result<u8, Error> {
    let asks = args.delete && !args.yes;
    ask::possible(!asks, "--delete")?;
    let cloud = Cloud::from_env(table).await;
    let plan = super::ask(&cloud, &args.at.function, &args.input(None)).await?;
    let count: usize = doomed(&plan).values().map(Vec::len).sum();
    let deletes = args.delete && count > 0;
    match args.output {
        Output::Table => print!("{}", table::plan(&plan, &args.asked(), Paint::for_stdout())),
        Output::Json if !deletes => println!("{:#}", json!(plan)),
        // Nobody agrees to what he has not seen; standard output is for the program that reads it.
        Output::Json if asks => eprint!("{}", table::plan(&plan, &args.asked(), Paint::PLAIN)),
        Output::Json => {}
    }
    if !deletes {
        return Ok(code(&plan));
    }
    let question = format!("Delete {count} backups? Deleted backups cannot be had back.");
    if asks && !ask::agreed(&question).await? {
        eprintln!("Nothing was deleted.");
        return Ok(exit::FAILED);
    }
    let done = super::ask(&cloud, &args.at.function, &args.input(Some(&plan))).await?;
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        prune: Prune,
    }

    #[test]
    fn what_is_asked_to_be_deleted_is_what_was_shown() {
        let entry = |id: &str, region: &str, fate: &str| {
            json!({"region": region, "databaseId": "prod-db", "snapshotId": id, "takenAt": null, "verdict": "VALID",
                   "tier": "daily", "ours": true, "fate": fate, "reasons": []})
        };
        let shown: Plan = serde_json::from_value(json!({
            "plannedAt": "2026-11-20T12:00:00Z", "action": "plan", "quotas": [], "documentKey": "k",
            "policy": {"daily": 7, "weekly": 4, "monthly": 12, "yearly": 7, "minimum": 3, "inspectionDays": 7},
            "totals": {"keep": 1, "delete": 9, "notOurs": 0}, "omitted": 6,
            "backups": [entry("a", "us-east-1", "DELETE"), entry("b", "us-east-1", "KEEP"),
                        entry("c", "us-west-2", "DELETE"), entry("d", "us-east-1", "DELETE")],
        }))
        .unwrap();
        let typed =
            Typed::parse_from(["prune", "prod-db", "--function", "f", "--keep-daily", "3", "--delete"]).prune;
        assert_eq!(
            typed.input(Some(&shown)),
            json!({"action": "delete", "databases": ["prod-db"], "regions": [], "policy": {"daily": 3},
                   "agreed": {"us-east-1": ["a", "d"], "us-west-2": ["c"]}})
        );
        let plan = typed.input(None);
        assert!(plan["action"] == "plan" && plan.get("agreed").is_none(), "{plan}");
    }
}
