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

/// Whether both can be pointed as was planned: looked at before anything changes for anybody. `host` is where the
/// database's name leads.
pub(crate) async fn still_as_planned(
    dns: &impl Dns,
    secrets: &impl Secrets,
    plan: &SwapPlan,
    host: Option<&str>,
) -> Result<()> {
    if let Some(record) = &plan.record {
        pointable(dns, record, host).await?;
    }
    if let Some(before) = &plan.secret {
        secret_now(secrets, &before.arn).await?;
    }
    Ok(())
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
        if let Some(ttl) = pointable(dns, record, Some(&endpoint.host)).await? {
            dns.point(&record.hosted_zone_id, &record.name, ttl, &endpoint.host).await?;
        }
        repointed.push(format!("record {} at {}", record.name, endpoint.host));
    }
    if let Some(before) = &plan.secret {
        // What it says now: it may have been rotated since the plan.
        let said = secret_now(secrets, &before.arn).await?;
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

/// A pointer that could not be set back.
pub(crate) struct Left {
    /// Which, and what it is to say.
    pub what: String,
    /// Why not.
    pub error: Error,
}

/// Sets both back, as far as they say what the swap made them say: what somebody changed since is not the swap's to
/// change. `host` is where the database's name leads, where that is known. Answers what could not be set back.
pub(crate) async fn backwards(
    dns: &impl Dns,
    secrets: &impl Secrets,
    operation: &OperationId,
    plan: &SwapPlan,
    host: Option<&str>,
) -> Vec<Left> {
    let mut left = Vec::new();
    if let Some(record) = &plan.record
        && let Err(error) = record_back(dns, record, host).await
    {
        left.push(Left { what: format!("record {}, to {}", record.name, record.value), error });
    }
    if let Some(before) = &plan.secret
        && let Err(error) = secret_back(secrets, operation, &before.arn).await
    {
        left.push(Left { what: format!("secret {}, to its version before", before.arn), error });
    }
    left
}

async fn record_back(dns: &impl Dns, record: &RecordBefore, host: Option<&str>) -> Result<()> {
    let RecordBefore { hosted_zone_id, name, value: before, .. } = record;
    // Anything but a CNAME the swap has not made.
    let FoundRecord::Cname { ttl, value } = dns.record(hosted_zone_id, name).await? else { return Ok(()) };
    match host {
        _ if value == *before => Ok(()),
        Some(host) if host == value => dns.point(hosted_zone_id, name, ttl, before).await,
        Some(_) => Ok(()),
        None => Err(unresolved(format!("it says {value}; whether the swap made it say so is not known"))),
    }
}

async fn secret_back(secrets: &impl Secrets, operation: &OperationId, arn: &str) -> Result<()> {
    let Some(current) = secrets.current(arn).await? else { return Ok(()) };
    if current.id != token(operation, arn) {
        return Ok(());
    }
    // The one that the swap's was built on, not the plan's: it may have been rotated in between.
    let Some(before) = secrets.previous(arn).await? else {
        return Err(unresolved("it has no version AWSPREVIOUS".to_owned()));
    };
    secrets.make_current(arn, &before, &current.id).await
}

/// The seconds for which clients keep the record now, when it says what it said when the swap was planned, which is what
/// an undo sets it back to; `None` when it says `host` already: then there is nothing that somebody's resolver had to
/// forget.
async fn pointable(dns: &impl Dns, record: &RecordBefore, host: Option<&str>) -> Result<Option<i64>> {
    let RecordBefore { hosted_zone_id, name, value: before, .. } = record;
    let says = match dns.record(hosted_zone_id, name).await? {
        FoundRecord::Cname { value, .. } if Some(value.as_str()) == host => return Ok(None),
        FoundRecord::Cname { ttl, value } if value == *before => return Ok(Some(ttl)),
        FoundRecord::Cname { value, .. } => format!("says {value}"),
        FoundRecord::Other(kind) => format!("is {kind}"),
        FoundRecord::Missing | FoundRecord::NoZone => "is gone".to_owned(),
    };
    Err(unresolved(format!(
        "swap.record: {name} in {hosted_zone_id} was {before} when the swap was planned and {says} now: somebody changed it"
    )))
}

async fn secret_now(secrets: &impl Secrets, arn: &str) -> Result<Map<String, Value>> {
    let current = secrets.current(arn).await?;
    let current = current.ok_or_else(|| unresolved(format!("there is no secret {arn} any more")))?;
    fields(arn, &current.text)
}

/// What a secret says. It is never part of an error.
fn fields(arn: &str, text: &SecretString) -> Result<Map<String, Value>> {
    serde_json::from_str(text.expose_secret()).map_err(|_| {
        unresolved(format!("swap.secretArn: {arn} is not a JSON object, so it has no host that could be set"))
    })
}

/// One operation makes one version of a secret, however often it asks (Secrets Manager API Reference,
/// `ClientRequestToken`: 32 to 64 characters). The token is the version's id.
fn token(operation: &OperationId, arn: &str) -> String {
    hex::encode(Sha256::digest(format!("{operation} {arn}")))
}
