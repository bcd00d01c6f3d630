//! What takes the place of what: planned before anything is made, done by names, undone by names.

use serde::{Deserialize, Serialize};

use super::Results;
use crate::ids::DatabaseId;
use crate::rds::Endpoint;
use crate::request::{AfterSwap, RestoreRequest};
use crate::validation::Verdict;

/// What is there before a swap, as it was when the restore was planned: what an undo goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapPlan {
    /// The instance that has the database's name; `None` when nobody has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<OldInstance>,
    /// What becomes of it when the new one has proven itself.
    pub after: AfterSwap,
    /// The DNS record that is repointed, when one is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<RecordBefore>,
    /// The secret whose host and port are set, when one is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<SecretBefore>,
}

/// The instance that gives its name away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OldInstance {
    /// `DbiResourceId`: by this it is known under any name.
    pub resource_id: String,
    /// The name it gets.
    pub aside_id: DatabaseId,
}

/// A CNAME of Route 53.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordBefore {
    /// Its hosted zone.
    pub hosted_zone_id: String,
    /// Its name, without the dot at the end.
    pub name: String,
    /// Seconds for which clients keep it.
    pub ttl: i64,
    /// The host name it stood for.
    pub value: String,
}

/// A secret of Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretBefore {
    /// Its ARN.
    pub arn: String,
    /// The version that was current.
    pub version_id: String,
}

/// One look at what uses the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmokeResult {
    /// The address, or the statement's name.
    pub name: String,
    /// Whether it was as it must be.
    pub passed: bool,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Who has which name now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwapResult {
    /// The database's name.
    pub instance_id: String,
    /// Where what has the name listens; `None` when nobody has it, as before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoint: Option<Endpoint>,
    /// The instance that had the name before, under the name that it has now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old_id: Option<String>,
    /// Whether that one is stopped.
    #[serde(default)]
    pub old_stopped: bool,
    /// Seconds from when the first rename was asked for until the new one was seen available under the database's name: how
    /// long nobody answered to it, at most. Not known when another execution took over in between.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outage_seconds: Option<f64>,
    /// Seconds of writes that are in the old instance only: from the time of the recovery point until the old one was seen
    /// without its name. Not known as `outage_seconds` is not, and when nobody had the name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_seconds: Option<f64>,
    /// What was repointed: `record db.example.com`, ...
    #[serde(default)]
    pub repointed: Vec<String>,
    /// What was looked at afterwards.
    #[serde(default)]
    pub smoke_checks: Vec<SmokeResult>,
    /// Whether everything was given back.
    #[serde(default)]
    pub undone: bool,
}

impl SwapResult {
    /// One sentence.
    pub fn describe(&self) -> String {
        let SwapResult { instance_id, old_id, .. } = self;
        if self.undone {
            return format!("{instance_id} is what it was before the swap");
        }
        let old = match (old_id, self.old_stopped) {
            (Some(old), true) => format!("; what it was before is {old}, stopped"),
            (Some(old), false) => format!("; what it was before is {old}"),
            (None, _) => String::new(),
        };
        let outage = self.outage_seconds.map_or_else(String::new, |seconds| format!(" after {seconds:.0} s"));
        format!("{instance_id} is the restored database{outage}{old}")
    }
}

impl Results {
    /// Why what was restored may not take the database's place; `None` when it may. Nothing that is not proven does, unless
    /// nobody wanted a proof.
    pub fn unfit_for_swap(&self, request: &RestoreRequest) -> Option<String> {
        if request.swap.is_none() {
            return Some("no swap was asked for".to_owned());
        }
        let (Some(restore), Some(validation)) = (&self.restore, &self.validation) else {
            return Some("the database is not there and looked at".to_owned());
        };
        match validation.verdict {
            Verdict::Valid => {}
            Verdict::NotRun if !request.validation.enabled => {}
            verdict @ (Verdict::Invalid | Verdict::Inconclusive | Verdict::NotRun) => {
                return Some(format!("what was restored is {}", verdict.as_str()));
            }
        }
        (!restore.differences.is_empty())
            .then(|| format!("it is not as it was asked for: {}", restore.differences.join("; ")))
    }
}
