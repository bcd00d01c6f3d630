//! A session on one database that survives the loss of its connection once per check.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use crate::connection::{self, ConnectError};
use crate::{Options, Target, settings};

/// What the client waits beyond the server's own timeout before it gives a connection up.
const CLIENT_GRACE: Duration = Duration::from_secs(15);

/// How long a server that fell over may take to come back: one that crashed on damaged data
/// restarts within seconds.
const RECONNECT_WITHIN: Duration = Duration::from_secs(30);

/// How often something is tried that something else than the data got in the way of.
const ATTEMPTS: u32 = 4;

/// Waits between attempts, growing.
const PAUSE: Duration = Duration::from_millis(500);

/// Server messages are cut here.
const MESSAGE_LIMIT: usize = 400;

/// Why a statement gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The storage under the data is damaged or missing.
    Damaged(String),
    /// A table, column or schema the statement names does not exist.
    Missing(String),
    /// The connection is gone.
    Lost(String),
    /// Somebody or something else got in the way: a lock, a cancellation, a conflict. Asking again can help.
    Interrupted(String),
    /// It took longer than a statement may: less at once can help.
    TooSlow(String),
    /// The time budget of the whole run is used up.
    Budget,
    /// Anything else: permission, timeout, cancellation.
    Other(String),
}

impl Trouble {
    /// One line for a report.
    pub(crate) fn message(&self) -> String {
        match self {
            Trouble::Damaged(message)
            | Trouble::Missing(message)
            | Trouble::Interrupted(message)
            | Trouble::TooSlow(message)
            | Trouble::Other(message) => message.clone(),
            Trouble::Lost(message) => format!("the connection was lost: {message}"),
            Trouble::Budget => "the time budget was used up".into(),
        }
    }

    /// Whether it came from without and says nothing of what was asked for: asking again can help.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Trouble::Lost(_) | Trouble::Interrupted(_) => true,
            Trouble::Damaged(_)
            | Trouble::Missing(_)
            | Trouble::TooSlow(_)
            | Trouble::Budget
            | Trouble::Other(_) => false,
        }
    }

    fn of(error: &tokio_postgres::Error) -> Trouble {
        let Some(database) = error.as_db_error() else {
            let message = connection::chain(error);
            // No answer of the server at all: either the connection or our reading of it failed.
            return Trouble::Lost(cut(&message));
        };
        let code = database.code();
        let message = cut(&format!("{} ({})", database.message(), code.code()));
        match *code {
            SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN | SqlState::INVALID_SCHEMA_NAME => {
                Trouble::Missing(message)
            }
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                Trouble::Lost(message)
            }
            // The message is the server's own language; only the English one tells the two apart. Elsewhere a
            // statement that is too slow is repeated, and then reported.
            SqlState::QUERY_CANCELED if database.message().contains("statement timeout") => {
                Trouble::TooSlow(message)
            }
            SqlState::QUERY_CANCELED
            | SqlState::LOCK_NOT_AVAILABLE
            | SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED => Trouble::Interrupted(message),
            _ if is_damage(code.code(), database.message()) => Trouble::Damaged(message),
            _ => Trouble::Other(message),
        }
    }
}

/// Whether the server's answer speaks of damaged or missing storage.
///
/// Some of it carries a code of its own, some is a plain internal error known by its text.
fn is_damage(code: &str, message: &str) -> bool {
    const CODES: [&str; 4] = ["XX001", "XX002", "58P01", "58030"];
    const TEXTS: [&str; 12] = [
        "invalid page",
        "could not read block",
        "could not open file",
        "could not access status of transaction",
        "missing chunk number",
        "unexpected chunk",
        "toast value",
        "compressed",
        "has not been created yet",
        "invalid multixactid",
        "invalid enum label",
        "invalid internal value for enum",
    ];
    if CODES.contains(&code) {
        return true;
    }
    if !code.starts_with("XX") {
        return false;
    }
    let message = message.to_lowercase();
    if let Some(rest) = message.strip_prefix("invalid memory alloc request size ") {
        // A value of 0.5-1 GB asks for up to twice its size to be printed. More than that
        // is a length that no value can have.
        return rest.trim().parse::<u64>().is_ok_and(|size| size > 3 << 30);
    }
    TEXTS.iter().any(|text| message.contains(text))
}

fn cut(message: &str) -> String {
    if message.chars().count() <= MESSAGE_LIMIT {
        return message.to_owned();
    }
    let mut text: String = message.chars().take(MESSAGE_LIMIT).collect();
    text.push('…');
    text
}

/// The bounds of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    statement: Duration,
    end: Instant,
}

