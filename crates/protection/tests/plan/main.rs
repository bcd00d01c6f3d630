//! Plans as people write them: what they mean, what is refused and where, and what applying them would change.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod changes;
mod example;
mod meaning;
mod refused;
mod support;
mod wanted;
