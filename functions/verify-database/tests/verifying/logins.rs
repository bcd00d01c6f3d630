//! Who logs in, and what is said when nobody can.

use holdfast_core::ErrorKind;
use holdfast_core::ids::Region;
use holdfast_core::operation::ValidationResult;
use holdfast_core::request::Login;
use holdfast_core::validation::{CheckResult, Verdict};
use holdfast_fakes::{Call, FakeLogins, Trouble};
use holdfast_verify::ConnectError;
use serde_json::{Value, json};

use crate::support::{PASSWORD, SECRET, World, operation};

/// Nothing is proven, for a reason that says so.
fn unproven(found: &ValidationResult, reason: &str) {
    assert_eq!((found.verdict, found.tables, found.rows), (Verdict::Inconclusive, 0, 0), "{found:?}");
    assert_eq!(found.checks.len(), 1);
    assert_eq!((found.checks[0].name.as_str(), found.checks[0].result), ("login", CheckResult::Errored));
    let said = found.checks[0].reason.as_deref().unwrap();
    assert!(said.contains(reason), "{said}");
    assert!(found.issues[0].contains(reason), "{:?}", found.issues);
}

#[tokio::test]
async fn it_is_logged_in_to_where_it_is_by_the_user_of_the_secret() {
    // GIVEN a secret with what RDS puts beside user and password
    let world = World::restored();
    let secret = json!({"engine": "postgres", "host": "elsewhere.example", "port": 1, "username": "holdfast_reader",
                        "password": PASSWORD});
    world.logins.keep(SECRET, &secret.to_string());
    // WHEN it is verified, THEN every login is at the restored instance's endpoint, and the password is kept nowhere
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
    let logins = world.server.get(|server| server.logins.clone());
    assert!(logins.iter().all(|login| *login == (World::endpoint().host, "holdfast_reader".to_owned())));
    assert!(!world.documents.everything().contains(PASSWORD));
}

#[tokio::test]
async fn a_password_alone_is_the_master_users_and_a_token_is_made_for_the_new_endpoint() {
    let world = World::restored();
    world.logins.keep(SECRET, "a plain passw0rd");
    world.server.set(|server| drop(server.admitted.insert("postgres".into(), "a plain passw0rd".into())));
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
    // GIVEN a user that IAM vouches for, and a database that was brought back in another Region
    let west = Region::parse("us-west-2").unwrap();
    let login = Some(Login::IamUser("auditor".into()));
    let world = World { login, region: west.clone(), ..World::restored() };
    // THEN the token is one of that Region
    let token = FakeLogins::token(&west, &World::endpoint(), "auditor");
    world.server.set(|server| drop(server.admitted.insert("auditor".into(), token.clone())));
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
    assert!(!world.documents.everything().contains(&token));
}

#[tokio::test]
async fn when_nobody_said_how_nothing_is_proven() {
    // GIVEN neither the request nor the backup says how to log in
    let world = World { login: None, ..World::restored() };
    // WHEN it is verified, THEN the sentence says what to name, nobody tried, and it is kept
    unproven(
        &world.verdict().await,
        "nobody said how to log in: name it when you restore (holdfast restore --login-secret",
    );
    assert!(world.server.get(|server| server.logins.is_empty()));
    assert_eq!(world.kept().unwrap()["verdict"], "INCONCLUSIVE");
}

