//! The proof as a port: the function decides, `holdfast-verify` connects.

use std::collections::BTreeMap;

use async_trait::async_trait;
pub use holdfast_core::rds::Server;
use holdfast_verify::{ConnectError, Journal, Options, Outcome, Plan, Progress, Target, Unit, UnitResult};

/// Looks at restored servers.
#[async_trait(?Send)]
pub trait Prover: Send + Sync {
    /// Whether it can be logged in to.
    async fn probe(&self, server: &Server) -> Result<(), ConnectError>;
    /// Reads the catalog and cuts the work into units.
    async fn plan(&self, server: &Server, options: &Options) -> Result<Plan, ConnectError>;
    /// Does those of a plan's `units` that `ids` names, within the options' time, and gives each result to `journal`.
    async fn work(
        &self,
        server: &Server,
        options: &Options,
        units: &[Unit],
        ids: &[u32],
        journal: &dyn Journal,
    ) -> Result<Progress, ConnectError>;
    /// Sums up; a unit without a result was not done, and its checks say so.
    fn conclude(&self, plan: &Plan, results: &BTreeMap<u32, UnitResult>, options: &Options) -> Outcome;
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
        let (endpoint, ca_pem) = (&server.endpoint, self.ca_pem.clone());
        Target::new(&endpoint.host, endpoint.port, &server.user, server.password.clone(), ca_pem)
    }
}

#[async_trait(?Send)]
impl Prover for ServerProver {
    async fn probe(&self, server: &Server) -> Result<(), ConnectError> {
        holdfast_verify::connect_probe(&self.target(server)).await
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

    fn conclude(&self, plan: &Plan, results: &BTreeMap<u32, UnitResult>, options: &Options) -> Outcome {
        holdfast_verify::conclude(plan, results, options)
    }
}
