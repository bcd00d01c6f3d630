//! The local RDS as its callers see it: the real Rust SDK, real PostgreSQL sessions.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod cloud;
mod control;
mod damage;
mod errors;
mod extensions;
mod faults;
mod journey;
mod options;
mod point_in_time;
mod references;
mod rename;
mod replication;
mod sharing;
mod support;
