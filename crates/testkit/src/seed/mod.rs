//! A database with a past: `prod-db`, encrypted, two user databases, some hundred thousand rows.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_rds::types::DbInstance;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres::{Client, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    Error, Result, Stack,
    clients::{Clients, HOME_REGION},
};

mod reader;

pub use reader::{READER, keep_secret};

/// The instance's identifier.
pub const DATABASE: &str = "prod-db";
/// The alias of the key that encrypts it.
pub const KEY_ALIAS: &str = "alias/prod-db";
/// Its master user.
pub const MASTER_USER: &str = "holdfast_owner";
/// Its user databases, and what is in them.
pub const USER_DATABASES: [(&str, &str); 2] =
    [("shop", include_str!("shop.sql")), ("analytics", include_str!("analytics.sql"))];

const AVAILABLE_WITHIN: Duration = Duration::from_secs(120);

/// What was made.
#[derive(Debug, Clone)]
pub struct Seeded {
    /// The engine's version.
    pub version: String,
    /// Rows in all user databases.
    pub rows: u64,
    /// Host and port, separated by a colon.
    pub endpoint: String,
    /// ARN of the secret with which its rows can be read.
    pub reader_secret: String,
    /// Whether it was there already.
    pub was_there: bool,
}

/// Makes `prod-db` and fills it, unless it is there.
///
/// # Errors
/// When the local RDS refuses it, or it does not come up.
pub async fn seed(stack: &Stack) -> Result<Seeded> {
    let clients = stack.clients(HOME_REGION);
    let done = stack.settings.dir().join("seeded");
    let rows = fs::read_to_string(&done).ok().and_then(|text| text.trim().parse().ok());
    let there = find(&clients).await?;
    if let (Some(rows), Some(instance)) = (rows, &there) {
        let reader_secret = reader::secret(&clients).await?;
        let (version, endpoint) = (version(instance), endpoint(instance));
        return Ok(Seeded { version, rows, endpoint, reader_secret, was_there: true });
    }
    if there.is_some() {
        return Err(Error::new(format!(
            "{DATABASE} is there but was not filled by this: stop with `make down` first"
        )));
    }
    let password = password(stack)?;
    create(&clients, &password).await?;
    let instance = available(&clients).await?;
    let rows = fill(stack, &instance, &password).await?;
    let reader_secret = reader::admit(stack, &clients).await?;
    fs::write(&done, rows.to_string()).map_err(|cause| Error::file(&done, cause))?;
    let (version, endpoint) = (version(&instance), endpoint(&instance));
    Ok(Seeded { version, rows, endpoint, reader_secret, was_there: false })
}

async fn create(clients: &Clients, password: &str) -> Result<()> {
    let key = clients
        .kms
        .create_key()
        .description("Encrypts prod-db")
        .send()
        .await
        .map_err(|cause| Error::because("creating a key", &cause))?
        .key_metadata
        .map(|key| key.key_id)
        .ok_or_else(|| Error::new("KMS made a key without an id"))?;
    clients
        .kms
        .create_alias()
        .alias_name(KEY_ALIAS)
        .target_key_id(&key)
        .send()
        .await
        .map_err(|cause| Error::because("naming the key", &cause))?;
    clients
        .rds
        .create_db_instance()
        .db_instance_identifier(DATABASE)
        .db_instance_class("db.t4g.medium")
        .engine("postgres")
        .allocated_storage(20)
        .master_username(MASTER_USER)
        .master_user_password(password)
        .db_name(USER_DATABASES[0].0)
        .storage_encrypted(true)
        .kms_key_id(KEY_ALIAS)
        .send()
        .await
        .map_err(|cause| Error::because("creating prod-db", &cause))?;
    Ok(())
}

async fn find(clients: &Clients) -> Result<Option<DbInstance>> {
    match clients.rds.describe_db_instances().db_instance_identifier(DATABASE).send().await {
        Ok(answer) => Ok(answer.db_instances.unwrap_or_default().into_iter().next()),
        Err(cause)
            if cause.as_service_error().is_some_and(|error| error.is_db_instance_not_found_fault()) =>
        {
            Ok(None)
        }
        Err(cause) => Err(Error::because("looking for prod-db", &cause)),
    }
}

