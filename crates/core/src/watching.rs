//! What watches an instance: Performance Insights has a key, Enhanced Monitoring a role. Both are set on what was restored once
//! it is there, so what RDS would refuse an hour from now is looked for before anything is made.

use crate::error::Result;
use crate::ids::Region;
use crate::ports::{Keys, Roles};

/// What the key of Performance Insights is called among the references of a restore.
pub const INSIGHTS_KEY: &str = "Performance Insights key";
/// What the role of Enhanced Monitoring is called among the references of a restore.
pub const MONITORING_ROLE: &str = "Enhanced Monitoring role";
/// The service that has to be let take the role (Amazon RDS User Guide, "Setting up for and enabling Enhanced Monitoring").
pub const MONITORING_SERVICE: &str = "monitoring.rds.amazonaws.com";

/// Why Performance Insights of `region` could not use the key, and what to do; `None` when they can.
///
/// # Errors
/// What the look met.
pub async fn problem_with_key(keys: &impl Keys, region: &Region, id: &str) -> Result<Option<String>> {
    let why = if let Some(other) = of_another_region(id, region) {
        format!("is a key of {other}")
    } else {
        match keys.key(region, id).await? {
            None => "is not there".to_owned(),
            Some(key) => match key.require_usable(region) {
                Ok(()) => return Ok(None),
                Err(error) => format!("cannot be used ({})", error.message),
            },
        }
    };
    Ok(Some(format!(
        "{why}: name one of {region} with options.performanceInsights (--input), or do without (--no-performance-insights)"
    )))
}

/// The Region that a key's ARN names, when it is not this one: a blueprint has the key of the Region that it was taken in.
fn of_another_region<'a>(key: &'a str, region: &Region) -> Option<&'a str> {
    let named = key.strip_prefix("arn:")?.split(':').nth(2)?;
    (named != region.as_str()).then_some(named)
}

/// Why Enhanced Monitoring could not take the role, and what to do; `None` when it can.
///
/// # Errors
/// What the look met.
pub async fn problem_with_role(roles: &dyn Roles, arn: &str) -> Result<Option<String>> {
    let why = match roles.trusted_services(arn).await? {
        None => "is not there".to_owned(),
        Some(services) if services.iter().any(|service| service == MONITORING_SERVICE) => return Ok(None),
        Some(_) => format!("does not let {MONITORING_SERVICE} take it"),
    };
    Ok(Some(format!(
        "{why}: mend it, name another with options.monitoring (--input), or do without (--no-monitoring)"
    )))
}
