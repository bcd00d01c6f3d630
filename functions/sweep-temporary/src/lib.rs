//! `sweep-temporary`: removes validation instances that a crash left behind.
//!
//! Independent of any operation and of the state table: it knows a temporary instance by its name, its tag
//! and its expiry, and touches nothing else. It runs on a schedule of its own.

use holdfast_core::answer::Progress;
use holdfast_core::ids::Region;
use holdfast_core::ports::Rds;
use holdfast_core::rds::Instance;
use holdfast_core::{Result, tags};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the schedule sends; its content does not matter.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Input(pub Value);

/// What was found and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Instances whose deletion was asked for.
    pub deleted: Vec<String>,
    /// Temporary instances that have not expired.
    pub kept: Vec<String>,
    /// Instances that look temporary but cannot be judged; a person must look.
    pub suspicious: Vec<String>,
    /// For the log.
    pub progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Expired,
    Alive,
    Suspicious,
}

fn judge(instance: &Instance, now: Timestamp) -> Judgement {
    let named_by_us = instance.id.starts_with("hfv-");
    let owned = instance.tags.contains_key(tags::OPERATION);
    let expiry = instance.tags.get(tags::EXPIRES_AT).and_then(|time| time.parse::<Timestamp>().ok());
    match expiry {
        Some(expiry) if named_by_us && owned && expiry <= now => Judgement::Expired,
        Some(_) if named_by_us && owned => Judgement::Alive,
        _ => Judgement::Suspicious,
    }
}

/// Removes what has expired. One instance that refuses to go does not keep the others.
///
/// # Errors
/// What a call met first; whatever else could be deleted was.
pub async fn handle(rds: &impl Rds, region: &Region, now: Timestamp) -> Result<Output> {
    let (mut deleted, mut kept, mut suspicious) = (vec![], vec![], vec![]);
    let mut failed = None;
    for instance in rds.temporary_instances(region).await? {
        match judge(&instance, now) {
            Judgement::Expired if instance.status == "deleting" => kept.push(instance.id),
            Judgement::Expired => match rds.delete_instance(region, &instance.id).await {
                Ok(()) => deleted.push(instance.id),
                Err(error) => failed = failed.or(Some(error)),
            },
            Judgement::Alive => kept.push(instance.id),
            Judgement::Suspicious => suspicious.push(instance.id),
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let message = format!("{} deleted, {} kept, {} suspicious", deleted.len(), kept.len(), suspicious.len());
    Ok(Output { deleted, kept, suspicious, progress: Progress::new("sweep", None, message) })
}
