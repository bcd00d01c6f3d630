//! CopyDBSnapshot, and the pre-signed request that an encrypted copy from another Region needs.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use url::{Host, Url};

use super::snapshots::check_quota;
use super::{Answer, Call, one};
use crate::error::RdsError;
use crate::names::{Arn, Kind, LONG, identifier, resource_id};
use crate::state::{Origin, Progress, Snapshot, SnapshotStatus};
use crate::{lifecycle, lock, render};

pub(super) async fn copy(call: &Call) -> Answer {
    let (app, params) = (&call.app, &call.params);
    let id = identifier("TargetDBSnapshotIdentifier", params.required("TargetDBSnapshotIdentifier")?, LONG)?;
    let given = params.required("SourceDBSnapshotIdentifier")?;
    let arn = match Arn::parse(given) {
        Some(arn) if arn.kind == Kind::Snapshot => arn,
        Some(_) => return Err(RdsError::invalid_value(format!("Invalid snapshot identifier: {given}"))),
        None => app.arn(&call.region, Kind::Snapshot, &given.to_ascii_lowercase()),
    };
    let source = source(call, &arn)?;
    let elsewhere = arn.region != call.region;
    let key = params.text("KmsKeyId");
    if elsewhere && source.encrypted && key.is_none() {
        let why = "KmsKeyId must be specified to copy an encrypted snapshot from another Region.";
        return Err(RdsError::invalid_combination(why));
    }
    match params.text("PreSignedUrl") {
        Some(url) => check_presigned(url, &arn, &call.region, &id, key)?,
        None if elsewhere && source.encrypted => {
            let why = "PreSignedUrl must be specified to copy an encrypted snapshot from another Region.";
            return Err(RdsError::invalid_combination(why));
        }
        None => {}
    }
    let kms_key = match (key, source.encrypted) {
        (Some(key), _) => Some(call.usable_key(Some(key)).await?),
        (None, true) => source.kms_key.clone(),
        (None, false) => None,
    };
    insert(call, &id, &source, kms_key)
}

fn source(call: &Call, arn: &Arn) -> Result<Snapshot, RdsError> {
    let mut world = lock(&call.app.world);
    let found = world.region(&arn.region).snapshot(&arn.id)?;
    if found.status != SnapshotStatus::Available {
        let why = format!("DBSnapshot {} is not in the available state.", arn.id);
        return Err(RdsError::snapshot_state(why));
    }
    Ok(found.clone())
}

fn insert(call: &Call, id: &str, source: &Snapshot, kms_key: Option<String>) -> Answer {
    let (app, params) = (&call.app, &call.params);
    let tuning = app.tuning();
    let tags = match params.tags()? {
        Some(given) => given,
        None if params.boolean("CopyTags")?.unwrap_or(false) => source.tags.clone(),
        None => Default::default(),
    };
    let mut world = lock(&app.world);
    let region = world.region(&call.region);
    if region.snapshots.contains_key(id) {
        return Err(RdsError::snapshot_exists(id));
    }
    check_quota(call, region)?;
    if source.arn.region != call.region && region.copies_in_flight() >= tuning.max_copies_in_flight {
        let why = format!("Cannot copy more than {} snapshots across regions", tuning.max_copies_in_flight);
        return Err(RdsError::new("SnapshotQuotaExceeded", why));
    }
    let serial = resource_id();
    let made = Snapshot {
        arn: app.arn(&call.region, Kind::Snapshot, id),
        status: SnapshotStatus::Creating,
        progress: Progress {
            began: Instant::now(),
            takes: lifecycle::takes(app, &call.work, tuning.copy_seconds),
            stuck_at: call.work.stuck_at,
        },
        created: None,
        encrypted: kms_key.is_some(),
        kms_key,
        availability_zone: format!("{}a", call.region),
        option_group: params.owned("OptionGroupName").unwrap_or_else(|| app.default_option_group()),
        origin: Some(Origin { arn: source.arn.to_string(), region: source.arn.region.clone() }),
        tags,
        shared_with: Default::default(),
        directory: app.snapshot_directory(&serial),
        serial: serial.clone(),
        unseen_until: call.work.unseen_until(),
        ..source.clone()
    };
    let answer = one("DBSnapshot", |xml| render::snapshot(xml, &made));
    region.snapshots.insert(id.to_owned(), made);
    let from = crate::app::Key {
        region: source.arn.region.clone(),
        id: source.arn.id.clone(),
        serial: source.serial.clone(),
    };
    lifecycle::snapshots::copy(app.clone(), from, call.key(id, &serial), call.work.clone());
    answer
}

