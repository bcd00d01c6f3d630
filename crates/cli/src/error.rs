//! What can go wrong on this side of the wire, in words for the person at the keyboard.

use std::error::Error as StdError;

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
