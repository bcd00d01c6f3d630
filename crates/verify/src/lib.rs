//! The proof: what a restored PostgreSQL holds, checked and fingerprinted.
//!
//! [`verify`] connects over TLS, runs every check of every user database, and answers with the
//! checks and with a manifest of what it saw. It knows no AWS: a host, a user, a password and a CA
//! are all it needs. It only reads; every statement runs in a read-only transaction.
//!
//! It works in three steps that can be taken by different processes: [`plan`] reads the catalog and cuts the work into
//! units, [`work`] does some of them over several connections, [`conclude`] sums up. [`verify`] is the three in a row.
//!
//! | module | what it proves |
//! | --- | --- |
//! | `instance`, `isolation`, `leftovers` | `inventory`, `isolation`, `leftovers`: nothing reaches out, there is something to check |
//! | `catalog` | `schema`: every object by its definition |
//! | `content`, `fingerprint`, `digest` | `content`: exact counts and fingerprints, read from the heap |
//! | `storage`, `indexes`, `uniqueness` | every page, every index, no duplicates |
//! | `foreign_keys`, `constraints`, `sequences`, `collations` | the data agrees with what the catalog promises |
//! | `freshness`, `assertions` | what the team asks |
//! | `compare` | held against the last validated backup, a manifest of the same backup, the source |
//!
//! A check that could not finish is `Errored`, one that never started is `NotRun`; neither is success.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use holdfast_core::baseline::Beat;
use holdfast_core::validation::{
    Assertion, Baseline, Check, CheckSettings, Heartbeat, Manifest, NotChecked, Reading,
};
use secrecy::SecretString;

mod assertions;
mod baseline;
mod catalog;
mod collations;
mod compare;
mod conclude;
mod connection;
mod constraints;
mod content;
mod digest;
mod ending;
mod extensions;
mod fingerprint;
mod foreign_keys;
mod freshness;
mod heartbeat;
mod index_catalog;
mod indexes;
mod instance;
mod isolation;
mod job;
mod leftovers;
mod pack;
mod plan;
mod ranges;
mod relations;
mod runner;
mod sequences;
mod session;
mod settings;
mod standing;
mod storage;
mod types;
mod uniqueness;

pub use connection::{ConnectError, RDS_CA_BUNDLE, Statements, Tls, connect_probe};
pub use job::{Unit, UnitResult};
pub use plan::Plan;
pub use runner::{Journal, Progress};
pub use standing::Standing;

/// Names the fingerprinting; fingerprints of different algorithms are not comparable. What goes into it is told in
/// `fingerprint.rs` and `docs/validation.md`.
pub const ALGORITHM: &str = "holdfast-2:hash64x2-sum-128";

/// How long after the snapshot a source's counters are to be read for a baseline: sessions report what they did a minute
/// late at most (`PGSTAT_MAX_INTERVAL` of PostgreSQL's `pgstat.c`), when they have been idle for ten seconds again.
pub const COUNTERS_SETTLE_SECONDS: u32 = 70;

/// The server to check.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name that the server's certificate must carry; also where to connect. With [`Tls::Off`] it may be the
    /// directory of a Unix socket.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Its password; never logged, never part of an error.
    pub password: SecretString,
    /// The database to log in to for what concerns the whole server; `postgres` or `template1` when absent.
    pub database: Option<String>,
    /// How the connection is kept private.
    pub tls: Tls,
    /// Bound for one attempt: TCP, TLS and login together.
    pub connect_timeout: Duration,
    /// The statements under way, so that they can be given up.
    pub statements: Statements,
}

impl Target {
    /// A server over TLS whose certificate one of the authorities in `ca_pem` has signed; ten seconds to log in.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        user: impl Into<String>,
        password: SecretString,
        ca_pem: impl Into<String>,
    ) -> Self {
        Target {
            host: host.into(),
            port,
            user: user.into(),
            password,
            database: None,
            tls: Tls::Verify { ca_pem: ca_pem.into() },
            connect_timeout: Duration::from_secs(10),
            statements: Statements::default(),
        }
    }
}

