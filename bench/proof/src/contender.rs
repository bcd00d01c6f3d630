//! What is measured in a process of its own, so that its memory is nobody else's.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use futures::future::try_join_all;
use holdfast_core::validation::{CheckResult, CheckSettings, Coverage, Verdict, verdict};
use holdfast_verify::{Memory, Options, Plan, Target, conclude, plan, work};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Result;
use crate::data::{Access, DATABASE};
use crate::measure::{Cost, own_cpu_seconds, own_peak_mib};

/// What is done with the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Holdfast's `content` alone: exact counts and fingerprints.
    Fingerprint,
    /// `COPY ... TO STDOUT (FORMAT binary)`, thrown away.
    Drain,
    /// All of Holdfast's checks.
    Validation,
    /// `count(*)`.
    Count,
    /// `md5(string_agg(md5(row), '' ORDER BY key))`, the usual recipe.
    OrderedMd5,
    /// `hash_record_extended`, 64 bits of every row: the cheapest hash of rows that PostgreSQL has. It is not exact (`1.0`
    /// and `1.00` are one to it): it shows what no fingerprint made inside the server can be faster than.
    RecordHash,
}

/// What a contender is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// What to do.
    pub kind: Kind,
    /// Over how many connections.
    pub connections: usize,
    /// Bytes of one piece of work.
    pub chunk_bytes: u64,
    /// The pieces, for those who do not plan.
    pub pieces: Vec<Piece>,
    /// Where.
    pub access: Access,
}

/// What it answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What it cost, but for the server's part.
    pub cost: Cost,
    /// Rows that were seen, where they were counted.
    pub rows: Option<u64>,
    /// Bytes that came over the wire, where they were counted.
    pub wire_bytes: Option<u64>,
    /// What has to be the same in every run: all fingerprints.
    pub proof: Option<String>,
    /// Seconds by check.
    pub checks: BTreeMap<String, f64>,
}

/// Reads the order, does it, prints the answer.
pub async fn run() -> Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let order: Order = serde_json::from_str(&text)?;
    let (cpu, since) = (own_cpu_seconds()?, Instant::now());
    let mut answer = match order.kind {
        Kind::Fingerprint | Kind::Validation => validate(&order).await?,
        Kind::Drain => drain(&order).await?,
        Kind::Count => count(&order).await?,
        Kind::OrderedMd5 => ordered_md5(&order).await?,
        Kind::RecordHash => record_hash(&order).await?,
    };
    answer.cost = Cost {
        seconds: since.elapsed().as_secs_f64(),
        client_cpu_seconds: own_cpu_seconds()? - cpu,
        client_peak_mib: own_peak_mib()?,
        server_cpu_seconds: 0.0,
    };
    println!("{}", serde_json::to_string(&answer)?);
    Ok(())
}

impl Order {
    fn target(&self) -> Target {
        let Access { port, password, ca_pem } = &self.access;
        Target::new("localhost", *port, "postgres", password.clone().into(), ca_pem)
    }

    fn options(&self) -> Options {
        let checks = if self.kind == Kind::Validation {
            CheckSettings::default()
        } else {
            CheckSettings { content: Coverage::Full, ..CheckSettings::none() }
        };
        Options {
            checks,
            expect_isolated: false,
            may_create_extensions: self.kind == Kind::Validation,
            connections: self.connections,
            chunk_bytes: self.chunk_bytes,
            time_budget: Duration::from_secs(7200),
            ..Options::default()
        }
    }
}

async fn validate(order: &Order) -> Result<Answer> {
    let (target, options) = (order.target(), order.options());
    let plan = plan(&target, &options).await?;
    let ids: Vec<u32> = plan.units.iter().map(|unit| unit.id).collect();
    let memory = Memory::default();
    work(&target, &options, &plan.units, &ids, &memory).await?;
    let results = memory.into_results();
    let outcome = conclude(&plan, &results, &options);
    // Only a whole answer is one.
    if verdict(&outcome.checks) != Verdict::Valid {
        let bad: Vec<String> =
            outcome.checks.iter().filter_map(holdfast_core::validation::Check::issue).collect();
        return Err(format!("the data is not valid: {}", bad.join("; ")).into());
    }
    let database = outcome.manifest.databases.get(DATABASE).ok_or("the database is not in the manifest")?;
    let mut checks: BTreeMap<String, f64> = BTreeMap::new();
    for check in outcome.checks.iter().filter(|check| check.result == CheckResult::Passed) {
        *checks.entry(check.name.clone()).or_default() += check.duration_ms as f64 / 1000.0;
    }
    Ok(Answer {
        cost: Cost::default(),
        rows: Some(outcome.manifest.row_count()),
        wire_bytes: None,
        proof: Some(serde_json::to_string(&database.tables)?),
        checks,
    })
}

