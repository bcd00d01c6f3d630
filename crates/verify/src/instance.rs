//! The server as a whole: its facts, its databases, and `inventory`.

use serde::{Deserialize, Serialize};

use crate::ending::{Ending, count, name_some};
use crate::session::{Session, Trouble};

/// Databases named in a note; more are counted.
const NAMES_SHOWN: usize = 10;

const FACTS: &str = "
    SELECT current_setting('server_version'), current_setting('server_version_num')::int4,
           current_setting('data_checksums') = 'on',
           current_setting('zero_damaged_pages') = 'on' OR current_setting('ignore_checksum_failure') = 'on',
           current_setting('block_size')::int8,
           to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

/// What is so for the whole server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// `server_version`: `15.4`.
    pub server_version: String,
    /// `server_version_num`: 150004.
    pub version: u32,
    /// Whether pages carry checksums.
    pub checksums: bool,
    /// Whether the server is told to pass over damaged pages.
    pub hides_damage: bool,
    /// Bytes of a page.
    pub block_size: u64,
    /// The server's own time (RFC 3339, UTC).
    pub now: String,
}

/// Reads them.
pub(crate) async fn facts(session: &mut Session<'_>) -> Result<Facts, Trouble> {
    let row = session.query_one(FACTS).await?;
    Ok(Facts {
        server_version: row.get(0),
        version: row.get::<_, i32>(1).unsigned_abs(),
        checksums: row.get(2),
        hides_damage: row.get(3),
        block_size: row.get::<_, i64>(4).unsigned_abs().max(1),
        now: row.get(5),
    })
}

/// How many pages the main file of a table has now, as far as they can be read by ranges: before PostgreSQL 14, which
/// brought range scans by TID, each half of a table would cost the whole of it, so there is nothing to be cut.
pub(crate) async fn pages_of(session: &mut Session<'_>, table: &str) -> Result<u64, Trouble> {
    let sql = format!(
        "SELECT CASE WHEN current_setting('server_version_num')::int4 < 140000 THEN 0
                     ELSE pg_relation_size('{}'::regclass) / current_setting('block_size')::int8 END",
        table.replace('\'', "''")
    );
    Ok(session.query_one(&sql).await?.get::<_, i64>(0).unsigned_abs())
}

const DATABASES: &str = "
    SELECT d.datname::text, d.datallowconn, has_database_privilege(d.oid, 'CONNECT')
      FROM pg_database d
     WHERE NOT d.datistemplate AND d.datname <> 'rdsadmin'
     ORDER BY d.datname COLLATE \"C\"";

const TABLES: &str = "
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// User databases by name, and those among them that accept no connection at all.
#[derive(Debug, Default)]
pub(crate) struct Databases {
    /// To be checked.
    pub(crate) names: Vec<String>,
    /// Of these, the ones this user has no right to connect to.
    pub(crate) denied: Vec<String>,
    /// `datallowconn` is off: nobody can look.
    pub(crate) closed: Vec<String>,
}

/// Lists the user databases.
pub(crate) async fn databases(session: &mut Session<'_>) -> Result<Databases, Trouble> {
    let mut databases = Databases::default();
    for row in session.query(DATABASES).await? {
        let name: String = row.get(0);
        if !row.get::<_, bool>(1) {
            databases.closed.push(name);
            continue;
        }
        if !row.get::<_, bool>(2) {
            databases.denied.push(name.clone());
        }
        databases.names.push(name);
    }
    Ok(databases)
}

/// User tables of one database, partitioned ones and their partitions included.
pub(crate) async fn table_count(session: &mut Session<'_>) -> Result<u64, Trouble> {
    Ok(session.query_one(TABLES).await?.get::<_, i64>(0).unsigned_abs())
}

/// There must be something to validate: tables, in databases that let this user in.
///
/// `counted` has the databases that could be opened with their number of tables, `unopened` the
/// others with the reason.
pub(crate) fn inventory(
    databases: &Databases,
    counted: &[(String, u64)],
    unopened: &[(String, String)],
) -> Ending {
    let mut ending = Ending::default();
    for (name, reason) in unopened {
        ending.unfinished(name, reason);
    }
    let tables: u64 = counted.iter().map(|(_, tables)| tables).sum();
    if tables == 0 && unopened.is_empty() {
        ending.wrong("the instance", "nothing to validate: no user table in any database");
    }
    let listed: Vec<String> = counted.iter().map(|(name, tables)| format!("{name} ({tables})")).collect();
    ending.note(format!("{} in {}", count(tables, "table", "tables"), name_some(&listed, NAMES_SHOWN)));
    if !databases.closed.is_empty() {
        ending.note(format!(
            "not checked, since they allow no connection: {}",
            name_some(&databases.closed, NAMES_SHOWN)
        ));
    }
    ending
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use holdfast_core::validation::CheckResult;

    use super::*;

    #[test]
    fn nothing_to_validate_is_a_failure_and_a_closed_door_is_unknown() {
        let databases = Databases::default();
        let result = |counted: &[(String, u64)], unopened: &[(String, String)]| {
            inventory(&databases, counted, unopened)
                .into_check("inventory", "instance", Instant::now())
                .result
        };
        assert_eq!(result(&[("shop".into(), 3)], &[]), CheckResult::Passed);
        assert_eq!(result(&[("postgres".into(), 0)], &[]), CheckResult::Failed);
        assert_eq!(result(&[], &[]), CheckResult::Failed);
        let denied = [("shop".to_owned(), "permission denied".to_owned())];
        assert_eq!(result(&[("postgres".into(), 0)], &denied), CheckResult::Errored);
    }
}
