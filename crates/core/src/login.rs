//! How to log in to a database that is not Holdfast's own.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Region;
use crate::ports::Logins;
use crate::rds::Endpoint;
use crate::request::Login;

/// User and password for the server at `endpoint` in `region`. A secret that is a password alone is `master_username`'s.
///
/// # Errors
/// `BaselineUnreadable` when the secret is not there or cannot be read, or what a call met.
pub async fn credentials(
    logins: &impl Logins,
    login: &Login,
    master_username: &str,
    region: &Region,
    endpoint: &Endpoint,
) -> Result<(String, SecretString)> {
    match login {
        Login::IamUser(user) => Ok((user.clone(), logins.iam_token(region, endpoint, user).await?)),
        Login::SecretArn(arn) => {
            let text = logins.secret(arn).await?.ok_or_else(|| {
                Error::new(ErrorKind::BaselineUnreadable, format!("there is no secret {arn}"))
            })?;
            user_and_password(arn, &text, master_username)
        }
    }
}

#[derive(Deserialize)]
struct Secret {
    username: String,
    password: String,
}

/// Reads a secret as RDS makes it (Secrets Manager User Guide, "JSON structure of Secrets Manager database credential
/// secrets"), or as the master user's password alone. Where it says the server is, is not asked.
fn user_and_password(
    arn: &str,
    text: &SecretString,
    master_username: &str,
) -> Result<(String, SecretString)> {
    // Why it cannot be read is not told in serde's words: they can quote the secret.
    let unreadable = || {
        let message = format!("the secret {arn} is JSON, but not with the texts username and password");
        Error::new(ErrorKind::BaselineUnreadable, message)
    };
    let plain = text.expose_secret();
    if plain.trim().is_empty() {
        return Err(Error::new(ErrorKind::BaselineUnreadable, format!("the secret {arn} is empty")));
    }
    if !plain.trim_start().starts_with('{') {
        return Ok((master_username.to_owned(), text.clone()));
    }
    let secret: Secret = serde_json::from_str(plain).map_err(|_| unreadable())?;
    if secret.username.is_empty() || secret.password.is_empty() {
        return Err(unreadable());
    }
    Ok((secret.username, secret.password.into()))
}
