//! How the input wants a server proven, within the limits of a function.

use std::time::Duration;

use holdfast_core::request::Validation;
use holdfast_verify::Options;

/// Connections of one function: one reads while the other is answered.
const CONNECTIONS: usize = 2;

/// Pieces that the allocated storage is cut into at most, however small the input wants them: the plan of a volume of
/// 64 TiB has to fit into the memory of one function.
const MOST_PIECES: u64 = 8192;

/// Bound for one statement; a piece that takes longer is cut in halves.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(300);

/// How the input and the deployment want the work done; against what it is held is for others to fill in.
pub fn options(validation: &Validation, budget: Duration, allocated_gib: u32) -> Options {
    Options {
        checks: validation.checks.clone(),
        assertions: validation.assertions.clone(),
        allow_missing_tables: validation.allow_missing_tables.clone(),
        connections: CONNECTIONS,
        chunk_bytes: (validation.chunk_mib << 20).max((u64::from(allocated_gib) << 30) / MOST_PIECES),
        statement_timeout: STATEMENT_TIMEOUT.min(budget),
        time_budget: budget,
        ..Options::default()
    }
}
