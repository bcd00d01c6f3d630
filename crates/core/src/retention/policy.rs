//! How many backups are kept: strict on the way in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Span;
use crate::error::{Error, Result};

/// Most slots of one rule, and most backups under the minimum: more than any quota lets there be.
const MAX_COUNT: u32 = 1000;
/// Longest time a refused backup is kept to be looked at, days.
const MAX_INSPECTION_DAYS: u32 = 365;

/// How many backups of one database are kept in one Region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Days of which one backup is kept.
    pub daily: u32,
    /// ISO weeks of which one is kept.
    pub weekly: u32,
    /// Months of which one is kept.
    pub monthly: u32,
    /// Years of which one is kept.
    pub yearly: u32,
    /// Backups that are left in any case: the newest proven ones, made up with others when there are fewer.
    pub minimum: u32,
    /// Days for which an `INVALID`, `INCONCLUSIVE` or `UNPROVEN` backup is kept to be looked at.
    pub inspection_days: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { daily: 7, weekly: 4, monthly: 12, yearly: 7, minimum: 3, inspection_days: 7 }
    }
}

/// The rules of every database: those of the deployment, and others where the protection plan says others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// For whatever database has no rules of its own.
    pub default: Policy,
    /// Rules of single databases.
    pub by_database: BTreeMap<String, Policy>,
}

impl Policies {
    /// The rules of one database.
    pub fn of(&self, database: &str) -> &Policy {
        self.by_database.get(database).unwrap_or(&self.default)
    }

    /// All of these rules with what `input` says otherwise.
    ///
    /// # Errors
    /// As [`Policy::changed_by`].
    pub fn changed_by(&self, input: &Value) -> Result<Self> {
        let own = self.by_database.iter();
        let own = own.map(|(database, policy)| Ok((database.clone(), policy.changed_by(input)?)));
        Ok(Policies { default: self.default.changed_by(input)?, by_database: own.collect::<Result<_>>()? })
    }
}

impl From<Policy> for Policies {
    fn from(default: Policy) -> Self {
        Policies { default, by_database: BTreeMap::new() }
    }
}

/// Numbers of a policy that are said; the others are somebody else's: the deployment's, or a plan's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyChange {
    /// As [`Policy::daily`]; like the next ones, not said when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub daily: Option<u32>,
    /// As [`Policy::weekly`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weekly: Option<u32>,
    /// As [`Policy::monthly`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub monthly: Option<u32>,
    /// As [`Policy::yearly`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub yearly: Option<u32>,
    /// As [`Policy::minimum`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minimum: Option<u32>,
    /// As [`Policy::inspection_days`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inspection_days: Option<u32>,
}

impl PolicyChange {
    /// The numbers that `input` says.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn read(input: &Value) -> Result<Self> {
        serde_path_to_error::deserialize(input).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { "policy".to_owned() } else { format!("policy.{path}") };
            Error::invalid(format!("{place}: {}", error.inner()))
        })
    }

    /// These numbers, and where one is not said, that of `general`.
    #[must_use]
    pub fn over(self, general: PolicyChange) -> Self {
        PolicyChange {
            daily: self.daily.or(general.daily),
            weekly: self.weekly.or(general.weekly),
            monthly: self.monthly.or(general.monthly),
            yearly: self.yearly.or(general.yearly),
            minimum: self.minimum.or(general.minimum),
            inspection_days: self.inspection_days.or(general.inspection_days),
        }
    }

    /// `policy` with what is said here otherwise, be it one that nobody can mean.
    #[must_use]
    pub fn laid_over(self, policy: Policy) -> Policy {
        Policy {
            daily: self.daily.unwrap_or(policy.daily),
            weekly: self.weekly.unwrap_or(policy.weekly),
            monthly: self.monthly.unwrap_or(policy.monthly),
            yearly: self.yearly.unwrap_or(policy.yearly),
            minimum: self.minimum.unwrap_or(policy.minimum),
            inspection_days: self.inspection_days.unwrap_or(policy.inspection_days),
        }
    }

    /// These numbers, if there is a policy with which they can be meant.
    ///
    /// # Errors
    /// As [`Policy::checked`].
    pub fn checked(self) -> Result<Self> {
        // What is built in keeps something by every rule: what is refused here is refused whatever is deployed.
        self.laid_over(Policy::default()).checked()?;
        Ok(self)
    }

    /// How many slots for periods of this length are said.
    pub fn count(&self, span: Span) -> Option<u32> {
        match span {
            Span::Day => self.daily,
            Span::Week => self.weekly,
            Span::Month => self.monthly,
            Span::Year => self.yearly,
        }
    }
}

