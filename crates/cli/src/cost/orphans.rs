//! `holdfast cost orphans`: what costs and nobody needs, in every Region of the deployment.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use holdfast_core::cost::{Facts, Found, InstanceSeen, Record, RegionSeen, Unseen, find, operations};
use holdfast_core::health::NamedCause;
use holdfast_core::ids::{OperationId, Region};
use holdfast_core::ports::{Rds, Restores};
use holdfast_core::rds::Instance;
use holdfast_core::retention::Policies;
use holdfast_core::{Error as Named, ErrorKind, Result as Looked, tags};
use jiff::Timestamp;
use serde_json::json;

use super::{orphans_table, prices};
use crate::backup::{Output, describe};
use crate::deployed::Table;
use crate::doctor::Where;
use crate::look::Look;
use crate::ops::list;
use crate::paint::Paint;
use crate::{Error, exit};

/// List what costs and nobody needs: temporary instances, what swaps kept, snapshots that no rule keeps.
///
/// It only reads, in every Region of the deployment, and deletes nothing. What could not be looked at is named as well.
#[derive(Debug, Args)]
pub struct OrphansArgs {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    prices: prices::Which,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when the prices are refused or no Region is configured.
pub async fn run(args: OrphansArgs, table: Table) -> Result<u8, Error> {
    let prices = args.prices.load()?;
    let named = args.at.prune_function.clone();
    let look = Look::begin(args.at.state_machine_arn, args.at.prune_function, table.name().await?).await?;
    let (facts, unseen) = facts(&look, named.as_deref()).await;
    let mut found = find(&facts, &prices);
    found.unseen.extend(unseen);
    match args.output {
        Output::Table => print!("{}", orphans_table::text(&found, &prices, Paint::for_stdout())),
        Output::Json => println!(
            "{:#}",
            json!({"orphans": found.orphans, "unseen": found.unseen, "regions": facts.regions.keys().collect::<Vec<_>>(),
                   "prices": {"file": prices.file, "asOf": prices.as_of, "currency": prices.currency}})
        ),
    }
    let home = facts.regions.get(&facts.home);
    let is_seen = home.is_some_and(|seen| seen.instances.is_ok() || seen.snapshots.is_ok());
    Ok(code(&found, is_seen))
}

/// The exit code: what is not known is never nothing.
fn code(found: &Found, is_home_seen: bool) -> u8 {
    if !is_home_seen {
        exit::FAILED
    } else if found.orphans.is_empty() && found.unseen.is_empty() {
        exit::SUCCEEDED
    } else {
        exit::PARTIAL
    }
}

/// Looks at everything, and what could not be looked at besides.
async fn facts(look: &Look, prune_function: Option<&str>) -> (Facts, Vec<Unseen>) {
    let now = Timestamp::now();
    let policies = policies(look, prune_function).await;
    let (all, unseen) = regions(look).await;
    let mut regions = BTreeMap::new();
    for region in all {
        let instances = instances(look, &region).await;
        let snapshots = look.rds.manual_snapshots(&region).await;
        regions.insert(region, RegionSeen { instances, snapshots });
    }
    let busy = match list::of_all(&look.cloud, true).await {
        Ok(rows) => Ok(rows.iter().filter_map(|row| row["databaseId"].as_str()).map(str::to_owned).collect()),
        Err(error) => Err(unknown(&error)),
    };
    let mut records = BTreeMap::new();
    for id in operations(&regions, &policies, now) {
        let record = record(look, &id).await;
        records.insert(id, record);
    }
    let pruning = look.deployment.pruning.0;
    (Facts { now, home: look.home.clone(), regions, records, busy, policies, pruning }, unseen)
}

fn unknown(error: &Error) -> Named {
    Named::new(ErrorKind::OutcomeUnknown, error.to_string())
}

/// What the record of an operation says.
async fn record(look: &Look, id: &OperationId) -> Looked<Record> {
    let item = list::item(&look.cloud, id.as_str()).await.map_err(|error| unknown(&error))?;
    Ok(match item {
        None => Record::Missing,
        Some(item) if describe::has_ended(item["status"].as_str().unwrap_or_default()) => Record::Ended,
        Some(_) => Record::Running,
    })
}

/// What retention keeps: the deployed rules, and those of the protection plan. Not known unless the function that prunes
/// can be read: the rules that hold by themselves may not be the deployed ones.
async fn policies(look: &Look, prune_function: Option<&str>) -> Looked<Policies> {
    let Some(name) = prune_function else {
        let why = "HOLDFAST_PRUNE_FUNCTION is not set: what retention keeps is not known";
        return Err(Named::new(ErrorKind::Configuration, why));
    };
    let asked = look.cloud.lambda.get_function_configuration().function_name(name).send().await;
    asked.map_err(|error| {
        holdfast_aws::classify::classify(&format!("GetFunctionConfiguration {name}"), &error)
    })?;
    let policy = look.deployment.pruning.1;
    Ok(match look.plan().await? {
        Some(plan) => plan.policies(policy)?,
        None => Policies::from(policy),
    })
}

/// The home Region, wherever the deployment, the plan, a schedule or a newest backup has copies go, and wherever copies went.
async fn regions(look: &Look) -> (BTreeSet<Region>, Vec<Unseen>) {
    let mut all = BTreeSet::from([look.home.clone()]);
    let mut unseen = Vec::new();
    let mut miss = |what: &str, error: NamedCause| {
        unseen.push(Unseen { region: look.home.clone(), what: what.to_owned(), error });
    };
    match &look.deployment.defaults {
        Ok(defaults) => all.extend(defaults.target_regions.iter().map(|target| target.region.clone())),
        Err(error) => miss("the target Regions of the deployment", error.into()),
    }
    match look.plan().await {
        Ok(plan) => all.extend(plan.iter().flat_map(|plan| plan.regions().cloned())),
        Err(error) => miss("the target Regions of the protection plan", (&error).into()),
    }
    match look.noted().await {
        Ok(noted) => all.extend(noted),
        Err(error) => miss("the Regions that copies were made in", (&error).into()),
    }
    if let Err(error) = &look.schedules {
        miss("schedules", error.into());
    }
    match look.databases(&[]).await {
        Ok(databases) => {
            for database in databases.all {
                let (targets, seen) = look.targets(&database).await;
                all.extend(targets.into_iter().map(|target| target.region));
                if let Err(error) = seen {
                    miss(&format!("the target Regions of {database}"), (&error).into());
                }
            }
        }
        // There is no database: no Region of one either.
        Err(Error::Usage(_)) => {}
        Err(error) => miss("the databases that have operations", (&unknown(&error)).into()),
    }
    (all, unseen)
}

/// The instances of a Region; what costs of them is asked of those alone that may be listed.
async fn instances(look: &Look, region: &Region) -> Looked<Vec<InstanceSeen>> {
    let mut all = Vec::new();
    for instance in look.rds.instances(region).await? {
        let (mut allocated_gib, mut multi_az) = (None, None);
        if may_be_listed(&instance)
            && let Ok(Some(blueprint)) = look.rds.blueprint(region, &instance.id).await
        {
            allocated_gib = Some(blueprint.allocated_gib).filter(|size| *size > 0);
            multi_az = Some(blueprint.multi_az);
        }
        all.push(InstanceSeen { instance, allocated_gib, multi_az });
    }
    Ok(all)
}

/// Whether its name or a tag is such as the decision looks at; more may be asked about than is listed, never less.
fn may_be_listed(instance: &Instance) -> bool {
    let id = &instance.id;
    let named = id.starts_with("hfv-") || id.contains("-old-") || id.contains("-new-");
    named || instance.tags.contains_key(tags::TEMPORARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_found_is_only_said_when_everything_was_looked_at() {
        let nothing = Found::default();
        assert_eq!((code(&nothing, true), code(&nothing, false)), (0, 1));
        let error = NamedCause { name: "AccessDenied".into(), cause: "no".into() };
        let region = Region::parse("us-west-2").unwrap();
        let blind =
            Found { unseen: vec![Unseen { region, what: "instances".into(), error }], orphans: vec![] };
        assert_eq!(code(&blind, true), 3);
    }
}
