//! What a restore planned, what it came to, and the end state it amounts to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Phase, Results, SwapPlan};
use crate::blueprint::Wanted;
use crate::ids::{DatabaseId, OperationId, Region};
use crate::rds::Endpoint;
use crate::request::{AfterSwap, Login, RestoreRequest};
use crate::validation::Verdict;

/// What the data is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RecoveryPoint {
    /// A manual snapshot, or a copy of one.
    Snapshot {
        /// Its identifier.
        id: String,
        /// The operation that made it, when one of Holdfast's did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        backup: Option<OperationId>,
        /// What was found when it was validated; `None` when nobody did.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        verdict: Option<Verdict>,
        /// When the data is from.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        taken_at: Option<Timestamp>,
    },
    /// Automated backups and the log.
    PointInTime {
        /// `DbiResourceId` of the instance, which may be gone.
        resource_id: String,
        /// The time asked for; `None` is the latest that can be had.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        time: Option<Timestamp>,
        /// The latest time that could be had when this was planned.
        latest: Timestamp,
    },
}

impl RecoveryPoint {
    /// The time whose data comes back, as far as it is known.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            RecoveryPoint::Snapshot { taken_at, .. } => *taken_at,
            RecoveryPoint::PointInTime { time, latest, .. } => Some(time.unwrap_or(*latest)),
        }
    }
}

/// What is not in what comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Everything written after this time.
    pub since: Timestamp,
    /// Seconds from then until this was planned.
    pub seconds: f64,
}

/// A backup that was found VALID and has newer data than what is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewerBackup {
    /// The snapshot.
    pub id: String,
    /// When its data is from.
    pub taken_at: Timestamp,
}

/// A log that reaches further than the snapshot that is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FurtherLog {
    /// `DbiResourceId` of the instance that it is the log of.
    pub resource_id: String,
    /// How far it reaches.
    pub latest: Timestamp,
}

/// Something that the new instance refers to and that has to be there first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `subnet group`, `parameter group`, ...
    pub what: String,
    /// Its name or id.
    pub name: String,
    /// Why it cannot be used and what to do; `None` when it can.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// Why nobody could look, where a restore goes on without: IAM answers for every Region from one, which may be the lost one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unseen: Option<String>,
}

impl Reference {
    /// One that was looked up.
    pub fn new(what: impl Into<String>, name: impl Into<String>, problem: Option<String>) -> Self {
        Reference { what: what.into(), name: name.into(), problem, unseen: None }
    }
}

/// What is about to be restored, decided before anything is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePlan {
    /// The Region.
    pub region: Region,
    /// What the data is taken from.
    pub recovery_point: RecoveryPoint,
    /// A proven backup of newer data, where the latest that the log has is older than that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newer: Option<NewerBackup>,
    /// A log that reaches further, where the newest snapshot is restored and nobody named a time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub further: Option<FurtherLog>,
    /// Why a restore would be refused the name now, when this only verifies: the database may be there on a quiet day.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name_taken: Option<String>,
    /// What is not in it; `None` when its time is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost: Option<Lost>,
    /// The instance that is made.
    pub target_id: DatabaseId,
    /// What it is to be like.
    pub wanted: Wanted,
    /// Where the settings that nobody asked for come from: `the source`, or a backup's operation id.
    pub blueprint_of: String,
    /// Everything it refers to, each proven to be there.
    pub references: Vec<Reference>,
    /// How it is logged in to for its validation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login: Option<Login>,
    /// Why what comes back could not be proven, when that can be said before anything is made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unproven: Option<String>,
    /// What is there before the swap, when one was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub swap: Option<SwapPlan>,
}

impl RestorePlan {
    /// One sentence.
    pub fn describe(&self) -> String {
        let point = match &self.recovery_point {
            RecoveryPoint::Snapshot { id, verdict, .. } => {
                format!("snapshot {id} ({})", verdict.map_or("never validated", Verdict::as_str))
            }
            RecoveryPoint::PointInTime { time: Some(time), .. } => format!("the log up to {time}"),
            RecoveryPoint::PointInTime { time: None, latest, .. } => {
                format!("the log up to {latest} or later")
            }
        };
        let there = self.references.iter().filter(|reference| reference.unseen.is_none()).count();
        format!("{} from {point}; {there} references are there", self.target_id)
    }
}

/// Measured times of a restore: an RTO that was reached, not one that was promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTimings {
    /// When RDS was asked.
    pub requested_at: Timestamp,
    /// Seconds until the instance was available.
    pub available_seconds: f64,
    /// Seconds until it was all that was asked for, too.
    pub settled_seconds: f64,
}

/// The database that came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreResult {
    /// Its identifier.
    pub instance_id: String,
    /// Its ARN.
    pub arn: String,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Its class.
    pub class: String,
    /// What is not as it was asked for, a sentence each.
    pub differences: Vec<String>,
    /// How long it took.
    pub timings: RestoreTimings,
}

impl RestoreResult {
    /// One sentence.
    pub fn describe(&self) -> String {
        let seconds = self.timings.settled_seconds;
        match &self.differences[..] {
            [] => format!("{} is there after {seconds:.0} s", self.instance_id),
            differences => {
                format!("{} is there after {seconds:.0} s, but {}", self.instance_id, differences.join("; "))
            }
        }
    }
}

impl Results {
    /// Whether the old instance of a swap is stopped where it is to be.
    fn is_old_as_wanted(&self) -> bool {
        let planned = self.plan.as_ref().and_then(|plan| plan.swap.as_ref());
        let stop = planned.is_some_and(|swap| swap.old.is_some() && swap.after == AfterSwap::Stop);
        !stop || self.swap.as_ref().is_some_and(|swap| swap.old_stopped)
    }

