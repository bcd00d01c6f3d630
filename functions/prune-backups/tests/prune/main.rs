//! `prune-backups` against a cloud in memory: which snapshots are left, and what is said of them.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod again;
mod applied;
mod deletes;
mod plans;
mod support;
