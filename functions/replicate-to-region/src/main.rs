//! Wires `replicate-to-region`.

use holdfast_aws::config::{Aws, required};
use holdfast_aws::rds::RdsApi;
use holdfast_aws::region::RegionStacks;
use holdfast_aws::s3::Bucket;
use holdfast_core::ids::Region;
use holdfast_core::{Error, ErrorKind, Result};
use replicate_to_region::{Asked, Ports, handle, plan};

struct Wired {
    home: Region,
    rds: RdsApi,
    documents: Bucket,
    regions: RegionStacks,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        home: aws.region().clone(),
        rds: RdsApi::new(aws),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        regions: RegionStacks::new(
            aws,
            ("HOLDFAST_REGION_BUCKET", required("HOLDFAST_REGION_BUCKET")?),
            ("HOLDFAST_REGION_VALIDATION_ARN", required("HOLDFAST_REGION_VALIDATION_ARN")?),
        )?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("replicate-to-region", wire, async |wired: &Wired, asked| {
        let answer = match asked {
            Asked::Plan(input) => serde_json::to_value(plan::handle(&wired.rds, &wired.home, *input).await?),
            Asked::Copy(input) => {
                let ports = Ports { rds: &wired.rds, documents: &wired.documents, regions: &wired.regions };
                serde_json::to_value(handle(&ports, *input).await?)
            }
        };
        answer.map_err(|error| Error::new(ErrorKind::Internal, format!("answer: {error}")))
    })
    .await
}
