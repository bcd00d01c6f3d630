//! What the record and the secret say after the way back: what they said before the swap changed them, and nothing that
//! somebody else made of them is lost.

use holdfast_core::ErrorKind;
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::support::{AS_BEFORE, SAID, SECRET, World, of};

/// The secret after a rotation: another password.
fn rotated() -> String {
    SAID.replace("s3cret", "an0ther")
}

fn secret(world: &World) -> Value {
    serde_json::from_str(&world.secrets.text_now(SECRET).unwrap()).unwrap()
}

#[tokio::test]
async fn a_secret_that_was_rotated_since_the_plan_stays_rotated() {
    // GIVEN a secret that was rotated while the database was restored, and a swap that ends before it points anything
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.secrets.rotate(SECRET, &rotated());
    world.poll("swap").await.unwrap();
    // WHEN it is undone, THEN the password is not the old one
    assert!(world.all("undo").await.unwrap().undone);
    assert_eq!(world.secrets.text_now(SECRET), Some(rotated()));

    // GIVEN a swap that points it
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.secrets.rotate(SECRET, &rotated());
    let endpoint = world.all("swap").await.unwrap().endpoint.unwrap();
    // THEN what it makes has the password of now, and the way back leads to that as well
    assert_eq!(secret(&world)["password"], "an0ther");
    assert_eq!(secret(&world)["host"], json!(endpoint.host));
    world.all("undo").await.unwrap();
    assert_eq!(world.secrets.text_now(SECRET), Some(rotated()));

    // GIVEN one that is rotated after that, THEN it is not the swap's any more
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    world.secrets.rotate(SECRET, &rotated());
    assert!(world.all("undo").await.unwrap().undone);
    assert_eq!(world.secrets.text_now(SECRET), Some(rotated()));
}

#[tokio::test]
async fn a_record_that_somebody_changed_is_not_changed_back() {
    // GIVEN a record that was pointed elsewhere since the plan
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.point("maintenance");
    // WHEN it is to be swapped, THEN that is told before anybody loses a connection
    let error = world.all("swap").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReferenceUnresolved);
    assert!(error.message.contains("says maintenance now"), "{error}");
    assert!(world.rds.renames().is_empty());
    // AND the way back leaves it alone
    assert!(world.all("undo").await.unwrap().undone);
    assert_eq!(world.says().await.as_deref(), Some("maintenance"));

    // GIVEN one that was pointed elsewhere after the swap
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    world.point("maintenance");
    assert!(world.all("undo").await.unwrap().undone);
    assert_eq!(world.says().await.as_deref(), Some("maintenance"));
}

#[tokio::test]
async fn a_secret_that_is_gone_is_told_before_anybody_loses_a_connection() {
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.secrets.rotate(SECRET, "no JSON");
    assert_eq!(world.all("swap").await.unwrap_err().kind, ErrorKind::ReferenceUnresolved);
    assert!(world.rds.renames().is_empty());
}

#[tokio::test]
async fn clients_keep_a_record_for_as_long_as_it_says_now() {
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    // Somebody made it short for the swap.
    world.point("elsewhere");
    world.all("swap").await.unwrap();
    assert_eq!(world.ttl().await, Some(5));
    world.all("undo").await.unwrap();
    assert_eq!(world.ttl().await, Some(5));
}

#[tokio::test]
async fn names_are_given_back_whatever_becomes_of_record_and_secret() {
    for (call, what, secret_back) in [
        (Call::GetDnsRecord, "record db.example.com", true),
        (Call::PointDnsRecord, "record db.example.com", true),
        (Call::CurrentSecret, "secret arn:", false),
        (Call::PreviousSecret, "secret arn:", false),
        (Call::MakeSecretCurrent, "secret arn:", false),
    ] {
        // GIVEN a swap whose way back is refused what points to the database, for good
        let mut world = World::with_both().and_pointers();
        world.plan().await.unwrap();
        world.all("swap").await.unwrap();
        let troubles = if secret_back { &world.dns.troubles } else { &world.secrets.troubles };
        troubles.always(call, Trouble::refused(ErrorKind::AccessDenied));
        // WHEN it is undone, THEN the names are what they were, the other one says what it said, and what is left is named
        let error = world.all("undo").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::SwapNotUndone, "{call:?}");
        assert!(error.message.contains(what) && error.message.contains("still to be set back"), "{error}");
        assert_eq!(of(&world.places()), AS_BEFORE, "{call:?}");
        match secret_back {
            true => assert_eq!(world.secrets.text_now(SECRET).as_deref(), Some(SAID), "{call:?}"),
            false => assert_eq!(world.says().await.as_deref(), Some("elsewhere"), "{call:?}"),
        }
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_waited_for_once_the_names_are_back() {
    let mut world = World::with_both().and_pointers();
    world.plan().await.unwrap();
    world.all("swap").await.unwrap();
    world.dns.troubles.always(Call::PointDnsRecord, Trouble::refused(ErrorKind::ServiceUnavailable));
    (world.poll, world.carry) = (1, json!({}));
    for _ in 0..40 {
        assert_eq!(world.poll("undo").await.unwrap(), None);
    }
    assert_eq!(of(&world.places()), AS_BEFORE);
    assert_eq!(world.secrets.text_now(SECRET).as_deref(), Some(SAID));
    assert!(world.said.contains("record db.example.com, to elsewhere"), "{}", world.said);
    // Somebody set it back by hand.
    world.point("elsewhere");
    assert!(world.poll("undo").await.unwrap().unwrap().undone);
}
