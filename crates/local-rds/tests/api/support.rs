//! A local RDS of a test's own, the real SDK, and PostgreSQL sessions with `verify-full`.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::{BehaviorVersion, Region, retry::RetryConfig};
use holdfast_local_rds::{Fault, LocalRds, Settings};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub const PASSWORD: &str = "first'password";

/// Nothing follows them.
const END_STATES: [&str; 4] = ["failed", "incompatible-parameters", "incompatible-restore", "storage-full"];

pub struct Local {
    pub rds: LocalRds,
    directory: tempfile::TempDir,
}

impl Local {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(directory.path());
        settings.tuning.speed = 5.0;
        change(&mut settings);
        Self { rds: LocalRds::start(settings).await.unwrap(), directory }
    }

    /// The SDK against one Region, without retries: each call is seen once.
    pub fn client(&self, region: &str) -> Client {
        let config = aws_sdk_rds::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(self.rds.url())
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }

    pub fn fault(&self, json: serde_json::Value) {
        self.rds.order(serde_json::from_value::<Fault>(json).unwrap());
    }

    /// Where the WAL of an instance is archived.
    pub fn archive(&self, resource_id: &str) -> std::path::PathBuf {
        self.directory.path().join("backups").join(resource_id).join("wal")
    }

    /// What all servers wrote.
    pub fn server_logs(&self) -> String {
        let instances = std::fs::read_dir(self.directory.path().join("instances")).unwrap();
        let logs =
            instances.map(|entry| std::fs::read_to_string(entry.unwrap().path().join("data.log")).unwrap());
        logs.collect()
    }

    /// Stops it and checks that nothing of it is left.
    pub async fn stop(self) {
        self.rds.stop().await;
        for part in ["instances", "snapshots", "backups", "server"] {
            assert!(!self.directory.path().join(part).exists(), "{part} must be removed");
        }
    }

    pub async fn create(&self, rds: &Client, id: &str) {
        rds.create_db_instance()
            .db_instance_identifier(id)
            .engine("postgres")
            .db_instance_class("db.t4g.micro")
            .master_username("owner")
            .master_user_password(PASSWORD)
            .db_name("shop")
            .allocated_storage(20)
            .storage_encrypted(true)
            .send()
            .await
            .unwrap();
        self.await_instance(rds, id, "available").await;
    }

    pub async fn snapshot(&self, rds: &Client, instance: &str, id: &str) -> String {
        rds.create_db_snapshot()
            .db_instance_identifier(instance)
            .db_snapshot_identifier(id)
            .send()
            .await
            .unwrap();
        self.await_snapshot(rds, id, &["available", "failed"]).await
    }

    pub async fn await_snapshot(&self, rds: &Client, id: &str, wanted: &[&str]) -> String {
        until(&format!("{id} to be {wanted:?}"), async || {
            let found = rds.describe_db_snapshots().db_snapshot_identifier(id).send().await.unwrap();
            let status = found.db_snapshots()[0].status().unwrap().to_owned();
            wanted.contains(&status.as_str()).then_some(status)
        })
        .await
    }

    pub async fn await_instance(&self, rds: &Client, id: &str, wanted: &str) {
        until(&format!("{id} to be {wanted}"), async || {
            let status = self.status(rds, id).await?;
            assert!(status == wanted || !END_STATES.contains(&status.as_str()), "{id} ended {status}");
            (status == wanted).then_some(())
        })
        .await;
    }

    pub async fn status(&self, rds: &Client, id: &str) -> Option<String> {
        let found = rds.describe_db_instances().db_instance_identifier(id).send().await.ok()?;
        found.db_instances()[0].db_instance_status().map(str::to_owned)
    }

    /// A session over TLS, chain and host name verified.
    pub async fn connect(
        &self,
        rds: &Client,
        id: &str,
        password: &str,
        database: &str,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let found = rds.describe_db_instances().db_instance_identifier(id).send().await.unwrap();
        let endpoint = found.db_instances()[0].endpoint().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.rds.ca_pem().as_bytes()).unwrap()).unwrap();
        let tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        let (client, connection) = tokio_postgres::Config::new()
            .host(endpoint.address().unwrap())
            .port(u16::try_from(endpoint.port().unwrap()).unwrap())
            .user("owner")
            .password(password)
            .dbname(database)
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls))
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Damages a snapshot of us-east-1; answers what was damaged and how, or why it was not.
    pub async fn damage(&self, snapshot: &str, mut order: Value) -> Result<(String, String), String> {
        order["region"] = json!("us-east-1");
        order["snapshot"] = json!(snapshot);
        let (status, body) = ask(&self.rds.url(), "POST", "/_local/damage", &order.to_string()).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        if status == 200 { Ok((text("damaged"), text("detail"))) } else { Err(text("error")) }
    }

    /// Runs SQL on an instance of us-east-1 as its superuser; answers the rows.
    pub async fn sql(&self, instance: &str, database: &str, sql: &str) -> Value {
        let order = json!({"region": "us-east-1", "instance": instance, "database": database, "sql": sql});
        let (status, body) = ask(&self.rds.url(), "POST", "/_local/sql", &order.to_string()).await;
        assert_eq!(status, 200, "{body}");
        parse((status, body))["rows"].clone()
    }

    /// Restores under the snapshot's own name, with a parameter group or the default one.
    pub async fn restore(&self, rds: &Client, snapshot: &str, group: Option<&str>) {
        rds.restore_db_instance_from_db_snapshot()
            .db_snapshot_identifier(snapshot)
            .db_instance_identifier(snapshot)
            .set_db_parameter_group_name(group.map(str::to_owned))
            .send()
            .await
            .unwrap();
        self.await_instance(rds, snapshot, "available").await;
    }

    /// A table that is large enough to have several pages.
    pub async fn fill(&self, rds: &Client, id: &str) {
        let session = self.connect(rds, id, PASSWORD, "shop").await.unwrap();
        session
            .batch_execute(
                "create table orders (id bigint primary key, note text not null);
                 insert into orders select n, repeat('x', 200) from generate_series(1, 2000) n;
                 create table small (id int)",
            )
            .await
            .unwrap();
    }
}

/// One HTTP request; answers status and body.
pub async fn ask(url: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub fn parse(answer: (u16, String)) -> Value {
    serde_json::from_str(&answer.1).unwrap()
}

/// Asks until there is an answer, for at most 30 s.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// The code on the wire.
pub fn code<T: std::fmt::Debug, E>(
    result: Result<T, aws_sdk_rds::error::SdkError<E, aws_sdk_rds::config::http::HttpResponse>>,
) -> String
where
    E: aws_sdk_rds::error::ProvideErrorMetadata + std::fmt::Debug,
{
    let error = result.expect_err("the call must be refused");
    error.as_service_error().and_then(|error| error.code()).unwrap_or("no code").to_owned()
}