impl Limits {
    pub(crate) fn new(options: &Options) -> Self {
        let now = Instant::now();
        // A budget beyond what a clock can hold is no bound at all; a year is as good.
        let end = now.checked_add(options.time_budget).unwrap_or(now + Duration::from_secs(31_536_000));
        Limits { statement: options.statement_timeout, end }
    }

    /// The same end, with a bound of its own for one statement.
    pub(crate) fn with_statement(self, statement: Duration) -> Self {
        Limits { statement, ..self }
    }

    /// What is left.
    pub(crate) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    pub(crate) fn used_up(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Bound for the next statement.
    fn statement(&self) -> Result<Duration, Trouble> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Trouble::Budget) } else { Ok(self.statement.min(left)) }
    }
}

/// A session on one database.
pub(crate) struct Session<'a> {
    target: &'a Target,
    limits: Limits,
    database: String,
    client: Option<Client>,
    may_reconnect: bool,
}

impl<'a> Session<'a> {
    /// Opens one; a single attempt.
    pub(crate) async fn open(
        target: &'a Target,
        limits: Limits,
        database: &str,
    ) -> Result<Self, ConnectError> {
        let client = connection::connect(target, database).await?;
        Self::adopt(target, limits, database, client).await
    }

    /// Opens one, and asks again for a while when the server says that it cannot now.
    pub(crate) async fn open_patiently(
        target: &'a Target,
        limits: Limits,
        database: &str,
    ) -> Result<Self, ConnectError> {
        let give_up = Instant::now() + RECONNECT_WITHIN;
        loop {
            match Self::open(target, limits, database).await {
                Err(error) if error.is_retryable() && Instant::now() < give_up && !limits.used_up() => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                end => return end,
            }
        }
    }

    /// Opens one on a database that is there on every server.
    pub(crate) async fn open_maintenance(target: &'a Target, limits: Limits) -> Result<Self, ConnectError> {
        let (database, client) = connection::connect_maintenance(target).await?;
        Self::adopt(target, limits, &database, client).await
    }

    async fn adopt(
        target: &'a Target,
        limits: Limits,
        database: &str,
        client: Client,
    ) -> Result<Self, ConnectError> {
        pin(target, &limits, &client).await?;
        let database = database.to_owned();
        Ok(Session { target, limits, database, client: Some(client), may_reconnect: true })
    }

    /// Name of the database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Bound for the next statement.
    pub(crate) fn statement_timeout(&self) -> Result<Duration, Trouble> {
        self.limits.statement()
    }

    /// Grants the next check its one new connection.
    pub(crate) fn next_check(&mut self) {
        self.may_reconnect = true;
    }

    /// Waits before something is tried again, or says what it came to.
    pub(crate) async fn pause(&self, what: &str, attempt: u32, trouble: Trouble) -> Result<(), Trouble> {
        match trouble {
            trouble if trouble.passes() && attempt < ATTEMPTS => {
                tracing::info!(what, attempt, trouble = trouble.message(), "trying again");
                tokio::time::sleep((PAUSE * attempt).min(self.limits.left())).await;
                Ok(())
            }
            Trouble::Lost(message) => Err(Trouble::Lost(format!("{message}; tried {attempt} times"))),
            Trouble::Interrupted(message) => {
                Err(Trouble::Interrupted(format!("{message}; tried {attempt} times")))
            }
            other => Err(other),
        }
    }

    /// Runs statements that change something, each on its own: only for what belongs to the proof itself.
    pub(crate) async fn change(&mut self, sql: &str) -> Result<(), Trouble> {
        let sql = format!("BEGIN READ WRITE; {sql}; COMMIT");
        self.within(async |client| client.batch_execute(&sql).await).await
    }