async fn available(clients: &Clients) -> Result<DbInstance> {
    let deadline = Instant::now() + AVAILABLE_WITHIN;
    loop {
        let instance = find(clients).await?;
        let status = instance.as_ref().and_then(|instance| instance.db_instance_status()).unwrap_or("gone");
        if status == "available"
            && let Some(instance) = instance
        {
            return Ok(instance);
        }
        if Instant::now() >= deadline {
            return Err(Error::new(format!("{DATABASE} is {status} after {AVAILABLE_WITHIN:?}")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn fill(stack: &Stack, instance: &DbInstance, password: &str) -> Result<u64> {
    let mut rows = 0;
    for (place, (name, sql)) in USER_DATABASES.iter().enumerate() {
        if place > 0 {
            let client = connect(stack, instance, USER_DATABASES[0].0, password).await?;
            run(&client, &format!("create database \"{name}\"")).await?;
        }
        let client = connect(stack, instance, name, password).await?;
        run(&client, sql).await?;
        run(&client, "vacuum (analyze)").await?;
        rows += count(&client).await?;
    }
    Ok(rows)
}

async fn run(client: &Client, sql: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(|cause| Error::because("filling prod-db", &cause))
}

/// Rows of all tables and materialized views, counted one by one: what validation will read.
async fn count(client: &Client) -> Result<u64> {
    let sql = "select coalesce(sum((xpath('/row/n/text()', query_to_xml(
                   format('select count(*) as n from %I.%I', nspname, relname), false, true, '')))[1]::text::bigint), 0)::bigint
               from pg_class join pg_namespace n on n.oid = relnamespace
               where relkind in ('r', 'm') and nspname !~ '^pg_' and nspname <> 'information_schema'";
    let row = client.query_one(sql, &[]).await.map_err(|cause| Error::because("counting rows", &cause))?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Connects as the master user, over TLS, against the local RDS's own authority.
///
/// # Errors
/// When the server or its certificate is not what it should be.
pub async fn connect(stack: &Stack, instance: &DbInstance, database: &str, password: &str) -> Result<Client> {
    let endpoint = instance.endpoint().ok_or_else(|| Error::new(format!("{DATABASE} has no endpoint")))?;
    let mut config = tokio_postgres::Config::new();
    config
        .host(endpoint.address().unwrap_or("127.0.0.1"))
        .port(
            u16::try_from(endpoint.port().unwrap_or(5432))
                .map_err(|cause| Error::because("the port", &cause))?,
        )
        .user(MASTER_USER)
        .password(password)
        .dbname(database)
        .ssl_mode(SslMode::Require)
        .connect_timeout(Duration::from_secs(10));
    let (client, connection) = config
        .connect(tls(stack)?)
        .await
        .map_err(|cause| Error::because(format!("connecting to {DATABASE}"), &cause))?;
    // Ends with the client; what goes wrong in it is what the client's next call answers.
    tokio::spawn(connection);
    Ok(client)
}

fn tls(stack: &Stack) -> Result<MakeRustlsConnect> {
    let path = stack.settings.ca_file();
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(&path)
        .map_err(|cause| Error::because(path.display().to_string(), &cause))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|cause| Error::because(path.display().to_string(), &cause))?;
        roots.add(certificate).map_err(|cause| Error::because(path.display().to_string(), &cause))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::because("TLS", &cause))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// A password of this stack's own, for this user's eyes: in the stack's folder, gone with it.
pub fn password(stack: &Stack) -> Result<String> {
    password_of(stack, DATABASE)
}

fn password_of(stack: &Stack, whose: &str) -> Result<String> {
    use std::{io::Read, io::Write, os::unix::fs::OpenOptionsExt};
    let path = stack.settings.dir().join(format!("{whose}.password"));
    if let Ok(known) = fs::read_to_string(&path) {
        return Ok(known);
    }
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|cause| Error::because("random bytes", &cause))?;
    let password = hex::encode(bytes);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(password.as_bytes()))
        .map_err(|cause| Error::file(&path, cause))?;
    Ok(password)
}

fn endpoint(instance: &DbInstance) -> String {
    let endpoint = instance.endpoint();
    let host = endpoint.and_then(|endpoint| endpoint.address()).unwrap_or("127.0.0.1");
    format!("{host}:{}", endpoint.and_then(|endpoint| endpoint.port()).unwrap_or(5432))
}

fn version(instance: &DbInstance) -> String {
    instance.engine_version().unwrap_or("of an unknown version").to_owned()
}
