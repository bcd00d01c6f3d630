//! Phases only go forward, ends never change, and nothing unproven takes a place.

use super::*;
use crate::health::NamedCause;
use crate::request::Defaults;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn operation() -> Operation {
    let defaults = Defaults { region: Region::parse("us-east-1").unwrap(), target_regions: vec![] };
    let request = BackupRequest::parse(&json!({"databaseId": "prod-db"}), "r1", &defaults).unwrap();
    let id = OperationId::derive(&defaults.region, &request.database_id, &request.run_id);
    Operation::begin(id, request.into(), "execution-1".into(), at(0))
}

fn advance(current: &Operation, to: Phase, results: Results) -> Result<Operation> {
    transition(current, Command::Advance { to, results: Box::new(results) }, at(5))
}

fn finish(current: &Operation, results: Results) -> Result<Operation> {
    transition(current, Command::Finish { results: Box::new(results) }, at(9))
}

fn good() -> Results {
    Results {
        snapshot: Some(SnapshotResult {
            id: "holdfast-x".into(),
            arn: "arn".into(),
            region: Region::parse("us-east-1").unwrap(),
            size_gib: 20,
            encrypted: true,
            created_at: None,
        }),
        validation: Some(ValidationResult { verdict: Verdict::Valid, ..ValidationResult::not_run() }),
        replicas: Some(vec![]),
        leftovers: Some(vec![]),
        ..Results::default()
    }
}

fn restore(input: Value) -> Operation {
    let home = Region::parse("us-east-1").unwrap();
    let request: Request = RestoreRequest::parse(&input, "r1", &home).unwrap().into();
    Operation::begin(request.operation_id(&home), request, "execution-1".into(), at(0))
}

#[test]
fn an_end_state_never_changes() {
    let mut ended = operation();
    for end in [Phase::Succeeded, Phase::Partial, Phase::Failed] {
        ended.phase = end;
        for to in Phase::ALL {
            let error = advance(&ended, to, Results::default()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::OperationEnded);
        }
        assert_eq!(finish(&ended, good()).unwrap_err().kind, ErrorKind::OperationEnded);
        let takeover = transition(&ended, Command::TakeOver { owner: "x".into() }, at(1));
        assert_eq!(takeover.unwrap_err().kind, ErrorKind::OperationEnded);
    }
}

#[test]
fn phases_only_go_forward() {
    let backup = [Phase::HealthChecking, Phase::Snapshotting, Phase::Validating, Phase::Replicating];
    let restored = [Phase::Planning, Phase::Restoring, Phase::Validating];
    let no_swap = |from, to| from != Phase::Swapping && to != Phase::Swapping && to != Phase::UndoingSwap;
    for (begun, way) in
        [(operation(), &backup[..]), (restore(json!({"databaseId": "prod-db"})), &restored[..])]
    {
        assert_eq!(begun.phase, way[0]);
        for from in Phase::ALL {
            for to in Phase::ALL.into_iter().filter(|to| no_swap(from, *to)) {
                let current = Operation { phase: from, ..begun.clone() };
                let allowed = advance(&current, to, Results::default()).is_ok();
                let forward_by_one = way.windows(2).any(|pair| pair == [from, to]);
                let to_clean_up = to == Phase::CleaningUp && from != Phase::CleaningUp && !from.is_end();
                assert_eq!(allowed, forward_by_one || to_clean_up, "{from:?} -> {to:?}");
            }
        }
    }
}

/// A restore that is to be swapped in, with what came of it so far.
fn swapping(input: Value, change: fn(&mut Results)) -> Operation {
    let mut operation = restore(input);
    operation.phase = Phase::Validating;
    operation.results = restore::tests::good();
    change(&mut operation.results);
    operation
}

