//! `holdfast-local`: the whole system on this machine.

use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
};

use clap::Parser;
use holdfast_cli::render::count;
use holdfast_testkit::{Error, Result, Settings, Stack, clients::HOME_REGION, demo, seed, stack};
use nix::{sys::signal, unistd::Pid};
use tokio::signal::unix::{SignalKind, signal};

/// The local cloud, with Holdfast deployed.
///
/// HOLDFAST_PORT_BASE says where its ports begin (14500); two stacks with different ones run side by side.
#[derive(Debug, Parser)]
#[command(name = "holdfast-local", version)]
enum Cli {
    /// Start it, deploy, and leave it running; once it runs, deploy what changed.
    Up,
    /// Stop it and remove its data.
    Down,
    /// Start a fresh one for a command, with its environment, and stop it when the command ends.
    Run {
        /// The command.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Create prod-db, with some hundred thousand rows.
    Seed,
    /// Back up prod-db to two Regions and say how it went.
    Demo {
        /// Damage the snapshot after it was taken, and see it refused.
        #[arg(long, value_enum)]
        damage: Option<demo::Damage>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match dispatch(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("holdfast-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode> {
    stack::stop_abandoned()?;
    match cli {
        Cli::Up => up().await,
        Cli::Down => down(),
        Cli::Run { command } => run(command).await,
        Cli::Seed => seeded().await,
        Cli::Demo { damage } => demo::run(damage).await.map(ExitCode::from),
    }
}

async fn up() -> Result<ExitCode> {
    let settings = Settings::lasting()?;
    let running = match Stack::attach(&settings).await {
        Some(stack) => stack,
        None => Stack::start(settings).await?,
    };
    let outputs = running.deploy().await?;
    let env = running.write_env(&outputs)?;
    println!("Up: {}, RDS at {}", running.settings.cloud_endpoint(), running.settings.rds_endpoint());
    println!("Use it with:  set -a; . {}; set +a", env.display());
    Ok(ExitCode::SUCCESS)
}

fn down() -> Result<ExitCode> {
    let settings = Settings::lasting()?;
    let stopped = stack::stop(&settings)?;
    println!("{}", if stopped { "Down: nothing left behind." } else { "Nothing was up." });
    for other in stack::others(&settings) {
        println!("Still up: {}. Stop it:  {}", other.name, other.make("down"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn seeded() -> Result<ExitCode> {
    let settings = Settings::lasting()?;
    let running = Stack::attach(&settings).await.ok_or_else(|| Error::new("nothing is up: make up first"))?;
    let seeded = seed::seed(&running).await?;
    let what = if seeded.was_there { "was there" } else { "created" };
    let rows = count(seeded.rows, "row");
    println!("{} {what} in {HOME_REGION}: PostgreSQL {}, {rows}", seed::DATABASE, seeded.version);
    Ok(ExitCode::SUCCESS)
}

async fn run(command: Vec<String>) -> Result<ExitCode> {
    let settings = Settings::passing()?;
    // Signals are caught from here on: whatever happens, the stack is stopped below.
    let mut terminate = signal(SignalKind::terminate()).map_err(|cause| Error::because("signals", &cause))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|cause| Error::because("signals", &cause))?;
    let work = on_fresh_stack(settings.clone(), command, &mut terminate, &mut interrupt);
    let done = work.await;
    let stopped = stack::stop(&settings);
    let code = done?;
    stopped?;
    Ok(code)
}

async fn on_fresh_stack(
    settings: Settings,
    command: Vec<String>,
    terminate: &mut tokio::signal::unix::Signal,
    interrupt: &mut tokio::signal::unix::Signal,
) -> Result<ExitCode> {
    let prepared = async {
        let running = Stack::start(settings.clone()).await?;
        stack::own(&settings)?;
        let outputs = running.deploy().await?;
        Ok::<_, Error>((running, outputs))
    };
    let (running, outputs) = tokio::select! {
        prepared = prepared => prepared?,
        _ = terminate.recv() => return Err(Error::new("interrupted")),
        _ = interrupt.recv() => return Err(Error::new("interrupted")),
    };
    let mut child = tokio::process::Command::new(&command[0])
        .args(&command[1..])
        .envs(running.environment(&outputs))
        .env("HOLDFAST_RDS_CA_FILE", running.settings.ca_file())
        .env("HOLDFAST_STACK_DIR", running.settings.dir())
        .spawn()
        .map_err(|cause| Error::because(&command[0], &cause))?;
    loop {
        let ended = tokio::select! {
            ended = child.wait() => ended.map_err(|cause| Error::because(&command[0], &cause))?,
            _ = terminate.recv() => { pass_on(&child); continue }
            // A terminal's Ctrl-C reaches the child as well; a lone signal to this process does not.
            _ = interrupt.recv() => { pass_on(&child); continue }
        };
        return Ok(ExitCode::from(exit_code(ended)));
    }
}

fn pass_on(child: &tokio::process::Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended by itself in the meantime.
        let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGTERM);
    }
}

/// As a shell says it: 128 and the signal's number for a command that a signal ended.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}
