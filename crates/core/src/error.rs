//! Errors are part of the interface: the state machine matches their names.
//!
//! Every kind has a name (`Holdfast.Throttled`), says whether a retry can help, says what it left
//! behind, and has a page `docs/errors/<Name>.md`. Contract tests hold the state machine and the
//! pages against this enum.

use std::fmt;

/// What went wrong, as the state machine and the runbooks know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is not one Holdfast accepts; the message names the field.
    InvalidInput,
    /// The same database and run id were asked for before with other options.
    RequestMismatch,
    /// The function is deployed without a setting it needs.
    Configuration,
    /// Another execution took the operation over; this one must stop.
    StaleOwner,
    /// The operation has ended; its end state does not change.
    OperationEnded,
    /// The state table refused a transition that the phases do not allow.
    IllegalTransition,
    /// The record of the operation cannot be read.
    UnreadableRecord,
    /// The database to back up does not exist in this Region.
    SourceNotFound,
    /// The database is in a state from which no backup can be taken without a person.
    SourceUnusable,
    /// A resource of the derived name exists and is not this operation's.
    NameTaken,
    /// No room for another manual snapshot in the Region.
    SnapshotQuotaExceeded,
    /// RDS ended the snapshot as `failed`.
    SnapshotFailed,
    /// The snapshot was there and is gone.
    SnapshotGone,
    /// RDS ended the copy as `failed`.
    CopyFailed,
    /// The KMS key is missing, disabled, pending deletion, or may not be used by this role.
    KeyUnusable,
    /// At least one check of the restored data failed.
    ValidationFailed,
    /// The restored data could not be checked to the end: nothing is proven.
    ValidationInconclusive,
    /// The source could not be read, or not to the end, for a baseline that was asked for.
    BaselineUnreadable,
    /// There is no recovery point such as was asked for in the Region.
    RecoveryPointNotFound,
    /// The time asked for is not within the times that the automated backups reach.
    OutsideRestoreWindow,
    /// Something that the restored instance refers to is not there, or cannot be used.
    ReferenceUnresolved,
    /// RDS has no capacity for any of the classes.
    NoCapacity,
    /// The account has no room for another instance in the Region, or for its storage.
    InstanceQuotaExceeded,
    /// RDS ended the restored instance in a state that it does not leave.
    RestoreFailed,
    /// What uses the database did not do with what was swapped in; the swap was undone.
    SmokeCheckFailed,
    /// A swap that had to be undone could not be: names are not where they were.
    SwapNotUndone,
    /// The input's deadline passed.
    DeadlineExceeded,
    /// A person ended the operation.
    Cancelled,
    /// Temporary resources are still there after the clean-up's bound.
    CleanUpIncomplete,
    /// The function's role may not do what it must.
    AccessDenied,
    /// AWS asked to slow down.
    Throttled,
    /// AWS answered with a fault of its own.
    ServiceUnavailable,
    /// The service failed so often that nothing is sent to it for a while.
    CircuitOpen,
    /// The call may or may not have taken effect; the next attempt looks.
    OutcomeUnknown,
    /// A fault of Holdfast itself.
    Internal,
}

/// What a failure leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing was created by the failed step.
    Nothing,
    /// Something of this operation stays and is named in the record.
    Something,
    /// It is not known; the next attempt or the sweep looks.
    Unknown,
}

