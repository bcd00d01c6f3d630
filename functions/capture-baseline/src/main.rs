//! Wires `capture-baseline`.

use std::time::Duration;

use capture_baseline::{Ports, ServerSource, handle};
use holdfast_aws::config::{Aws, optional, required};
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_aws::secrets::SourceLogins;
use holdfast_core::ids::Region;
use holdfast_core::{Error, ErrorKind, Result};

struct Wired {
    rds: RdsApi,
    logins: SourceLogins,
    documents: Bucket,
    source: ServerSource,
    region: Region,
    budget: Duration,
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
        None => holdfast_core::polling::WORK_SECONDS,
    };
    Ok(Wired {
        rds: RdsApi::new(aws),
        logins: SourceLogins::new(aws),
        documents: Bucket::new(aws, required("DR_METADATA_BUCKET")?),
        source: ServerSource::new(ca_pem),
        region: aws.region().clone(),
        budget: Duration::from_secs(budget),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), lambda_runtime::Error> {
    holdfast_lambda::serve("capture-baseline", wire, async |wired: &Wired, input| {
        let ports = Ports {
            rds: &wired.rds,
            logins: &wired.logins,
            documents: &wired.documents,
            source: &wired.source,
            region: &wired.region,
            budget: wired.budget,
        };
        handle(&ports, input).await
    })
    .await
}
