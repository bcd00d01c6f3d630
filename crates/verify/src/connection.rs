//! One way to a server: TLS against the given authorities only, or nothing.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Target, settings};

/// Authorities of RDS in every Region (Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection").
pub const RDS_CA_BUNDLE: &str = include_str!("rds-ca-bundle.pem");

/// Databases that exist for logging in, in order of preference.
const MAINTENANCE_DATABASES: [&str; 2] = ["postgres", "template1"];

/// How a connection is kept private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The certificate must carry the host's name and be signed by one of these authorities (PEM), and no others.
    Verify {
        /// The authorities.
        ca_pem: String,
    },
    /// In clear: only to this machine, by a loopback address or a Unix socket.
    Off,
}

impl Tls {
    /// Whether it is private enough for this host.
    pub fn is_enough_for(&self, host: &str) -> bool {
        match self {
            Tls::Verify { .. } => true,
            Tls::Off => is_this_machine(host),
        }
    }
}

/// The connections made to a target, so that what they are doing can be given up.
///
/// A server goes on with a statement whose client is gone until it has something to send or its time is up.
#[derive(Clone, Default)]
pub struct Statements(Arc<Mutex<Vec<CancelToken>>>);

impl Statements {
    /// Asks the server to give up every statement of every connection made so far (PostgreSQL, "Canceling Requests in
    /// Progress": a request may come too late, and is then without effect). What goes wrong is logged.
    pub async fn cancel(&self, target: &Target) {
        let tokens: Vec<CancelToken> = std::mem::take(&mut *self.lock());
        let requests = tokens.iter().map(async |token| {
            let asked = async {
                match &target.tls {
                    Tls::Verify { ca_pem } => {
                        let tls = MakeRustlsConnect::new(tls_config(ca_pem)?);
                        token.cancel_query(tls).await.map_err(|error| classify(&error))
                    }
                    Tls::Off => token.cancel_query(NoTls).await.map_err(|error| classify(&error)),
                }
            };
            match tokio::time::timeout(target.connect_timeout, asked).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a statement could not be given up"),
                Err(_) => tracing::debug!("a statement could not be given up in time"),
            }
        });
        futures::future::join_all(requests).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<CancelToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the tokens: with one, anybody could cancel.
        formatter.debug_struct("Statements").finish_non_exhaustive()
    }
}

/// Why no connection came about. None of the messages carries the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The server does not accept this user with this password.
    #[error("wrong credentials: {0}")]
    WrongCredentials(String),
    /// No TLS, an unknown authority, another host name, an expired certificate.
    #[error("TLS: {0}")]
    Tls(String),
    /// Nobody answers, or not in time.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The server answered and said no: starting up, too many connections, no such database,
    /// no right to connect.
    #[error("refused: {0}")]
    Refused(String),
}

impl ConnectError {
    /// Whether waiting can change the answer. A password that is being replaced counts as
    /// such; a certificate does not repair itself.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, ConnectError::Tls(_))
    }
}

/// Logs in and out again. Made for asking until a changed password has taken effect.
pub async fn connect_probe(target: &Target) -> Result<(), ConnectError> {
    connect_maintenance(target).await.map(drop)
}

/// Connects to a database that is there on every server.
pub(crate) async fn connect_maintenance(target: &Target) -> Result<(String, Client), ConnectError> {
    if let Some(database) = &target.database {
        return Ok((database.clone(), connect(target, database).await?));
    }
    let mut refused = None;
    for database in MAINTENANCE_DATABASES {
        match connect(target, database).await {
            Ok(client) => return Ok((database.to_owned(), client)),
            Err(error @ ConnectError::Refused(_)) => refused = refused.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| ConnectError::Refused("no database to log in to".into())))
}

/// One attempt at one database, bounded by the target's timeout.
pub(crate) async fn connect(target: &Target, database: &str) -> Result<Client, ConnectError> {
    let mut config = Config::new();
    config
        .host(&target.host)
        .port(target.port)
        .user(&target.user)
        .password(target.password.expose_secret())
        .dbname(database)
        .application_name(settings::APPLICATION_NAME)
        .connect_timeout(target.connect_timeout)
        .keepalives_idle(Duration::from_secs(30));
    let attempt = async {
        match &target.tls {
            Tls::Verify { ca_pem } => {
                config.ssl_mode(SslMode::Require);
                opened(config.connect(MakeRustlsConnect::new(tls_config(ca_pem)?)).await)
            }
            Tls::Off if is_this_machine(&target.host) => {
                config.ssl_mode(SslMode::Disable);
                opened(config.connect(NoTls).await)
            }
            Tls::Off => {
                Err(ConnectError::Tls("without it, only this machine itself may be connected to".into()))
            }
        }
    };
    let client = tokio::time::timeout(target.connect_timeout, attempt).await.map_err(|_| {
        ConnectError::Unreachable(format!("no answer within {} s", target.connect_timeout.as_secs_f32()))
    })??;
    target.statements.lock().push(client.cancel_token());
    Ok(client)
}

/// Keeps a new connection going in the background.
fn opened<S, T>(
    connected: Result<(Client, Connection<S, T>), tokio_postgres::Error>,
) -> Result<Client, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = connected.map_err(|error| classify(&error))?;
    // Ends when the client is dropped; what goes wrong reaches the caller through its query.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "connection ended");
        }
    });
    Ok(client)
}

/// Whether nobody can listen on the way: a loopback address, or the directory of a Unix socket. `localhost` is a
/// loopback address by RFC 6761.
fn is_this_machine(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Trusts exactly the given authorities, with the `ring` provider whatever the process default is.
fn tls_config(ca_pem: &str) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate =
            certificate.map_err(|error| ConnectError::Tls(format!("the CA is not valid PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| ConnectError::Tls(format!("a CA certificate is unusable: {error}")))?;
    }
    if roots.is_empty() {
        return Err(ConnectError::Tls("no CA certificate given".into()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// What an error of the server or of the way to it means.
pub(crate) fn classify(error: &tokio_postgres::Error) -> ConnectError {
    if let Some(database) = error.as_db_error() {
        let code = database.code();
        let message = format!("{} ({})", database.message(), code.code());
        return if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        {
            ConnectError::WrongCredentials(message)
        } else {
            ConnectError::Refused(message)
        };
    }
    let message = chain(error);
    // The variants of this error are private: its text and its sources are all there is.
    let in_tls = error.to_string().starts_with("error performing TLS handshake");
    // An I/O error during the handshake is about the network unless rustls raised it, or the host
    // cannot be the name of a certificate at all.
    let cut = error.source().and_then(|source| source.downcast_ref::<io::Error>()).is_some_and(|io| {
        io.kind() != io::ErrorKind::InvalidInput
            && !io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
    });
    if in_tls && !cut { ConnectError::Tls(message) } else { ConnectError::Unreachable(message) }
}

/// An error with its sources, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_clear_means_on_this_machine() {
        for here in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "/var/run/postgresql"] {
            assert!(is_this_machine(here), "{here}");
        }
        for elsewhere in ["", "10.0.0.1", "localhost.example.com", "127.1", "db", "::2", "0.0.0.0"] {
            assert!(!is_this_machine(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn the_authorities_of_rds_are_readable() {
        assert!(tls_config(RDS_CA_BUNDLE).is_ok());
    }

    #[test]
    fn a_ca_that_is_no_ca_is_a_tls_error() {
        assert!(matches!(tls_config(""), Err(ConnectError::Tls(_))));
        assert!(matches!(tls_config("hello"), Err(ConnectError::Tls(_))));
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(tls_config(rubbish), Err(ConnectError::Tls(_))));
    }
}
