//! What others offer, run as the programs they are.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use tokio::process::Command;

use crate::Result;
use crate::data::{Access, DATABASE, Data};
use crate::measure::{Cost, children_cpu_seconds};

/// Why a program is not measured.
pub type Missing = String;

/// A shell command that reads the database, with libpq told how to connect.
pub struct Program {
    /// The command line.
    line: String,
    environment: Vec<(String, String)>,
}

impl Program {
    /// `pg_dump -Fc -Z0 | sha256sum`: everything as a dump, uncompressed, hashed.
    pub fn pg_dump(data: &Data, work: &Path) -> std::result::Result<Program, Missing> {
        let pg_dump = data.binaries.program("pg_dump");
        if !pg_dump.is_file() {
            return Err(format!("{} is not there: only the server is installed", pg_dump.display()));
        }
        let authority = work.join("ca.pem");
        std::fs::write(&authority, &data.access.ca_pem).map_err(|error| error.to_string())?;
        let libpq = [
            ("PGHOST", "localhost".to_owned()),
            ("PGHOSTADDR", "127.0.0.1".to_owned()),
            ("PGPORT", data.access.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGPASSWORD", data.access.password.clone()),
            ("PGDATABASE", DATABASE.to_owned()),
            ("PGSSLMODE", "verify-full".to_owned()),
            ("PGSSLROOTCERT", std::path::absolute(&authority).unwrap_or(authority).display().to_string()),
        ];
        Ok(Program {
            line: format!("set -o pipefail; '{}' -Fc -Z0 | sha256sum", pg_dump.display()),
            environment: libpq.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    /// `data-diff` of the tables that have a key, each against itself: it hashes both sides, segment by segment.
    pub fn data_diff(program: Option<&Path>, access: &Access) -> std::result::Result<Program, Missing> {
        let Some(program) = program else {
            return Err("not installed (tools/bench-proof --with-data-diff)".into());
        };
        let url = format!("postgresql://postgres:{}@localhost:{}/{DATABASE}", access.password, access.port);
        let compare = |table: &str, key: &str, columns: &[&str]| {
            let columns: String = columns.iter().map(|column| format!(" -c {column}")).collect();
            format!(
                "'{program}' '{url}' {table} '{url}' {table} -k {key}{columns} --algorithm hashdiff --no-tracking",
                program = program.display()
            )
        };
        let accounts = compare("pgbench_accounts", "aid", &["bid", "abalance", "filler"]);
        let wide = compare(
            "wide",
            "id",
            &["title", "note", "document", "created_at", "amount", "reference", "payload"],
        );
        Ok(Program { line: format!("set -e; {accounts}; {wide}"), environment: vec![] })
    }

    /// Runs it once; what it prints is thrown away unless it fails.
    pub async fn run(&self) -> Result<Cost> {
        let (cpu, since) = (children_cpu_seconds()?, Instant::now());
        let output = Command::new("bash")
            .args(["-c", &self.line])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        if !output.status.success() {
            return Err(
                format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()).into()
            );
        }
        Ok(Cost {
            seconds: since.elapsed().as_secs_f64(),
            client_cpu_seconds: children_cpu_seconds()? - cpu,
            ..Cost::default()
        })
    }
}
