//! A server of one test, and the command run against it as a process.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use holdfast_local_postgres::{Binaries, CertificateAuthority, Cluster, ClusterOptions};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio_postgres::Client;

/// The superuser's password: in nothing that the command writes.
pub const PASSWORD: &str = "correct-horse@battery";

/// The same in a URL.
pub const PASSWORD_IN_URL: &str = "correct-horse%40battery";

pub struct Server {
    pub cluster: Cluster,
    pub directory: TempDir,
}

impl Server {
    /// A running server with a table of a thousand rows.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = ClusterOptions::new(directory.path().join("data"))
            .password(PASSWORD)
            .setting("autovacuum", "off")
            .fast();
        let authority = CertificateAuthority::new().unwrap();
        let binaries = Binaries::find().await.unwrap();
        let mut cluster = Cluster::create(binaries, authority, options).await.unwrap();
        cluster.start().await.unwrap();
        let server = Server { cluster, directory };
        std::fs::write(server.file("ca.pem"), server.cluster.ca_pem()).unwrap();
        server.sql("postgres", "CREATE DATABASE shop").await;
        server
            .sql(
                "shop",
                "CREATE TABLE orders (id int PRIMARY KEY, total numeric(10,2) NOT NULL, note text);
                 INSERT INTO orders SELECT i, i / 4.0, 'order ' || i FROM generate_series(1, 1000) AS i;
                 CREATE TABLE \"Lines\" (order_id int NOT NULL REFERENCES orders, sku text);
                 INSERT INTO \"Lines\" SELECT i, 'sku' FROM generate_series(1, 1000) AS i",
            )
            .await;
        server
    }

    /// A file of this test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of this test; its path.
    pub fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.file(name), content).unwrap();
        self.path(name)
    }

    /// The path of a file of this test.
    pub fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// The URL, without a password.
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost:{}/shop?sslrootcert={}",
            self.cluster.port(),
            self.path("ca.pem")
        )
    }

    pub async fn connect(&self, database: &str) -> Client {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.cluster.ca_pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
        let (client, connection) =
            tokio_postgres::connect(&self.cluster.connection_string(database), tls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub async fn sql(&self, database: &str, sql: &str) {
        self.connect(database).await.batch_execute(sql).await.unwrap();
    }

    /// How many sessions the command has on the server.
    pub async fn sessions(&self, what: &str) -> i64 {
        let client = self.connect("postgres").await;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast-verify' AND query LIKE $1";
        client.query_one(sql, &[&what]).await.unwrap().get(0)
    }

    /// `holdfast verify` of this server, with the password in PGPASSWORD.
    pub async fn verify(&self, arguments: &[&str]) -> Said {
        let url = self.url();
        run(&[&["--url", &url], arguments].concat(), Some(PASSWORD)).await
    }
}

/// The command, not yet started.
pub fn command(arguments: &[&str], password: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    // No credentials of anybody, no Region: it needs no AWS.
    command.env_clear().arg("verify").args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command
}

/// `holdfast verify` with these arguments.
pub async fn run(arguments: &[&str], password: Option<&str>) -> Said {
    Said::of(&command(arguments, password).output().await.unwrap())
}

/// What the command said.
pub struct Said {
    pub code: i32,
    pub output: String,
    pub errors: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let said = Said {
            code: output.status.code().unwrap(),
            output: text(&output.stdout),
            errors: text(&output.stderr),
        };
        for secret in [PASSWORD, PASSWORD_IN_URL, "hunter2"] {
            let everything = format!("{}{}", said.output, said.errors);
            assert!(!everything.contains(secret), "a password was said: {everything}");
        }
        said
    }

    #[track_caller]
    pub fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.output, self.errors);
        self
    }

    /// Holds that all of this was said on standard output.
    #[track_caller]
    pub fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.output.contains(part), "no {part:?}: {}\n{}", self.output, self.errors);
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|error| panic!("{error}: {}", self.output))
    }
}

/// A manifest that was written.
pub fn manifest(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
