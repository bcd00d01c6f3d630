//! Where the source listens, who may read it, and what it means when that does not work.

use holdfast_core::ids::DatabaseId;
use holdfast_core::login::credentials;
use holdfast_core::ports::{Documents, Logins, Rds};
use holdfast_core::{Error, ErrorKind};
use holdfast_verify::ConnectError;

use crate::source::Server;
use crate::{Job, Ports, Source};

/// A source that cannot be read is asked this often: a secret that is being rotated and a connection limit pass. The
/// snapshot waits for it, so it is not asked for long.
const MAX_FAILURES: u32 = 4;

/// Why the source was not read.
pub(crate) struct Miss {
    /// What is said of it.
    pub error: Error,
    /// Whether asking again can help.
    passing: bool,
}

impl Miss {
    /// What will not change by itself.
    pub fn lasting(message: impl Into<String>) -> Self {
        Miss { error: Error::new(ErrorKind::BaselineUnreadable, message), passing: false }
    }

    /// A login or a connection that did not work.
    pub fn connecting(what: &str, error: &ConnectError) -> Self {
        let message = format!("{what} cannot be read: {error}");
        Miss { error: Error::new(ErrorKind::BaselineUnreadable, message), passing: error.is_retryable() }
    }

    /// A heartbeat that could not be written.
    pub fn unwritten(error: &ConnectError) -> Self {
        let message = format!("the heartbeat cannot be written: {error}");
        Miss { error: Error::new(ErrorKind::BaselineUnreadable, message), passing: error.is_retryable() }
    }

    /// Whether it is worth another look.
    pub fn is_passing(&self, job: &Job) -> bool {
        self.passing && job.carry.failures + 1 < MAX_FAILURES
    }
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Miss { error, passing: false }
    }
}

/// The server behind an instance's identifier, and a login to it.
pub(crate) async fn server(
    ports: &Ports<'_, impl Rds, impl Logins, impl Documents, impl Source>,
    job: &Job,
    id: &DatabaseId,
) -> std::result::Result<Server, Miss> {
    let region = ports.region;
    let instance = ports.rds.instance(region, id.as_str()).await?.ok_or_else(|| {
        Error::new(ErrorKind::SourceNotFound, format!("there is no DB instance {id} in {region}"))
    })?;
    if instance.engine != "postgres" {
        return Err(Miss::lasting(format!("{id} is {}; only postgres can be read", instance.engine)));
    }
    let Some(endpoint) = instance.endpoint.clone() else {
        let message = format!("{id} is {} and has no endpoint", instance.status);
        return Err(Miss { error: Error::new(ErrorKind::BaselineUnreadable, message), passing: true });
    };
    let (user, password) =
        credentials(ports.logins, &job.asked.login, &instance.master_username, region, &endpoint).await?;
    Ok(Server { endpoint, user, password })
}
