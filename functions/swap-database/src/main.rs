//! Wires `swap-database`.

use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::route53::Route53;
use holdfast_aws::secrets::SourceLogins;
use holdfast_core::Result;
use jiff::Timestamp;
use swap_database::{Ports, handle};

struct Wired {
    rds: RdsApi,
    dns: Route53,
    secrets: SourceLogins,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired { rds: RdsApi::new(aws), dns: Route53::new(aws), secrets: SourceLogins::new(aws) })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("swap-database", wire, async |wired: &Wired, input| {
        let ports =
            Ports { rds: &wired.rds, dns: &wired.dns, secrets: &wired.secrets, clock: &Timestamp::now };
        handle(&ports, input).await
    })
    .await
}