    /// Runs one query in a read-only transaction of its own, by the server's usual plans.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        self.read(false, &[], sql).await
    }

    /// Like [`Session::query`] for one row.
    pub(crate) async fn query_one(&mut self, sql: &str) -> Result<Row, Trouble> {
        one(self.read(false, &[], sql).await?)
    }

    /// Like [`Session::query_one`], but answered from the tables and never from an index.
    pub(crate) async fn query_heap(&mut self, sql: &str) -> Result<Row, Trouble> {
        one(self.read(true, &[], sql).await?)
    }

    /// Like [`Session::query_heap`], with settings for this transaction.
    pub(crate) async fn query_heap_with(&mut self, settings: &[&str], sql: &str) -> Result<Row, Trouble> {
        one(self.read(true, settings, sql).await?)
    }

    /// Like [`Session::query_one`], with settings for this transaction.
    pub(crate) async fn query_with(&mut self, settings: &[&str], sql: &str) -> Result<Row, Trouble> {
        one(self.read(false, settings, sql).await?)
    }

    /// Like [`Session::within`], in a transaction that reads tables and never indexes.
    pub(crate) async fn within_heap<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Trouble> {
        let begin = settings::begin(true, self.limits.statement()?);
        self.within(async |client| {
            client.batch_execute(&begin).await?;
            work(client).await
        })
        .await
    }

    async fn read(&mut self, heap: bool, settings: &[&str], sql: &str) -> Result<Vec<Row>, Trouble> {
        let mut begin = settings::begin(heap, self.limits.statement()?);
        for setting in settings {
            begin.push_str("; ");
            begin.push_str(setting);
        }
        self.within(async |client| {
            client.batch_execute(&begin).await?;
            client.query(sql, &[]).await
        })
        .await
    }

    /// Gives `work` the connection, bounded in time, and always ends its transaction by ROLLBACK.
    pub(crate) async fn within<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Trouble> {
        let bound = self.limits.statement()? + CLIENT_GRACE;
        let limits = self.limits;
        let client = self.client().await?;
        let outcome = match bounded(bound, work(client)).await {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(Trouble::of(&error)),
            None => Err(Trouble::Lost("no answer from the server".into())),
        };
        let ended = match outcome {
            Err(Trouble::Lost(_)) => false,
            _ => matches!(bounded(CLIENT_GRACE, client.batch_execute("ROLLBACK")).await, Some(Ok(()))),
        };
        if !ended {
            self.client = None;
        }
        match outcome {
            // The server's statement timeout was cut short by the budget.
            Err(Trouble::Other(_) | Trouble::TooSlow(_)) if limits.used_up() => Err(Trouble::Budget),
            other => other,
        }
    }

    async fn client(&mut self) -> Result<&mut Client, Trouble> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
            if !std::mem::take(&mut self.may_reconnect) {
                return Err(Trouble::Lost("and again after a new one".into()));
            }
            self.client = Some(self.reconnect().await?);
        }
        self.client.as_mut().ok_or_else(|| Trouble::Lost("no connection".into()))
    }

    /// Asks until the server is back or the patience is used up.
    async fn reconnect(&self) -> Result<Client, Trouble> {
        let give_up = Instant::now() + RECONNECT_WITHIN;
        loop {
            let attempt = async {
                let client = connection::connect(self.target, &self.database).await?;
                pin(self.target, &self.limits, &client).await?;
                Ok::<_, ConnectError>(client)
            };
            match attempt.await {
                Ok(client) => return Ok(client),
                Err(_) if self.limits.used_up() => return Err(Trouble::Budget),
                Err(error) if Instant::now() >= give_up || !error.is_retryable() => {
                    return Err(Trouble::Lost(error.to_string()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    }
}

/// Does something that only reads, until it has an answer or it is clear that it has none: a lost connection, a lock, a
/// cancellation and a server that restarts are no answers.
///
/// A macro, since an async closure that borrows cannot be shown to be `Send` yet. `$work` is evaluated for each attempt.
macro_rules! patiently {
    ($session:expr, $what:expr, $work:expr) => {{
        let mut attempt = 1;
        loop {
            $session.next_check();
            match $work.await {
                Ok(done) => break Ok(done),
                Err(trouble) => match $session.pause($what, attempt, trouble).await {
                    Ok(()) => attempt += 1,
                    Err(trouble) => break Err(trouble),
                },
            }
        }
    }};
}
pub(crate) use patiently;

async fn pin(target: &Target, limits: &Limits, client: &Client) -> Result<(), ConnectError> {
    let sql = settings::pin_session(limits.statement);
    match bounded(target.connect_timeout, client.batch_execute(&sql)).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(ConnectError::Refused(Trouble::of(&error).message())),
        None => Err(ConnectError::Unreachable("no answer to the session settings".into())),
    }
}

async fn bounded<F: Future>(bound: Duration, work: F) -> Option<F::Output> {
    tokio::time::timeout(bound, work).await.ok()
}

fn one(rows: Vec<Row>) -> Result<Row, Trouble> {
    rows.into_iter().next().ok_or_else(|| Trouble::Other("the server answered no row".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_from_trouble() {
        assert!(is_damage("XX001", "invalid page in block 3 of relation base/5/16384"));
        assert!(is_damage("58P01", "could not open file \"base/5/16384\": No such file or directory"));
        assert!(is_damage("XX000", "missing chunk number 0 for toast value 16402 in pg_toast_16390"));
        assert!(is_damage("XX000", "invalid memory alloc request size 18446744073709551613"));
        assert!(!is_damage("XX000", "invalid memory alloc request size 1200000003"));
        assert!(!is_damage("42501", "permission denied for table orders"));
        assert!(!is_damage("57014", "canceling statement due to statement timeout"));
        assert!(!is_damage("22000", "could not read block, says a function of the user"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let text = cut(&"ä".repeat(1000));
        assert_eq!(text.chars().count(), MESSAGE_LIMIT + 1);
    }
}
