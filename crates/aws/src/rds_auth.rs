//! IAM authentication tokens: the password of a database user that IAM vouches for.
//!
//! A token is a pre-signed request for `connect` at the database's own host and port, without its scheme: "a unique
//! string of characters that Amazon RDS generates on request [...] valid for 15 minutes" (Amazon RDS User Guide, "IAM
//! database authentication"). It is made here without asking AWS; a test holds it against botocore's
//! `generate_db_auth_token`, byte for byte.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use holdfast_core::ids::Region;
use holdfast_core::rds::Endpoint;
use holdfast_core::{Error, ErrorKind, Result};
use percent_encoding::utf8_percent_encode;
use secrecy::SecretString;

use crate::presign::UNRESERVED;

/// As long as a token may be good for. It is needed at login only; a session that is open outlives it.
const EXPIRES: Duration = Duration::from_secs(900);

/// A token for `user` at `endpoint` in `region`.
///
/// # Errors
/// `Internal` when it cannot be signed.
pub fn token(
    region: &Region,
    endpoint: &Endpoint,
    user: &str,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<SecretString> {
    // What went wrong is said without what was signed: the request is the password.
    let failed = || Error::new(ErrorKind::Internal, "the IAM authentication token could not be signed");
    let host = format!("{}:{}", endpoint.host, endpoint.port);
    let user = utf8_percent_encode(user, UNRESERVED);
    let mut url = format!("https://{host}/?Action=connect&DBUser={user}");
    let identity: Identity = credentials.clone().into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Enabled;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|_| failed())?
        .into();
    let headers = std::iter::once(("host", host.as_str()));
    let request =
        SignableRequest::new("GET", url.clone(), headers, SignableBody::Bytes(b"")).map_err(|_| failed())?;
    let (instructions, _) = sign(request, &params).map_err(|_| failed())?.into_parts();
    // As in `presign.rs`: the signature comes last.
    let (signature, rest): (Vec<_>, Vec<_>) =
        instructions.params().iter().partition(|(name, _)| *name == "X-Amz-Signature");
    for (name, value) in rest.into_iter().chain(signature) {
        url.push_str(&format!("&{name}={}", utf8_percent_encode(value, UNRESERVED)));
    }
    Ok(SecretString::from(url.split_off("https://".len())))
}
