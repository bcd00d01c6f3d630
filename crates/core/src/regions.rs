//! Where copies lie. A Region that a copy is about to be asked for has a document of its own in the metadata bucket, under
//! a key that says all: a copy that went to a Region which neither the deployment nor the protection plan names is found,
//! counted and pruned all the same. A document is never removed by Holdfast; whoever wants a Region to be forgotten, with no
//! copy left in it, deletes its document.

use serde_json::json;

use crate::error::Result;
use crate::ids::Region;
use crate::ports::Documents;

/// What the keys begin with.
pub const PREFIX: &str = "regions/";

/// The key of a Region's document.
fn key(region: &Region) -> String {
    format!("{PREFIX}{region}.json")
}

/// Writes down that a Region is about to have copies.
///
/// # Errors
/// What the metadata bucket answers.
pub async fn note(documents: &impl Documents, region: &Region) -> Result<()> {
    documents.create(&key(region), &json!({"region": region})).await.map(|_| ())
}

/// Every Region that ever was about to have a copy, in order of their names.
///
/// # Errors
/// What the metadata bucket answers.
pub async fn noted(documents: &impl Documents) -> Result<Vec<Region>> {
    let keys = documents.keys(PREFIX).await?;
    // What somebody else laid there names no Region.
    let named = keys.iter().filter_map(|key| key.strip_prefix(PREFIX)?.strip_suffix(".json"));
    let mut regions: Vec<Region> = named.filter_map(|name| Region::parse(name).ok()).collect();
    regions.sort();
    Ok(regions)
}
