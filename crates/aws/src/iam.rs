//! IAM: roles that restored instances are given.

use async_trait::async_trait;
use aws_sdk_iam::Client;
use holdfast_core::ports::Roles;
use holdfast_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::classify::{classify, code};
use crate::config::{Aws, configured};

/// Roles of the account.
#[derive(Debug)]
pub struct Iam {
    client: Client,
}

impl Iam {
    /// IAM of the account.
    pub fn new(aws: &Aws) -> Self {
        Iam { client: Client::from_conf(configured!(aws, aws_sdk_iam).build()) }
    }

    /// IAM behind a given client, for the tests of this adapter.
    pub fn with_client(client: Client) -> Self {
        Iam { client }
    }
}

#[async_trait]
impl Roles for Iam {
    async fn trusted_services(&self, arn: &str) -> Result<Option<Vec<String>>> {
        // `arn:aws:iam::123456789012:role/path/name`: a path is no part of the name that IAM is asked for.
        let name = arn.rsplit('/').next().unwrap_or(arn);
        let action = format!("GetRole {name}");
        let role = match self.client.get_role().role_name(name).send().await {
            Ok(answer) => answer.role,
            Err(error) if matches!(code(&error), Some("NoSuchEntity" | "ValidationError")) => None,
            Err(error) => return Err(classify(&action, &error)),
        };
        // Another account may have a role of that name, and another path.
        let Some(role) = role.filter(|role| role.arn() == arn) else { return Ok(None) };
        let document = role.assume_role_policy_document().unwrap_or_default();
        let text = percent_decode_str(document).decode_utf8_lossy();
        let trust: Trust = serde_json::from_str(&text).map_err(|error| {
            Error::new(
                ErrorKind::OutcomeUnknown,
                format!("{action}: its trust policy cannot be read: {error}"),
            )
        })?;
        Ok(Some(trust.services()))
    }
}

/// A trust policy, as far as it names services (IAM User Guide, "IAM JSON policy elements reference": each element may be one
/// or a list).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trust {
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: String,
    principal: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn all(self) -> Vec<T> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

impl Trust {
    fn services(self) -> Vec<String> {
        let allowing = self.statement.all().into_iter().filter(|statement| statement.effect == "Allow");
        // Where the principal is `*`, or an account, there is no service in it.
        let services =
            allowing.filter_map(|statement| OneOrMany::deserialize(&statement.principal["Service"]).ok());
        services.flat_map(OneOrMany::all).collect()
    }
}
