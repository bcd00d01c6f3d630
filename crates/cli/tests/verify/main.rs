//! `holdfast verify` against real servers, run as the process that a person runs.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod connecting;
mod proving;
mod server;
mod stopping;
