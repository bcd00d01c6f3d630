//! What taking another database's place needs of RDS, Route 53 and Secrets Manager.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::error::Result;
use crate::ids::Region;

/// What asking for another name came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameAnswer {
    /// It is being renamed.
    Started,
    /// The new name is taken: by an earlier attempt that is under way, or by somebody else.
    Taken,
    /// The instance is busy, or there is none of that name; look again.
    NotNow,
}

/// Amazon RDS, as far as instances change their names.
#[async_trait]
pub trait Renames: Send + Sync {
    /// Gives an instance another identifier, at once, and with it whatever else is pending.
    async fn rename(&self, region: &Region, id: &str, new: &str) -> Result<RenameAnswer>;
    /// Stops an instance; `false` when it cannot be stopped in the state that it is in.
    async fn stop(&self, region: &Region, id: &str) -> Result<bool>;
    /// Starts an instance; `false` when it cannot be started in the state that it is in.
    async fn start(&self, region: &Region, id: &str) -> Result<bool>;
}

/// What a hosted zone has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundRecord {
    /// A CNAME with one value.
    Cname {
        /// Seconds.
        ttl: i64,
        /// The host name, without the dot at its end.
        value: String,
    },
    /// Something that cannot be pointed at a host name as it is: `A`, an alias, a weighted CNAME.
    Other(String),
    /// Nothing.
    Missing,
    /// There is no such zone.
    NoZone,
}

/// Amazon Route 53.
#[async_trait]
pub trait Dns: Send + Sync {
    /// What there is under `name`.
    async fn record(&self, zone: &str, name: &str) -> Result<FoundRecord>;
    /// Points the CNAME at `value`. Once or twice is the same.
    async fn point(&self, zone: &str, name: &str, ttl: i64, value: &str) -> Result<()>;
}

/// A version of a secret.
#[derive(Debug, Clone)]
pub struct SecretVersion {
    /// Its id.
    pub id: String,
    /// What it says.
    pub text: SecretString,
}

/// AWS Secrets Manager, as far as a secret says where the database is.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The current version; `None` when there is no secret of that ARN.
    async fn current(&self, arn: &str) -> Result<Option<SecretVersion>>;
    /// The id of the version that was current before; `None` when there is none.
    async fn previous(&self, arn: &str) -> Result<Option<String>>;
    /// Makes `text` the current version. The same `token` makes one version, of which it is the id,
    /// however often it is asked for.
    async fn put(&self, arn: &str, token: &str, text: &SecretString) -> Result<()>;
    /// Makes version `id` the current one again, in place of version `instead_of`.
    async fn make_current(&self, arn: &str, id: &str, instead_of: &str) -> Result<()>;
}
