//! The local RDS as its callers see it: the real Rust SDK, real PostgreSQL sessions.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod cloud;
mod control;
mod errors;
mod faults;
mod journey;
mod support;
