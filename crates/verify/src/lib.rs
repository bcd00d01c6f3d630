//! The proof: what a restored PostgreSQL holds, checked and fingerprinted.
//!
//! [`verify`] connects over TLS, runs every check of every user database, and answers with the
//! checks and with a manifest of what it saw. It knows no AWS: a host, a user, a password and a CA
//! are all it needs. It only reads; every statement runs in a read-only transaction.
//!
//! | module | what it proves |
//! | --- | --- |
//! | `instance` | `isolation`, `inventory`: nothing reaches out, and there is something to check |
//! | `catalog`, `compare` | `schema`: every object by its hash, held against the last validated backup |
//! | `content` | `content`: exact counts and fingerprints, read from the heap |
//! | `integrity` | `foreign-keys`, `indexes`, `sequences` |
//! | `assertions` | `assertion: <name>`: the team's own SQL |
//!
//! A check that could not finish is `Errored`, one that never started is `NotRun`; neither is success.

use std::time::Duration;

use holdfast_core::validation::{Assertion, Check, Manifest};
use secrecy::SecretString;

mod assertions;
mod catalog;
mod catalog_sql;
mod compare;
mod connection;
mod content;
mod ending;
mod instance;
mod integrity;
mod run;
mod session;
mod settings;

pub use connection::{ConnectError, connect_probe};

/// Names the hashing and fingerprinting; manifests of different algorithms are not comparable.
pub const ALGORITHM: &str = "holdfast-1:hash64x2-sum-128";

/// The server to check.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name that the server's certificate must carry; also where to connect.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Its password; never logged, never part of an error.
    pub password: SecretString,
    /// The only authorities trusted for the server's certificate, PEM.
    pub ca_pem: String,
    /// Bound for one attempt: TCP, TLS and login together.
    pub connect_timeout: Duration,
}

/// What to check, against what, and within which limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The team's own statements.
    pub assertions: Vec<Assertion>,
    /// Manifest of the last validated backup; tables it has must still be there.
    pub reference: Option<Manifest>,
    /// `database.schema.table` that may be missing although the reference has them. A `*` at the
    /// end matches any rest (`shop.public.events_*`).
    pub allow_missing_tables: Vec<String>,
    /// Bound for one statement on the server.
    pub statement_timeout: Duration,
    /// Bound for the whole of [`verify`]; what has not started by then is not run.
    pub time_budget: Duration,
    /// Whether the server must be shown to reach nobody (adds the check `isolation`).
    pub expect_isolated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            assertions: Vec::new(),
            reference: None,
            allow_missing_tables: Vec::new(),
            statement_timeout: Duration::from_secs(300),
            time_budget: Duration::from_secs(780),
            expect_isolated: true,
        }
    }
}

/// What [`verify`] saw.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Every check, whatever its end; `holdfast_core::validation::verdict` sums them up.
    pub checks: Vec<Check>,
    /// What the data was. A table that could not be read is absent.
    pub manifest: Manifest,
    /// The user databases found.
    pub databases: Vec<String>,
}

/// Runs every check on every user database.
///
/// An error means that nothing could be looked at. Once connected, every trouble becomes the
/// result of a check.
pub async fn verify(target: &Target, options: &Options) -> Result<Outcome, ConnectError> {
    run::run(target, options).await
}
