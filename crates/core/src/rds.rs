//! What the domain knows of an instance and a snapshot, and what it concludes from one look.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{OperationId, Region};
use crate::tags::{self, Tags};

/// A DB instance as described once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Identifier, lower case.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// `DbiResourceId`: the instance's own, whatever its name is.
    pub resource_id: String,
    /// `DBInstanceStatus` as RDS spells it (Amazon RDS User Guide, "Viewing DB instance status").
    pub status: String,
    /// `postgres`, `mysql`, ...
    pub engine: String,
    /// Engine version, `15.4`.
    pub engine_version: String,
    /// Instance class.
    pub class: String,
    /// Host name and port, once it has them.
    pub endpoint: Option<Endpoint>,
    /// Master user name.
    pub master_username: String,
    /// Whether its storage is encrypted.
    pub encrypted: bool,
    /// Whether a change (password, retention, identifier) is still to be applied.
    pub change_pending: bool,
    /// Everything that is pending, by the members of `PendingModifiedValues`: the next change that is made at once makes
    /// all of it.
    #[serde(default)]
    pub pending: Vec<String>,
    /// Days of automated backups.
    pub backup_retention_days: i32,
    /// Whether it has a public address.
    pub publicly_accessible: bool,
    /// Parameter groups by name.
    pub parameter_groups: Vec<String>,
    /// VPC security groups by id.
    pub security_groups: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// What the status of an instance that is being restored means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It gets there by itself.
    Coming,
    /// It can be used.
    Up,
    /// The snapshot did not become a database.
    NotRestorable,
    /// No capacity for the class after all.
    NoCapacity,
    /// It cannot be used, for a reason that says nothing of the snapshot.
    Unusable,
}

impl Instance {
    /// Reads `DBInstanceStatus` of an instance that is being restored (Amazon RDS User Guide, "Viewing Amazon RDS DB
    /// instance status").
    pub fn life(&self) -> Life {
        match &*self.status {
            // While its blocks come from S3 it "remains available for operations": hours of every restore of something large.
            "available" | "storage-optimization" | "storage-initialization" => Life::Up,
            "incompatible-restore" | "restore-error" => Life::NotRestorable,
            "insufficient-capacity" => Life::NoCapacity,
            "failed"
            | "incompatible-create"
            | "incompatible-network"
            | "incompatible-option-group"
            | "incompatible-parameters"
            | "inaccessible-encryption-credentials"
            | "inaccessible-encryption-credentials-recoverable"
            | "stopped"
            | "storage-full" => Life::Unusable,
            _ => Life::Coming,
        }
    }

    /// Whether it is of no use since RDS cannot use its key: for good, or until somebody gives the key back and starts it
    /// (AWS re:Post, "How do I resolve an Amazon RDS DB instance that is in an inaccessible encryption state?").
    pub fn lacks_its_key(&self) -> bool {
        self.status.starts_with("inaccessible-encryption-credentials")
    }
}

/// The parameter group family of an engine version, where its rule is known: `postgres15` for 15.4, `mysql8.0` for 8.0.36
/// (Amazon RDS User Guide, "Parameter groups").
pub fn parameter_group_family(engine: &str, version: &str) -> Option<String> {
    let parts = match engine {
        "postgres" => 1,
        "mysql" | "mariadb" => 2,
        _ => return None,
    };
    let major: Vec<&str> = version.split('.').take(parts).collect();
    (major.len() == parts && !major[0].is_empty()).then(|| format!("{engine}{}", major.join(".")))
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host name; the certificate is made out to it.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A server and how to log in to it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it listens; the name its certificate must carry.
    pub endpoint: Endpoint,
    /// Who logs in.
    pub user: String,
    /// The password, or a token; never logged, never part of an error.
    pub password: SecretString,
}

/// Where a snapshot is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SnapshotStatus {
    /// Being taken or copied.
    Creating,
    /// Complete.
    Available,
    /// Ended badly; it will not become available.
    Failed,
    /// Any other word of RDS's (`deleting`, ...).
    Other(String),
}

/// A DB snapshot as described once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Identifier.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Region it lies in.
    pub region: Region,
    /// The instance it was taken of.
    pub instance_id: String,
    /// State.
    pub status: SnapshotStatus,
    /// 0-100 as RDS reports it; 0 for hours is legal for a copy.
    pub percent: u8,
    /// Allocated storage, GiB.
    pub size_gib: u32,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its key.
    pub kms_key_id: Option<String>,
    /// When the data is from: `OriginalSnapshotCreateTime`, which a copy keeps, else `SnapshotCreateTime`.
    pub taken_at: Option<Timestamp>,
    /// `postgres`, ...
    pub engine: String,
    /// Engine version.
    pub engine_version: String,
    /// The Region it was copied from, for a cross-Region copy.
    pub source_region: Option<Region>,
    /// ARN of the snapshot it was copied from, for a copy.
    pub source_arn: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// The outcome of asking for a resource by its derived name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation<T> {
    /// The call made it.
    Created(T),
    /// The name was taken already: by an earlier attempt of ours, or by somebody else.
    AlreadyThere,
}

/// Refuses to go on with a resource that this operation did not make.
///
/// # Errors
/// `NameTaken` when the tag is missing or another operation's.
pub fn require_own(what: &str, tags: &Tags, operation: &OperationId) -> Result<()> {
    match tags.get(tags::OPERATION) {
        Some(owner) if owner == operation.as_str() => Ok(()),
        Some(owner) => Err(Error::new(
            ErrorKind::NameTaken,
            format!("{what} exists and belongs to operation {owner}; it is left alone"),
        )),
        None => Err(Error::new(
            ErrorKind::NameTaken,
            format!("{what} exists and does not carry the tag {}; it is left alone", tags::OPERATION),
        )),
    }
}

