//! Wires `prune-backups`.

use std::time::Instant;

use holdfast_aws::config::{Aws, optional, required};
use holdfast_aws::dynamodb::StateTable;
use holdfast_aws::guard::Guard;
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
    guard: Guard,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        rds: RdsApi::new(aws),
        store: StateTable::new(aws, required("DR_STATE_TABLE_NAME")?),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        settings: Settings { regions: regions(aws.region())?, policy: policy(required)?, daily: daily()? },
        guard: aws.guard(),
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

/// The rules, by what the environment says.
fn policy(said: impl Fn(&str) -> Result<String>) -> Result<Policy> {
    let number = |name: &str| said(name)?.parse().map_err(|error| wrong(name, error));
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
            ends: wired.guard.left().map(|left| Instant::now() + left),
        };
        handle(&ports, input).await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two that are swapped would be seen by nobody until backups are gone.
    #[test]
    fn each_number_is_the_one_that_its_setting_says() {
        let settings = [
            ("HOLDFAST_KEEP_DAILY", "KeepDaily"),
            ("HOLDFAST_KEEP_WEEKLY", "KeepWeekly"),
            ("HOLDFAST_KEEP_MONTHLY", "KeepMonthly"),
            ("HOLDFAST_KEEP_YEARLY", "KeepYearly"),
            ("HOLDFAST_KEEP_AT_LEAST", "KeepAtLeast"),
            ("HOLDFAST_INSPECTION_DAYS", "InspectionDays"),
        ];
        let place = |name: &str| settings.iter().position(|(setting, _)| *setting == name);
        let read = policy(|name| {
            place(name).map(|n| (n + 1).to_string()).ok_or_else(|| wrong(name, "nobody sets it"))
        });
        let wanted = Policy { daily: 1, weekly: 2, monthly: 3, yearly: 4, minimum: 5, inspection_days: 6 };
        assert_eq!(read.map_err(|error| error.message), Ok(wanted));
        // AND the template gives each the parameter of its name.
        let template = include_str!("../../../template.yaml");
        for (setting, parameter) in settings {
            let line = format!("{setting}: !Ref {parameter}\n");
            assert_eq!(template.matches(&line).count(), 1, "{line}");
        }
    }
}
