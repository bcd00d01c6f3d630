//! PostgreSQL behind an instance: what RDS sets up in it, and how parameter groups reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use holdfast_local_postgres::{Binaries, Cluster, ClusterOptions, Error as ClusterError};
use tokio_postgres::{NoTls, SimpleQueryMessage, SimpleQueryRow};

use crate::app::App;
use crate::lock;

/// The superuser that RDS keeps to itself, and its database.
pub(crate) const ADMIN: &str = "rdsadmin";

/// Why work on a cluster failed: for the log, callers see a status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("cannot {what}: {cause}")]
    Sql { what: &'static str, cause: tokio_postgres::Error },
    #[error("cannot {what}: {cause}")]
    Files { what: &'static str, cause: std::io::Error },
    #[error("{0}")]
    Refused(String),
}

/// An error with what the server said: only for statements that hold no secret.
pub(crate) fn said(what: &'static str) -> impl Fn(tokio_postgres::Error) -> EngineError {
    move |cause| match cause.as_db_error() {
        Some(error) => EngineError::Refused(format!("cannot {what}: {}", error.message())),
        None => EngineError::Sql { what, cause },
    }
}

/// Settings for postgresql.conf, and whether clients must use TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) force_ssl: bool,
    /// Where finished WAL segments go.
    pub(crate) archive: Option<PathBuf>,
}

/// What a parameter group asks for. `rds.*` parameters are not PostgreSQL's: two of them are translated.
pub(crate) fn configuration(app: &App, region: &str, group: &str) -> Configuration {
    let parameters = lock(&app.world)
        .region(region)
        .parameter_groups
        .get(group)
        .map(|group| group.parameters.clone())
        .unwrap_or_default();
    let since_15 = app.binaries.major_version().parse::<u32>().is_ok_and(|major| major >= 15);
    let mut configuration = Configuration { force_ssl: since_15, ..Configuration::default() };
    for (name, (value, _)) in parameters {
        match name.as_str() {
            "rds.force_ssl" => configuration.force_ssl = value == "1",
            "rds.logical_replication" if value == "1" => replicate(&mut configuration.settings),
            "shared_preload_libraries" => {
                // What only RDS ships cannot be loaded here.
                let ours =
                    value.split(',').map(str::trim).filter(|name| !matches!(*name, "rdsutils" | "pg_cron"));
                configuration.settings.insert(name, ours.collect::<Vec<_>>().join(","));
            }
            _ if name.starts_with("rds.") || value.starts_with('{') || value.is_empty() => {}
            _ => {
                configuration.settings.insert(name, value);
            }
        }
    }
    configuration
}

/// What `rds.logical_replication` stands for; numbers that the group names itself stay.
fn replicate(settings: &mut BTreeMap<String, String>) {
    settings.insert("wal_level".to_owned(), "logical".to_owned());
    for name in ["max_replication_slots", "max_wal_senders"] {
        settings.entry(name.to_owned()).or_insert_with(|| "20".to_owned());
    }
}

