//! Step Functions, as far as it tells whether the owner of an operation still runs.

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::Result;
use holdfast_core::ports::Executions;

use crate::classify::{classify, code};
use crate::config::{Aws, configured};

/// Executions in this Region.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    client: Client,
}

impl StepFunctions {
    /// Executions in the Region of `aws`.
    pub fn new(aws: &Aws) -> Self {
        let config = configured!(aws, aws_sdk_sfn).build();
        StepFunctions { client: Client::from_conf(config) }
    }

    /// Executions behind a given client, for the tests of this adapter.
    pub fn with_client(client: Client) -> Self {
        StepFunctions { client }
    }
}

#[async_trait]
impl Executions for StepFunctions {
    async fn is_running(&self, arn: &str) -> Result<bool> {
        match self.client.describe_execution().execution_arn(arn).send().await {
            Ok(answer) => {
                Ok(matches!(answer.status(), ExecutionStatus::Running | ExecutionStatus::PendingRedrive))
            }
            // Forgotten 90 days after its end (AWS Step Functions Developer Guide, "Quotas").
            Err(error) if matches!(code(&error), Some("ExecutionDoesNotExist" | "InvalidArn")) => Ok(false),
            Err(error) => Err(classify(&format!("DescribeExecution {arn}"), &error)),
        }
    }
}
