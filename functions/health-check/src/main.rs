//! Wires `health-check`.

use health_check::handle;
use holdfast_aws::config::{Aws, required};
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::Result;
use holdfast_core::ids::Region;

struct Wired {
    rds: RdsApi,
    keys: Kms,
    documents: Bucket,
    region: Region,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        rds: RdsApi::new(aws),
        keys: Kms::new(aws, None),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        region: aws.region().clone(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("health-check", wire, async |wired: &Wired, input| {
        handle(&wired.rds, &wired.keys, &wired.documents, &wired.region, input).await
    })
    .await
}
