//! Where a server stands in its write-ahead log: a replica shows what its source was only once it has caught up.

use serde::{Deserialize, Serialize};

use crate::connection::ConnectError;
use crate::session::{Limits, Session};
use crate::{Options, Target};

/// Positions are those of "Backup Control Functions" and "Recovery Information Functions" (PostgreSQL, "System
/// Administration Functions"). What has been flushed ends where a record ends, so that a replica does reach it; the
/// insert position can lie behind the header of a page that is not begun yet.
const STANDING: &str = "
    SELECT (SELECT system_identifier::text FROM pg_control_system()), pg_is_in_recovery(),
           (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
            - '0/0'::pg_lsn)::int8";

/// A server and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its system identifier, which a replica shares with its source.
    pub system: String,
    /// Whether it follows another server.
    pub standby: bool,
    /// Bytes of write-ahead log since the beginning of time: flushed by a primary, replayed by a standby.
    pub position: u64,
}

impl Standing {
    /// Whether this server shows everything that `source` had made durable.
    ///
    /// # Errors
    /// When it never will: it is no replica, or that of another server.
    pub fn has_reached(&self, source: &Standing) -> Result<bool, &'static str> {
        if self.system != source.system {
            return Err("it is not a replica of the source");
        }
        if !self.standby {
            return Err("it is not a replica any more: it does not follow the source");
        }
        Ok(self.position >= source.position)
    }
}

/// Asks a server where it stands.
///
/// # Errors
/// When it does not say.
pub(crate) async fn standing(target: &Target, options: &Options) -> Result<Standing, ConnectError> {
    let mut session = Session::open_maintenance(target, Limits::new(options)).await?;
    let row =
        session.query_one(STANDING).await.map_err(|trouble| ConnectError::Refused(trouble.message()))?;
    let position = row.get::<_, Option<i64>>(2).unwrap_or_default().unsigned_abs();
    Ok(Standing { system: row.get(0), standby: row.get(1), position })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_read_only_once_it_has_caught_up() {
        let source = Standing { system: "7".into(), standby: false, position: 100 };
        let replica = |position| Standing { system: "7".into(), standby: true, position };
        assert_eq!(replica(99).has_reached(&source), Ok(false));
        assert_eq!(replica(100).has_reached(&source), Ok(true));
        assert!(Standing { system: "8".into(), ..replica(200) }.has_reached(&source).is_err());
        assert!(Standing { standby: false, ..replica(200) }.has_reached(&source).is_err());
    }
}
