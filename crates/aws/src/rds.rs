//! Amazon RDS in every Region: one client per Region, made when first asked for.

use std::time::SystemTime;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{ApplyMethod, Filter, Parameter};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use holdfast_core::health::Quota;
use holdfast_core::ids::Region;
use holdfast_core::ports::{
    CopyAnswer, NewCopy, NewRestore, NewSnapshot, Rds, RestoreAnswer, SnapshotAnswer, SnapshotDeletion,
};
use holdfast_core::rds::{Instance, Snapshot};
use holdfast_core::tags::{self, Tags};
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::classify::{classify, code, message};
use crate::clients::Clients;
use crate::config::{Aws, configured};
use crate::presign;

mod convert;
mod looks;
mod renames;
mod restores;
mod snapshots;

use convert::{instance_from, sdk_tags, snapshot_from};

/// RDS in every Region.
#[derive(Debug)]
pub struct RdsApi {
    aws: Aws,
    clients: Clients<Client>,
}

impl RdsApi {
    /// RDS in every Region, with the endpoint of `aws` when it has one.
    pub fn new(aws: &Aws) -> Self {
        RdsApi { aws: aws.clone(), clients: Clients::default() }
    }

    /// RDS behind given clients, for the tests of this adapter.
    pub fn with_clients(aws: &Aws, clients: impl IntoIterator<Item = (Region, Client)>) -> Self {
        RdsApi { aws: aws.clone(), clients: clients.into_iter().collect() }
    }

    fn client(&self, region: &Region) -> Client {
        self.clients.of(region, |region| {
            let mut config = configured!(self.aws, aws_sdk_rds).region(region);
            config.set_endpoint_url(self.aws.rds_endpoint.clone());
            Client::from_conf(config.build())
        })
    }

    async fn add_tags(&self, region: &Region, arn: &str, tags: &Tags) -> Result<()> {
        let add = self.client(region).add_tags_to_resource().resource_name(arn);
        let added = add.set_tags(Some(sdk_tags(tags))).send().await;
        added.map_err(|error| classify(&format!("AddTagsToResource {arn}"), &error))?;
        Ok(())
    }

    async fn credentials(&self) -> Result<Credentials> {
        let failed = |why: String| Error::new(ErrorKind::Configuration, format!("credentials: {why}"));
        let provider = self.aws.config.credentials_provider().ok_or_else(|| failed("no provider".into()))?;
        provider.provide_credentials().await.map_err(|error| failed(error.to_string()))
    }
}

/// The two meanings of `SnapshotQuotaExceeded`: only copies in flight clear by waiting.
fn too_many_in_flight(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("in progress") || message.contains("in-progress") || message.contains("in flight")
}

#[async_trait]
impl Rds for RdsApi {
    async fn instance(&self, region: &Region, id: &str) -> Result<Option<Instance>> {
        match self.client(region).describe_db_instances().db_instance_identifier(id).send().await {
            Ok(answer) => answer.db_instances().first().map(instance_from).transpose(),
            Err(error) if code(&error) == Some("DBInstanceNotFound") => Ok(None),
            Err(error) => Err(classify(&format!("DescribeDBInstances {id} in {region}"), &error)),
        }
    }

    async fn temporary_instances(&self, region: &Region) -> Result<Vec<Instance>> {
        let mut pages = self.client(region).describe_db_instances().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(instance) = pages.next().await {
            let instance =
                instance.map_err(|error| classify(&format!("DescribeDBInstances in {region}"), &error))?;
            let instance = instance_from(&instance)?;
            if instance.tags.contains_key(tags::TEMPORARY) {
                found.push(instance);
            }
        }
        Ok(found)
    }

    async fn snapshot(&self, region: &Region, id: &str) -> Result<Option<Snapshot>> {
        match self.client(region).describe_db_snapshots().db_snapshot_identifier(id).send().await {
            Ok(answer) => {
                answer.db_snapshots().first().map(|snapshot| snapshot_from(snapshot, region)).transpose()
            }
            Err(error) if code(&error) == Some("DBSnapshotNotFound") => Ok(None),
            Err(error) => Err(classify(&format!("DescribeDBSnapshots {id} in {region}"), &error)),
        }
    }

