//! `holdfast validate`: proves a backup, or a copy of it, again where it lies.

use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use holdfast_core::validation::Verdict;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backup::Output;
use crate::backup::create::{self, Outcome};
use crate::cloud::{self, Cloud};
use crate::follow::{Ended, Past};
use crate::history::View;
use crate::paint::Paint;
use crate::render::{checks, verdict_line};
use crate::screen::Screen;
use crate::summary::Validation;
use crate::{Error, arguments, ask, exit, follow, history, interrupt};

/// Prove a backup again where it lies: restored there, read as a whole, held against its manifest.
///
/// It asks nothing of another Region: a copy is proven by the Region that it lies in, also when the others are lost.
#[derive(Debug, Args)]
pub struct Validate {
    /// The operation that made the backup, such as prod-db-20261120t060000z-3f9a1c2b7d.
    #[arg(value_parser = arguments::operation)]
    operation_id: String,
    /// The Region of the backup or its copy. Default: the one of the workflow below.
    #[arg(long, value_name = "REGION", value_parser = arguments::region)]
    region: Option<String>,
    /// The run: the same operation and run are the same validation. Default: now.
    #[arg(long, value_parser = arguments::run_id)]
    run_id: Option<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// The workflow (Output BackupValidationStateMachineArn of the stack); it has the same name in every Region.
    #[arg(long, env = "HOLDFAST_VALIDATION_STATE_MACHINE_ARN", value_name = "ARN")]
    state_machine_arn: String,
}

/// What the workflow puts out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proven {
    validation: Validation,
    #[serde(default)]
    leftovers: Vec<String>,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` before anything was started; `Aws` when AWS could not be asked.
pub async fn run(args: Validate) -> Result<u8, Error> {
    let (machine, region) = in_region(&args.state_machine_arn, args.region.as_deref())?;
    ask::possible(args.yes, "a validation")?;
    if !args.yes {
        eprintln!(
            "What {} made is restored in {region} to a temporary instance, proven there, and the instance removed.\nRDS bills that \
             instance for as long as it takes.",
            args.operation_id
        );
        if !ask::agreed("Prove it?").await? {
            eprintln!("Nothing was made.");
            return Ok(exit::FAILED);
        }
    }
    let config = cloud::configuration().await;
    let config = config.to_builder().region(aws_config::Region::new(region.clone())).build();
    // A validation leaves no record: its Region may have no state table.
    let cloud = Cloud::new(&config, String::new());
    let run = args.run_id.clone().unwrap_or_else(create::now);
    let input = json!({"operationId": args.operation_id, "runId": run});
    let execution = create::start(&cloud.sfn, &machine, &input).await?;
    if args.no_wait {
        return Ok(create::started(&execution, None, &input, args.output));
    }
    let (mut view, mut screen) = (View::default(), Screen::beside(args.output));
    let ended = tokio::select! {
        ended = follow::to_the_end(&cloud, &execution, &mut view, &mut screen, Past::NotKept) => Some(ended),
        () = interrupt::pressed() => None,
    };
    screen.close();
    let why = match ended {
        Some(Ok(ended)) => return proven(&args, &region, &execution, ended),
        Some(Err(error)) => Some(error),
        None => None,
    };
    let outcome = Outcome::Detached { execution: execution.clone(), operation_id: None, why };
    Ok(create::report(&outcome, "validation", &execution, &cloud.table, args.output))
}

/// Says how it ended; the answer is the exit code.
fn proven(args: &Validate, region: &str, execution: &str, ended: Ended) -> Result<u8, Error> {
    let Some(output) = ended.output.as_ref().filter(|_| ended.status == ExecutionStatus::Succeeded) else {
        let error = ended.error.unwrap_or_else(|| ended.status.to_string());
        let cause = ended.cause.unwrap_or_default();
        return Ok(failed(args, region, execution, &error, &cause));
    };
    let json: Value = serde_json::from_str(output).map_err(|error| unreadable(execution, &error))?;
    let proven: Proven =
        serde_json::from_value(json.clone()).map_err(|error| unreadable(execution, &error))?;
    match args.output {
        Output::Json => println!("{json:#}"),
        Output::Table => print!("\n{}", text(&args.operation_id, region, &proven, Paint::for_stdout())),
    }
    Ok(exit::SUCCEEDED)
}

fn unreadable(execution: &str, error: &serde_json::Error) -> Error {
    Error::Unreadable(format!("the output of {execution} cannot be read: {error}"))
}

/// Says why it is not VALID; the answer is the exit code.
fn failed(args: &Validate, region: &str, execution: &str, error: &str, cause: &str) -> u8 {
    match args.output {
        Output::Json => {
            println!("{:#}", json!({"executionArn": execution, "error": error, "cause": cause}));
        }
        Output::Table => {
            let paint = Paint::for_stdout();
            let said = format!("✘ {} in {region} is not proven.", args.operation_id);
            println!(
                "\n{}\n\n  {}\n  Execution: {execution}",
                paint.bad(&said),
                history::in_words(error, cause)
            );
        }
    }
    match error {
        "Holdfast.ValidationInconclusive" => exit::of_verdict(Verdict::Inconclusive),
        _ => exit::FAILED,
    }
}

fn text(operation: &str, region: &str, proven: &Proven, paint: Paint) -> String {
    let mut text =
        format!("{}\n\n", paint.good(&format!("✔ {operation} in {region} restores, and is what it was.")));
    text.push_str(&format!("  Verdict     {}\n", verdict_line(&proven.validation, paint)));
    text.push_str(&checks(&proven.validation, paint));
    for leftover in &proven.leftovers {
        text.push_str(&format!("  {} {leftover}\n", paint.warn("left behind:")));
    }
    text
}

/// The workflow of another Region, and that Region: `infra/region.yaml` gives it the same name everywhere.
fn in_region(machine: &str, region: Option<&str>) -> Result<(String, String), Error> {
    let parts: Vec<&str> = machine.splitn(7, ':').collect();
    let [arn, partition, "states", home, account, "stateMachine", name] = parts[..] else {
        return Err(Error::Usage(format!("{machine:?} is not the ARN of a state machine")));
    };
    let region = region.unwrap_or(home);
    Ok(([arn, partition, "states", region, account, "stateMachine", name].join(":"), region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_the_workflow_under_the_same_name() {
        let home = "arn:aws:states:us-east-1:123456789012:stateMachine:holdfast-backup-validation";
        let there = in_region(home, Some("us-west-2")).unwrap();
        assert_eq!(there, (home.replace("us-east-1", "us-west-2"), "us-west-2".to_owned()));
        assert_eq!(in_region(home, None).unwrap(), (home.to_owned(), "us-east-1".to_owned()));
        assert!(matches!(in_region("holdfast", None), Err(Error::Usage(_))));
    }

    #[test]
    fn what_is_proven_says_what_was_read_and_what_is_left() {
        let proven = json!({"validation": {"verdict": "VALID", "rows": 12, "tables": 3, "databases": ["shop"],
            "checks": [{"name": "content", "scope": "shop", "result": "passed", "durationMs": 1}]},
            "leftovers": ["instance hfv-x"]});
        let text = text(
            "prod-db-r1-0123456789",
            "us-west-2",
            &serde_json::from_value(proven).unwrap(),
            Paint::PLAIN,
        );
        assert!(
            text.starts_with("✔ prod-db-r1-0123456789 in us-west-2 restores, and is what it was."),
            "{text}"
        );
        assert!(text.contains("12 rows read") && text.contains("left behind: instance hfv-x"), "{text}");
    }
}
