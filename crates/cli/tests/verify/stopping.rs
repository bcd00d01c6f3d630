//! Who stops it leaves nothing running, here or on the server.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::server::{PASSWORD, Said, Server, command};

/// The server sleeps far longer than any of this may take.
const SLEEP: &str = "SELECT pg_sleep(600) IS NULL";

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < give_up, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_signal_ends_the_statements_on_the_server_too() {
    let server = Server::start().await;
    let assertions =
        json!([{"name": "sleeps", "database": "shop", "sql": SLEEP, "expect": "true"}]).to_string();
    let assertions = server.write("assertions.json", &assertions);
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let child = command(&["--url", &server.url(), "--assertions", &assertions], Some(PASSWORD))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("it never came to the assertion", async || server.sessions("%pg_sleep%").await > 0).await;
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
        let said = Said::of(&child.wait_with_output().await.unwrap());
        assert!(said.ended(code).errors.contains("Stopped; nothing is proven"), "{}", said.errors);
        until("it goes on on the server", async || server.sessions("%").await == 0).await;
    }
}
