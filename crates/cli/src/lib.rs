//! The `holdfast` command, as a library: `main.rs` only parses and dispatches.
//!
//! ```text
//! backup/create.rs     holdfast backup create     starts a backup and follows it
//! backup/outcome.rs    how following an operation ended, and how that is told
//! backup/describe.rs   holdfast backup describe   says how a backup went
//! backup/report.rs     holdfast backup report     hands out its evidence: text, page, JSON
//! ops/                 holdfast ops list, wait    operations of every kind
//! restore/             holdfast restore, pitr     brings a database back, and follows it
//! replicate.rs         holdfast replicate        copies a backup to further Regions
//! validate.rs          holdfast validate          proves a backup again where it lies
//! verify/              holdfast verify            proves what a server holds, without AWS
//! plan/                holdfast plan              what is backed up when, and how: shown, compared, applied
//! cost/                holdfast cost              what protection will cost and did cost, and what costs and nobody needs
//! doctor/              holdfast doctor            what would fail on the day
//! retention/           holdfast prune, points     which backups are kept and which are not, and why
//! deployed.rs          where Holdfast is deployed, where nobody says it: the outputs of the stack
//! look/                what the deployment, its schedules and every Region are like, looked at and never changed
//! arguments.rs         what flags may be given, one parser for each kind of value
//! request.rs           flags and file into the input of the state machine
//! ask.rs               a question that only a person answers
//! interrupt.rs         Ctrl-C, told to whoever waits for it
//! history.rs           the execution's events into what a person wants to know
//! follow.rs            polls an execution until it ends
//! screen.rs            shows it while it goes: bars on a terminal, plain lines elsewhere
//! summary.rs           what an operation ended with, as the record holds it
//! render.rs            the summary as text
//! ```

pub mod arguments;
pub mod ask;
pub mod backup;
pub mod cloud;
pub mod cost;
pub mod deployed;
pub mod doctor;
pub mod error;
pub mod exit;
pub mod expected;
pub mod follow;
pub mod history;
pub mod interrupt;
pub mod look;
#[cfg(test)]
mod mocked;
pub mod ops;
pub mod paint;
pub mod plan;
pub mod render;
pub mod replicate;
pub mod request;
pub mod restore;
pub mod retention;
pub mod screen;
pub mod status;
pub mod summary;
pub mod validate;
pub mod verify;

pub use error::Error;
