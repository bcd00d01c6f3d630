//! The server as a whole: `isolation` and `inventory`.

use crate::ending::{Ending, count, name_some};
use crate::session::{Session, Trouble};

/// Databases named in a note; more are counted.
const NAMES_SHOWN: usize = 10;

const ISOLATION: &str = "
    SELECT current_setting('max_logical_replication_workers'),
           current_setting('shared_preload_libraries'),
           coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false),
           (SELECT array_agg(format('%I.%I', d.datname, s.subname) ORDER BY d.datname, s.subname)
              FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid)";

const DATABASES: &str = "
    SELECT d.datname::text, d.datallowconn, has_database_privilege(d.oid, 'CONNECT')
      FROM pg_database d
     WHERE NOT d.datistemplate AND d.datname <> 'rdsadmin'
     ORDER BY d.datname COLLATE \"C\"";

const TABLES: &str = "
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// A restored copy is alive: shows that this one starts no replication and no jobs of its own. Where it does, nothing
/// is said of the data: the check is unfinished, not failed.
pub(crate) async fn isolation(session: &mut Session<'_>) -> Ending {
    let row = match session.query_one(ISOLATION).await {
        Ok(row) => row,
        Err(trouble) => return Ending::trouble(&trouble),
    };
    let mut ending = Ending::default();
    let workers: &str = row.get(0);
    if workers != "0" {
        ending.unfinished(
            "max_logical_replication_workers",
            format!("is {workers}: a restored subscription would take over production's slot"),
        );
    }
    let libraries: &str = row.get(1);
    if preloads(libraries, "pg_cron") {
        ending.unfinished("shared_preload_libraries", "loads pg_cron: production's jobs would run here");
    }
    if !row.get::<_, bool>(2) {
        ending.unfinished("ssl", "is off for this connection");
    }
    match row.get::<_, Option<Vec<String>>>(3) {
        Some(names) => ending
            .note(format!("subscriptions present, kept from running: {}", name_some(&names, NAMES_SHOWN))),
        None => ending.note("no subscription, no pg_cron, TLS"),
    }
    ending
}

/// Whether a list of libraries names this one, with or without a path.
fn preloads(libraries: &str, name: &str) -> bool {
    libraries
        .split(',')
        .map(|library| library.trim().trim_matches('"'))
        .any(|library| library.rsplit('/').next().is_some_and(|file| file.trim_end_matches(".so") == name))
}

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
    fn pg_cron_is_found_however_it_is_written() {
        assert!(preloads("rdsutils, pg_cron", "pg_cron"));
        assert!(preloads("\"$libdir/pg_cron.so\"", "pg_cron"));
        assert!(!preloads("pg_cronology,pg_stat_statements", "pg_cron"));
        assert!(!preloads("", "pg_cron"));
    }

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
