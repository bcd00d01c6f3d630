//! What `infra/region.yaml` deploys to a target Region, asked from the home Region: its bucket and its workflow.

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::ids::Region;
use holdfast_core::ports::{Documents, Execution, RegionStack};
use holdfast_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::Value;

use crate::classify::{classify, code};
use crate::clients::Clients;
use crate::config::{Aws, configured};
use crate::s3::Bucket;

/// Stands for the Region in a name that is the same in every Region but for it.
const REGION: &str = "{region}";

/// The stacks of all Regions, known by how their parts are named.
#[derive(Debug)]
pub struct RegionStacks {
    aws: Aws,
    /// The bucket's name, such as `holdfast-123456789012-{region}`.
    bucket: String,
    /// The state machine's ARN, such as `arn:aws:states:{region}:123456789012:stateMachine:holdfast-backup-validation`.
    state_machine: String,
    clients: Clients<Client>,
}

impl RegionStacks {
    /// Stacks whose bucket and state machine have these names, with `{region}` for the Region.
    ///
    /// # Errors
    /// `Configuration` naming the setting, when `{region}` is not in it.
    pub fn new(aws: &Aws, bucket: (&str, String), state_machine: (&str, String)) -> Result<Self> {
        for (setting, name) in [&bucket, &state_machine] {
            if !name.contains(REGION) {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!("{setting}: {name:?} has no {REGION} to stand for the Region"),
                ));
            }
        }
        let clients = Clients::default();
        Ok(RegionStacks { aws: aws.clone(), bucket: bucket.1, state_machine: state_machine.1, clients })
    }

    /// The same behind given clients of Step Functions, for the tests of this adapter.
    pub fn with_clients(self, clients: impl IntoIterator<Item = (Region, Client)>) -> Self {
        RegionStacks { clients: clients.into_iter().collect(), ..self }
    }

    fn client(&self, region: &Region) -> Client {
        self.clients
            .of(region, |region| Client::from_conf(configured!(self.aws, aws_sdk_sfn).region(region).build()))
    }

    fn state_machine(&self, region: &Region) -> String {
        self.state_machine.replace(REGION, region.as_str())
    }
}

/// The ARN of an execution, from its state machine's and its name (AWS Step Functions Developer Guide, "Amazon Resource
/// Names").
fn execution_arn(state_machine: &str, name: &str) -> String {
    format!("{}:{name}", state_machine.replacen(":stateMachine:", ":execution:", 1))
}

#[async_trait]
impl RegionStack for RegionStacks {
    async fn put_document<T: Serialize + Sync>(
        &self,
        region: &Region,
        key: &str,
        document: &T,
    ) -> Result<()> {
        let name = self.bucket.replace(REGION, region.as_str());
        Bucket::in_region(&self.aws, region, name).put(key, document).await
    }

    async fn start_validation(&self, region: &Region, name: &str, input: &Value) -> Result<String> {
        let machine = self.state_machine(region);
        let start = self.client(region).start_execution().state_machine_arn(&machine).name(name);
        match start.input(input.to_string()).send().await {
            Ok(started) => Ok(started.execution_arn),
            // It was started before with an input that differs, or it has ended.
            Err(error) if code(&error) == Some("ExecutionAlreadyExists") => Ok(execution_arn(&machine, name)),
            Err(error) => Err(classify(&format!("StartExecution {machine}"), &error)),
        }
    }

    async fn execution(&self, region: &Region, arn: &str) -> Result<Option<Execution>> {
        let answer = match self.client(region).describe_execution().execution_arn(arn).send().await {
            Ok(answer) => answer,
            // Forgotten 90 days after its end (AWS Step Functions Developer Guide, "Quotas").
            Err(error) if code(&error) == Some("ExecutionDoesNotExist") => return Ok(None),
            Err(error) => return Err(classify(&format!("DescribeExecution {arn}"), &error)),
        };
        Ok(Some(match answer.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => Execution::Running,
            ExecutionStatus::Succeeded => {
                let output = answer.output().unwrap_or("null");
                Execution::Succeeded(serde_json::from_str(output).map_err(|error| {
                    Error::new(ErrorKind::UnreadableRecord, format!("output of {arn}: {error}"))
                })?)
            }
            other => Execution::Failed {
                name: answer.error().unwrap_or(other.as_str()).to_owned(),
                cause: answer.cause().unwrap_or_default().to_owned(),
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_an_execution_comes_from_its_state_machines() {
        let machine = "arn:aws:states:us-west-2:123456789012:stateMachine:holdfast-backup-validation";
        let arn = "arn:aws:states:us-west-2:123456789012:execution:holdfast-backup-validation:run-1";
        assert_eq!(execution_arn(machine, "run-1"), arn);
    }
}
