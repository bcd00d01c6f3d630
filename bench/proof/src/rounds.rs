//! Who runs when: everybody once per round, and nobody always first.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use clap::Args;
use holdfast_local_postgres::StopMode;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::contender::{self, Answer, Kind, Order, Piece};
use crate::data::{self, Data};
use crate::measure::{Cost, Server};
use crate::programs::Program;
use crate::{Result, report};

/// Connection counts at which the fingerprint is measured as well.
const SPREADS: [usize; 4] = [1, 2, 4, 8];

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// pgbench's scale: 100 are 10 million accounts and 4 million wide rows, about 3 GB.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub scale: u32,
    /// Runs of each contender; medians are shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Connections of Holdfast and of whom it is measured against.
    #[arg(long, default_value_t = 2)]
    pub connections: usize,
    /// Bytes of one piece of work, in MiB.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..))]
    pub chunk_mib: u64,
    /// Only the fingerprint and the drain.
    #[arg(long)]
    pub quick: bool,
    /// Keep the data for the next run.
    #[arg(long)]
    pub keep: bool,
    /// Where the data goes.
    #[arg(long, default_value = ".local/bench/proof")]
    pub work: PathBuf,
    /// The `data-diff` program.
    #[arg(long)]
    pub data_diff: Option<PathBuf>,
}

/// Somebody who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// One of this program, over so many connections.
    Own(Kind, usize),
    /// `pg_dump -Fc -Z0 | sha256sum`.
    PgDump,
    /// `data-diff`.
    DataDiff,
}

/// What was measured of one contender.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Every run.
    pub costs: Vec<Cost>,
    /// Bytes that came over the wire.
    pub wire_bytes: Option<u64>,
    /// Seconds by check, of the last run.
    pub checks: BTreeMap<String, f64>,
}

/// Everything that was measured.
pub struct Results {
    /// What was read.
    pub bytes: u64,
    /// How many rows.
    pub rows: u64,
    /// PostgreSQL's version.
    pub version: String,
    /// By contender.
    pub measured: BTreeMap<Contender, Measured>,
    /// Who was not measured, and why.
    pub missing: Vec<(Contender, String)>,
}

/// Runs the whole benchmark; whether the aims are met.
pub async fn run(settings: &Settings) -> Result<bool> {
    std::fs::create_dir_all(&settings.work)?;
    let mut data = data::start(&settings.work, settings.scale).await?;
    let measured = tokio::select! {
        measured = measure(settings, &data) => measured,
        _ = tokio::signal::ctrl_c() => Err("stopped".into()),
    };
    data.cluster.stop(StopMode::Fast).await?;
    if !settings.keep {
        data::remove(&settings.work.join("data.stamp"))?;
        data::remove(&settings.work.join("data"))?;
    }
    let results = measured?;
    Ok(report::print(&results, settings))
}

async fn measure(settings: &Settings, data: &Data) -> Result<Results> {
    let server = Server { pid: data.cluster.pid().ok_or("the server is not there")? };
    let mut results = Results {
        bytes: data.bytes,
        rows: data.rows,
        version: data.version.clone(),
        measured: BTreeMap::new(),
        missing: Vec::new(),
    };
    let mut programs = BTreeMap::new();
    let mut contenders = vec![
        Contender::Own(Kind::Fingerprint, settings.connections),
        Contender::Own(Kind::Drain, settings.connections),
    ];
    if !settings.quick {
        contenders.extend(
            [Kind::Count, Kind::Validation, Kind::OrderedMd5, Kind::RecordHash]
                .map(|kind| Contender::Own(kind, settings.connections)),
        );
        let spreads = SPREADS.map(|connections| Contender::Own(Kind::Fingerprint, connections));
        contenders.extend(spreads.into_iter().filter(|spread| *spread != contenders[0]).collect::<Vec<_>>());
        for (contender, program) in [
            (Contender::PgDump, Program::pg_dump(data, &settings.work)),
            (Contender::DataDiff, Program::data_diff(settings.data_diff.as_deref(), &data.access)),
        ] {
            match program {
                Ok(program) => {
                    programs.insert(contender, program);
                    contenders.push(contender);
                }
                Err(reason) => results.missing.push((contender, reason)),
            }
        }
    }
    let pieces = contender::pieces(&order(settings, data, Kind::Fingerprint, settings.connections)).await?;
    let mut bench = Bench { settings, data, server, programs, results, pieces, proof: None };
    for round in 0..settings.rounds {
        // Turned round, so that nobody always runs after the same.
        let first = round as usize % contenders.len();
        for contender in contenders[first..].iter().chain(&contenders[..first]) {
            bench.once(*contender, round).await?;
        }
    }
    Ok(bench.results)
}

