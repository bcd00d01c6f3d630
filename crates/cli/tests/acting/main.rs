//! What the command asks of AWS, of a person and of nobody: against a cloud that answers what a test says.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod asking;
mod cloud;
mod following;
mod starting;
mod table;
