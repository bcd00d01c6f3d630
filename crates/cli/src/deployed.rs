//! Where Holdfast is deployed, for a shell in which nobody has set that: the outputs of its stack.
//!
//! Every verb takes what it needs from flags and environment variables. What those do not say is looked up once, in the
//! outputs of the CloudFormation stack, so that the binary alone is enough.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::{Error, cloud};

/// The variable of each setting, and the output of `template.yaml` that has its value.
const SETTINGS: [(&str, &str); 9] = [
    ("HOLDFAST_BACKUP_STATE_MACHINE_ARN", "BackupStateMachineArn"),
    ("HOLDFAST_VALIDATION_STATE_MACHINE_ARN", "BackupValidationStateMachineArn"),
    ("HOLDFAST_RESTORE_STATE_MACHINE_ARN", "RestoreStateMachineArn"),
    ("HOLDFAST_REPLICATION_STATE_MACHINE_ARN", "ReplicationStateMachineArn"),
    ("HOLDFAST_PRUNE_FUNCTION", "PruneFunctionName"),
    ("HOLDFAST_SCHEDULE_GROUP", "ScheduleGroupName"),
    ("HOLDFAST_SCHEDULE_ROLE_ARN", "ScheduleRoleArn"),
    ("HOLDFAST_SCHEDULE_DEAD_LETTERS_ARN", "ScheduleDeadLettersArn"),
    ("DR_METADATA_BUCKET", "MetadataBucketName"),
];

/// `command`, in which each setting that `outputs` has is what it is when neither flag nor variable say it.
pub fn known(command: Command, outputs: &Outputs) -> Command {
    fill(command, &SETTINGS, &|output| outputs.get(output).cloned())
}

/// `command`, which asks for no setting: what it still refuses is for whoever typed it.
pub fn without_settings(command: Command) -> Command {
    fill(command, &SETTINGS, &|output| Some(output.to_owned()))
}

fn fill(command: Command, settings: &[(&str, &str)], value: &dyn Fn(&str) -> Option<String>) -> Command {
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let command = command.mut_args(|argument| {
        let variable = argument.get_env().and_then(std::ffi::OsStr::to_str).map(str::to_owned);
        let output = settings.iter().find(|(name, _)| Some(*name) == variable.as_deref());
        match output.and_then(|(_, output)| value(output)) {
            // The process ends with the verb: a few words stay until then.
            Some(value) => argument.required(false).default_value(&*value.leak()),
            None => argument,
        }
    });
    verbs
        .into_iter()
        .fold(command, |command, verb| command.mut_subcommand(verb, |verb| fill(verb, settings, value)))
}

/// The settings of the verb that was typed which neither a flag nor a variable say: the variables that would. `command` is what
/// it was before [`without_settings`], `matches` what that found.
pub fn unsaid(command: &Command, matches: &ArgMatches) -> Vec<&'static str> {
    unsaid_of(command, matches, &SETTINGS)
}

