//! Adapters: one file per AWS service, each behind a port of `holdfast-core`.
//!
//! No `aws_sdk_*` type leaves this crate. Errors are classified here, by variant first and by code
//! second, because a timeout carries no code.

pub mod calls;
pub mod circuits;
pub mod classify;
mod clients;
pub mod config;
pub mod dynamodb;
pub mod ec2;
pub mod guard;
pub mod iam;
pub mod kms;
pub mod presign;
pub mod rds;
pub mod rds_auth;
pub mod region;
pub mod route53;
pub mod s3;
pub mod secrets;
pub mod sfn;
