//! What was found, held against what it should be.
//!
//! | against | what must hold |
//! | --- | --- |
//! | the last validated backup ([`last_valid`]) | no table is missing unless it may be; drift is named |
//! | a manifest of the same backup ([`exact`]) | everything is equal, object by object, fingerprint by fingerprint |
//! | the source's baseline ([`baseline`]) | the schema is equal; what stood still is equal; the rest lies within bounds |

mod baseline;
mod exact;
mod last_valid;

use std::time::Instant;

use holdfast_core::validation::{Check, Manifest};

pub(crate) use last_valid::{missing_databases, schema};

use crate::Options;
use crate::ending::INSTANCE;
use crate::plan::Plan;

/// Held against a manifest of the same backup.
pub(crate) const AGAINST_MANIFEST: &str = "against-manifest";
/// Held against the source.
pub(crate) const AGAINST_BASELINE: &str = "against-baseline";

/// The checks that hold the whole against something.
pub(crate) fn with_references(plan: &Plan, manifest: &Manifest, options: &Options) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(expected) = &options.same_as {
        let since = Instant::now();
        checks.push(exact::compare(manifest, expected, options).into_check(
            AGAINST_MANIFEST,
            INSTANCE,
            since,
        ));
    }
    if let Some(source) = &options.baseline {
        let since = Instant::now();
        checks.push(baseline::compare(plan, manifest, source, options).into_check(
            AGAINST_BASELINE,
            INSTANCE,
            since,
        ));
    }
    checks
}
