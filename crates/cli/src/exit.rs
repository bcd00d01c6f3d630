//! Exit codes: part of the interface, so scripts can rely on them.

use crate::{Error, summary::Status};

/// The backup succeeded, or was started and left to itself (`--no-wait`).
pub const SUCCEEDED: u8 = 0;
/// The backup failed or was refused, or the command could not find out.
pub const FAILED: u8 = 1;
/// The command line or the input file does not make sense; nothing was started.
pub const USAGE: u8 = 2;
/// The backup is good, but at least one Region has no copy.
pub const PARTIAL: u8 = 3;
/// `describe`: the backup is still going on.
pub const RUNNING: u8 = 4;
/// Ctrl-C: the command detached, the backup goes on.
pub const DETACHED: u8 = 130;

/// The text of `--help`.
pub const HELP: &str = "Exit codes:
  0    succeeded
  1    failed or refused, or the outcome could not be read
  2    usage: nothing was started
  3    partial: the backup is good, but a Region has no copy
  4    describe: still running
  130  detached by Ctrl-C: the backup goes on";

/// The exit code for how an operation ended.
pub fn of_status(status: Status) -> u8 {
    match status {
        Status::Succeeded => SUCCEEDED,
        Status::Partial => PARTIAL,
        Status::Failed | Status::Unknown => FAILED,
    }
}

/// The exit code for a command that could not do its work.
pub fn of_error(error: &Error) -> u8 {
    match error {
        Error::Usage(_) => USAGE,
        Error::NoSuchOperation { .. } | Error::Aws { .. } | Error::Unreadable(_) => FAILED,
    }
}
