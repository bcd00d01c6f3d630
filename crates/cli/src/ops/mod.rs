//! `holdfast ops ...`: operations of every kind, as the state table has them.

pub mod execution;
pub mod list;
pub mod logs;
pub mod reopen;
pub mod wait;
