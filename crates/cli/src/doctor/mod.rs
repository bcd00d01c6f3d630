//! `holdfast doctor`: walks the whole path, changes nothing, and says what would fail on the day.

mod table;

use clap::Args;
use holdfast_core::doctor::{Diagnosis, Facts, ScheduleFacts, examine};
use holdfast_core::ids::{DatabaseId, Region};
use jiff::Timestamp;
use serde_json::json;

use crate::backup::Output;
use crate::look::Look;
use crate::look::regions::Asked;
use crate::look::roles::Workflows;
use crate::paint::Paint;
use crate::{Error, exit};

/// Look at everything that a backup, its copies and a restore go through, and say what would fail on the day.
///
/// It only reads. What could not be looked at is named as well: unknown is not success.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Only these databases. Without: every one that has operations or that a schedule names.
    #[arg(value_name = "DATABASE")]
    databases: Vec<String>,
    /// Only this Region; repeat for more. Default: the home Region and each target Region.
    #[arg(long = "region", value_name = "REGION", value_parser = crate::arguments::region)]
    regions: Vec<String>,
    #[command(flatten)]
    at: Where,
    /// The state machine that restores (Output RestoreStateMachineArn); without it, restores are not looked at, and that is said.
    #[arg(long, env = "HOLDFAST_RESTORE_STATE_MACHINE_ARN", value_name = "ARN")]
    restore_state_machine_arn: Option<String>,
    /// The state machine that copies to further Regions (Output ReplicationStateMachineArn); without it likewise.
    #[arg(long, env = "HOLDFAST_REPLICATION_STATE_MACHINE_ARN", value_name = "ARN")]
    replication_state_machine_arn: Option<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// What is deployed where.
#[derive(Debug, Args)]
pub struct Where {
    /// The state machine that makes backups (Output BackupStateMachineArn of the stack).
    #[arg(long, env = "HOLDFAST_BACKUP_STATE_MACHINE_ARN", value_name = "ARN")]
    pub state_machine_arn: String,
    /// The function that prunes (Output PruneFunctionName); without it, quotas are looked ahead at as if nothing were
    /// deleted.
    #[arg(long, env = "HOLDFAST_PRUNE_FUNCTION", value_name = "NAME")]
    pub prune_function: Option<String>,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when what was asked for does not make sense; `Aws` when the state table cannot be read.
pub async fn run(args: Doctor, table: String) -> Result<u8, Error> {
    let regions = args.regions.iter().map(|region| Region::parse(region)).collect::<Result<Vec<_>, _>>();
    let regions = regions.map_err(|error| Error::Usage(error.message))?;
    let look = Look::begin(args.at.state_machine_arn, args.at.prune_function, table).await?;
    let (restore, replication) = (&args.restore_state_machine_arn, &args.replication_state_machine_arn);
    let workflows = look.workflows(restore.as_deref(), replication.as_deref()).await;
    let mut found = Vec::new();
    let databases = look.databases(&args.databases).await?;
    databases.say_left_out();
    for database in &databases.all {
        found.push(examine(&facts(&look, database, &regions, &workflows).await));
    }
    match args.output {
        Output::Table => print!("{}", table::text(&found, Paint::for_stdout())),
        Output::Json => println!("{:#}", json!({"databases": found})),
    }
    Ok(exit::of_severity(found.iter().filter_map(Diagnosis::worst).min()))
}

/// Looks at one database, in the Regions that are asked for: in all when there are none.
async fn facts(look: &Look, database: &DatabaseId, only: &[Region], workflows: &Workflows) -> Facts {
    let now = Timestamp::now();
    let source = look.source(database).await;
    let (wanted_targets, targets_seen) = look.targets(database).await;
    let asked = Asked {
        database,
        live: source.as_ref().ok().and_then(Option::as_ref),
        targets: &wanted_targets,
        now,
    };
    let mut regions = std::collections::BTreeMap::new();
    let all = std::iter::once(&look.home).chain(wanted_targets.iter().map(|target| &target.region));
    for region in all.filter(|region| only.is_empty() || only.contains(region)) {
        regions.insert(region.clone(), look.region(region, &asked).await);
    }
    let targets: Vec<Region> = wanted_targets.iter().map(|target| target.region.clone()).collect();
    let roles = look.roles(database, &targets, workflows, now).await;
    let schedules = look.schedules.as_ref().map_err(holdfast_core::Error::clone).map(|all| {
        let of_it = all.iter().filter(|schedule| schedule.names(database));
        let facts = |schedule: &crate::look::schedules::Schedule| ScheduleFacts {
            name: schedule.name.clone(),
            times: schedule.times.clone(),
            target_arn: schedule.target_arn.clone(),
            input_problem: match &look.deployment.defaults {
                Ok(defaults) => schedule.request(defaults).err().map(|error| error.message),
                // That the settings cannot be read is said of the function that has them.
                Err(_) => None,
            },
        };
        of_it.map(facts).collect()
    });
    Facts {
        now,
        database: database.clone(),
        home: look.home.clone(),
        source,
        backup_machine: look.deployment.machine.clone(),
        machines: workflows.facts(),
        roles,
        schedules,
        operations: look.open_operations(database).await,
        regions,
        wanted_targets,
        targets_seen,
    }
}