    async fn copies_in_flight(&self, region: &Region) -> Result<usize> {
        let filter = Filter::builder().name("snapshot-type").values("manual").build();
        let mut pages =
            self.client(region).describe_db_snapshots().filters(filter).into_paginator().items().send();
        let mut count = 0;
        while let Some(snapshot) = pages.next().await {
            let snapshot =
                snapshot.map_err(|error| classify(&format!("DescribeDBSnapshots in {region}"), &error))?;
            let being_made = matches!(snapshot.status(), Some("creating" | "copying" | "pending"));
            if being_made && snapshot.source_region().is_some_and(|source| source != region.as_str()) {
                count += 1;
            }
        }
        Ok(count)
    }

    async fn snapshot_quota(&self, region: &Region) -> Result<Option<Quota>> {
        self.quota(region, "ManualSnapshots").await
    }

    async fn create_snapshot(&self, region: &Region, new: &NewSnapshot) -> Result<SnapshotAnswer> {
        let answer = self
            .client(region)
            .create_db_snapshot()
            .db_snapshot_identifier(&new.id)
            .db_instance_identifier(&new.instance_id)
            .set_tags(Some(sdk_tags(&new.tags)))
            .send()
            .await;
        let error = match answer {
            Ok(answer) => {
                let made = answer.db_snapshot().ok_or_else(|| empty("CreateDBSnapshot"))?;
                return Ok(SnapshotAnswer::Created(Box::new(snapshot_from(made, region)?)));
            }
            Err(error) => error,
        };
        match code(&error) {
            Some("DBSnapshotAlreadyExists") => Ok(SnapshotAnswer::AlreadyThere),
            Some("InvalidDBInstanceState") => Ok(SnapshotAnswer::SourceBusy),
            Some("DBInstanceNotFound") => Err(Error::new(
                ErrorKind::SourceNotFound,
                format!("there is no DB instance {} in {region}", new.instance_id),
            )),
            Some("SnapshotQuotaExceeded") => Err(Error::new(
                ErrorKind::SnapshotQuotaExceeded,
                format!("CreateDBSnapshot in {region}: {}", message(&error)),
            )),
            _ => Err(classify(&format!("CreateDBSnapshot {} in {region}", new.id), &error)),
        }
    }

