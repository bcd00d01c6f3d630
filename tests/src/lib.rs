//! The world of a whole-stack test: the shared local stack, and a database of the test's own in it.
//!
//! `make test` starts one stack with IAM enforced and runs every test against it. A test is isolated by name:
//! its database has a name nobody else uses, every resource name is derived from it, and faults are
//! ordered for that name only.

pub mod files;
pub mod world;

pub use world::{Ended, World};
