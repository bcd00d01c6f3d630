//! The `PreSignedUrl` that `CopyDBSnapshot` needs for an encrypted snapshot from another Region.
//!
//! "The presigned URL must be a valid request for the CopyDBSnapshot API operation that can run in the source
//! AWS Region" (Amazon RDS API Reference, `CopyDBSnapshot`). botocore makes it from the very parameters of the
//! call plus `DestinationRegion`; a test holds this one against botocore's, byte for byte.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use holdfast_core::ports::NewCopy;
use holdfast_core::{Error, ErrorKind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 leaves as it is; Signature Version 4 encodes the rest.
pub(crate) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// As long as botocore's. RDS uses it at once.
const EXPIRES: Duration = Duration::from_secs(3600);

/// The source Region's RDS endpoint, unless `endpoint` says where RDS is.
pub fn source_endpoint(endpoint: Option<&str>, copy: &NewCopy) -> String {
    match endpoint {
        Some(url) => url.trim_end_matches('/').to_owned(),
        // The partition of China has a domain of its own (AWS General Reference, "Amazon RDS endpoints").
        None if copy.from.as_str().starts_with("cn-") => {
            format!("https://rds.{}.amazonaws.com.cn", copy.from)
        }
        None => format!("https://rds.{}.amazonaws.com", copy.from),
    }
}

/// The pre-signed `CopyDBSnapshot` request for the source Region of `copy`.
///
/// # Errors
/// `Internal` when it cannot be signed.
pub fn copy_snapshot_url(
    copy: &NewCopy,
    endpoint: &str,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<String> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Internal, format!("PreSignedUrl of CopyDBSnapshot: {why}"))
    };
    let mut url = format!("{endpoint}/?{}", query(&parameters(copy)));
    let identity: Identity = credentials.clone().into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(copy.from.as_str())
        .name("rds")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    let request =
        SignableRequest::new("GET", url.clone(), std::iter::once(("host", host)), SignableBody::Bytes(b""))
            .map_err(|error| failed(&error))?;
    let (instructions, _) = sign(request, &params).map_err(|error| failed(&error))?.into_parts();
    // botocore signs last; aws-sigv4 puts the session token behind the signature.
    let (signature, rest): (Vec<_>, Vec<_>) =
        instructions.params().iter().partition(|(name, _)| *name == "X-Amz-Signature");
    for (name, value) in rest.into_iter().chain(signature) {
        url.push_str(&format!("&{name}={}", utf8_percent_encode(value, UNRESERVED)));
    }
    Ok(url)
}

/// The parameters of the call, in the order in which the call itself sends them.
fn parameters(copy: &NewCopy) -> Vec<(String, String)> {
    let mut parameters = vec![
        ("Action".to_owned(), "CopyDBSnapshot".to_owned()),
        ("Version".to_owned(), "2014-10-31".to_owned()),
        ("SourceDBSnapshotIdentifier".to_owned(), copy.source_arn.clone()),
        ("TargetDBSnapshotIdentifier".to_owned(), copy.id.clone()),
        ("KmsKeyId".to_owned(), copy.kms_key_id.clone()),
    ];
    for (index, (key, value)) in copy.tags.iter().enumerate() {
        parameters.push((format!("Tags.Tag.{}.Key", index + 1), key.clone()));
        parameters.push((format!("Tags.Tag.{}.Value", index + 1), value.clone()));
    }
    parameters.push(("DestinationRegion".to_owned(), copy.to.to_string()));
    parameters
}

fn query(parameters: &[(String, String)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)))
        .collect();
    pairs.join("&")
}
