//! Wires `validate-backup`.

use std::time::Duration;

use holdfast_aws::config::{Aws, optional, required};
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::polling::WORK_SECONDS;
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;
use validate_backup::{Ports, ServerProver, Settings, handle};

struct Wired {
    rds: RdsApi,
    keys: Kms,
    documents: Bucket,
    prover: ServerProver,
    settings: Settings,
}

fn wire(aws: &Aws) -> Result<Wired> {
    let configuration = |name: &str, why: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Configuration, format!("{name}: {why}"))
    };
    let ca_pem = match optional("HOLDFAST_RDS_CA_FILE") {
        Some(path) => std::fs::read_to_string(&path)
            .map_err(|error| configuration("HOLDFAST_RDS_CA_FILE", &format!("{path}: {error}")))?,
        None => holdfast_verify::RDS_CA_BUNDLE.to_owned(),
    };
    let budget = match optional("HOLDFAST_VERIFY_BUDGET_SECONDS") {
        Some(text) => {
            text.parse().map_err(|error| configuration("HOLDFAST_VERIFY_BUDGET_SECONDS", &error))?
        }
        None => WORK_SECONDS,
    };
    Ok(Wired {
        rds: RdsApi::new(aws),
        keys: Kms::new(aws, Some(required("HOLDFAST_HMAC_KEY_ID")?)),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        prover: ServerProver::new(ca_pem),
        settings: Settings {
            region: aws.region().clone(),
            subnet_group: required("HOLDFAST_VALIDATION_SUBNET_GROUP")?,
            security_group: required("HOLDFAST_VALIDATION_SECURITY_GROUP_ID")?,
            verify_budget: Duration::from_secs(budget),
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
