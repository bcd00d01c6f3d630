//! Work that goes on after an action has been answered. Each piece ends by setting a status.

pub(crate) mod backups;
pub(crate) mod instances;
pub(crate) mod snapshots;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::app::App;
use crate::engine::EngineError;
use crate::faults::WorkOrders;

/// How long work takes: what a fault says, else the setting.
pub(crate) fn takes(app: &App, orders: &WorkOrders, seconds: f64) -> std::time::Duration {
    orders.slow.map_or_else(
        || app.tuning().scaled(seconds),
        |slow| std::time::Duration::try_from_secs_f64(slow).unwrap_or_default(),
    )
}

/// Sleeps for what is left of the time that the work should take.
async fn rest(began: Instant, takes: std::time::Duration) {
    tokio::time::sleep_until((began + takes).into()).await;
}

async fn copy_files(app: &App, from: &Path, to: &Path) -> Result<(), EngineError> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let stopping = app.stopping.clone();
    let skip = move |_: &Path| stopping.load(Ordering::SeqCst);
    tokio::task::spawn_blocking(move || holdfast_local_postgres::copy_tree(&from, &to, &skip))
        .await
        .map_err(std::io::Error::from)
        .and_then(|copied| copied)
        .map_err(|cause| EngineError::Files { what: "copy the files", cause })
}

pub(crate) async fn remove_files(directory: &Path) {
    if let Err(cause) = tokio::fs::remove_dir_all(directory).await
        && cause.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(directory = %directory.display(), %cause, "cannot remove files");
    }
}
