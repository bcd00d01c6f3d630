//! One data directory and the server that runs on it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::archive::{archive_command, restore_command};
use crate::files::{give, make_private_directory, tail, write_private};
use crate::{Binaries, CertificateAuthority, ClusterOptions, Error, ServerUser, free_port};

const POLL: Duration = Duration::from_millis(20);

/// How a server is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopMode {
    /// Sessions are ended, a checkpoint is written.
    Fast,
    /// As if the machine had lost power; the next start recovers.
    Immediate,
}

impl StopMode {
    fn signal(self) -> Signal {
        match self {
            Self::Fast => Signal::SIGINT,
            Self::Immediate => Signal::SIGQUIT,
        }
    }
}

/// A PostgreSQL cluster. Dropping it stops its server.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    authority: CertificateAuthority,
    user: ServerUser,
    options: ClusterOptions,
    port: u16,
    program: Option<PathBuf>,
    server: Option<Child>,
    recovery: Option<Recovery>,
}

/// What the next start recovers from, and the time of the last commit that it takes.
#[derive(Debug)]
struct Recovery {
    archive: PathBuf,
    until: String,
}

impl Cluster {
    /// Makes a new cluster (`initdb`: data checksums, UTF-8, `C.UTF-8`, scram). Not yet started.
    pub async fn create(
        binaries: Binaries,
        authority: CertificateAuthority,
        options: ClusterOptions,
    ) -> Result<Self, Error> {
        let cluster = Self::prepare(binaries, authority, options)?;
        cluster.initdb().await?;
        Ok(cluster)
    }

