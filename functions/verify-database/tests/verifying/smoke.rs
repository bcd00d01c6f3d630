//! What uses a database that was swapped in: real addresses, and statements on a server in memory.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use holdfast_core::operation::SwapResult;
use holdfast_core::request::{Login, RestoreRequest};
use holdfast_core::validation::CheckResult;
use holdfast_fakes::sample::home;
use serde_json::{Value, json};

use crate::server::check;
use crate::support::{SECRET, World, operation};

/// Answers every request in the same way, until the test ends.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://127.0.0.1:{port}/health")
}

const UP: &str = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\nall is well";

impl World {
    /// One try of `checks`, `seconds` after the first.
    async fn smoke(&self, checks: &Value, carry: &Value, seconds: i64) -> Value {
        let input = json!({"databaseId": "prod-db", "runId": "back-1", "swap": {"smokeChecks": checks}});
        let swap = SwapResult {
            instance_id: "prod-db".into(),
            endpoint: Some(World::endpoint()),
            old_id: None,
            old_stopped: false,
            outage_seconds: None,
            lost_seconds: None,
            repointed: vec![],
            smoke_checks: vec![],
            undone: false,
        };
        let payload = json!({
            "action": "smoke", "operationId": operation(), "plan": self.plan(), "swap": swap, "carry": carry,
            "request": RestoreRequest::parse(&input, "unused", &home()).unwrap(),
        });
        self.call(payload, seconds).await.unwrap()
    }

    /// Why the only one of `checks` did not pass, at once and for good.
    async fn wrong(&self, checks: Value) -> String {
        let mut checks = checks;
        checks["withinSeconds"] = json!(1);
        let answer = self.smoke(&checks, &json!({"since": holdfast_fakes::sample::at(0)}), 1).await;
        assert_eq!((&answer["status"], &answer["passed"]), (&json!("FINAL"), &json!(false)), "{answer}");
        answer["smokeChecks"][0]["reason"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_address_must_answer_as_it_is_to() {
    let world = World::restored();
    let url = answering(UP);
    let good = json!({"http": [{"url": url, "contains": "is well"}]});
    let answer = world.smoke(&good, &json!({}), 0).await;
    assert_eq!((&answer["status"], &answer["passed"]), (&json!("FINAL"), &json!(true)), "{answer}");
    let busy = answering("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let moved =
        answering("HTTP/1.1 302 Moved\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let http = |check: Value| json!({"http": [check]});
    assert_eq!(world.wrong(http(json!({"url": busy}))).await, "it answered 503, not 200");
    assert_eq!(world.wrong(http(json!({"url": moved}))).await, "it answered 302, not 200");
    assert!(world.smoke(&http(json!({"url": moved, "status": 302})), &json!({}), 0).await["passed"] == true);
    let contains = json!({"url": url, "contains": "on fire"});
    assert_eq!(world.wrong(http(contains)).await, "its answer does not contain \"on fire\"");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let reason = world.wrong(http(json!({"url": format!("http://127.0.0.1:{nobody}/")}))).await;
    assert!(reason.starts_with("no answer: "), "{reason}");
    // What it says is nobody's business: it may be anything.
    let secret = answering("HTTP/1.1 500 X\r\ncontent-length: 6\r\nconnection: close\r\n\r\ns3cret");
    let answer = world.smoke(&http(json!({"url": secret})), &json!({}), 0).await;
    assert!(!answer.to_string().contains("s3cret"), "{answer}");
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\nconnection: close\r\n\r\n{}",
        "x".repeat(100_000)
    );
    let url = answering(long.leak());
    let reason = World::restored().wrong(json!({"http": [{"url": url, "contains": "y"}]})).await;
    assert_eq!(reason, "its answer is longer than 65536 bytes");
}

#[tokio::test]
async fn they_may_fail_for_as_long_as_the_input_says() {
    let world = World::restored();
    let busy = answering("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let checks = json!({"http": [{"url": busy}], "withinSeconds": 60});
    let first = world.smoke(&checks, &json!({}), 100).await;
    assert_eq!(first["status"], "WAITING", "{first}");
    assert!(first["progress"]["message"].as_str().unwrap().contains("it answered 503"), "{first}");
    let later = world.smoke(&checks, &first["carry"], 159).await;
    assert_eq!((&later["status"], &later["carry"]), (&json!("WAITING"), &first["carry"]));
    assert_eq!(world.smoke(&checks, &first["carry"], 160).await["passed"], false);
}

#[tokio::test]
async fn a_statement_must_hold_where_the_new_one_listens() {
    let sql = json!({"sql": [{"name": "orders", "sql": "select true", "expect": "true"}]});
    let world = World::restored();
    world.server.set(|server| server.checks = vec![check("assertion: orders", CheckResult::Passed)]);
    let answer = world.smoke(&sql, &json!({}), 0).await;
    assert_eq!(answer["passed"], true, "{answer}");
    assert!(world.server.get(|server| server.logins.iter().all(|(host, _)| *host == World::endpoint().host)));
    // Only the statements are asked: nothing is proven again, and nothing is created.
    world.server.get(|server| {
        let options = server.options.last().unwrap();
        assert_eq!((options.assertions.len(), options.may_create_extensions), (1, false));
        assert_eq!(options.checks.content, holdfast_core::validation::Coverage::Off);
    });
    for (checks, said) in [
        (vec![check("assertion: orders", CheckResult::Failed)], "rows are missing"),
        (vec![check("assertion: orders", CheckResult::NotRun)], "it did not pass"),
        (
            vec![
                check("assertion: orders", CheckResult::Passed),
                check("assertion: orders", CheckResult::Errored),
            ],
            "it did not pass",
        ),
        (vec![check("content", CheckResult::Passed)], "it was asked nowhere"),
    ] {
        world.server.set(|server| server.checks = checks);
        assert_eq!(world.wrong(sql.clone()).await, said);
    }
}

#[tokio::test]
async fn without_a_login_no_statement_holds() {
    let sql = json!({"sql": [{"name": "orders", "sql": "select true", "expect": "true"}]});
    let passing = vec![check("assertion: orders", CheckResult::Passed)];
    let mut world = World::restored();
    world.server.set(|server| server.checks = passing);
    world.logins.keep(SECRET, r#"{"username": "holdfast_reader", "password": "another"}"#);
    assert!(world.wrong(sql.clone()).await.starts_with("no login: "));
    world.login = Some(Login::SecretArn(format!("{SECRET}x")));
    assert!(world.wrong(sql.clone()).await.contains("there is no secret"));
    world.login = None;
    assert!(world.wrong(sql).await.contains("nobody said how to log in"));
}
