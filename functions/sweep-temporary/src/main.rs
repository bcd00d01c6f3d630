//! Wires `sweep-temporary`.

use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use jiff::Timestamp;
use sweep_temporary::{Input, handle};

struct Wired {
    rds: RdsApi,
    region: Region,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired { rds: RdsApi::new(aws), region: aws.region().clone() })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("sweep-temporary", wire, async |wired: &Wired, _input: Input| {
        handle(&wired.rds, &wired.region, Timestamp::now()).await
    })
    .await
}
