//! What a restore that failed left behind: named, and never deleted.

use holdfast_core::ErrorKind;
use holdfast_fakes::sample::{home, instance, tags_of};
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn its_own_instance_is_named_and_stays() {
    // GIVEN a restore that failed with an instance, beside others
    let world = World::lost();
    world.rds.set(|rds| rds.restores_end_as = "storage-full");
    world.rds.lay_instance(&home(), instance("other-db"));
    let plan = world.plan(json!({})).await.unwrap();
    assert_eq!(world.restore(&plan).await.unwrap_err().kind, ErrorKind::RestoreFailed);
    // WHEN it is asked what is left, twice, THEN it is that instance, and all are still there
    for _ in 0..2 {
        let left = world.leftovers().await;
        assert_eq!(left, ["instance prod-db in us-east-1 (storage-full): keep it or delete it yourself"]);
        assert_eq!(world.rds.instances_in(&home()), ["other-db", "prod-db"]);
        assert_eq!(world.target().unwrap().status, "storage-full");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_not_named() {
    for owner in [None, Some("prod-db-another-0123456789")] {
        // GIVEN a restore that failed because the name is somebody else's
        let world = World::lost();
        let mut other = instance("prod-db");
        other.tags = owner.map(tags_of).unwrap_or_default();
        world.rds.lay_instance(&home(), other.clone());
        // THEN nothing of it is left, and theirs is there
        assert_eq!(world.leftovers().await, [""; 0]);
        assert_eq!(world.target(), Some(other));
    }
    // GIVEN a restore that made nothing
    assert_eq!(World::lost().leftovers().await, [""; 0]);
}
