//! From a server to a verdict: kept first, then acted on, and never reached twice.

use std::sync::Arc;

use holdfast_core::ids::OperationId;
use holdfast_core::validation::{CheckResult, Coverage, Digest, NotChecked, Verdict};
use holdfast_core::{Error, ErrorKind};
use holdfast_fakes::sample::{home, operation};
use holdfast_fakes::{Call, FakeKeys, Trouble};
use holdfast_verify::ConnectError;
use serde_json::json;

use crate::server::{check, manifest};
use crate::support::{World, gone};

#[tokio::test]
async fn a_whole_backup_is_valid_and_its_manifest_is_kept() {
    // GIVEN a snapshot whose data is whole, WHEN it is validated
    let world = World::whole();
    let ended = world.run().await.unwrap();
    // THEN the verdict is VALID, with every check, the restore among them, and what was read
    let validation = ended.validation;
    assert_eq!(validation.verdict, Verdict::Valid);
    let names: Vec<&str> = validation.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["restore", "content"]);
    assert_eq!((validation.issues.len(), validation.tables, validation.rows), (0, 1, 100));
    assert_eq!(validation.databases, ["shop"]);
    // AND the restore is measured from the first poll (10 s) to the login of the last, never shorter
    let polls = 10.0 * ended.answers.len() as f64 - 10.0;
    let measured = validation.restore_seconds.unwrap();
    assert!((polls..polls + 5.0).contains(&measured), "{measured} s, {polls} s between the polls");
    // AND the snapshot says so, the manifest is there for the next backup, and the instance goes
    assert_eq!(world.tagged().as_deref(), Some("VALID"));
    assert_eq!(world.documents.now(&operation().manifest_key()), Some(json!(manifest())));
    assert!(gone(&world));
}

#[tokio::test]
async fn what_does_not_pass_is_refused_and_kept() {
    for (result, verdict) in [
        (CheckResult::Failed, Verdict::Invalid),
        (CheckResult::Errored, Verdict::Inconclusive),
        (CheckResult::NotRun, Verdict::Inconclusive),
    ] {
        // GIVEN one check among others that does not pass
        let world = World::whole();
        world.server.finds(vec![check("content", result), check("schema", CheckResult::Passed)]);
        // WHEN it is validated
        let ended = world.run().await.unwrap();
        // THEN the verdict says so with the reason, and the snapshot is kept, tagged with it
        assert_eq!(ended.validation.verdict, verdict);
        assert_eq!(ended.validation.issues.len(), 1);
        assert_eq!(world.tagged().as_deref(), Some(verdict.as_str()));
        // AND no manifest makes it something to compare with; the instance goes
        assert_eq!(world.documents.now(&operation().manifest_key()), None);
        assert!(gone(&world));
        // AND asked again, the answer is the same and nothing is checked again
        let again = world.run().await.unwrap();
        assert_eq!(again.validation, ended.validation);
        assert_eq!(world.server.proofs().len(), 1);
    }
}

#[tokio::test]
async fn a_crash_at_any_point_after_the_verdict_does_not_check_again() {
    let put = |key: String| (Call::PutDocument, Some(key));
    let points = [
        put(operation().validation_key()),
        put(operation().manifest_key()),
        (Call::TagSnapshot, None),
        (Call::DeleteInstance, None),
    ];
    for (call, key) in points {
        // GIVEN a validation whose every answer of that call is lost, until it crashes there
        let world = World::whole();
        let troubles = match call {
            Call::PutDocument => &world.documents.troubles,
            _ => &world.rds.troubles,
        };
        match &key {
            Some(key) => troubles.once_for(call, key, Trouble::AnswerLost),
            None => troubles.once(call, Trouble::AnswerLost),
        }
        assert_eq!(world.run().await.unwrap_err().kind, ErrorKind::OutcomeUnknown, "{call:?}");
        assert_eq!(world.server.proofs().len(), 1);
        // A check that ran now would come to another verdict.
        world.server.finds(vec![check("content", CheckResult::Failed)]);
        // WHEN it is asked again
        let ended = world.run().await.unwrap();
        // THEN the verdict is the one that was kept, everything that follows from it is there, nothing ran again
        assert_eq!(ended.validation.verdict, Verdict::Valid, "{call:?} {key:?}");
        assert_eq!(world.server.proofs().len(), 1);
        assert_eq!(world.tagged().as_deref(), Some("VALID"));
        assert!(world.documents.now(&operation().manifest_key()).is_some());
        assert!(gone(&world));
    }
}

