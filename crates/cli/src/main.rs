//! The `holdfast` command: parses and dispatches.

use std::io::Write as _;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use holdfast_cli::{
    Error, backup, cost, deployed, doctor, exit, ops, plan, replicate, restore, retention, status, validate,
    verify,
};

/// Disaster recovery for Amazon RDS: backups that prove that they restore.
///
/// Credentials, Region and endpoint come from the environment, as for every AWS tool.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_help = exit::HELP, propagate_version = true)]
struct Cli {
    /// The state table. Default: Output StateTableName of the stack; DisasterRecoveryState where there is no such stack.
    #[arg(long, global = true, env = "DR_STATE_TABLE_NAME", value_name = "NAME")]
    state_table: Option<String>,
    /// The CloudFormation stack whose outputs say what neither flags nor variables do.
    #[arg(long, global = true, env = "HOLDFAST_STACK", default_value = "holdfast", value_name = "NAME")]
    stack: String,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Take backups and look at them.
    #[command(subcommand)]
    Backup(Backup),
    /// Look at operations of every kind.
    #[command(subcommand)]
    Ops(Ops),
    #[command(after_help = exit::HELP)]
    Restore(Box<restore::Restore>),
    #[command(after_help = exit::HELP)]
    Pitr(Box<restore::pitr::Pitr>),
    #[command(after_help = exit::HELP)]
    Replicate(replicate::Replicate),
    #[command(after_help = exit::VALIDATE_HELP)]
    Validate(validate::Validate),
    #[command(after_help = exit::VERIFY_HELP)]
    Verify(Box<verify::Verify>),
    #[command(after_help = exit::PRUNE_HELP)]
    Prune(retention::prune::Prune),
    #[command(after_help = exit::POINTS_HELP)]
    Points(retention::points::Points),
    /// Write the completions of a shell: source them, or put them where it looks.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command, into a folder.
    Man {
        /// The folder; it is made when it is not there.
        folder: std::path::PathBuf,
    },
    /// Say in one file what is backed up when and how, and have it so.
    #[command(subcommand, after_help = exit::PLAN_HELP)]
    Plan(plan::Plan),
    /// What protection will cost, what it did cost, and what costs and nobody needs. Changes nothing.
    #[command(subcommand)]
    Cost(cost::Cost),
    #[command(after_help = exit::DOCTOR_HELP)]
    Doctor(doctor::Doctor),
    #[command(after_help = exit::STATUS_HELP)]
    Status(status::StatusArgs),
}

#[derive(Debug, Subcommand)]
enum Backup {
    #[command(after_help = exit::HELP)]
    Create(backup::create::Create),
    #[command(after_help = exit::HELP)]
    Describe(backup::describe::Describe),
    #[command(after_help = exit::HELP)]
    Report(backup::report::Report),
}

#[derive(Debug, Subcommand)]
enum Ops {
    List(ops::list::List),
    #[command(after_help = exit::HELP)]
    Describe(backup::describe::Describe),
    #[command(after_help = exit::HELP)]
    Wait(ops::wait::Wait),
    #[command(after_help = exit::LOGS_HELP)]
    Logs(ops::logs::Logs),
    #[command(after_help = exit::HELP)]
    Resume(ops::reopen::Resume),
    #[command(after_help = exit::CANCEL_HELP)]
    Cancel(ops::reopen::Cancel),
}

