//! What becomes of the old instance.

use holdfast_core::operation::SwapResult;
use holdfast_fakes::sample::home;
use serde_json::{Value, json};

use crate::support::World;

async fn concluded(world: &mut World, swap: &SwapResult, poll: u32) -> Value {
    let checks = json!([{"name": "https://shop/health", "passed": true}]);
    let payload = json!({"action": "conclude", "plan": world.restore_plan(), "swap": swap, "smokeChecks": checks, "poll": poll});
    world.ask(payload).await.unwrap()
}

#[tokio::test]
async fn it_goes_on_unless_it_is_to_be_stopped() {
    for (after, status, stopped) in [("keep", "available", false), ("stop", "stopped", true)] {
        let mut world = World::with_both();
        world.swap = json!({"oldInstance": after});
        world.plan().await.unwrap();
        let swap = world.all("swap").await.unwrap();
        // Renamed, it is busy for a look or two.
        for _ in 0..3 {
            concluded(&mut world, &swap, 1).await;
        }
        let answer = concluded(&mut world, &swap, 4).await;
        assert_eq!(answer["status"], "FINAL", "{answer}");
        assert_eq!(answer["swap"]["oldStopped"], stopped, "{answer}");
        assert_eq!(answer["swap"]["smokeChecks"][0]["passed"], true);
        assert_eq!(world.rds.instance_now(&home(), &world.aside()).unwrap().status, status);
    }
}

#[tokio::test]
async fn one_that_does_not_stop_is_left_running_and_told() {
    let mut world = World::with_both();
    world.swap = json!({"oldInstance": "stop"});
    world.plan().await.unwrap();
    let swap = world.all("swap").await.unwrap();
    let mut old = world.rds.instance_now(&home(), &world.aside()).unwrap();
    old.status = "backing-up".into();
    world.rds.lay_instance(&home(), old);
    assert_eq!(concluded(&mut world, &swap, 59).await["status"], "WAITING");
    let answer = concluded(&mut world, &swap, 60).await;
    assert_eq!((&answer["status"], &answer["swap"]["oldStopped"]), (&json!("FINAL"), &json!(false)));
    // AND one that is gone needs no stopping.
    world.rds.lose_instance(&home(), &world.aside());
    assert_eq!(concluded(&mut world, &swap, 1).await["status"], "FINAL");
}