impl Snapshot {
    /// The database it is of: as Holdfast's tag has it, for an instance that was renamed since; else as RDS has it.
    pub fn database(&self) -> &str {
        self.tags.get(tags::DATABASE).unwrap_or(&self.instance_id)
    }

    /// Whether this operation's snapshot is complete: `Some(())` when it is, `None` while it is made.
    ///
    /// # Errors
    /// `NameTaken` when it is not this operation's; `failed_as` when RDS ended it as failed.
    pub fn is_complete(&self, operation: &OperationId, failed_as: ErrorKind) -> Result<bool> {
        require_own(&format!("snapshot {} in {}", self.id, self.region), &self.tags, operation)?;
        match &self.status {
            SnapshotStatus::Available => Ok(true),
            SnapshotStatus::Creating => Ok(false),
            SnapshotStatus::Failed => Err(Error::new(
                failed_as,
                format!(
                    "RDS ended snapshot {} in {} as failed at {} %; it stays for inspection",
                    self.id, self.region, self.percent
                ),
            )),
            SnapshotStatus::Other(word) => Err(Error::new(
                ErrorKind::SnapshotGone,
                format!("snapshot {} in {} is {word}", self.id, self.region),
            )),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids::{DatabaseId, RunId};

    pub(crate) fn operation() -> OperationId {
        OperationId::derive(
            &Region::parse("us-east-1").unwrap(),
            &DatabaseId::parse("prod-db").unwrap(),
            &RunId::parse("r1").unwrap(),
        )
    }

    fn instance() -> Instance {
        Instance {
            id: "prod-db".into(),
            arn: "arn:aws:rds:us-east-1:1:db:prod-db".into(),
            resource_id: "db-PROD".into(),
            status: "available".into(),
            engine: "postgres".into(),
            engine_version: "15.4".into(),
            class: "db.t4g.medium".into(),
            endpoint: None,
            master_username: "app".into(),
            encrypted: true,
            change_pending: false,
            pending: vec![],
            backup_retention_days: 1,
            publicly_accessible: false,
            parameter_groups: vec![],
            security_groups: vec![],
            tags: Tags::new(),
        }
    }

    fn snapshot(status: SnapshotStatus, owner: Option<&str>) -> Snapshot {
        Snapshot {
            id: "holdfast-x".into(),
            arn: "arn:aws:rds:us-east-1:1:snapshot:holdfast-x".into(),
            region: Region::parse("us-east-1").unwrap(),
            instance_id: "prod-db".into(),
            status,
            percent: 40,
            size_gib: 20,
            encrypted: true,
            kms_key_id: None,
            taken_at: None,
            engine: "postgres".into(),
            engine_version: "15.4".into(),
            source_region: None,
            source_arn: None,
            tags: owner.map(|owner| (tags::OPERATION.to_owned(), owner.to_owned())).into_iter().collect(),
        }
    }

    #[test]
    fn another_owners_snapshot_is_never_adopted() {
        let own = operation();
        for owner in [None, Some("other-db-r1-0123456789")] {
            let error = snapshot(SnapshotStatus::Available, owner)
                .is_complete(&own, ErrorKind::SnapshotFailed)
                .unwrap_err();
            assert_eq!(error.kind, ErrorKind::NameTaken);
        }
    }

    #[test]
    fn an_end_state_of_a_restore_is_never_waited_for() {
        let life = |status: &str| Instance { status: status.into(), ..instance() }.life();
        assert_eq!(life("incompatible-restore"), Life::NotRestorable);
        assert_eq!(life("storage-full"), Life::Unusable);
        assert_eq!(life("insufficient-capacity"), Life::NoCapacity);
        assert_eq!(life("inaccessible-encryption-credentials-recoverable"), Life::Unusable);
        for up in ["available", "storage-optimization", "storage-initialization"] {
            assert_eq!(life(up), Life::Up, "{up}");
        }
        assert_eq!(life("creating"), Life::Coming);
        assert_eq!(life("deleting"), Life::Coming);
    }

    #[test]
    fn a_family_is_told_where_its_rule_is_known() {
        for (engine, version, family) in [
            ("postgres", "15.4", Some("postgres15")),
            ("postgres", "", None),
            ("mysql", "8.0.36", Some("mysql8.0")),
            ("mariadb", "10.6.14", Some("mariadb10.6")),
            ("oracle-ee", "19.0.0.0.ru-2024-01.rur-2024-01.r1", None),
        ] {
            assert_eq!(parameter_group_family(engine, version).as_deref(), family, "{engine} {version}");
        }
    }

    #[test]
    fn a_snapshot_is_of_what_its_tag_says_and_else_of_its_instance() {
        let untagged = snapshot(SnapshotStatus::Available, None);
        assert_eq!(untagged.database(), "prod-db");
        let tags = Tags::from([(tags::DATABASE.to_owned(), "shop-db".to_owned())]);
        assert_eq!(Snapshot { tags, ..untagged }.database(), "shop-db");
    }

    #[test]
    fn only_available_is_complete() {
        let own = operation();
        let look = |status| {
            snapshot(status, Some(own.as_str())).is_complete(&own, ErrorKind::CopyFailed).map_err(|e| e.kind)
        };
        assert_eq!(look(SnapshotStatus::Available), Ok(true));
        assert_eq!(look(SnapshotStatus::Creating), Ok(false));
        assert_eq!(look(SnapshotStatus::Failed), Err(ErrorKind::CopyFailed));
        assert_eq!(look(SnapshotStatus::Other("deleting".into())), Err(ErrorKind::SnapshotGone));
    }
}