#[test]
fn only_what_is_proven_and_as_asked_for_takes_the_place_of_another() {
    let asked = json!({"databaseId": "prod-db", "swap": true});
    let unproven = json!({"databaseId": "prod-db", "swap": true, "validation": {"enabled": false}});
    let to_swap = |input: &Value, change: fn(&mut Results)| {
        advance(&swapping(input.clone(), change), Phase::Swapping, Results::default())
    };
    assert_eq!(to_swap(&asked, |_| {}).unwrap().phase, Phase::Swapping);
    let set: [fn(&mut Results); 5] = [
        |results| results.validation.as_mut().unwrap().verdict = Verdict::Invalid,
        |results| results.validation.as_mut().unwrap().verdict = Verdict::Inconclusive,
        |results| results.validation.as_mut().unwrap().verdict = Verdict::NotRun,
        |results| results.validation = None,
        |results| results.restore.as_mut().unwrap().differences.push("Multi-AZ: off; asked for: on".into()),
    ];
    for change in set {
        let error = to_swap(&asked, change).unwrap_err();
        assert_eq!(error.kind, ErrorKind::IllegalTransition, "{error}");
    }
    // Nobody wanted a proof: that is said in the input.
    assert!(to_swap(&unproven, set[2]).is_ok());
    assert!(to_swap(&json!({"databaseId": "prod-db"}), |_| {}).is_err());
}

#[test]
fn half_a_swap_is_ended_or_undone() {
    let asked = json!({"databaseId": "prod-db", "swap": true});
    let current = Operation { phase: Phase::Swapping, ..swapping(asked, |_| {}) };
    let error = advance(&current, Phase::CleaningUp, Results::default()).unwrap_err();
    assert!(error.message.contains("the swap has not ended"), "{error}");
    let swapped = SwapResult {
        instance_id: "prod-db".into(),
        endpoint: None,
        old_id: Some("prod-db-old-0123456789".into()),
        old_stopped: false,
        outage_seconds: Some(60.0),
        lost_seconds: None,
        repointed: vec![],
        smoke_checks: vec![],
        undone: false,
    };
    let results = || Results { swap: Some(swapped.clone()), ..Results::default() };
    let ended = advance(&current, Phase::CleaningUp, results()).unwrap();
    assert_eq!(
        finish(&ended, Results { leftovers: Some(vec![]), ..Results::default() }).unwrap().phase,
        Phase::Succeeded
    );
    // The old one runs though it was to be stopped: that is not what was asked for.
    let mut unstopped = ended.clone();
    unstopped.results.plan.as_mut().unwrap().swap = Some(SwapPlan {
        old: Some(OldInstance {
            resource_id: "db-A".into(),
            aside_id: DatabaseId::parse("prod-db-old-0123456789").unwrap(),
        }),
        after: crate::request::AfterSwap::Stop,
        record: None,
        secret: None,
    });
    assert_eq!(finish(&unstopped, Results::default()).unwrap().phase, Phase::Partial);
    // Undone it has failed, and the first reason stands; unless it could not be undone.
    let cause = |name: &str, cause: &str| Some(NamedCause { name: name.into(), cause: cause.into() });
    let failure = cause("Holdfast.SmokeCheckFailed", "503");
    let undoing = advance(&current, Phase::UndoingSwap, Results { failure, ..Results::default() }).unwrap();
    assert!(advance(&undoing, Phase::Swapping, Results::default()).is_err());
    let undone = advance(&undoing, Phase::CleaningUp, results()).unwrap();
    assert_eq!(undone.results.failure.as_ref().unwrap().name, "Holdfast.SmokeCheckFailed");
    assert_eq!(finish(&undone, Results::default()).unwrap().phase, Phase::Failed);
    let failure = cause("Holdfast.SwapNotUndone", "it is nowhere");
    let stuck = advance(&undoing, Phase::CleaningUp, Results { failure, ..Results::default() }).unwrap();
    let failure = stuck.results.failure.unwrap();
    assert_eq!(failure.name, "Holdfast.SwapNotUndone");
    assert!(
        failure
            .cause
            .contains("it is nowhere; it was to be undone because of Holdfast.SmokeCheckFailed: 503")
    );
}