/// What to check, against what, and within which limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which checks, and how thoroughly.
    pub checks: CheckSettings,
    /// The team's own statements.
    pub assertions: Vec<Assertion>,
    /// Manifest of the last validated backup; tables it has must still be there.
    pub reference: Option<Manifest>,
    /// `database.schema.table` that may be missing although the reference has them. A `*` at the
    /// end matches any rest (`shop.public.events_*`).
    pub allow_missing_tables: Vec<String>,
    /// Manifest of another restore of the same backup; everything must be equal.
    pub same_as: Option<Manifest>,
    /// What the source was around the snapshot.
    pub baseline: Option<Baseline>,
    /// The snapshot's own time (RFC 3339), for freshness; the server's when absent.
    pub snapshot_time: Option<String>,
    /// Whether the server must be shown to reach nobody (adds the check `isolation`).
    pub expect_isolated: bool,
    /// Whether `amcheck` may be created where it is missing: only on a server of one's own.
    pub may_create_extensions: bool,
    /// Connections at once.
    pub connections: usize,
    /// Bytes that one unit of work reads, about.
    pub chunk_bytes: u64,
    /// Bound for one statement on the server.
    pub statement_timeout: Duration,
    /// Bound for one call; what has not started by then is not run.
    pub time_budget: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            checks: CheckSettings::default(),
            assertions: Vec::new(),
            reference: None,
            allow_missing_tables: Vec::new(),
            same_as: None,
            baseline: None,
            snapshot_time: None,
            expect_isolated: true,
            may_create_extensions: false,
            connections: 2,
            chunk_bytes: 1 << 30,
            statement_timeout: Duration::from_secs(300),
            time_budget: Duration::from_secs(780),
        }
    }
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Every check, whatever its end; `holdfast_core::validation::verdict` sums them up.
    pub checks: Vec<Check>,
    /// What the data was. A table that could not be read is absent.
    pub manifest: Manifest,
    /// The user databases found.
    pub databases: Vec<String>,
    /// What was not looked at.
    pub not_checked: Vec<NotChecked>,
}

/// Reads the source's catalog and counters, for a baseline: milliseconds, whatever the size. What the source holds is
/// read by [`plan`], [`work`] and [`conclude`] with every check off but `content`.
///
/// # Errors
/// When the server, or one of its databases, cannot be read; or when it is a standby, whose counters are its own.
pub async fn reading(target: &Target, options: &Options) -> Result<Reading, ConnectError> {
    baseline::reading(target, options).await
}

/// Writes the heartbeat of an operation into its source: the only thing that ever changes one.
///
/// # Errors
/// When it cannot be written; `Refused` says what is wrong with the table.
pub async fn beat(target: &Target, heartbeat: &Heartbeat, operation: &str) -> Result<Beat, ConnectError> {
    heartbeat::beat(target, heartbeat, operation).await
}

/// Where the server stands in its write-ahead log, so that a replica of it can be waited for.
///
/// # Errors
/// When it does not say.
pub async fn standing(target: &Target, options: &Options) -> Result<Standing, ConnectError> {
    standing::standing(target, options).await
}

/// Looks at the server and cuts the work into units.
///
/// # Errors
/// When nothing could be looked at. Once connected, every trouble becomes the result of a check.
pub async fn plan(target: &Target, options: &Options) -> Result<Plan, ConnectError> {
    plan::make(target, options).await
}

/// Does those of a plan's units that `ids` names, the largest first, and keeps each result in `journal`.
///
/// Ends when they are done or `options.time_budget` is used up; what is left can be done by another call, by another
/// process, at the same time or later.
///
/// # Errors
/// When no connection can be had at all.
pub async fn work(
    target: &Target,
    options: &Options,
    units: &[Unit],
    ids: &[u32],
    journal: &dyn Journal,
) -> Result<Progress, ConnectError> {
    let units = units.iter().filter(|unit| ids.contains(&unit.id)).collect();
    runner::work(target, options, units, journal).await
}

/// Sums up what the units came to. A unit without a result was not done, and its checks say so.
pub fn conclude(plan: &Plan, results: &BTreeMap<u32, UnitResult>, options: &Options) -> Outcome {
    conclude::conclude(plan, results, options)
}

/// Runs every check on every user database: [`plan`], [`work`] and [`conclude`] in one process.
///
/// # Errors
/// When nothing could be looked at.
pub async fn verify(target: &Target, options: &Options) -> Result<Outcome, ConnectError> {
    let begun = std::time::Instant::now();
    let plan = plan(target, options).await?;
    let ids: Vec<u32> = plan.units.iter().map(|unit| unit.id).collect();
    let memory = Memory::default();
    let rest =
        Options { time_budget: options.time_budget.saturating_sub(begun.elapsed()), ..options.clone() };
    // A server that lets nobody in any more leaves units without results, and these say so.
    if let Err(error) = work(target, &rest, &plan.units, &ids, &memory).await {
        tracing::warn!(%error, "the work could not be done");
    }
    Ok(conclude(&plan, &memory.into_results(), options))
}

/// A journal in memory, for work that is done in one call or made again as a whole.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<u32, UnitResult>>);

impl Memory {
    /// What was kept, by unit.
    pub fn into_results(self) -> BTreeMap<u32, UnitResult> {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Journal for Memory {
    async fn keep(&self, result: &UnitResult) -> Result<(), String> {
        let mut results = self.0.lock().map_err(|error| error.to_string())?;
        results.insert(result.unit, result.clone());
        Ok(())
    }
}
