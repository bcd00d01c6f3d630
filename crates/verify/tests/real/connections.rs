//! Every way not to get in has its name, and none tells the password.

use std::time::{Duration, Instant};

use holdfast_core::validation::{Assertion, CheckResult::*, Expectation, Verdict, verdict};
use holdfast_local_postgres::{CertificateAuthority, free_port};
use holdfast_verify::{ConnectError, Options, Tls, connect_probe, verify};

use crate::server::{PASSWORD, Server};

#[tokio::test]
async fn every_refusal_has_its_name() {
    let server = Server::start().await;
    let good = server.target();
    connect_probe(&good).await.unwrap();
    assert!(!format!("{good:?}").contains(PASSWORD));

    let mut wrong = good.clone();
    wrong.password = "not-the-password".into();
    let error = connect_probe(&wrong).await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongCredentials(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("not-the-password"));
    assert!(matches!(verify(&wrong, &Options::default()).await, Err(ConnectError::WrongCredentials(_))));

    let mut foreign = good.clone();
    foreign.tls = Tls::Verify { ca_pem: CertificateAuthority::new().unwrap().pem().to_owned() };
    let error = connect_probe(&foreign).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    assert!(!error.is_retryable());

    // The same server by a name its certificate does not carry.
    let mut renamed = good.clone();
    renamed.host = "127.1".into();
    let error = connect_probe(&renamed).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");

    let mut nobody = good.clone();
    nobody.port = free_port().unwrap();
    let error = connect_probe(&nobody).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");

    // One that accepts and never speaks.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut hanging = good.clone();
    hanging.port = silent.local_addr().unwrap().port();
    hanging.connect_timeout = Duration::from_millis(300);
    let since = Instant::now();
    let error = connect_probe(&hanging).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(since.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let server = Server::start().await;
    server.sql("postgres", "ALTER SYSTEM SET ssl = off").await;
    server.sql("postgres", "SELECT pg_reload_conf()").await;
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match connect_probe(&server.target()).await {
            Err(ConnectError::Tls(message)) => {
                break assert!(message.contains("does not support TLS"), "{message}");
            }
            other => assert!(Instant::now() < end, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn assertion(name: &str, sql: &str) -> Assertion {
    Assertion {
        name: name.into(),
        database: Some("postgres".into()),
        sql: sql.into(),
        expect: Expectation::True,
        show_rows: false,
    }
}

#[tokio::test]
async fn a_lost_connection_costs_one_check() {
    let server = Server::start().await;
    server.sql("postgres", "CREATE TABLE t AS SELECT 1 AS n").await;
    let options = Options {
        assertions: vec![
            // Not as the role that assertions are asked as: it may not.
            assertion(
                "suicide",
                "SELECT pg_terminate_backend(pg_backend_pid() + length(set_config('role', 'none', true)) - 4)",
            ),
            assertion("after", "SELECT true"),
        ],
        ..Options::default()
    };
    let seen = server.verify_with(&options).await;
    seen.expect("assertion: suicide", "postgres", Errored, "suicide", "connection was lost");
    assert_eq!(seen.check("assertion: after", "postgres").result, Passed);
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Inconclusive);
}

#[tokio::test]
async fn what_is_too_late_is_not_run() {
    let server = Server::start().await;
    server.sql("postgres", "CREATE TABLE t AS SELECT 1 AS n").await;
    let none = Options { time_budget: Duration::ZERO, ..Options::default() };
    // Not even looked at: no outcome that could be taken for one.
    let refused = verify(&server.target(), &none).await.unwrap_err();
    assert!(
        matches!(&refused, ConnectError::Refused(message) if message.contains("time budget")),
        "{refused:?}"
    );

    let little = Options {
        assertions: vec![assertion("slow", "SELECT pg_sleep(60) IS NULL"), assertion("late", "SELECT true")],
        time_budget: Duration::from_secs(3),
        ..Options::default()
    };
    let since = Instant::now();
    let seen = server.verify_with(&little).await;
    assert!(since.elapsed() < Duration::from_secs(10));
    seen.expect("assertion: slow", "postgres", Errored, "slow", "a whole call was not enough");
    assert_eq!(seen.check("assertion: late", "postgres").result, Errored);
    assert_eq!(verdict(&seen.outcome.checks), Verdict::Inconclusive);
    assert_eq!(seen.check("content", "postgres").result, Passed);
}