#[test]
fn each_step_counts_a_version_and_appends_a_checkpoint() {
    let first = operation();
    let second = advance(&first, Phase::Snapshotting, Results::default()).unwrap();
    assert_eq!(second.version, first.version + 1);
    assert_eq!(second.checkpoints.len(), 2);
    assert_eq!(second.checkpoints[0], first.checkpoints[0]);
}

#[test]
fn success_needs_every_part() {
    let end = |change: fn(&mut Results)| {
        let mut results = good();
        change(&mut results);
        let mut current = operation();
        current.phase = Phase::CleaningUp;
        finish(&current, results).unwrap().phase
    };
    assert_eq!(end(|_| {}), Phase::Succeeded);
    assert_eq!(end(|r| r.snapshot = None), Phase::Failed);
    assert_eq!(end(|r| r.validation = None), Phase::Failed);
    assert_eq!(end(|r| r.validation.as_mut().unwrap().verdict = Verdict::Inconclusive), Phase::Failed);
    assert_eq!(end(|r| r.validation.as_mut().unwrap().verdict = Verdict::Invalid), Phase::Failed);
    assert_eq!(end(|r| r.replicas = None), Phase::Partial);
    assert_eq!(end(|r| r.leftovers = None), Phase::Partial);
    assert_eq!(end(|r| r.leftovers = Some(vec!["hfv-x".into()])), Phase::Partial);
    assert_eq!(
        end(|r| r.failure = Some(NamedCause { name: "Holdfast.X".into(), cause: "y".into() })),
        Phase::Failed
    );
    assert_eq!(end(|r| r.replicas = Some(vec![replica(ReplicaStatus::Failed, None)])), Phase::Partial);
    for (verdict, phase) in [
        (Verdict::Valid, Phase::Succeeded),
        (Verdict::Invalid, Phase::Partial),
        (Verdict::Inconclusive, Phase::Partial),
        (Verdict::NotRun, Phase::Partial),
    ] {
        let mut current = operation();
        current.phase = Phase::CleaningUp;
        let replicas = Some(vec![replica(ReplicaStatus::Available, Some(verdict))]);
        let ended = finish(&current, Results { replicas, ..good() }).unwrap();
        assert_eq!(ended.phase, phase, "{verdict:?}");
        if phase == Phase::Partial {
            let detail = &ended.checkpoints.last().unwrap().detail;
            assert_eq!(detail, &format!("the copy in us-west-2 is {}", verdict.as_str()));
        }
    }
}

fn replica(status: ReplicaStatus, verdict: Option<Verdict>) -> ReplicaResult {
    ReplicaResult {
        region: Region::parse("us-west-2").unwrap(),
        status,
        snapshot_arn: None,
        kms_key_id: None,
        error: None,
        seconds: None,
        validation: verdict.map(|verdict| CopyValidation::ended(verdict, "a reason".into())),
    }
}

#[test]
fn what_a_restored_copy_left_behind_is_named_with_its_region() {
    let mut left = replica(ReplicaStatus::Available, Some(Verdict::Valid));
    left.validation.as_mut().unwrap().leftovers = vec!["instance hfv-x (deleting)".into()];
    let mut current = operation();
    current.phase = Phase::CleaningUp;
    let ended = finish(&current, Results { replicas: Some(vec![left]), ..good() }).unwrap();
    assert_eq!(ended.phase, Phase::Partial);
    assert_eq!(ended.results.leftovers.unwrap(), ["instance hfv-x (deleting) in us-west-2"]);
}

#[test]
fn the_first_failure_is_the_one_recorded() {
    let cause = |name: &str| Some(NamedCause { name: name.into(), cause: String::new() });
    let first = advance(
        &operation(),
        Phase::CleaningUp,
        Results { failure: cause("Holdfast.SnapshotFailed"), ..Results::default() },
    )
    .unwrap();
    let last = finish(&first, Results { failure: cause("Holdfast.CleanUpIncomplete"), ..Results::default() })
        .unwrap();
    assert_eq!(last.results.failure.unwrap().name, "Holdfast.SnapshotFailed");
}