fn order(settings: &Settings, data: &Data, kind: Kind, connections: usize) -> Order {
    let access = data.access.clone();
    Order { kind, connections, chunk_bytes: settings.chunk_mib << 20, pieces: vec![], access }
}

struct Bench<'a> {
    settings: &'a Settings,
    data: &'a Data,
    server: Server,
    programs: BTreeMap<Contender, Program>,
    results: Results,
    pieces: Vec<Piece>,
    proof: Option<String>,
}

impl Bench<'_> {
    async fn once(&mut self, contender: Contender, round: u32) -> Result<()> {
        if self.results.missing.iter().any(|(missing, _)| *missing == contender) {
            return Ok(());
        }
        let before = self.server.sessions_cpu_seconds().await?;
        let done = match contender {
            Contender::Own(kind, connections) => self.own(kind, connections).await,
            Contender::PgDump | Contender::DataDiff => {
                let cost = self.programs[&contender].run().await;
                cost.map(|cost| Answer { cost, ..Answer::default() })
            }
        };
        let mut answer = match done {
            Ok(answer) => answer,
            // Without these two there is nothing to say.
            Err(error) if matches!(contender, Contender::Own(Kind::Fingerprint | Kind::Drain, _)) => {
                return Err(error);
            }
            Err(error) => {
                self.results.measured.remove(&contender);
                self.results.missing.push((contender, error.to_string()));
                return Ok(());
            }
        };
        answer.cost.server_cpu_seconds = self.server.sessions_cpu_seconds().await? - before;
        self.same(&answer)?;
        eprintln!(
            "round {}: {:<46} {:>7.2} s, CPU: server {:>7.2} s, client {:>6.2} s",
            round + 1,
            report::name(contender),
            answer.cost.seconds,
            answer.cost.server_cpu_seconds,
            answer.cost.client_cpu_seconds
        );
        let measured = self.results.measured.entry(contender).or_default();
        measured.costs.push(answer.cost);
        measured.wire_bytes = answer.wire_bytes;
        measured.checks = answer.checks;
        Ok(())
    }

    /// A run that saw something else than the others proves nothing, however fast it was.
    fn same(&mut self, answer: &Answer) -> Result<()> {
        if let Some(rows) = answer.rows
            && rows != self.results.rows
        {
            return Err(format!("{rows} rows were seen of {}", self.results.rows).into());
        }
        match (&self.proof, &answer.proof) {
            (Some(known), Some(new)) if known != new => Err("two runs gave different fingerprints".into()),
            (None, Some(new)) => {
                self.proof = Some(new.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn own(&self, kind: Kind, connections: usize) -> Result<Answer> {
        let pieces = match kind {
            Kind::Drain | Kind::Count | Kind::RecordHash => self.pieces.clone(),
            Kind::Fingerprint | Kind::Validation | Kind::OrderedMd5 => vec![],
        };
        let order = Order { pieces, ..order(self.settings, self.data, kind, connections) };
        let mut child = Command::new(std::env::current_exe()?)
            .arg("contender")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        input.write_all(serde_json::to_string(&order)?.as_bytes()).await?;
        drop(input);
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
