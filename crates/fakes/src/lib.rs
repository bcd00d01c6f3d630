//! Stateful in-memory fakes of the ports of `holdfast-core`, for tests only.
//!
//! Each keeps what the real service would keep and refuses what it would refuse: names are taken, snapshots
//! progress from look to look, a conditional write loses against another. A test arranges the state, lets a
//! function run, and asserts on the state that is left. [`trouble`] makes calls fail, or take effect and lose
//! their answer.

pub mod dns;
pub mod documents;
pub mod executions;
pub mod keys;
pub mod logins;
pub mod networks;
pub mod rds;
pub mod region;
pub mod roles;
pub mod sample;
pub mod secrets;
pub mod store;
pub mod trouble;

pub use dns::FakeDns;
pub use documents::FakeDocuments;
pub use executions::FakeExecutions;
pub use keys::FakeKeys;
pub use logins::FakeLogins;
pub use networks::FakeNetworks;
pub use rds::FakeRds;
pub use region::FakeRegionStack;
pub use roles::FakeRoles;
pub use secrets::FakeSecrets;
pub use store::FakeStore;
pub use trouble::{Call, Trouble};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that a failed assertion elsewhere does not turn into a second failure.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
