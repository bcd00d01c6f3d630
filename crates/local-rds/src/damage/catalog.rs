//! Damage to what surrounds the rows: indexes, sequences, collations, or anything by SQL.

use tokio_postgres::Client;

use super::target::Target;
use crate::engine::{EngineError, said};

async fn execute(client: &Client, what: &'static str, sql: &str) -> Result<(), EngineError> {
    client.batch_execute(sql).await.map_err(said(what))
}

pub(super) async fn drop_table(target: &Target) -> Result<String, EngineError> {
    let sql = format!("drop table {} cascade", target.name);
    execute(&target.client, "drop the table", &sql).await?;
    Ok("dropped".to_owned())
}

pub(super) async fn run(client: &Client, sql: &str) -> Result<String, EngineError> {
    execute(client, "run the SQL", sql).await?;
    Ok("the SQL was run".to_owned())
}

/// Rows leave and come back, the same as before, while the index is marked as not to be filled.
pub(super) async fn remove_index_entries(target: &Target, rows: u32) -> Result<String, EngineError> {
    let found = target
        .client
        .query_one(
            "select indrelid::regclass::text, string_agg(quote_ident(attname), ', ' order by attnum)
               from pg_index join pg_attribute on attrelid = indrelid
              where indexrelid = $1 and attnum > 0 and not attisdropped and attgenerated = ''
              group by indrelid",
            &[&target.oid],
        )
        .await
        .map_err(said("look at the index"))?;
    let (table, columns): (String, String) = (found.get(0), found.get(1));
    let oid = target.oid;
    let ready = |ready: bool| format!("update pg_index set indisready = {ready} where indexrelid = {oid}");
    let what = "remove index entries";
    let begin = format!("begin; set local session_replication_role = replica; {}", ready(false));
    execute(&target.client, what, &begin).await?;
    let sql = format!(
        "with gone as (delete from only {table} where ctid in (select ctid from only {table} limit {rows}) returning *)
         insert into {table} ({columns}) overriding system value select {columns} from gone"
    );
    let moved = target.client.execute(&sql, &[]).await.map_err(said(what))?;
    if moved == 0 {
        return Err(EngineError::Refused(format!("{table} has no rows")));
    }
    execute(&target.client, what, &format!("{}; commit", ready(true))).await?;
    Ok(format!("{moved} rows of {table} are not in it"))
}

pub(super) async fn set_sequence_back(target: &Target) -> Result<String, EngineError> {
    let sql = "select setval(seqrelid::regclass, seqstart, false) from pg_sequence where seqrelid = $1";
    let row = target.client.query_one(sql, &[&target.oid]).await;
    let row = row.map_err(said("set the sequence back"))?;
    Ok(format!("next value {}", row.get::<_, i64>(0)))
}

/// Only versions that are recorded: the collations of the C library's `C` have none.
pub(super) async fn change_collation_version(client: &Client) -> Result<String, EngineError> {
    let failed = said("change the versions");
    let collations = client
        .execute("update pg_collation set collversion = '0' where collversion is not null", &[])
        .await
        .map_err(&failed)?;
    // Since PostgreSQL 15 a database has one, too.
    let has_own = client
        .query_opt(
            "select from pg_attribute where attrelid = 'pg_database'::regclass and attname = 'datcollversion'",
            &[],
        )
        .await
        .map_err(&failed)?;
    let mut databases = 0;
    if has_own.is_some() {
        let own = "update pg_database set datcollversion = '0'
                    where datcollversion is not null and datname = current_database()";
        databases = client.execute(own, &[]).await.map_err(&failed)?;
    }
    if collations + databases == 0 {
        return Err(EngineError::Refused("no collation has a version".to_owned()));
    }
    Ok(format!("{collations} collations, {databases} databases"))
}
