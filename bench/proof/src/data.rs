//! A server of its own, and the tables to be read.

use std::path::Path;

use futures::future::try_join_all;
use holdfast_local_postgres::{Binaries, CertificateAuthority, Cluster, ClusterOptions};
use serde::{Deserialize, Serialize};

use crate::{Result, contender};

/// The database.
pub const DATABASE: &str = "proof";
/// The superuser's password.
const PASSWORD: &str = "proof";
/// The definitions, which together with the scale say whether data from an earlier run can be used again.
const DEFINITIONS: &str = include_str!("data.sql");
/// Bytes of tables and indexes per unit of scale, about: what the server needs memory for.
const BYTES_PER_SCALE: u64 = 36 << 20;

/// How to get at the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    /// Its port of 127.0.0.1.
    pub port: u16,
    /// The superuser's password.
    pub password: String,
    /// The authority that signed its certificate.
    pub ca_pem: String,
}

/// A server with the data.
pub struct Data {
    /// The server.
    pub cluster: Cluster,
    /// How to get at it.
    pub access: Access,
    /// What it is: `15.14`.
    pub version: String,
    /// Where its programs are.
    pub binaries: Binaries,
    /// Bytes of the tables, TOAST included, indexes not.
    pub bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Starts a server on `work/data` and fills it, unless that was done with the same scale before.
pub async fn start(work: &Path, scale: u32) -> Result<Data> {
    let binaries = match std::env::var("HOLDFAST_BENCH_PG_MAJOR") {
        Ok(major) => Binaries::major(major.parse()?).await?.ok_or("that major version is not installed")?,
        Err(_) => Binaries::find().await?,
    };
    let (directory, stamp) = (work.join("data"), work.join("data.stamp"));
    let wanted = format!("{scale} {} {DEFINITIONS}{}", binaries.major_version(), fills(1).join("\n"));
    let filled = std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
    if !filled {
        for path in [&directory, &stamp] {
            remove(path)?;
        }
    }
    let options = options(&directory, scale);
    let authority = CertificateAuthority::new()?;
    let mut cluster = if filled {
        Cluster::open(binaries.clone(), authority, options).await?
    } else {
        Cluster::create(binaries.clone(), authority, options).await?
    };
    cluster.start().await?;
    let access =
        Access { port: cluster.port(), password: PASSWORD.to_owned(), ca_pem: cluster.ca_pem().to_owned() };
    if !filled {
        eprintln!("filling about {} MB", u64::from(scale) * 30);
        fill(&access, scale).await?;
        std::fs::write(&stamp, wanted)?;
    }
    let (bytes, rows) = warm(&access).await?;
    Ok(Data { access, version: binaries.version().to_owned(), binaries, cluster, bytes, rows })
}

/// Removes a file or a directory, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {cause}", path.display()).into())
        }
        _ => Ok(()),
    }
}

fn options(directory: &Path, scale: u32) -> ClusterOptions {
    let buffers = ((u64::from(scale) * BYTES_PER_SCALE) >> 20) + 256;
    ClusterOptions::new(directory)
        .password(PASSWORD)
        .setting("shared_buffers", format!("{buffers}MB"))
        .setting("max_wal_size", "2GB")
        .setting("checkpoint_timeout", "1h")
        .setting("maintenance_work_mem", "512MB")
        // Nobody but the contenders is at work.
        .setting("autovacuum", "off")
        .setting("max_connections", "40")
        .setting("max_logical_replication_workers", "0")
        .fast()
}

/// The statements that fill the tables: no value is random, and none is the same in two rows unless pgbench's are.
fn fills(scale: u32) -> Vec<String> {
    let wide = |from: u64, to: u64| {
        format!(
            "INSERT INTO wide SELECT i, 'Order ' || i || ' of customer ' || i % 9973,
                CASE WHEN i % 7 <> 0 THEN repeat(md5((i / 3)::text), 1 + (i % 4)::int) END,
                jsonb_build_object('customer', i % 9973, 'status', (ARRAY['new','paid','sent','returned'])[1 + i % 4],
                    'lines', jsonb_build_array(jsonb_build_object('sku', md5((i % 4001)::text), 'quantity', i % 12),
                                               jsonb_build_object('sku', md5((i % 3989)::text), 'price', i % 100000 / 100.0))),
                timestamptz '2024-01-01 00:00:00+00' + i * interval '7.5 seconds', (i * 7919 % 100000000) / 100.0,
                md5(i::text)::uuid, CASE WHEN i % 5 <> 0 THEN sha256(int8send(i)) END
               FROM generate_series({from}::int8, {to}::int8) AS i"
        )
    };
    let s = u64::from(scale);
    vec![
        format!("INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, {s}) AS i"),
        format!("INSERT INTO pgbench_tellers SELECT i, (i - 1) / 10 + 1, 0, '' FROM generate_series(1, {s} * 10) AS i"),
        format!(
            "INSERT INTO pgbench_accounts SELECT i, (i - 1) / 100000 + 1, 0, ''
               FROM generate_series(1, {s} * 100000) AS i"
        ),
        format!(
            "INSERT INTO pgbench_history SELECT i % ({s} * 10) + 1, i % {s} + 1, i * 7919 % ({s} * 100000) + 1,
                i % 10000 - 5000, timestamp '2026-01-01' + i * interval '1 millisecond'
               FROM generate_series(1, {s}::int8 * 10000) AS i"
        ),
        wide(1, s * 20_000),
        wide(s * 20_000 + 1, s * 40_000),
    ]
}

async fn fill(access: &Access, scale: u32) -> Result<()> {
    let client = contender::connect(access, "postgres").await?;
    client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    let client = contender::connect(access, DATABASE).await?;
    client.batch_execute(DEFINITIONS).await?;
    let fills = fills(scale);
    // Two at a time would mix the rows of the wide table's halves; the order on disk does not matter to anybody.
    try_join_all(fills.iter().map(async |sql| {
        contender::connect(access, DATABASE).await?.batch_execute(sql).await?;
        Result::Ok(())
    }))
    .await?;
    let keys = [
        ("pgbench_branches", "bid"),
        ("pgbench_tellers", "tid"),
        ("pgbench_accounts", "aid"),
        ("wide", "id"),
    ];
    try_join_all(keys.map(async |(table, key)| {
        let client = contender::connect(access, DATABASE).await?;
        client.batch_execute(&format!("ALTER TABLE {table} ADD PRIMARY KEY ({key})")).await?;
        Result::Ok(())
    }))
    .await?;
    client.batch_execute("VACUUM (FREEZE, ANALYZE)").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}

/// Reads every table, into the server's memory where it can be told so; says how many bytes and rows there are.
async fn warm(access: &Access) -> Result<(u64, u64)> {
    let client = contender::connect(access, DATABASE).await?;
    // pg_prewarm is not everywhere; without it the tables are where filling left them, or in the system's cache.
    if client.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm").await.is_ok() {
        let sql = "SELECT count(pg_prewarm(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace
                      AND relkind = 'r'";
        client.query_one(sql, &[]).await?;
    }
    let (mut bytes, mut rows) = (0, 0);
    let sql = "SELECT oid::regclass::text, pg_table_size(oid) FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    for table in client.query(sql, &[]).await? {
        let counted =
            client.query_one(&format!("SELECT count(*) FROM {}", table.get::<_, &str>(0)), &[]).await?;
        bytes += table.get::<_, i64>(1).unsigned_abs();
        rows += counted.get::<_, i64>(0).unsigned_abs();
    }
    Ok((bytes, rows))
}
