//! What the domain needs of the world, in the domain's words.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Result;
use crate::health::{Key, Quota};
use crate::ids::{DatabaseId, OperationId, Region};
use crate::operation::Operation;
use crate::rds::{Creation, Endpoint, Instance, Snapshot};
use crate::tags::Tags;

mod breakers;
mod networks;
mod restores;
mod swaps;

pub use breakers::Breakers;
pub use networks::Networks;
pub use restores::{LastSettings, NewDatabase, Referred, RestoreWindow, Restores};
pub use swaps::{Dns, FoundRecord, RenameAnswer, Renames, SecretVersion, Secrets};

/// A snapshot to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Its derived name.
    pub id: String,
    /// The instance.
    pub instance_id: String,
    /// Its tags, ours among them.
    pub tags: Tags,
}

/// A copy of a snapshot into another Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCopy {
    /// Its derived name there.
    pub id: String,
    /// Where it goes.
    pub to: Region,
    /// Where it comes from.
    pub from: Region,
    /// ARN of the source snapshot.
    pub source_arn: String,
    /// Key in the target Region.
    pub kms_key_id: String,
    /// Its tags, ours among them.
    pub tags: Tags,
}

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreAnswer {
    /// The call made the instance.
    Started(Box<Instance>),
    /// The name was taken already.
    AlreadyThere,
    /// No capacity for this class, or it is not offered: try the next.
    NoCapacity,
    /// The snapshot cannot be restored from now (`creating`, being modified).
    NotYet,
}

/// A temporary instance to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRestore {
    /// Its derived name.
    pub id: String,
    /// The snapshot.
    pub snapshot_id: String,
    /// Instance class.
    pub class: String,
    /// Parameter group of its own.
    pub parameter_group: String,
    /// Subnets with no way out.
    pub subnet_group: String,
    /// Security group that lets only the validating function in.
    pub security_group: String,
    /// Its tags, expiry among them.
    pub tags: Tags,
}

/// What starting a snapshot came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotAnswer {
    /// The call made it.
    Created(Box<Snapshot>),
    /// The name was taken already.
    AlreadyThere,
    /// The instance is busy with something else; ask again.
    SourceBusy,
}

/// What starting a copy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyAnswer {
    /// The call made it.
    Created(Box<Snapshot>),
    /// The name was taken already.
    AlreadyThere,
    /// As many copies as allowed are in flight to that Region; ask again.
    TooManyInFlight,
}

/// What deleting a snapshot came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotDeletion {
    /// The call deleted it.
    Deleted,
    /// It was gone already.
    Gone,
    /// RDS does not delete it in the state it is in; this is what it said.
    Refused(String),
}

/// An operation that has not ended, as an index of the state table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unended {
    /// Its id.
    pub id: OperationId,
    /// `BACKUP`, ...
    pub kind: String,
    /// The phase it is in, as the record says it.
    pub phase: String,
}

/// Amazon RDS, in every Region.
#[async_trait]
pub trait Rds: Send + Sync {
    /// The instance, or `None` when there is none of that name.
    async fn instance(&self, region: &Region, id: &str) -> Result<Option<Instance>>;
    /// Every instance that Holdfast marked as temporary.
    async fn temporary_instances(&self, region: &Region) -> Result<Vec<Instance>>;
    /// The manual snapshot, or `None`.
    async fn snapshot(&self, region: &Region, id: &str) -> Result<Option<Snapshot>>;
    /// Copies from other Regions that are being made in `region`, whoever asked for them.
    async fn copies_in_flight(&self, region: &Region) -> Result<usize>;
    /// Manual snapshots against their quota; `None` when RDS does not say.
    async fn snapshot_quota(&self, region: &Region) -> Result<Option<Quota>>;
    /// Starts a snapshot.
    async fn create_snapshot(&self, region: &Region, new: &NewSnapshot) -> Result<SnapshotAnswer>;
    /// Every manual snapshot, whoever made it, copies among them.
    async fn manual_snapshots(&self, region: &Region) -> Result<Vec<Snapshot>>;
    /// Deletes a manual snapshot.
    async fn delete_snapshot(&self, region: &Region, id: &str) -> Result<SnapshotDeletion>;
    /// Starts a copy, called in the target Region.
    async fn copy_snapshot(&self, new: &NewCopy) -> Result<CopyAnswer>;
    /// Sets tags on a snapshot.
    async fn tag_snapshot(&self, snapshot: &Snapshot, tags: &Tags) -> Result<()>;
    /// Sets tags on an instance.
    async fn tag_instance(&self, region: &Region, instance: &Instance, tags: &Tags) -> Result<()>;
    /// Makes sure the parameter group is there, is ours, and holds `parameters`.
    async fn ensure_parameter_group(
        &self,
        region: &Region,
        name: &str,
        family: &str,
        parameters: &[(&str, &str)],
    ) -> Result<()>;
    /// Starts a restore.
    async fn restore(&self, region: &Region, new: &NewRestore) -> Result<RestoreAnswer>;
    /// Sets the master password and switches automated backups off, at once.
    async fn take_over_instance(&self, region: &Region, id: &str, password: &SecretString) -> Result<()>;
    /// Deletes an instance with its automated backups and without a final snapshot. Gone already is success.
    async fn delete_instance(&self, region: &Region, id: &str) -> Result<()>;
}

