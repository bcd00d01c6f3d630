//! The proof as functions make it: planned once, done in units that are kept one by one, summed up.
//!
//! `holdfast-verify` knows a server and nothing else. What lies between it and a function that may be killed at any time
//! is here: the [`Prover`] as a port, the plan and the units in the metadata bucket ([`Units`]), and everything that was
//! found as it is kept ([`Kept`]).

/// A password change, a new name and a new network path show late: this many looks may fail to log in before the trouble
/// counts as lasting.
pub const MAX_FAILED_LOGINS: u32 = 12;

mod kept;
mod options;
mod prover;
mod units;

pub use kept::Kept;
pub use options::options;
pub use prover::{Prover, Server, ServerProver};
pub use units::{Journal, Planned, Units};
