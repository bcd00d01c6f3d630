//! `/_local/` and the program itself: options, signals, what is left behind.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Local, ask, parse, until};

#[tokio::test(flavor = "multi_thread")]
async fn faults_tuning_and_damage_are_ordered_over_http() {
    let local = Local::start().await;
    let url = local.rds.url();
    assert_eq!(parse(ask(&url, "GET", "/_local/ready", "").await)["ready"], true);
    assert!(ask(&url, "GET", "/_local/ca.pem", "").await.1.starts_with("-----BEGIN CERTIFICATE"));
    assert_eq!(ask(&url, "GET", "/", "").await.0, 200);

    let fault =
        json!({"action": "X", "times": 2, "effect": {"type": "damage", "kind": "dropTable"}}).to_string();
    assert_eq!(ask(&url, "POST", "/_local/faults", &fault).await.0, 201);
    assert_eq!(
        ask(&url, "POST", "/_local/faults", r#"{"action":"X","effect":{"type":"boom"}}"#).await.0,
        400
    );
    let listed = parse(ask(&url, "GET", "/_local/faults", "").await);
    assert_eq!((&listed[0]["times"], &listed[0]["effect"]["kind"]), (&json!(2), &json!("dropTable")));
    assert_eq!(parse(ask(&url, "DELETE", "/_local/faults", "").await)["cleared"], 1);

    let changed = parse(ask(&url, "PUT", "/_local/tuning", r#"{"maxManualSnapshots":1}"#).await);
    assert_eq!((&changed["maxManualSnapshots"], &changed["speed"]), (&json!(1), &json!(5.0)));
    assert_eq!(ask(&url, "PUT", "/_local/tuning", r#"{"typing":1}"#).await.0, 400);

    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    local.fill(&rds, "prod-db").await;
    local.snapshot(&rds, "prod-db", "s").await;
    let damage = json!({"region": "us-east-1", "snapshot": "s", "kind": "flipHeapBytes"}).to_string();
    let damaged = parse(ask(&url, "POST", "/_local/damage", &damage).await);
    assert_eq!(damaged["damaged"], "shop.public.orders");
    let damage =
        json!({"region": "us-east-1", "snapshot": "s", "kind": "flipHeapBytes", "typing": 1}).to_string();
    assert_eq!(ask(&url, "POST", "/_local/damage", &damage).await.0, 400);
    let fault = json!({"action": "X", "effect": {"type": "damage", "kind": "runSql"}}).to_string();
    assert_eq!(ask(&url, "POST", "/_local/faults", &fault).await.0, 400, "there is no SQL in it");
    assert_eq!(
        local.sql("prod-db", "shop", "select 1, null; select current_user").await,
        json!([["1", null], ["rdsadmin"]])
    );
    let servers = parse(ask(&url, "GET", "/_local/servers", "").await);
    assert!(servers[0]["pid"].as_u64().is_some(), "{servers}");
    let calls = parse(ask(&url, "GET", "/_local/calls?resource=s", "").await);
    assert_eq!(calls["counts"]["CreateDBSnapshot"]["us-east-1"], 1);
    assert!(calls["counts"]["CreateDBInstance"].is_null());
    local.stop().await;
}

async fn program(data_dir: &Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_holdfast-local-rds"))
        .args(["--port", "0", "--speed", "10", "--data-dir"])
        .arg(data_dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    (child, line.trim().to_owned())
}

async fn an_instance(url: &str) -> u32 {
    let form = "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=a&Engine=postgres\
                &DBInstanceClass=db.t4g.micro&MasterUsername=owner&MasterUserPassword=password1\
                &X-Amz-Credential=test/20261120/us-east-1/rds/aws4_request";
    assert_eq!(ask(url, "POST", "/", form).await.0, 200);
    until("a server", async || {
        let servers = parse(ask(url, "GET", "/_local/servers", "").await);
        servers[0]["pid"].as_u64().map(|pid| u32::try_from(pid).unwrap())
    })
    .await
}

fn lives(pid: u32) -> bool {
    let output =
        std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout);
    !state.trim().is_empty() && !state.starts_with('Z')
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_leaves_nothing_and_a_kill_is_cleaned_up_next_time() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("rds");
    let (mut killed, url) = program(&data_dir).await;
    let orphan = an_instance(&url).await;
    killed.kill().await.unwrap();
    assert!(lives(orphan), "nobody could stop it");

    let (mut child, url) = program(&data_dir).await;
    until("the orphan to be stopped", async || (!lives(orphan)).then_some(())).await;
    let server = an_instance(&url).await;
    let terminated =
        std::process::Command::new("kill").arg(child.id().unwrap().to_string()).status().unwrap();
    assert!(terminated.success());
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.unwrap().unwrap();
    assert!(status.success() && !lives(server) && !data_dir.exists());
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let run = |bindir: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast-local-rds"));
        command.args(["--port", "0", "--data-dir"]).arg(directory.path().join("rds"));
        if !bindir.is_empty() {
            command.env("HOLDFAST_PG_BINDIR", bindir);
        }
        command.output()
    };
    let output = run("/nowhere").await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("HOLDFAST_PG_BINDIR=/nowhere"), "{said}");
    assert!(said.contains("apt-get install postgresql"), "{said}");

    let (mut first, _url) = program(&directory.path().join("rds")).await;
    let output = run("").await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("another local RDS is running"), "{said}");
    first.kill().await.unwrap();
}