/// For a server that nobody is to notice: a subscription in it would take the slot of the one that
/// it was copied from.
pub(crate) fn alone() -> Configuration {
    let settings = [("max_logical_replication_workers", "0"), ("autovacuum", "off")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Configuration { settings: settings.into(), ..Configuration::default() }
}

/// Who may connect how: `rdsadmin` from here, nobody else to its database, all others as the group says.
fn hba(configuration: &Configuration) -> Vec<String> {
    let kind = if configuration.force_ssl { "hostssl" } else { "host" };
    [
        format!("host all {ADMIN} 127.0.0.1/32 scram-sha-256"),
        // Physical replication is RDS's own; logical replication names a database and falls under the last line.
        format!("host replication {ADMIN} 127.0.0.1/32 scram-sha-256"),
        format!("host {ADMIN} all 127.0.0.1/32 reject"),
        format!("{kind} all all 127.0.0.1/32 scram-sha-256"),
    ]
    .to_vec()
}

fn options(app: &App, directory: &Path, port: u16, configuration: &Configuration) -> ClusterOptions {
    let options = ClusterOptions::new(directory)
        // A small one: each time that the latest restorable time moves on costs a segment.
        .segment_megabytes(1)
        .port(port)
        .superuser(ADMIN)
        .password(&app.admin_password)
        .settings(configuration.settings.clone())
        .hba(hba(configuration))
        .fast();
    match &configuration.archive {
        Some(archive) => options.archive(archive),
        None => options,
    }
}

/// A new cluster, not started.
pub(crate) async fn create(
    app: &App,
    directory: &Path,
    port: u16,
    configuration: &Configuration,
) -> Result<Cluster, EngineError> {
    let options = options(app, directory, port, configuration);
    let cluster = Cluster::create(app.binaries.clone(), app.authority.clone(), options).await?;
    Ok(with_server(app, cluster))
}

/// A cluster on files that exist, not started.
pub(crate) async fn open(
    app: &App,
    directory: &Path,
    port: u16,
    configuration: &Configuration,
) -> Result<Cluster, EngineError> {
    let options = options(app, directory, port, configuration);
    let cluster = Cluster::open(app.binaries.clone(), app.authority.clone(), options).await?;
    Ok(with_server(app, cluster))
}

fn with_server(app: &App, mut cluster: Cluster) -> Cluster {
    if let Some(program) = &app.server {
        cluster.set_server(program);
    }
    cluster
}

/// Gives a cluster that exists the settings of its parameter group; they count from the next start.
pub(crate) fn configure(cluster: &mut Cluster, configuration: &Configuration) {
    cluster.set_hba(hba(configuration));
    cluster.set_settings(configuration.settings.clone());
}

/// A session of the superuser.
pub(crate) async fn admin(
    app: &App,
    port: u16,
    database: &str,
) -> Result<tokio_postgres::Client, EngineError> {
    let (client, connection) = tokio_postgres::Config::new()
        .host("127.0.0.1")
        .port(port)
        .user(ADMIN)
        .password(&app.admin_password)
        .dbname(database)
        .application_name("holdfast-local-rds")
        // Statements of this session hold passwords: the server's log must not have them.
        .options("-c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1")
        .connect(NoTls)
        .await
        .map_err(|cause| EngineError::Sql { what: "connect as rdsadmin", cause })?;
    tokio::spawn(connection);
    Ok(client)
}

async fn execute(client: &tokio_postgres::Client, what: &'static str, sql: &str) -> Result<(), EngineError> {
    client.batch_execute(sql).await.map_err(|cause| EngineError::Sql { what, cause })
}

/// Runs statements as the superuser. Answers the rows, as text.
pub(crate) async fn run(
    app: &App,
    port: u16,
    database: &str,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>, EngineError> {
    let messages = admin(app, port, database).await?.simple_query(sql).await;
    let messages = messages.map_err(said("run the SQL"))?;
    let texts = |row: &SimpleQueryRow| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(texts(row)),
        _ => None,
    });
    Ok(rows.collect())
}

/// PostgreSQL's own roles that `rds_superuser` has, as far as this major knows them.
const GRANTS: &str = "do $$
    declare known name;
    begin
        for known in select rolname from pg_roles where rolname in (
            'pg_monitor', 'pg_signal_backend', 'pg_read_all_data', 'pg_write_all_data', 'pg_checkpoint',
            'pg_use_reserved_connections', 'pg_create_subscription', 'pg_maintain')
        loop
            execute format('grant %I to rds_superuser with admin option', known);
        end loop;
    end $$";

/// What RDS sets up in a new instance: its roles, the master user, its own database.
pub(crate) async fn bootstrap(
    app: &App,
    port: u16,
    master: &str,
    password: &str,
    database: Option<&str>,
) -> Result<(), EngineError> {
    let client = admin(app, port, "postgres").await?;
    let (name, secret) = (quote_name(master), quote_text(password));
    let roles = format!(
        "create role rds_superuser nologin; create role rds_replication nologin;
         create role rds_password nologin; create role rds_iam nologin;
         grant rds_replication, rds_password to rds_superuser with admin option;
         create role {name} login createdb createrole replication password {secret} in role rds_superuser;
         alter database postgres owner to {name}"
    );
    execute(&client, "make the master user", &roles).await?;
    execute(&client, "grant PostgreSQL's own roles", GRANTS).await?;
    execute(&client, "make the database rdsadmin", "create database rdsadmin").await?;
    execute(&client, "close the database rdsadmin", "revoke connect on database rdsadmin from public")
        .await?;
    if let Some(database) = database.filter(|database| *database != "postgres") {
        let sql = format!("create database {} owner {name}", quote_name(database));
        execute(&client, "make the database", &sql).await?;
    }
    Ok(())
}

/// Replaces the master user's password.
pub(crate) async fn set_password(
    app: &App,
    port: u16,
    master: &str,
    password: &str,
) -> Result<(), EngineError> {
    let client = admin(app, port, "postgres").await?;
    let sql = format!("alter role {} password {}", quote_name(master), quote_text(password));
    execute(&client, "replace the master password", &sql).await
}

pub(crate) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The names of all settings that the installed PostgreSQL lists in its sample file.
pub(crate) async fn known_parameters(binaries: &Binaries) -> std::io::Result<BTreeSet<String>> {
    let output = tokio::process::Command::new(binaries.program("postgres"))
        .arg("--describe-config")
        .stdin(std::process::Stdio::null())
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect())
}
