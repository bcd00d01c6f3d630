//! One error: a sentence for a developer, with its cause.

use std::{error::Error as StdError, io, path::Path};

/// What went wrong, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Error(text.into())
    }

    /// A sentence and the whole chain of what caused it.
    pub fn because(text: impl AsRef<str>, cause: &(dyn StdError + 'static)) -> Self {
        let mut whole = text.as_ref().to_owned();
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !whole.ends_with(&text) {
                whole.push_str(": ");
                whole.push_str(&text);
            }
            next = cause.source();
        }
        Error(whole)
    }

    /// Something about a file.
    pub fn file(path: &Path, cause: io::Error) -> Self {
        Error(format!("{}: {cause}", path.display()))
    }
}

impl From<holdfast_cli::Error> for Error {
    fn from(error: holdfast_cli::Error) -> Self {
        Error(error.to_string())
    }
}
