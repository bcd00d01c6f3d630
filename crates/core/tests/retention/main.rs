//! Retention from outside: what the rules say, against a model written independently of them, and over a year.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod model;
mod properties;
mod quota;
mod rules;
mod support;
mod year;
