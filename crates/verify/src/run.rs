//! Placeholder while the checks are written.
use crate::connection::ConnectError;
use crate::{ALGORITHM, Options, Outcome, Target};
use holdfast_core::validation::Manifest;

pub(crate) async fn run(target: &Target, _options: &Options) -> Result<Outcome, ConnectError> {
    crate::connection::connect_probe(target).await?;
    let manifest = Manifest {
        algorithm: ALGORITHM.into(),
        server_version: String::new(),
        databases: Default::default(),
    };
    Ok(Outcome { checks: vec![], manifest, databases: vec![] })
}
