//! `isolation`: a restored copy is alive, and this one reaches nobody.
//!
//! It starts with everything its source had configured: a subscription takes over production's slot and production
//! loses rows, `pg_cron` runs production's jobs, `archive_command` writes among production's WAL. What could do so on
//! its own, and is not kept from it, leaves the check unfinished: nothing is said of the data. What waits to be asked
//! (foreign servers, triggers, functions) is named, and held back by the network, which has no way out.

use tokio_postgres::Row;

use crate::ending::{Ending, count, name_some};
use crate::job::Planned;
use crate::session::{Session, Trouble};

/// Name of the check.
pub(crate) const CHECK: &str = "isolation";

/// Names in a note; more are counted.
const NAMES_SHOWN: usize = 10;

/// Libraries whose background workers act or connect on their own, and what they would do.
const BUSY_LIBRARIES: [(&str, &str); 7] = [
    ("pg_cron", "production's jobs would run here"),
    ("pglogical", "its subscriptions would connect to production"),
    ("pgactive", "it would join production's replication"),
    ("bdr", "it would join production's replication"),
    ("spock", "its subscriptions would connect to production"),
    ("pg_partman_bgw", "it would create and drop partitions here"),
    ("pg_net", "requests that production had queued would be sent from here"),
];

/// Extensions through which a statement can reach another server.
const OUTBOUND_EXTENSIONS: [&str; 12] = [
    "aws_commons",
    "aws_lambda",
    "aws_s3",
    "dblink",
    "http",
    "mysql_fdw",
    "oracle_fdw",
    "pg_cron",
    "pg_net",
    "plproxy",
    "postgres_fdw",
    "tds_fdw",
];

/// What the commands are is not read: they may hold secrets. RDS keeps WAL of every instance for itself, by a program
/// of its own.
const INSTANCE: &str = "
    SELECT current_setting('max_logical_replication_workers'),
           current_setting('shared_preload_libraries'),
           coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false),
           (SELECT array_agg(format('%I.%I (%s)', d.datname, s.subname,
                       CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END) ORDER BY d.datname, s.subname)
              FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid),
           (SELECT array_agg(s.subname::text ORDER BY s.subname) FROM pg_stat_subscription s WHERE s.pid IS NOT NULL),
           EXISTS (SELECT 1 FROM pg_stat_wal_receiver),
           current_setting('archive_mode') <> 'off' AND concat(current_setting('archive_command', true),
               current_setting('archive_library', true)) !~ '^(|\\(disabled\\)|/etc/rds/.*)$',
           concat_ws(', ', nullif(current_setting('session_preload_libraries'), ''),
               nullif(current_setting('local_preload_libraries'), ''))";

const SERVERS: &str = "
    SELECT s.srvname::text, w.fdwname::text,
           (SELECT count(*) FROM pg_user_mappings m WHERE m.srvid = s.oid)
      FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
     ORDER BY s.srvname COLLATE \"C\"";

const EXTENSIONS: &str = "SELECT e.extname::text FROM pg_extension e ORDER BY e.extname COLLATE \"C\"";

const EVENT_TRIGGERS: &str = "
    SELECT t.evtname::text, t.evtevent = 'login' FROM pg_event_trigger t WHERE t.evtenabled <> 'D'
     ORDER BY t.evtname COLLATE \"C\"";

/// The server as a whole.
pub(crate) async fn check(session: &mut Session<'_>) -> Result<Ending, Trouble> {
    Ok(of_instance(&session.query_one(INSTANCE).await?))
}

fn of_instance(row: &Row) -> Ending {
    let mut ending = Ending::default();
    let workers: &str = row.get(0);
    if workers != "0" {
        ending.unfinished(
            "max_logical_replication_workers",
            format!("is {workers}: a restored subscription would take over production's slot"),
        );
    }
    let libraries: &str = row.get(1);
    for (library, danger) in BUSY_LIBRARIES {
        if preloads(libraries, library) {
            ending.unfinished("shared_preload_libraries", format!("loads {library}: {danger}"));
        }
    }
    if !row.get::<_, bool>(2) {
        ending.unfinished("ssl", "is off for this connection");
    }
    for name in row.get::<_, Option<Vec<String>>>(4).unwrap_or_default() {
        ending.unfinished(format!("subscription {name}"), "is at work now");
    }
    if row.get(5) {
        ending.unfinished("the WAL receiver", "is connected: this is a standby, and no copy of its own");
    }
    if row.get(6) {
        ending.unfinished("archive_mode", "is on: WAL of this copy would go where production's goes");
    }
    match row.get::<_, Option<Vec<String>>>(3) {
        Some(names) if workers == "0" => ending.note(format!(
            "{} kept from running, max_logical_replication_workers is 0: {}",
            count(names.len() as u64, "subscription", "subscriptions"),
            name_some(&names, NAMES_SHOWN)
        )),
        Some(names) => ending.note(format!("subscriptions present: {}", name_some(&names, NAMES_SHOWN))),
        None => ending.note("no subscription"),
    }
    let preloaded: &str = row.get(7);
    if !preloaded.is_empty() {
        ending.note(format!("every connection loads {preloaded}"));
    }
    ending
}

