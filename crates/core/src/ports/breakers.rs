//! Where circuit breakers are kept, so that all executions share them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::Result;
use crate::breaker::Breaker;

/// The breakers of all services, Regions and actions of which a failure is known.
///
/// Keys are `service/region/Action`, such as `rds/us-west-2/CopyDBSnapshot`.
#[async_trait]
pub trait Breakers: Send + Sync + std::fmt::Debug {
    /// All of them.
    ///
    /// # Errors
    /// What the table answers; `UnreadableRecord` when one makes no sense.
    async fn all(&self) -> Result<BTreeMap<String, Breaker>>;

    /// Makes `key` what `next` is, or forgets it, if it is still the version that was `seen` (`None`: not there). Whether it was.
    ///
    /// # Errors
    /// What the table answers.
    async fn replace(&self, key: &str, seen: Option<u64>, next: Option<&Breaker>) -> Result<bool>;
}
