//! The roles of functions, state machines and schedules: what each has to be allowed, and what IAM says to that.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::doctor::{MachineFacts, Need, RoleFacts, Where, Whose, Workflow, needs};
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::{Error, ErrorKind, Result};
use jiff::Timestamp;

use super::deployment::{self, States};
use super::{Look, permissions};

/// The workflows that somebody named; that of backups is among them.
#[derive(Debug)]
pub struct Workflows {
    of: BTreeMap<Workflow, States>,
    /// What the roles of their state machines may: the same for every database.
    roles: Vec<RoleFacts>,
}

impl Workflows {
    /// What is known of their state machines.
    pub fn facts(&self) -> BTreeMap<Workflow, MachineFacts> {
        self.of.iter().map(|(workflow, states)| (*workflow, states.facts())).collect()
    }
}

impl Look {
    /// Looks at the state machines of restores and of replications, beside that of backups, as far as they are named.
    pub async fn workflows(&self, restore: Option<&str>, replication: Option<&str>) -> Workflows {
        let mut of = BTreeMap::from([(Workflow::Backup, self.deployment.states.clone())]);
        for (workflow, machine) in [(Workflow::Restore, restore), (Workflow::Replication, replication)] {
            if let Some(machine) = machine {
                of.insert(workflow, deployment::states(&self.config, machine).await);
            }
        }
        let iam = aws_sdk_iam::Client::new(&self.config);
        let mut roles = Vec::new();
        for (workflow, states) in of.iter().filter(|(_, states)| !states.is_gone()) {
            match states.invokes() {
                Ok((role, functions)) => {
                    for function in functions {
                        let need = Need::to_invoke(*workflow, function, &self.home);
                        roles.push(asked(&iam, Ok(role.clone()), need).await);
                    }
                }
                Err(error) => {
                    let need = Need::to_invoke(*workflow, "*", &self.home);
                    roles.push(asked(&iam, Err(error), need).await);
                }
            }
        }
        Workflows { of, roles }
    }

    /// Asks IAM of every need, of workflows that are known and there.
    pub async fn roles(
        &self,
        database: &DatabaseId,
        targets: &[Region],
        workflows: &Workflows,
        now: Timestamp,
    ) -> Vec<RoleFacts> {
        let iam = aws_sdk_iam::Client::new(&self.config);
        let mut found = workflows.roles.clone();
        for schedule in self.schedules.iter().flatten().filter(|schedule| schedule.starts(database, now)) {
            let need = Need::to_start(&schedule.name, &schedule.target_arn, &self.home);
            found.push(asked(&iam, named(&need.whose, &schedule.role_arn), need).await);
        }
        for need in self.needs(database, targets) {
            let Whose::Function(workflow, state) = need.whose else { continue };
            let Some(states) = workflows.of.get(&workflow).filter(|states| !states.is_gone()) else {
                continue;
            };
            let role = states.function(state).and_then(|function| named(&need.whose, &function.role));
            found.push(asked(&iam, role, need).await);
        }
        // One line for a role that is not known, not one for each thing that it does.
        let mut unknown = BTreeSet::new();
        found.retain(|facts| {
            facts.role.is_ok() || unknown.insert((facts.need.whose.clone(), facts.need.region.clone()))
        });
        found
    }

    /// What the roles of functions have to be allowed for a database.
    fn needs(&self, database: &DatabaseId, targets: &[Region]) -> Vec<Need> {
        let backup = &self.deployment.states;
        // arn:aws:states:us-east-1:123456789012:stateMachine:name
        let parts: Vec<&str> = self.deployment.machine.split(':').collect();
        let (Some(partition), Some(account)) = (parts.get(1), parts.get(4)) else { return vec![] };
        let table = backup.setting("BeginOperation", "DR_STATE_TABLE_NAME").ok();
        let password_key = backup.setting("ValidateBackup", "HOLDFAST_HMAC_KEY_ID").ok();
        needs(&Where {
            partition,
            account,
            home: &self.home,
            targets,
            database,
            table: table.as_deref(),
            bucket: self.deployment.bucket.as_deref().ok(),
            password_key: password_key.as_deref(),
        })
    }
}

/// The role, when there is a name of one.
fn named(whose: &Whose, role: &str) -> Result<String> {
    if role.is_empty() {
        let message = format!("{whose} has no role, or is not there");
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    Ok(role.to_owned())
}

async fn asked(iam: &aws_sdk_iam::Client, role: Result<String>, need: Need) -> RoleFacts {
    let decision = match &role {
        Ok(role) => permissions::decision(iam, role, need.action, &need.resource).await,
        Err(error) => Err(Error::clone(error)),
    };
    RoleFacts { need, role, decision }
}
