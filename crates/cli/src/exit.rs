//! Exit codes: part of the interface, so scripts can rely on them.

use holdfast_core::doctor::Severity;
use holdfast_core::validation::Verdict;

use crate::{Error, summary::Status};

/// The backup succeeded, or was started and left to itself (`--no-wait`).
pub const SUCCEEDED: u8 = 0;
/// The backup failed or was refused, or the command could not find out.
pub const FAILED: u8 = 1;
/// The command line or the input file does not make sense; nothing was started.
pub const USAGE: u8 = 2;
/// The backup is good, but at least one Region has no copy; or the database is back, but not proven; or a plan would
/// change something.
pub const PARTIAL: u8 = 3;
/// `describe`, `report`: it is still going on, as far as is known of its execution.
pub const RUNNING: u8 = 4;
/// `ops logs`: not every line could be read, or there is none. `verify`, `validate`: nothing is wrong as far as was seen, but not everything could be looked at, or nobody was let in.
pub const INCONCLUSIVE: u8 = 5;
/// Ctrl-C, or AWS did not answer for some minutes: a backup goes on without the command; a verification has stopped.
pub const DETACHED: u8 = 130;
/// `verify`: SIGTERM, by the shells' rule 128 + 15.
pub const TERMINATED: u8 = 143;

/// The text of `--help`.
pub const HELP: &str = "Exit codes:
  0    succeeded
  1    failed or refused, not agreed to (n, or Ctrl-C at the question), or the outcome could not be read;
       describe, report, wait: it has not ended, and nobody works on it (ops resume goes on with it), or
       that is not known
  2    usage: nothing was started
  3    partial: the backup is good, but a Region has no copy, or none that is proven; the database is
       back, but not proven or not quite as it was asked for
  4    describe, report: still running
  130  detached by Ctrl-C, or because AWS did not answer for ten minutes: what was started goes on, and
       is named with what comes back to it; a restore that was only planned makes nothing
  141  whoever read the output went away (| head)";

/// The text of `--help` of `ops cancel`.
pub const CANCEL_HELP: &str = "Exit codes:
  0    it was cancelled as asked, and what it leaves is named; or it had ended SUCCEEDED already; or
       (--no-wait) its clean-up was started
  1    it could not be, or was not agreed to; or it had ended FAILED already, or did so in another way
  2    usage: nothing was ended
  3    it had ended already, partial
  130  detached by Ctrl-C, or because AWS did not answer for ten minutes: the clean-up goes on";

/// The text of `--help` of `verify`.
pub const VERIFY_HELP: &str = "Exit codes:
  0    VALID: every check ran and passed
  1    INVALID: something is wrong, and named; or the manifest could not be written
  2    usage: the server was not asked
  5    INCONCLUSIVE: not everything could be looked at, or there was no connection
  130  stopped by Ctrl-C (143: by SIGTERM); nothing goes on on the server";

/// The text of `--help` of `validate`.
pub const VALIDATE_HELP: &str = "Exit codes:
  0    VALID: it restores, and is what it was
  1    INVALID, or it could not be found out
  2    usage: nothing was started
  5    INCONCLUSIVE: not everything could be looked at
  130  detached by Ctrl-C, or because AWS did not answer for ten minutes: the validation goes on";

/// The text of `--help` of `prune` and `points`.
pub const PRUNE_HELP: &str = "Exit codes:
  0    the plan is made, and with --delete carried out
  1    the plan could not be made, or was not agreed to
  2    usage: nothing was deleted
  3    partial: something could not be looked at or deleted, and is named";

/// The text of `--help` of `points`.
pub const POINTS_HELP: &str = "Exit codes:
  0    there is a proven backup to go back to
  1    there is nothing (refused and unfinished backups are nothing), or it could not be found out
  2    usage: nothing was looked at
  3    partial: there are backups, and none of them is proven; or something could not be looked at, and
       is named";

/// The text of `--help` of `plan`.
pub const PLAN_HELP: &str = "Exit codes:
  0    diff: nothing would change; apply: everything is as the plan says
  1    it could not be found out, or was not agreed to, or somebody else has applied a plan meanwhile
  2    usage, or the file is refused: nothing was changed
  3    diff: something would change; apply: some of it was not done, and is named; apply again finishes it";
/// The text of `--help` of `doctor`.
pub const DOCTOR_HELP: &str = "Exit codes:
  0    everything was looked at and is in order
  1    something would fail on the day, and is named; or nothing could be looked at
  2    usage: nothing was looked at
  3    warnings only, or something that could not be looked at, each by name";

/// The text of `--help` of `status`.
pub const STATUS_HELP: &str = "Exit codes:
  0    both objectives of every database are held, as measured, and every score is 80 or more
  1    the backups of a database could not be read
  2    usage: nothing was looked at
  3    an objective is not held or not known to be, or a score is less than 80; --breakers: one is not closed";

/// The text of `--help` of `cost plan`.
pub const COST_PLAN_HELP: &str = "Exit codes:
  0    the month is estimated; what was assumed is said
  1    AWS could not be asked
  2    usage: the file or the prices are refused, or a Region has no prices
  3    a price or a size is not known, each by name: the sum lacks it";

/// The text of `--help` of `cost prices`.
pub const COST_PRICES_HELP: &str = "Exit codes:
  0    the table is written, with every price that was asked for
  1    AWS could not be asked
  2    usage: nothing was asked
  3    AWS does not say a price that was asked for, each by name: the table lacks it";

/// The text of `--help` of `cost report`.
pub const COST_REPORT_HELP: &str = "Each request of Cost Explorer costs 0.01 USD; a report needs one or two, more when there are many databases.

Exit codes:
  0    what Cost Explorer says is shown
  1    it could not be asked
  2    usage: nothing was asked
  3    nothing is known by this tag, and why: it is not activated, or nothing was billed";

/// The text of `--help` of `cost orphans`.
pub const COST_ORPHANS_HELP: &str = "Exit codes:
  0    everything was looked at, and nothing costs that nobody needs
  1    the home Region could not be looked at
  2    usage: nothing was looked at
  3    something was found, or could not be looked at, each by name";

/// The text of `--help` of `ops logs`.
pub const LOGS_HELP: &str = "Exit codes:
  0    everything that was written of the operation could be read
  1    there is no such operation, or its record could not be read
  2    usage: nothing was looked at
  5    a log group or the history could not be read, and is named; or there is not one line";

/// The exit code for what a server was found to be.
pub fn of_verdict(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Valid => SUCCEEDED,
        Verdict::Invalid => FAILED,
        Verdict::Inconclusive | Verdict::NotRun => INCONCLUSIVE,
    }
}

/// The exit code for the worst that `doctor` found.
pub fn of_severity(worst: Option<Severity>) -> u8 {
    match worst {
        None => SUCCEEDED,
        Some(Severity::FailsOnTheDay) => FAILED,
        Some(Severity::Warning | Severity::NotChecked) => PARTIAL,
    }
}

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
        Error::NoSuchOperation { .. }
        | Error::NoSuchTable(_)
        | Error::Aws { .. }
        | Error::Unreadable(_)
        | Error::NotWritten(_) => FAILED,
        Error::NotConnected(_) => INCONCLUSIVE,
    }
}
