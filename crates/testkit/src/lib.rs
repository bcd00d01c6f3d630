//! Development only: the whole system on this machine.
//!
//! ```text
//! project.rs    where things are in the project folder
//! settings.rs   name, ports and pace of a stack
//! processes.rs  children started in groups of their own, found again and stopped by id
//! http.rs       the few plain requests for readiness and faults
//! clients.rs    SDK clients for the local cloud
//! stack.rs      a stack: started, attached to, stopped with nothing left
//! package.rs    function binaries into deployment packages
//! template.rs   the SAM template's local paths into S3 addresses, as `sam package` does it
//! deploy.rs     the real templates into the local cloud
//! seed.rs       a database with a past
//! demo.rs       one backup, told to a newcomer
//! ```

pub mod clients;
pub mod demo;
pub mod deploy;
pub mod error;
pub mod http;
pub mod package;
pub mod processes;
pub mod project;
pub mod seed;
pub mod settings;
pub mod stack;
pub mod template;

pub use error::{Error, Result};
pub use settings::Settings;
pub use stack::Stack;
