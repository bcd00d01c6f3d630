//! `health-check` against RDS and KMS in memory: what it finds, and that it creates nothing.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use health_check::{Input, Output, handle};
use holdfast_core::answer::Answer;
use holdfast_core::blueprint::{Blueprint, KeptBlueprint};
use holdfast_core::health::Health;
use holdfast_core::ids::Region;
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::rds::Fate;
use holdfast_fakes::sample::{home, instance, operation, region, request, snapshot, tags_of};
use holdfast_fakes::{Call, FakeDocuments, FakeKeys, FakeRds, Trouble};
use serde_json::json;

fn west() -> Region {
    region("us-west-2")
}

fn ireland() -> Region {
    region("eu-west-1")
}

/// A world in which everything is ready.
struct World {
    rds: FakeRds,
    keys: FakeKeys,
    documents: FakeDocuments,
}

impl World {
    fn ready() -> Self {
        let world =
            World { rds: FakeRds::default(), keys: FakeKeys::default(), documents: FakeDocuments::default() };
        world.source_is("available");
        world.rds.set(|rds| {
            rds.snapshots_allowed = [(home(), 100), (west(), 100), (ireland(), 100)].into();
        });
        world.keys.add(&west(), "alias/holdfast");
        world.keys.add(&ireland(), "alias/holdfast");
        world
    }

    fn source_is(&self, status: &str) {
        let mut source = instance("prod-db");
        source.status = status.into();
        self.rds.lay_instance(&home(), source);
    }

    async fn ask(&self) -> Result<Answer<Output>> {
        let input = Input { operation_id: operation(), request: request(json!({})), poll: 1 };
        let answer = handle(&self.rds, &self.keys, &self.documents, &home(), input).await;
        // Whatever it finds, it makes nothing anywhere.
        let other = |id: &String| *id != operation().snapshot_id() && !id.starts_with("other-");
        for place in [home(), west(), ireland()] {
            assert!(!self.rds.snapshots_in(&place).iter().any(other), "a snapshot in {place}");
        }
        answer
    }

    async fn health(&self) -> Health {
        match self.ask().await.unwrap() {
            Answer::Final { result, .. } => result.health,
            waiting @ Answer::Waiting { .. } => panic!("{waiting:?}"),
        }
    }

    async fn error(&self) -> ErrorKind {
        self.ask().await.unwrap_err().kind
    }
}

/// The Regions that are not usable, each with the name of its error.
fn unusable(health: &Health) -> Vec<(&str, &str)> {
    let unusable = health.regions.iter().filter(|(_, found)| !found.usable);
    unusable.map(|(region, found)| (region.as_str(), found.error.as_ref().unwrap().name.as_str())).collect()
}

#[tokio::test]
async fn when_everything_is_ready_it_says_what_it_found() {
    // GIVEN a source, quotas and keys that are ready, WHEN it is asked
    let health = World::ready().health().await;
    // THEN it tells them
    assert_eq!((health.source_status.as_str(), health.engine.as_str()), ("available", "postgres"));
    assert!(health.encrypted);
    assert_eq!(health.snapshot_quota.unwrap().max, 100);
    assert_eq!(health.regions.len(), 2);
    assert_eq!(health.regions[&west()].kms_key_arn, Some(FakeKeys::arn(&west())));
    assert_eq!(unusable(&health), []);
}

