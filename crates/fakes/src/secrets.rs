//! Secrets Manager in memory: secrets with versions.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::ports::{SecretVersion, Secrets};
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::locked;
use crate::trouble::{Call, Troubles};

/// Versions of one secret: id and text, in the order in which they were made, and which is current.
#[derive(Debug, Default, Clone)]
struct Versions {
    all: Vec<(String, String)>,
    current: usize,
    previous: Option<usize>,
}

impl Versions {
    fn make_current(&mut self, version: usize) {
        self.previous = Some(self.current);
        self.current = version;
    }
}

/// Secrets by ARN.
#[derive(Debug, Default)]
pub struct FakeSecrets {
    /// What goes wrong.
    pub troubles: Troubles,
    secrets: Mutex<BTreeMap<String, Versions>>,
}

impl FakeSecrets {
    /// Keeps `text` as a secret, its first version `v1`.
    pub fn keep(&self, arn: &str, text: &str) {
        let versions = Versions { all: vec![("v1".to_owned(), text.to_owned())], current: 0, previous: None };
        locked(&self.secrets).insert(arn.to_owned(), versions);
    }

    /// Makes `text` the current version, as a rotation does.
    pub fn rotate(&self, arn: &str, text: &str) {
        if let Some(versions) = locked(&self.secrets).get_mut(arn) {
            let made = versions.all.len();
            versions.all.push((format!("v{}", made + 1), text.to_owned()));
            versions.make_current(made);
        }
    }

    /// What everybody reads now.
    pub fn text_now(&self, arn: &str) -> Option<String> {
        let secrets = locked(&self.secrets);
        let versions = secrets.get(arn)?;
        versions.all.get(versions.current).map(|(_, text)| text.clone())
    }

    /// How many versions were ever made.
    pub fn versions(&self, arn: &str) -> usize {
        locked(&self.secrets).get(arn).map_or(0, |versions| versions.all.len())
    }
}

#[async_trait]
impl Secrets for FakeSecrets {
    async fn current(&self, arn: &str) -> Result<Option<SecretVersion>> {
        let struck = self.troubles.strike(Call::CurrentSecret, arn)?;
        let secrets = locked(&self.secrets);
        let current = secrets.get(arn).and_then(|versions| versions.all.get(versions.current).cloned());
        struck.answer(current.map(|(id, text)| SecretVersion { id, text: SecretString::from(text) }))
    }

    async fn previous(&self, arn: &str) -> Result<Option<String>> {
        let struck = self.troubles.strike(Call::PreviousSecret, arn)?;
        let secrets = locked(&self.secrets);
        let versions = secrets.get(arn);
        let previous = versions.and_then(|versions| versions.all.get(versions.previous?));
        struck.answer(previous.map(|(id, _)| id.clone()))
    }

    async fn put(&self, arn: &str, token: &str, text: &SecretString) -> Result<()> {
        let struck = self.troubles.strike(Call::PutSecret, arn)?;
        let mut secrets = locked(&self.secrets);
        let versions = secrets.entry(arn.to_owned()).or_default();
        if !versions.all.iter().any(|(id, _)| id == token) {
            versions.all.push((token.to_owned(), text.expose_secret().to_owned()));
            versions.make_current(versions.all.len() - 1);
        }
        struck.answer(())
    }

    async fn make_current(&self, arn: &str, id: &str, instead_of: &str) -> Result<()> {
        let struck = self.troubles.strike(Call::MakeSecretCurrent, arn)?;
        let mut secrets = locked(&self.secrets);
        let refused = || Error::new(ErrorKind::Internal, "InvalidParameterException");
        let versions = secrets.get_mut(arn).ok_or_else(refused)?;
        let place = |wanted: &str| versions.all.iter().position(|(id, _)| id == wanted);
        let (wanted, before) = (place(id).ok_or_else(refused)?, place(instead_of).ok_or_else(refused)?);
        if before != versions.current || before == wanted {
            return Err(refused());
        }
        versions.make_current(wanted);
        struck.answer(())
    }
}
