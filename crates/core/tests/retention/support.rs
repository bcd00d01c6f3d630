//! Backups for tests.

use std::collections::BTreeSet;

use holdfast_core::ids::{OperationId, Region};
use holdfast_core::rds::SnapshotStatus;
use holdfast_core::request::Tier;
use holdfast_core::retention::{Backup, Decision, Owner, Proof};
use jiff::Timestamp;

pub fn region(text: &str) -> Region {
    Region::parse(text).unwrap()
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The `n`th backup of `prod-db` in us-east-1: VALID, available, daily, used by nothing.
pub fn backup(n: usize, taken_at: Timestamp) -> Backup {
    let operation = OperationId::parse(&format!("prod-db-{n:010x}")).unwrap();
    Backup {
        id: operation.snapshot_id(),
        arn: format!("arn:aws:rds:us-east-1:000000000000:snapshot:{}", operation.snapshot_id()),
        region: region("us-east-1"),
        database: "prod-db".into(),
        taken_at: Some(taken_at),
        proof: Proof::Valid,
        tier: Tier::Daily,
        hold: None,
        owner: Owner::Operation(operation),
        status: SnapshotStatus::Available,
        uses: vec![],
    }
}

/// The ARNs of what stays.
pub fn kept(decision: &Decision) -> BTreeSet<String> {
    decision.keep.iter().map(|kept| kept.backup.arn.clone()).collect()
}

/// The ARNs of what goes.
pub fn deleted(decision: &Decision) -> BTreeSet<String> {
    decision.delete.iter().map(|deleted| deleted.backup.arn.clone()).collect()
}

/// The reasons for which a backup stays, as their words; `None` when it goes.
pub fn why(decision: &Decision, backup: &Backup) -> Option<Vec<&'static str>> {
    let kept = decision.keep.iter().find(|kept| kept.backup.arn == backup.arn)?;
    Some(kept.reasons.iter().map(|reason| reason.code()).collect())
}
