//! Errors as they go over the wire, and why the server itself cannot start.

/// What a caller is told: the real code, status and message of RDS.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RdsError {
    /// The code, such as `DBSnapshotNotFound`.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The sentence for a person.
    pub message: String,
}

impl RdsError {
    /// An error of the caller's making, HTTP 400.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(code, 400, message)
    }

    /// An error with this HTTP status.
    pub fn with_status(code: &str, status: u16, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), status, message: message.into() }
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    pub(crate) fn instance_not_found(id: &str) -> Self {
        Self::with_status("DBInstanceNotFound", 404, format!("DBInstance {id} not found."))
    }

    pub(crate) fn instance_exists() -> Self {
        Self::new("DBInstanceAlreadyExists", "DB instance already exists")
    }

    pub(crate) fn instance_state(message: impl Into<String>) -> Self {
        Self::new("InvalidDBInstanceState", message)
    }

    pub(crate) fn backup_not_found(what: &str) -> Self {
        let why = format!("Automated backups of {what} not found.");
        Self::with_status("DBInstanceAutomatedBackupNotFound", 404, why)
    }

    pub(crate) fn snapshot_not_found(id: &str) -> Self {
        Self::with_status("DBSnapshotNotFound", 404, format!("DBSnapshot {id} not found."))
    }

    pub(crate) fn snapshot_exists(id: &str) -> Self {
        let why =
            format!("Cannot create the snapshot because a snapshot with the identifier {id} already exists.");
        Self::new("DBSnapshotAlreadyExists", why)
    }

    pub(crate) fn snapshot_state(message: impl Into<String>) -> Self {
        Self::new("InvalidDBSnapshotState", message)
    }

    pub(crate) fn certificate_not_found(name: &str) -> Self {
        Self::with_status("CertificateNotFound", 404, format!("Certificate not found: {name}"))
    }

    pub(crate) fn group_not_found(name: &str) -> Self {
        Self::with_status("DBParameterGroupNotFound", 404, format!("DBParameterGroup not found: {name}"))
    }

    pub(crate) fn key_not_accessible(key: &str) -> Self {
        let why = format!(
            "The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions to access it."
        );
        Self::new("KMSKeyNotAccessibleFault", why)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::with_status("InternalFailure", 500, message)
    }
}

/// Why the local RDS cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// PostgreSQL or its certificates.
    #[error(transparent)]
    Postgres(#[from] holdfast_local_postgres::Error),
    /// The operating system.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        cause: std::io::Error,
    },
}

impl StartError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { what, cause }
    }
}
