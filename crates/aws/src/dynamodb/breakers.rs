//! Circuit breakers in the state table: one item, a map entry for each breaker that something is known of.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use holdfast_core::breaker::Breaker;
use holdfast_core::ports::Breakers;
use holdfast_core::{Error, ErrorKind, Result};

use super::{attribute, json, unreadable};
use crate::classify::{classify, code};

/// The key of the item. No operation is called so: their ids end in ten digits.
pub const ITEM: &str = "breakers";

/// The breakers in one table.
#[derive(Debug, Clone)]
pub struct BreakerTable {
    client: Client,
    name: String,
}

impl BreakerTable {
    /// Breakers in the table `name`. A call has one second and is not repeated: who asks goes on without an answer.
    pub fn new(config: &aws_config::SdkConfig, name: String) -> Self {
        let limit = Duration::from_secs(1);
        let config = aws_sdk_dynamodb::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(limit).operation_timeout(limit).build());
        BreakerTable { client: Client::from_conf(config.build()), name }
    }

    /// The same behind a given client, for the command and the tests of this adapter.
    pub fn with_client(client: Client, name: String) -> Self {
        BreakerTable { client, name }
    }

    /// Makes the map of the item, which an entry can then be put into.
    async fn begin(&self) -> Result<()> {
        self.client
            .update_item()
            .table_name(&self.name)
            .key("operationId", AttributeValue::S(ITEM.to_owned()))
            .update_expression("SET entries = if_not_exists(entries, :none)")
            .expression_attribute_values(":none", AttributeValue::M(std::collections::HashMap::new()))
            .send()
            .await
            .map_err(|error| classify("UpdateItem breakers", &error))?;
        Ok(())
    }

    async fn change(&self, key: &str, seen: Option<u64>, next: Option<&Breaker>) -> Result<Changed> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("operationId", AttributeValue::S(ITEM.to_owned()))
            .expression_attribute_names("#key", key);
        update = match seen {
            Some(version) => update
                .condition_expression("entries.#key.version = :seen")
                .expression_attribute_values(":seen", AttributeValue::N(version.to_string())),
            None => update.condition_expression("attribute_not_exists(entries.#key)"),
        };
        update = match next {
            Some(next) => {
                let next = serde_json::to_value(next)
                    .map_err(|error| Error::new(ErrorKind::Internal, format!("breaker {key}: {error}")))?;
                update
                    .update_expression("SET entries.#key = :next")
                    .expression_attribute_values(":next", attribute(&next))
            }
            None => update.update_expression("REMOVE entries.#key"),
        };
        match update.send().await {
            Ok(_) => Ok(Changed::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(Changed::ByAnother)
            }
            // The document path is invalid for update: the item has no map yet.
            Err(error) if seen.is_none() && code(&error) == Some("ValidationException") => Ok(Changed::NoMap),
            Err(error) => Err(classify("UpdateItem breakers", &error)),
        }
    }
}

enum Changed {
    Yes,
    ByAnother,
    NoMap,
}

#[async_trait]
impl Breakers for BreakerTable {
    async fn all(&self) -> Result<BTreeMap<String, Breaker>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("operationId", AttributeValue::S(ITEM.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify("GetItem breakers", &error))?;
        let entries = answer.item().and_then(|item| item.get("entries")).and_then(|map| map.as_m().ok());
        entries
            .into_iter()
            .flatten()
            .map(|(key, entry)| {
                let breaker = serde_json::from_value(json(entry)).map_err(|error| unreadable(key, &error))?;
                Ok((key.clone(), breaker))
            })
            .collect()
    }

    async fn replace(&self, key: &str, seen: Option<u64>, next: Option<&Breaker>) -> Result<bool> {
        match self.change(key, seen, next).await? {
            Changed::Yes => Ok(true),
            Changed::ByAnother => Ok(false),
            Changed::NoMap => {
                self.begin().await?;
                Ok(matches!(self.change(key, seen, next).await?, Changed::Yes))
            }
        }
    }
}
