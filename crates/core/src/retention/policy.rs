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

/// What an input may say of a policy; what it does not say stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
    yearly: Option<u32>,
    minimum: Option<u32>,
    inspection_days: Option<u32>,
}

impl Policy {
    /// This policy with what `input` says otherwise.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn changed_by(self, input: &Value) -> Result<Self> {
        let change: Change = serde_path_to_error::deserialize(input).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { "policy".to_owned() } else { format!("policy.{path}") };
            Error::invalid(format!("{place}: {}", error.inner()))
        })?;
        Policy {
            daily: change.daily.unwrap_or(self.daily),
            weekly: change.weekly.unwrap_or(self.weekly),
            monthly: change.monthly.unwrap_or(self.monthly),
            yearly: change.yearly.unwrap_or(self.yearly),
            minimum: change.minimum.unwrap_or(self.minimum),
            inspection_days: change.inspection_days.unwrap_or(self.inspection_days),
        }
        .checked()
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
