//! Wires `prune-backups`.

use holdfast_aws::config::{Aws, optional, required};
use holdfast_aws::dynamodb::StateTable;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::ids::Region;
use holdfast_core::retention::{Action, Policy};
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use prune_backups::{Input, Ports, Settings, handle};

struct Wired {
    rds: RdsApi,
    store: StateTable,
    documents: Bucket,
    settings: Settings,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        rds: RdsApi::new(aws),
        store: StateTable::new(aws, required("DR_STATE_TABLE_NAME")?),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        settings: Settings { regions: regions(aws.region())?, policy: policy()?, daily: daily()? },
    })
}

fn wrong(name: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Configuration, format!("{name}: {why}"))
}

/// The home Region and `DR_TARGET_REGIONS` (comma-separated).
fn regions(home: &Region) -> Result<Vec<Region>> {
    let targets = optional("DR_TARGET_REGIONS").unwrap_or_default();
    let targets = targets.split(',').map(str::trim).filter(|region| !region.is_empty());
    let mut regions = vec![home.clone()];
    for target in targets {
        let region = Region::parse(target).map_err(|error| wrong("DR_TARGET_REGIONS", error.message))?;
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    Ok(regions)
}

fn policy() -> Result<Policy> {
    let number = |name: &str| required(name)?.parse().map_err(|error| wrong(name, error));
    Policy {
        daily: number("HOLDFAST_KEEP_DAILY")?,
        weekly: number("HOLDFAST_KEEP_WEEKLY")?,
        monthly: number("HOLDFAST_KEEP_MONTHLY")?,
        yearly: number("HOLDFAST_KEEP_YEARLY")?,
        minimum: number("HOLDFAST_KEEP_AT_LEAST")?,
        inspection_days: number("HOLDFAST_INSPECTION_DAYS")?,
    }
    .checked()
    .map_err(|error| wrong("HOLDFAST_KEEP_...", error.message))
}

fn daily() -> Result<Action> {
    match required("HOLDFAST_PRUNE")?.as_str() {
        "plan" => Ok(Action::Plan),
        "delete" => Ok(Action::Delete),
        other => Err(wrong("HOLDFAST_PRUNE", format!("{other:?} is not plan or delete"))),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("prune-backups", wire, async |wired: &Wired, input: Input| {
        let ports = Ports {
            rds: &wired.rds,
            store: &wired.store,
            documents: &wired.documents,
            settings: &wired.settings,
            now: Timestamp::now(),
        };
        handle(&ports, input).await
    })
    .await
}
