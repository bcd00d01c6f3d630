//! Wires `validate-backup`.

use holdfast_aws::config::{Aws, rds_authorities, required, work_budget};
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::Result;
use holdfast_proving::ServerProver;
use holdfast_verify::RDS_CA_BUNDLE;
use jiff::Timestamp;
use validate_backup::{Ports, Settings, handle};

struct Wired {
    rds: RdsApi,
    keys: Kms,
    documents: Bucket,
    prover: ServerProver,
    settings: Settings,
}

fn wire(aws: &Aws) -> Result<Wired> {
    Ok(Wired {
        rds: RdsApi::new(aws),
        keys: Kms::new(aws, Some(required("HOLDFAST_HMAC_KEY_ID")?)),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        prover: ServerProver::new(rds_authorities(RDS_CA_BUNDLE)?),
        settings: Settings {
            region: aws.region().clone(),
            subnet_group: required("HOLDFAST_VALIDATION_SUBNET_GROUP")?,
            security_group: required("HOLDFAST_VALIDATION_SECURITY_GROUP_ID")?,
            verify_budget: work_budget()?,
        },
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("validate-backup", wire, async |wired: &Wired, input| {
        let ports = Ports {
            rds: &wired.rds,
            keys: &wired.keys,
            documents: &wired.documents,
            prover: &wired.prover,
            settings: &wired.settings,
            now: Timestamp::now(),
        };
        handle(&ports, input).await
    })
    .await
}
