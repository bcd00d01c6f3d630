//! The domain of Holdfast: ids, operations and their phases, requests, verdicts, errors and ports.
//!
//! Pure by rule: no AWS type, no async runtime, no clock. Time and randomness arrive as values.

pub mod answer;
pub mod baseline;
pub mod blueprint;
pub mod breaker;
pub mod cost;
pub mod cron;
pub mod doctor;
pub mod error;
pub mod expectation;
pub mod health;
pub mod ids;
pub mod login;
pub mod network;
pub mod objectives;
pub mod operation;
pub mod polling;
pub mod ports;
pub mod protection;
pub mod rds;
pub mod regions;
pub mod request;
pub mod retention;
pub mod status;
pub mod tags;
pub mod validation;
pub mod watching;

pub use error::{Error, ErrorKind, Leftovers, Result};
