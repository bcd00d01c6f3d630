//! Session settings that make what is read independent of the server's, the database's and the role's.

use std::time::Duration;

/// Application name seen in `pg_stat_activity` and the server's log.
pub(crate) const APPLICATION_NAME: &str = "holdfast-verify";

/// How long a lock may be waited for. Nobody else writes on a validation instance.
const LOCK_TIMEOUT_MS: u64 = 10_000;

/// Statements that pin a fresh session.
///
/// They come after login, so they win over `ALTER DATABASE ... SET` and `ALTER ROLE ... SET`.
pub(crate) fn pin_session(statement_timeout: Duration) -> String {
    let statement_ms = milliseconds(statement_timeout);
    format!(
        "SET default_transaction_read_only = on;
         SET search_path = '';
         SET row_security = off;
         SET statement_timeout = {statement_ms};
         SET lock_timeout = {LOCK_TIMEOUT_MS};
         SET idle_in_transaction_session_timeout = 120000;
         SET client_min_messages = error;
         SET TimeZone = 'UTC';
         SET DateStyle = 'ISO, YMD';
         SET IntervalStyle = 'iso_8601';
         SET extra_float_digits = 1;
         SET bytea_output = hex;
         SET lc_monetary = 'C';
         SET xmlbinary = base64;
         SET standard_conforming_strings = on;
         SET quote_all_identifiers = off;
         SET transform_null_equals = off;
         SET jit = off;
         SET work_mem = '64MB'"
    )
}

/// Begins a read-only transaction.
///
/// With `heap`, every plan reads the tables themselves: an index that is intact must not hide a
/// heap that is not.
pub(crate) fn begin(heap: bool, statement_timeout: Duration) -> String {
    let mut sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
         SET LOCAL statement_timeout = {}",
        milliseconds(statement_timeout)
    );
    if heap {
        sql.push_str(
            "; SET LOCAL enable_seqscan = on;
             SET LOCAL enable_tidscan = on;
             SET LOCAL max_parallel_workers_per_gather = 0;
             SET LOCAL enable_indexscan = off;
             SET LOCAL enable_indexonlyscan = off;
             SET LOCAL enable_bitmapscan = off",
        );
    }
    sql
}

/// Whole milliseconds, at least one: zero would mean no limit.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_never_switched_off_by_rounding() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_micros(300)), 1);
        assert_eq!(milliseconds(Duration::from_secs(u64::MAX)), i32::MAX as u64);
    }
}