#[tokio::test]
async fn a_verdict_that_could_not_be_kept_is_not_acted_on() {
    // GIVEN a bucket that refuses the verdict
    let world = World::whole();
    let refused = Trouble::Refused(Error::new(ErrorKind::ServiceUnavailable, "no"));
    world.documents.troubles.once_for(Call::PutDocument, &operation().validation_key(), refused);
    // WHEN the checks have run, THEN the attempt fails; the snapshot says nothing, the server is still there
    assert_eq!(world.run().await.unwrap_err().kind, ErrorKind::ServiceUnavailable);
    assert_eq!(world.tagged(), None);
    assert!(!gone(&world));
    // AND the next attempt proves it
    assert_eq!(world.run().await.unwrap().validation.verdict, Verdict::Valid);
}

#[tokio::test]
async fn of_two_attempts_at_once_the_first_verdict_stands() {
    // GIVEN an attempt that loses its server because another one came to a verdict first
    let world = World::whole();
    world.server.finds(vec![check("content", CheckResult::Errored)]);
    let documents = Arc::clone(&world.documents);
    let first = json!({"verdict": "VALID", "checks": [check("content", CheckResult::Passed)],
        "manifest": manifest(), "databases": ["shop"], "restoreSeconds": 7.0, "instanceClass": "db.a"});
    let kept = first.clone();
    world.server.while_working(move || documents.lay(&operation().validation_key(), kept));
    // WHEN it comes to a verdict of its own
    let ended = world.run().await.unwrap();
    // THEN the first one stands, in the answer, the bucket and the tag
    assert_eq!(ended.validation.verdict, Verdict::Valid);
    assert_eq!(ended.validation.restore_seconds, Some(7.0));
    assert_eq!(world.documents.now(&operation().validation_key()), Some(first));
    assert_eq!(world.tagged().as_deref(), Some("VALID"));
}

#[tokio::test]
async fn a_login_that_fails_for_long_proves_nothing() {
    for refusal in [
        ConnectError::WrongCredentials("for user postgres".into()),
        ConnectError::Unreachable("nobody answers".into()),
        ConnectError::Refused("starting up".into()),
    ] {
        // GIVEN a server that does not let anybody in
        let world = World::whole();
        world.server.refuse(refusal.clone());
        // WHEN it is validated
        let ended = world.run().await.unwrap();
        // THEN it was tried for a while, and then nothing is known: never passed, never failed
        assert!(world.server.logins() >= 10, "{} logins", world.server.logins());
        assert_eq!(ended.validation.verdict, Verdict::Inconclusive);
        assert!(ended.validation.issues[0].contains(&refusal.to_string()), "{:?}", ended.validation.issues);
        assert!(gone(&world));
    }
}

