//! The source as it was around the snapshot: held against, or named as missing.

use holdfast_core::ErrorKind;
use holdfast_core::baseline::{Beat, Captured};
use holdfast_core::health::NamedCause;
use holdfast_core::validation::{Baseline, BaselineDepth, CheckResult, Expectation, Reading, Verdict};
use holdfast_fakes::sample::operation;
use serde_json::json;

use crate::server::manifest;
use crate::support::World;

fn reading() -> Reading {
    Reading {
        at: "2026-11-20T06:00:00Z".into(),
        server_version: "15.4".into(),
        started_at: "2026-11-01T00:00:00Z".into(),
        databases: [].into(),
    }
}

fn whole() -> Baseline {
    Baseline {
        depth: BaselineDepth::Full,
        before: Some(reading()),
        after: Some(reading()),
        manifest: Some(manifest()),
        ..Baseline::default()
    }
}

fn reason() -> Option<NamedCause> {
    Some(NamedCause { name: "Holdfast.BaselineUnreadable".into(), cause: "wrong credentials".into() })
}

/// A backup whose input asks for a baseline, and what was captured.
fn world(required: bool, captured: Option<Captured>) -> World {
    let mut world = World::whole();
    world.input["baseline"] = json!({"iamUser": "holdfast_reader", "depth": "full", "required": required});
    if let Some(captured) = captured {
        world.documents.lay(&operation().baseline_key(), json!(captured));
    }
    world
}

#[tokio::test]
async fn what_the_source_was_is_held_against() {
    // GIVEN a baseline that is whole, WHEN the backup is validated, THEN it is held against, and nothing is missing
    let world = world(true, Some(Captured::new(whole(), None)));
    let ended = world.run().await.unwrap();
    assert_eq!(world.server.proofs()[0].baseline, Some(whole()));
    assert_eq!((ended.validation.verdict, ended.validation.not_checked_count), (Verdict::Valid, 0));
    // GIVEN one that nobody asked for, THEN it has no say
    let unasked = World::whole();
    unasked.documents.lay(&operation().baseline_key(), json!(Captured::new(whole(), None)));
    unasked.run().await.unwrap();
    assert_eq!(unasked.server.proofs()[0].baseline, None);
    // GIVEN one that cannot be read, THEN that is not the same as none
    let torn = self::world(false, None);
    torn.documents.lay(&operation().baseline_key(), json!({"depth": "deep"}));
    assert_eq!(torn.run().await.unwrap_err().kind, ErrorKind::UnreadableRecord);
}

#[tokio::test]
async fn a_heartbeat_that_was_written_has_to_be_there() {
    // GIVEN a row that the backup wrote into its source
    let beat = Beat {
        database: "shop".into(),
        table: "public.\"Heart beat\"".into(),
        beat_at: "2026-11-20T05:59:59.123456Z".into(),
    };
    let world = world(true, Some(Captured::new(whole(), None).with(Some(beat))));
    world.run().await.unwrap();
    // WHEN the backup is validated, THEN the restored server is asked for it
    let [asked] = &world.server.plans()[0].assertions[..] else { panic!("one assertion") };
    assert_eq!((asked.database.as_deref(), &asked.expect), (Some("shop"), &Expectation::True));
    let operation = operation();
    let row = format!("WHERE operation_id = '{operation}' AND beat_at >= '2026-11-20T05:59:59.123456Z'");
    assert!(asked.sql.contains("FROM public.\"Heart beat\"") && asked.sql.contains(&row), "{}", asked.sql);
    // GIVEN none that was written, THEN nobody asks, nor is a copy wrong for the lack of its table, and that is said
    let mut without = self::world(true, Some(Captured::new(whole(), reason())));
    let heartbeat = json!({"database": "shop", "table": "public.nothing"});
    without.input["validation"] =
        json!({"checks": {"freshness": {"heartbeat": heartbeat, "maxAgeMinutes": 5}}});
    let ended = without.run().await.unwrap();
    let options = &without.server.plans()[0];
    assert_eq!((&options.assertions[..], &options.checks.freshness), (&[][..], &None));
    assert_eq!(ended.validation.verdict, Verdict::Inconclusive, "the baseline is required");
    let told = ended.validation.not_checked.iter().find(|one| one.check == "freshness").expect("told");
    assert_eq!(told.object.as_deref(), Some("public.nothing"));
}

#[tokio::test]
async fn asked_for_and_not_had_is_not_proven() {
    let halves = Baseline { manifest: None, ..whole() };
    for (captured, against) in [
        // Never captured, captured as a reason only, captured without its rows.
        (None, false),
        (Some(Captured::new(Baseline::default(), reason())), false),
        (Some(Captured::new(halves, reason())), true),
    ] {
        // GIVEN a baseline that is required and not whole, WHEN the backup is validated
        let strict = world(true, captured.clone());
        let ended = strict.run().await.unwrap();
        // THEN nothing is proven, for this reason, and what there is was held against all the same
        assert_eq!(ended.validation.verdict, Verdict::Inconclusive);
        let check = ended.validation.checks.iter().find(|check| check.name == "baseline").unwrap();
        assert_eq!(check.result, CheckResult::Errored);
        assert!(
            ended.validation.issues[0].contains("Holdfast.BaselineUnreadable: "),
            "{:?}",
            ended.validation.issues
        );
        assert_eq!(strict.server.proofs()[0].baseline.is_some(), against);
        assert_eq!(strict.tagged().as_deref(), Some("INCONCLUSIVE"));
        // GIVEN the same where it may be missing, THEN the backup is proven, and what is missing is listed
        let lenient = world(false, captured);
        let ended = lenient.run().await.unwrap();
        assert_eq!(ended.validation.verdict, Verdict::Valid);
        assert_eq!(ended.validation.not_checked[0].check, "baseline");
        assert!(ended.validation.not_checked[0].reason.contains("Holdfast.BaselineUnreadable: "));
    }
}
