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
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_aws::s3::Bucket;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::ports::Documents as _;
use holdfast_core::protection::{self, ProtectionPlan};
use holdfast_core::request::TargetRegion;
use holdfast_core::{Error as Named, ErrorKind, Result as Looked};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::ops::list;
use crate::{Error, cloud};

use deployment::Deployment;
use schedules::Schedule;

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
            keys: Kms::new(&aws, None),
            cloud: Cloud::new(&config, table),
            deployment,
            schedules,
            aws,
            config,
        })
    }

    /// The databases that were asked for; else all that have operations or that a schedule names.
    ///
    /// # Errors
    /// `Usage` when a name is none, or when there is no database; what reading the state table met.
    pub async fn databases(&self, asked: &[String]) -> Result<Vec<DatabaseId>, Error> {
        let parse = |name: &str| DatabaseId::parse(name);
        if !asked.is_empty() {
            let all: Looked<Vec<DatabaseId>> = asked.iter().map(|name| parse(name)).collect();
            return all.map_err(|error| Error::Usage(error.message));
        }
        let rows = list::of_all(&self.cloud, false).await?;
        let recorded = rows.iter().filter_map(|row| row["databaseId"].as_str());
        let scheduled = self.schedules.iter().flatten().filter_map(|schedule| schedule.database.as_deref());
        let all: BTreeSet<DatabaseId> =
            recorded.chain(scheduled).filter_map(|name| parse(name).ok()).collect();
        if all.is_empty() {
            let why = format!("table {} has no operation and no schedule names a database", self.cloud.table);
            return Err(Error::Usage(format!("{why}: name one")));
        }
        Ok(all.into_iter().collect())
    }

    /// Where the next backup of a database is copied to: as its schedule says, else as its newest backup was asked to,
    /// else as it is deployed. Beside it, whether all of that could be read.
    pub async fn targets(&self, database: &DatabaseId) -> (Vec<TargetRegion>, Looked<()>) {
        let scheduled = self.schedules.iter().flatten().filter(|schedule| schedule.starts(database));
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

    /// What a schedule asks for.
    fn request(&self, schedule: &Schedule) -> Looked<holdfast_core::request::BackupRequest> {
        let defaults = self.deployment.defaults.as_ref().map_err(Named::clone)?;
        schedule.request(defaults)
    }
}
