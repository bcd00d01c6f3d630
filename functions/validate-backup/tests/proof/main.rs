//! `validate-backup` against RDS, KMS, a bucket and a server in memory: what is restored, said, kept and left.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod again;
mod baseline;
mod cleanup;
mod restore;
mod server;
mod support;
mod verdict;
mod work;
mod workers;