    async fn manual_snapshots(&self, region: &Region) -> Result<Vec<Snapshot>> {
        snapshots::list(&self.client(region), region).await
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> Result<SnapshotDeletion> {
        snapshots::delete(&self.client(region), region, id).await
    }

    async fn copy_snapshot(&self, new: &NewCopy) -> Result<CopyAnswer> {
        let endpoint = presign::source_endpoint(self.aws.rds_endpoint.as_deref(), new);
        let url = presign::copy_snapshot_url(new, &endpoint, &self.credentials().await?, SystemTime::now())?;
        let answer = self
            .client(&new.to)
            .copy_db_snapshot()
            .source_db_snapshot_identifier(&new.source_arn)
            .target_db_snapshot_identifier(&new.id)
            .kms_key_id(&new.kms_key_id)
            .set_tags(Some(sdk_tags(&new.tags)))
            .pre_signed_url(url)
            .send()
            .await;
        let error = match answer {
            Ok(answer) => {
                let made = answer.db_snapshot().ok_or_else(|| empty("CopyDBSnapshot"))?;
                return Ok(CopyAnswer::Created(Box::new(snapshot_from(made, &new.to)?)));
            }
            Err(error) => error,
        };
        let said = format!("CopyDBSnapshot to {}: {}", new.to, message(&error));
        match code(&error) {
            Some("DBSnapshotAlreadyExists") => Ok(CopyAnswer::AlreadyThere),
            Some("SnapshotQuotaExceeded") if too_many_in_flight(message(&error)) => {
                Ok(CopyAnswer::TooManyInFlight)
            }
            Some("SnapshotQuotaExceeded") => Err(Error::new(ErrorKind::SnapshotQuotaExceeded, said)),
            Some("DBSnapshotNotFound" | "InvalidDBSnapshotState") => {
                Err(Error::new(ErrorKind::SnapshotGone, said))
            }
            Some("KMSKeyNotAccessibleFault") => Err(Error::new(ErrorKind::KeyUnusable, said)),
            Some("InvalidParameterValue") if message(&error).to_ascii_lowercase().contains("kms") => {
                Err(Error::new(ErrorKind::KeyUnusable, said))
            }
            _ => Err(classify(&format!("CopyDBSnapshot {} to {}", new.id, new.to), &error)),
        }
    }

    async fn tag_snapshot(&self, snapshot: &Snapshot, tags: &Tags) -> Result<()> {
        self.add_tags(&snapshot.region, &snapshot.arn, tags).await
    }

    async fn tag_instance(&self, region: &Region, instance: &Instance, tags: &Tags) -> Result<()> {
        self.add_tags(region, &instance.arn, tags).await
    }

    async fn ensure_parameter_group(
        &self,
        region: &Region,
        name: &str,
        family: &str,
        parameters: &[(&str, &str)],
    ) -> Result<()> {
        let client = self.client(region);
        let own = Tags::from([(tags::TEMPORARY.to_owned(), tags::TEMPORARY_VALIDATION.to_owned())]);
        let answer = client
            .create_db_parameter_group()
            .db_parameter_group_name(name)
            .db_parameter_group_family(family)
            .description("Holdfast validation: a restored copy that starts nothing of its own")
            .set_tags(Some(sdk_tags(&own)))
            .send()
            .await;
        match answer {
            Ok(_) => {}
            // Made by an earlier validation, which may have died before it set the parameters: set them again.
            Err(error) if code(&error) == Some("DBParameterGroupAlreadyExists") => {
                require_own_parameter_group(&client, region, name).await?;
            }
            Err(error) => {
                return Err(classify(&format!("CreateDBParameterGroup {name} in {region}"), &error));
            }
        }
        let parameters = parameters
            .iter()
            .map(|(parameter, value)| {
                Parameter::builder()
                    .parameter_name(*parameter)
                    .parameter_value(*value)
                    .apply_method(ApplyMethod::PendingReboot)
                    .build()
            })
            .collect();
        client
            .modify_db_parameter_group()
            .db_parameter_group_name(name)
            .set_parameters(Some(parameters))
            .send()
            .await
            .map_err(|error| busy_or(&format!("ModifyDBParameterGroup {name} in {region}"), &error))?;
        Ok(())
    }

    async fn restore(&self, region: &Region, new: &NewRestore) -> Result<RestoreAnswer> {
        let answer = self
            .client(region)
            .restore_db_instance_from_db_snapshot()
            .db_instance_identifier(&new.id)
            .db_snapshot_identifier(&new.snapshot_id)
            .db_instance_class(&new.class)
            .db_parameter_group_name(&new.parameter_group)
            .db_subnet_group_name(&new.subnet_group)
            .vpc_security_group_ids(&new.security_group)
            .publicly_accessible(false)
            .multi_az(false)
            .auto_minor_version_upgrade(false)
            .deletion_protection(false)
            .copy_tags_to_snapshot(false)
            .backup_retention_period(0)
            .set_tags(Some(sdk_tags(&new.tags)))
            .send()
            .await;
        let error = match answer {
            Ok(answer) => {
                let made = answer.db_instance().ok_or_else(|| empty("RestoreDBInstanceFromDBSnapshot"))?;
                return Ok(RestoreAnswer::Started(Box::new(instance_from(made)?)));
            }
            Err(error) => error,
        };
        let said =
            format!("RestoreDBInstanceFromDBSnapshot {} in {region}: {}", new.snapshot_id, message(&error));
        match code(&error) {
            Some("DBInstanceAlreadyExists") => Ok(RestoreAnswer::AlreadyThere),
            Some("InsufficientDBInstanceCapacity") => Ok(RestoreAnswer::NoCapacity),
            // Another class needs as much of it.
            Some("InstanceQuotaExceeded" | "StorageQuotaExceeded") => {
                Err(Error::new(ErrorKind::InstanceQuotaExceeded, said))
            }
            // A class that this engine version or zone does not have: the next on the list may be one it has.
            Some("InvalidParameterCombination" | "InvalidParameterValue")
                if message(&error).to_ascii_lowercase().contains("class") =>
            {
                Ok(RestoreAnswer::NoCapacity)
            }
            Some("InvalidDBSnapshotState") => Ok(RestoreAnswer::NotYet),
            Some("DBSnapshotNotFound") => Err(Error::new(ErrorKind::SnapshotGone, said)),
            Some("KMSKeyNotAccessibleFault") => Err(Error::new(ErrorKind::KeyUnusable, said)),
            _ => Err(classify(&format!("RestoreDBInstanceFromDBSnapshot {}", new.id), &error)),
        }
    }

    async fn take_over_instance(&self, region: &Region, id: &str, password: &SecretString) -> Result<()> {
        self.client(region)
            .modify_db_instance()
            .db_instance_identifier(id)
            .master_user_password(password.expose_secret())
            .backup_retention_period(0)
            .apply_immediately(true)
            .send()
            .await
            .map_err(|error| busy_or(&format!("ModifyDBInstance {id} in {region}"), &error))?;
        Ok(())
    }

    async fn delete_instance(&self, region: &Region, id: &str) -> Result<()> {
        let answer = self
            .client(region)
            .delete_db_instance()
            .db_instance_identifier(id)
            .skip_final_snapshot(true)
            .delete_automated_backups(true)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            // Gone, or going already: what was asked for.
            Err(error) if matches!(code(&error), Some("DBInstanceNotFound" | "InvalidDBInstanceState")) => {
                Ok(())
            }
            Err(error) => {
                let error = classify(&format!("DeleteDBInstance {id} in {region}"), &error);
                // The right to delete hangs on a tag, and what is gone has none: a repeated call is denied, not told so.
                let is_gone = error.kind == ErrorKind::AccessDenied
                    && matches!(self.instance(region, id).await, Ok(None));
                if is_gone { Ok(()) } else { Err(error) }
            }
        }
    }
}

