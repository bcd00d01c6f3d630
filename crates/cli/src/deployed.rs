//! Where Holdfast is deployed, for a shell in which nobody has set that: the outputs of its stack.
//!
//! Every verb takes what it needs from flags and environment variables. What those do not say is looked up once, in the
//! outputs of the CloudFormation stack, so that the binary alone is enough.

use std::collections::BTreeMap;

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
pub fn known(command: Command, outputs: &BTreeMap<String, String>) -> Command {
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

/// The outputs of the stack of this name, in the configured Region. `unsaid`: what is looked for, for the message.
///
/// # Errors
/// `Usage` when there is no such stack; `Aws` when CloudFormation cannot be asked.
pub async fn outputs(stack: &str, unsaid: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    let config = cloud::configuration().await;
    let region = config.region().map_or_else(|| "no Region".to_owned(), ToString::to_string);
    let answer =
        aws_sdk_cloudformation::Client::new(&config).describe_stacks().stack_name(stack).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if is_missing(&error) => {
            return Err(Error::Usage(format!(
                "{} is not set, and there is no stack {stack} in {region} that would say it: name the stack that Holdfast is \
                 deployed by with --stack NAME (or HOLDFAST_STACK), its Region with AWS_REGION, or set the variable",
                unsaid.join(", ")
            )));
        }
        Err(error) => return Err(Error::aws("DescribeStacks", &error)),
    };
    let outputs = answer.stacks().first().map(|stack| stack.outputs()).unwrap_or_default();
    let pair = |output: &aws_sdk_cloudformation::types::Output| {
        Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
    };
    Ok(outputs.iter().filter_map(pair).collect())
}

/// `ValidationError` with this sentence is how CloudFormation says that there is none (API Reference, DescribeStacks).
fn is_missing(error: &impl aws_sdk_cloudformation::error::ProvideErrorMetadata) -> bool {
    error.code() == Some("ValidationError")
        && error.message().is_some_and(|message| message.contains("does not exist"))
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

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
}
