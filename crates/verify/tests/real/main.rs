//! The checks against real PostgreSQL servers: whole data passes, and each damage is named.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod assertions;
mod connections;
mod damage;
mod integrity;
mod permissions;
mod reference;
mod server;
mod whole;
