//! Tags say whose a resource is. What carries no such tag is never touched.

use std::collections::BTreeMap;

/// Tags of one resource. Sorted, so that requests are stable.
pub type Tags = BTreeMap<String, String>;

/// What the keys of all of Holdfast's tags begin with.
pub const PREFIX: &str = "holdfast:";
/// The operation that made the resource.
pub const OPERATION: &str = "holdfast:operation";
/// The database a snapshot was taken of.
pub const DATABASE: &str = "holdfast:database";
/// daily, weekly, monthly or yearly.
pub const TIER: &str = "holdfast:tier";
/// UNPROVEN until a validation has said VALID, INVALID or INCONCLUSIVE.
pub const VERDICT: &str = "holdfast:verdict";
/// Whoever sets it, with any value, keeps a snapshot from being pruned until the tag is taken away.
pub const HOLD: &str = "holdfast:hold";
/// Marks what must not outlive its operation; the value says what for.
pub const TEMPORARY: &str = "holdfast:temporary";
/// When the sweep may remove a temporary resource, RFC 3339.
pub const EXPIRES_AT: &str = "holdfast:expires-at";
/// When the restore was asked for, RFC 3339: the restore time is measured from it.
pub const REQUESTED_AT: &str = "holdfast:requested-at";
/// The value of [`VERDICT`] before any validation.
pub const UNPROVEN: &str = "UNPROVEN";
/// The value of [`TEMPORARY`] on a validation's instance and parameter group.
pub const TEMPORARY_VALIDATION: &str = "validation";

/// Whether a key is not for users: AWS and RDS keep theirs to themselves, and Holdfast's say whose a resource is.
pub fn is_reserved(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    ["aws:", "rds:", PREFIX].iter().any(|prefix| lower.starts_with(prefix))
}

/// Most tags on one RDS resource (Amazon RDS User Guide, "Tagging Amazon RDS resources").
pub const MAX_TAGS: usize = 50;
