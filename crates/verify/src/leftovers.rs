//! `leftovers`: what a restored copy carries that belonged to the life of its source.
//!
//! *Prepared transactions* hold their locks, keep VACUUM from cleaning up, and what they changed is not seen by any
//! other check. One that was prepared shortly before the snapshot was under way, as on any busy server with a
//! transaction manager, which may still decide it: that is a note, and what it changed is listed as not checked. One
//! that had been lying for longer was forgotten on the source, and is wrong.
//!
//! *Replication slots* keep WAL for somebody who does not know this copy, until the disk is full (PostgreSQL,
//! "Replication Slots"): wrong, unless somebody reads from it now or it keeps nothing. On RDS, slots do not survive a
//! restore from a snapshot.
//!
//! *Unlogged tables* are emptied by crash recovery, and so by a restore (PostgreSQL, CREATE TABLE). The source promised
//! nothing else, so an empty one is no failure, but its rows are not in this backup: a note, and listed as not checked.

use jiff::{SignedDuration, Timestamp};

use crate::Options;
use crate::ending::{Ending, count, name_some};
use crate::freshness::snapshot_time;
use crate::instance::Facts;
use crate::job::Planned;
use crate::plan::Scope;
use crate::session::{Session, Trouble, patiently};

/// Name of the check.
pub(crate) const CHECK: &str = "leftovers";

/// A transaction that was prepared this long before the snapshot, in minutes, is nobody's work in hand.
const IN_HAND_MINUTES: i64 = 10;

/// Names in a note; more are counted.
const NAMES_SHOWN: usize = 10;

const PREPARED: &str = "
    SELECT format('%L', p.gid), coalesce(p.database::text, '?'),
           to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
      FROM pg_prepared_xacts p ORDER BY p.prepared, p.gid";

/// What a slot keeps is from `restart_lsn` on; one that has fallen too far behind (`lost`, since PostgreSQL 13) keeps
/// nothing more.
const SLOTS: &str = "
    SELECT s.slot_name::text, s.slot_type, s.active,
           s.restart_lsn IS NOT NULL AND coalesce(to_jsonb(s) ->> 'wal_status', '') <> 'lost'
      FROM pg_replication_slots s WHERE NOT s.temporary ORDER BY s.slot_name";

/// A file of length zero is what the reset leaves; a table that was emptied by DELETE has pages until VACUUM.
const UNLOGGED: &str = "
    SELECT format('%I.%I', n.nspname, c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) = 0
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/// Looks for what concerns the whole server.
pub(crate) async fn check(session: &mut Session<'_>, options: &Options, facts: &Facts) -> Planned {
    let mut planned = Planned::default();
    let snapshot = snapshot_time(options, facts).unwrap_or(Timestamp::MAX);
    match patiently!(session, "prepared transactions", prepared(session, snapshot)) {
        Ok(found) => planned = found,
        Err(trouble) => planned.ending.absorb(Some("prepared transactions"), &trouble),
    }
    match patiently!(session, "replication slots", slots(session)) {
        Ok(ending) => planned.ending.merge(ending),
        Err(trouble) => planned.ending.absorb(Some("replication slots"), &trouble),
    }
    planned
}

async fn prepared(session: &mut Session<'_>, snapshot: Timestamp) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let rows = session.query(PREPARED).await?;
    for row in &rows {
        let (gid, database, at): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let object = format!("prepared transaction {gid}");
        let in_hand = at
            .parse::<Timestamp>()
            .is_ok_and(|at| snapshot.duration_since(at) <= SignedDuration::from_mins(IN_HAND_MINUTES));
        let message = format!(
            "prepared in {database} at {at}: it holds its locks, and nobody else sees what it changed, until it is committed or rolled back"
        );
        if in_hand {
            planned.ending.note(format!("{object} was under way: {message}"));
            planned.not_checked.push((Some(object), format!("what it changed in {database} cannot be seen")));
        } else {
            planned.ending.wrong(object, message);
        }
    }
    if rows.is_empty() {
        planned.ending.note("no prepared transaction");
    }
    Ok(planned)
}

async fn slots(session: &mut Session<'_>) -> Result<Ending, Trouble> {
    let mut ending = Ending::default();
    let rows = session.query(SLOTS).await?;
    for row in &rows {
        let (name, kind): (&str, &str) = (row.get(0), row.get(1));
        let (active, keeps): (bool, bool) = (row.get(2), row.get(3));
        let object = format!("{kind} replication slot {name}");
        match (active, keeps) {
            (false, true) => ending.wrong(object, "keeps WAL for nobody, until the disk is full"),
            (true, _) => ending.note(format!("{object} is being read from")),
            (false, false) => ending.note(format!("{object} keeps no WAL")),
        }
    }
    if rows.is_empty() {
        ending.note("no replication slot");
    }
    Ok(ending)
}

/// Looks for what concerns one database; there is no further work.
pub(crate) async fn plan(session: &mut Session<'_>, _scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planned = Planned::default();
    let emptied: Vec<String> = session.query(UNLOGGED).await?.iter().map(|row| row.get(0)).collect();
    if emptied.is_empty() {
        planned.ending.note("no unlogged table found empty");
        return Ok(planned);
    }
    planned.ending.note(format!(
        "{} found empty, as a restore leaves them: {}",
        count(emptied.len() as u64, "unlogged table", "unlogged tables"),
        name_some(&emptied, NAMES_SHOWN)
    ));
    for table in emptied {
        let reason = "unlogged and empty: a restore empties such a table, so what the source had in it is not in this backup";
        planned.not_checked.push((Some(table), reason.into()));
    }
    Ok(planned)
}
