//! A stack: the local cloud and the local RDS, started, attached to, stopped with nothing left.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Error, Result, Settings,
    clients::{ACCESS_KEY, ACCOUNT, Clients, HOME_REGION, SECRET_KEY},
    deploy::{self, Outputs, RegionOutputs},
    http,
    processes::{Leader, PidFile, this_process, wait_until},
    project,
};

/// How long the servers may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the local RDS may take to stop its clusters.
const RDS_STOPS_WITHIN: Duration = Duration::from_secs(30);
/// How long the local cloud may take.
const CLOUD_STOPS_WITHIN: Duration = Duration::from_secs(5);
/// How long servers that the RDS left behind may take.
const POSTGRES_STOPS_WITHIN: Duration = Duration::from_secs(15);

/// A stack that runs.
#[derive(Debug, Clone)]
pub struct Stack {
    /// What makes it this stack.
    pub settings: Settings,
}

impl Stack {
    /// The stack with these settings, if it runs and answers.
    pub async fn attach(settings: &Settings) -> Option<Self> {
        let pids = PidFile::of(&settings.dir()).read();
        let servers: Vec<_> = pids.iter().filter(|leader| leader.name != "owner").collect();
        let whole = servers.len() == 2 && servers.iter().all(|leader| leader.is_alive());
        let same = fs::read_to_string(settings.dir().join("made-of")).ok() == made_of().ok();
        (whole && same && answers(settings).await).then(|| Self { settings: settings.clone() })
    }

    /// Starts a stack; what an earlier one of the same name left is removed first.
    ///
    /// # Errors
    /// When its ports are taken, or a server does not answer in time.
    pub async fn start(settings: Settings) -> Result<Self> {
        stop(&settings)?;
        let dir = settings.dir();
        for folder in [dir.clone(), dir.join("tmp"), dir.join("home"), dir.join("logs")] {
            fs::create_dir_all(&folder).map_err(|cause| Error::file(&folder, cause))?;
        }
        let stack = Self { settings };
        let started = stack.start_servers().await;
        if let Err(error) = started {
            let logs = stack.last_words();
            stop(&stack.settings)?;
            return Err(Error::new(format!("{error}{logs}")));
        }
        Ok(stack)
    }