#[tokio::test]
async fn a_busy_source_is_waited_for_and_a_stopped_one_is_not() {
    let world = World::ready();
    // GIVEN a source that is busy, THEN the answer is to wait
    for busy in ["backing-up", "modifying", "a-word-of-next-year"] {
        world.source_is(busy);
        assert!(matches!(world.ask().await, Ok(Answer::Waiting { .. })), "{busy}");
    }
    // GIVEN one that needs a person, THEN it is refused at once
    for dead in ["stopped", "storage-full", "deleting", "inaccessible-encryption-credentials"] {
        world.source_is(dead);
        assert_eq!(world.error().await, ErrorKind::SourceUnusable, "{dead}");
    }
    // GIVEN none at all
    let none = World { rds: FakeRds::default(), ..World::ready() };
    assert_eq!(none.error().await, ErrorKind::SourceNotFound);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_marks_only_its_own_region() {
    // GIVEN a key in one Region that is disabled, going, denied, or not there
    let troubles: [fn(&World); 4] = [
        |world| world.keys.set_state(&west(), "Disabled"),
        |world| world.keys.set_state(&west(), "PendingDeletion"),
        |world| world.keys.deny(&west()),
        |world| {
            world.keys.troubles.always_for(Call::Key, "us-west-2", Trouble::refused(ErrorKind::AccessDenied))
        },
    ];
    for (index, trouble) in troubles.iter().enumerate() {
        let world = World::ready();
        trouble(&world);
        // WHEN it is asked
        let health = world.health().await;
        // THEN that Region is not usable, with the reason, and the other is
        let name = if index == 3 { "Holdfast.AccessDenied" } else { "Holdfast.KeyUnusable" };
        assert_eq!(unusable(&health), [("us-west-2", name)]);
        assert!(health.regions[&ireland()].usable);
    }
    // AND the same for a Region that has no key of that name
    let world = World::ready();
    let without = World { rds: world.rds, keys: FakeKeys::default(), documents: FakeDocuments::default() };
    without.keys.add(&ireland(), "alias/holdfast");
    assert_eq!(unusable(&without.health().await), [("us-west-2", "Holdfast.KeyUnusable")]);
}

#[tokio::test]
async fn what_a_retry_can_mend_does_not_cost_a_region() {
    for call in [Call::Key, Call::RequirePermission] {
        for kind in [ErrorKind::Throttled, ErrorKind::ServiceUnavailable, ErrorKind::OutcomeUnknown] {
            // GIVEN a Region whose KMS does not answer now
            let world = World::ready();
            world.keys.troubles.always_for(call, "us-west-2", Trouble::refused(kind));
            // WHEN it is asked, THEN the Region is not written off: the copy is tried, and the trouble is named
            let health = world.health().await;
            assert_eq!(unusable(&health), []);
            let west = &health.regions[&west()];
            assert_eq!(west.error.as_ref().unwrap().name, kind.name());
            assert_eq!(west.kms_key_arn, None);
            // AND nothing is said of the other
            assert_eq!(health.regions[&ireland()].error, None);
        }
    }
}

#[tokio::test]
async fn trouble_at_home_is_an_error_by_its_name() {
    for call in [Call::Instance, Call::Snapshot, Call::SnapshotQuota] {
        // GIVEN an RDS at home that is throttled once
        let world = World::ready();
        world.rds.troubles.once(call, Trouble::refused(ErrorKind::Throttled));
        // WHEN it is asked, THEN the state machine is told to ask again, and then it is fine
        assert_eq!(world.error().await, ErrorKind::Throttled, "{call:?}");
        assert_eq!(unusable(&world.health().await), []);
    }
}

#[tokio::test]
async fn what_cannot_be_validated_is_said_before_anything_is_made() {
    // GIVEN a source of another engine
    let world = World::ready();
    let mut source = instance("prod-db");
    source.engine = "mysql".into();
    world.rds.lay_instance(&home(), source);
    // WHEN its proof is wanted, THEN the field to change is named
    let error = world.ask().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("validation.enabled"), "{}", error.message);
    // AND when it is not, the backup may begin
    let request = request(json!({"validation": {"enabled": false}}));
    let input = Input { operation_id: operation(), request, poll: 1 };
    let answer = handle(&world.rds, &world.keys, &world.documents, &home(), input).await;
    assert!(matches!(answer, Ok(Answer::Final { .. })));
}

#[tokio::test]
async fn a_full_quota_stops_the_backup_at_home_and_marks_a_region_elsewhere() {
    // GIVEN no room at home
    let home_full = World::ready();
    home_full.rds.allow_snapshots(&home(), 0);
    // THEN there is nothing to begin
    assert_eq!(home_full.error().await, ErrorKind::SnapshotQuotaExceeded);
    // GIVEN no room in one target Region, THEN that Region is not usable
    let west_full = World::ready();
    west_full.rds.lay_snapshot(snapshot(&west(), "other-1", tags_of("other")));
    west_full.rds.allow_snapshots(&west(), 1);
    assert_eq!(unusable(&west_full.health().await), [("us-west-2", "Holdfast.SnapshotQuotaExceeded")]);
    // GIVEN a quota that RDS does not tell, THEN it is not guessed at
    let untold = World::ready();
    untold.rds.set(|rds| rds.snapshots_allowed.clear());
    let health = untold.health().await;
    assert_eq!((health.snapshot_quota, unusable(&health)), (None, vec![]));
}

#[tokio::test]
async fn a_snapshot_that_is_begun_makes_its_source_busy_and_takes_its_own_place() {
    // GIVEN the snapshot of an earlier attempt, still being made: its source is backing-up, the quota is full
    let world = World::ready();
    world.rds.set(|rds| {
        rds.snapshots_allowed.insert(home(), 1);
        rds.snapshot_fate = Fate::Stuck;
    });
    let mut begun = snapshot(&home(), &operation().snapshot_id(), tags_of(operation().as_str()));
    begun.status = holdfast_core::rds::SnapshotStatus::Creating;
    world.rds.lay_snapshot(begun);
    // WHEN the resumed operation looks again, THEN neither holds it up
    let health = world.health().await;
    assert_eq!(health.source_status, "backing-up");
    assert_eq!(unusable(&health), []);
}

#[tokio::test]
async fn what_the_source_is_made_with_is_kept_once() {
    // GIVEN a source, WHEN it is looked at
    let world = World::ready();
    world.health().await;
    // THEN everything that a restore needs to know of it lies beside the backup
    let key = operation().blueprint_key();
    let kept: KeptBlueprint = serde_json::from_value(world.documents.now(&key).unwrap()).unwrap();
    assert_eq!(kept.blueprint, world.rds.blueprint_now(&home(), "prod-db").unwrap());
    assert_eq!(kept.login, None);
    // AND what it becomes while the backup is taken changes nothing of that
    let other = Blueprint { class: "db.r6g.large".into(), ..kept.blueprint.clone() };
    world.rds.lay_blueprint(&home(), other);
    world.health().await;
    assert_eq!(serde_json::from_value::<KeptBlueprint>(world.documents.now(&key).unwrap()).unwrap(), kept);
}
