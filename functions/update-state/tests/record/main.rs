//! `update-state` against a table, a bucket and executions in memory: who may move an operation, and what is kept.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod begin;
mod ending;
mod steps;
mod support;
