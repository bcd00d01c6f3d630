//! Looks at what a backup, a copy and a restore go through. Nothing here changes anything; what cannot be looked at is
//! an error that goes along as a fact.

pub mod deployment;
pub mod permissions;
pub mod regions;
pub mod roles;
pub mod schedules;

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use holdfast_aws::config::Aws;
use holdfast_aws::ec2::Ec2;
use holdfast_aws::iam::Iam;
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::doctor::{OpenOperation, Worker};
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::ports::{Documents as _, Rds as _};
use holdfast_core::protection::{self, ProtectionPlan};
use holdfast_core::request::TargetRegion;
use holdfast_core::{Error as Named, ErrorKind, Result as Looked};
use jiff::Timestamp;
use serde_json::Value;

use crate::cloud::Cloud;
use crate::ops::execution::{self, State};
use crate::ops::list;
use crate::{Error, cloud};

use deployment::Deployment;
use schedules::Schedule;

/// Newest operations of a database that are looked through for open ones.
const OPERATIONS: usize = 200;

/// Everything that is asked.
pub struct Look {
    /// The SDK's configuration, for clients in other Regions.
    config: SdkConfig,
    /// Where Holdfast runs.
    pub home: Region,
    /// RDS as the functions see it.
    pub rds: RdsApi,
    /// Networks as the functions see them.
    pub networks: Ec2,
    /// Roles as the functions see them.
    pub roles: Iam,
    /// Keys as the functions see them.
    pub keys: Kms,
    /// For documents in the metadata bucket.
    pub aws: Aws,
    /// The state table and the rest.
    pub cloud: Cloud,
    /// What is deployed.
    pub deployment: Deployment,
    /// Every schedule that starts a state machine.
    pub schedules: Looked<Vec<Schedule>>,
}

/// The databases that something is said of.
#[derive(Debug)]
pub struct Databases {
    /// In order of their names.
    pub all: Vec<DatabaseId>,
    /// Those that only a failed operation names.
    pub left_out: Vec<DatabaseId>,
}

impl Databases {
    /// Says which are left out, beside the answer.
    pub fn say_left_out(&self) {
        for database in &self.left_out {
            eprintln!(
                "Left out: {database}. Only operations that failed name it; no instance and no snapshot is of that name."
            );
        }
    }
}

/// The databases of these operations: those that one of them came to something with, and those that only failed.
fn known(rows: &[Value]) -> (BTreeSet<DatabaseId>, Vec<DatabaseId>) {
    let of = |failed: bool| {
        let rows = rows.iter().filter(move |row| (row["status"] == "FAILED") == failed);
        rows.filter_map(|row| DatabaseId::parse(row["databaseId"].as_str()?).ok())
    };
    let all: BTreeSet<DatabaseId> = of(false).collect();
    let failed: BTreeSet<DatabaseId> = of(true).filter(|database| !all.contains(database)).collect();
    (all, failed.into_iter().collect())
}

/// The configuration's client for another Region.
fn in_region(config: &SdkConfig, region: &Region) -> SdkConfig {
    config.to_builder().region(aws_config::Region::new(region.as_str().to_owned())).build()
}

impl Look {
    /// Looks at what all databases have in common.
    ///
    /// # Errors
    /// `Usage` when no Region is configured.
    pub async fn begin(machine: String, prune: Option<String>, table: String) -> Result<Look, Error> {
        let config = cloud::configuration().await;
        let aws = Aws::of_command(config.clone()).map_err(|error| Error::Usage(error.message))?;
        let deployment = deployment::look(&config, aws.region(), machine, prune).await;
        let schedules = schedules::all(&aws_sdk_scheduler::Client::new(&config)).await;
        Ok(Look {
            home: aws.region().clone(),
            rds: RdsApi::new(&aws),
            networks: Ec2::new(&aws),
            roles: Iam::new(&aws),
            keys: Kms::new(&aws, None),
            cloud: Cloud::new(&config, table),
            deployment,
            schedules,
            aws,
            config,
        })
    }

    /// The databases that were asked for; else all that have operations or that a schedule names. One that exists in a
    /// failed operation only was a misspelt name: it is left out, and said to be.
    ///
    /// # Errors
    /// `Usage` when a name is none, or when there is no database; what reading the state table met.
    pub async fn databases(&self, asked: &[String]) -> Result<Databases, Error> {
        let parse = |name: &str| DatabaseId::parse(name);
        if !asked.is_empty() {
            let all: Looked<Vec<DatabaseId>> = asked.iter().map(|name| parse(name)).collect();
            let all = all.map_err(|error| Error::Usage(error.message))?;
            return Ok(Databases { all, left_out: vec![] });
        }
        let rows = list::of_all(&self.cloud, false).await?;
        let scheduled = self.schedules.iter().flatten().filter_map(|schedule| schedule.database.as_deref());
        let (mut all, mut left_out) = known(&rows);
        all.extend(scheduled.filter_map(|name| parse(name).ok()));
        left_out.retain(|name| !all.contains(name));
        if !left_out.is_empty() {
            match self.there().await {
                Ok(there) => {
                    left_out.retain(|name| !there.contains(name.as_str()) || !all.insert(name.clone()))
                }
                // Whether they exist is not known: they are not left out.
                Err(_) => all.extend(std::mem::take(&mut left_out)),
            }
        }
        if all.is_empty() {
            let why = format!("table {} has no operation and no schedule names a database", self.cloud.table);
            return Err(Error::Usage(format!("{why}: name one")));
        }
        Ok(Databases { all: all.into_iter().collect(), left_out })
    }