    /// Takes a data directory that exists, such as a physical copy. Not yet started. Name and
    /// password of the superuser in `options` must be those that the directory was made with.
    pub async fn open(
        binaries: Binaries,
        authority: CertificateAuthority,
        options: ClusterOptions,
    ) -> Result<Self, Error> {
        let cluster = Self::prepare(binaries, authority, options)?;
        let (data_dir, user) = (cluster.options.data_dir.clone(), cluster.user.clone());
        tokio::task::spawn_blocking(move || {
            make_private_directory(&data_dir, &user)?;
            // A file left by the server that the copy was made from.
            match fs::remove_file(data_dir.join("postmaster.pid")) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(cause),
                _ => Ok(()),
            }
        })
        .await
        .map_err(|cause| Error::io("a blocking task died", cause.into()))?
        .map_err(|cause| Error::io("cannot take over the data directory", cause))?;
        Ok(cluster)
    }

    fn prepare(
        binaries: Binaries,
        authority: CertificateAuthority,
        mut options: ClusterOptions,
    ) -> Result<Self, Error> {
        options.data_dir = std::path::absolute(&options.data_dir)
            .map_err(|cause| Error::io("cannot resolve the data directory", cause))?;
        let user = ServerUser::find()?;
        let directory = &options.data_dir;
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent)
                .map_err(|cause| Error::io(format!("cannot create {parent:?}"), cause))?;
        }
        user.open_way_to(directory)?;
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        Ok(Self { binaries, authority, user, options, port, program: None, server: None, recovery: None })
    }

    async fn initdb(&self) -> Result<(), Error> {
        let data_dir = &self.options.data_dir;
        let passwords = self.beside(".pw");
        make_private_directory(data_dir, &self.user)
            .and_then(|()| write_private(&passwords, &self.options.password, &self.user))
            .map_err(|cause| Error::io(format!("cannot write to {data_dir:?}"), cause))?;
        let locale = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };
        let mut command = Command::new(self.binaries.program("initdb"));
        command
            .arg("--pgdata")
            .arg(data_dir)
            .arg("--username")
            .arg(&self.options.superuser)
            .arg("--pwfile")
            .arg(&passwords)
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-sync"])
            .arg(format!("--locale={locale}"))
            .args(self.options.segment_megabytes.map(|megabytes| format!("--wal-segsize={megabytes}")))
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        self.user.apply(&mut command);
        let output = command.output().await;
        // Removed whether it worked or not: it holds a password.
        let removed = fs::remove_file(&passwords);
        let output = output.map_err(|cause| Error::io("cannot run initdb", cause))?;
        removed.map_err(|cause| Error::io("cannot remove the password file", cause))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Program {
            program: "initdb",
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Starts the server and waits until it accepts connections. Does nothing when it runs.
    pub async fn start(&mut self) -> Result<(), Error> {
        if self.is_running() {
            return Ok(());
        }
        self.write_configuration()
            .map_err(|cause| Error::io("cannot write the server's configuration", cause))?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .map_err(|cause| Error::io("cannot open the server's log", cause))?;
        let errors = log.try_clone().map_err(|cause| Error::io("cannot open the server's log", cause))?;
        let program = self.program.clone().unwrap_or_else(|| self.binaries.program("postgres"));
        let mut command = Command::new(program);
        command
            .arg("-D")
            .arg(&self.options.data_dir)
            .current_dir("/")
            .env_remove("PGDATA")
            // It may run as another user, whose home this is not: libpq looks there for certificates.
            .env_remove("HOME")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C in a terminal is for the one who started this process, not for the server.
            .process_group(0);
        self.user.apply(&mut command);
        let server = command.spawn().map_err(|cause| Error::io("cannot run postgres", cause))?;
        self.server = Some(server);
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.options.deadline;
        loop {
            if !self.is_running() {
                let log = tail(&self.log_file());
                return Err(Error::NotStarted { log });
            }
            if self.says_ready() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = tail(&self.log_file());
                self.stop(StopMode::Immediate).await?;
                return Err(Error::TimedOut {
                    action: "start",
                    seconds: self.options.deadline.as_secs(),
                    log,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What `pg_ctl` reads too: the server writes its state in the eighth line.
    fn says_ready(&self) -> bool {
        let Ok(text) = fs::read_to_string(self.options.data_dir.join("postmaster.pid")) else {
            return false;
        };
        let mut lines = text.lines();
        let own = lines.next().and_then(|line| line.trim().parse().ok()) == self.pid();
        own && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    /// Stops the server and waits until it is gone. Does nothing when it does not run.
    pub async fn stop(&mut self, mode: StopMode) -> Result<(), Error> {
        let Some(server) = self.server.as_mut() else {
            return Ok(());
        };
        if let Some(pid) = server.id() {
            signal(pid, mode.signal());
        }
        match tokio::time::timeout(self.options.deadline, server.wait()).await {
            Ok(ended) => {
                self.server = None;
                ended.map(drop).map_err(|cause| Error::io("cannot wait for the server", cause))
            }
            Err(_) => Err(Error::TimedOut {
                action: "stop",
                seconds: self.options.deadline.as_secs(),
                log: tail(&self.log_file()),
            }),
        }
    }

    /// Copies the running server's files into `target` (made by this call): a physical backup that
    /// [`Cluster::open`] starts from. Pages are copied as they are, checksums unseen. Needs
    /// `pg_basebackup`, which what `tools/postgres-majors` installs does not have.
    pub async fn base_backup(&self, target: &Path) -> Result<(), Error> {
        make_private_directory(target, &self.user)
            .map_err(|cause| Error::io(format!("cannot create {target:?}"), cause))?;
        self.user.open_way_to(target)?;
        let mut command = Command::new(self.binaries.program("pg_basebackup"));
        command
            .args(["--host=127.0.0.1", "--no-password", "--checkpoint=fast", "--wal-method=stream"])
            .args(["--no-sync", "--no-verify-checksums"])
            // PostgreSQL 12 writes no manifest, and does not know how to leave it out.
            .args((self.binaries.major_version() != "12").then_some("--no-manifest"))
            .args(["--port", &self.port.to_string()])
            .args(["--username", &self.options.superuser])
            .arg("--pgdata")
            .arg(target)
            .env("PGPASSWORD", &self.options.password)
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        self.user.apply(&mut command);
        let output = command.output().await.map_err(|cause| Error::io("cannot run pg_basebackup", cause))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Program {
            program: "pg_basebackup",
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Makes the directory that finished WAL segments go to, given as [`ClusterOptions::archive`]: from now on
    /// they do. When it is removed they no longer do.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::NotTraversable`]: the server could not write there.
    pub fn make_archive(&self) -> Result<(), Error> {
        let Some(archive) = &self.options.archive else { return Ok(()) };
        make_private_directory(archive, &self.user)
            .map_err(|cause| Error::io(format!("cannot create {archive:?}"), cause))?;
        self.user.open_way_to(archive)
    }

    /// Starts on a base backup, replays the WAL in `archive` until the last commit at or before `until` (as
    /// `recovery_target_time` reads it), and waits until the server is open for writing, on a timeline of its own.
    ///
    /// # Errors
    /// [`Error::NotStarted`] with the server's log, when the archive ends before that time (PostgreSQL 13 and
    /// later say so) or the base backup was finished after it.
    pub async fn recover(&mut self, archive: &Path, until: &str) -> Result<(), Error> {
        write_private(&self.options.data_dir.join("recovery.signal"), "", &self.user)
            .map_err(|cause| Error::io("cannot ask for recovery", cause))?;
        self.recovery = Some(Recovery { archive: archive.to_owned(), until: until.to_owned() });
        let started = self.start().await;
        // The server has read it; the next start is an ordinary one.
        self.recovery = None;
        started
    }

    /// Listens on another port from the next start.
    pub fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Runs this program in place of the installation's `postgres`, from the next start.
    pub fn set_server(&mut self, program: &Path) {
        self.program = Some(program.to_owned());
    }

    /// Replaces the settings given earlier; they count from the next start.
    pub fn set_settings(&mut self, settings: impl IntoIterator<Item = (String, String)>) {
        self.options.settings = settings.into_iter().collect();
    }

    /// Replaces the lines of pg_hba.conf; they count from the next start.
    pub fn set_hba<T: Into<String>>(&mut self, lines: impl IntoIterator<Item = T>) {
        self.options.hba = lines.into_iter().map(Into::into).collect();
    }

    fn write_configuration(&self) -> std::io::Result<()> {
        let data_dir = &self.options.data_dir;
        let mut conf = String::from("# Written at every start by holdfast-local-postgres.\n");
        let mut line = |name: &str, value: &str| {
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            writeln!(conf, "{name} = '{value}'").map_err(std::io::Error::other)
        };
        if self.options.fast {
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                line(name, "off")?;
            }
        }
        line("shared_buffers", "32MB")?;
        for (name, value) in &self.options.settings {
            line(name, value)?;
        }
        if let Some(archive) = &self.options.archive {
            line("archive_mode", "on")?;
            line("archive_command", &archive_command(archive))?;
        }
        if let Some(Recovery { archive, until }) = &self.recovery {
            line("restore_command", &restore_command(archive))?;
            line("recovery_target_time", until)?;
            line("recovery_target_timeline", "latest")?;
            line("recovery_target_action", "promote")?;
            // A server open for reading meanwhile would need as many connections as the one it is a copy of.
            line("hot_standby", "off")?;
        }
        line("listen_addresses", "127.0.0.1")?;
        line("port", &self.port.to_string())?;
        line("unix_socket_directories", "")?;
        line("ssl", "on")?;
        line("ssl_cert_file", "server.crt")?;
        line("ssl_key_file", "server.key")?;
        line("password_encryption", "scram-sha-256")?;
        let certificate = self.authority.server_certificate().map_err(std::io::Error::other)?;
        let hba = self.options.hba.join("\n") + "\n";
        for (name, content) in [
            ("postgresql.conf", &conf),
            ("pg_hba.conf", &hba),
            ("server.crt", &certificate.certificate_pem),
            ("server.key", &certificate.key_pem),
        ] {
            write_private(&data_dir.join(name), content, &self.user)?;
        }
        give(&data_dir.join("server.key"), &self.user)
    }

    /// Whether the server process lives.
    pub fn is_running(&mut self) -> bool {
        match self.server.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => true,
            Some(_) => {
                self.server = None;
                false
            }
            None => false,
        }
    }

    /// The server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Child::id)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that clients must trust, PEM.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// The server's log: beside the data directory, so that copies do not carry it.
    pub fn log_file(&self) -> PathBuf {
        self.beside(".log")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.options.data_dir.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// How the superuser connects, as `tokio_postgres::Config` and libpq read it. Holds the
    /// password. TLS is required: trust [`Cluster::ca_pem`].
    pub fn connection_string(&self, database: &str) -> String {
        let quote = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} user='{}' password='{}' dbname='{}' sslmode=require",
            self.port,
            quote(&self.options.superuser),
            quote(&self.options.password),
            quote(database),
        )
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let Some(pid) = server.id() else { return };
        signal(pid, StopMode::Immediate.signal());
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(server.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                signal(pid, Signal::SIGKILL);
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // The process may have ended by itself: then there is nothing to stop.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Stops servers that a killed process left running on data directories below `root`. A process is
/// only touched when its command line names the data directory whose `postmaster.pid` names it.
pub fn stop_leftovers(root: &Path) -> std::io::Result<usize> {
    let mut stopped = 0;
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let pid_file = directory.join("postmaster.pid");
        if let Ok(text) = fs::read_to_string(&pid_file) {
            let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
            if let Some(pid) = pid.filter(|pid| runs_on(*pid, &directory)) {
                signal(pid, Signal::SIGQUIT);
                stopped += 1;
            }
            continue;
        }
        if directory.join("PG_VERSION").exists() {
            continue;
        }
        for entry in fs::read_dir(&directory)?.flatten() {
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    Ok(stopped)
}

fn runs_on(pid: u32, data_dir: &Path) -> bool {
    let Ok(output) = std::process::Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output()
    else {
        return false;
    };
    let arguments = String::from_utf8_lossy(&output.stdout);
    arguments.contains("postgres") && arguments.contains(&*data_dir.to_string_lossy())
}
