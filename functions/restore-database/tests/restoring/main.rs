//! `restore-database` against RDS, KMS and a bucket in memory: what is chosen, refused, made, measured and left.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod leftovers;
mod plans;
mod points;
mod references;
mod restores;
mod settling;
mod support;