/// Refuses to change a parameter group of that name that Holdfast did not make.
async fn require_own_parameter_group(client: &Client, region: &Region, name: &str) -> Result<()> {
    let described = client
        .describe_db_parameter_groups()
        .db_parameter_group_name(name)
        .send()
        .await
        .map_err(|error| classify(&format!("DescribeDBParameterGroups {name} in {region}"), &error))?;
    let arn = described
        .db_parameter_groups()
        .first()
        .and_then(|group| group.db_parameter_group_arn())
        .ok_or_else(|| empty("DescribeDBParameterGroups"))?;
    let tags = client
        .list_tags_for_resource()
        .resource_name(arn)
        .send()
        .await
        .map_err(|error| classify(&format!("ListTagsForResource {arn}"), &error))?;
    if tags.tag_list().iter().any(|tag| tag.key() == Some(tags::TEMPORARY)) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NameTaken,
        format!("parameter group {name} in {region} exists and is not Holdfast's; it is left alone"),
    ))
}

/// A resource that RDS or another operation changes at this moment is looked at again by the next attempt.
fn busy_or<E>(action: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match code(error) {
        Some("InvalidDBInstanceState" | "InvalidDBParameterGroupState") => {
            Error::new(ErrorKind::OutcomeUnknown, format!("{action}: {}", message(error)))
        }
        _ => classify(action, error),
    }
}

fn empty(action: &str) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, format!("{action}: an empty answer"))
}

#[cfg(test)]
mod tests {
    use super::too_many_in_flight;

    #[test]
    fn the_two_quota_messages_are_told_apart() {
        assert!(too_many_in_flight(
            "The maximum number of in-progress cross-region snapshot copies has been reached."
        ));
        assert!(too_many_in_flight("Cannot have more than 20 snapshot copies in progress"));
        assert!(!too_many_in_flight(
            "The request cannot be processed because it would exceed the maximum number of snapshots."
        ));
    }
}
