//! `holdfast restore`: shows what would come back, asks, brings it back and follows it.

mod input;
pub mod pitr;
pub mod render;
pub mod summary;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use holdfast_core::ids::OperationId;
use serde_json::Value;

use crate::backup::Output;
use crate::backup::create::{self, Outcome};
use crate::cloud::Cloud;
use crate::deployed::Table;
use crate::paint::Paint;
use crate::render::{Around, summary as shown};
use crate::request::parse_tag;
use crate::screen::Screen;
use crate::summary::{Status, Summary};
use crate::{Error, arguments, ask, exit};
use summary::RecoveryPoint;

/// Bring a database back: from its newest proven backup, a snapshot, or as it was at a time.
///
/// Without --yes it first finds the recovery point and everything that the database will need, shows both, and asks.
/// Nothing that is there is ever overwritten or deleted.
#[derive(Debug, Args)]
pub struct Restore {
    /// Whose backups are looked at; the database itself may be gone.
    #[arg(value_parser = arguments::database)]
    pub(crate) database: String,
    /// Take this snapshot, whatever is known of it.
    #[arg(long, value_name = "ID", group = "point")]
    pub(crate) snapshot: Option<String>,
    /// Take the newest proven backup of data from this time or before, such as 2026-11-20T06:00:00Z.
    #[arg(long, value_name = "TIME", group = "point", value_parser = arguments::time)]
    pub(crate) at: Option<String>,
    /// Bring back what was there at this time, from the automated backups and the log.
    #[arg(long, value_name = "TIME", group = "point", value_parser = arguments::time)]
    pub(crate) restore_time: Option<String>,
    /// Bring back the latest that the log has.
    #[arg(long, group = "point")]
    pub(crate) latest: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

/// What is made of the recovery point, and how that is watched.
#[derive(Debug, Args)]
pub struct How {
    /// Identifier of the instance that is made. Default: the database's own, when it is free.
    #[arg(long, value_name = "ID", value_parser = arguments::database)]
    target: Option<String>,
    /// The Region of the backup and of the new instance. Default: the one Holdfast runs in.
    #[arg(long, value_name = "REGION", value_parser = arguments::region)]
    pub(crate) region: Option<String>,
    /// Instance class; repeat for others to try when it has no capacity. Default: as it was.
    #[arg(long = "class", value_name = "CLASS", value_parser = arguments::class)]
    classes: Vec<String>,
    /// DB subnet group. Default, like the next ones: as it was.
    #[arg(long, value_name = "NAME")]
    subnet_group: Option<String>,
    /// VPC security group; repeat for more.
    #[arg(long = "security-group", value_name = "ID")]
    security_groups: Vec<String>,
    /// DB parameter group.
    #[arg(long, value_name = "NAME")]
    parameter_group: Option<String>,
    /// Option group.
    #[arg(long, value_name = "NAME")]
    option_group: Option<String>,
    /// Whether it has a standby in another zone.
    #[arg(long, value_name = "true|false")]
    multi_az: Option<bool>,
    /// Without Performance Insights: their key belongs to one Region.
    #[arg(long)]
    no_performance_insights: bool,
    /// Without Enhanced Monitoring, which needs its role.
    #[arg(long)]
    no_monitoring: bool,
    /// Tag it; repeat for more.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,
    /// Restore beside the database, prove it, then give it the database's place: the old one is renamed and kept.
    #[arg(long, conflicts_with = "target")]
    swap: bool,
    /// With --swap: stop the old instance once the new one has proven itself.
    #[arg(long, requires = "swap")]
    stop_old: bool,
    /// With --swap: point this CNAME at the new one.
    #[arg(long, requires = "swap", value_name = "ZONE/NAME", value_parser = parse_record)]
    record: Option<(String, String)>,
    /// With --swap: set host and port in this secret.
    #[arg(long, requires = "swap", value_name = "ARN")]
    swap_secret: Option<String>,
    /// With --swap: this address must answer 200 afterwards, or all is undone; repeat for more.
    #[arg(long = "smoke-url", requires = "swap", value_name = "URL")]
    smoke_urls: Vec<String>,
    /// Log in with this secret to prove what came back. Default: as its backup did.
    #[arg(long, value_name = "ARN", group = "login")]
    login_secret: Option<String>,
    /// Log in as this user, by IAM authentication.
    #[arg(long, value_name = "USER", group = "login")]
    login_user: Option<String>,
    /// Do not look at what came back.
    #[arg(long)]
    no_validation: bool,
    /// What else to ask for, as JSON (docs/restore.md); flags win over it.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The run: the same database and run are the same restore. Default: now.
    #[arg(long, value_parser = arguments::run_id)]
    run_id: Option<String>,
    /// Give up after this many minutes.
    #[arg(long, value_name = "MINUTES", value_parser = arguments::minutes)]
    deadline_minutes: Option<u32>,
    /// Only find the recovery point and everything the database needs; make nothing.
    #[arg(long)]
    verify_only: bool,
    /// Do not show the plan first and do not ask.
    #[arg(long)]
    yes: bool,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// The workflow (Output RestoreStateMachineArn of the stack).
    #[arg(long, env = "HOLDFAST_RESTORE_STATE_MACHINE_ARN", value_name = "ARN")]
    state_machine_arn: String,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` before anything was started; `Aws` when AWS could not be asked.
pub async fn run(args: Restore, table: Table) -> Result<u8, Error> {
    let asks = !args.how.yes && !args.how.verify_only;
    ask::possible(!asks, "a restore")?;
    let mut input = input::build(&args, &create::now())?;
    let cloud = Cloud::from_env(table.name().await?).await;
    if asks {
        match planned(&args, &cloud, &input).await? {
            Planned::Agreed(point) => input = input::of_point(input, &point),
            Planned::Left(code) => {
                eprintln!("Nothing was made.");
                return Ok(code);
            }
        }
    }
    let execution = create::start(&cloud.sfn, &args.how.state_machine_arn, &input).await?;
    let operation = create::operation(OperationId::of_restore, &args.how.state_machine_arn, &input);
    if args.how.no_wait {
        return Ok(create::started(&execution, operation.as_ref(), &input, args.how.output));
    }
    let screen = Screen::beside(args.how.output);
    let outcome = create::follow(&cloud, &execution, screen).await.of(operation.as_ref());
    Ok(create::report(&outcome, "restore", &execution, &cloud.table, args.how.output))
}

/// `Z0123456789ABCDEFGHIJ/db.example.com`.
fn parse_record(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((zone, name)) if !zone.is_empty() && !name.is_empty() => Ok((zone.to_owned(), name.to_owned())),
        _ => {
            Err("name the hosted zone and the record, such as Z0123456789ABCDEFGHIJ/db.example.com"
                .to_owned())
        }
    }
}

/// What came of a plan that was shown.
enum Planned {
    /// It is to be so, from this.
    Agreed(RecoveryPoint),
    /// It ends with this exit code.
    Left(u8),
}

/// Has the restore planned, shows the plan, and asks. A plan that cannot be made is shown with the reason.
async fn planned(args: &Restore, cloud: &Cloud, input: &Value) -> Result<Planned, Error> {
    let planned = input::only_verified(input);
    let execution = create::start(&cloud.sfn, &args.how.state_machine_arn, &planned).await?;
    let operation = create::operation(OperationId::of_restore, &args.how.state_machine_arn, &planned);
    let outcome = create::follow(cloud, &execution, Screen::for_stderr()).await.of(operation.as_ref());
    if let Outcome::Detached { execution, why, .. } = &outcome {
        eprintln!("\n{}", only_planned(execution, why.as_ref()));
        return Ok(Planned::Left(exit::DETACHED));
    }
    // A plan alone is not refused a name that is taken; what it is the plan of would be.
    let is_free = |summary: &Summary| summary.plan.as_ref().is_some_and(|plan| plan.name_taken.is_none());
    let good = matches!(&outcome, Outcome::Ended { summary, .. } if summary.status == Status::Succeeded && is_free(summary));
    let output = args.how.output;
    let read_here = output == Output::Table && std::io::stdout().is_terminal();
    if let (Outcome::Ended { summary, transitions, .. }, false) = (&outcome, read_here) {
        // Who is asked reads what it is about, wherever the outcome goes.
        let around = Around { state_transitions: Some(*transitions), table: cloud.table.clone() };
        eprint!("\n{}", shown(summary, &around, Paint::for_stderr()));
    }
    if read_here || (!good && output == Output::Json) || matches!(outcome, Outcome::NoSummary { .. }) {
        create::report(&outcome, "restore", &execution, &cloud.table, output);
    }
    if !good || !ask::agreed("Bring it back like this?").await? {
        return Ok(Planned::Left(exit::FAILED));
    }
    Ok(match outcome {
        Outcome::Ended { summary, .. } => {
            Planned::Agreed(summary.plan.map(|plan| plan.recovery_point).unwrap_or_default())
        }
        Outcome::NoSummary { .. } | Outcome::Detached { .. } => Planned::Left(exit::FAILED),
    })
}

/// That nobody follows the plan any more: what makes it makes nothing else.
fn only_planned(execution: &str, why: Option<&Error>) -> String {
    let detached = match why {
        None => "Detached.".to_owned(),
        Some(why) => format!("Detached, for AWS does not answer: {why}"),
    };
    format!(
        "{detached}\nOnly the plan was being made: its execution ends by itself, and nothing is brought back.\nExecution: {execution}"
    )
}

#[cfg(test)]
mod tests {
    use super::only_planned;

    #[test]
    fn who_leaves_while_it_is_planned_is_not_told_that_a_restore_goes_on() {
        let said = only_planned("arn:x", None);
        assert!(said.contains("nothing is brought back") && said.ends_with("Execution: arn:x"), "{said}");
        assert!(!said.contains("the restore goes on"), "{said}");
    }
}
