//! The heartbeat: a row that a backup writes into its source just before the snapshot, to be found in what is restored.
//!
//! The one statement of Holdfast's that changes a source, and only where the input names the table.

use std::time::Duration;

use holdfast_core::baseline::Beat;
use holdfast_core::validation::{BEAT_AT, Heartbeat};

use crate::Target;
use crate::connection::{self, ConnectError};

/// Bound for each statement, in milliseconds: a row that has to wait for a lock is not worth a late snapshot.
const STATEMENT_MS: u32 = 10_000;

/// Bound for all of it, should the server not answer any more.
const ALL: Duration = Duration::from_secs(60);

/// The table as PostgreSQL writes it, and whether its columns are as they have to be.
const TABLE: &str = "
    SELECT format('%I.%I', n.nspname, c.relname),
           (SELECT count(*) = 2 FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND NOT a.attisdropped
               AND (a.attname = 'operation_id' AND a.atttypid = 'text'::pg_catalog.regtype
                    OR a.attname = $2 AND a.atttypid = 'timestamptz'::pg_catalog.regtype))
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
       AND (format('%I.%I', n.nspname, c.relname) = $1 OR format('%s.%s', n.nspname, c.relname) = $1)
     ORDER BY format('%I.%I', n.nspname, c.relname) = $1 DESC LIMIT 1";

/// Writes the row of one operation, or moves its time on.
pub(crate) async fn beat(
    target: &Target,
    heartbeat: &Heartbeat,
    operation: &str,
) -> Result<Beat, ConnectError> {
    let late = || ConnectError::Unreachable(format!("no heartbeat within {} s", ALL.as_secs()));
    tokio::time::timeout(ALL, written(target, heartbeat, operation)).await.map_err(|_| late())?
}

async fn written(target: &Target, heartbeat: &Heartbeat, operation: &str) -> Result<Beat, ConnectError> {
    let client = connection::connect(target, &heartbeat.database).await?;
    let failed = |error: tokio_postgres::Error| connection::classify(&error);
    // Whatever the role or the database sets: no name is looked up in a schema that somebody else can write to.
    let settings = format!(
        "SET search_path = ''; SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {STATEMENT_MS};
         SET default_transaction_read_only = off"
    );
    client.batch_execute(&settings).await.map_err(failed)?;
    let refused =
        |what: String| ConnectError::Refused(format!("the heartbeat's table {}: {what}", heartbeat.table));
    let found = client.query_opt(TABLE, &[&heartbeat.table, &BEAT_AT]).await.map_err(failed)?;
    let Some(found) = found else {
        return Err(refused(format!("it is not there in {}", heartbeat.database)));
    };
    let table: String = found.get(0);
    if !found.get::<_, bool>(1) {
        return Err(refused(format!("it has no columns operation_id text and {BEAT_AT} timestamptz")));
    }
    let sql = format!(
        "INSERT INTO {table} AS h (operation_id, {BEAT_AT}) VALUES ($1, pg_catalog.clock_timestamp())
         ON CONFLICT (operation_id) DO UPDATE SET {BEAT_AT} = excluded.{BEAT_AT}
         RETURNING pg_catalog.to_char(h.{BEAT_AT} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    );
    let row =
        client.query_one(&sql, &[&operation]).await.map_err(|error| match connection::classify(&error) {
            ConnectError::Refused(message) => refused(message),
            other => other,
        })?;
    Ok(Beat { database: heartbeat.database.clone(), table, beat_at: row.get(0) })
}
