//! `holdfast cost`: what a plan will cost a month, what it did cost, and what costs and nobody needs.

pub mod orphans;
mod orphans_table;
pub mod plan;
mod plan_ask;
mod plan_table;
mod prices;
pub mod prices_ask;
pub mod report;
mod report_table;

use clap::Subcommand;

use crate::deployed::Table;
use crate::{Error, exit};

/// What can be asked about money.
#[derive(Debug, Subcommand)]
pub enum Cost {
    /// Estimate what a protection plan costs a month, part by part, by list prices.
    #[command(after_help = exit::COST_PLAN_HELP)]
    Plan(plan::PlanArgs),
    /// Show what protection did cost, by database, as Cost Explorer says.
    #[command(after_help = exit::COST_REPORT_HELP)]
    Report(report::ReportArgs),
    /// List what costs and nobody needs: temporary instances, what swaps kept, snapshots that no rule keeps.
    #[command(after_help = exit::COST_ORPHANS_HELP)]
    Orphans(orphans::OrphansArgs),
    /// Print the table of list prices, or ask AWS for today's: keep it in a file, and name that with --prices.
    #[command(after_help = exit::COST_PRICES_HELP)]
    Prices(prices_ask::PricesArgs),
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when what was asked for does not make sense; `Aws` when AWS could not be asked.
pub async fn run(verb: Cost, table: Table) -> Result<u8, Error> {
    match verb {
        Cost::Plan(args) => plan::run(&args, table).await,
        Cost::Report(args) => report::run(&args).await,
        Cost::Orphans(args) => orphans::run(args, table).await,
        Cost::Prices(args) => prices_ask::run(&args).await,
    }
}
