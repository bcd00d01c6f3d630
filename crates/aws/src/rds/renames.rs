//! Instances that change their names.

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::{RenameAnswer, Renames};

use super::RdsApi;
use crate::classify::{classify, code};

#[async_trait]
impl Renames for RdsApi {
    async fn rename(&self, region: &Region, id: &str, new: &str) -> Result<RenameAnswer> {
        let call = self.client(region).modify_db_instance().db_instance_identifier(id);
        match call.new_db_instance_identifier(new).apply_immediately(true).send().await {
            Ok(_) => Ok(RenameAnswer::Started),
            Err(error) => match code(&error) {
                Some("DBInstanceAlreadyExists") => Ok(RenameAnswer::Taken),
                // Under way since another call, or busy: the next look tells.
                Some("InvalidDBInstanceState" | "DBInstanceNotFound") => Ok(RenameAnswer::NotNow),
                _ => Err(classify(&format!("ModifyDBInstance {id} to {new} in {region}"), &error)),
            },
        }
    }

    async fn start(&self, region: &Region, id: &str) -> Result<bool> {
        match self.client(region).start_db_instance().db_instance_identifier(id).send().await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == Some("InvalidDBInstanceState") => Ok(false),
            Err(error) => Err(classify(&format!("StartDBInstance {id} in {region}"), &error)),
        }
    }

    async fn stop(&self, region: &Region, id: &str) -> Result<bool> {
        match self.client(region).stop_db_instance().db_instance_identifier(id).send().await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == Some("InvalidDBInstanceState") => Ok(false),
            Err(error) => Err(classify(&format!("StopDBInstance {id} in {region}"), &error)),
        }
    }
}
