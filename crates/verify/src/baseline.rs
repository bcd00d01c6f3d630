//! The source as its catalog and its statistics have it: milliseconds, whatever the size.

use std::collections::BTreeMap;

use holdfast_core::validation::{Counters, DatabaseReading, Reading, Session as Reporting};

use crate::connection::ConnectError;
use crate::instance;
use crate::session::{Limits, Session, Trouble};
use crate::{Options, Target, catalog};

/// `n_tup_*` are those of "The Cumulative Statistics System" (PostgreSQL, "Monitoring Database Activity"): they count
/// what rolled back transactions did, too. Sessions report late ([`SESSIONS`]).
const COUNTERS: &str = "
    SELECT format('%I.%I', n.nspname, c.relname),
           coalesce(s.n_tup_ins, 0), coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_del, 0), coalesce(s.n_live_tup, 0),
           pg_relation_filenode(c.oid)::int8, pg_relation_size(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
     WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

const DATABASE: &str = "SELECT stats_reset::text FROM pg_stat_database WHERE datname = current_database()";

/// What may be missing in the counters. A session reports between two commands of its client, never within a transaction
/// or a procedure, and not if it reported a second ago (half a second before PostgreSQL 15): then it does so when it has
/// been idle for ten seconds (`PGSTAT_IDLE_INTERVAL` of `pgstat.c`), and before 15 not at all until it is used again.
///
/// So it may have kept what it committed before the transaction that it is in; since a procedure that commits in between
/// begins new transactions, for as long as its statement runs; and before 15 whatever it did since it connected. The
/// maintenance of the server itself has no user and writes no rows. What a role may not see has no state
/// (`pg_read_all_stats`); with `track_activities` off nobody sees it.
const SESSIONS: &str = "
    SELECT to_char(began AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
           greatest(extract(epoch FROM clock_timestamp() - since), 0)::int8, hidden
      FROM (SELECT CASE WHEN NOT idle THEN xact_start WHEN before_15 THEN state_change END AS began,
                   CASE WHEN idle THEN state_change WHEN before_15 THEN backend_start
                        ELSE least(xact_start, query_start) END AS since,
                   hidden
              FROM (SELECT *, coalesce(state = 'idle', false) AS idle,
                           coalesce(query = '<insufficient privilege>' OR state = 'disabled', false) AS hidden,
                           current_setting('server_version_num')::int4 < 150000 AS before_15
                      FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL) AS a
           ) AS s
     WHERE hidden OR began IS NOT NULL
     ORDER BY 1";

const SERVER: &str = "SELECT pg_postmaster_start_time()::text, pg_is_in_recovery()";

/// Reads every user database's catalog and counters.
///
/// # Errors
/// When the server or one of its databases cannot be read: a baseline with a hole would say too little without anybody
/// noticing. Also on a standby: the counters there are those of the standby itself.
pub(crate) async fn reading(target: &Target, options: &Options) -> Result<Reading, ConnectError> {
    let limits = Limits::new(options);
    let refused = |trouble: Trouble| ConnectError::Refused(trouble.message());
    let mut session = Session::open_maintenance(target, limits).await?;
    let facts = instance::facts(&mut session).await.map_err(refused)?;
    let server = session.query_one(SERVER).await.map_err(refused)?;
    if server.get(1) {
        return Err(ConnectError::Refused(
            "the server is a standby: its counters do not tell what the source did; read the source itself"
                .into(),
        ));
    }
    let names = instance::databases(&mut session).await.map_err(refused)?.names;
    drop(session);
    let mut databases = BTreeMap::new();
    for name in names {
        let mut session = Session::open(target, limits, &name).await?;
        let reading = database(&mut session)
            .await
            .map_err(|trouble| ConnectError::Refused(format!("{name}: {}", trouble.message())))?;
        databases.insert(name, reading);
    }
    Ok(Reading { at: facts.now, server_version: facts.server_version, started_at: server.get(0), databases })
}

async fn database(session: &mut Session<'_>) -> Result<DatabaseReading, Trouble> {
    // Sessions before the counters: one that reports in between is suspected without need, and none is missed.
    let (mut sessions, mut hidden_sessions) = (Vec::new(), 0);
    for row in session.query(SESSIONS).await? {
        if row.get(2) {
            hidden_sessions += 1;
        } else {
            sessions.push(Reporting { began: row.get(0), seconds: row.get::<_, i64>(1).unsigned_abs() });
        }
    }
    // Counters before the catalog: what changes while the catalog is read makes the bounds wider, never too narrow, when this
    // reading is the one before the snapshot; the other one is minutes away from it.
    let statistics_reset = session.query(DATABASE).await?.first().and_then(|row| row.get(0));
    let mut counters = BTreeMap::new();
    for row in session.query(COUNTERS).await? {
        let number = |place: usize| row.get::<_, Option<i64>>(place).unwrap_or_default().unsigned_abs();
        counters.insert(
            row.get(0),
            Counters {
                inserted: number(1),
                updated: number(2),
                deleted: number(3),
                live_estimate: number(4),
                file_node: number(5),
                bytes: number(6),
            },
        );
    }
    let objects = catalog::read(session).await?;
    Ok(DatabaseReading {
        schema_hash: catalog::hash(&objects),
        objects,
        counters,
        statistics_reset,
        sessions,
        hidden_sessions,
    })
}