fn unsaid_of(
    command: &Command,
    matches: &ArgMatches,
    settings: &[(&'static str, &str)],
) -> Vec<&'static str> {
    if let Some((name, matches)) = matches.subcommand()
        && let Some(verb) = command.find_subcommand(name)
    {
        return unsaid_of(verb, matches, settings);
    }
    let filled = |argument: &&clap::Arg| {
        argument.is_required_set()
            && matches.value_source(argument.get_id().as_str()) == Some(ValueSource::DefaultValue)
    };
    let variables =
        command.get_arguments().filter(filled).filter_map(|argument| argument.get_env()?.to_str());
    variables
        .filter_map(|variable| settings.iter().map(|(name, _)| *name).find(|name| *name == variable))
        .collect()
}

/// What to do about settings that the stack's outputs do not have.
pub fn not_in_outputs(stack: &str, unsaid: &[&str]) -> String {
    format!(
        "stack {stack} has no output for {}: name the stack that Holdfast is deployed by with --stack NAME (or HOLDFAST_STACK), \
         or set the variable",
        unsaid.join(", ")
    )
}

/// What a stack has put out, by name.
pub type Outputs = BTreeMap<String, String>;

/// The outputs of the stack of this name, in the configured Region. `unsaid`: what is looked for, for the message.
///
/// # Errors
/// `Usage` when there is no such stack; `Aws` when CloudFormation cannot be asked.
pub async fn outputs(stack: &str, unsaid: &[&str]) -> Result<Outputs, Error> {
    let config = cloud::configuration().await;
    let region = config.region().map_or_else(|| "no Region".to_owned(), ToString::to_string);
    match asked(&Client::new(&config), stack).await {
        Stack::There(outputs) => Ok(outputs),
        Stack::Missing => Err(missing(stack, &region, unsaid)),
        Stack::Denied(error) | Stack::Unanswered(error) => Err(error),
    }
}

fn missing(stack: &str, region: &str, unsaid: &[&str]) -> Error {
    Error::Usage(format!(
        "{} is not set, and there is no stack {stack} in {region} that would say it: name the stack that Holdfast is \
         deployed by with --stack NAME (or HOLDFAST_STACK), its Region with AWS_REGION, or set the variable",
        unsaid.join(", ")
    ))
}

/// What CloudFormation says of a stack.
enum Stack {
    /// Its outputs.
    There(Outputs),
    /// There is none of this name.
    Missing,
    /// Whoever asks may not.
    Denied(Error),
    /// It could not be asked.
    Unanswered(Error),
}

async fn asked(client: &Client, stack: &str) -> Stack {
    let answer = match client.describe_stacks().stack_name(stack).send().await {
        Ok(answer) => answer,
        Err(error) if is_missing(&error) => return Stack::Missing,
        Err(error) if matches!(error.code(), Some("AccessDenied" | "AccessDeniedException")) => {
            return Stack::Denied(Error::aws("DescribeStacks", &error));
        }
        Err(error) => return Stack::Unanswered(Error::aws("DescribeStacks", &error)),
    };
    let outputs = answer.stacks().first().map(|stack| stack.outputs()).unwrap_or_default();
    let pair = |output: &aws_sdk_cloudformation::types::Output| {
        Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
    };
    Stack::There(outputs.iter().filter_map(pair).collect())
}

/// The variable that names the state table, and the output that has its name.
const TABLE: (&str, &str) = ("DR_STATE_TABLE_NAME", "StateTableName");

/// The state table: as a flag or the variable says, else the one of the stack. Asked for by whoever needs it and when it does:
/// much needs none.
#[derive(Debug, Clone)]
pub struct Table {
    /// What the flag or the variable says.
    pub said: Option<String>,
    /// The stack that says it otherwise.
    pub stack: String,
    /// Whether somebody named that stack: then no other deployment will do.
    pub is_stack_said: bool,
    /// Its outputs, where they were asked for already.
    pub outputs: Option<Outputs>,
}

impl Table {
    /// Its name.
    ///
    /// # Errors
    /// `Usage` when the stack that was named is not there, or has no such output; `Aws` when CloudFormation cannot be asked.
    pub async fn name(self) -> Result<String, Error> {
        match (self.said, self.outputs) {
            (Some(name), _) => Ok(name),
            (None, Some(outputs)) => of_outputs(&self.stack, &outputs),
            (None, None) => {
                let config = cloud::configuration().await;
                let region = config.region().map_or_else(|| "no Region".to_owned(), ToString::to_string);
                let stack = asked(&Client::new(&config), &self.stack).await;
                table_of(stack, &self.stack, self.is_stack_said, &region)
            }
        }
    }
}

fn of_outputs(stack: &str, outputs: &Outputs) -> Result<String, Error> {
    let name = outputs.get(TABLE.1).cloned();
    name.ok_or_else(|| Error::Usage(not_in_outputs(stack, &[TABLE.0])))
}

/// The table of what was asked for. Only where nobody named a stack may it be the one that a deployment has by default.
fn table_of(asked: Stack, stack: &str, is_said: bool, region: &str) -> Result<String, Error> {
    match asked {
        Stack::There(outputs) => of_outputs(stack, &outputs),
        Stack::Missing if is_said => Err(missing(stack, region, &[TABLE.0])),
        Stack::Missing => Ok(cloud::DEFAULT_TABLE.to_owned()),
        Stack::Denied(error) if !is_said => {
            eprintln!(
                "holdfast: which state table stack {stack} has may not be asked ({error}): {} is taken; say another with \
                 --state-table or {}",
                cloud::DEFAULT_TABLE,
                TABLE.0
            );
            Ok(cloud::DEFAULT_TABLE.to_owned())
        }
        Stack::Denied(error) | Stack::Unanswered(error) => Err(error),
    }
}

/// `ValidationError` with this sentence is how CloudFormation says that there is none (API Reference, DescribeStacks).
fn is_missing(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ValidationError")
        && error.message().is_some_and(|message| message.contains("does not exist"))
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::mock;
    use clap::Arg;

    use super::*;
    use crate::mocked;

    /// A variable that no shell has.
    const OWN: [(&str, &str); 1] = [("HOLDFAST_OF_THIS_TEST", "PruneFunctionName")];

    fn command() -> Command {
        let setting = Arg::new("function").long("function").env(OWN[0].0).required(true);
        let prune = Command::new("prune").arg(setting).arg(Arg::new("database").required(true));
        Command::new("holdfast").subcommand(Command::new("ops").subcommand(prune))
    }

    fn function(matches: &ArgMatches) -> Option<String> {
        let (_, ops) = matches.subcommand()?;
        ops.subcommand()?.1.get_one::<String>("function").cloned()
    }

    #[test]
    fn a_setting_is_what_the_stack_says_unless_a_flag_says_another() {
        let parse = |known: Option<&str>, more: &[&str]| {
            let filled = fill(command(), &OWN, &|_| known.map(str::to_owned));
            let given = ["holdfast", "ops", "prune", "prod-db"].iter().chain(more);
            filled.try_get_matches_from(given).map(|matches| function(&matches))
        };
        assert_eq!(parse(Some("prune-1"), &[]).unwrap().as_deref(), Some("prune-1"));
        assert_eq!(parse(Some("prune-1"), &["--function", "mine"]).unwrap().as_deref(), Some("mine"));
        assert!(parse(None, &[]).is_err());
    }

    #[test]
    fn the_variables_that_nobody_set_are_named() {
        let unsaid = |more: &[&str]| {
            let filled = fill(command(), &OWN, &|output| Some(output.to_owned()));
            let given = ["holdfast", "ops", "prune", "prod-db"].iter().chain(more);
            unsaid_of(&command(), &filled.try_get_matches_from(given).unwrap(), &OWN)
        };
        assert_eq!(unsaid(&[]), ["HOLDFAST_OF_THIS_TEST"]);
        assert!(unsaid(&["--function", "mine"]).is_empty());
        let said = not_in_outputs("other", &["HOLDFAST_OF_THIS_TEST"]);
        assert!(
            said.contains("no output for HOLDFAST_OF_THIS_TEST") && said.contains("--stack NAME"),
            "{said}"
        );
    }

    #[test]
    fn what_a_person_forgot_is_told_without_the_settings() {
        let filled = fill(command(), &OWN, &|output| Some(output.to_owned()));
        let said = filled.try_get_matches_from(["holdfast", "ops", "prune"]).unwrap_err().to_string();
        assert!(said.contains("\n  <database>") && !said.contains("\n  --function"), "{said}");
    }

    /// What DescribeStacks is answered with, and what that makes of the table when nobody said one.
    async fn table(status: u16, body: &'static str, is_stack_said: bool) -> Result<String, Error> {
        let rule = mock!(Client::describe_stacks).then_http_response(move || mocked::response(status, body));
        let stack = asked(&mocked::client!(aws_sdk_cloudformation, &[&rule]), "staging").await;
        table_of(stack, "staging", is_stack_said, "us-east-1")
    }

    const THERE: &str = "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>staging</StackName>\
        <CreationTime>2026-11-20T06:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member>\
        <OutputKey>StateTableName</OutputKey><OutputValue>StagingState</OutputValue></member></Outputs></member></Stacks>\
        </DescribeStacksResult></DescribeStacksResponse>";
    const NOT_THERE: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
        <Message>Stack with id staging does not exist</Message></Error></ErrorResponse>";
    const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message>\
        </Error></ErrorResponse>";
    const BROKEN: &str = "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>oh</Message>\
        </Error></ErrorResponse>";

    #[tokio::test]
    async fn the_table_is_the_stacks_and_never_that_of_another_when_one_is_named() {
        for said in [false, true] {
            assert_eq!(table(200, THERE, said).await.unwrap(), "StagingState");
            // Whether there is such a stack is not known.
            assert!(matches!(table(500, BROKEN, said).await, Err(Error::Aws { .. })));
        }
        assert_eq!(table(400, NOT_THERE, false).await.unwrap(), cloud::DEFAULT_TABLE);
        assert_eq!(table(403, DENIED, false).await.unwrap(), cloud::DEFAULT_TABLE);
        let missing = table(400, NOT_THERE, true).await.unwrap_err();
        assert!(
            matches!(&missing, Error::Usage(said) if said.contains("no stack staging in us-east-1")),
            "{missing}"
        );
        assert!(matches!(table(403, DENIED, true).await, Err(Error::Aws { .. })));
    }

    #[tokio::test]
    async fn a_table_that_is_said_is_asked_of_nobody() {
        let outputs = Some(Outputs::from([("StateTableName".to_owned(), "StagingState".to_owned())]));
        let table = |said: Option<&str>, outputs: Option<Outputs>| Table {
            said: said.map(str::to_owned),
            stack: "staging".to_owned(),
            is_stack_said: true,
            outputs,
        };
        assert_eq!(table(Some("Mine"), outputs.clone()).name().await.unwrap(), "Mine");
        assert_eq!(table(Some("Mine"), None).name().await.unwrap(), "Mine");
        assert_eq!(table(None, outputs).name().await.unwrap(), "StagingState");
        let error = table(None, Some(Outputs::new())).name().await.unwrap_err();
        assert!(error.to_string().contains("stack staging has no output for DR_STATE_TABLE_NAME"), "{error}");
    }
}
