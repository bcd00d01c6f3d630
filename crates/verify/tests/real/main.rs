//! The checks against real PostgreSQL servers: whole data passes, and each damage is named.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod algebra;
mod assertions;
mod catalog;
mod catalog_changes;
mod connections;
mod constraints;
mod counters;
mod damage;
mod fingerprint;
mod freshness;
mod index_choice;
mod indexes;
mod integrity;
mod isolation;
mod leftovers;
mod pages;
mod permissions;
mod reference;
mod runner;
mod server;
mod storage;
mod whole;
