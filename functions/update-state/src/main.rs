//! Wires `update-state`.

use holdfast_aws::config::{Aws, optional, required};
use holdfast_aws::dynamodb::StateTable;
use holdfast_aws::s3::Bucket;
use holdfast_aws::sfn::StepFunctions;
use holdfast_core::ids::Region;
use holdfast_core::request::{Defaults, TargetRegion};
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use update_state::{Ports, handle};

struct Wired {
    store: StateTable,
    documents: Bucket,
    executions: StepFunctions,
    defaults: Defaults,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        store: StateTable::new(aws, required("DR_STATE_TABLE_NAME")?),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        executions: StepFunctions::new(aws),
        defaults: Defaults { region: aws.region().clone(), target_regions: default_targets()? },
    })
}

/// `DR_TARGET_REGIONS` (comma-separated) with `DR_KMS_KEY_ID` in each of them.
fn default_targets() -> Result<Vec<TargetRegion>> {
    let key = optional("DR_KMS_KEY_ID").unwrap_or_else(|| "alias/holdfast".to_owned());
    optional("DR_TARGET_REGIONS")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|region| !region.is_empty())
        .map(|region| {
            let region = Region::parse(region).map_err(|error| {
                Error::new(ErrorKind::Configuration, format!("DR_TARGET_REGIONS: {}", error.message))
            })?;
            Ok(TargetRegion { region, kms_key_id: key.clone() })
        })
        .collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("update-state", wire, async |wired: &Wired, input| {
        let ports = Ports {
            store: &wired.store,
            documents: &wired.documents,
            executions: &wired.executions,
            defaults: &wired.defaults,
            bucket: wired.documents.name(),
            now: Timestamp::now(),
        };
        handle(&ports, input).await
    })
    .await
}
