//! What can go wrong, in sentences that say what to do.

use std::io;
use std::path::PathBuf;

/// A failure to find, make, start or stop a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No folder holds the server binaries.
    #[error(
        "no PostgreSQL server binaries found (looked in {looked}): install the server \
         (Debian or Ubuntu: `apt-get install postgresql`; macOS: `brew install postgresql@15`; Fedora: \
         `dnf install postgresql-server`) or set HOLDFAST_PG_BINDIR to the folder of `postgres` and `initdb`"
    )]
    BinariesNotFound {
        /// Where they were looked for.
        looked: String,
    },
    /// A major that was named or is required is not where it should be.
    #[error(
        "no PostgreSQL {major} server found (looked in {looked}): `tools/postgres-majors {major}` installs one, \
         or set HOLDFAST_PG{major}_BINDIR to the folder of `postgres` and `initdb`"
    )]
    MajorNotFound {
        /// The major version.
        major: u32,
        /// Where it was looked for.
        looked: String,
    },
    /// This process is root and there is no other user to run the server.
    #[error(
        "PostgreSQL refuses to run as root and the user `{0}` does not exist: set HOLDFAST_PG_USER to one that does"
    )]
    NoServerUser(String),
    /// A directory above the data directory or the server binaries keeps the server's user out.
    #[error(
        "the PostgreSQL user `{user}` cannot enter {}: allow it (`chmod o+x`), set HOLDFAST_PG_USER, \
         or use another directory", directory.display()
    )]
    NotTraversable {
        /// The directory that keeps it out.
        directory: PathBuf,
        /// The user that the server would run as.
        user: String,
    },
    /// A program of PostgreSQL ended with an error.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The last lines it wrote.
        output: String,
    },
    /// The server ended before it answered.
    #[error("the PostgreSQL server did not start: {log}")]
    NotStarted {
        /// The last lines of its log.
        log: String,
    },
    /// Time was up before the server did what was asked.
    #[error("the PostgreSQL server did not {action} within {seconds} s: {log}")]
    TimedOut {
        /// What was asked.
        action: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The operating system refused something.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        cause: io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Io { what: what.into(), cause }
    }
}
