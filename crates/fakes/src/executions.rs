//! Which executions run.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ports::Executions;

use crate::locked;
use crate::trouble::{Call, Troubles};

/// Executions that are alive; any other is not.
#[derive(Debug, Default)]
pub struct FakeExecutions {
    /// What goes wrong.
    pub troubles: Troubles,
    running: Mutex<BTreeSet<String>>,
}

impl FakeExecutions {
    /// Starts an execution.
    pub fn start(&self, arn: &str) {
        locked(&self.running).insert(arn.to_owned());
    }

    /// Ends it, or lets it be forgotten.
    pub fn end(&self, arn: &str) {
        locked(&self.running).remove(arn);
    }
}

#[async_trait]
impl Executions for FakeExecutions {
    async fn is_running(&self, arn: &str) -> Result<bool> {
        self.troubles.strike(Call::IsRunning, arn)?.answer(locked(&self.running).contains(arn))
    }
}
