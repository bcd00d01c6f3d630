//! How many backups are kept, in words: the plan's numbers, and the deployment's where the plan says none.

use holdfast_core::retention::{Policy, PolicyChange};
use serde_json::json;

/// What is said of retention that the plan leaves alone.
pub(super) const AS_DEPLOYED: &str = "what prune-backups was deployed to keep";

/// Whose number it is.
const DEPLOYMENT: &str = "(deployment)";

/// A number of a policy as it is kept by: `60`, `12 (deployment)`, or `(deployment)` where that is not known. `field` is
/// `retention.monthly`.
pub(super) fn number(field: &str, said: Option<&str>, deployed: Option<&Policy>) -> String {
    let name = field.strip_prefix("retention.").unwrap_or(field);
    let known = || json!(deployed?)[name].as_u64();
    match said {
        Some(said) => said.to_owned(),
        None => known().map_or_else(|| DEPLOYMENT.to_owned(), |number| format!("{number} {DEPLOYMENT}")),
    }
}

/// All numbers, in a line.
pub(super) fn in_words(said: Option<&PolicyChange>, deployed: Option<&Policy>) -> String {
    let Some(said) = said else { return AS_DEPLOYED.to_owned() };
    let PolicyChange { daily, weekly, monthly, yearly, minimum, inspection_days } = *said;
    let number = |said: Option<u32>, of: fn(&Policy) -> u32| match (said, deployed) {
        (Some(said), _) => Some((said, "")),
        (None, Some(deployed)) => Some((of(deployed), " (deployment)")),
        (None, None) => None,
    };
    let parts = [
        (daily, number(daily, |policy| policy.daily), "", " daily"),
        (weekly, number(weekly, |policy| policy.weekly), "", " weekly"),
        (monthly, number(monthly, |policy| policy.monthly), "", " monthly"),
        (yearly, number(yearly, |policy| policy.yearly), "", " yearly"),
        (minimum, number(minimum, |policy| policy.minimum), "at least ", ""),
        (inspection_days, inspection_days.map(|days| (days, "")), "", " days of inspection"),
    ];
    let mut words: Vec<String> = parts
        .iter()
        .filter_map(|(_, number, before, after)| {
            let (number, whose) = (*number)?;
            Some(format!("{before}{number}{after}{whose}"))
        })
        .collect();
    if deployed.is_none() && parts.iter().take(5).any(|(said, ..)| said.is_none()) {
        words.push(format!("else {AS_DEPLOYED}"));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_with_whose_it_is() {
        let said = PolicyChange { daily: Some(30), minimum: Some(5), ..PolicyChange::default() };
        let deployed = Policy { monthly: 60, ..Policy::default() };
        assert_eq!(
            in_words(Some(&said), Some(&deployed)),
            "30 daily, 4 weekly (deployment), 60 monthly (deployment), 7 yearly (deployment), at least 5"
        );
        assert_eq!(in_words(Some(&said), None), format!("30 daily, at least 5, else {AS_DEPLOYED}"));
        assert_eq!(in_words(None, Some(&deployed)), AS_DEPLOYED);
        let field = "retention.monthly";
        assert_eq!(number(field, Some("12"), Some(&deployed)), "12");
        assert_eq!(number(field, None, Some(&deployed)), "60 (deployment)");
        assert_eq!(number(field, None, None), "(deployment)");
        assert_eq!(number("retention.inspectionDays", None, Some(&deployed)), "7 (deployment)");
    }
}
