//! `swap-database` against RDS, Route 53 and Secrets Manager in memory: who has which name in the end, whatever happens
//! in between.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod conclusions;
mod crashes;
mod exchanges;
mod names;
mod plans;
mod pointing;
mod support;
mod undoing;
