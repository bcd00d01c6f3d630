//! Whether the roles of functions, state machines and schedules may do what a backup, its copies and a restore take.

use std::fmt;

use super::{At, Check, Facts, Notes};
use crate::error::Result;
use crate::ids::{DatabaseId, OperationId, Region, RunId};

/// The workflow that a state belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workflow {
    /// That of backups.
    Backup,
    /// That of restores.
    Restore,
    /// That of copies to further Regions.
    Replication,
}

impl Workflow {
    /// Every workflow that has a record.
    pub const ALL: [Workflow; 3] = [Workflow::Backup, Workflow::Restore, Workflow::Replication];

    /// What one of its executions is.
    pub fn as_str(self) -> &'static str {
        match self {
            Workflow::Backup => "backup",
            Workflow::Restore => "restore",
            Workflow::Replication => "replication",
        }
    }

    /// The variable that names its state machine.
    pub fn variable(self) -> &'static str {
        match self {
            Workflow::Backup => "HOLDFAST_BACKUP_STATE_MACHINE_ARN",
            Workflow::Restore => "HOLDFAST_RESTORE_STATE_MACHINE_ARN",
            Workflow::Replication => "HOLDFAST_REPLICATION_STATE_MACHINE_ARN",
        }
    }
}

/// Whose role it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// That of the function behind this state.
    Function(Workflow, &'static str),
    /// That of the state machine.
    Machine(Workflow),
    /// That of the schedule of this name.
    Schedule(String),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::Function(_, state) => f.write_str(state),
            Whose::Machine(workflow) => write!(f, "the {} workflow", workflow.as_str()),
            Whose::Schedule(name) => write!(f, "schedule {name}"),
        }
    }
}

/// One thing that a role has to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Whose role.
    pub whose: Whose,
    /// `rds:CreateDBSnapshot`.
    pub action: &'static str,
    /// ARN of what it is done to, or `*`.
    pub resource: String,
    /// Where.
    pub region: Region,
    /// What fails without it: `new backups`.
    pub used_for: String,
}

impl Need {
    /// What the state machine of a workflow does with each of its functions.
    pub fn to_invoke(workflow: Workflow, function_arn: &str, home: &Region) -> Need {
        Need {
            whose: Whose::Machine(workflow),
            action: "lambda:InvokeFunction",
            resource: function_arn.to_owned(),
            region: home.clone(),
            used_for: format!("all {}s", workflow.as_str()),
        }
    }

    /// What a schedule does with the state machine that makes backups.
    pub fn to_start(schedule: &str, machine_arn: &str, home: &Region) -> Need {
        Need {
            whose: Whose::Schedule(schedule.to_owned()),
            action: "states:StartExecution",
            resource: machine_arn.to_owned(),
            region: home.clone(),
            used_for: "scheduled backups".to_owned(),
        }
    }
}

/// What IAM's simulation says of one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is allowed.
    Allowed,
    /// It is not: why, and by which statement when that is told.
    Denied(String),
    /// It depends on these keys of a request's context, which a simulation does not have.
    Depends(Vec<String>),
}

/// One need, and what was found of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// What is needed.
    pub need: Need,
    /// Whose role it is: its ARN.
    pub role: Result<String>,
    /// What IAM says.
    pub decision: Result<Decision>,
}

/// What the ARNs of needs are made of.
#[derive(Debug, Clone)]
pub struct Where<'a> {
    /// `aws`.
    pub partition: &'a str,
    /// The account's number.
    pub account: &'a str,
    /// Where Holdfast runs.
    pub home: &'a Region,
    /// Where copies go.
    pub targets: &'a [Region],
    /// The database.
    pub database: &'a DatabaseId,
    /// The state table; `None` when it is not known.
    pub table: Option<&'a str>,
    /// The metadata bucket.
    pub bucket: Option<&'a str>,
    /// The key that passwords of temporary instances are derived with.
    pub password_key: Option<&'a str>,
}