/// One database; there is no further work.
pub(crate) async fn plan(session: &mut Session<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let ending = &mut planned.ending;
    let servers: Vec<String> = session.query(SERVERS).await?.iter().map(server).collect();
    if !servers.is_empty() {
        ending.note(format!(
            "{}, asked only by a query of its tables, and none is queried here: {}",
            count(servers.len() as u64, "foreign server", "foreign servers"),
            name_some(&servers, NAMES_SHOWN)
        ));
    }
    let installed: Vec<String> = session.query(EXTENSIONS).await?.iter().map(|row| row.get(0)).collect();
    let outbound: Vec<String> =
        installed.iter().filter(|name| OUTBOUND_EXTENSIONS.contains(&name.as_str())).cloned().collect();
    if !outbound.is_empty() {
        ending.note(format!(
            "extensions that can reach out when called: {}",
            name_some(&outbound, NAMES_SHOWN)
        ));
    }
    if installed.iter().any(|name| name == "pg_cron") {
        jobs(session, ending).await?;
    }
    let (mut logins, mut others) = (Vec::new(), Vec::new());
    for row in session.query(EVENT_TRIGGERS).await? {
        (if row.get(1) { &mut logins } else { &mut others }).push(row.get::<_, String>(0));
    }
    if !logins.is_empty() {
        ending.note(format!(
            "run at every login, ours included: event triggers {}",
            name_some(&logins, NAMES_SHOWN)
        ));
    }
    if !others.is_empty() {
        ending.note(format!(
            "run when the schema is changed: event triggers {}",
            name_some(&others, NAMES_SHOWN)
        ));
    }
    if servers.is_empty() && outbound.is_empty() && logins.is_empty() && others.is_empty() {
        ending.note("no foreign server, no extension that reaches out, no event trigger");
    }
    Ok(planned)
}

fn server(row: &Row) -> String {
    let (name, wrapper, mappings): (&str, &str, i64) = (row.get(0), row.get(1), row.get(2));
    let mappings = count(mappings.unsigned_abs(), "user mapping", "user mappings");
    format!("{name} ({wrapper}, {mappings})")
}

/// `pg_cron` starts jobs by a worker of the preloaded library, and by nothing else.
async fn jobs(session: &mut Session<'_>, ending: &mut Ending) -> Result<(), Trouble> {
    let sql = "SELECT (SELECT count(*) FROM cron.job), current_setting('shared_preload_libraries')";
    match session.query_one(sql).await {
        Ok(row) => {
            let jobs = count(row.get::<_, i64>(0).unsigned_abs(), "job", "jobs");
            if preloads(row.get(1), "pg_cron") {
                ending.unfinished(
                    "cron.job",
                    format!("{jobs} of production, and pg_cron is loaded to run them"),
                );
            } else {
                ending.note(format!("pg_cron: {jobs} kept from running, the library is not loaded"));
            }
        }
        Err(trouble) if trouble.passes() => return Err(trouble),
        Err(trouble) => ending.note(format!("the jobs of pg_cron cannot be counted: {}", trouble.message())),
    }
    Ok(())
}

/// Whether a list of libraries names this one, with or without a path.
fn preloads(libraries: &str, name: &str) -> bool {
    libraries
        .split(',')
        .map(|library| library.trim().trim_matches('"'))
        .any(|library| library.rsplit('/').next().is_some_and(|file| file.trim_end_matches(".so") == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pg_cron_is_found_however_it_is_written() {
        assert!(preloads("rdsutils, pg_cron", "pg_cron"));
        assert!(preloads("\"$libdir/pg_cron.so\"", "pg_cron"));
        assert!(!preloads("pg_cronology,pg_stat_statements", "pg_cron"));
        assert!(!preloads("", "pg_cron"));
    }
}
