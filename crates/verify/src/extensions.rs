//! `amcheck` and `pg_prewarm`, where they can be had.

use crate::Options;
use crate::session::{Session, Trouble, patiently};

/// The schema that is Holdfast's own, left out of the catalog.
pub(crate) const OWN_SCHEMA: &str = "holdfast_verify";

/// Event triggers of the restored database are its owner's, and nothing of theirs is to run here: as a replica, only
/// those that somebody set to `ALWAYS` fire (PostgreSQL, ALTER EVENT TRIGGER). `rds_superuser` may say so; for whoever
/// may not, they fire as they would for anybody.
const QUIETLY: &str = "DO $$ BEGIN SET LOCAL session_replication_role = replica;
     EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// The schema, quoted, in which `amcheck` can be called; or why it cannot.
pub(crate) async fn amcheck(session: &mut Session<'_>, options: &Options) -> Result<String, String> {
    // Its functions may be called by nobody but superusers until it is granted (PostgreSQL, F.1 amcheck).
    callable(session, options, "amcheck", "bt_index_check", 2).await
}

/// The schema, quoted, in which `pg_prewarm` can be called; or why it cannot or should not.
///
/// It reads pages through the buffers like any other reader, so their checksums are verified, and it reads all of them:
/// also those that no row and no branch of an index leads to. On a server in production it would push out what the
/// buffers hold.
pub(crate) async fn prewarm(session: &mut Session<'_>, options: &Options) -> Result<String, String> {
    if !options.may_create_extensions {
        return Err("pg_prewarm would displace what a server in use holds in memory".into());
    }
    callable(session, options, "pg_prewarm", "pg_prewarm", 5).await
}

/// A server that goes away in between has not said that it has none: that would be less proof than there can be.
async fn callable(
    session: &mut Session<'_>,
    options: &Options,
    name: &str,
    function: &str,
    arguments: u32,
) -> Result<String, String> {
    let found = patiently!(session, name, look(session, options, name, function, arguments));
    found.unwrap_or_else(|trouble| Err(trouble.message()))
}

async fn look(
    session: &mut Session<'_>,
    options: &Options,
    name: &str,
    function: &str,
    arguments: u32,
) -> Result<Result<String, String>, Trouble> {
    let schema = match extension(session, options, name).await? {
        Ok(schema) => schema,
        Err(reason) => return Ok(Err(reason)),
    };
    let may = may_call(session, &schema, function, arguments).await?;
    Ok(if may { Ok(schema) } else { Err(format!("this user has no right to call {name}")) })
}

async fn extension(
    session: &mut Session<'_>,
    options: &Options,
    name: &str,
) -> Result<Result<String, String>, Trouble> {
    let sql = format!(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
          WHERE e.extname = '{name}'"
    );
    if let Some(row) = session.query(&sql).await?.first() {
        return Ok(Ok(row.get(0)));
    }
    if !options.may_create_extensions {
        return Ok(Err(format!("{name} is not installed in this database")));
    }
    let sql = format!(
        "{QUIETLY}; CREATE SCHEMA IF NOT EXISTS {OWN_SCHEMA}; CREATE EXTENSION IF NOT EXISTS {name} SCHEMA {OWN_SCHEMA}"
    );
    session.change(&sql).await?;
    Ok(Ok(OWN_SCHEMA.to_owned()))
}

/// Whether a function with so many arguments is there and this user may call it. What a database has can be older
/// than its server: an extension stays as it is through upgrades of the server until somebody updates it.
pub(crate) async fn may_call(
    session: &mut Session<'_>,
    schema: &str,
    function: &str,
    arguments: u32,
) -> Result<bool, Trouble> {
    let sql = format!(
        "SELECT coalesce(bool_or(has_function_privilege(p.oid, 'EXECUTE')), false)
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE quote_ident(n.nspname) = '{}' AND p.proname = '{function}' AND p.pronargs >= {arguments}",
        schema.replace('\'', "''")
    );
    Ok(session.query_one(&sql).await?.get(0))
}
