//! Damage to the files of a snapshot, so that validation has something to find.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use holdfast_local_postgres::{Cluster, StopMode, free_port};

use crate::app::App;
use crate::engine::{self, Configuration, EngineError};
use crate::faults::{Damage, DamageKind};

const PAGE: u64 = 8192;

/// A relation of the user's and its file.
struct Relation {
    database: String,
    name: String,
    file: PathBuf,
}

/// Damages the snapshot in `directory`. Its server is started once for it: that names the
/// relation's file, and leaves no write-ahead log whose replay would repair the damage.
pub(crate) async fn apply(app: &App, directory: &Path, damage: &Damage) -> Result<String, EngineError> {
    if damage.kind == DamageKind::CorruptControlFile {
        let file = directory.join("global/pg_control");
        change(&file, |file, _| overwrite(file, 0, 512))?;
        return Ok("global/pg_control".to_owned());
    }
    let port = free_port()?;
    let mut cluster = engine::open(app, directory, port, &Configuration::default()).await?;
    cluster.start().await?;
    let relation = on_server(app, &cluster, damage).await;
    cluster.stop(StopMode::Fast).await?;
    let relation = relation?;
    let file = directory.join(&relation.file);
    match damage.kind {
        DamageKind::FlipHeapBytes => change(&file, |file, length| {
            let pages = length / PAGE;
            let mut chosen = [pages / 4, pages / 2, pages * 3 / 4].to_vec();
            chosen.dedup();
            // A page's own middle: tuples or free space, under the checksum either way.
            chosen.iter().filter(|page| **page < pages).try_for_each(|page| {
                overwrite(file, page * PAGE + PAGE / 2, 16)?;
                overwrite(file, page * PAGE + PAGE - 64, 16)
            })
        })?,
        DamageKind::TruncateRelation => {
            change(&file, |file, length| file.set_len(length / PAGE / 2 * PAGE))?;
        }
        DamageKind::DropTable | DamageKind::DeleteRows | DamageKind::CorruptControlFile => {}
    }
    Ok(format!("{}.{}", relation.database, relation.name))
}

async fn on_server(app: &App, cluster: &Cluster, damage: &Damage) -> Result<Relation, EngineError> {
    let relation = find(app, cluster.port(), damage.relation.as_deref()).await?;
    let sql = match damage.kind {
        DamageKind::DropTable => format!("drop table {} cascade", relation.name),
        DamageKind::DeleteRows => {
            // By position, so that it works on any table; constraints and triggers do not fire.
            let name = &relation.name;
            format!(
                "set session_replication_role = replica; delete from {name} where ctid in
                 (select ctid from (select ctid, row_number() over () as n from {name}) as numbered where n % 10 = 1)"
            )
        }
        DamageKind::FlipHeapBytes | DamageKind::TruncateRelation | DamageKind::CorruptControlFile => {
            return Ok(relation);
        }
    };
    let client = engine::admin(app, cluster.port(), &relation.database).await?;
    client.batch_execute(&sql).await.map_err(|cause| EngineError::Sql { what: "damage the data", cause })?;
    Ok(relation)
}

/// The relation that was asked for, in any database, or the largest table of the user's.
async fn find(app: &App, port: u16, wanted: Option<&str>) -> Result<Relation, EngineError> {
    let sql = |what: &'static str| move |cause| EngineError::Sql { what, cause };
    let client = engine::admin(app, port, "postgres").await?;
    let databases = client
        .query("select datname from pg_database where datallowconn and not datistemplate and datname <> 'rdsadmin'", &[])
        .await
        .map_err(sql("list the databases"))?;
    let mut best: Option<(i64, Relation)> = None;
    for row in databases {
        let database: String = row.get(0);
        let client = engine::admin(app, port, &database).await?;
        let rows = client
            .query(
                "select format('%I.%I', n.nspname, c.relname), pg_relation_filepath(c.oid), pg_relation_size(c.oid)
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace
                  where c.relpersistence = 'p' and n.nspname <> 'information_schema'
                    and ($1::text is null and c.relkind = 'r' and n.nspname !~ '^pg_'
                         or $1 in (n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname))
                            and c.relkind in ('r', 'i', 'm', 't'))
                  order by 3 desc limit 1",
                &[&wanted],
            )
            .await
            .map_err(sql("look for the relation"))?;
        for row in rows {
            let size: i64 = row.get(2);
            if best.as_ref().is_none_or(|(largest, _)| size > *largest) {
                let file = PathBuf::from(row.get::<_, String>(1));
                best = Some((size, Relation { database: database.clone(), name: row.get(0), file }));
            }
        }
    }
    let missing = || EngineError::Refused(format!("no relation to damage (asked for: {wanted:?})"));
    best.map(|(_, relation)| relation).ok_or_else(missing)
}

fn change(
    file: &Path,
    act: impl FnOnce(&mut std::fs::File, u64) -> std::io::Result<()>,
) -> Result<(), EngineError> {
    let opened = OpenOptions::new().read(true).write(true).open(file);
    opened
        .and_then(|mut file| {
            let length = file.metadata()?.len();
            act(&mut file, length)
        })
        .map_err(|cause| EngineError::Files { what: "damage a file", cause })
}

fn overwrite(file: &mut std::fs::File, at: u64, bytes: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; bytes];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut buffer)?;
    buffer.iter_mut().for_each(|byte| *byte ^= 0xa5);
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&buffer)
}
