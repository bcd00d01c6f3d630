//! What protection costs: a month's estimate by a table of list prices, and what costs and nobody needs.
//!
//! ```text
//! prices.rs    the table: read strictly, a price that is not in it is not known
//! offers.rs    prices from the AWS Price List: what to ask for, and which answer is meant
//! held.rs      how many backups are held, by letting retention decide over a simulated time
//! estimate.rs  quantities, prices and what was assumed, part by part
//! bill.rs      what one instance or snapshot costs
//! orphans.rs   what costs and nobody needs, each with its reason
//! ```
//!
//! A sum that lacks a price says so ([`Sum::missing`]): what is not known never counts as nothing.

mod bill;
mod estimate;
mod held;
pub mod offers;
mod orphans;
mod prices;

pub use estimate::{
    Assumptions, HOURS_PER_MONTH, Part, PartKind, Protected, Proving, Range, Role, Sum, database, standing,
    sum,
};
pub use held::{Held, LONGEST_MONTHS, held, runs};
pub use orphans::{
    Facts, Found, InstanceSeen, Orphan, OrphanKind, Record, RegionSeen, Unseen, find, operations,
};
pub use prices::{Price, PriceName, PriceTable, RegionPrices};
