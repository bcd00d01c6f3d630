//! The local RDS as a program: options, log, signals.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use holdfast_local_rds::{LocalRds, Settings, Tuning};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Development only: the RDS API over real PostgreSQL clusters on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Port of the API on 127.0.0.1 (0: a free one, printed when ready).
    #[arg(long, default_value_t = 4567)]
    port: u16,
    /// Everything on disk is below this directory and removed at the end.
    #[arg(long, default_value = ".local/rds")]
    data_dir: PathBuf,
    /// First port for instances; the next free one from here (0: any free one).
    #[arg(long, default_value_t = 0)]
    instance_port_base: u16,
    /// The account that all resources belong to.
    #[arg(long, default_value = "000000000000")]
    account_id: String,
    /// The local cloud, asked about KMS keys and IAM roles; without it keys are not checked.
    #[arg(long)]
    cloud_endpoint: Option<String>,
    /// Hold every call against the policies of the caller's role in the local cloud.
    #[arg(long, requires = "cloud_endpoint")]
    enforce_iam: bool,
    /// The Region in which functions are looked for first.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    home_region: String,
    /// Every duration is divided by this.
    #[arg(long, default_value_t = Tuning::default().speed)]
    speed: f64,
    /// An instance: creating to available.
    #[arg(long, default_value_t = Tuning::default().create_seconds)]
    create_seconds: f64,
    /// The first automated backup of an instance: backing-up to available.
    #[arg(long, default_value_t = Tuning::default().backup_seconds)]
    backup_seconds: f64,
    /// How old the latest restorable time may be when somebody looks.
    #[arg(long, default_value_t = Tuning::default().restorable_seconds)]
    restorable_seconds: f64,
    /// A snapshot: creating to available.
    #[arg(long, default_value_t = Tuning::default().snapshot_seconds)]
    snapshot_seconds: f64,
    /// A copy: creating to available.
    #[arg(long, default_value_t = Tuning::default().copy_seconds)]
    copy_seconds: f64,
    /// A restored instance: creating to available.
    #[arg(long, default_value_t = Tuning::default().restore_seconds)]
    restore_seconds: f64,
    /// A restored instance: storage-initialization to available.
    #[arg(long, default_value_t = Tuning::default().initialize_seconds)]
    initialize_seconds: f64,
    /// A change, stop or start of an instance.
    #[arg(long, default_value_t = Tuning::default().modify_seconds)]
    modify_seconds: f64,
    /// An instance: deleting to gone.
    #[arg(long, default_value_t = Tuning::default().delete_seconds)]
    delete_seconds: f64,
    /// Manual snapshots per Region.
    #[arg(long, default_value_t = Tuning::default().max_manual_snapshots)]
    max_manual_snapshots: usize,
    /// Copies in flight per destination Region.
    #[arg(long, default_value_t = Tuning::default().max_copies_in_flight)]
    max_copies_in_flight: usize,
    /// Instances per Region.
    #[arg(long, default_value_t = Tuning::default().max_instances)]
    max_instances: usize,
}

impl Options {
    fn settings(self) -> Settings {
        let tuning = Tuning {
            speed: self.speed,
            create_seconds: self.create_seconds,
            backup_seconds: self.backup_seconds,
            restorable_seconds: self.restorable_seconds,
            snapshot_seconds: self.snapshot_seconds,
            copy_seconds: self.copy_seconds,
            restore_seconds: self.restore_seconds,
            initialize_seconds: self.initialize_seconds,
            modify_seconds: self.modify_seconds,
            delete_seconds: self.delete_seconds,
            max_manual_snapshots: self.max_manual_snapshots,
            max_copies_in_flight: self.max_copies_in_flight,
            max_instances: self.max_instances,
            ..Tuning::default()
        };
        Settings {
            port: self.port,
            data_dir: self.data_dir,
            instance_port_base: self.instance_port_base,
            account_id: self.account_id,
            cloud_endpoint: self.cloud_endpoint,
            enforce_iam: self.enforce_iam,
            home_region: self.home_region,
            tuning,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let settings = Options::parse().settings();
    // Before anything is started: a signal that comes early is not lost.
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("cannot listen for signals");
        return ExitCode::FAILURE;
    };
    let local = match LocalRds::start(settings).await {
        Ok(local) => local,
        Err(cause) => {
            tracing::error!(%cause, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", local.url());
    tracing::info!(url = %local.url(), "ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    local.stop().await;
    ExitCode::SUCCESS
}
