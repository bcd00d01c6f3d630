//! A question that only a person answers.

use std::io::{IsTerminal as _, Write as _};

use tokio::sync::oneshot;

use crate::{Error, interrupt};

/// Whether the answer to `question` is `yes`, whole and nothing else. Ctrl-C is a no.
///
/// # Errors
/// `Usage` when nobody can answer.
pub async fn agreed(question: &str) -> Result<bool, Error> {
    // Before the question is there to be answered.
    let pressed = interrupt::pressed();
    eprint!("\n{question} Type yes: ");
    let failed = |error: std::io::Error| Error::Usage(format!("no answer can be read: {error}"));
    std::io::stderr().flush().map_err(failed)?;
    // A thread of its own, that ends with the process: a read cannot be called off, and the runtime waits for threads of its own.
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        // Who asked may have gone.
        let _ = tell.send(std::io::stdin().read_line(&mut answer).map(|_| answer));
    });
    tokio::select! {
        answer = told => match answer {
            Ok(answer) => Ok(answer.map_err(failed)?.trim() == "yes"),
            Err(_) => Ok(false),
        },
        () = pressed => {
            eprintln!();
            Ok(false)
        }
    }
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
