//! KMS: whether a key can be used, and the password that is derived and kept nowhere.

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, MacAlgorithmSpec};
use holdfast_core::health::Key;
use holdfast_core::ids::Region;
use holdfast_core::ports::Keys;
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::SecretString;

use crate::classify::{classify, code, message};
use crate::clients::Clients;
use crate::config::{Aws, configured};

/// Keys of every Region, and the HMAC key of this one.
#[derive(Debug)]
pub struct Kms {
    aws: Aws,
    hmac_key_id: Option<String>,
    clients: Clients<Client>,
}

impl Kms {
    /// Keys in every Region; passwords are derived with `hmac_key_id`.
    pub fn new(aws: &Aws, hmac_key_id: Option<String>) -> Self {
        Kms { aws: aws.clone(), hmac_key_id, clients: Clients::default() }
    }

    /// Keys behind given clients, for the tests of this adapter.
    pub fn with_clients(
        aws: &Aws,
        hmac_key_id: Option<String>,
        clients: impl IntoIterator<Item = (Region, Client)>,
    ) -> Self {
        Kms { aws: aws.clone(), hmac_key_id, clients: clients.into_iter().collect() }
    }

    fn client(&self, region: &Region) -> Client {
        self.clients
            .of(region, |region| Client::from_conf(configured!(self.aws, aws_sdk_kms).region(region).build()))
    }
}

/// What only a command looks at.
impl Kms {
    /// A key's own policy, as JSON.
    ///
    /// # Errors
    /// What the call met.
    pub async fn policy(&self, region: &Region, key_arn: &str) -> Result<String> {
        let action = format!("GetKeyPolicy {key_arn} in {region}");
        // Every key has one policy, and this is its name (AWS KMS API Reference, GetKeyPolicy).
        let asked = self.client(region).get_key_policy().key_id(key_arn).policy_name("default").send().await;
        let answer = asked.map_err(|error| classify(&action, &error))?;
        let empty = || Error::new(ErrorKind::OutcomeUnknown, format!("{action}: an empty answer"));
        answer.policy().map(str::to_owned).ok_or_else(empty)
    }

    /// How many grants a key has.
    ///
    /// # Errors
    /// What a call met: a list that is not whole is none.
    pub async fn grants(&self, region: &Region, key_arn: &str) -> Result<u32> {
        let asked = self.client(region).list_grants().key_id(key_arn).limit(100);
        let mut pages = asked.into_paginator().items().send();
        let mut count = 0;
        while let Some(grant) = pages.next().await {
            grant.map_err(|error| classify(&format!("ListGrants {key_arn} in {region}"), &error))?;
            count += 1;
        }
        Ok(count)
    }
}

#[async_trait]
impl Keys for Kms {
    async fn key(&self, region: &Region, id: &str) -> Result<Option<Key>> {
        let answer = match self.client(region).describe_key().key_id(id).send().await {
            Ok(answer) => answer,
            Err(error) if matches!(code(&error), Some("NotFoundException" | "InvalidArnException")) => {
                return Ok(None);
            }
            Err(error) => return Err(classify(&format!("DescribeKey {id} in {region}"), &error)),
        };
        Ok(answer.key_metadata().map(|key| Key {
            arn: key.arn().unwrap_or_else(|| key.key_id()).to_owned(),
            state: key.key_state().map_or("Unknown", |state| state.as_str()).to_owned(),
            usage: key.key_usage().map_or("Unknown", |usage| usage.as_str()).to_owned(),
            spec: key.key_spec().map_or("Unknown", |spec| spec.as_str()).to_owned(),
        }))
    }

    async fn require_permission(&self, region: &Region, key: &Key) -> Result<()> {
        // A data key that is thrown away: the same permission RDS needs through this role, and no state.
        let answer = self
            .client(region)
            .generate_data_key_without_plaintext()
            .key_id(&key.arn)
            .key_spec(DataKeySpec::Aes256)
            .send()
            .await;
        let Err(error) = answer else { return Ok(()) };
        let refused = matches!(
            code(&error),
            Some(
                "AccessDeniedException"
                    | "DisabledException"
                    | "KMSInvalidStateException"
                    | "NotFoundException"
            )
        );
        if refused {
            return Err(Error::new(
                ErrorKind::KeyUnusable,
                format!("key {} in {region} cannot be used: {}", key.arn, message(&error)),
            ));
        }
        Err(classify(&format!("GenerateDataKeyWithoutPlaintext {} in {region}", key.arn), &error))
    }

    async fn derive_password(&self, context: &str) -> Result<SecretString> {
        let key = self.hmac_key_id.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "the environment variable HOLDFAST_HMAC_KEY_ID is not set")
        })?;
        let answer = self
            .client(self.aws.region())
            .generate_mac()
            .key_id(key)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(format!("holdfast/master-password/v1/{context}")))
            .send()
            .await
            .map_err(|error| classify(&format!("GenerateMac {key}"), &error))?;
        let mac = answer.mac().ok_or_else(|| {
            Error::new(ErrorKind::OutcomeUnknown, format!("GenerateMac {key}: an empty answer"))
        })?;
        Ok(SecretString::from(hex::encode(mac.as_ref())))
    }
}
