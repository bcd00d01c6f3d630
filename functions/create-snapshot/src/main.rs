//! Wires `create-snapshot`.

use create_snapshot::handle;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::Result;
use holdfast_core::ids::Region;

struct Wired {
    rds: RdsApi,
    region: Region,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired { rds: RdsApi::new(aws), region: aws.region().clone() })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("create-snapshot", wire, async |wired: &Wired, input| {
        handle(&wired.rds, &wired.region, input).await
    })
    .await
}
