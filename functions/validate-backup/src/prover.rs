//! The proof as a port: the function decides, `holdfast-verify` connects.

use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::rds::Endpoint;
use holdfast_verify::{ConnectError, Options, Outcome, Target};
use secrecy::SecretString;

/// A restored server and how to log in to it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it listens; the name its certificate must carry.
    pub endpoint: Endpoint,
    /// Master user.
    pub user: String,
    /// The derived password.
    pub password: SecretString,
}

/// Looks at restored servers.
#[async_trait]
pub trait Prover: Send + Sync {
    /// Whether it can be logged in to.
    async fn probe(&self, server: &Server) -> Result<(), ConnectError>;
    /// Runs every check.
    async fn prove(&self, server: &Server, options: &Options) -> Result<Outcome, ConnectError>;
}

/// Real servers over TLS, trusting one bundle of authorities.
#[derive(Debug, Clone)]
pub struct ServerProver {
    ca_pem: String,
}

impl ServerProver {
    /// Trusts the authorities in `ca_pem` and no others.
    pub fn new(ca_pem: String) -> Self {
        ServerProver { ca_pem }
    }

    fn target(&self, server: &Server) -> Target {
        Target {
            host: server.endpoint.host.clone(),
            port: server.endpoint.port,
            user: server.user.clone(),
            password: server.password.clone(),
            ca_pem: self.ca_pem.clone(),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

#[async_trait]
impl Prover for ServerProver {
    async fn probe(&self, server: &Server) -> Result<(), ConnectError> {
        holdfast_verify::connect_probe(&self.target(server)).await
    }

    async fn prove(&self, server: &Server, options: &Options) -> Result<Outcome, ConnectError> {
        holdfast_verify::verify(&self.target(server), options).await
    }
}