impl Policy {
    /// This policy with what `input` says otherwise.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn changed_by(self, input: &Value) -> Result<Self> {
        PolicyChange::read(input)?.laid_over(self).checked()
    }

    /// This policy, if it is one that can be meant.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn checked(self) -> Result<Self> {
        let within = |name: &str, count: u32, least: u32, most: u32| {
            if (least..=most).contains(&count) {
                return Ok(());
            }
            Err(Error::invalid(format!("policy.{name}: {count} is not from {least} to {most}")))
        };
        for span in Span::ALL {
            within(span.rule(), self.count(span), 0, MAX_COUNT)?;
        }
        within("minimum", self.minimum, 1, MAX_COUNT)?;
        within("inspectionDays", self.inspection_days, 0, MAX_INSPECTION_DAYS)?;
        if Span::ALL.iter().all(|span| self.count(*span) == 0) {
            return Err(Error::invalid(
                "policy: daily, weekly, monthly and yearly are all 0; at least one of them must keep something",
            ));
        }
        Ok(self)
    }

    /// How many slots there are for periods of this length.
    pub fn count(&self, span: Span) -> u32 {
        match span {
            Span::Day => self.daily,
            Span::Week => self.weekly,
            Span::Month => self.monthly,
            Span::Year => self.yearly,
        }
    }

    /// The most backups that the rules keep of one database in one Region, when one backup fills one slot only.
    pub fn slots(&self) -> u32 {
        Span::ALL.iter().map(|span| self.count(*span)).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_input_does_not_say_stays() {
        let policy = Policy::default().changed_by(&json!({"weekly": 0, "minimum": 1})).unwrap();
        assert_eq!(policy, Policy { weekly: 0, minimum: 1, ..Policy::default() });
        assert_eq!(Policy::default().changed_by(&json!({})).unwrap(), Policy::default());
    }

    #[test]
    fn numbers_that_are_not_said_are_somebody_elses() {
        let read = |input: Value| PolicyChange::read(&input).unwrap();
        let (special, general) = (read(json!({"daily": 30})), read(json!({"daily": 9, "yearly": 0})));
        let both = special.over(general);
        assert_eq!(both, PolicyChange { daily: Some(30), yearly: Some(0), ..PolicyChange::default() });
        let deployed = Policy { monthly: 60, ..Policy::default() };
        assert_eq!(both.laid_over(deployed), Policy { daily: 30, yearly: 0, ..deployed });
        assert_eq!(json!(both), json!({"daily": 30, "yearly": 0}));
        assert!(read(json!({"daily": 0, "weekly": 0, "monthly": 0})).checked().is_ok());
        assert!(
            both.over(read(json!({"minimum": 0}))).checked().unwrap_err().message.contains("policy.minimum")
        );
        let none = json!({"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0});
        assert!(read(none).checked().unwrap_err().message.contains("all 0"));
    }

    #[test]
    fn a_policy_that_cannot_be_meant_is_refused_by_field() {
        for (input, named) in [
            (json!({"dayly": 1}), "policy.dayly"),
            (json!({"daily": -1}), "policy.daily"),
            (json!({"daily": "7"}), "policy.daily"),
            (json!({"monthly": 1.5}), "policy.monthly"),
            (json!({"yearly": 1001}), "policy.yearly: 1001 is not from 0 to 1000"),
            (json!({"minimum": 0}), "policy.minimum: 0 is not from 1 to 1000"),
            (json!({"inspectionDays": 366}), "policy.inspectionDays: 366 is not from 0 to 365"),
            (json!({"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0}), "all 0"),
            (json!(7), "policy: "),
        ] {
            let error = Policy::default().changed_by(&input).unwrap_err();
            assert!(error.message.contains(named), "{input}: {}", error.message);
        }
    }
}
