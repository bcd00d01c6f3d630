//! A question that only a person answers.

use std::io::{IsTerminal as _, Write as _};

use crate::Error;

/// Whether the answer to `question` is `yes`, whole and nothing else.
///
/// # Errors
/// `Usage` when nobody can answer.
pub fn agreed(question: &str) -> Result<bool, Error> {
    eprint!("\n{question} Type yes: ");
    let failed = |error: std::io::Error| Error::Usage(format!("no answer can be read: {error}"));
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim() == "yes")
}

/// Refuses what asks before it changes something, when nobody is there to answer and `--yes` was not said. `what`: `a restore`.
///
/// # Errors
/// `Usage`.
pub fn possible(yes: bool, what: &str) -> Result<(), Error> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{what} says what it will do and asks before it does, and nobody is there: say --yes"
    )))
}
