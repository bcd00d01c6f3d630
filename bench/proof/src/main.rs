//! The speed of the proof, beside other ways to read or compare the same tables: see `docs/benchmarks.md`.
//!
//! ```text
//! data.rs        a server of its own, and tables of about 3 GB, all in memory
//! contender.rs   what is measured inside of a process of its own: fingerprint, drain, validation, count
//! programs.rs    what is measured as a program of others: pg_dump, psql, data-diff
//! measure.rs     wall time, CPU time of client and server, peak memory
//! rounds.rs      who runs when, and what the numbers are
//! report.rs      the table, and whether the aims are met
//! ```

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod contender;
mod data;
mod measure;
mod programs;
mod report;
mod rounds;

/// Anything that ends the benchmark, in a sentence.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "bench-proof", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a server, fill it, measure every contender in turn, and say whether the aims are met.
    Run(rounds::Settings),
    /// One contender, once, in this process; what it is told comes by standard input.
    #[command(hide = true)]
    Contender,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(settings) => rounds::run(&settings).await,
        Command::Contender => contender::run().await.map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-proof: {error}");
            ExitCode::from(2)
        }
    }
}
