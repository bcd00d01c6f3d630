//! Secrets and IAM tokens in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::Logins;
use holdfast_core::rds::Endpoint;
use secrecy::SecretString;

use crate::locked;
use crate::trouble::{Call, Troubles};

/// Secrets by ARN, and tokens that a test can look for.
#[derive(Debug, Default)]
pub struct FakeLogins {
    /// What goes wrong.
    pub troubles: Troubles,
    secrets: Mutex<BTreeMap<String, String>>,
}

impl FakeLogins {
    /// Keeps `text` as the secret `arn`.
    pub fn keep(&self, arn: &str, text: &str) {
        locked(&self.secrets).insert(arn.to_owned(), text.to_owned());
    }

    /// The token that [`FakeLogins`] makes for `user` at `endpoint`.
    pub fn token(region: &Region, endpoint: &Endpoint, user: &str) -> String {
        format!("t0ken-{region}-{}:{}-{user}", endpoint.host, endpoint.port)
    }
}

#[async_trait]
impl Logins for FakeLogins {
    async fn secret(&self, arn: &str) -> Result<Option<SecretString>> {
        let text = locked(&self.secrets).get(arn).cloned();
        self.troubles.strike(Call::Secret, arn)?.answer(text.map(SecretString::from))
    }

    async fn iam_token(&self, region: &Region, endpoint: &Endpoint, user: &str) -> Result<SecretString> {
        let token = Self::token(region, endpoint, user);
        self.troubles.strike(Call::IamToken, user)?.answer(SecretString::from(token))
    }
}
