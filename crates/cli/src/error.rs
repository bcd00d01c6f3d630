//! What can go wrong on this side of the wire, in words for the person at the keyboard.

use std::error::Error as StdError;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;

/// Why the command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the input file does not make sense.
    #[error("{0}")]
    Usage(String),
    /// There is no operation of this id in the state table.
    #[error("no operation {id} in table {table}: check the id, the Region and DR_STATE_TABLE_NAME")]
    NoSuchOperation {
        /// The id that was asked for.
        id: String,
        /// The table that was searched.
        table: String,
    },
    /// There is no state table of this name where it was looked for.
    #[error(
        "there is no table {0} in this Region: say with --state-table (or DR_STATE_TABLE_NAME), or --stack, and AWS_REGION where the records \
         of this deployment are (Output StateTableName of its stack)"
    )]
    NoSuchTable(String),
    /// A call to AWS failed.
    #[error("{call}: {cause}")]
    Aws {
        /// What was called.
        call: &'static str,
        /// The chain of causes, outermost first.
        cause: String,
    },
    /// AWS answered with something that this version does not understand.
    #[error("{0}")]
    Unreadable(String),
    /// A database server lets nobody in.
    #[error("{0}")]
    NotConnected(String),
    /// What was found could not be written to a file, or what was decided to where it is kept.
    #[error("{0}")]
    NotWritten(String),
}

impl Error {
    /// What reading the state table met: `ResourceNotFoundException` is how DynamoDB says that there is no such table (API
    /// Reference, GetItem and Query).
    pub fn of_table(
        call: &'static str,
        table: &str,
        error: &(impl StdError + ProvideErrorMetadata + 'static),
    ) -> Self {
        if error.code() == Some("ResourceNotFoundException") {
            return Error::NoSuchTable(table.to_owned());
        }
        Error::aws(call, error)
    }

    /// Wraps an SDK error, whose `Display` alone says only "service error".
    pub fn aws(call: &'static str, error: &dyn StdError) -> Self {
        let mut causes = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = error.source();
        }
        Error::Aws { call, cause: causes.join(": ") }
    }
}
