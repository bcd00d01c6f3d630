//! The protection plan: `holdfast.yaml`, read strictly, into schedules and stored settings.
//!
//! ```text
//! node.rs      the YAML as a tree that knows where everything stands; faults, all at once
//! block.rs     one block of settings: defaults, an environment, a database
//! read.rs      the file into a plan, every default filled in
//! file.rs      what a plan says
//! cadence.rs   how often, in the words of a plan, into cron expressions that never meet
//! cron.rs      the cron expressions of EventBridge Scheduler: read, and when they come
//! wanted.rs    a plan and the databases that are there, into schedules and settings
//! changes.rs   what applying it would change
//! ```
//!
//! It asks nobody anything: what is there arrives as values, and `holdfast plan` is who asks. The settings that
//! functions go by are `holdfast_core::protection`'s.

pub mod block;
pub mod cadence;
pub mod changes;
pub mod file;
pub mod node;
pub mod read;
pub mod wanted;

pub use changes::{ChangeKind, Changes, Field, ScheduleChange, SettingsChange};
pub use file::{Entry, PlanFile, SCHEDULED_TIME, Selector, Settings};
pub use node::{Fault, Place};
pub use read::read;
pub use wanted::{Found, Schedule, Wanted, Wiring, wanted};

/// The JSON Schema of `holdfast.yaml`, for editors: `docs/holdfast.schema.json`.
pub const SCHEMA: &str = include_str!("../../../docs/holdfast.schema.json");
