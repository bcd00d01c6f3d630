//! The source as a port: the function decides, `holdfast-verify` connects.

use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::baseline::Beat;
use holdfast_core::ids::OperationId;
pub use holdfast_core::rds::Server;
use holdfast_core::validation::{CheckSettings, Coverage, Heartbeat, Reading};
use holdfast_verify::{ConnectError, Journal, Options, Plan, Progress, Standing, Target, Unit};

use crate::Job;

/// Reads the source, or a replica of it. Nothing here changes anything but the heartbeat.
#[async_trait(?Send)]
pub trait Source {
    /// Its catalog and its counters.
    async fn reading(&self, server: &Server, options: &Options) -> Result<Reading, ConnectError>;
    /// Writes the heartbeat of an operation.
    async fn beat(
        &self,
        server: &Server,
        heartbeat: &Heartbeat,
        operation: &OperationId,
    ) -> Result<Beat, ConnectError>;
    /// Where it stands in its log.
    async fn standing(&self, server: &Server, options: &Options) -> Result<Standing, ConnectError>;
    /// How its rows are read.
    async fn plan(&self, server: &Server, options: &Options) -> Result<Plan, ConnectError>;
    /// Reads those of a plan's `units` that `ids` names, until the time is used up.
    async fn work(
        &self,
        server: &Server,
        options: &Options,
        units: &[Unit],
        ids: &[u32],
        journal: &dyn Journal,
    ) -> Result<Progress, ConnectError>;
}

/// Real servers over TLS, trusting one bundle of authorities.
#[derive(Debug, Clone)]
pub struct ServerSource {
    ca_pem: String,
}

impl ServerSource {
    /// Trusts the authorities in `ca_pem` and no others.
    pub fn new(ca_pem: String) -> Self {
        ServerSource { ca_pem }
    }

    fn target(&self, server: &Server) -> Target {
        let (endpoint, ca_pem) = (&server.endpoint, self.ca_pem.clone());
        Target::new(&endpoint.host, endpoint.port, &server.user, server.password.clone(), ca_pem)
    }
}

#[async_trait(?Send)]
impl Source for ServerSource {
    async fn reading(&self, server: &Server, options: &Options) -> Result<Reading, ConnectError> {
        holdfast_verify::reading(&self.target(server), options).await
    }

    async fn beat(
        &self,
        server: &Server,
        heartbeat: &Heartbeat,
        operation: &OperationId,
    ) -> Result<Beat, ConnectError> {
        holdfast_verify::beat(&self.target(server), heartbeat, operation.as_str()).await
    }

    async fn standing(&self, server: &Server, options: &Options) -> Result<Standing, ConnectError> {
        holdfast_verify::standing(&self.target(server), options).await
    }

    async fn plan(&self, server: &Server, options: &Options) -> Result<Plan, ConnectError> {
        holdfast_verify::plan(&self.target(server), options).await
    }

    async fn work(
        &self,
        server: &Server,
        options: &Options,
        units: &[Unit],
        ids: &[u32],
        journal: &dyn Journal,
    ) -> Result<Progress, ConnectError> {
        holdfast_verify::work(&self.target(server), options, units, ids, journal).await
    }
}

/// What is read, and within which limits: over two connections, in statements of at most `piece_bytes`, and nothing that
/// would have to be made first.
pub(crate) fn options(budget: Duration, piece_bytes: u64, job: &Job) -> Options {
    let off = Coverage::Off;
    Options {
        checks: CheckSettings {
            schema: off,
            content: Coverage::Full,
            storage: off,
            indexes: off,
            uniqueness: off,
            foreign_keys: off,
            constraints: off,
            sequences: off,
            collations: off,
            leftovers: off,
            freshness: None,
            // As the restored copy is digested, or the two could not be held against each other that way.
            digest: job.request.validation.checks.digest,
        },
        expect_isolated: false,
        may_create_extensions: false,
        connections: 2,
        chunk_bytes: piece_bytes,
        statement_timeout: budget,
        time_budget: budget,
        ..Options::default()
    }
}
