//! Wires `create-snapshot`.

use create_snapshot::handle;
use holdfast_aws::calls::CallCounter;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_lambda::Dependencies;

struct Wired {
    rds: RdsApi,
    region: Region,
    calls: CallCounter,
}

impl Dependencies for Wired {
    fn take_api_calls(&self) -> u64 {
        self.calls.take()
    }
}

fn wire() -> Result<Wired> {
    let aws = Aws::from_env()?;
    Ok(Wired { rds: RdsApi::new(&aws), region: aws.region().clone(), calls: aws.calls() })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("create-snapshot", wire(), async |wired: &Wired, input| {
        handle(&wired.rds, &wired.region, input).await
    })
    .await
}
