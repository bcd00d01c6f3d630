//! Instances: creation, restore, change, stop, start, deletion.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_local_postgres::{Error as ClusterError, StopMode};
use jiff::Timestamp;

use super::{backups, copy_files, remove_files, rest, snapshots, takes};
use crate::app::{App, Key};
use crate::engine::{self, Configuration, EngineError};
use crate::faults::WorkOrders;
use crate::lock;
use crate::state::{Instance, InstanceStatus, Server, archive};

/// What a new instance is filled from.
pub(crate) enum Source {
    /// Nothing: the master password and the first database are set up.
    Empty { password: String },
    /// A snapshot's files.
    Snapshot(PathBuf),
    /// A base backup and the WAL since, until a time.
    PointInTime { base: PathBuf, archive: PathBuf, until: Timestamp },
}

/// `creating` until the server runs and the time is up.
pub(crate) fn bring_up(app: Arc<App>, key: Key, source: Source, orders: WorkOrders) {
    app.clone().spawn(async move {
        if orders.never {
            return;
        }
        let tuning = app.tuning();
        let restored = !matches!(source, Source::Empty { .. });
        let seconds = if restored { tuning.restore_seconds } else { tuning.create_seconds };
        let (began, takes) = (Instant::now(), takes(&app, &orders, seconds));
        let end = match orders.ends {
            Some(status) => Some(status),
            None => fill(&app, &key, &source).await.err().map(|cause| {
                tracing::warn!(instance = %key.id, region = %key.region, %cause, "the instance has no server");
                end_status(&cause, restored).to_owned()
            }),
        };
        rest(began, takes).await;
        if let Some(status) = end {
            set(&app, &key, InstanceStatus::Ended(status));
            return;
        }
        let backs_up = app.with_instance(&key, |instance| instance.backup_retention > 0);
        if backs_up == Some(true) {
            first_backup(&app, &key).await;
        }
        if restored {
            load(&app, &key).await;
        } else {
            set(&app, &key, InstanceStatus::Available);
        }
    });
}

/// `storage-initialization` until the time is up, or somebody changes it (Amazon RDS User Guide, "Viewing Amazon RDS DB instance
/// status": the instance "remains available for operations").
async fn load(app: &App, key: &Key) {
    set(app, key, InstanceStatus::StorageInitialization);
    let tuning = app.tuning();
    tokio::time::sleep(tuning.scaled(tuning.initialize_seconds)).await;
    app.with_instance(key, |instance| {
        if instance.status == InstanceStatus::StorageInitialization {
            instance.status = InstanceStatus::Available;
        }
    });
}

/// `backing-up` until there are automated backups and the time is up.
async fn first_backup(app: &App, key: &Key) {
    set(app, key, InstanceStatus::BackingUp);
    let (began, tuning) = (Instant::now(), app.tuning());
    backups::begin(app, key).await;
    rest(began, tuning.scaled(tuning.backup_seconds)).await;
}

fn end_status(cause: &EngineError, restored: bool) -> &'static str {
    match cause {
        EngineError::Cluster(ClusterError::NotStarted { log }) if log.contains("configuration file") => {
            "incompatible-parameters"
        }
        _ if restored => "incompatible-restore",
        _ => "failed",
    }
}

async fn fill(app: &App, key: &Key, source: &Source) -> Result<(), EngineError> {
    let Some(instance) = app.with_instance(key, |instance| instance.clone()) else {
        return Ok(());
    };
    let data = instance.directory.join("data");
    let mut configuration = engine::configuration(app, &key.region, &instance.parameter_group);
    configuration.archive = Some(archive(&app.backup_directory(&key.serial)));
    // Held until the server is in its place: a deletion waits for it here.
    let mut place = instance.server.lock().await;
    let mut cluster = match source {
        Source::Empty { .. } => engine::create(app, &data, instance.port, &configuration).await?,
        Source::Snapshot(files) => {
            copy_files(app, files, &data).await?;
            engine::open(app, &data, instance.port, &configuration).await?
        }
        Source::PointInTime { base, .. } => {
            copy_files(app, base, &data).await?;
            engine::open(app, &data, instance.port, &configuration).await?
        }
    };
    match source {
        Source::PointInTime { archive, until, .. } => {
            // In PostgreSQL's microseconds, never rounded up; `Z` would need the abbreviations of time zones.
            cluster.recover(archive, &until.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string()).await?;
        }
        Source::Empty { .. } | Source::Snapshot(_) => cluster.start().await?,
    }
    if let Source::Empty { password } = source {
        let database = instance.database.as_deref();
        engine::bootstrap(app, instance.port, &instance.master_user, password, database).await?;
    }
    *place = Some(cluster);
    Ok(())
}

