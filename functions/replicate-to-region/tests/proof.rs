//! `replicate-to-region` with a copy that is there: what lies beside it, and what is known of it.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use holdfast_core::answer::Answer;
use holdfast_core::ids::Region;
use holdfast_core::operation::{CopyValidation, ReplicaResult, ReplicaStatus, ValidationResult};
use holdfast_core::ports::Execution;
use holdfast_core::request::{TargetRegion, ValidationRequest};
use holdfast_core::validation::Verdict;
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::{home, operation, region, request, snapshot, snapshot_result, tags_of};
use holdfast_fakes::{Call, FakeDocuments, FakeRds, FakeRegionStack, Trouble};
use replicate_to_region::{Carry, Input, Output, Ports, handle};
use serde_json::{Value, json};

struct World {
    rds: FakeRds,
    documents: FakeDocuments,
    regions: FakeRegionStack,
    share: f64,
    verdict: Verdict,
}

fn west() -> Region {
    region("us-west-2")
}

fn key() -> String {
    operation().manifest_key()
}

impl World {
    /// A proven snapshot, its complete copy in us-west-2, and an input that wants `share` of the copies proven.
    fn with_copy(share: f64) -> Self {
        let rds = FakeRds::default();
        for region in [home(), west()] {
            rds.lay_snapshot(snapshot(&region, &operation().snapshot_id(), tags_of(operation().as_str())));
        }
        let documents = FakeDocuments::default();
        documents.lay(&key(), json!({"what": "it holds"}));
        World { rds, documents, regions: FakeRegionStack::default(), share, verdict: Verdict::Valid }
    }

    async fn ask(&self, poll: u32, carry: Option<Carry>) -> Result<Answer<Output>> {
        let input = Input {
            operation_id: operation(),
            request: request(
                json!({"validation": {"copyShare": self.share, "chunkMib": 64}, "deadlineMinutes": 90}),
            ),
            snapshot: snapshot_result(),
            verdict: self.verdict,
            target: TargetRegion { region: west(), kms_key_id: "alias/holdfast".into() },
            poll,
            elapsed_seconds: 12.5 * f64::from(poll),
            carry,
        };
        let ports = Ports { rds: &self.rds, documents: &self.documents, regions: &self.regions };
        handle(&ports, input).await
    }

    /// Up to the proof's start.
    async fn begun(&self) -> Carry {
        carried(self.ask(1, None).await.unwrap())
    }

    /// The end of a proof that goes on to `state`.
    async fn ended(&self, state: Option<Execution>) -> ReplicaResult {
        let carry = self.begun().await;
        self.regions.goes_on(state);
        replica(self.ask(2, Some(carry)).await.unwrap())
    }
}

