//! Automated backups: a base backup, the archive of WAL since, and how far a restore reaches.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::remove_files;
use crate::app::{App, Key};
use crate::engine::{self, EngineError};
use crate::state::{AutomatedBackup, Instance, InstanceStatus, is_seen};
use crate::{lock, names};

/// How long a segment may take to its archive.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(10);

/// Begins the automated backups of an instance whose server runs. Without a base backup there are none.
pub(crate) async fn begin(app: &App, key: &Key) {
    let directory = app.backup_directory(&key.serial);
    let made = AutomatedBackup {
        id: names::resource_id().replacen("db-", "ab-", 1).to_ascii_lowercase(),
        directory: directory.clone(),
        window: None,
        asked: None,
        retained: false,
    };
    app.with_instance(key, |instance| instance.backup = Some(made));
    if let Err(cause) = take_base(app, key).await {
        tracing::warn!(instance = %key.id, region = %key.region, %cause, "there are no automated backups");
        app.with_instance(key, |instance| instance.backup = None);
        remove(&directory).await;
    }
}

async fn take_base(app: &App, key: &Key) -> Result<(), EngineError> {
    let gone = || EngineError::Refused("the instance is gone".to_owned());
    let found =
        app.with_instance(key, |instance| Some((instance.server.clone(), instance.backup.clone()?.base())));
    let (server, base) = found.flatten().ok_or_else(gone)?;
    let place = server.lock().await;
    let cluster = place.as_ref().ok_or_else(gone)?;
    cluster.make_archive()?;
    cluster.base_backup(&base).await?;
    // Only now is the copy consistent: no restore reaches further back.
    let earliest = Timestamp::now();
    let latest = seal(app, key, Marker::Write).await?;
    app.with_instance(key, |instance| {
        if let Some(backup) = &mut instance.backup {
            backup.window = Some((earliest, latest));
        }
    });
    Ok(())
}

/// Whether a commit is made for a recovery to stop at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Marker {
    Write,
    /// Costs nothing on a server that writes nothing. A restore writes one before it looks.
    Leave,
}

/// Gets everything that was committed until now into the archive; answers that time.
///
/// A recovery ends at the first commit after its target, and fails when there is none: without load the marker
/// is the only one.
async fn seal(app: &App, key: &Key, marker: Marker) -> Result<Timestamp, EngineError> {
    let gone = || EngineError::Refused("the automated backups are gone".to_owned());
    let found = app.with_instance(key, |instance| Some((instance.port, instance.backup.as_ref()?.archive())));
    let (port, archive) = found.flatten().ok_or_else(gone)?;
    let client = engine::admin(app, port, engine::ADMIN).await?;
    let now = Timestamp::now();
    let failed = |cause| EngineError::Sql { what: "finish the WAL segment", cause };
    if marker == Marker::Write {
        client.batch_execute("select txid_current()").await.map_err(failed)?;
    }
    let row = client.query_one("select pg_switch_wal()::text", &[]).await.map_err(failed)?;
    // On a segment's border PostgreSQL's majors do not agree which one it belongs to: one byte before they do.
    let before = last_byte(row.get(0)).ok_or_else(|| EngineError::Refused("an odd position".to_owned()))?;
    let sql = format!("select pg_walfile_name('{before}')");
    let name: String = client.query_one(sql.as_str(), &[]).await.map_err(failed)?.get(0);
    let deadline = Instant::now() + ARCHIVED_WITHIN;
    // The archiver goes by age: when this one is there, so are those before it.
    while !archive.join(&name).exists() {
        if Instant::now() > deadline {
            return Err(EngineError::Refused(format!("the segment {name} is not archived")));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(now)
}

/// The position before this one, both as `X/Y`.
fn last_byte(position: &str) -> Option<String> {
    let (high, low) = position.split_once('/')?;
    let position = (u64::from_str_radix(high, 16).ok()? << 32) | u64::from_str_radix(low, 16).ok()?;
    let before = position.checked_sub(1)?;
    Some(format!("{:X}/{:X}", before >> 32, before & 0xffff_ffff))
}

fn serves(instance: &Instance) -> bool {
    instance.status.is_available() || instance.status == InstanceStatus::BackingUp
}

async fn reach(app: &App, key: &Key, marker: Marker) {
    match seal(app, key, marker).await {
        Ok(now) => {
            app.with_instance(key, |instance| {
                // On its way out it has written its last marker, and reaches no further than that.
                if marker == Marker::Leave && !serves(instance) {
                    return;
                }
                if let Some((_, latest)) = instance.backup.as_mut().and_then(|backup| backup.window.as_mut())
                {
                    *latest = now.max(*latest);
                }
            });
        }
        Err(cause) => tracing::info!(instance = %key.id, %cause, "the restorable time stays where it is"),
    }
}

/// Lets the window of an instance reach until now, and a recovery to any time in it end. When its server does
/// not answer, the window stays as it is.
pub(crate) async fn reach_now(app: &App, key: &Key) {
    let has_window = |instance: &mut Instance| {
        let window = instance.backup.as_ref().and_then(|backup| backup.window);
        window.is_some()
    };
    if app.with_instance(key, has_window) == Some(true) {
        reach(app, key, Marker::Write).await;
    }
}

/// The same without a marker, in the background, for the instances of a Region that are looked at; each at most once
/// in the time that the tuning says. Whoever waits for a time to be restorable looks again.
pub(crate) fn follow(app: &Arc<App>, region: &str, looked_at: impl Fn(&str) -> bool) {
    let tuning = app.tuning();
    let patience = tuning.scaled(tuning.restorable_seconds);
    let mut keys = Vec::new();
    for (id, instance) in &mut lock(&app.world).region(region).instances {
        let serves = serves(instance);
        let key = Key { region: region.to_owned(), id: id.clone(), serial: instance.resource_id.clone() };
        let Some(backup) = instance.backup.as_mut().filter(|backup| backup.window.is_some()) else {
            continue;
        };
        let due = backup.asked.is_none_or(|asked| asked.elapsed() >= patience);
        if serves && due && is_seen(instance.unseen_until) && looked_at(id) {
            backup.asked = Some(Instant::now());
            keys.push(key);
        }
    }
    for key in keys {
        let working = app.clone();
        app.spawn(async move { reach(&working, &key, Marker::Leave).await });
    }
}

/// Ends the automated backups of an instance that goes on.
pub(crate) async fn end(app: &App, key: &Key) {
    if let Some(backup) = app.with_instance(key, |instance| instance.backup.take()).flatten() {
        remove(&backup.directory).await;
    }
}

/// Removes the files; under another name first, so that the server stops archiving at once and new backups of
/// the same instance find nothing old.
pub(crate) async fn remove(directory: &Path) {
    let mut gone = directory.to_owned().into_os_string();
    gone.push(format!(".{}", names::request_id()));
    if tokio::fs::rename(directory, &gone).await.is_ok() {
        remove_files(Path::new(&gone)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::last_byte;

    #[test]
    fn the_byte_before_a_position() {
        for (position, before) in
            [("0/3000000", "0/2FFFFFF"), ("1/0", "0/FFFFFFFF"), ("A/3000029", "A/3000028")]
        {
            assert_eq!(last_byte(position).as_deref(), Some(before));
        }
        assert_eq!(last_byte("0/0"), None);
        assert_eq!(last_byte("x"), None);
    }
}