/// One page for each command, as `git` has them: `holdfast-restore.1`, ...
fn manual(folder: &std::path::Path) -> Result<u8, Error> {
    let wrong = |error| Error::NotWritten(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(wrong)?;
    Ok(exit::SUCCEEDED)
}

/// What was typed, with the settings of the deployment where it needs them and nobody said them; and the state table, as far as
/// it is known by then.
async fn parse() -> Result<(Cli, deployed::Table), ExitCode> {
    let read = |matches: &ArgMatches, outputs| -> Result<(Cli, deployed::Table), ExitCode> {
        let cli = Cli::from_arg_matches(matches).map_err(refused)?;
        let is_stack_said = matches.value_source("stack") != Some(ValueSource::DefaultValue);
        let (said, stack) = (cli.state_table.clone(), cli.stack.clone());
        Ok((cli, deployed::Table { said, stack, is_stack_said, outputs }))
    };
    let missing = match Cli::command().try_get_matches() {
        Err(error) if error.kind() == clap::error::ErrorKind::MissingRequiredArgument => error,
        parsed => return read(&parsed.map_err(refused)?, None),
    };
    // What the person forgot is told before anybody is asked.
    let matches = deployed::without_settings(Cli::command()).try_get_matches().map_err(refused)?;
    let stack = read(&matches, None)?.0.stack;
    let unsaid = deployed::unsaid(&Cli::command(), &matches);
    let told = |what: &dyn std::fmt::Display| eprintln!("{}\nholdfast: {what}", missing.render());
    let outputs = deployed::outputs(&stack, &unsaid).await.map_err(|error| {
        told(&error);
        ExitCode::from(exit::of_error(&error))
    })?;
    match deployed::known(Cli::command(), &outputs).try_get_matches() {
        Err(error) if error.kind() == clap::error::ErrorKind::MissingRequiredArgument => {
            told(&deployed::not_in_outputs(&stack, &unsaid));
            Err(ExitCode::from(exit::USAGE))
        }
        parsed => read(&parsed.map_err(refused)?, Some(outputs)),
    }
}

fn refused(error: clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help and version.
        error.exit();
    }
    eprint!("{}", verify::without_passwords(&error.render().to_string()));
    ExitCode::from(exit::USAGE)
}

/// A reader that had enough (`| head`) is no failure of this program: `println!` panics on it, and this ends it as the signal
/// would that Rust's runtime ignores (SIGPIPE, 128 + 13).
fn end_with_its_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        if said.starts_with("failed printing to std") && said.contains("Broken pipe") {
            std::process::exit(141);
        }
        usual(panic);
    }));
}

#[tokio::main]
async fn main() -> ExitCode {
    end_with_its_reader();
    let (cli, table) = match parse().await {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    match run(cli.noun, table).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("holdfast: {error}");
            ExitCode::from(exit::of_error(&error))
        }
    }
}

/// Runs the verb; the answer is the exit code. The table is asked for by those that need it, and only once they do.
async fn run(noun: Noun, table: deployed::Table) -> Result<u8, Error> {
    match noun {
        Noun::Backup(Backup::Create(args)) => backup::create::run(args, table).await,
        Noun::Backup(Backup::Describe(args)) => backup::describe::run(args, table).await,
        Noun::Backup(Backup::Report(args)) => backup::report::run(args, table).await,
        Noun::Ops(Ops::List(args)) => ops::list::run(args, table).await,
        Noun::Ops(Ops::Describe(args)) => backup::describe::run(args, table).await,
        Noun::Ops(Ops::Wait(args)) => ops::wait::run(args, table).await,
        Noun::Ops(Ops::Logs(args)) => ops::logs::run(args, table).await,
        Noun::Ops(Ops::Resume(args)) => ops::reopen::resume(args, table).await,
        Noun::Ops(Ops::Cancel(args)) => ops::reopen::cancel(args, table).await,
        Noun::Restore(args) => restore::run(*args, table).await,
        Noun::Pitr(args) => restore::pitr::run(*args, table).await,
        Noun::Replicate(args) => replicate::run(args, table).await,
        Noun::Validate(args) => validate::run(args).await,
        Noun::Verify(args) => verify::run(*args).await,
        // These ask a function alone, which knows its table.
        Noun::Prune(args) => retention::prune::run(args, table.said.unwrap_or_default()).await,
        Noun::Points(args) => retention::points::run(args, table.said.unwrap_or_default()).await,
        Noun::Doctor(args) => doctor::run(args, table.name().await?).await,
        Noun::Status(args) => status::run(args, table.name().await?).await,
        Noun::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "holdfast", &mut script);
            // A reader that had enough is no failure.
            let _ = std::io::stdout().write_all(&script);
            Ok(exit::SUCCEEDED)
        }
        Noun::Man { folder } => manual(&folder),
        Noun::Plan(verb) => plan::run(verb).await,
        Noun::Cost(verb) => cost::run(verb, table).await,
    }
}
