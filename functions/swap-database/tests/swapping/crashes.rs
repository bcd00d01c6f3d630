//! Whatever call loses its answer, and wherever an execution ends: the end is the same.

use holdfast_fakes::{Call, Trouble};
use serde_json::json;

use crate::support::{AS_BEFORE, SAID, SECRET, SWAPPED, World, of};

const CALLS: [Call; 9] = [
    Call::Instance,
    Call::Rename,
    Call::Start,
    Call::GetDnsRecord,
    Call::PointDnsRecord,
    Call::CurrentSecret,
    Call::PreviousSecret,
    Call::PutSecret,
    Call::MakeSecretCurrent,
];

fn lose(world: &World, call: Call) {
    match call {
        Call::Instance | Call::Rename | Call::Start => world.rds.troubles.once(call, Trouble::AnswerLost),
        Call::GetDnsRecord | Call::PointDnsRecord => world.dns.troubles.once(call, Trouble::AnswerLost),
        _ => world.secrets.troubles.once(call, Trouble::AnswerLost),
    }
}

#[tokio::test]
async fn any_answer_may_be_lost_on_the_way_there() {
    for call in CALLS {
        let mut world = World::with_both().and_pointers();
        world.plan().await.unwrap();
        lose(&world, call);
        world.all_retried("swap").await;
        assert_eq!(of(&world.places()), SWAPPED, "{call:?}");
        assert_eq!((world.rds.renames().len(), world.secrets.versions(SECRET)), (2, 2), "{call:?}");
    }
}

#[tokio::test]
async fn any_answer_may_be_lost_on_the_way_back() {
    for call in CALLS {
        let mut world = World::with_both().and_pointers();
        world.plan().await.unwrap();
        world.all("swap").await.unwrap();
        let aside = world.aside();
        world.change(&aside, |old| old.status = "stopped".into());
        lose(&world, call);
        let swap = world.all_retried("undo").await;
        assert!(swap.undone);
        assert_eq!(of(&world.places()), AS_BEFORE, "{call:?}");
        assert_eq!(world.secrets.text_now(SECRET).as_deref(), Some(SAID), "{call:?}");
        assert_eq!(world.cname().as_deref(), Some("elsewhere"), "{call:?}");
    }
}

#[tokio::test]
async fn another_execution_goes_on_from_any_poll() {
    for polls in 0..12 {
        let mut world = World::with_both().and_pointers();
        world.plan().await.unwrap();
        for _ in 0..polls {
            world.poll("swap").await.unwrap();
        }
        // It knows what is recorded, and nothing of what was carried.
        world.carry = json!({});
        world.all("swap").await.unwrap();
        assert_eq!(of(&world.places()), SWAPPED, "after {polls} polls");
        assert_eq!(world.rds.renames().len(), 2, "after {polls} polls");
    }
}

#[tokio::test]
async fn another_execution_goes_back_from_any_poll() {
    for polls in 0..16 {
        let mut world = World::with_both().and_pointers();
        world.plan().await.unwrap();
        world.all("swap").await.unwrap();
        (world.poll, world.carry) = (1, json!({}));
        for _ in 0..polls {
            world.poll("undo").await.unwrap();
        }
        assert!(world.all("undo").await.unwrap().undone, "after {polls} polls");
        assert_eq!(of(&world.places()), AS_BEFORE, "after {polls} polls");
        assert_eq!(world.secrets.text_now(SECRET).as_deref(), Some(SAID), "after {polls} polls");
        assert_eq!(world.says().await.as_deref(), Some("elsewhere"), "after {polls} polls");
    }
}
