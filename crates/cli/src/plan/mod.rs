//! `holdfast plan`: what is backed up when, and how, by one file.

mod account;
mod apply;
mod aws;
mod diff;
mod kept;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use holdfast_core::ids::Region;
use holdfast_core::retention::Policy;
use holdfast_protection::{Changes, Fault, PlanFile, Wanted, Wiring, read, wanted};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::backup::Output;
use crate::paint::Paint;
use crate::{Error, ask, cloud, exit};
use account::{Account, Stored};
use aws::Aws;

/// What can be done with a protection plan.
#[derive(Debug, Subcommand)]
pub enum Plan {
    /// Show what a file means: every default filled in, and when each backup comes. Asks AWS nothing.
    #[command(after_help = exit::PLAN_HELP)]
    Show(Show),
    /// Show what applying a file would change; changes nothing.
    #[command(after_help = exit::PLAN_HELP)]
    Diff(Diff),
    /// Show what would change, ask, and change it: schedules and stored settings.
    #[command(after_help = exit::PLAN_HELP)]
    Apply(Apply),
    /// Print the JSON Schema of the file, for editors.
    Schema,
}

/// Which file, and how to answer.
#[derive(Debug, Args)]
pub struct Show {
    /// The plan.
    #[arg(default_value = "holdfast.yaml")]
    file: PathBuf,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Which file, and against what.
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    of: Show,
    #[command(flatten)]
    at: Where,
}

/// Which file, and where to.
#[derive(Debug, Args)]
pub struct Apply {
    #[command(flatten)]
    of: Show,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Put this plan in the place of the one that is applied and has this other name: every schedule of that one goes.
    #[arg(long, value_name = "NAME")]
    replace: Option<String>,
    #[command(flatten)]
    at: Where,
}

/// Where a plan is applied: outputs of the stack.
#[derive(Debug, Args)]
struct Where {
    /// The group of the plan's schedules, and of nobody else's (Output ScheduleGroupName).
    #[arg(long, env = "HOLDFAST_SCHEDULE_GROUP", value_name = "NAME", default_value = "holdfast")]
    group: String,
    /// The role that schedules start backups with (Output ScheduleRoleArn).
    #[arg(long, env = "HOLDFAST_SCHEDULE_ROLE_ARN", value_name = "ARN")]
    role_arn: String,
    /// The queue of starts that could not be delivered (Output ScheduleDeadLettersArn).
    #[arg(long, env = "HOLDFAST_SCHEDULE_DEAD_LETTERS_ARN", value_name = "ARN")]
    dead_letters_arn: String,
    /// The backup workflow (Output BackupStateMachineArn).
    #[arg(long, env = "HOLDFAST_BACKUP_STATE_MACHINE_ARN", value_name = "ARN")]
    state_machine_arn: String,
    /// The bucket of the stored settings (Output MetadataBucketName).
    #[arg(long, env = "DR_METADATA_BUCKET", value_name = "NAME")]
    bucket: String,
    /// The function whose numbers hold where the plan says none (Output PruneFunctionName): they are shown when it is named.
    #[arg(long, env = "HOLDFAST_PRUNE_FUNCTION", value_name = "NAME")]
    prune_function: Option<String>,
}

/// What would change, and against what that was found.
struct Compared {
    wanted: Wanted,
    stored: Option<Stored>,
    changes: Changes,
    /// How many backups are kept where the plan does not say it, where that is known.
    deployed: Option<Policy>,
}

impl Compared {
    /// The name of the plan that this one would take the place of, when that has another.
    fn other(&self) -> Option<&str> {
        let stored = self.stored.as_ref().map(|stored| stored.plan.name.as_str());
        stored.filter(|name| *name != self.wanted.settings.name)
    }

