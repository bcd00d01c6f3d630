//! `verify-database` against a bucket, secrets and a server in memory: what is proven, repeated, kept and told.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

mod logins;
mod manifests;
mod server;
mod smoke;
mod support;
mod work;
