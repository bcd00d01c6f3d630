//! A replication: a backup that is there, copied to Regions that have no copy of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Phase, ReplicaResult, ReplicaStatus, Results};
use crate::ids::OperationId;
use crate::validation::Verdict;

/// The backup whose copies are asked for, as it was found before anything was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupFound {
    /// The operation that took it: its copies are called after it.
    pub operation_id: OperationId,
    /// What its validation said.
    pub verdict: Verdict,
    /// When its data is from, where RDS says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<Timestamp>,
}

impl Results {
    /// The end state of a replication: there is a copy in every Region, and its proof where one was wanted; in some; in none.
    pub(super) fn end_of_replication(&self) -> Phase {
        let replicas = self.replicas.as_deref().unwrap_or_default();
        let any = replicas.iter().any(|replica| replica.status == ReplicaStatus::Available);
        if self.failure.is_some() || !any {
            return Phase::Failed;
        }
        let nothing_left = self.leftovers.as_ref().is_some_and(Vec::is_empty);
        if replicas.iter().all(ReplicaResult::is_as_wanted) && nothing_left {
            Phase::Succeeded
        } else {
            Phase::Partial
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::NamedCause;
    use crate::ids::Region;
    use crate::operation::{Command, CopyValidation, Operation, transition};
    use crate::request::{Defaults, ReplicationRequest};

    fn backup() -> BackupFound {
        let operation_id = OperationId::parse("prod-db-r1-0123456789").unwrap();
        BackupFound { operation_id, verdict: Verdict::Valid, taken_at: None }
    }

    fn begun() -> Operation {
        let home = Region::parse("us-east-1").unwrap();
        let input =
            json!({"databaseId": "prod-db", "runId": "r1", "targetRegions": [{"region": "us-west-2"}]});
        let defaults = Defaults { region: home.clone(), target_regions: vec![] };
        let request = ReplicationRequest::parse(&input, "r1", &defaults).unwrap();
        let request = crate::operation::Request::from(request);
        let id = request.operation_id(&home);
        assert_ne!(id, OperationId::derive(&home, request.database_id(), request.run_id()));
        assert_ne!(id, OperationId::of_restore(&home, request.database_id(), request.run_id()));
        Operation::begin(id, request, "first".into(), Timestamp::UNIX_EPOCH)
    }

    fn advance(operation: &Operation, to: Phase, results: Results) -> crate::Result<Operation> {
        transition(operation, Command::Advance { to, results: Box::new(results) }, Timestamp::UNIX_EPOCH)
    }

    fn replica(status: ReplicaStatus, proof: Option<Verdict>) -> ReplicaResult {
        ReplicaResult {
            region: Region::parse("us-west-2").unwrap(),
            status,
            snapshot_arn: None,
            kms_key_id: None,
            error: None,
            seconds: None,
            validation: proof.map(|verdict| CopyValidation::ended(verdict, "said".into())),
        }
    }

    /// The operation, ended with these replicas.
    fn ended(replicas: Vec<ReplicaResult>, failure: Option<NamedCause>) -> Operation {
        let planned = Results { backup: Some(backup()), ..Results::default() };
        let copying = advance(&begun(), Phase::Replicating, planned).unwrap();
        let results = Results { replicas: Some(replicas), failure, ..Results::default() };
        let cleaning = advance(&copying, Phase::CleaningUp, results).unwrap();
        let results = Box::new(Results { leftovers: Some(vec![]), ..Results::default() });
        transition(&cleaning, Command::Finish { results }, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn it_plans_copies_and_ends() {
        let begun = begun();
        assert_eq!(begun.phase, Phase::Planning);
        for skipped in [Phase::Restoring, Phase::Validating, Phase::Snapshotting] {
            assert!(advance(&begun, skipped, Results::default()).is_err(), "{skipped:?}");
        }
        let ended = ended(vec![replica(ReplicaStatus::Available, None)], None);
        assert_eq!(ended.phase, Phase::Succeeded);
        let summary = ended.summary("bucket");
        assert_eq!(
            (&summary["type"], &summary["backup"]["verdict"]),
            (&json!("REPLICATION"), &json!("VALID"))
        );
        assert_eq!(summary["replicas"]["us-west-2"]["status"], "AVAILABLE");
        let details: Vec<&str> = ended.checkpoints.iter().map(|step| step.detail.as_str()).collect();
        let said = [
            "begun by first",
            "backup prod-db-r1-0123456789 is VALID",
            "1 of 1 copies there",
            "every copy is there",
        ];
        assert_eq!(details, said);
    }

    #[test]
    fn what_is_missing_counts_against_it() {
        use ReplicaStatus::{Available, Failed};
        let named = NamedCause { name: "Holdfast.CopyFailed".into(), cause: "no".into() };
        for (replicas, failure, phase) in [
            (vec![replica(Available, Some(Verdict::Valid))], None, Phase::Succeeded),
            (vec![replica(Available, Some(Verdict::Inconclusive))], None, Phase::Partial),
            (vec![replica(Available, None), replica(Failed, None)], None, Phase::Partial),
            (vec![replica(Failed, None)], None, Phase::Failed),
            (vec![], None, Phase::Failed),
            (vec![replica(Available, None)], Some(named), Phase::Failed),
        ] {
            assert_eq!(ended(replicas.clone(), failure).phase, phase, "{replicas:?}");
        }
        // A proof that left its instance behind: every copy is there, and something that should not be.
        let mut proven = replica(Available, Some(Verdict::Valid));
        proven.validation.as_mut().unwrap().leftovers = vec!["hfv-x".into()];
        assert_eq!(ended(vec![proven], None).phase, Phase::Partial);
        // A copy that did not end well may still be there, under the name of the backup.
        let left =
            ended(vec![replica(Available, None), replica(Failed, None)], None).results.leftovers.unwrap();
        assert!(left[0].contains("holdfast-prod-db-r1-0123456789 in us-west-2"), "{left:?}");
    }
}
