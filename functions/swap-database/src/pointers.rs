//! What tells clients where the database is: a CNAME, a secret.

use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RecordBefore, SecretBefore, SwapPlan};
use holdfast_core::ports::{Dns, FoundRecord, Secrets};
use holdfast_core::rds::Endpoint;
use holdfast_core::request::Record;
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

fn unresolved(message: String) -> Error {
    Error::new(ErrorKind::ReferenceUnresolved, message)
}

/// What the record says now.
pub(crate) async fn record_before(dns: &impl Dns, record: &Record) -> Result<RecordBefore> {
    let Record { hosted_zone_id, name } = record;
    let what = match dns.record(hosted_zone_id, name).await? {
        FoundRecord::Cname { ttl, value } => {
            let (hosted_zone_id, name) = (hosted_zone_id.clone(), name.clone());
            return Ok(RecordBefore { hosted_zone_id, name, ttl, value });
        }
        FoundRecord::NoZone => {
            return Err(unresolved(format!("swap.record: there is no hosted zone {hosted_zone_id}")));
        }
        FoundRecord::Missing => "is not there".to_owned(),
        FoundRecord::Other(kind) => format!("is {kind}"),
    };
    Err(unresolved(format!(
        "swap.record: {name} in {hosted_zone_id} {what}; make it a CNAME with one value first"
    )))
}

/// Which version of the secret is current.
pub(crate) async fn secret_before(secrets: &impl Secrets, arn: &str) -> Result<SecretBefore> {
    let Some(current) = secrets.current(arn).await? else {
        return Err(unresolved(format!("swap.secretArn: there is no secret {arn}")));
    };
    fields(arn, &current.text)?;
    Ok(SecretBefore { arn: arn.to_owned(), version_id: current.id })
}

/// Points both at `endpoint`; answers what was pointed.
pub(crate) async fn forwards(
    dns: &impl Dns,
    secrets: &impl Secrets,
    operation: &OperationId,
    plan: &SwapPlan,
    endpoint: &Endpoint,
) -> Result<Vec<String>> {
    let mut repointed = Vec::new();
    if let Some(record) = &plan.record {
        point(dns, record, &endpoint.host).await?;
        repointed.push(format!("record {} at {}", record.name, endpoint.host));
    }
    if let Some(before) = &plan.secret {
        let current = secrets.current(&before.arn).await?;
        let current =
            current.ok_or_else(|| unresolved(format!("there is no secret {} any more", before.arn)))?;
        let said = fields(&before.arn, &current.text)?;
        let mut now = said.clone();
        now.insert("host".to_owned(), json!(endpoint.host));
        now.insert("port".to_owned(), json!(endpoint.port));
        if now != said {
            let text = SecretString::from(Value::Object(now).to_string());
            secrets.put(&before.arn, &token(operation, &before.arn), &text).await?;
        }
        repointed.push(format!("secret {} at {}:{}", before.arn, endpoint.host, endpoint.port));
    }
    Ok(repointed)
}

/// Points both back at what they pointed at before.
pub(crate) async fn backwards(dns: &impl Dns, secrets: &impl Secrets, plan: &SwapPlan) -> Result<()> {
    if let Some(record) = &plan.record {
        point(dns, record, &record.value).await?;
    }
    if let Some(before) = &plan.secret
        && let Some(current) = secrets.current(&before.arn).await?
        && current.id != before.version_id
    {
        secrets.make_current(&before.arn, &before.version_id, &current.id).await?;
    }
    Ok(())
}

/// Points the record, unless it points there already: then there is nothing that somebody else's resolver had to forget.
async fn point(dns: &impl Dns, record: &RecordBefore, host: &str) -> Result<()> {
    let RecordBefore { hosted_zone_id, name, ttl, .. } = record;
    if let FoundRecord::Cname { value, .. } = dns.record(hosted_zone_id, name).await?
        && value == host
    {
        return Ok(());
    }
    dns.point(hosted_zone_id, name, *ttl, host).await
}

/// What a secret says. It is never part of an error.
fn fields(arn: &str, text: &SecretString) -> Result<Map<String, Value>> {
    serde_json::from_str(text.expose_secret()).map_err(|_| {
        unresolved(format!("swap.secretArn: {arn} is not a JSON object, so it has no host that could be set"))
    })
}

/// One operation makes one version of a secret, however often it asks (Secrets Manager API Reference,
/// `ClientRequestToken`: 32 to 64 characters).
fn token(operation: &OperationId, arn: &str) -> String {
    hex::encode(Sha256::digest(format!("{operation} {arn}")))
}