impl ErrorKind {
    /// Every kind, for the contract tests and the pages.
    pub const ALL: [ErrorKind; 35] = [
        ErrorKind::InvalidInput,
        ErrorKind::RequestMismatch,
        ErrorKind::Configuration,
        ErrorKind::StaleOwner,
        ErrorKind::OperationEnded,
        ErrorKind::IllegalTransition,
        ErrorKind::UnreadableRecord,
        ErrorKind::SourceNotFound,
        ErrorKind::SourceUnusable,
        ErrorKind::NameTaken,
        ErrorKind::SnapshotQuotaExceeded,
        ErrorKind::SnapshotFailed,
        ErrorKind::SnapshotGone,
        ErrorKind::CopyFailed,
        ErrorKind::KeyUnusable,
        ErrorKind::ValidationFailed,
        ErrorKind::ValidationInconclusive,
        ErrorKind::BaselineUnreadable,
        ErrorKind::RecoveryPointNotFound,
        ErrorKind::OutsideRestoreWindow,
        ErrorKind::ReferenceUnresolved,
        ErrorKind::NoCapacity,
        ErrorKind::InstanceQuotaExceeded,
        ErrorKind::RestoreFailed,
        ErrorKind::SmokeCheckFailed,
        ErrorKind::SwapNotUndone,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Cancelled,
        ErrorKind::CleanUpIncomplete,
        ErrorKind::AccessDenied,
        ErrorKind::Throttled,
        ErrorKind::ServiceUnavailable,
        ErrorKind::CircuitOpen,
        ErrorKind::OutcomeUnknown,
        ErrorKind::Internal,
    ];

