//! Wires `verify-database`.

use std::time::Duration;

use holdfast_aws::config::{Aws, rds_authorities, required, work_budget};
use holdfast_aws::s3::Bucket;
use holdfast_aws::secrets::SourceLogins;
use holdfast_core::Result;
use holdfast_proving::ServerProver;
use holdfast_verify::RDS_CA_BUNDLE;
use jiff::Timestamp;
use verify_database::{Ports, handle};

struct Wired {
    logins: SourceLogins,
    documents: Bucket,
    prover: ServerProver,
    budget: Duration,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        logins: SourceLogins::new(aws),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        prover: ServerProver::new(rds_authorities(RDS_CA_BUNDLE)?),
        budget: work_budget()?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("verify-database", wire, async |wired: &Wired, input| {
        let ports = Ports {
            logins: &wired.logins,
            documents: &wired.documents,
            prover: &wired.prover,
            budget: wired.budget,
            now: Timestamp::now(),
        };
        handle(&ports, input).await
    })
    .await
}
