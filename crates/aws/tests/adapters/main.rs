//! The adapters against what AWS answers on the wire: which of the port's words each answer becomes.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod breakers;
mod documents;
mod keys;
mod logins;
mod looks;
mod networks;
mod outages;
mod rds;
mod rds_facts;
mod records;
mod restore_facts;
mod restores;
mod retention;
mod roles;
mod support;
mod swaps;