    async fn start_servers(&self) -> Result<()> {
        let settings = &self.settings;
        for port in [settings.port_base, settings.rds_port()] {
            if std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
                return Err(Error::new(format!(
                    "port {port} is taken: set HOLDFAST_PORT_BASE to the first of a hundred free ports"
                )));
            }
        }
        let pids = PidFile::of(&settings.dir());
        pids.add(&Leader::start("cloud", &mut self.cloud_command()?, &self.log("cloud"))?)?;
        pids.add(&Leader::start("rds", &mut self.rds_command()?, &self.log("rds"))?)?;
        self.wait_ready(&pids.read()).await?;
        let ca = http::get(settings.rds_port(), "/_local/ca.pem").await?;
        let path = settings.ca_file();
        fs::write(&path, ca.body).map_err(|cause| Error::file(&path, cause))?;
        let path = settings.dir().join("made-of");
        fs::write(&path, made_of()?).map_err(|cause| Error::file(&path, cause))
    }

    /// MiniStack. Functions are its children and inherit its environment.
    fn cloud_command(&self) -> Result<Command> {
        let settings = &self.settings;
        let dir = settings.dir();
        let mut command = Command::new(project::python()?);
        command.args(["-m", "ministack"]).current_dir(&dir);
        clean_environment(&mut command, &dir);
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", settings.port_base.to_string())
            .env("AUTH", "true")
            .env("STATE_DIR", dir.join("tmp/state"))
            .env("S3_DATA_DIR", dir.join("tmp/s3"))
            .env("MINISTACK_REGION", HOME_REGION)
            .env("SFN_WAIT_SCALE", &settings.wait_scale)
            // Listeners on fixed ports, which a second stack would miss and nobody needs here.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("LAMBDA_EXECUTOR", "local")
            .env("AWS_ENDPOINT_URL", settings.cloud_endpoint())
            .env("AWS_ENDPOINT_URL_RDS", settings.rds_endpoint())
            .env("HOLDFAST_RDS_CA_FILE", settings.ca_file())
            // Minutes are seconds here.
            .env("HOLDFAST_BREAKER_OPEN_SECONDS", "1")
            .env("HOLDFAST_BREAKER_LONGEST_SECONDS", "4");
        Ok(command)
    }

    fn rds_command(&self) -> Result<Command> {
        let settings = &self.settings;
        let dir = settings.dir();
        let mut command = Command::new(project::binary("holdfast-local-rds")?);
        clean_environment(&mut command, &dir);
        for name in ["HOLDFAST_PG_BINDIR", "HOLDFAST_PG_USER", "RUST_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .current_dir(&dir)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .args(["--port", &settings.rds_port().to_string()])
            .arg("--data-dir")
            .arg(dir.join("rds"))
            .args(["--instance-port-base", &settings.instance_port_base().to_string()])
            .args(["--cloud-endpoint", &settings.cloud_endpoint()])
            .args(["--account-id", ACCOUNT])
            // All tests share a stack, and each has databases of its own.
            .args(["--max-instances", "150"])
            .arg("--enforce-iam");
        Ok(command)
    }

    async fn wait_ready(&self, leaders: &[Leader]) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while !answers(&self.settings).await {
            if let Some(dead) = leaders.iter().find(|leader| !leader.is_alive()) {
                return Err(Error::new(format!("{} ended while starting", dead.name)));
            }
            if Instant::now() >= deadline {
                return Err(Error::new(format!("the local cloud does not answer after {READY_WITHIN:?}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Clients for a Region, as the root of the account.
    pub fn clients(&self, region: &str) -> Clients {
        Clients::new(&self.settings, region)
    }

    /// Deploys `template.yaml` and `infra/region.yaml`; a second time changes only what differs.
    ///
    /// # Errors
    /// When a resource cannot be made: the message names it.
    pub async fn deploy(&self) -> Result<Outputs> {
        deploy::everything(self).await
    }

    /// What is deployed in a target Region.
    ///
    /// # Errors
    /// When `infra/region.yaml` is not deployed there.
    pub async fn region(&self, region: &str) -> Result<RegionOutputs> {
        deploy::region(self, region).await
    }

    /// What any AWS client needs to use the stack.
    pub fn environment(&self, outputs: &Outputs) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.settings.cloud_endpoint()),
            ("AWS_ENDPOINT_URL_RDS", self.settings.rds_endpoint()),
            ("AWS_REGION", HOME_REGION.to_owned()),
            // What boto3 reads instead of AWS_REGION.
            ("AWS_DEFAULT_REGION", HOME_REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("DR_STATE_TABLE_NAME", outputs.state_table.clone()),
            ("DR_METADATA_BUCKET", outputs.metadata_bucket.clone()),
            ("HOLDFAST_BACKUP_STATE_MACHINE_ARN", outputs.backup_state_machine_arn.clone()),
            ("HOLDFAST_VALIDATION_STATE_MACHINE_ARN", outputs.validation_state_machine_arn.clone()),
            ("HOLDFAST_RESTORE_STATE_MACHINE_ARN", outputs.restore_state_machine_arn.clone()),
            ("HOLDFAST_REPLICATION_STATE_MACHINE_ARN", outputs.replication_state_machine_arn.clone()),
            ("HOLDFAST_PRUNE_FUNCTION", outputs.prune_function.clone()),
            ("HOLDFAST_SCHEDULE_ROLE_ARN", outputs.schedule_role_arn.clone()),
            ("HOLDFAST_SCHEDULE_GROUP", outputs.schedule_group.clone()),
            ("HOLDFAST_SCHEDULE_DEAD_LETTERS_ARN", outputs.dead_letters_arn.clone()),
        ])
    }

    /// Writes the environment as KEY=VALUE lines to `.local/env`, and beside the stack's data.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_env(&self, outputs: &Outputs) -> Result<PathBuf> {
        let lines: String =
            self.environment(outputs).iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let shared = env_file();
        for path in [self.settings.dir().join("env"), shared.clone()] {
            fs::write(&path, &lines).map_err(|cause| Error::file(&path, cause))?;
        }
        Ok(shared)
    }

    /// Where a server's output goes.
    pub fn log(&self, server: &str) -> PathBuf {
        self.settings.dir().join(format!("logs/{server}.log"))
    }

    fn last_words(&self) -> String {
        let mut words = String::new();
        for server in ["cloud", "rds"] {
            let text = fs::read_to_string(self.log(server)).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(5).collect();
            for line in lines.iter().rev() {
                words.push_str(&format!("\n  {server}: {line}"));
            }
        }
        words
    }
}

/// Stops whatever runs under these settings and removes its data. No stack is no error.
///
/// # Errors
/// When something survives, or data cannot be removed.
pub fn stop(settings: &Settings) -> Result<bool> {
    stop_dir(&settings.dir())
}

/// The lasting stacks of this project that are up beside `settings`.
pub fn others(settings: &Settings) -> Vec<Settings> {
    let Ok(entries) = fs::read_dir(project::local()) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| Settings::of_folder(&entry.file_name().to_string_lossy()))
        .filter(|other| other.name != settings.name)
        .filter(|other| PidFile::of(&other.dir()).read().iter().any(Leader::is_alive))
        .collect()
}

