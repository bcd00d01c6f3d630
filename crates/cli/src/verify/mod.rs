//! `holdfast verify`: proves what a PostgreSQL server holds. It needs no AWS: only a way to the server.

mod files;
mod outcome;
mod server;
mod work;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use holdfast_core::validation::{Digest, Verdict, verdict};
use holdfast_verify::Options;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Error, backup::Output, exit, paint::Paint, screen::Screen};

/// Prove what a PostgreSQL server holds: every row read, every index, key and constraint held against the data.
///
/// It only reads, needs no AWS, and looks at every database of the server. TLS is required, and the certificate must
/// carry the host's name.
#[derive(Debug, Args)]
pub struct Verify {
    /// The server: postgres://USER@HOST:PORT/DATABASE?sslrootcert=FILE.
    ///
    /// Every database is looked at; the one named here is where the login happens (default: postgres). Without
    /// sslrootcert the authorities of Amazon RDS are trusted, and no others. sslmode=disable is for this machine
    /// itself: a loopback address, or a Unix socket (host=/DIRECTORY). The password: PGPASSWORD, --password-file, or
    /// here, where other users of this machine can see it.
    #[arg(long, value_name = "URL")]
    url: Hidden,
    /// The first line of this file is the password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Everything must equal this manifest of the same backup, fingerprint for fingerprint.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// When the verdict is VALID, write what the server holds as a manifest. A manifest that is there stays otherwise.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Hold it against what the source was around the snapshot.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Which checks, and how thoroughly (JSON: validation.checks of the workflow's input). Default: all, in full.
    #[arg(long, value_name = "FILE")]
    checks: Option<PathBuf>,
    /// Your own statements (JSON: validation.assertions of the workflow's input).
    #[arg(long, value_name = "FILE")]
    assertions: Option<PathBuf>,
    /// Connections at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// Create the extension amcheck where it is missing: the one thing that is ever changed.
    #[arg(long)]
    create_extensions: bool,
    /// Digest rows with SHA-256 as well: proof against a person, not only against accidents. Several times slower.
    #[arg(long)]
    cryptographic: bool,
    /// The server must be shown to reach nobody, as a restored copy has to be.
    #[arg(long)]
    expect_isolated: bool,
    /// Stop after this long (90s, 30m, 2h); what was not looked at by then makes it INCONCLUSIVE. Default: no bound.
    #[arg(long, value_name = "TIME", value_parser = time)]
    time_budget: Option<Duration>,
    /// Bound for one statement on the server; what is slower is done in smaller pieces.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "15m")]
    statement_timeout: Duration,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// A word of the command line that may hold a password: never shown.
#[derive(Debug, Clone)]
struct Hidden(SecretString);

impl FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Hidden(text.into()))
    }
}

/// What is said of a command line that makes no sense repeats parts of it: without the passwords of URLs.
pub fn without_passwords(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let word = after.find(char::is_whitespace).unwrap_or(after.len());
        // A password may hold an `@` of its own; the last one ends it.
        rest = match (after[..word].find(':'), after[..word].rfind('@')) {
            (Some(colon), Some(at)) if colon < at => {
                shown.push_str(&after[..=colon]);
                shown.push('…');
                &after[at..]
            }
            _ => after,
        };
    }
    shown + rest
}

/// A time as a person writes it: `90s`, `1h 30m`.
fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration = text.parse().map_err(|_| "no time such as 90s, 30m or 2h".to_owned())?;
    match Duration::try_from(time) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("it must be more than nothing".to_owned()),
    }
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` before anything was asked of the server; `NotConnected` when it lets nobody in.
pub async fn run(args: Verify) -> Result<u8, Error> {
    let options = options(&args)?;
    if let Some(path) = &args.write {
        files::writable(path)?;
    }
    let server = server::from_args(&args)?;
    let screen = Screen::beside(args.output);
    let meter = work::Meter::new(screen);
    let proof = tokio::select! {
        proof = work::prove(&server.target, &options, &meter) => Some(proof),
        code = stopped() => {
            meter.close();
            server.target.statements.cancel(&server.target).await;
            eprintln!("\nStopped; nothing is proven, and nothing was left behind on the server.");
            return Ok(code);
        }
    };
    meter.close();
    let Some(proof) = proof else { return Ok(exit::INCONCLUSIVE) };
    let proof = proof.map_err(|error| Error::NotConnected(server.explain(&error)))?;
    let verdict = verdict(&proof.outcome.checks);
    let written = match &args.write {
        Some(path) if verdict == Verdict::Valid => {
            files::write(path, &proof.outcome.manifest)?;
            outcome::Written::To(path.display().to_string())
        }
        Some(_) => outcome::Written::Not,
        None => outcome::Written::Unasked,
    };
    let around =
        outcome::Around { target: &server.target, options: &options, against: &args.against, written };
    match args.output {
        Output::Table => print!("\n{}", outcome::text(&proof, &around, Paint::for_stdout())),
        Output::Json => println!("{:#}", outcome::json(&proof, &around)),
    }
    Ok(exit::of_verdict(verdict))
}

fn options(args: &Verify) -> Result<Options, Error> {
    let mut checks = match &args.checks {
        Some(path) => files::checks(path)?,
        None => holdfast_core::validation::CheckSettings::default(),
    };
    if args.cryptographic {
        checks.digest = Digest::Cryptographic;
    }
    Ok(Options {
        checks,
        assertions: args.assertions.as_deref().map(files::assertions).transpose()?.unwrap_or_default(),
        same_as: args
            .against
            .as_deref()
            .map(|path| files::json("--against", "a manifest", path))
            .transpose()?,
        baseline: args
            .baseline
            .as_deref()
            .map(|path| files::json("--baseline", "a baseline", path))
            .transpose()?,
        expect_isolated: args.expect_isolated,
        may_create_extensions: args.create_extensions,
        connections: usize::from(args.connections),
        chunk_bytes: work::CHUNK_BYTES,
        statement_timeout: args.statement_timeout,
        time_budget: args.time_budget.unwrap_or(Duration::MAX),
        ..Options::default()
    })
}

/// Waits until somebody wants it to stop; the exit code of that.
async fn stopped() -> u8 {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            // Then it ends as any process does.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => exit::DETACHED,
        () = terminated => exit::TERMINATED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_a_person_writes_it() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1h 30m"), Ok(Duration::from_secs(5400)));
        for bad in ["", "soon", "0s", "-5m", "90"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_repeated_without_its_password() {
        let said = "unexpected 'postgres://me:p@ss:w@db/shop' and 'http://db:80/a', tip: 'x://me@db'";
        let shown = "unexpected 'postgres://me:…@db/shop' and 'http://db:80/a', tip: 'x://me@db'";
        assert_eq!(without_passwords(said), shown);
    }

    #[test]
    fn a_password_in_the_url_is_not_printed() {
        let hidden: Hidden = "postgres://me:hunter2@localhost".parse().unwrap();
        assert!(!format!("{hidden:?}").contains("hunter2"));
    }
}