/// A range of pages of a table, as SQL.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Piece {
    from: String,
    whole: Option<String>,
}

/// The pieces in which Holdfast reads the tables, largest first.
pub async fn pieces(order: &Order) -> Result<Vec<Piece>> {
    #[derive(Deserialize)]
    struct Pages {
        from: u64,
        to: Option<u64>,
    }
    let plan: Plan = plan(&order.target(), &order.options()).await?;
    let mut pieces = Vec::new();
    for unit in plan.units.iter().filter(|unit| unit.database == DATABASE) {
        for job in serde_json::to_value(&unit.jobs)?.as_array().into_iter().flatten() {
            let table = job["object"].as_str().ok_or("a job without an object")?.to_owned();
            let Pages { from, to } = serde_json::from_value(job["task"]["pages"].clone())?;
            let mut conditions = Vec::new();
            if from > 0 {
                conditions.push(format!("t.ctid >= '({from},0)'"));
            }
            conditions.extend(to.map(|to| format!("t.ctid < '({to},0)'")));
            let whole = conditions.is_empty().then(|| table.clone());
            let condition = if whole.is_some() { "true".to_owned() } else { conditions.join(" AND ") };
            pieces.push(Piece { from: format!("ONLY {table} AS t WHERE {condition}"), whole });
        }
    }
    if pieces.is_empty() {
        return Err("there is nothing to read".into());
    }
    Ok(pieces)
}

/// Does every piece over the order's connections; `one` answers a number per piece.
async fn spread<F>(order: &Order, pieces: Vec<Piece>, one: F) -> Result<u64>
where
    F: AsyncFn(&Client, &Piece) -> Result<u64> + Copy,
{
    let queue = Mutex::new(VecDeque::from(pieces));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let sums = try_join_all((0..order.connections).map(async |_| {
        let client = connect(&order.access, DATABASE).await?;
        // The same plans as Holdfast's: every row from the table itself, by one process per connection.
        let settings = "SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off;
            SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET jit = off";
        client.batch_execute(settings).await?;
        let mut sum = 0;
        while let Some(piece) = next() {
            sum += one(&client, &piece).await?;
        }
        Result::Ok(sum)
    }))
    .await?;
    Ok(sums.into_iter().sum())
}

async fn drain(order: &Order) -> Result<Answer> {
    let bytes = spread(order, order.pieces.clone(), async |client, piece| {
        let what = piece.whole.clone().unwrap_or_else(|| format!("(SELECT * FROM {})", piece.from));
        let stream = client.copy_out(&format!("COPY {what} TO STDOUT (FORMAT binary)")).await?;
        let bytes = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64)).await?;
        Ok(bytes)
    })
    .await?;
    Ok(Answer { wire_bytes: Some(bytes), ..Answer::default() })
}

async fn count(order: &Order) -> Result<Answer> {
    let rows = spread(order, order.pieces.clone(), async |client, piece| {
        let row = client.query_one(&format!("SELECT count(*) FROM {}", piece.from), &[]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    })
    .await?;
    Ok(Answer { rows: Some(rows), ..Answer::default() })
}

async fn record_hash(order: &Order) -> Result<Answer> {
    let rows = spread(order, order.pieces.clone(), async |client, piece| {
        let sql = format!("SELECT count(*), bit_xor(hash_record_extended(t, 0)) FROM {}", piece.from);
        let row = client.query_one(&sql, &[]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    })
    .await?;
    Ok(Answer { rows: Some(rows), ..Answer::default() })
}

/// Each table as a whole, for a sum over ordered rows has no parts; in the order of its key where it has one, which is
/// the cheapest order.
async fn ordered_md5(order: &Order) -> Result<Answer> {
    let tables = [
        ("wide", "t.id"),
        ("pgbench_accounts", "t.aid"),
        ("pgbench_history", "t::text"),
        ("pgbench_tellers", "t.tid"),
        ("pgbench_branches", "t.bid"),
    ];
    let sql = |(table, key)| Piece {
        from: format!("SELECT md5(string_agg(md5(t::text), '' ORDER BY {key})) FROM {table} AS t"),
        whole: None,
    };
    let tables = tables.map(sql).into();
    spread(order, tables, async |client, piece| {
        let digest: Option<String> = client.query_one(&piece.from, &[]).await?.get(0);
        digest.map(|_| 0).ok_or_else(|| "an empty table".into())
    })
    .await?;
    Ok(Answer::default())
}

/// Connects as `holdfast-verify` does: TLS, with the server's authority trusted and no other.
pub async fn connect(access: &Access, database: &str) -> Result<Client> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(access.ca_pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = tokio_postgres::Config::new();
    config
        .host("localhost")
        .port(access.port)
        .user("postgres")
        .password(&access.password)
        .dbname(database)
        .ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
    tokio::spawn(connection);
    Ok(client)
}