#[tokio::test]
async fn a_password_that_takes_effect_late_is_waited_for() {
    // GIVEN a server that refuses the new password at first
    let world = World::whole();
    world.server.refuse(ConnectError::WrongCredentials("for user postgres".into()));
    let answers = world.until(|answer| answer["carry"]["failedLogins"] == 3).await.unwrap();
    // WHEN it takes effect
    world.server.refuse(None);
    let answer = world.ask(50, &answers.last().unwrap()["carry"]).await.unwrap();
    // THEN the backup is proven
    assert_eq!(answer["validation"]["verdict"], "VALID");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_ends_it_at_once() {
    // GIVEN a server with another authority's certificate
    let world = World::whole();
    world.server.refuse(ConnectError::Tls("unknown issuer".into()));
    // WHEN it is validated
    let ended = world.run().await.unwrap();
    // THEN one login was enough: a certificate does not repair itself
    assert_eq!(world.server.logins(), 1);
    assert_eq!(ended.validation.verdict, Verdict::Inconclusive);
    assert!(gone(&world));
}

#[tokio::test]
async fn the_password_is_derived_and_appears_nowhere() {
    let endings: [fn(&World); 4] = [
        |_| {},
        |world| world.server.finds(vec![check("content", CheckResult::Failed)]),
        |world| world.server.refuse(ConnectError::WrongCredentials("for user postgres".into())),
        |world| world.server.refuse(ConnectError::Tls("unknown issuer".into())),
    ];
    for ending in endings {
        // GIVEN any ending, WHEN a backup is validated
        let world = World::whole();
        ending(&world);
        let ended = world.run().await.unwrap();
        // THEN the password on the instance is the derived one
        let password = FakeKeys::password(operation().as_str());
        let id = operation().validation_instance_id();
        assert_eq!(world.rds.password_now(&id), Some(password.clone()));
        // AND no answer, no document, no tag has it
        let answers = serde_json::to_string(&ended.answers).unwrap();
        assert!(!answers.contains(&password), "{answers}");
        assert!(!world.documents.everything().contains(&password));
        let seen = format!(
            "{:?} {:?}",
            world.temporary(),
            world.rds.snapshot_now(&home(), &operation().snapshot_id())
        );
        assert!(!seen.contains(&password), "{seen}");
    }
}

#[tokio::test]
async fn the_checks_are_told_what_the_input_wants() {
    // GIVEN an input with assertions and tables that may be missing, and a reference with its manifest
    let mut world = World::whole();
    world.input = json!({"validation": {
        "assertions": [{"name": "orders have lines", "sql": "select 1", "expect": "zero rows"}],
        "allowMissingTables": ["shop.public.events_*"]}});
    let earlier = OperationId::parse("prod-db-r0-0123456789").unwrap();
    world.documents.lay(&earlier.manifest_key(), json!(manifest()));
    world.reference = Some(earlier);
    // WHEN it is validated
    world.run().await.unwrap();
    // THEN the checks had them all, and the bound of the deployment
    let [options] = &world.server.proofs()[..] else { panic!("not one proof") };
    assert_eq!(options.assertions[0].name, "orders have lines");
    assert_eq!(options.allow_missing_tables, ["shop.public.events_*"]);
    assert_eq!(options.reference, Some(manifest()));
    assert_eq!(options.time_budget.as_secs(), 780);
    assert!(options.expect_isolated && options.may_create_extensions);
    assert_eq!(options.snapshot_time.as_deref(), Some("2026-11-20T06:00:00Z"));
}

#[tokio::test]
async fn a_reference_that_says_nothing_is_no_reason_to_fail() {
    let earlier = OperationId::parse("prod-db-r0-0123456789").unwrap();
    for (reference, document) in [
        // GIVEN the operation itself, one without a manifest, or one that cannot be read
        (operation(), Some(json!(manifest()))),
        (earlier.clone(), None),
        (earlier, Some(json!({"algorithm": 7}))),
    ] {
        let mut world = World::whole();
        if let Some(document) = document {
            world.documents.lay(&reference.manifest_key(), document);
        }
        world.reference = Some(reference);
        // WHEN it is validated, THEN the backup is proven without a comparison
        assert_eq!(world.run().await.unwrap().validation.verdict, Verdict::Valid);
        assert_eq!(world.server.proofs()[0].reference, None);
    }
}

#[tokio::test]
async fn a_reference_of_an_older_version_is_said_not_to_be_compared() {
    // GIVEN a manifest as an older Holdfast wrote it: an object is a hash, and nothing else is said of it
    let mut world = World::whole();
    let earlier = OperationId::parse("prod-db-r0-0123456789").unwrap();
    let older = json!({"algorithm": "holdfast-1:hashrecord-sum-128", "serverVersion": "15.3", "databases": {
        "shop": {"schemaHash": "ab", "objects": {"table public.orders": "cd"},
            "tables": {"public.orders": {"rows": 3, "fingerprint": "ef"}}}}});
    world.documents.lay(&earlier.manifest_key(), older);
    world.reference = Some(earlier.clone());
    // WHEN it is validated, THEN the backup is proven, and the report says what it was not held against
    let validation = world.run().await.unwrap().validation;
    assert_eq!(validation.verdict, Verdict::Valid);
    assert_eq!(validation.not_checked_count, 1);
    assert!(validation.not_checked[0].reason.contains(&earlier.manifest_key()), "{validation:?}");
    let kept = world.documents.now(&operation().validation_key()).unwrap();
    assert_eq!(kept["notChecked"], json!(validation.not_checked));
}

#[tokio::test]
async fn what_was_not_checked_is_kept_whole_and_told_in_part() {
    // GIVEN checks that leave much out
    let world = World::whole();
    let left_out = |number: usize| NotChecked {
        check: "content".into(),
        scope: "shop".into(),
        object: Some(format!("public.t{number}")),
        reason: "holds no data here".into(),
    };
    world.server.does_not_check((0..80).map(left_out).collect());
    // WHEN it is validated
    let validation = world.run().await.unwrap().validation;
    // THEN the payload has some of them and their number, and the bucket has all
    assert_eq!((validation.not_checked.len(), validation.not_checked_count), (50, 80));
    let kept = world.documents.now(&operation().validation_key()).unwrap();
    assert_eq!(kept["notChecked"].as_array().unwrap().len(), 80);
}

#[tokio::test]
async fn the_check_settings_of_the_input_arrive() {
    // GIVEN an input that switches a check off, samples another and wants small pieces
    let mut world = World::whole();
    world.input = json!({"validation": {"chunkMib": 64,
        "checks": {"collations": "off", "constraints": {"samplePercent": 5}, "digest": "cryptographic"}}});
    // WHEN it is validated, THEN plan, work and sum had them all
    world.run().await.unwrap();
    let server = &world.server;
    for options in [&server.plans()[0], &server.works()[0], &server.proofs()[0]] {
        assert_eq!(options.checks.collations, Coverage::Off);
        assert_eq!(options.checks.constraints, Coverage::SamplePercent(5.0));
        assert_eq!(options.checks.digest, Digest::Cryptographic);
        assert_eq!(options.chunk_bytes, 64 << 20);
        assert_eq!(options.connections, 2);
        assert_eq!(options.statement_timeout.as_secs(), 300);
    }
}

#[tokio::test]
async fn another_restore_of_the_same_data_is_held_against_exactly() {
    // GIVEN the manifest of another operation that the data must equal
    let mut world = World::whole();
    let first = OperationId::parse("prod-db-r0-0123456789").unwrap();
    world.same_as = Some(first.clone());
    world.documents.lay(&first.manifest_key(), json!(manifest()));
    // WHEN it is validated, THEN the sum is held against it
    assert_eq!(world.run().await.unwrap().validation.verdict, Verdict::Valid);
    assert_eq!(world.server.proofs()[0].same_as, Some(manifest()));
    for unusable in [None, Some(json!({"algorithm": 7}))] {
        // GIVEN that there is none, or one that cannot be read
        let mut world = World::whole();
        world.same_as = Some(first.clone());
        if let Some(document) = unusable {
            world.documents.lay(&first.manifest_key(), document);
        }
        // WHEN it is validated, THEN nothing is proven: equality was asked for
        let ended = world.run().await.unwrap();
        assert_eq!(ended.validation.verdict, Verdict::Inconclusive);
        assert!(ended.validation.issues[0].contains(&first.manifest_key()), "{:?}", ended.validation.issues);
        assert!(gone(&world));
    }
}