/// The actions without which a backup, a copy or a restore fails, each on what it would be done to. Of what a function may only
/// through RDS (`kms:CreateGrant`, bound to `kms:ViaService`) nothing is asked: who simulates it would have to invent the context
/// of the call.
pub fn needs(at: &Where<'_>) -> Vec<Need> {
    let Where { partition, account, home, .. } = at;
    let mut all = Vec::new();
    let mut need = |workflow, state, action, resource, region: &Region, used_for: &str| {
        let (region, used_for) = (region.clone(), used_for.to_owned());
        all.push(Need { whose: Whose::Function(workflow, state), action, resource, region, used_for });
    };
    let rds = |region: &Region, what: &str| format!("arn:{partition}:rds:{region}:{account}:{what}");
    let database = format!("db:{}", at.database);
    // Some run: names are derived, and policies go by how they begin.
    let operation = RunId::parse("doctor").map(|run| OperationId::derive(home, at.database, &run));
    let Ok(operation) = operation else { return all };
    let snapshot = format!("snapshot:{}", operation.snapshot_id());
    let (backup, restore) = (Workflow::Backup, Workflow::Restore);
    if let Some(table) = at.table {
        let table = format!("arn:{partition}:dynamodb:{home}:{account}:table/{table}");
        need(backup, "BeginOperation", "dynamodb:PutItem", table, home, "new backups");
    }
    for what in [&database, &snapshot] {
        need(backup, "CreateSnapshot", "rds:CreateDBSnapshot", rds(home, what), home, "new backups");
    }
    if let Some(bucket) = at.bucket {
        for (state, folder, used_for) in [
            ("CheckHealth", "blueprints", "new backups"),
            ("ValidateBackup", "validations", "validations"),
            ("BeginOperation", "reports", "reports of backups"),
        ] {
            let object = format!("arn:{partition}:s3:::{bucket}/{folder}/{operation}.json");
            need(backup, state, "s3:PutObject", object, home, used_for);
        }
    }
    let temporary = format!("db:{}", operation.validation_instance_id());
    for what in [&temporary, &snapshot] {
        let action = "rds:RestoreDBInstanceFromDBSnapshot";
        need(backup, "ValidateBackup", action, rds(home, what), home, "validations");
    }
    if let Some(key) = at.password_key {
        let key = if key.starts_with("arn:") {
            key.to_owned()
        } else {
            format!("arn:{partition}:kms:{home}:{account}:key/{key}")
        };
        need(backup, "ValidateBackup", "kms:GenerateMac", key, home, "validations");
    }
    for target in at.targets {
        let (copy, used_for) = (rds(target, &snapshot), format!("copies to {target}"));
        need(backup, "ReplicateToRegion", "rds:CopyDBSnapshot", copy, target, &used_for);
    }
    for region in std::iter::once(*home).chain(at.targets) {
        let used_for = format!("restores in {region}");
        for what in [&database, &snapshot] {
            let action = "rds:RestoreDBInstanceFromDBSnapshot";
            need(restore, "RestoreDatabase", action, rds(region, what), region, &used_for);
        }
        let groups = "ec2:DescribeSecurityGroups";
        need(restore, "PlanRestore", groups, "*".to_owned(), region, &used_for);
    }
    let (action, used_for) = ("rds:RestoreDBInstanceToPointInTime", "restores to a point in time");
    need(restore, "RestoreDatabase", action, rds(home, &database), home, used_for);
    all
}

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    for found in facts.roles.iter().filter(|found| facts.regions.contains_key(&found.need.region)) {
        let need = &found.need;
        let at = At { check: Check::RolePermission, region: &need.region };
        let decision = match (&found.role, &found.decision) {
            (Err(error), _) => {
                notes.unknown(at, &format!("the role of {}", need.whose), error);
                continue;
            }
            (Ok(role), Err(error)) => {
                notes.unknown(at, &subject(role, need), error);
                continue;
            }
            (Ok(role), Ok(decision)) => (role, decision),
        };
        match decision {
            (role, Decision::Allowed) => {
                notes.good(at, &subject(role, need), "allowed, as IAM simulates it");
            }
            (role, Decision::Depends(keys)) => {
                let message = format!("whether it is allowed depends on {}", keys.join(", "));
                let error = crate::Error::new(crate::ErrorKind::OutcomeUnknown, message);
                notes.unknown(at, &subject(role, need), &error);
            }
            (role, Decision::Denied(why)) => notes.fails(
                at,
                &subject(role, need),
                format!(
                    "{} fail: the role of {} may not {} on {}, as IAM simulates it: {why}",
                    need.used_for, need.whose, need.action, need.resource
                ),
                "deploy the stack again (make deploy), or take away what denies it: a permissions boundary, a policy of the \
                 organization, a statement",
            ),
        }
    }
}

/// `role holdfast-CreateSnapshotRole, rds:CreateDBSnapshot`.
fn subject(role: &str, need: &Need) -> String {
    format!("role {}, {}", role.rsplit('/').next().unwrap_or(role), need.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_need_is_an_action_on_what_it_would_be_done_to() {
        let (home, west) = (Region::parse("us-east-1").unwrap(), Region::parse("us-west-2").unwrap());
        let database = DatabaseId::parse("prod-db").unwrap();
        let at = Where {
            partition: "aws",
            account: "123456789012",
            home: &home,
            targets: std::slice::from_ref(&west),
            database: &database,
            table: Some("Table"),
            bucket: Some("bucket"),
            password_key: Some("1234"),
        };
        let all = needs(&at);
        let has = |state: &str, action: &str, resource: &str| {
            let is_its = |need: &&Need| matches!(need.whose, Whose::Function(_, of) if of == state);
            let mut these = all.iter().filter(is_its).filter(|need| need.action == action);
            assert!(these.any(|need| need.resource.starts_with(resource)), "{state} {action}: {all:#?}");
        };
        has("BeginOperation", "dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:123456789012:table/Table");
        has("CreateSnapshot", "rds:CreateDBSnapshot", "arn:aws:rds:us-east-1:123456789012:db:prod-db");
        has(
            "CreateSnapshot",
            "rds:CreateDBSnapshot",
            "arn:aws:rds:us-east-1:123456789012:snapshot:holdfast-prod-db-",
        );
        has("ValidateBackup", "kms:GenerateMac", "arn:aws:kms:us-east-1:123456789012:key/1234");
        has(
            "ValidateBackup",
            "rds:RestoreDBInstanceFromDBSnapshot",
            "arn:aws:rds:us-east-1:123456789012:db:hfv-prod-db-",
        );
        has("ValidateBackup", "s3:PutObject", "arn:aws:s3:::bucket/validations/prod-db-");
        has(
            "ReplicateToRegion",
            "rds:CopyDBSnapshot",
            "arn:aws:rds:us-west-2:123456789012:snapshot:holdfast-prod-db-",
        );
        has(
            "RestoreDatabase",
            "rds:RestoreDBInstanceToPointInTime",
            "arn:aws:rds:us-east-1:123456789012:db:prod-db",
        );
        has(
            "RestoreDatabase",
            "rds:RestoreDBInstanceFromDBSnapshot",
            "arn:aws:rds:us-west-2:123456789012:db:prod-db",
        );
        // What is not known is not made up.
        let less = needs(&Where { table: None, bucket: None, password_key: None, targets: &[], ..at });
        let made_up = ["dynamodb:PutItem", "s3:PutObject", "kms:GenerateMac", "rds:CopyDBSnapshot"];
        assert!(less.iter().all(|need| !made_up.contains(&need.action)), "{less:#?}");
    }
}
