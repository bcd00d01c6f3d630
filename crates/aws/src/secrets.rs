//! Secrets Manager and IAM: how to log in to a database that is not Holdfast's own.

use std::time::SystemTime;

use async_trait::async_trait;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_secretsmanager::Client;
use holdfast_core::ids::Region;
use holdfast_core::ports::{Logins, SecretVersion, Secrets};
use holdfast_core::rds::Endpoint;
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::classify::{classify, code, message};
use crate::config::{Aws, configured};
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
        let config = configured!(aws, aws_sdk_secretsmanager).build();
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

    async fn iam_token(&self, region: &Region, endpoint: &Endpoint, user: &str) -> Result<SecretString> {
        let provider = self.aws.config.credentials_provider().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "there are no credentials to sign a token with")
        })?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| Error::new(ErrorKind::Configuration, format!("credentials: {error}")))?;
        rds_auth::token(region, endpoint, user, &credentials, SystemTime::now())
    }
}

/// The stage of the version that everybody reads.
const CURRENT: &str = "AWSCURRENT";

/// The stage that Secrets Manager leaves with the version that was current before.
const PREVIOUS: &str = "AWSPREVIOUS";

#[async_trait]
impl Secrets for SourceLogins {
    async fn current(&self, arn: &str) -> Result<Option<SecretVersion>> {
        match self.client.get_secret_value().secret_id(arn).send().await {
            Ok(answer) => {
                let (Some(id), Some(text)) = (answer.version_id, answer.secret_string) else {
                    return Err(Error::new(
                        ErrorKind::ReferenceUnresolved,
                        format!(
                            "the secret {arn} is binary; host and port can only be set in one that is text"
                        ),
                    ));
                };
                Ok(Some(SecretVersion { id, text: SecretString::from(text) }))
            }
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(classify(&format!("GetSecretValue {arn}"), &error)),
        }
    }

    async fn previous(&self, arn: &str) -> Result<Option<String>> {
        match self.client.get_secret_value().secret_id(arn).version_stage(PREVIOUS).send().await {
            Ok(answer) => Ok(answer.version_id),
            // As for a secret that is not there (Secrets Manager API Reference, `GetSecretValue`).
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(classify(&format!("GetSecretValue {PREVIOUS} of {arn}"), &error)),
        }
    }

    async fn put(&self, arn: &str, token: &str, text: &SecretString) -> Result<()> {
        let put = self.client.put_secret_value().secret_id(arn).client_request_token(token);
        let put = put.secret_string(text.expose_secret()).send().await;
        put.map_err(|error| classify(&format!("PutSecretValue {arn}"), &error))?;
        Ok(())
    }

    async fn make_current(&self, arn: &str, id: &str, instead_of: &str) -> Result<()> {
        let change = self.client.update_secret_version_stage().secret_id(arn).version_stage(CURRENT);
        let change = change.move_to_version_id(id).remove_from_version_id(instead_of).send().await;
        change.map_err(|error| classify(&format!("UpdateSecretVersionStage {arn}"), &error))?;
        Ok(())
    }
}
