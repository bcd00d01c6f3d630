//! Wires `replicate-to-region`.

use holdfast_aws::calls::CallCounter;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::Result;
use holdfast_lambda::Dependencies;
use replicate_to_region::handle;

struct Wired {
    rds: RdsApi,
    calls: CallCounter,
}

impl Dependencies for Wired {
    fn take_api_calls(&self) -> u64 {
        self.calls.take()
    }
}

fn wire() -> Result<Wired> {
    let aws = Aws::from_env()?;
    Ok(Wired { rds: RdsApi::new(&aws), calls: aws.calls() })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("replicate-to-region", wire(), async |wired: &Wired, input| {
        handle(&wired.rds, input).await
    })
    .await
}