    /// The databases that there are at home, and those that there is a manual snapshot of.
    async fn there(&self) -> Looked<BTreeSet<String>> {
        let instances = self.rds.instances(&self.home).await?;
        let snapshots = self.rds.manual_snapshots(&self.home).await?;
        let of_snapshots = snapshots.iter().map(|snapshot| snapshot.database().to_owned());
        Ok(instances.into_iter().map(|instance| instance.id).chain(of_snapshots).collect())
    }

    /// Where the next backup of a database is copied to: as its schedule says, or one that is disabled, else as its newest
    /// backup was asked to, else as it is deployed. Beside it, whether all of that could be read.
    pub async fn targets(&self, database: &DatabaseId) -> (Vec<TargetRegion>, Looked<()>) {
        let schedules = self.schedules.as_deref().unwrap_or_default();
        let scheduled = schedules::of(schedules, database, Timestamp::now()).into_iter();
        if let Some(request) = scheduled.filter_map(|schedule| self.request(schedule).ok()).next() {
            return (request.target_regions, Ok(()));
        }
        let deployed = self.deployment.defaults.as_ref().map(|defaults| defaults.target_regions.clone());
        match (self.last_request(database).await, deployed) {
            (Ok(Some(targets)), _) | (Ok(None), Ok(targets)) => (targets, Ok(())),
            (Ok(None), Err(error)) => (vec![], Err(error.clone())),
            (Err(error), deployed) => {
                let error = Named::new(ErrorKind::OutcomeUnknown, error.to_string());
                (deployed.unwrap_or_default(), Err(error))
            }
        }
    }

    /// The target Regions of the newest backup in the state table.
    async fn last_request(&self, database: &DatabaseId) -> Result<Option<Vec<TargetRegion>>, Error> {
        let rows = list::of_database(&self.cloud, database.as_str(), 20).await?;
        let Some(newest) = rows.iter().find(|row| row["type"] == "BACKUP") else { return Ok(None) };
        let id = newest["operationId"].as_str().unwrap_or_default();
        let item = list::item(&self.cloud, id).await?.unwrap_or_default();
        let unreadable = |error| Error::Unreadable(format!("the request of {id} cannot be read: {error}"));
        let request: Value =
            serde_json::from_str(item["request"].as_str().unwrap_or_default()).map_err(unreadable)?;
        serde_json::from_value(request["targetRegions"].clone()).map(Some).map_err(unreadable)
    }

    /// The protection plan that was applied last; `None` when there is none.
    pub async fn plan(&self) -> Looked<Option<ProtectionPlan>> {
        let bucket = Bucket::new(&self.aws, self.deployment.bucket.clone()?);
        let plan: Option<ProtectionPlan> = bucket.get(protection::KEY).await?;
        plan.map(ProtectionPlan::checked).transpose()
    }

    /// The operations of a database that have not ended, and whether anybody works on them.
    ///
    /// # Errors
    /// When the state table cannot be read.
    pub async fn open_operations(&self, database: &DatabaseId) -> Looked<Vec<OpenOperation>> {
        let rows = list::of_database(&self.cloud, database.as_str(), OPERATIONS).await;
        let rows = rows.map_err(|error| Named::new(ErrorKind::OutcomeUnknown, error.to_string()))?;
        let mut open = Vec::new();
        for row in rows.iter().filter(|row| list::is_running(row)) {
            let id = row["operationId"].as_str().unwrap_or_default();
            let phase = row["status"].as_str().unwrap_or_default().to_owned();
            let worker = match execution::look(&self.cloud, id).await {
                Ok(execution::Looked::Missing | execution::Looked::Ended(_)) => continue,
                Ok(execution::Looked::Open(_, execution)) => match execution.state {
                    State::Running => Ok(Worker::Running),
                    State::Ended(_) | State::Gone => Ok(Worker::Dead(execution.word().to_owned())),
                    State::Unknown(why) => Err(Named::new(ErrorKind::OutcomeUnknown, why)),
                },
                Err(error) => Err(Named::new(ErrorKind::OutcomeUnknown, error.to_string())),
            };
            open.push(OpenOperation { id: id.to_owned(), phase, worker });
        }
        Ok(open)
    }

    /// Every Region that ever was about to have a copy, wherever the deployment and the plan copy to now.
    ///
    /// # Errors
    /// What the metadata bucket answers.
    pub async fn noted(&self) -> Looked<Vec<Region>> {
        let bucket = Bucket::new(&self.aws, self.deployment.bucket.clone()?);
        holdfast_core::regions::noted(&bucket).await
    }

    /// What a schedule asks for.
    fn request(&self, schedule: &Schedule) -> Looked<holdfast_core::request::BackupRequest> {
        let defaults = self.deployment.defaults.as_ref().map_err(Named::clone)?;
        schedule.request(defaults)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::known;

    #[test]
    fn a_name_that_only_failed_is_told_from_one_that_came_to_something() {
        let row = |database: &str, status: &str| json!({"databaseId": database, "status": status});
        let rows = [
            row("prod-db", "FAILED"),
            row("prod-db", "SUCCEEDED"),
            row("prod-dbb", "FAILED"),
            row("new-db", "VALIDATING"),
            row("half-db", "PARTIAL"),
            row("no name", "FAILED"),
        ];
        let (all, failed) = known(&rows);
        let names = |found: Vec<&str>| found.join(" ");
        assert_eq!(names(all.iter().map(|one| one.as_str()).collect()), "half-db new-db prod-db");
        assert_eq!(names(failed.iter().map(|one| one.as_str()).collect()), "prod-dbb");
    }
}
