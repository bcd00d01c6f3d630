//! What a database is held to: how soon it must be back, and how much may be lost.

use serde::{Deserialize, Serialize};

/// How much a database matters. Requirement G1 gives each its objectives; a protection plan may say others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Importance {
    /// Back in 15 minutes, at most 5 minutes lost.
    Critical,
    /// Back in an hour, at most 15 minutes lost.
    #[default]
    Standard,
    /// Back in four hours, at most one hour lost.
    Low,
}

impl Importance {
    /// The objectives of a database that matters so much.
    ///
    /// Requirement G1 lists two times for each and calls them "RPO and RTO"; the longer one is taken for the time to be
    /// back, as a restore takes longer than a log that is shipped every five minutes (decision 0014).
    pub fn objectives(self) -> Objectives {
        let (rto_minutes, rpo_minutes) = match self {
            Importance::Critical => (15, 5),
            Importance::Standard => (60, 15),
            Importance::Low => (240, 60),
        };
        Objectives { rto_seconds: rto_minutes * 60, rpo_seconds: rpo_minutes * 60 }
    }
}

/// The most that a loss may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objectives {
    /// Recovery time objective: seconds until the database is back.
    pub rto_seconds: u64,
    /// Recovery point objective: seconds of writes that may be lost.
    pub rpo_seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_more_is_held_to_more() {
        let of = |importance: Importance| importance.objectives();
        assert_eq!(of(Importance::Critical), Objectives { rto_seconds: 900, rpo_seconds: 300 });
        assert_eq!(of(Importance::Standard), Objectives { rto_seconds: 3600, rpo_seconds: 900 });
        assert_eq!(of(Importance::Low), Objectives { rto_seconds: 14_400, rpo_seconds: 3600 });
        assert_eq!(serde_json::to_string(&Importance::Critical).unwrap(), r#""critical""#);
    }
}
