//! What is deployed: the workflows, their functions and their settings.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_config::SdkConfig;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use aws_sdk_sfn::types::StateMachineStatus;
use holdfast_aws::classify::{classify, code};
use holdfast_core::doctor::{FunctionFacts, MachineFacts};
use holdfast_core::ids::Region;
use holdfast_core::request::{Defaults, TargetRegion};
use holdfast_core::retention::{Action, Policy};
use holdfast_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::in_region;

/// The state whose function looks at sources and keys before each backup.
const HEALTH: &str = "CheckHealth";
/// The state whose function copies, and has copies validated.
const COPY: &str = "ReplicateToRegion";

/// What is deployed at home.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The state machine that makes backups.
    pub machine: String,
    /// The role that tries target Regions' keys before each backup.
    pub health_role: Result<String>,
    /// Target Regions and their key, where an input names none.
    pub defaults: Result<Defaults>,
    /// The metadata bucket.
    pub bucket: Result<String>,
    /// The functions behind the states of the backup workflow.
    pub states: States,
    /// ARN of the workflow that validates in a Region, `{region}` to be filled in; `None` when it is not deployed.
    validation: Option<String>,
    /// What the daily run does with what no rule keeps, and the rules; not known when its function is not named.
    pub pruning: (Action, Policy),
}

impl Deployment {
    /// The workflow that validates in `region`.
    pub fn validation(&self, region: &Region) -> Option<String> {
        Some(self.validation.as_ref()?.replace("{region}", region.as_str()))
    }
}

/// A function's configuration, as far as it matters.
#[derive(Debug, Clone)]
pub struct Function {
    /// ARN of the role that it runs as.
    pub role: String,
    /// Where its lines are kept.
    pub log_group: String,
    settings: HashMap<String, String>,
    problem: Option<String>,
}

/// The functions behind the states of a workflow.
#[derive(Debug, Clone)]
pub struct States {
    machine: String,
    /// ARN of the role that it runs as; `None` when it is not there.
    role: Result<Option<String>>,
    /// The function of a state, by its ARN.
    arns: BTreeMap<String, String>,
    /// By ARN.
    functions: BTreeMap<String, Result<Function>>,
}

impl States {
    /// The function behind a state.
    ///
    /// # Errors
    /// What looking for it met.
    pub fn function(&self, state: &str) -> Result<&Function> {
        let arn = self.arns.get(state).ok_or_else(|| match &self.role {
            Err(error) => error.clone(),
            Ok(_) => unknown(format!("{} has no state {state} with a function", self.machine)),
        })?;
        self.functions[arn].as_ref().map_err(Error::clone)
    }

    /// What a function is told by its environment.
    ///
    /// # Errors
    /// What looking for it met; `Configuration` when it is not told.
    pub fn setting(&self, state: &str, name: &str) -> Result<String> {
        let missing = || unknown(format!("the function of {state} has no setting {name}"));
        self.function(state)?.settings.get(name).cloned().ok_or_else(missing)
    }

    /// The state machine as far as it matters whether it can do anything.
    pub fn facts(&self) -> MachineFacts {
        let facts = |(name, function): (&str, &Result<Function>)| FunctionFacts {
            name: name.to_owned(),
            problem: function.as_ref().map(|function| function.problem.clone()).map_err(Error::clone),
        };
        MachineFacts {
            arn: self.machine.clone(),
            there: self.role.as_ref().map(Option::is_some).map_err(Error::clone),
            functions: self.functions().map(facts).collect(),
        }
    }

    /// Whether the state machine is known not to be there.
    pub fn is_gone(&self) -> bool {
        matches!(self.role, Ok(None))
    }

    /// The role that the state machine runs as, and the ARNs of the functions that it invokes.
    ///
    /// # Errors
    /// What looking for it met.
    pub fn invokes(&self) -> Result<(String, BTreeSet<&str>)> {
        let missing = || unknown(format!("{} is not there, or has no role", self.machine));
        let role = self.role.as_ref().map_err(Error::clone)?.clone().filter(|role| !role.is_empty());
        Ok((role.ok_or_else(missing)?, self.arns.values().map(String::as_str).collect()))
    }

    /// Every function by its name.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Result<Function>)> {
        self.functions.iter().map(|(arn, function)| (arn.rsplit(':').next().unwrap_or(arn), function))
    }
}

