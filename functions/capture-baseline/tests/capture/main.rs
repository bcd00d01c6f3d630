//! `capture-baseline` against a world in memory: what is kept afterwards, whatever got in the way.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod logins;
mod readings;
mod rows;
mod source;
mod support;