    /// Refuses to put one plan in another's place when nobody said so: whoever applies the file of another team by
    /// mistake would delete every schedule of this one.
    fn may_replace(&self, said: Option<&str>) -> Result<(), Error> {
        match (self.other(), said) {
            (Some(other), said) if said != Some(other) => Err(Error::Usage(format!(
                "the plan that is applied is {other}, and this one is {}: every schedule of {other} would go; say --replace \
                 {other} if it is to take its place",
                self.wanted.settings.name
            ))),
            (Some(_) | None, _) => Ok(()),
        }
    }
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when the file is refused, or nobody can answer; `Aws` when AWS could not be asked; `NotWritten` when somebody
/// else has applied a plan meanwhile.
pub async fn run(verb: Plan) -> Result<u8, Error> {
    match verb {
        Plan::Show(args) => show(&args),
        Plan::Diff(args) => diff(&args).await,
        Plan::Apply(args) => apply(&args).await,
        Plan::Schema => {
            print!("{}", holdfast_protection::SCHEMA);
            Ok(exit::SUCCEEDED)
        }
    }
}

fn show(args: &Show) -> Result<u8, Error> {
    // Only to say that a target is at home; without a Region that is left to `diff`.
    let home = std::env::var("AWS_REGION").ok().and_then(|region| Region::parse(&region).ok());
    let plan = load(&args.file, home.as_ref())?;
    match args.output {
        Output::Table => print!("{}", show::table(&plan, Timestamp::now(), Paint::for_stdout())),
        Output::Json => println!("{:#}", show::json(&plan, Timestamp::now())),
    }
    Ok(exit::SUCCEEDED)
}

async fn diff(args: &Diff) -> Result<u8, Error> {
    args.at.is_a_plans()?;
    let aws = Aws::new(&cloud::configuration().await, &args.at)?;
    let plan = load(&args.of.file, Some(aws.region()))?;
    let compared = compare(&aws, &plan, &args.of.file, &args.at.wiring(aws.region())).await?;
    write(&args.of.output, &compared, &args.at.group, None);
    Ok(if compared.changes.is_empty() { exit::SUCCEEDED } else { exit::PARTIAL })
}

async fn apply(args: &Apply) -> Result<u8, Error> {
    ask::possible(args.yes, "plan apply")?;
    args.at.is_a_plans()?;
    let aws = Aws::new(&cloud::configuration().await, &args.at)?;
    let plan = load(&args.of.file, Some(aws.region()))?;
    let compared = compare(&aws, &plan, &args.of.file, &args.at.wiring(aws.region())).await?;
    compared.may_replace(args.replace.as_deref())?;
    let nothing = compared.changes.is_empty();
    match args.of.output {
        Output::Json if nothing => write(&args.of.output, &compared, &args.at.group, None),
        // Nobody agrees to what he has not seen; standard output is for the program that reads it.
        Output::Json if !args.yes => eprint!("{}", diff::table(&compared, &args.at.group, Paint::PLAIN)),
        Output::Json => {}
        Output::Table => write(&args.of.output, &compared, &args.at.group, None),
    }
    if nothing {
        return Ok(exit::SUCCEEDED);
    }
    if !args.yes && !ask::agreed("Change this?").await? {
        eprintln!("Nothing was changed.");
        return Ok(exit::FAILED);
    }
    let done = apply::apply(&aws, &compared).await?;
    match args.of.output {
        Output::Table => print!("\n{}", diff::done(&done, Paint::for_stdout())),
        Output::Json => write(&args.of.output, &compared, &args.at.group, Some(&done)),
    }
    Ok(if done.is_whole() { exit::SUCCEEDED } else { exit::PARTIAL })
}

/// Reads the file, and refuses it with every fault that it has.
pub(crate) fn load(file: &Path, home: Option<&Region>) -> Result<PlanFile, Error> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?;
    read(&text, home, Timestamp::now()).map_err(|faults| refused(file, &faults))
}

fn refused(file: &Path, faults: &[Fault]) -> Error {
    let lines: String = faults.iter().map(|fault| format!("\n  {}:{fault}", file.display())).collect();
    Error::Usage(format!("the plan is refused:{lines}"))
}

impl Where {
    /// Refuses the group that every account has: what lies there is not a plan's.
    fn is_a_plans(&self) -> Result<(), Error> {
        if self.group != "default" {
            return Ok(());
        }
        let why = "schedule group default is everybody's, and what a plan does not have is deleted from its group: name the \
                   stack's with --group (Output ScheduleGroupName)";
        Err(Error::Usage(why.to_owned()))
    }

    fn wiring(&self, region: &Region) -> Wiring {
        Wiring {
            region: region.clone(),
            state_machine_arn: self.state_machine_arn.clone(),
            role_arn: self.role_arn.clone(),
            dead_letters_arn: self.dead_letters_arn.clone(),
        }
    }
}

/// Looks at what is there. The stored settings come first: what is applied after this moment is noticed by their tag.
async fn compare(
    account: &impl Account,
    plan: &PlanFile,
    file: &Path,
    wiring: &Wiring,
) -> Result<Compared, Error> {
    let stored = account.stored().await?;
    let before = stored.as_ref().map(|stored| &stored.plan);
    let wanted =
        wanted(plan, &account.instances().await?, wiring, before).map_err(|faults| refused(file, &faults))?;
    let there = account.schedules().await?;
    let changes = Changes::between(&there, before, &wanted);
    Ok(Compared { wanted, stored, changes, deployed: account.deployed().await })
}

fn write(output: &Output, compared: &Compared, group: &str, done: Option<&apply::Done>) {
    match output {
        Output::Table => print!("{}", diff::table(compared, group, Paint::for_stdout())),
        Output::Json => {
            let mut json: Value = diff::json(compared, group);
            if let Some(done) = done {
                json["applied"] = json!(done);
            }
            println!("{json:#}");
        }
    }
}

#[cfg(test)]
mod tests;
