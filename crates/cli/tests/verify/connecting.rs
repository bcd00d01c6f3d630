//! Every way not to get in, and every command line that makes no sense, is one sentence without a password.

use holdfast_local_postgres::{CertificateAuthority, StopMode, free_port};

use crate::server::{PASSWORD, PASSWORD_IN_URL, Server, run};

#[tokio::test]
async fn a_password_comes_from_three_places() {
    let server = Server::start().await;
    let url = server.url();
    let in_url = url.replace("postgres@", &format!("postgres:{PASSWORD_IN_URL}@"));
    let file = server.write("password", &format!("{PASSWORD}\n"));
    run(&["--url", &url, "--password-file", &file], Some("hunter2")).await.ended(0);
    run(&["--url", &in_url], Some("hunter2")).await.ended(0);
    run(&["--url", &url], Some(PASSWORD)).await.ended(0);

    let wrong = run(&["--url", &url], Some("hunter2")).await;
    assert_eq!(wrong.ended(5).errors.matches("wrong credentials").count(), 1, "{}", wrong.errors);
    let none = run(&["--url", &url], None).await;
    assert!(none.ended(5).errors.contains("put it into PGPASSWORD or --password-file"), "{}", none.errors);
    let both = run(&["--url", &in_url, "--password-file", &file], None).await;
    assert!(both.ended(2).errors.starts_with("holdfast: --password-file: "), "{}", both.errors);
}

#[tokio::test]
async fn only_the_named_authority_is_trusted() {
    let server = Server::start().await;
    let foreign = server.write("foreign.pem", CertificateAuthority::new().unwrap().pem());
    let port = server.cluster.port();
    for (parameters, reason) in [
        (format!("?sslrootcert={foreign}"), "TLS: "),
        (format!("?sslmode=require&sslrootcert={foreign}"), "TLS: "),
        (String::new(), "the authorities of Amazon RDS are trusted"),
    ] {
        let said = run(
            &["--url", &format!("postgres://postgres@localhost:{port}/shop{parameters}")],
            Some(PASSWORD),
        )
        .await;
        assert!(said.ended(5).errors.contains(reason), "{}", said.errors);
        assert!(said.errors.starts_with(&format!("holdfast: localhost:{port}: ")), "{}", said.errors);
    }
    let nobody = free_port().unwrap();
    let said = run(&["--url", &format!("postgres://postgres@localhost:{nobody}")], Some(PASSWORD)).await;
    assert!(said.ended(5).errors.contains("unreachable"), "{}", said.errors);
}

#[tokio::test]
async fn in_clear_only_on_this_machine() {
    let mut server = Server::start().await;
    let sockets = server.path("");
    // What the cluster's own configuration says of sockets is overruled by this.
    server.sql("postgres", &format!("ALTER SYSTEM SET unix_socket_directories = '{sockets}'")).await;
    server.sql("postgres", "ALTER SYSTEM SET ssl = off").await;
    server.cluster.stop(StopMode::Fast).await.unwrap();
    server.cluster.set_hba(["host all all 127.0.0.1/32 scram-sha-256", "local all all scram-sha-256"]);
    open_to_everybody(server.directory.path());
    server.cluster.start().await.unwrap();
    let port = server.cluster.port();

    let in_clear = |host: &str| format!("postgres://postgres@{host}:{port}/shop?sslmode=disable");
    for host in ["127.0.0.1".to_owned(), "localhost".to_owned(), sockets.replace('/', "%2F")] {
        let said = run(&["--url", &in_clear(&host)], Some(PASSWORD)).await;
        said.ended(0).says(&["VALID"]);
    }
    for host in ["192.0.2.1", "db.example.com", "localhost.example.com"] {
        let said = run(&["--url", &in_clear(host)], Some(PASSWORD)).await;
        assert!(
            said.ended(2).errors.starts_with("holdfast: --url: sslmode=disable is only"),
            "{}",
            said.errors
        );
    }
    // TLS is not given up because the server has none.
    let said = run(&["--url", &format!("postgres://postgres@127.0.0.1:{port}/shop")], Some(PASSWORD)).await;
    assert!(
        said.ended(5).errors.contains("sslmode=disable is for a server on this machine"),
        "{}",
        said.errors
    );
}

/// The server's user makes its socket here.
fn open_to_everybody(directory: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test]
async fn bad_input_is_one_sentence_that_names_the_flag() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let rubbish = file("rubbish", "{\"hello\": ");
    let empty = file("empty", "");
    let bad_checks = file("checks", r#"{"schema": {"samplePercent": 5}}"#);
    let unknown_checks = file("unknown", r#"{"contents": "off"}"#);
    let twice = file(
        "twice",
        r#"[{"name": "a", "sql": "SELECT true", "expect": "true"}, {"name": "a", "sql": "SELECT 1", "expect": "= 1"}]"#,
    );
    let nowhere = directory.path().join("nowhere/file").display().to_string();
    let here = directory.path().display().to_string();
    let url = "postgres://me@localhost/shop";
    for (flag, value) in [
        ("--against", &nowhere),
        ("--against", &rubbish),
        ("--baseline", &nowhere),
        ("--baseline", &rubbish),
        ("--checks", &nowhere),
        ("--checks", &bad_checks),
        ("--checks", &unknown_checks),
        ("--assertions", &nowhere),
        ("--assertions", &rubbish),
        ("--assertions", &twice),
        ("--write", &nowhere),
        ("--write", &here),
        ("--password-file", &nowhere),
        ("--password-file", &empty),
    ] {
        let said = run(&["--url", url, flag, value], None).await;
        said.ended(2);
        assert!(said.errors.starts_with(&format!("holdfast: {flag}: {value}: ")), "{}", said.errors);
        assert_eq!((said.errors.lines().count(), &*said.output), (1, ""), "{}", said.errors);
    }
    for url in [
        "hunter2".to_owned(),
        "mysql://me:hunter2@localhost/shop".to_owned(),
        "postgres://me:hunter2@localhost/shop?sslmode=maybe".to_owned(),
        format!("postgres://me:hunter2@localhost/shop?sslrootcert={nowhere}"),
        format!("postgres://me:hunter2@localhost/shop?sslrootcert={rubbish}"),
    ] {
        let said = run(&["--url", &url], None).await;
        assert!(said.ended(2).errors.starts_with("holdfast: --url: "), "{}", said.errors);
        assert_eq!(said.errors.lines().count(), 1, "{}", said.errors);
    }
    // Told by the parser of the command line, which repeats what it does not understand.
    for arguments in [
        &["postgres://me:hunter2@localhost/shop"][..],
        &["--url", url, "postgres://me:hunter2@localhost/shop"],
        &["--url", url, "--time-budget", "soon"],
        &["--url", url, "--connections", "0"],
    ] {
        run(arguments, None).await.ended(2);
    }
}
