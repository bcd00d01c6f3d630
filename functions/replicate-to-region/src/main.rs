//! Wires `replicate-to-region`.

use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::Result;
use replicate_to_region::handle;

struct Wired {
    rds: RdsApi,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired { rds: RdsApi::new(aws) })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("replicate-to-region", wire, async |wired: &Wired, input| {
        handle(&wired.rds, input).await
    })
    .await
}