    /// The database is there and proven, or that was not wanted; or it was only asked whether it could be.
    pub(super) fn end_of_restore(&self, request: &RestoreRequest) -> Phase {
        if self.failure.is_some() || self.plan.is_none() {
            return Phase::Failed;
        }
        if request.verify_only {
            return Phase::Succeeded;
        }
        let (Some(restore), Some(validation)) = (&self.restore, &self.validation) else {
            return Phase::Failed;
        };
        match validation.verdict {
            Verdict::Invalid => Phase::Failed,
            // It is there and has no place.
            _ if request.swap.is_some() && self.swap.is_none() => Phase::Partial,
            Verdict::Valid | Verdict::NotRun if restore.differences.is_empty() && self.is_old_as_wanted() => {
                Phase::Succeeded
            }
            Verdict::Valid | Verdict::NotRun | Verdict::Inconclusive => Phase::Partial,
        }
    }

    /// How it ended, in a sentence, when it did not fail early.
    pub(super) fn restored_detail(&self, request: &RestoreRequest) -> String {
        if request.verify_only {
            return "the recovery point and everything it refers to are there; nothing was made".to_owned();
        }
        let restored = self.restore.as_ref().map_or_else(|| "nothing".to_owned(), RestoreResult::describe);
        let database = match (&self.swap, self.unfit_for_swap(request)) {
            (Some(swap), _) => swap.describe(),
            (None, Some(why)) if request.swap.is_some() => {
                format!("{restored}, and was not swapped in: {why}")
            }
            (None, _) => restored,
        };
        match self.validation.as_ref().map(|validation| validation.verdict) {
            Some(Verdict::Valid) => format!("{database}; what it holds is proven"),
            Some(Verdict::NotRun) => format!("{database}; nobody wanted a proof"),
            Some(Verdict::Invalid) => format!("{database}; what it holds is wrong"),
            Some(Verdict::Inconclusive) | None => format!("{database}; what it holds is not proven"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::blueprint::tests::blueprint;
    use crate::health::NamedCause;
    use crate::operation::ValidationResult;
    use crate::request::RestoreOptions;
    use crate::tags::Tags;

    fn request(input: serde_json::Value) -> RestoreRequest {
        RestoreRequest::parse(&input, "r1", &Region::parse("us-east-1").unwrap()).unwrap()
    }

    pub(crate) fn good() -> Results {
        let time = "2026-11-20T06:00:00Z".parse().unwrap();
        let plan = RestorePlan {
            region: Region::parse("us-east-1").unwrap(),
            recovery_point: RecoveryPoint::PointInTime {
                resource_id: "db-A".into(),
                time: None,
                latest: time,
            },
            newer: None,
            further: None,
            name_taken: None,
            lost: Some(Lost { since: time, seconds: 5.0 }),
            target_id: DatabaseId::parse("prod-db").unwrap(),
            wanted: blueprint().wanted(&RestoreOptions::default(), &Tags::new()),
            blueprint_of: "the source".into(),
            references: vec![],
            login: None,
            unproven: None,
            swap: None,
        };
        let restore = RestoreResult {
            instance_id: "prod-db".into(),
            arn: "arn".into(),
            endpoint: Endpoint { host: "localhost".into(), port: 5432 },
            class: "db.m6g.large".into(),
            differences: vec![],
            timings: RestoreTimings { requested_at: time, available_seconds: 300.0, settled_seconds: 400.0 },
        };
        Results {
            plan: Some(Box::new(plan)),
            restore: Some(restore),
            validation: Some(ValidationResult { verdict: Verdict::Valid, ..ValidationResult::not_run() }),
            leftovers: Some(vec![]),
            ..Results::default()
        }
    }

    #[test]
    fn a_restore_is_a_success_when_the_database_is_there_as_asked_and_proven() {
        let asked = request(json!({"databaseId": "prod-db"}));
        let end = |change: fn(&mut Results)| {
            let mut results = good();
            change(&mut results);
            results.end_of_restore(&asked)
        };
        let verdict = |results: &mut Results, verdict| results.validation.as_mut().unwrap().verdict = verdict;
        assert_eq!(end(|_| {}), Phase::Succeeded);
        let mut not_wanted = good();
        verdict(&mut not_wanted, Verdict::NotRun);
        assert_eq!(not_wanted.end_of_restore(&asked), Phase::Succeeded);
        assert_eq!(end(|results| results.plan = None), Phase::Failed);
        assert_eq!(end(|results| results.restore = None), Phase::Failed);
        assert_eq!(end(|results| results.validation = None), Phase::Failed);
        let failure =
            Some(NamedCause { name: "Holdfast.RestoreFailed".into(), cause: "storage-full".into() });
        let failed = Results { failure, ..good() };
        assert_eq!(failed.end_of_restore(&asked), Phase::Failed);
        for (found, end) in [(Verdict::Invalid, Phase::Failed), (Verdict::Inconclusive, Phase::Partial)] {
            let mut results = good();
            verdict(&mut results, found);
            assert_eq!(results.end_of_restore(&asked), end, "{found:?}");
        }
        let other = |results: &mut Results| {
            results.restore.as_mut().unwrap().differences.push("Multi-AZ: off; asked for: on".into());
        };
        assert_eq!(end(other), Phase::Partial);
    }

    #[test]
    fn to_know_that_it_could_be_is_all_that_a_verification_wants() {
        let asked = request(json!({"databaseId": "prod-db", "verifyOnly": true}));
        let planned = Results { restore: None, validation: None, ..good() };
        assert_eq!(planned.end_of_restore(&asked), Phase::Succeeded);
        assert!(planned.restored_detail(&asked).contains("nothing was made"));
        assert_eq!(Results::default().end_of_restore(&asked), Phase::Failed);
    }
}
