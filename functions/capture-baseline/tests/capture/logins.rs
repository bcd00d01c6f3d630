//! Who is let in, and what is said when nobody is.

use holdfast_core::ErrorKind;
use holdfast_core::rds::Endpoint;
use holdfast_fakes::sample::{home, instance};
use holdfast_fakes::{Call, FakeLogins, Trouble};
use serde_json::{Value, json};

use crate::support::{PASSWORD, SECRET, World};

async fn reason(world: &World) -> (String, String) {
    world.before().await;
    world.snapshot();
    world.after().await;
    world.reason()
}

#[tokio::test]
async fn a_secret_is_read_as_rds_makes_it() {
    // GIVEN a secret with what RDS puts beside user and password
    let world = World::new();
    let secret = json!({"engine": "postgres", "host": "elsewhere.example", "port": 1, "username": "holdfast_reader",
                        "password": PASSWORD, "dbInstanceIdentifier": "prod-db"});
    world.logins.keep(SECRET, &secret.to_string());
    // WHEN the source is read, THEN it is logged in to, and where it listens is what RDS says
    assert_eq!(world.before().await["status"], "TAKEN");
}

#[tokio::test]
async fn a_password_alone_is_the_master_users() {
    let world = World::new();
    world.source.admit("postgres", "a plain passw0rd");
    world.logins.keep(SECRET, "a plain passw0rd");
    assert_eq!(world.before().await["status"], "TAKEN");
}

#[tokio::test]
async fn a_secret_that_is_none_is_refused_and_never_quoted() {
    for text in [
        "{\"username\": \"holdfast_reader\", \"password\": 4711007}",
        "{\"username\": \"holdfast_reader\", \"pasword\": \"4711007\"}",
        "{\"username\": \"\", \"password\": \"4711007\"}",
        "{\"username\": \"4711007\", \"password\": \"\"}",
        "{\"4711007\": ",
        "",
        "  \n",
    ] {
        // GIVEN a secret that names no user and password, WHEN the source is to be read
        let world = World::new();
        world.logins.keep(SECRET, text);
        let (name, cause) = reason(&world).await;
        // THEN the secret is named, and nothing of it is told
        assert_eq!(name, "Holdfast.BaselineUnreadable", "{text:?}");
        assert!(cause.contains(SECRET), "{cause}");
        assert!(!world.documents.everything().contains("4711007"), "{text:?}");
        assert_eq!(world.source.readings(), 0);
    }
}

#[tokio::test]
async fn a_token_is_made_for_the_endpoint_that_rds_says() {
    // GIVEN a user that IAM vouches for, at a port of its own
    let mut world = World::new();
    world.baseline = json!({"iamUser": "holdfast_reader"});
    let mut source = instance("prod-db");
    let endpoint = Endpoint { host: "prod-db.y.us-east-1.rds.amazonaws.com".into(), port: 6543 };
    source.endpoint = Some(endpoint.clone());
    world.rds.lay_instance(&home(), source);
    let token = FakeLogins::token(&home(), &endpoint, "holdfast_reader");
    world.source.admit("holdfast_reader", &token);
    // WHEN the source is read, THEN it lets the token in, and the token is kept nowhere
    assert_eq!(world.before().await["status"], "TAKEN");
    assert!(!world.documents.everything().contains(&token));
}

#[tokio::test]
async fn what_makes_it_impossible_has_its_own_name() {
    // GIVEN no such secret
    let mut world = World::new();
    world.baseline = json!({"secretArn": format!("{SECRET}-2")});
    assert!(reason(&world).await.1.contains("there is no secret"));
    // GIVEN a role that may not read it
    let world = World::new();
    world.logins.troubles.always(Call::Secret, Trouble::refused(ErrorKind::AccessDenied));
    assert_eq!(reason(&world).await.0, "Holdfast.AccessDenied");
    // GIVEN a database of another engine
    let world = World::new();
    let mut other = instance("prod-db");
    other.engine = "mysql".into();
    world.rds.lay_instance(&home(), other);
    assert!(reason(&world).await.1.contains("only postgres"));
    // GIVEN one without an endpoint for now: it is waited for
    let world = World::new();
    let mut starting = instance("prod-db");
    starting.endpoint = None;
    world.rds.lay_instance(&home(), starting);
    let first = world.ask("before", 1, &json!({}), &Value::Null).await.unwrap();
    assert_eq!(first["status"], "WAITING");
    world.rds.lay_instance(&home(), instance("prod-db"));
    assert_eq!(world.before().await["status"], "TAKEN");
}
