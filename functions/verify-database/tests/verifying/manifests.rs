//! What the data is held against.

use holdfast_core::ErrorKind;
use holdfast_core::operation::RecoveryPoint;
use holdfast_core::validation::{CheckResult, Verdict};
use holdfast_fakes::sample::at;
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::server::{check, manifest};
use crate::support::{World, backup, operation, snapshot};

#[tokio::test]
async fn what_came_from_a_proven_backup_must_equal_it() {
    // GIVEN a database with every row of a backup that was found VALID, WHEN it is verified
    let world = World::restored();
    let found = world.verdict().await;
    // THEN it is proven to be the backup, with all its numbers, and everything is kept
    assert_eq!((found.verdict, found.tables, found.rows), (Verdict::Valid, 1, 100));
    assert!(found.checks.iter().any(|check| check.name == "against-manifest"));
    assert_eq!((found.restore_seconds, found.databases), (Some(400.0), vec!["shop".to_owned()]));
    assert_eq!(found.not_checked, []);
    let kept = world.kept().unwrap();
    assert_eq!((&kept["verdict"], &kept["instanceClass"]), (&json!("VALID"), &json!("db.r6g.large")));
    // AND nothing but what belongs to this restore was written
    let prefix = format!("validations/{}", operation());
    let written = world.documents.keys_now("");
    assert!(
        written.iter().all(|key| key.starts_with(&prefix) || *key == backup().manifest_key()),
        "{written:?}"
    );
}

#[tokio::test]
async fn a_row_less_than_the_backup_is_invalid() {
    let world = World::restored();
    world.server.set(|server| server.rows = 99);
    let found = world.verdict().await;
    assert_eq!(found.verdict, Verdict::Invalid);
    assert!(found.issues[0].contains("against-manifest"), "{:?}", found.issues);
}

#[tokio::test]
async fn without_the_manifest_that_it_must_equal_nothing_is_proven() {
    for (document, said) in
        [(None, "there is no manifests/"), (Some(json!({"algorithm": 5})), "cannot be read")]
    {
        // GIVEN the manifest of a proven backup that is gone, or is none
        let world = World::restored();
        match document {
            Some(document) => world.documents.lay(&backup().manifest_key(), document),
            None => world.documents.lose(&backup().manifest_key()),
        }
        // WHEN it is verified, THEN it is not taken for proven, and the reason names it
        let found = world.verdict().await;
        assert_eq!(found.verdict, Verdict::Inconclusive, "{said}");
        let reason = found.checks[0].reason.as_deref().unwrap();
        assert!(reason.contains(said) && reason.contains(&backup().manifest_key()), "{reason}");
    }
    // GIVEN a bucket that does not answer, THEN nothing is decided
    let world = World::restored();
    let trouble = Trouble::refused(ErrorKind::ServiceUnavailable);
    world.documents.troubles.once_for(Call::GetDocument, &backup().manifest_key(), trouble);
    assert_eq!(world.ask(1, &Value::Null).await.unwrap_err().kind, ErrorKind::ServiceUnavailable);
    assert_eq!(world.kept(), None);
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
}

#[tokio::test]
async fn what_was_never_proven_is_held_against_nothing_and_that_is_said() {
    let by_hand =
        RecoveryPoint::Snapshot { id: "nightly".into(), backup: None, verdict: None, taken_at: Some(at(0)) };
    let in_time = RecoveryPoint::PointInTime { resource_id: "db-LOG".into(), time: None, latest: at(900) };
    for (point, reason) in [
        (snapshot(None), "never found VALID"),
        (snapshot(Some(Verdict::Invalid)), "never found VALID"),
        (snapshot(Some(Verdict::Inconclusive)), "never found VALID"),
        (snapshot(Some(Verdict::NotRun)), "never found VALID"),
        (by_hand, "never found VALID"),
        (in_time, "a point in time was never read before"),
    ] {
        // GIVEN a manifest of other rows that lies there all the same
        let world = World { point: point.clone(), ..World::restored() };
        world.documents.lay(&backup().manifest_key(), json!(manifest(5)));
        // WHEN it is verified, THEN by its own checks alone, and what was not held against anything is said
        let found = world.verdict().await;
        assert_eq!(found.verdict, Verdict::Valid, "{point:?}");
        assert!(world.server.get(|server| server.options.iter().all(|options| options.same_as.is_none())));
        let unheld: Vec<_> =
            found.not_checked.iter().map(|not| (not.check.as_str(), not.scope.as_str())).collect();
        assert_eq!(unheld, [("against-manifest", "instance")]);
        assert!(found.not_checked[0].reason.contains(reason), "{:?}", found.not_checked);
        // AND what its checks find still counts
        let world = World { point, ..World::restored() };
        world.server.set(|server| server.checks = vec![check("content", CheckResult::Failed)]);
        assert_eq!(world.verdict().await.verdict, Verdict::Invalid);
    }
}
