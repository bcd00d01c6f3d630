//! Everything the new instance refers to, proven to be there before anything is made.

use holdfast_core::blueprint::Wanted;
use holdfast_core::ids::Region;
use holdfast_core::network;
use holdfast_core::operation::Reference;
use holdfast_core::ports::{Keys, Networks, Restores, Roles};
use holdfast_core::{Error, ErrorKind, Result, watching};

use crate::Ports;

/// Looks each reference up.
///
/// # Errors
/// `ReferenceUnresolved` naming every one that is not there and what to do, or what a call met.
pub(crate) async fn proven<R: Restores, K: Keys, D, N: Networks>(
    ports: &Ports<'_, R, K, D, N>,
    region: &Region,
    wanted: &Wanted,
) -> Result<Vec<Reference>> {
    let mut references = Vec::new();
    for referred in wanted.referred() {
        let problem = ports.rds.problem_with(region, &referred).await?;
        references.push(Reference::new(referred.what(), referred.name(), problem));
    }
    references.extend(network::proven(ports.rds, ports.networks, region, wanted).await?);
    let mut classes = references.iter().filter(|reference| reference.what == "instance class");
    let offered = classes.any(|reference| reference.problem.is_none());
    // One class that can be had is enough: the others are for when it cannot.
    let blocking = |reference: &&Reference| {
        reference.problem.is_some() && !(offered && reference.what == "instance class")
    };
    if let Some(key) = wanted.settings.kms_key_id.as_ref().filter(|_| wanted.settings.encrypted) {
        let problem = key_problem(ports.keys, region, key).await?;
        references.push(Reference::new("KMS key", key, problem));
    }
    if let Some(key) = wanted.insights_key() {
        let problem = watching::problem_with_key(ports.keys, region, key).await?;
        references.push(Reference::new(watching::INSIGHTS_KEY, key, problem));
    }
    if let Some(arn) = wanted.monitoring_role() {
        references.push(monitoring_role(ports.roles, arn).await);
    }
    let problems: Vec<String> = references.iter().filter(blocking).map(sentence).collect();
    if problems.is_empty() {
        return Ok(references);
    }
    Err(Error::new(ErrorKind::ReferenceUnresolved, format!("in {region}: {}", problems.join("; "))))
}

/// IAM answers for every Region from one, which may be the lost one (AWS Fault Isolation Boundaries, "Global services"): a
/// restore does not wait for it. Whoever reads the plan is told.
async fn monitoring_role(roles: &dyn Roles, arn: &str) -> Reference {
    match watching::problem_with_role(roles, arn).await {
        Ok(problem) => Reference::new(watching::MONITORING_ROLE, arn, problem),
        Err(error) => {
            Reference { unseen: Some(error.message), ..Reference::new(watching::MONITORING_ROLE, arn, None) }
        }
    }
}

fn sentence(reference: &Reference) -> String {
    let problem = reference.problem.as_deref().unwrap_or("is there");
    format!("{} {} {problem}", reference.what, reference.name)
}

/// Why RDS could not use the key in the name of this role.
async fn key_problem(keys: &impl Keys, region: &Region, id: &str) -> Result<Option<String>> {
    let Some(key) = keys.key(region, id).await? else {
        return Ok(Some("is not there: what is encrypted with it cannot be restored".to_owned()));
    };
    Ok(key.require_usable(region).err().map(|error| format!("cannot be used: {}", error.message)))
}