/// Stops the stacks of commands that were killed before they could.
///
/// # Errors
/// When something survives.
pub fn stop_abandoned() -> Result<()> {
    let Ok(entries) = fs::read_dir(project::local()) else { return Ok(()) };
    for entry in entries.flatten() {
        let owner = PidFile::of(&entry.path()).read().into_iter().find(|leader| leader.name == "owner");
        if owner.is_some_and(|owner| !owner.is_alive()) {
            stop_dir(&entry.path())?;
        }
    }
    Ok(())
}

/// Notes that the stack lives no longer than this process.
///
/// # Errors
/// When it cannot be written down.
pub fn own(settings: &Settings) -> Result<()> {
    PidFile::of(&settings.dir()).add(&this_process())
}

fn stop_dir(dir: &Path) -> Result<bool> {
    if !dir.exists() {
        return Ok(false);
    }
    let leaders = PidFile::of(dir).read();
    // The RDS first: it asks the cloud while it works.
    for (name, patience) in [("rds", RDS_STOPS_WITHIN), ("cloud", CLOUD_STOPS_WITHIN)] {
        for leader in leaders.iter().filter(|leader| leader.name == name) {
            leader.stop(patience)?;
        }
    }
    // PostgreSQL servers lead groups of their own: those of a killed RDS are found by their data.
    let data = dir.join("rds");
    if data.exists() {
        let gone = wait_until(POSTGRES_STOPS_WITHIN, || {
            holdfast_local_postgres::stop_leftovers(&data).is_ok_and(|n| n == 0)
        });
        if !gone {
            return Err(Error::new(format!(
                "PostgreSQL servers below {} could not be stopped",
                data.display()
            )));
        }
    }
    let env = env_file();
    if fs::read(dir.join("env")).ok() == fs::read(&env).ok() && env.exists() {
        fs::remove_file(&env).map_err(|cause| Error::file(&env, cause))?;
    }
    fs::remove_dir_all(dir).map_err(|cause| Error::file(dir, cause))?;
    Ok(true)
}

fn env_file() -> PathBuf {
    project::local().join("env")
}

async fn answers(settings: &Settings) -> bool {
    for (port, path) in [(settings.port_base, "/_ministack/health"), (settings.rds_port(), "/_local/ready")] {
        match http::get(port, path).await {
            Ok(answer) if answer.status == 200 => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

/// Nothing of the caller's AWS configuration reaches the stack, and nothing is written to its home.
fn clean_environment(command: &mut Command, dir: &Path) {
    command.env_clear();
    for name in ["PATH", "LANG", "LC_ALL", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("HOME", dir.join("home")).env("TMPDIR", dir.join("tmp"));
}

/// Which servers a stack was started from: a newer build means a fresh start.
fn made_of() -> Result<String> {
    let mut parts = Vec::new();
    for path in [project::binary("holdfast-local-rds")?, project::root().join(".venv/.holdfast-stamp")] {
        let metadata = path.metadata().map_err(|cause| Error::file(&path, cause))?;
        parts.push(format!("{} {:?}", metadata.len(), metadata.modified().ok()));
    }
    Ok(parts.join("\n"))
}
