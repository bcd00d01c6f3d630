//! `holdfast backup create`: starts the workflow and follows it.

use std::path::PathBuf;

use aws_sdk_sfn::error::ProvideErrorMetadata;
use clap::Args;
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use serde_json::Value;

pub use super::outcome::{Left, Outcome, report};
use super::{
    Output,
    outcome::{self, by_hand},
};
use crate::{
    Error, arguments, ask,
    cloud::Cloud,
    deployed::Table,
    exit,
    follow::{self, Past},
    history::{News, View},
    interrupt,
    ops::execution::{self, Looked, State},
    request::{self, Flags, TargetRegion, login},
    screen::Screen,
};

/// Back up a database, prove that the backup restores, and copy it to other Regions.
#[derive(Debug, Args)]
pub struct Create {
    /// The RDS instance to back up.
    #[arg(value_parser = arguments::database)]
    database: String,
    /// Copy to this Region, encrypted with this key of that Region; repeat for more. Without =KEY: alias/holdfast.
    #[arg(long = "target-region", value_name = "REGION=KEY")]
    target_regions: Vec<TargetRegion>,
    /// What else to ask for, as JSON (see stepfunctions/examples); flags win over it.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The run, usually its scheduled time: the same database and run are the same operation. Default: now.
    #[arg(long, value_parser = arguments::run_id)]
    run_id: Option<String>,
    /// daily, weekly, monthly or yearly.
    #[arg(long, value_parser = arguments::tier)]
    tier: Option<String>,
    /// Tag the snapshot and its copies; repeat for more.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = request::parse_tag)]
    tags: Vec<(String, String)>,
    /// Do not prove that the backup restores.
    #[arg(long)]
    no_validation: bool,
    /// Restore this share of the copies in their Regions as well, and hold them against the backup: from 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = arguments::share)]
    copy_share: Option<f64>,
    /// Log in with this secret to read the database around its snapshot, so that the backup is held against it. What is
    /// restored from the backup is logged in to in the same way: without a login no restore can be proven or swapped in,
    /// unless it names one.
    #[arg(long, value_name = "ARN", group = "login")]
    login_secret: Option<String>,
    /// The same as this user, by IAM authentication.
    #[arg(long, value_name = "USER", group = "login")]
    login_user: Option<String>,
    /// Give up after this many minutes.
    #[arg(long, value_name = "MINUTES", value_parser = arguments::minutes)]
    deadline_minutes: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// The workflow (Output BackupStateMachineArn of the stack).
    #[arg(long, env = "HOLDFAST_BACKUP_STATE_MACHINE_ARN", value_name = "ARN")]
    state_machine_arn: String,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` before anything was started; `Aws` when AWS could not be asked.
pub async fn run(args: Create, table: Table) -> Result<u8, Error> {
    request::elsewhere("--target-region", &args.target_regions, &args.state_machine_arn)?;
    let input = input(&args)?;
    ask::possible(args.yes, "a backup")?;
    let cloud = Cloud::from_env(table.name().await?).await;
    if !args.yes {
        eprint!("{}", intended(&input));
        if !ask::agreed("Back it up?").await? {
            eprintln!("Nothing was made.");
            return Ok(exit::FAILED);
        }
    }
    let execution = start(&cloud.sfn, &args.state_machine_arn, &input).await?;
    let operation = operation(OperationId::derive, &args.state_machine_arn, &input);
    if args.no_wait {
        return Ok(started(&execution, operation.as_ref(), &input, args.output));
    }
    let screen = Screen::beside(args.output);
    let outcome = follow(&cloud, &execution, screen).await.of(operation.as_ref());
    Ok(report(&outcome, "backup", &execution, &cloud.table, args.output))
}

/// What the person is asked to agree to, from the workflow's input.
fn intended(input: &Value) -> String {
    let proven = if input["validation"]["enabled"] == false {
        "not proven"
    } else {
        "restored to a temporary instance, proven there"
    };
    let login = match (input["baseline"]["secretArn"].as_str(), input["baseline"]["iamUser"].as_str()) {
        (Some(arn), _) => format!("The database is read around it, with secret {arn}."),
        (None, Some(user)) => format!("The database is read around it, as {user}."),
        (None, None) => "Nobody logs in to the database for it (--login-secret, --login-user): what is restored from it is proven with \
                         the login of another backup, or one that the restore names."
            .to_owned(),
    };
    let copied = match input["targetRegions"].as_array() {
        Some(targets) if targets.is_empty() => "copied nowhere".to_owned(),
        Some(targets) => format!("copied to {}", request::copied_to(targets)),
        None => format!("copied to {}", request::DEFAULT_TARGETS),
    };
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    format!(
        "A snapshot of {} is taken (run {}), {proven}, and {copied}.\n{login}\nRDS bills the snapshot, \
         each copy and its transfer, and the temporary instance for as long as it takes.\n",
        text("databaseId"),
        text("runId"),
    )
}

fn input(args: &Create) -> Result<Value, Error> {
    let file = args
        .input
        .as_ref()
        .map(|path| {
            std::fs::read_to_string(path)
                .map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
        })
        .transpose()?;
    let flags = Flags {
        database: args.database.clone(),
        run_id: args.run_id.clone(),
        tier: args.tier.clone(),
        target_regions: args.target_regions.clone(),
        tags: args.tags.clone(),
        no_validation: args.no_validation,
        copy_share: args.copy_share,
        login: login(args.login_secret.as_deref(), args.login_user.as_deref()),
        deadline_minutes: args.deadline_minutes,
    };
    request::build(file.as_deref(), &flags, &now())
}

/// The time of day as a run id: whole seconds, UTC.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Starts the workflow; the answer is the execution's ARN.
///
/// # Errors
/// When Step Functions refuses or cannot be reached.
pub async fn start(
    sfn: &aws_sdk_sfn::Client,
    state_machine_arn: &str,
    input: &Value,
) -> Result<String, Error> {
    let started = sfn
        .start_execution()
        .state_machine_arn(state_machine_arn)
        .input(input.to_string())
        .send()
        .await
        .map_err(|error| not_started(state_machine_arn, &error))?;
    Ok(started.execution_arn)
}

/// `StateMachineDoesNotExist` is how Step Functions says that nothing is deployed there (API Reference, StartExecution).
fn not_started(machine: &str, error: &(impl std::error::Error + ProvideErrorMetadata + 'static)) -> Error {
    if error.code() == Some("StateMachineDoesNotExist") {
        return Error::Usage(format!(
            "there is no workflow {machine}: template.yaml deploys it to the home Region, infra/region.yaml to a Region that backups \
             are copied to"
        ));
    }
    Error::aws("StartExecution", error)
}

/// The operation that an execution with this input is, as the workflow derives it (`core::ids`); `None` when the input is none that it
/// would take. `machine`: the workflow's ARN.
pub fn operation(derive: Derive, machine: &str, input: &Value) -> Option<OperationId> {
    let home = Region::parse(machine.split(':').nth(3)?).ok()?;
    let database = DatabaseId::parse(input["databaseId"].as_str()?).ok()?;
    let run = RunId::parse(input["runId"].as_str()?).ok()?;
    Some(derive(&home, &database, &run))
}

/// How the id of a kind of operation is derived from its home Region, its database and its run.
pub type Derive = fn(&Region, &DatabaseId, &RunId) -> OperationId;

/// Says that an execution was started and is left to itself; the answer is the exit code.
pub fn started(execution: &str, operation: Option<&OperationId>, input: &Value, output: Output) -> u8 {
    match output {
        Output::Table => {
            println!("Started {execution}");
            match operation {
                Some(operation) => println!("Follow it with: holdfast ops wait {operation}"),
                None => println!("Look at it with: {}", by_hand(execution)),
            }
        }
        Output::Json => {
            let said =
                serde_json::json!({"executionArn": execution, "operationId": operation, "input": input});
            println!("{said}");
        }
    }
    exit::SUCCEEDED
}

/// Follows the operation to its end, through every execution that goes on with it, or until Ctrl-C. AWS may fail to answer for
/// some minutes; then nobody follows any more.
pub async fn follow(cloud: &Cloud, execution: &str, mut screen: Screen) -> Outcome {
    let (mut view, mut at) = (View::default(), execution.to_owned());
    let outcome = tokio::select! {
        outcome = to_the_end(cloud, &mut at, &mut view, &mut screen) => Some(outcome),
        () = interrupt::pressed() => None,
    };
    screen.close();
    let why = match outcome {
        Some(Ok(outcome)) => return outcome,
        Some(Err(error)) => Some(error),
        None => None,
    };
    Outcome::Detached { execution: at, operation_id: view.operation_id, why }
}

/// `at`: the execution that is followed, and which it was in the end.
async fn to_the_end(
    cloud: &Cloud,
    at: &mut String,
    view: &mut View,
    screen: &mut Screen,
) -> Result<Outcome, Error> {
    loop {
        let ended = follow::to_the_end(cloud, at, view, screen, Past::InRecords).await?;
        // The record is what counts, and a failed execution has no output.
        let (mut recorded, mut left) = (None, None);
        if let Some(id) = &ended.view.operation_id {
            match follow::patiently(screen, async || Ok(execution::look(cloud, id).await?)).await? {
                Looked::Missing => {}
                Looked::Ended(record) => recorded = record.summary,
                Looked::Open(_, other) if other.state == State::Running && other.arn != *at => {
                    screen.tell(&News::Trouble(format!("another execution goes on with it: {}", other.arn)));
                    *at = other.arn;
                    *view = View::of(id.clone());
                    continue;
                }
                Looked::Open(record, execution) => {
                    let (operation_id, status) = (id.clone(), record.status);
                    left = Some(Box::new(Left { operation_id, status, execution }));
                }
            }
        }
        return Ok(outcome::of(ended, recorded, left));
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::config::http::HttpResponse;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::mocked;

    #[tokio::test]
    async fn a_workflow_that_is_not_there_is_said_to_be_missing() {
        let machine = "arn:aws:states:us-west-2:123456789012:stateMachine:holdfast-backup-validation";
        let refused = async |answer: fn() -> HttpResponse| {
            let rule = mock!(aws_sdk_sfn::Client::start_execution).then_http_response(answer);
            start(&mocked::client!(aws_sdk_sfn, &[&rule]), machine, &serde_json::json!({})).await.unwrap_err()
        };
        let gone = refused(|| mocked::response(400, r#"{"__type": "StateMachineDoesNotExist"}"#)).await;
        assert!(matches!(gone, Error::Usage(_)), "{gone:?}");
        assert!(gone.to_string().contains(&format!("there is no workflow {machine}")), "{gone}");
        let denied = refused(|| mocked::response(400, r#"{"__type": "AccessDeniedException"}"#)).await;
        assert!(matches!(denied, Error::Aws { .. }), "{denied:?}");
    }

    #[test]
    fn what_is_started_is_the_operation_that_the_workflow_derives() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:holdfast-backup-orchestration";
        let input = serde_json::json!({"databaseId": "Prod-DB", "runId": "r1"});
        let (home, database) = (Region::parse("us-east-1").unwrap(), DatabaseId::parse("prod-db").unwrap());
        let expected = OperationId::derive(&home, &database, &RunId::parse("r1").unwrap());
        assert_eq!(operation(OperationId::derive, machine, &input), Some(expected.clone()));
        assert_ne!(operation(OperationId::of_restore, machine, &input), Some(expected));
        assert_eq!(
            operation(OperationId::derive, machine, &serde_json::json!({"databaseId": "prod-db"})),
            None
        );
    }

    #[test]
    fn what_is_agreed_to_says_what_is_made_where_and_what_is_not() {
        let asked = |more: Value| {
            let mut input = serde_json::json!({"databaseId": "prod-db", "runId": "r1"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            intended(&input)
        };
        assert_eq!(
            asked(serde_json::json!({"baseline": {"iamUser": "reader"}, "targetRegions": [
                {"region": "us-west-2", "kmsKeyId": "alias/mine"}, {"region": "eu-west-1"}]})),
            "A snapshot of prod-db is taken (run r1), restored to a temporary instance, proven there, and copied to us-west-2 \
             (encrypted with alias/mine), eu-west-1 (encrypted with alias/holdfast).
The database is read around it, as reader.
RDS bills the snapshot, each copy and its transfer, and the temporary instance for as long as it takes.
"
        );
        let least = asked(serde_json::json!({"validation": {"enabled": false}, "targetRegions": []}));
        assert!(least.contains("(run r1), not proven, and copied nowhere.\nNobody logs in"), "{least}");
        // Whose default decides is said where nobody decides here.
        let defaults = asked(serde_json::json!({}));
        assert!(defaults.contains("(TargetRegions and TargetKmsKeyId of its stack)"), "{defaults}");
    }

    #[tokio::test(start_paused = true)]
    async fn when_aws_does_not_answer_for_long_the_way_back_is_told() {
        let down = mock!(aws_sdk_sfn::Client::describe_execution)
            .then_http_response(|| mocked::response(500, r#"{"__type": "InternalFailure"}"#));
        let mut cloud = mocked::cloud();
        cloud.sfn = mocked::client!(aws_sdk_sfn, &[&down]);
        let operation = OperationId::parse("prod-db-r1-0123456789").unwrap();
        let outcome = follow(
            &cloud,
            "arn:a:states:us-east-1:1:execution:x:y",
            Screen::lines(Box::new(std::io::sink())),
        );
        let outcome = outcome.await.of(Some(&operation));
        let Outcome::Detached { execution, operation_id, why: Some(why) } = &outcome else {
            panic!("{outcome:?}")
        };
        let said = outcome::detached("backup", execution, operation_id.as_deref(), Some(&why.to_string()));
        for words in [
            "DescribeExecution",
            "goes on, as far as is known",
            "execution:x:y",
            "holdfast ops wait prod-db-r1-0123456789",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(report(&outcome, "backup", execution, "T", Output::Table), exit::DETACHED);
    }
}