fn carried(answer: Answer<Output>) -> Carry {
    match answer {
        Answer::Waiting { carry: Some(carry), .. } => serde_json::from_value(carry).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn replica(answer: Answer<Output>) -> ReplicaResult {
    match answer {
        Answer::Final { result, .. } => result.replica,
        waiting @ Answer::Waiting { .. } => panic!("{waiting:?}"),
    }
}

fn output(operation: &str) -> Value {
    let found = ValidationResult {
        verdict: Verdict::Valid,
        restore_seconds: Some(7.5),
        tables: 3,
        rows: 100,
        ..ValidationResult::not_run()
    };
    json!({"operationId": operation, "validation": found, "leftovers": ["instance hfv-x (deleting)"], "apiCalls": 9})
}

#[tokio::test]
async fn what_a_copy_must_equal_lies_beside_it_whether_it_is_proven_now_or_not() {
    for share in [0.0, 1.0] {
        // GIVEN a copy that is there, WHEN it is looked at
        let world = World::with_copy(share);
        world.ask(1, None).await.unwrap();
        // THEN the manifest is in the bucket of its Region
        assert_eq!(
            world.regions.document(&west(), &key()),
            Some(json!({"what": "it holds"})),
            "share {share}"
        );
    }
}

#[tokio::test]
async fn a_copy_that_the_share_does_not_choose_is_there_and_not_proven() {
    // GIVEN an input that wants no copy proven, WHEN the copy is there
    let world = World::with_copy(0.0);
    let found = replica(world.ask(1, None).await.unwrap());
    // THEN that is all that is said of it, and nothing was started
    assert_eq!((found.status, found.validation), (ReplicaStatus::Available, None));
    assert!(world.regions.started().is_empty());
}

#[tokio::test]
async fn a_copy_of_what_nobody_proved_has_nothing_to_equal() {
    // GIVEN a backup that was not validated, WHEN its copy is there
    let world = World { verdict: Verdict::NotRun, ..World::with_copy(0.0) };
    world.documents.lose(&key());
    let found = replica(world.ask(1, None).await.unwrap());
    // THEN it is there, and nothing lies beside it
    assert_eq!((found.status, found.validation), (ReplicaStatus::Available, None));
    assert_eq!(world.regions.document(&west(), &key()), None);
}

#[tokio::test]
async fn a_chosen_copy_is_proven_where_it_lies() {
    // GIVEN an input that wants every copy proven, WHEN the copy is there
    let world = World::with_copy(1.0);
    let carry = world.begun().await;
    // THEN the workflow of that Region is asked, in words that it understands, to check as the backup was checked
    let (execution, input) = world.regions.started().remove(0);
    assert_eq!(carry.execution, execution);
    assert!(execution.ends_with(&format!(":{}", operation())), "{execution}");
    let asked = ValidationRequest::parse(&input, "unused").unwrap();
    assert_eq!((asked.backup, asked.validation.chunk_mib, asked.deadline_minutes), (operation(), 64, 90.0));
    // AND as long as it runs, the answer is to wait, and the copy is not forgotten
    let again = carried(world.ask(2, Some(carry.clone())).await.unwrap());
    assert_eq!(again, carry);
    assert_eq!(again.replica.status, ReplicaStatus::Available);
    // AND when it has ended, the copy says what it found, and what it left; the copy took as long as the copy took
    world.regions.goes_on(Some(Execution::Succeeded(output(operation().as_str()))));
    let found = replica(world.ask(3, Some(again)).await.unwrap());
    let expected = CopyValidation {
        verdict: Verdict::Valid,
        issues: vec![],
        restore_seconds: Some(7.5),
        tables: 3,
        rows: 100,
        execution: Some(execution),
        leftovers: vec!["instance hfv-x (deleting)".into()],
    };
    assert_eq!((found.status, found.validation), (ReplicaStatus::Available, Some(expected)));
    assert_eq!(found.seconds, Some(12.5));
}

#[tokio::test]
async fn a_second_attempt_follows_the_proof_of_the_first() {
    // GIVEN a proof that runs, and one of which the answer got lost
    for lost in [false, true] {
        let world = World::with_copy(1.0);
        if lost {
            world.regions.troubles.once(Call::StartValidation, Trouble::AnswerLost);
            assert_eq!(world.ask(1, None).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
        } else {
            world.begun().await;
        }
        // WHEN another execution takes over, which knows of nothing
        let carry = world.begun().await;
        // THEN it follows that one, and there is no second
        assert_eq!(world.regions.started().len(), 1);
        assert_eq!(world.regions.started()[0].0, carry.execution);
    }
}

#[tokio::test]
async fn only_an_equal_copy_is_valid() {
    let failed = |name: &str| {
        Some(Execution::Failed {
            name: name.to_owned(),
            cause: "content of shop failed: 3 rows fewer".to_owned(),
        })
    };
    for (state, verdict, said) in [
        (failed("Holdfast.ValidationFailed"), Verdict::Invalid, "content of shop failed: 3 rows fewer"),
        (failed("Holdfast.ValidationInconclusive"), Verdict::Inconclusive, "content of shop failed"),
        (failed("Holdfast.DeadlineExceeded"), Verdict::Inconclusive, "Holdfast.DeadlineExceeded: content"),
        (failed("ABORTED"), Verdict::Inconclusive, "ABORTED: "),
        (None, Verdict::Inconclusive, "not known any more"),
        (Some(Execution::Succeeded(json!({"surprise": 1}))), Verdict::Inconclusive, "cannot be read"),
        (
            Some(Execution::Succeeded(output("other-db-r1-0123456789"))),
            Verdict::Inconclusive,
            "other-db-r1-0123456789",
        ),
    ] {
        // GIVEN a proof that ends like this, WHEN it is looked at
        let found = World::with_copy(1.0).ended(state.clone()).await;
        // THEN the copy is there, and is called what it is
        let validation = found.validation.unwrap();
        assert_eq!((found.status, validation.verdict), (ReplicaStatus::Available, verdict), "{state:?}");
        assert!(validation.issues[0].contains(said), "{state:?}: {:?}", validation.issues);
    }
}

#[tokio::test]
async fn a_region_that_cannot_prove_still_has_its_copy() {
    for call in [Call::PutRegionDocument, Call::StartValidation, Call::Execution] {
        // GIVEN a Region without what infra/region.yaml deploys, or that lets us not use it
        let world = World::with_copy(1.0);
        world.regions.troubles.once(call, Trouble::refused(ErrorKind::AccessDenied));
        // WHEN the copy is there
        let found = match world.ask(1, None).await.unwrap() {
            Answer::Final { result, .. } => result.replica,
            waiting @ Answer::Waiting { .. } => replica(world.ask(2, Some(carried(waiting))).await.unwrap()),
        };
        // THEN it is there and not proven, and the reason says what to do
        let validation = found.validation.unwrap();
        assert_eq!(
            (found.status, validation.verdict),
            (ReplicaStatus::Available, Verdict::Inconclusive),
            "{call:?}"
        );
        assert!(validation.issues[0].contains("infra/region.yaml"), "{call:?}: {:?}", validation.issues);
        // AND what clears by itself is left to the state machine's retries
        let world = World::with_copy(1.0);
        world.regions.troubles.once(call, Trouble::refused(ErrorKind::Throttled));
        let first = world.ask(1, None).await;
        let error = match first {
            Ok(waiting) => world.ask(2, Some(carried(waiting))).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, ErrorKind::Throttled, "{call:?}");
    }
}

#[tokio::test]
async fn a_manifest_that_is_gone_is_said() {
    // GIVEN a VALID backup whose manifest somebody deleted
    let world = World::with_copy(1.0);
    world.documents.lose(&key());
    // WHEN its copy is there, THEN it is not proven, and nothing is started for it
    let validation = replica(world.ask(1, None).await.unwrap()).validation.unwrap();
    assert_eq!(validation.verdict, Verdict::Inconclusive);
    assert!(validation.issues[0].contains(&key()), "{:?}", validation.issues);
    assert!(world.regions.started().is_empty());
}
