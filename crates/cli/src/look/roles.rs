//! The roles of functions: what each has to be allowed for a database, and what IAM says to that.

use holdfast_core::doctor::{Need, RoleFacts, Where, Workflow, needs};
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::{Error, ErrorKind};

use super::deployment::{self, States};
use super::{Look, permissions};

impl Look {
    /// The functions behind the states of another workflow.
    pub async fn states(&self, machine: &str) -> States {
        deployment::states(&self.config, machine).await
    }

    /// Asks IAM of every need. What restores take is left out when their workflow is not known.
    pub async fn roles(
        &self,
        database: &DatabaseId,
        targets: &[Region],
        restore: Option<&States>,
    ) -> Vec<RoleFacts> {
        let backup = &self.deployment.states;
        // arn:aws:states:us-east-1:123456789012:stateMachine:name
        let parts: Vec<&str> = self.deployment.machine.split(':').collect();
        let (Some(partition), Some(account)) = (parts.get(1), parts.get(4)) else { return vec![] };
        let table = backup.setting("BeginOperation", "DR_STATE_TABLE_NAME").ok();
        let password_key = backup.setting("ValidateBackup", "HOLDFAST_HMAC_KEY_ID").ok();
        let all = needs(&Where {
            partition,
            account,
            home: &self.home,
            targets,
            database,
            table: table.as_deref(),
            bucket: self.deployment.bucket.as_deref().ok(),
            password_key: password_key.as_deref(),
        });
        let iam = aws_sdk_iam::Client::new(&self.config);
        let mut found = Vec::new();
        for need in all {
            let states = match need.workflow {
                Workflow::Backup => Some(backup),
                Workflow::Restore => restore,
            };
            if let Some(states) = states {
                found.push(asked(&iam, states, need).await);
            }
        }
        // One line for a role that is not known, not one for each thing that it does.
        let mut unknown = std::collections::BTreeSet::new();
        found.retain(|facts| {
            facts.role.is_ok() || unknown.insert((facts.need.state, facts.need.region.clone()))
        });
        found
    }
}

async fn asked(iam: &aws_sdk_iam::Client, states: &States, need: Need) -> RoleFacts {
    let role = states.function(need.state).and_then(|function| {
        let missing =
            || Error::new(ErrorKind::Configuration, format!("the function of {} is not there", need.state));
        Some(function.role.clone()).filter(|role| !role.is_empty()).ok_or_else(missing)
    });
    let decision = match &role {
        Ok(role) => permissions::decision(iam, role, need.action, &need.resource).await,
        Err(error) => Err(Error::clone(error)),
    };
    RoleFacts { need, role, decision }
}
