//! A server of one test, and questions to what came out of `verify`.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_core::validation::{Check, CheckResult};
use holdfast_local_postgres::{Binaries, CertificateAuthority, Cluster, ClusterOptions, StopMode};
use holdfast_verify::{Options, Outcome, Target, verify};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tempfile::TempDir;
use tokio_postgres::Client;

/// The superuser's password: found in no message and no report.
pub const PASSWORD: &str = "correct-horse-battery";

pub const PAGE: u64 = 8192;

pub struct Server {
    pub cluster: Cluster,
    _directory: TempDir,
}

impl Server {
    /// A running server, isolated as a validation instance is.
    pub async fn start() -> Self {
        Self::start_with(&[("max_logical_replication_workers", "0")]).await
    }

    /// One of another major version.
    pub async fn of(binaries: Binaries) -> Self {
        Self::with(binaries, &[("max_logical_replication_workers", "0")]).await
    }

    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::with(Binaries::find().await.unwrap(), settings).await
    }

    pub async fn with(binaries: Binaries, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = ClusterOptions::new(directory.path().join("data"))
            .password(PASSWORD)
            .setting("max_connections", "20")
            .setting("autovacuum", "off")
            .fast();
        for (name, value) in settings {
            options = options.setting(*name, *value);
        }
        let authority = CertificateAuthority::new().unwrap();
        let mut cluster = Cluster::create(binaries, authority, options).await.unwrap();
        cluster.start().await.unwrap();
        Server { cluster, _directory: directory }
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

    /// One value, as text.
    pub async fn value(&self, database: &str, sql: &str) -> String {
        let client = self.connect(database).await;
        client.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap().get(0)
    }

    /// Waits until a question has an answer.
    pub async fn until(&self, database: &str, question: &str, answer: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.value(database, question).await != answer {
            assert!(Instant::now() < deadline, "{question} is not {answer}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A new database made by this SQL.
    pub async fn database(&self, name: &str, sql: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        self.sql(name, sql).await;
    }

    /// The database that has everything.
    pub async fn shop(&self, name: &str) {
        self.database(name, include_str!("shop.sql")).await;
    }

    pub fn target(&self) -> Target {
        let (port, ca_pem) = (self.cluster.port(), self.cluster.ca_pem());
        Target::new("localhost", port, "postgres", PASSWORD.into(), ca_pem)
    }

    pub async fn verify(&self) -> Seen {
        self.verify_with(&Options::default()).await
    }

    pub async fn verify_with(&self, options: &Options) -> Seen {
        Seen::new(verify(&self.target(), options).await.unwrap())
    }

    pub async fn verify_as(&self, user: &str, password: &str, options: &Options) -> Seen {
        let mut target = self.target();
        target.user = user.into();
        target.password = password.into();
        Seen::new(verify(&target, options).await.unwrap())
    }

    /// The main file of a table, flushed.
    pub async fn file_of(&self, database: &str, table: &str) -> PathBuf {
        self.sql(database, "CHECKPOINT").await;
        let path = self.value(database, &format!("pg_relation_filepath('{table}')")).await;
        self.cluster.data_dir().join(path)
    }

    /// Changes files while the server is down.
    pub async fn while_stopped(&mut self, damage: impl FnOnce()) {
        self.cluster.stop(StopMode::Fast).await.unwrap();
        damage();
        self.cluster.start().await.unwrap();
    }
}

/// Flips every bit of one byte.
pub fn flip(file: &PathBuf, offset: u64) {
    let file = std::fs::File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
}

/// Of the checks that can be switched off, these alone: what others find is held by other tests.
pub fn only(checks: &[&str]) -> Options {
    let all = [
        "content",
        "storage",
        "indexes",
        "uniqueness",
        "foreignKeys",
        "constraints",
        "sequences",
        "collations",
        "leftovers",
    ];
    let off =
        all.iter().filter(|check| !checks.contains(check)).map(|check| ((*check).to_owned(), "off".into()));
    let settings = serde_json::Value::Object(off.collect());
    Options { checks: serde_json::from_value(settings).unwrap(), ..Options::default() }
}

/// What `verify` saw, asked by check and scope.
pub struct Seen {
    pub outcome: Outcome,
}

impl Seen {
    fn new(outcome: Outcome) -> Self {
        let everything = format!("{outcome:?}");
        assert!(!everything.contains(PASSWORD), "a password is in the outcome");
        Seen { outcome }
    }

    #[track_caller]
    pub fn check(&self, name: &str, scope: &str) -> &Check {
        let mut found = self.outcome.checks.iter().filter(|check| check.name == name && check.scope == scope);
        let check =
            found.next().unwrap_or_else(|| panic!("no check {name} of {scope}: {:#?}", self.outcome.checks));
        assert!(found.next().is_none(), "{name} of {scope} is there twice");
        check
    }

    /// Holds that a check has this result and, if it found anything, that a finding has this object
    /// and speaks of this.
    #[track_caller]
    pub fn expect(&self, name: &str, scope: &str, result: CheckResult, object: &str, message: &str) {
        let check = self.check(name, scope);
        assert_eq!(check.result, result, "{check:#?}");
        assert!(
            check
                .findings
                .iter()
                .any(|finding| finding.object == object && finding.message.contains(message)),
            "no finding of {object:?} with {message:?}: {check:#?}"
        );
    }

    /// Why an object was not looked at by a check, if it was not.
    pub fn not_checked(&self, check: &str, object: &str) -> Option<&str> {
        let mut entries = self.outcome.not_checked.iter();
        let entry = entries.find(|entry| entry.check == check && entry.object.as_deref() == Some(object));
        entry.map(|entry| entry.reason.as_str())
    }

    #[track_caller]
    pub fn reason(&self, name: &str, scope: &str) -> &str {
        self.check(name, scope).reason.as_deref().unwrap()
    }

    /// Holds that everything passed but these.
    #[track_caller]
    pub fn all_passed_but(&self, but: &[(&str, &str)]) {
        for check in &self.outcome.checks {
            let excepted = but.contains(&(&check.name, &check.scope));
            assert_eq!(check.result != CheckResult::Passed, excepted, "{check:#?}");
        }
    }

    pub fn fingerprint(&self, database: &str, table: &str) -> &str {
        &self.outcome.manifest.databases[database].tables[table].fingerprint
    }

    pub fn rows(&self, database: &str, table: &str) -> u64 {
        self.outcome.manifest.databases[database].tables[table].rows
    }
}
