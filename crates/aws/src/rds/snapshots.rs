//! Manual snapshots listed and deleted: what retention needs.

use aws_sdk_rds::Client;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::SnapshotDeletion;
use holdfast_core::rds::Snapshot;

use super::convert::snapshot_from;
use crate::classify::{classify, code, message};

/// Every manual snapshot with its tags, which come with the list: one `ListTagsForResource` for each would be throttled.
pub(super) async fn list(client: &Client, region: &Region) -> Result<Vec<Snapshot>> {
    let mut pages = client.describe_db_snapshots().snapshot_type("manual").into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(snapshot) = pages.next().await {
        let snapshot =
            snapshot.map_err(|error| classify(&format!("DescribeDBSnapshots in {region}"), &error))?;
        found.push(snapshot_from(&snapshot, region)?);
    }
    Ok(found)
}

pub(super) async fn delete(client: &Client, region: &Region, id: &str) -> Result<SnapshotDeletion> {
    match client.delete_db_snapshot().db_snapshot_identifier(id).send().await {
        Ok(_) => Ok(SnapshotDeletion::Deleted),
        Err(error) => match code(&error) {
            Some("DBSnapshotNotFound") => Ok(SnapshotDeletion::Gone),
            Some("InvalidDBSnapshotState") => Ok(SnapshotDeletion::Refused(message(&error).to_owned())),
            _ => Err(classify(&format!("DeleteDBSnapshot {id} in {region}"), &error)),
        },
    }
}