/// Sets a status unless the instance is gone or going.
fn set(app: &App, key: &Key, status: InstanceStatus) {
    app.with_instance(key, |instance| {
        if instance.status != InstanceStatus::Deleting {
            instance.status = status;
        }
    });
}

/// Changes of an instance that take time.
pub(crate) struct Change {
    pub(crate) password: Option<String>,
    /// What is pending besides.
    pub(crate) others: bool,
    pub(crate) rename: Option<String>,
}

/// A new master password first, then the other pending changes, then another identifier. Until the first of them
/// begins the status still says `available` for a moment, as in RDS.
pub(crate) fn change(app: Arc<App>, key: Key, change: Change, orders: WorkOrders) {
    app.clone().spawn(async move {
        let takes = takes(&app, &orders, app.tuning().modify_seconds);
        tokio::time::sleep(takes / 2).await;
        if let Some(password) = change.password {
            set(&app, &key, InstanceStatus::ResettingMasterCredentials);
            tokio::time::sleep(takes / 2).await;
            reset_password(&app, &key, &password).await;
        }
        if change.others {
            set(&app, &key, InstanceStatus::Modifying);
            tokio::time::sleep(takes / 2).await;
            app.with_instance(&key, apply_pending);
            change_backups(&app, &key).await;
        }
        let mut status = InstanceStatus::Available;
        if let Some(name) = change.rename {
            set(&app, &key, InstanceStatus::Renaming);
            tokio::time::sleep(takes / 2).await;
            if let Err(cause) = rename(&app, &key, &name).await {
                tracing::warn!(instance = %key.id, %name, %cause, "the instance was not renamed");
                status = InstanceStatus::Ended(end_status(&cause, false).to_owned());
            }
        }
        set(&app, &key, status);
    });
}

/// Gives an instance another name: its sessions are cut, and it listens on the port that belongs to the name.
async fn rename(app: &App, key: &Key, name: &str) -> Result<(), EngineError> {
    let gone = || EngineError::Refused("the instance is gone".to_owned());
    let found =
        app.with_instance(key, |instance| (instance.server.clone(), instance.parameter_group.clone()));
    let (server, group) = found.ok_or_else(gone)?;
    let mut place = server.lock().await;
    let cluster = place.as_mut().ok_or_else(gone)?;
    cluster.stop(StopMode::Fast).await?;
    let port = app.rename(key, name).ok_or_else(gone)?;
    cluster.set_port(port.map_err(|cause| EngineError::Refused(cause.message))?);
    engine::configure(cluster, &engine::configuration(app, &key.region, &group));
    cluster.start().await?;
    app.with_instance(key, |instance| instance.parameter_status = "in-sync");
    Ok(())
}

/// Automated backups begin when the retention is no longer 0, and end when it is.
async fn change_backups(app: &App, key: &Key) {
    let found = app.with_instance(key, |instance| (instance.backup_retention > 0, instance.backup.is_some()));
    match found {
        Some((true, false)) => first_backup(app, key).await,
        Some((false, true)) => backups::end(app, key).await,
        Some((true, true) | (false, false)) | None => {}
    }
}

async fn reset_password(app: &App, key: &Key, password: &str) {
    let found = app.with_instance(key, |instance| (instance.port, instance.master_user.clone()));
    let Some((port, master)) = found else { return };
    if let Err(cause) = engine::set_password(app, port, &master, password).await {
        tracing::warn!(instance = %key.id, %cause, "the master password was not replaced");
    }
    app.with_instance(key, |instance| instance.pending.password = false);
}

fn apply_pending(instance: &mut Instance) {
    let pending = std::mem::take(&mut instance.pending);
    instance.pending.password = pending.password;
    instance.pending.identifier = pending.identifier;
    if let Some(class) = pending.class {
        instance.class = class;
    }
    instance.allocated_storage = pending.allocated_storage.unwrap_or(instance.allocated_storage);
    instance.backup_retention = pending.backup_retention.unwrap_or(instance.backup_retention);
    instance.multi_az = pending.multi_az.unwrap_or(instance.multi_az);
    if let Some(kind) = pending.storage_type {
        instance.storage_type = kind;
        // What was provisioned for the type before goes with it.
        (instance.options.iops, instance.options.storage_throughput) = (None, None);
    }
    let options = &mut instance.options;
    options.iops = pending.iops.or(options.iops);
    options.storage_throughput = pending.storage_throughput.or(options.storage_throughput);
}