/// AWS KMS.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The key behind an id, ARN or alias in `region`, or `None`.
    async fn key(&self, region: &Region, id: &str) -> Result<Option<Key>>;
    /// Makes sure this role may encrypt with it.
    async fn require_permission(&self, region: &Region, key: &Key) -> Result<()>;
    /// A password derived from `context` by the HMAC key: always the same, kept nowhere.
    async fn derive_password(&self, context: &str) -> Result<SecretString>;
}

/// Roles that a restored instance is given.
#[async_trait]
pub trait Roles: Send + Sync {
    /// The services that may take a role, as its trust policy names them; `None` when there is no such role.
    async fn trusted_services(&self, arn: &str) -> Result<Option<Vec<String>>>;
}

/// How to log in to a database that is not Holdfast's own.
#[async_trait]
pub trait Logins: Send + Sync {
    /// The text of a secret in Secrets Manager, or `None` when there is none of that ARN.
    async fn secret(&self, arn: &str) -> Result<Option<SecretString>>;
    /// A password for `user` at `endpoint` that IAM vouches for: good for 15 minutes, to log in with.
    async fn iam_token(&self, region: &Region, endpoint: &Endpoint, user: &str) -> Result<SecretString>;
}

/// What a conditional write came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Written.
    Done,
    /// The condition did not hold; this is what is there.
    Conflict(Box<Operation>),
}

/// The state table.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes a new record unless there is one.
    async fn create(&self, operation: &Operation, summary: &Value) -> Result<Creation<()>>;
    /// The record.
    async fn get(&self, id: &OperationId) -> Result<Option<Operation>>;
    /// Writes `next` if what is there still has `current`'s version and owner.
    async fn replace(&self, current: &Operation, next: &Operation, summary: &Value) -> Result<Write>;
    /// The newest operation of the database that began before `before` and whose backup was found VALID: a run that is
    /// resumed late is not held against one that came after it.
    async fn latest_valid(&self, database: &DatabaseId, before: Timestamp) -> Result<Option<OperationId>>;
    /// The operations of the database that have not ended, of every kind.
    async fn unended(&self, database: &DatabaseId) -> Result<Vec<Unended>>;
}

/// The metadata bucket. Documents are read and written as what they are: what lies between, a tree of JSON values, takes several
/// times the memory, and the catalog of a large database is large.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Writes a JSON document unless there is one.
    async fn create<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<Creation<()>>;
    /// Writes a JSON document.
    async fn put<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<()>;
    /// Reads one, as what it is: [`ErrorKind::UnreadableRecord`] when it is something else.
    ///
    /// [`ErrorKind::UnreadableRecord`]: crate::ErrorKind::UnreadableRecord
    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>>;
    /// Writes an HTML page.
    async fn put_page(&self, key: &str, html: &str) -> Result<()>;
    /// Keys of all documents whose key begins with `prefix`.
    async fn keys(&self, prefix: &str) -> Result<Vec<String>>;
}

/// AWS Step Functions, as far as it tells whether another owner lives.
#[async_trait]
pub trait Executions: Send + Sync {
    /// Whether the execution is running; `false` when it is not known any more.
    async fn is_running(&self, arn: &str) -> Result<bool>;
}

/// How an execution is.
#[derive(Debug, Clone, PartialEq)]
pub enum Execution {
    /// It runs.
    Running,
    /// It ended well, with this output.
    Succeeded(Value),
    /// It ended otherwise: the error's name (or the status, when it has none) and its cause.
    Failed {
        /// `Holdfast.ValidationFailed`, `ABORTED`, ...
        name: String,
        /// The sentence.
        cause: String,
    },
}

/// What `infra/region.yaml` deploys to a target Region, asked from the home Region.
#[async_trait]
pub trait RegionStack: Send + Sync {
    /// Writes a JSON document into the metadata bucket there.
    async fn put_document<T: Serialize + Sync>(&self, region: &Region, key: &str, document: &T)
    -> Result<()>;
    /// Starts the validation workflow there under a name of the caller's. One of that name already is success: the
    /// answer is the execution's ARN.
    async fn start_validation(&self, region: &Region, name: &str, input: &Value) -> Result<String>;
    /// How an execution there is; `None` when it is not known any more.
    async fn execution(&self, region: &Region, arn: &str) -> Result<Option<Execution>>;
}