/// Looks at a state machine, then at each of its functions.
pub async fn states(config: &SdkConfig, machine: &str) -> States {
    let sfn = aws_sdk_sfn::Client::new(config);
    let lambda = aws_sdk_lambda::Client::new(config);
    let found = machine_of(&sfn, machine).await;
    let mut arns = BTreeMap::new();
    if let Ok(Some(found)) = &found {
        functions_of(&found.definition, &mut arns);
    }
    let mut functions = BTreeMap::new();
    for arn in arns.values().collect::<BTreeSet<_>>() {
        functions.insert(arn.clone(), function(&lambda, arn).await);
    }
    let role = found.map(|found| found.map(|found| found.role));
    States { machine: machine.to_owned(), role, arns, functions }
}

/// Looks at the state machine, then at each of its functions.
pub(super) async fn look(
    config: &SdkConfig,
    home: &Region,
    machine: String,
    prune: Option<String>,
) -> Deployment {
    let lambda = aws_sdk_lambda::Client::new(config);
    let states = states(config, &machine).await;
    Deployment {
        health_role: states.function(HEALTH).map(|function| function.role.clone()),
        defaults: states
            .setting(HEALTH, "DR_TARGET_REGIONS")
            .and_then(|regions| defaults(home, &regions, &states.setting(HEALTH, "DR_KMS_KEY_ID")?)),
        bucket: states.setting(HEALTH, "DR_METADATA_BUCKET"),
        validation: states.setting(COPY, "HOLDFAST_REGION_VALIDATION_ARN").ok(),
        pruning: pruning(&lambda, prune).await,
        states,
        machine,
    }
}

fn unknown(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

fn defaults(home: &Region, regions: &str, key: &str) -> Result<Defaults> {
    let regions = regions.split(',').map(str::trim).filter(|region| !region.is_empty());
    let targets =
        regions.map(|region| Ok(TargetRegion { region: Region::parse(region)?, kms_key_id: key.to_owned() }));
    Ok(Defaults { region: home.clone(), target_regions: targets.collect::<Result<_>>()? })
}

/// A state machine, as far as it matters.
struct Machine {
    definition: Value,
    role: String,
}

/// A state machine; `None` when it is not there or going.
async fn machine_of(sfn: &aws_sdk_sfn::Client, arn: &str) -> Result<Option<Machine>> {
    match sfn.describe_state_machine().state_machine_arn(arn).send().await {
        Ok(answer) if answer.status() == Some(&StateMachineStatus::Deleting) => Ok(None),
        Ok(answer) => {
            let definition = serde_json::from_str(answer.definition())
                .map_err(|error| unknown(format!("the definition of {arn}: {error}")))?;
            Ok(Some(Machine { definition, role: answer.role_arn().to_owned() }))
        }
        Err(error) if matches!(code(&error), Some("StateMachineDoesNotExist" | "InvalidArn")) => Ok(None),
        Err(error) => Err(classify(&format!("DescribeStateMachine {arn}"), &error)),
    }
}

/// Whether a state machine is there, in `region`.
pub(super) async fn is_there(config: &SdkConfig, region: &Region, arn: &str) -> Result<bool> {
    let sfn = aws_sdk_sfn::Client::new(&in_region(config, region));
    Ok(machine_of(&sfn, arn).await?.is_some())
}

/// The functions that states invoke, by the state's name, in Maps and Parallels too.
fn functions_of(definition: &Value, found: &mut BTreeMap<String, String>) {
    let Some(object) = definition.as_object() else {
        definition.as_array().into_iter().flatten().for_each(|one| functions_of(one, found));
        return;
    };
    for (name, state) in object {
        let named =
            [&state["Parameters"]["FunctionName"], &state["Arguments"]["FunctionName"], &state["Resource"]];
        let arn = named
            .into_iter()
            .filter_map(Value::as_str)
            .find(|arn| arn.contains(":lambda:") && arn.contains(":function:"));
        if let Some(arn) = arn {
            found.insert(name.clone(), arn.to_owned());
        }
        functions_of(state, found);
    }
}

async fn function(lambda: &aws_sdk_lambda::Client, arn: &str) -> Result<Function> {
    let answer = match lambda.get_function_configuration().function_name(arn).send().await {
        Ok(answer) => answer,
        Err(error) if code(&error) == Some("ResourceNotFoundException") => {
            let problem = Some("is not there".to_owned());
            let (role, log_group, settings) = (String::new(), String::new(), HashMap::new());
            return Ok(Function { role, log_group, settings, problem });
        }
        Err(error) => return Err(classify(&format!("GetFunctionConfiguration {arn}"), &error)),
    };
    let problem = match (answer.state(), answer.last_update_status()) {
        (Some(State::Failed), _) => Some("is in state Failed"),
        (_, Some(LastUpdateStatus::Failed)) => Some("was not updated: its last update failed"),
        // Inactive becomes active when it is invoked.
        _ => None,
    };
    let settings = answer.environment().and_then(|environment| environment.variables()).cloned();
    let configured = answer.logging_config().and_then(|logging| logging.log_group());
    let name = answer.function_name().unwrap_or_default();
    Ok(Function {
        role: answer.role().unwrap_or_default().to_owned(),
        // Where nothing is configured (AWS Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs").
        log_group: configured.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned),
        settings: settings.unwrap_or_default(),
        problem: problem.map(str::to_owned),
    })
}

