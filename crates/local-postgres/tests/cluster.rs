//! A real cluster: made, started, written to over verified TLS, copied, opened, stopped.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use holdfast_local_postgres::{
    Binaries, CertificateAuthority, Cluster, ClusterOptions, Error, StopMode, copy_tree, stop_leftovers,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// Connects with `verify-full`: the chain to the authority and the host name are both checked.
async fn connect(cluster: &Cluster) -> tokio_postgres::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cluster.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
    let (client, connection) =
        tokio_postgres::connect(&cluster.connection_string("postgres"), tls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn options(directory: &Path) -> ClusterOptions {
    ClusterOptions::new(directory).superuser("boss").password("it's \\ a secret").fast()
}

fn lives(pid: u32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), None).is_ok()
}

#[tokio::test]
async fn a_cluster_lives_is_copied_and_dies() {
    let directory = tempfile::tempdir().unwrap();
    let binaries = Binaries::find().await.unwrap();
    assert!(binaries.major_version().parse::<u32>().unwrap() >= 12);
    let authority = CertificateAuthority::new().unwrap();
    let first = directory.path().join("first");
    let mut cluster = Cluster::create(binaries.clone(), authority.clone(), options(&first)).await.unwrap();
    cluster.start().await.unwrap();
    let client = connect(&cluster).await;
    client.batch_execute("create table t as select generate_series(1, 1000) as n").await.unwrap();
    let checksums = client.query_one("show data_checksums", &[]).await.unwrap();
    assert_eq!(checksums.get::<_, &str>(0), "on");
    let row = client.query_one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[]).await;
    assert!(row.unwrap().get::<_, bool>(0), "the session must be encrypted");
    let pid = cluster.pid().unwrap();
    cluster.stop(StopMode::Fast).await.unwrap();
    assert!(!lives(pid) && cluster.pid().is_none());

    let second = directory.path().join("second");
    copy_tree(&first, &second, &|path| path.starts_with("server.key")).unwrap();
    let mut copy =
        Cluster::open(binaries, authority, options(&second).setting("work_mem", "5MB")).await.unwrap();
    copy.start().await.unwrap();
    let client = connect(&copy).await;
    let row = client.query_one("select count(*), current_setting('work_mem') from t", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (1000, "5MB"));
    let pid = copy.pid().unwrap();
    drop(copy);
    assert!(!lives(pid), "a dropped cluster must leave no server");
}

#[tokio::test]
async fn every_installed_major_runs() {
    let authority = CertificateAuthority::new().unwrap();
    let majors = Binaries::majors().await.unwrap_or_else(|error| panic!("{error}"));
    for binaries in majors {
        let directory = tempfile::tempdir().unwrap();
        let version = binaries.version().to_owned();
        let options = options(&directory.path().join("data"));
        let mut cluster = Cluster::create(binaries, authority.clone(), options).await.unwrap();
        cluster.start().await.unwrap();
        let client = connect(&cluster).await;
        let row = client
            .query_one(
                "select version(), current_setting('data_checksums'), ssl from pg_stat_ssl \
                 where pid = pg_backend_pid()",
                &[],
            )
            .await
            .unwrap();
        let says: &str = row.get(0);
        assert!(says.starts_with(&format!("PostgreSQL {version} ")), "{version}: {says}");
        assert_eq!((row.get::<_, &str>(1), row.get::<_, bool>(2)), ("on", true), "{version}");
        let pid = cluster.pid().unwrap();
        cluster.stop(StopMode::Fast).await.unwrap();
        assert!(!lives(pid), "{version}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let binaries = Binaries::find().await.unwrap();
    let authority = CertificateAuthority::new().unwrap();
    let options = options(&directory.path().join("data")).setting("work_mem", "plenty");
    let mut cluster = Cluster::create(binaries, authority, options).await.unwrap();
    match cluster.start().await {
        Err(Error::NotStarted { log }) => assert!(log.contains("work_mem"), "{log}"),
        other => panic!("expected NotStarted, got {other:?}"),
    }
}

#[tokio::test]
async fn leftovers_of_a_killed_process_are_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let binaries = Binaries::find().await.unwrap();
    let authority = CertificateAuthority::new().unwrap();
    let options = options(&directory.path().join("data"));
    let mut cluster = Cluster::create(binaries, authority, options).await.unwrap();
    cluster.start().await.unwrap();
    assert_eq!(stop_leftovers(directory.path()).unwrap(), 1);
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while cluster.is_running() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    stopped.await.unwrap();
}