#[tokio::test]
async fn a_secret_that_is_none_is_named_and_never_quoted() {
    for text in [
        "{\"username\": \"holdfast_reader\", \"password\": 4711007}",
        "{\"username\": \"holdfast_reader\", \"pasword\": \"4711007\"}",
        "{\"username\": \"4711007\", \"password\": \"\"}",
        "{\"4711007\": ",
        "  \n",
    ] {
        // GIVEN a secret that names no user and password, WHEN it is verified
        let world = World::restored();
        world.logins.keep(SECRET, text);
        let answers = world.all().await;
        // THEN the secret is named, and nothing of it is told or kept
        let last = &answers.last().unwrap()["validation"];
        unproven(&serde_json::from_value(last.clone()).unwrap(), SECRET);
        assert!(!format!("{answers:?}{}", world.documents.everything()).contains("4711007"), "{text:?}");
        assert!(world.server.get(|server| server.logins.is_empty()));
    }
    // GIVEN no such secret
    let gone = format!("{SECRET}-2");
    let world = World { login: Some(Login::SecretArn(gone.clone())), ..World::restored() };
    unproven(&world.verdict().await, &format!("there is no secret {gone}"));
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_makes_the_database_unproven_and_not_lost() {
    for kind in [ErrorKind::AccessDenied, ErrorKind::KeyUnusable] {
        // GIVEN a role that may not read the secret, or may not use its key
        let world = World::restored();
        world.logins.troubles.always(Call::Secret, Trouble::refused(kind));
        // WHEN it is verified, THEN that is the answer, and no error of the restore
        unproven(&world.verdict().await, &kind.to_string());
    }
}

#[tokio::test]
async fn a_secret_that_could_not_be_asked_for_is_asked_for_again() {
    // GIVEN secrets that are not there for a moment
    let world = World::restored();
    world.logins.troubles.once(Call::Secret, Trouble::refused(ErrorKind::ServiceUnavailable));
    // WHEN it is verified, THEN nothing was decided, and the next attempt proves it
    let error = world.ask(1, &Value::Null).await.unwrap_err();
    assert!(error.kind.retryable());
    assert_eq!(world.kept(), None);
    assert_eq!(world.verdict().await.verdict, Verdict::Valid);
}

#[tokio::test]
async fn a_login_that_fails_for_a_while_is_tried_again() {
    // GIVEN a name and a network path that are new
    let world = World::restored();
    let unreachable = ConnectError::Unreachable("no such host yet".into());
    world.server.set(|server| (server.failing_logins, server.refusal) = (5, Some(unreachable)));
    // WHEN it is verified, THEN each failure waits a little longer, and then it is proven
    let answers = world.all().await;
    let waits: Vec<u64> = answers.iter().filter_map(|answer| answer["waitSeconds"].as_u64()).collect();
    assert_eq!(waits.len(), 5);
    assert!(waits.is_sorted() && waits[0] < waits[4], "{waits:?}");
    assert_eq!(answers[0]["carry"], json!({"failedLogins": 1}));
    assert_eq!(answers.last().unwrap()["validation"]["verdict"], "VALID");
}

#[tokio::test]
async fn a_login_that_keeps_failing_proves_nothing() {
    // GIVEN a password that is another one
    let world = World::restored();
    world.server.set(|server| server.admitted.clear());
    // WHEN it was tried for a while, THEN nothing is proven, and nothing is said against the data
    let answers = world.all().await;
    assert!((8..30).contains(&answers.len()), "{}", answers.len());
    let found = serde_json::from_value(answers.last().unwrap()["validation"].clone()).unwrap();
    unproven(&found, "could not be checked: wrong credentials");
    assert!(!format!("{answers:?}{}", world.documents.everything()).contains(PASSWORD));
    // GIVEN a certificate that is not RDS's, THEN no wait can mend it
    let world = World::restored();
    let tls = ConnectError::Tls("unknown authority".into());
    world.server.set(|server| (server.failing_logins, server.refusal) = (99, Some(tls)));
    unproven(&world.verdict().await, "unknown authority");
    assert_eq!(world.server.get(|server| server.logins.len()), 1);
}

#[tokio::test]
async fn a_server_that_closes_while_it_is_worked_on_is_tried_for_a_while_from_then() {
    // GIVEN four failures, a plan, a first unit, and a server that closes then
    let world = World::restored();
    let gone = ConnectError::Refused("the database system is starting up".into());
    world.server.set(|server| {
        (server.units, server.time_for) = (3, Some(1));
        (server.failing_logins, server.refusal) = (4, Some(gone));
    });
    let mut carry = json!({});
    for poll in 1..=5 {
        carry = world.ask(poll, &carry).await.unwrap()["carry"].clone();
    }
    // WHEN something was done, THEN the failures before it do not count any more
    assert_eq!((carry["failedLogins"].as_u64(), world.units_kept()), (Some(0), 1));
    world.server.set(|server| server.failing_logins = 11);
    let (mut poll, mut failed) = (5, 0);
    let last = loop {
        poll += 1;
        assert!(poll < 100, "a hundred polls and no end");
        let answer = world.ask(poll, &carry).await.unwrap();
        if answer["status"] == "FINAL" {
            break answer;
        }
        failed = failed.max(answer["carry"]["failedLogins"].as_u64().unwrap());
        carry = answer["carry"].clone();
    };
    assert_eq!((failed, &last["validation"]["verdict"]), (11, &json!("VALID")));
    assert_eq!(world.server.get(|server| server.worked.clone()), [0, 1, 2]);
    assert!(world.documents.now(&operation().plan_key()).is_some());
}