/// The numbers that the daily run is deployed with; `None` when they are not known, all of them.
pub async fn policy(lambda: &aws_sdk_lambda::Client, name: &str) -> Option<Policy> {
    let function = function(lambda, name).await.ok()?;
    let said = said(&function);
    (said.len() == NUMBERS.len()).then(|| Policy::default().changed_by(&Value::Object(said)).ok()).flatten()
}

/// The numbers of a policy, and what `prune-backups` is told them by.
const NUMBERS: [(&str, &str); 6] = [
    ("daily", "HOLDFAST_KEEP_DAILY"),
    ("weekly", "HOLDFAST_KEEP_WEEKLY"),
    ("monthly", "HOLDFAST_KEEP_MONTHLY"),
    ("yearly", "HOLDFAST_KEEP_YEARLY"),
    ("minimum", "HOLDFAST_KEEP_AT_LEAST"),
    ("inspectionDays", "HOLDFAST_INSPECTION_DAYS"),
];

fn said(function: &Function) -> Map<String, Value> {
    let number = |name: &str| function.settings.get(name)?.parse::<u32>().ok();
    let numbers = NUMBERS.into_iter();
    numbers.filter_map(|(field, name)| Some((field.to_owned(), json!(number(name)?)))).collect()
}

/// What the daily run is deployed to do; nothing is deleted as far as it is not known.
async fn pruning(lambda: &aws_sdk_lambda::Client, name: Option<String>) -> (Action, Policy) {
    let unknown = (Action::Plan, Policy::default());
    let Some(name) = name else { return unknown };
    let Ok(function) = function(lambda, &name).await else { return unknown };
    let deletes = function.settings.get("HOLDFAST_PRUNE").is_some_and(|word| word == "delete");
    let action = if deletes { Action::Delete } else { Action::Plan };
    (action, Policy::default().changed_by(&Value::Object(said(&function))).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_of_the_backup_workflow_are_found_by_state() {
        let text = include_str!("../../../../stepfunctions/backup-orchestration.asl.json");
        let arn = |name: &str| format!("arn:aws:lambda:us-east-1:1:function:{name}");
        let text = text
            .replace("${HealthCheckFunctionArn}", &arn("health"))
            .replace("${ReplicateToRegionFunctionArn}", &arn("copy"));
        let mut found = BTreeMap::new();
        functions_of(&serde_json::from_str(&text).unwrap(), &mut found);
        assert_eq!(found[HEALTH], arn("health"));
        assert_eq!(found[COPY], arn("copy"), "inside of a Map");
        assert_eq!(found.len(), 2, "the others are not filled in here");
    }

    #[test]
    fn target_regions_are_read_as_the_functions_read_them() {
        let home = Region::parse("us-east-1").unwrap();
        let read = defaults(&home, "us-west-2, eu-west-1", "alias/holdfast").unwrap();
        let regions: Vec<&str> = read.target_regions.iter().map(|target| target.region.as_str()).collect();
        assert_eq!(regions, ["us-west-2", "eu-west-1"]);
        assert_eq!(defaults(&home, "", "alias/holdfast").unwrap().target_regions, []);
        assert!(defaults(&home, "west", "alias/holdfast").is_err());
    }
}
