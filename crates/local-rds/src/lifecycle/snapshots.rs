//! Snapshots and copies.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::{copy_files, rest};
use crate::app::{App, Key};
use crate::damage::{self, Damage};
use crate::engine::EngineError;
use crate::faults::WorkOrders;
use crate::state::{InstanceStatus, SnapshotStatus};

/// A snapshot of an instance, in the background.
pub(crate) fn begin(app: Arc<App>, snapshot: Key, instance: Key, orders: WorkOrders) {
    app.clone().spawn(async move { take(&app, &snapshot, &instance, &orders).await });
}

/// Takes it: the instance is `backing-up` while its files are copied, and goes on serving.
pub(crate) async fn take(app: &App, snapshot: &Key, instance: &Key, orders: &WorkOrders) {
    let Some((progress, directory)) =
        app.with_snapshot(snapshot, |snapshot| (snapshot.progress.clone(), snapshot.directory.clone()))
    else {
        return;
    };
    let copied = copy_instance(app, snapshot, instance).await;
    app.with_instance(instance, |instance| {
        if instance.status == InstanceStatus::BackingUp {
            instance.status = InstanceStatus::Available;
        }
    });
    let mut done = copied;
    for order in &orders.damage {
        if done.is_ok() {
            done = damage(app, snapshot, &directory, order).await;
        }
    }
    rest(progress.began, progress.takes).await;
    finish(app, snapshot, done, orders);
}

async fn damage(app: &App, snapshot: &Key, directory: &Path, order: &Damage) -> Result<(), EngineError> {
    let done = damage::apply(app, directory, order).await?;
    tracing::info!(snapshot = %snapshot.id, kind = ?order.kind, ?done, "damaged as ordered");
    Ok(())
}

async fn copy_instance(app: &App, snapshot: &Key, instance: &Key) -> Result<(), EngineError> {
    let gone = || EngineError::Refused("the instance is gone".to_owned());
    let server = app.with_instance(instance, |instance| instance.server.clone()).ok_or_else(gone)?;
    let directory = app.with_snapshot(snapshot, |snapshot| snapshot.directory.clone()).ok_or_else(gone)?;
    let place = server.lock().await;
    let cluster = place.as_ref().ok_or_else(gone)?;
    if let Some(parent) = directory.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|cause| EngineError::Files { what: "make room for the snapshot", cause })?;
    }
    let taken = Timestamp::now();
    cluster.base_backup(&directory).await?;
    app.with_snapshot(snapshot, |snapshot| {
        snapshot.created = Some(taken);
        snapshot.original_created = Some(taken);
    });
    Ok(())
}

/// A copy of a snapshot, in the background. It fails when the source is gone before it ends.
pub(crate) fn copy(app: Arc<App>, source: Key, target: Key, orders: WorkOrders) {
    app.clone().spawn(async move {
        let from = app.with_snapshot(&source, |snapshot| snapshot.directory.clone());
        let to =
            app.with_snapshot(&target, |snapshot| (snapshot.directory.clone(), snapshot.progress.clone()));
        let (Some(from), Some((to, progress))) = (from, to) else { return };
        tokio::time::sleep(progress.takes / 10).await;
        app.with_snapshot(&target, |snapshot| snapshot.status = SnapshotStatus::Copying);
        let mut done = copy_files(&app, &from, &to).await;
        for order in &orders.damage {
            if done.is_ok() {
                done = damage(&app, &target, &to, order).await;
            }
        }
        rest(progress.began, progress.takes).await;
        if done.is_ok() && app.with_snapshot(&source, |_| ()).is_none() {
            done = Err(EngineError::Refused("the source snapshot was deleted during the copy".to_owned()));
        }
        app.with_snapshot(&target, |snapshot| snapshot.created = Some(Timestamp::now()));
        finish(&app, &target, done, &orders);
    });
}

fn finish(app: &App, key: &Key, done: Result<(), EngineError>, orders: &WorkOrders) {
    if orders.stuck_at.is_some() {
        return;
    }
    let status = match done {
        Ok(()) if !orders.fail => SnapshotStatus::Available,
        Ok(()) => SnapshotStatus::Failed,
        Err(cause) => {
            tracing::warn!(snapshot = %key.id, region = %key.region, %cause, "the snapshot failed");
            SnapshotStatus::Failed
        }
    };
    app.with_snapshot(key, |snapshot| snapshot.status = status);
}
