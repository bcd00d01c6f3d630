//! One way to a server: TLS against the given authorities only, or nothing.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Target, settings};

/// Databases that exist for logging in, in order of preference.
const MAINTENANCE_DATABASES: [&str; 2] = ["postgres", "template1"];

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
    let tls = MakeRustlsConnect::new(tls_config(&target.ca_pem)?);
    let mut config = Config::new();
    config
        .host(&target.host)
        .port(target.port)
        .user(&target.user)
        .password(target.password.expose_secret())
        .dbname(database)
        .application_name(settings::APPLICATION_NAME)
        .ssl_mode(SslMode::Require)
        .connect_timeout(target.connect_timeout)
        .keepalives_idle(Duration::from_secs(30));
    let (client, connection) = tokio::time::timeout(target.connect_timeout, config.connect(tls))
        .await
        .map_err(|_| {
            ConnectError::Unreachable(format!("no answer within {} s", target.connect_timeout.as_secs_f32()))
        })?
        .map_err(|error| classify(&error))?;
    // Ends when the client is dropped; what goes wrong reaches the caller through its query.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "connection ended");
        }
    });
    Ok(client)
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

fn classify(error: &tokio_postgres::Error) -> ConnectError {
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
    fn a_ca_that_is_no_ca_is_a_tls_error() {
        assert!(matches!(tls_config(""), Err(ConnectError::Tls(_))));
        assert!(matches!(tls_config("hello"), Err(ConnectError::Tls(_))));
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(tls_config(rubbish), Err(ConnectError::Tls(_))));
    }
}
