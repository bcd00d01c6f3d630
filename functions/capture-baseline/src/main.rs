//! Wires `capture-baseline`.

use std::time::Duration;

use capture_baseline::{PIECE_BYTES, Ports, ServerSource, handle};
use holdfast_aws::config::{Aws, rds_authorities, required, work_budget};
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_aws::secrets::SourceLogins;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_verify::RDS_CA_BUNDLE;

struct Wired {
    rds: RdsApi,
    logins: SourceLogins,
    documents: Bucket,
    source: ServerSource,
    region: Region,
    budget: Duration,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        rds: RdsApi::new(aws),
        logins: SourceLogins::new(aws),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        source: ServerSource::new(rds_authorities(RDS_CA_BUNDLE)?),
        region: aws.region().clone(),
        budget: work_budget()?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("capture-baseline", wire, async |wired: &Wired, input| {
        let ports = Ports {
            rds: &wired.rds,
            logins: &wired.logins,
            documents: &wired.documents,
            source: &wired.source,
            region: &wired.region,
            budget: wired.budget,
            piece_bytes: PIECE_BYTES,
        };
        handle(&ports, input).await
    })
    .await
}
