//! What a piece of damage is done to.

use std::path::PathBuf;

use tokio_postgres::Client;

use super::order::{Damage, DamageKind};
use crate::app::App;
use crate::engine::{self, EngineError, said};

/// A relation, and a superuser's session in its database.
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) database: String,
    /// Quoted, with its schema.
    pub(super) name: String,
    pub(super) oid: u32,
    /// Below the data directory; a partitioned table has none.
    pub(super) file: Option<PathBuf>,
}

/// Which relations suit.
struct Suits {
    /// One that was named.
    named: &'static str,
    /// One that was not; the largest of them is taken.
    unnamed: &'static str,
    /// The relation whose file and size count.
    file: &'static str,
    size: &'static str,
}

const SIZE: &str = "pg_relation_size(f.oid)";

fn suits(kind: DamageKind) -> Suits {
    let table =
        Suits { named: "c.relkind in ('r', 'p')", unnamed: "c.relkind = 'r'", file: "c.oid", size: SIZE };
    match kind {
        DamageKind::FlipHeapBytes | DamageKind::TruncateRelation => {
            Suits { named: "c.relkind in ('r', 'i', 'm', 't')", ..table }
        }
        DamageKind::FlipIndexBytes | DamageKind::RemoveIndexEntries => Suits {
            named: "c.relkind = 'i' and c.relam = (select oid from pg_am where amname = 'btree')",
            unnamed: "c.relkind = 'i' and c.relam = (select oid from pg_am where amname = 'btree')
                      and exists (select from pg_index i where i.indexrelid = c.oid and i.indpred is null)",
            ..table
        },
        DamageKind::FlipToastBytes => Suits {
            named: "c.relkind in ('r', 'm')",
            unnamed: "c.relkind in ('r', 'm')",
            file: "c.reltoastrelid",
            ..table
        },
        DamageKind::OrphanRows => Suits {
            named: "exists (select from pg_constraint where contype = 'f' and conrelid = c.oid)",
            unnamed: "exists (select from pg_constraint where contype = 'f' and conrelid = c.oid)",
            ..table
        },
        DamageKind::SetSequenceBack => {
            // The function refuses what is no sequence: it must not be asked about one.
            let used =
                "case when c.relkind = 'S' then pg_sequence_last_value(c.oid) is not null else false end";
            Suits { named: used, unnamed: used, file: "c.oid", size: "pg_sequence_last_value(c.oid)" }
        }
        DamageKind::DropTable
        | DamageKind::DeleteRows
        | DamageKind::ChangeRows
        | DamageKind::AddRow
        | DamageKind::ChangeCollationVersion
        | DamageKind::RunSql
        | DamageKind::CorruptControlFile => table,
    }
}

/// The relation that was asked for, in the database that was asked for or any, or the largest that suits.
pub(super) async fn find(app: &App, port: u16, damage: &Damage) -> Result<Target, EngineError> {
    let Suits { named, unnamed, file, size } = suits(damage.kind);
    let sql = format!(
        "select format('%I.%I', n.nspname, c.relname), c.oid, pg_relation_filepath(f.oid), {size}
           from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_class f on f.oid = {file}
          where c.relpersistence = 'p' and n.nspname <> 'information_schema'
            and case when $1::text is null then n.nspname !~ '^pg_' and {unnamed}
                     when $1 in (n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname)) then {named}
                     else false end
          order by 4 desc limit 1"
    );
    let mut best: Option<(i64, Target)> = None;
    for database in databases(app, port, damage.database.as_deref()).await? {
        let client = engine::admin(app, port, &database).await?;
        let row = client.query_opt(&sql, &[&damage.relation]).await.map_err(said("look for the relation"))?;
        let Some(row) = row else { continue };
        let size: i64 = row.get(3);
        if best.as_ref().is_none_or(|(largest, _)| size > *largest) {
            let file = row.get::<_, Option<String>>(2).map(PathBuf::from);
            best = Some((size, Target { client, database, name: row.get(0), oid: row.get(1), file }));
        }
    }
    let Damage { kind, database, relation, .. } = damage;
    let missing =
        || format!("nothing to damage by {kind:?} (database: {database:?}, relation: {relation:?})");
    best.map(|(_, target)| target).ok_or_else(|| EngineError::Refused(missing()))
}

/// The user's databases, or the one that was named.
async fn databases(app: &App, port: u16, wanted: Option<&str>) -> Result<Vec<String>, EngineError> {
    let client = engine::admin(app, port, "postgres").await?;
    let rows = client
        .query(
            "select datname from pg_database
              where datallowconn and not datistemplate and datname <> 'rdsadmin'
                and ($1::text is null or datname = $1)",
            &[&wanted],
        )
        .await
        .map_err(said("list the databases"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A session in the database that was named, or else in the one with the largest table.
pub(super) async fn database(app: &App, port: u16, damage: &Damage) -> Result<(Client, String), EngineError> {
    match &damage.database {
        Some(name) => Ok((engine::admin(app, port, name).await?, name.clone())),
        None => find(app, port, damage).await.map(|target| (target.client, target.database)),
    }
}
