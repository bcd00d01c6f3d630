//! `holdfast backup ...`: one file per verb.

pub mod create;
pub mod describe;
pub mod outcome;
pub mod report;

use clap::ValueEnum;

/// How the outcome is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs: the summary as it stands in the record.
    Json,
}
