//! Damage to the data of a snapshot, so that validation has something to find.

mod catalog;
mod order;
mod page;
mod pages;
mod rows;
mod target;

use std::path::{Path, PathBuf};

use holdfast_local_postgres::{Cluster, StopMode, free_port};
use serde::Serialize;

pub use order::{Damage, DamageKind};

use crate::app::App;
use crate::engine::{self, EngineError};

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    /// What it was done to: `database.schema.name`, a database, or a file.
    pub(crate) damaged: String,
    /// How.
    pub(crate) detail: String,
}

/// How far a server gets with it.
enum Step {
    /// All of it was done by SQL.
    Done(String),
    /// Pages of this file are to change, the server being stopped.
    Flip(PathBuf),
    /// This file is to be cut.
    Truncate(PathBuf),
}

/// Damages the snapshot in `directory`. Its server is started once for it: that names the
/// relation's file, and leaves no write-ahead log whose replay would repair the damage.
pub(crate) async fn apply(app: &App, directory: &Path, damage: &Damage) -> Result<Done, EngineError> {
    if let Some(why) = damage.refusal() {
        return Err(EngineError::Refused(why.to_owned()));
    }
    if damage.kind == DamageKind::CorruptControlFile {
        pages::garble(&directory.join("global/pg_control"))?;
        return Ok(Done { damaged: "global/pg_control".to_owned(), detail: "garbage".to_owned() });
    }
    let port = free_port()?;
    let mut cluster = engine::open(app, directory, port, &engine::alone()).await?;
    cluster.start().await?;
    let done = on_server(app, &cluster, damage).await;
    cluster.stop(StopMode::Fast).await?;
    let (damaged, step) = done?;
    let (directory, kind, keep_checksum) = (directory.to_owned(), damage.kind, damage.keep_checksum);
    let detail = tokio::task::spawn_blocking(move || match step {
        Step::Done(detail) => Ok(detail),
        Step::Flip(file) => pages::flip(&directory.join(file), kind, keep_checksum),
        Step::Truncate(file) => pages::truncate(&directory.join(file)),
    });
    let detail =
        detail.await.map_err(|cause| EngineError::Files { what: "damage a file", cause: cause.into() })??;
    Ok(Done { damaged, detail })
}

/// Does what SQL can do. Answers what it was done to.
async fn on_server(app: &App, cluster: &Cluster, damage: &Damage) -> Result<(String, Step), EngineError> {
    let port = cluster.port();
    if let DamageKind::RunSql | DamageKind::ChangeCollationVersion = damage.kind {
        let (client, database) = target::database(app, port, damage).await?;
        let detail = match &damage.sql {
            Some(sql) => catalog::run(&client, sql).await?,
            None => catalog::change_collation_version(&client).await?,
        };
        return Ok((database, Step::Done(detail)));
    }
    let target = target::find(app, port, damage).await?;
    let damaged = format!("{}.{}", target.database, target.name);
    let (rows, column) = (damage.rows, damage.column.as_deref());
    let no_file = || EngineError::Refused(format!("{damaged} has no file"));
    let step = match damage.kind {
        DamageKind::FlipHeapBytes | DamageKind::FlipIndexBytes | DamageKind::FlipToastBytes => {
            Step::Flip(target.file.ok_or_else(no_file)?)
        }
        DamageKind::TruncateRelation => Step::Truncate(target.file.ok_or_else(no_file)?),
        DamageKind::DropTable => Step::Done(catalog::drop_table(&target).await?),
        DamageKind::DeleteRows => Step::Done(rows::delete(&target, rows).await?),
        DamageKind::ChangeRows => Step::Done(rows::change(&target, column, rows).await?),
        DamageKind::AddRow => Step::Done(rows::add(&target, rows.unwrap_or(1)).await?),
        DamageKind::OrphanRows => Step::Done(rows::orphan(&target, rows.unwrap_or(3)).await?),
        DamageKind::RemoveIndexEntries => {
            Step::Done(catalog::remove_index_entries(&target, rows.unwrap_or(3)).await?)
        }
        DamageKind::SetSequenceBack => Step::Done(catalog::set_sequence_back(&target).await?),
        DamageKind::RunSql | DamageKind::ChangeCollationVersion | DamageKind::CorruptControlFile => {
            return Err(EngineError::Refused("no relation is damaged by this".to_owned()));
        }
    };
    Ok((damaged, step))
}
