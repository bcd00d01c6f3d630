//! Wires `restore-database`.

use holdfast_aws::config::{Aws, required};
use holdfast_aws::ec2::Ec2;
use holdfast_aws::iam::Iam;
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::Result;
use jiff::Timestamp;
use restore_database::{Ports, handle};

struct Wired {
    rds: RdsApi,
    keys: Kms,
    documents: Bucket,
    networks: Ec2,
    roles: Iam,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        rds: RdsApi::new(aws),
        keys: Kms::new(aws, None),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        networks: Ec2::new(aws),
        roles: Iam::new(aws),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("restore-database", wire, async |wired: &Wired, input| {
        let ports = Ports {
            rds: &wired.rds,
            keys: &wired.keys,
            documents: &wired.documents,
            networks: &wired.networks,
            roles: &wired.roles,
            now: Timestamp::now(),
        };
        handle(&ports, input).await
    })
    .await
}