/// What a stop, a start and a reboot do to the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Power {
    Off,
    On,
    Cycle,
}

/// Stops or starts the server; a start reads the parameter group again.
pub(crate) fn power(app: Arc<App>, key: Key, power: Power, orders: WorkOrders) {
    app.clone().spawn(async move {
        let (began, takes) = (Instant::now(), takes(&app, &orders, app.tuning().modify_seconds));
        let found =
            app.with_instance(&key, |instance| (instance.server.clone(), instance.parameter_group.clone()));
        let Some((server, group)) = found else { return };
        let configuration = engine::configuration(&app, &key.region, &group);
        if power == Power::Off {
            // Nobody can ask it later.
            backups::reach_now(&app, &key).await;
        }
        let done = switch(&server, power, &configuration).await;
        rest(began, takes).await;
        let status = match done {
            Ok(()) if power == Power::Off => InstanceStatus::Stopped,
            Ok(()) => {
                app.with_instance(&key, |instance| instance.parameter_status = "in-sync");
                InstanceStatus::Available
            }
            Err(cause) => {
                tracing::warn!(instance = %key.id, %cause, "the server did not obey");
                InstanceStatus::Ended(end_status(&cause, false).to_owned())
            }
        };
        set(&app, &key, status);
    });
}

async fn switch(server: &Server, power: Power, configuration: &Configuration) -> Result<(), EngineError> {
    let mut place = server.lock().await;
    let Some(cluster) = place.as_mut() else { return Ok(()) };
    if power != Power::On {
        cluster.stop(StopMode::Fast).await?;
    }
    if power != Power::Off {
        engine::configure(cluster, configuration);
        cluster.start().await?;
    }
    Ok(())
}

/// What is left of an instance that is deleted.
pub(crate) struct Remains {
    pub(crate) final_snapshot: Option<Key>,
    pub(crate) automated_backups: bool,
}

/// `deleting`, then gone, with its files and what is not to remain.
pub(crate) fn delete(app: Arc<App>, key: Key, remains: Remains, orders: WorkOrders) {
    app.clone().spawn(async move {
        let (began, takes) = (Instant::now(), takes(&app, &orders, app.tuning().delete_seconds));
        let found = app.with_instance(&key, |instance| (instance.server.clone(), instance.directory.clone()));
        let Some((server, directory)) = found else { return };
        if let Some(snapshot) = remains.final_snapshot {
            snapshots::take(&app, &snapshot, &key, &WorkOrders::default()).await;
        }
        if remains.automated_backups {
            backups::reach_now(&app, &key).await;
        }
        tear_down(&server, &directory).await;
        rest(began, takes).await;
        if let Some(backup) = leave(&app, &key, remains.automated_backups) {
            backups::remove(&backup).await;
        }
    });
}

/// Takes an instance out of the world. Answers the directory of its automated backups when they are not kept.
fn leave(app: &App, key: &Key, keep: bool) -> Option<PathBuf> {
    let mut world = lock(&app.world);
    let region = world.region(&key.region);
    let id = region.instances.values().find(|found| found.resource_id == key.serial)?.arn.id.clone();
    let mut gone = region.instances.remove(&id)?;
    let mut backup = gone.backup.take()?;
    // Without a base backup there is nothing to restore from.
    if !keep || backup.window.is_none() {
        return Some(backup.directory);
    }
    backup.retained = true;
    gone.backup = Some(backup);
    region.retained.insert(gone.resource_id.clone(), gone);
    None
}

/// Stops the server at once and removes its files.
pub(crate) async fn tear_down(server: &Server, directory: &Path) {
    let mut place = server.lock().await;
    if let Some(mut cluster) = place.take()
        && let Err(cause) = cluster.stop(StopMode::Immediate).await
    {
        tracing::warn!(%cause, "a server did not stop");
    }
    remove_files(directory).await;
}

/// How long the whole process may wait for its servers at the end.
pub(crate) const LAST_WAIT: Duration = Duration::from_secs(20);