    /// The name without its prefix: the page's file name.
    pub fn short_name(self) -> &'static str {
        match self {
            ErrorKind::InvalidInput => "InvalidInput",
            ErrorKind::RequestMismatch => "RequestMismatch",
            ErrorKind::Configuration => "Configuration",
            ErrorKind::StaleOwner => "StaleOwner",
            ErrorKind::OperationEnded => "OperationEnded",
            ErrorKind::IllegalTransition => "IllegalTransition",
            ErrorKind::UnreadableRecord => "UnreadableRecord",
            ErrorKind::SourceNotFound => "SourceNotFound",
            ErrorKind::SourceUnusable => "SourceUnusable",
            ErrorKind::NameTaken => "NameTaken",
            ErrorKind::SnapshotQuotaExceeded => "SnapshotQuotaExceeded",
            ErrorKind::SnapshotFailed => "SnapshotFailed",
            ErrorKind::SnapshotGone => "SnapshotGone",
            ErrorKind::CopyFailed => "CopyFailed",
            ErrorKind::KeyUnusable => "KeyUnusable",
            ErrorKind::ValidationFailed => "ValidationFailed",
            ErrorKind::ValidationInconclusive => "ValidationInconclusive",
            ErrorKind::BaselineUnreadable => "BaselineUnreadable",
            ErrorKind::RecoveryPointNotFound => "RecoveryPointNotFound",
            ErrorKind::OutsideRestoreWindow => "OutsideRestoreWindow",
            ErrorKind::ReferenceUnresolved => "ReferenceUnresolved",
            ErrorKind::NoCapacity => "NoCapacity",
            ErrorKind::InstanceQuotaExceeded => "InstanceQuotaExceeded",
            ErrorKind::RestoreFailed => "RestoreFailed",
            ErrorKind::SmokeCheckFailed => "SmokeCheckFailed",
            ErrorKind::SwapNotUndone => "SwapNotUndone",
            ErrorKind::DeadlineExceeded => "DeadlineExceeded",
            ErrorKind::Cancelled => "Cancelled",
            ErrorKind::CleanUpIncomplete => "CleanUpIncomplete",
            ErrorKind::AccessDenied => "AccessDenied",
            ErrorKind::Throttled => "Throttled",
            ErrorKind::ServiceUnavailable => "ServiceUnavailable",
            ErrorKind::CircuitOpen => "CircuitOpen",
            ErrorKind::OutcomeUnknown => "OutcomeUnknown",
            ErrorKind::Internal => "Internal",
        }
    }

    /// The kind of a name the state machine saw; `None` for a name that is not Holdfast's.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name the state machine matches.
    pub fn name(self) -> String {
        format!("Holdfast.{}", self.short_name())
    }

    /// Whether the same call can succeed a moment later with nobody's help.
    pub fn retryable(self) -> bool {
        match self {
            ErrorKind::Throttled
            | ErrorKind::ServiceUnavailable
            | ErrorKind::CircuitOpen
            | ErrorKind::OutcomeUnknown => true,
            ErrorKind::InvalidInput
            | ErrorKind::RequestMismatch
            | ErrorKind::Configuration
            | ErrorKind::StaleOwner
            | ErrorKind::OperationEnded
            | ErrorKind::IllegalTransition
            | ErrorKind::UnreadableRecord
            | ErrorKind::SourceNotFound
            | ErrorKind::SourceUnusable
            | ErrorKind::NameTaken
            | ErrorKind::SnapshotQuotaExceeded
            | ErrorKind::SnapshotFailed
            | ErrorKind::SnapshotGone
            | ErrorKind::CopyFailed
            | ErrorKind::KeyUnusable
            | ErrorKind::ValidationFailed
            | ErrorKind::ValidationInconclusive
            | ErrorKind::BaselineUnreadable
            | ErrorKind::RecoveryPointNotFound
            | ErrorKind::OutsideRestoreWindow
            | ErrorKind::ReferenceUnresolved
            | ErrorKind::NoCapacity
            | ErrorKind::InstanceQuotaExceeded
            | ErrorKind::RestoreFailed
            | ErrorKind::SmokeCheckFailed
            | ErrorKind::SwapNotUndone
            | ErrorKind::DeadlineExceeded
            | ErrorKind::Cancelled
            | ErrorKind::CleanUpIncomplete
            | ErrorKind::AccessDenied
            | ErrorKind::Internal => false,
        }
    }

    /// What the failed step leaves behind.
    pub fn leftovers(self) -> Leftovers {
        match self {
            ErrorKind::InvalidInput
            | ErrorKind::RequestMismatch
            | ErrorKind::Configuration
            | ErrorKind::OperationEnded
            | ErrorKind::IllegalTransition
            | ErrorKind::UnreadableRecord
            | ErrorKind::SourceNotFound
            | ErrorKind::SourceUnusable
            | ErrorKind::NameTaken
            | ErrorKind::SnapshotQuotaExceeded
            | ErrorKind::SnapshotGone
            | ErrorKind::KeyUnusable
            | ErrorKind::BaselineUnreadable
            | ErrorKind::RecoveryPointNotFound
            | ErrorKind::OutsideRestoreWindow
            | ErrorKind::ReferenceUnresolved
            | ErrorKind::NoCapacity
            | ErrorKind::InstanceQuotaExceeded
            | ErrorKind::AccessDenied
            | ErrorKind::Throttled => Leftovers::Nothing,
            ErrorKind::SnapshotFailed
            | ErrorKind::CopyFailed
            | ErrorKind::ValidationFailed
            | ErrorKind::ValidationInconclusive
            | ErrorKind::RestoreFailed
            | ErrorKind::SmokeCheckFailed
            | ErrorKind::SwapNotUndone
            | ErrorKind::CleanUpIncomplete => Leftovers::Something,
            ErrorKind::StaleOwner
            | ErrorKind::DeadlineExceeded
            | ErrorKind::Cancelled
            | ErrorKind::ServiceUnavailable
            // An earlier attempt of the same call may have taken effect.
            | ErrorKind::CircuitOpen
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Internal => Leftovers::Unknown,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holdfast.{}", self.short_name())
    }
}

/// An error with its name and one sentence for the person who is paged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of error; its name is what the state machine matches.
    pub kind: ErrorKind,
    /// One sentence, no secret in it.
    pub message: String,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into() }
    }

    /// Bad input: one sentence naming the field and the value allowed.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidInput, message)
    }
}

/// What the domain and its ports return.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_all_kinds_are_listed() {
        let mut names: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn what_is_retryable_never_claims_to_leave_something() {
        for kind in ErrorKind::ALL.into_iter().filter(|kind| kind.retryable()) {
            assert_ne!(kind.leftovers(), Leftovers::Something, "{kind}");
        }
    }
}