/// Holds the pre-signed request against the call it came with, as the source Region does.
fn check_presigned(
    url: &str,
    source: &Arn,
    destination: &str,
    target: &str,
    key: Option<&str>,
) -> Result<(), RdsError> {
    let refuse = |why: &str| RdsError::invalid_value(format!("The PreSignedUrl is not valid: {why}"));
    let url = Url::parse(url).map_err(|_| refuse("it is not a URL"))?;
    let host_fits = match url.host() {
        Some(Host::Domain("localhost")) => true,
        Some(Host::Domain(host)) => host == format!("rds.{}.amazonaws.com", source.region),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if !host_fits {
        return Err(refuse("its host is not the source Region's endpoint"));
    }
    let query: BTreeMap<String, String> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let value = |name: &str| query.get(name).map(String::as_str);
    let is = |name: &str, wanted: &str| match value(name) {
        Some(found) if found == wanted => Ok(()),
        Some(_) => Err(refuse(&format!("{name} differs from the call's"))),
        None => Err(refuse(&format!("{name} is missing"))),
    };
    is("Action", "CopyDBSnapshot")?;
    is("Version", "2014-10-31")?;
    is("DestinationRegion", destination)?;
    is("SourceDBSnapshotIdentifier", &source.to_string())?;
    if let Some(key) = key {
        is("KmsKeyId", key)?;
    }
    if value("TargetDBSnapshotIdentifier").is_some_and(|found| !found.eq_ignore_ascii_case(target)) {
        return Err(refuse("TargetDBSnapshotIdentifier differs from the call's"));
    }
    is("X-Amz-Algorithm", "AWS4-HMAC-SHA256")?;
    let scope =
        value("X-Amz-Credential").and_then(|text| text.split_once('/')).map_or("", |(_, scope)| scope);
    let date = value("X-Amz-Date").unwrap_or_default();
    if scope != format!("{}/{}/rds/aws4_request", date.get(..8).unwrap_or_default(), source.region) {
        return Err(refuse(
            "X-Amz-Credential is not of the source Region, or of another day than X-Amz-Date",
        ));
    }
    let signature = value("X-Amz-Signature").unwrap_or_default();
    if signature.len() != 64 || hex::decode(signature).is_err() {
        return Err(refuse("X-Amz-Signature is missing"));
    }
    let expires = value("X-Amz-Expires").and_then(|text| text.parse::<i64>().ok());
    match (DateTime::strptime("%Y%m%dT%H%M%SZ", date), expires) {
        (Ok(signed), Some(seconds)) if (1..=604_800).contains(&seconds) => {
            let signed = signed.to_zoned(TimeZone::UTC).map_err(|_| refuse("X-Amz-Date"))?.timestamp();
            let age = Timestamp::now().as_second() - signed.as_second();
            // A quarter of an hour of clock skew is allowed, as everywhere in AWS.
            if age > seconds || age < -900 { Err(refuse("it has expired")) } else { Ok(()) }
        }
        _ => Err(refuse("X-Amz-Date or X-Amz-Expires is missing or odd")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(change: impl Fn(&mut BTreeMap<&str, String>)) -> Result<(), RdsError> {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let source = Arn::parse("arn:aws:rds:us-east-1:000000000000:snapshot:a").unwrap();
        let mut query = BTreeMap::from([
            ("host", "rds.us-east-1.amazonaws.com".to_owned()),
            ("Action", "CopyDBSnapshot".to_owned()),
            ("Version", "2014-10-31".to_owned()),
            ("DestinationRegion", "us-west-2".to_owned()),
            ("SourceDBSnapshotIdentifier", source.to_string()),
            ("KmsKeyId", "alias/holdfast".to_owned()),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("AKIA/{}/us-east-1/rds/aws4_request", &now[..8])),
            ("X-Amz-Date", now),
            ("X-Amz-Expires", "3600".to_owned()),
            ("X-Amz-Signature", "0".repeat(64)),
        ]);
        change(&mut query);
        let host = query.remove("host").unwrap_or_default();
        let url = Url::parse_with_params(&format!("https://{host}/"), query).unwrap();
        check_presigned(url.as_str(), &source, "us-west-2", "b", Some("alias/holdfast"))
    }

    #[test]
    fn a_pre_signed_request_fits_its_call_or_is_refused() {
        signed(|_| ()).unwrap();
        signed(|query| drop(query.insert("host", "127.0.0.1:4567".to_owned()))).unwrap();
        for (name, value) in [
            ("host", "rds.us-west-2.amazonaws.com"),
            ("host", "example.com"),
            ("Action", "CopyDBClusterSnapshot"),
            ("DestinationRegion", "eu-west-1"),
            ("SourceDBSnapshotIdentifier", "a"),
            ("KmsKeyId", "alias/other"),
            ("TargetDBSnapshotIdentifier", "c"),
            ("X-Amz-Credential", "AKIA/20261120/us-west-2/rds/aws4_request"),
            ("X-Amz-Date", "20200101T000000Z"),
            ("X-Amz-Expires", "0"),
            ("X-Amz-Signature", ""),
        ] {
            let refused = signed(|query| drop(query.insert(name, value.to_owned()))).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterValue", "{name}");
        }
        for name in ["Action", "DestinationRegion", "KmsKeyId", "X-Amz-Date", "X-Amz-Signature"] {
            assert!(signed(|query| drop(query.remove(name))).is_err(), "{name}");
        }
    }
}
