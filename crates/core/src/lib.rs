//! The domain of Holdfast: ids, operations and their phases, requests, verdicts, errors and ports.
//!
//! Pure by rule: no AWS type, no async runtime, no clock. Time and randomness arrive as values.

pub mod validation;
