//! Secrets Manager and IAM: how to log in to a database that is not Holdfast's own.

use std::time::SystemTime;

use async_trait::async_trait;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_secretsmanager::Client;
use holdfast_core::ports::Logins;
use holdfast_core::rds::Endpoint;
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::SecretString;

use crate::classify::{classify, code, message};
use crate::config::Aws;
use crate::rds_auth;

/// Secrets of this Region, and tokens signed with this role's credentials.
#[derive(Debug, Clone)]
pub struct SourceLogins {
    aws: Aws,
    client: Client,
}

impl SourceLogins {
    /// Secrets and tokens in the Region of `aws`.
    pub fn new(aws: &Aws) -> Self {
        let config =
            aws_sdk_secretsmanager::config::Builder::from(&aws.config).interceptor(aws.calls.clone()).build();
        SourceLogins { aws: aws.clone(), client: Client::from_conf(config) }
    }

    /// Secrets behind a given client, for the tests of this adapter.
    pub fn with_client(aws: &Aws, client: Client) -> Self {
        SourceLogins { aws: aws.clone(), client }
    }
}

#[async_trait]
impl Logins for SourceLogins {
    async fn secret(&self, arn: &str) -> Result<Option<SecretString>> {
        let action = format!("GetSecretValue {arn}");
        match self.client.get_secret_value().secret_id(arn).send().await {
            // `SecretString`; a binary secret is none that a database user has.
            Ok(answer) => match answer.secret_string {
                Some(text) => Ok(Some(SecretString::from(text))),
                None => Err(Error::new(
                    ErrorKind::BaselineUnreadable,
                    format!("the secret {arn} is binary; it must be text"),
                )),
            },
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            // The key of the secret: disabled, or not to be used by this role.
            Err(error) if code(&error) == Some("DecryptionFailure") => {
                Err(Error::new(ErrorKind::KeyUnusable, format!("{action}: its key cannot be used")))
            }
            // As a secret that is marked for deletion answers (Secrets Manager API Reference, `GetSecretValue`).
            Err(error) if code(&error) == Some("InvalidRequestException") => Err(Error::new(
                ErrorKind::BaselineUnreadable,
                format!("the secret {arn} cannot be read: {}", message(&error)),
            )),
            Err(error) => Err(classify(&action, &error)),
        }
    }

    async fn iam_token(&self, endpoint: &Endpoint, user: &str) -> Result<SecretString> {
        let provider = self.aws.config.credentials_provider().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "there are no credentials to sign a token with")
        })?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| Error::new(ErrorKind::Configuration, format!("credentials: {error}")))?;
        rds_auth::token(self.aws.region(), endpoint, user, &credentials, SystemTime::now())
    }
}
