//! The real templates into the local cloud.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use aws_sdk_cloudformation::types::{Capability, Parameter, Stack as CfnStack, StackStatus};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use sha2::{Digest, Sha256};

use crate::{
    Error, Result, Stack,
    clients::{Clients, HOME_REGION},
    package, project,
    template::Template,
};

/// Regions that `infra/region.yaml` is deployed to.
pub const TARGET_REGIONS: [&str; 2] = ["us-west-2", "eu-west-1"];
/// The stack of `template.yaml`.
pub const STACK_NAME: &str = "holdfast";

/// Where the local stack is not deployed with the defaults: there a swap may repoint any record.
const PARAMETERS: [(&str, &str); 1] = [("SwapHostedZoneId", "*")];
const REGION_TEMPLATE: &str = "infra/region.yaml";
const DEPLOYED_WITHIN: Duration = Duration::from_secs(180);

/// The local cloud derives the name of a role from its stack's alone, and roles know no Region: with one name in two
/// Regions, the second stack's roles would replace the first's. AWS adds characters of its own.
fn region_stack_name(region: &str) -> String {
    format!("holdfast-region-{region}")
}

/// What `template.yaml` says about itself once it is deployed.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// The state table.
    pub state_table: String,
    /// The bucket of reports.
    pub metadata_bucket: String,
    /// The backup workflow.
    pub backup_state_machine_arn: String,
    /// The workflow that validates a backup again, in the home Region.
    pub validation_state_machine_arn: String,
    /// The workflow that brings a database back.
    pub restore_state_machine_arn: String,
    /// The workflow that copies a backup to further Regions.
    pub replication_state_machine_arn: String,
    /// The function that prunes backups.
    pub prune_function: String,
    /// The role that schedules start backups with.
    pub schedule_role_arn: String,
    /// The group of the protection plan's schedules.
    pub schedule_group: String,
    /// The queue of starts that could not be delivered.
    pub dead_letters_arn: String,
}

/// What `infra/region.yaml` says about itself once it is deployed.
#[derive(Debug, Clone)]
pub struct RegionOutputs {
    /// The Region's bucket of manifests and validations.
    pub metadata_bucket: String,
    /// The workflow that validates copies in the Region.
    pub validation_state_machine_arn: String,
}

/// Deploys the home stack and the target Regions' at the same time.
pub(crate) async fn everything(stack: &Stack) -> Result<Outputs> {
    let (home, regions) = tokio::join!(home(stack), regions(stack));
    regions?;
    home
}

async fn home(stack: &Stack) -> Result<Outputs> {
    let path = "template.yaml";
    let clients = stack.clients(HOME_REGION);
    let deployed =
        apply(&clients, STACK_NAME, &packaged(&clients, HOME_REGION, path).await?, &PARAMETERS).await?;
    Ok(Outputs {
        state_table: output(&deployed, path, "StateTableName")?,
        metadata_bucket: output(&deployed, path, "MetadataBucketName")?,
        backup_state_machine_arn: output(&deployed, path, "BackupStateMachineArn")?,
        validation_state_machine_arn: output(&deployed, path, "BackupValidationStateMachineArn")?,
        restore_state_machine_arn: output(&deployed, path, "RestoreStateMachineArn")?,
        replication_state_machine_arn: output(&deployed, path, "ReplicationStateMachineArn")?,
        prune_function: output(&deployed, path, "PruneFunctionName")?,
        schedule_role_arn: output(&deployed, path, "ScheduleRoleArn")?,
        schedule_group: output(&deployed, path, "ScheduleGroupName")?,
        dead_letters_arn: output(&deployed, path, "ScheduleDeadLettersArn")?,
    })
}

async fn regions(stack: &Stack) -> Result<()> {
    for region in TARGET_REGIONS {
        let clients = stack.clients(region);
        let text = packaged(&clients, region, REGION_TEMPLATE).await?;
        // What tests ask for later is looked for now, while it is clear what lacks it.
        region_outputs(&apply(&clients, &region_stack_name(region), &text, &[]).await?)?;
    }
    Ok(())
}

/// What is deployed in a target Region.
pub(crate) async fn region(stack: &Stack, region: &str) -> Result<RegionOutputs> {
    let name = region_stack_name(region);
    let deployed = describe(&stack.clients(region), &name)
        .await?
        .ok_or_else(|| Error::new(format!("{REGION_TEMPLATE} is not deployed in {region}")))?;
    region_outputs(&deployed)
}

fn region_outputs(deployed: &CfnStack) -> Result<RegionOutputs> {
    let path = REGION_TEMPLATE;
    Ok(RegionOutputs {
        metadata_bucket: output(deployed, path, "MetadataBucketName")?,
        validation_state_machine_arn: output(deployed, path, "BackupValidationStateMachineArn")?,
    })
}

fn output(deployed: &CfnStack, template: &str, key: &str) -> Result<String> {
    deployed
        .outputs()
        .iter()
        .find(|output| output.output_key() == Some(key))
        .and_then(|output| output.output_value())
        .map(str::to_owned)
        .ok_or_else(|| Error::new(format!("{template} has no Output {key}")))
}

/// Uploads code and definitions of a template to a bucket in its Region, where Lambda looks for them; the answer is
/// the template with their addresses. Names carry the content's hash, so a template changes exactly when something in
/// it does.
async fn packaged(clients: &Clients, region: &str, path: &str) -> Result<String> {
    let text = read(path)?;
    let template = Template { folder: path.rsplit_once('/').map_or("", |(folder, _)| folder), text: &text };
    let wanted = template.wanted()?;
    let bucket = Artifacts { clients, bucket: format!("holdfast-local-artifacts-{region}") };
    bucket.make(region).await;
    let mut code = BTreeMap::new();
    for (binary, package) in package::all(&wanted.binaries)? {
        let body = fs::read(&package.path).map_err(|cause| Error::file(&package.path, cause))?;
        code.insert(binary, bucket.upload(&package.key, body).await?);
    }
    let mut definitions = BTreeMap::new();
    for path in wanted.definitions {
        let body = read(&path)?.into_bytes();
        let key = format!("{}-{}", hex::encode(&Sha256::digest(&body)[..8]), path.replace('/', "-"));
        definitions.insert(path, bucket.upload(&key, body).await?);
    }
    template.rewrite(&code, &definitions)
}

/// A Region's bucket of packages.
struct Artifacts<'a> {
    clients: &'a Clients,
    bucket: String,
}

impl Artifacts<'_> {
    async fn make(&self, region: &str) {
        // us-east-1 is the one Region that may not be named.
        let place = (region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        // Already there is as good as made; a bucket that is not there is said by the first upload.
        let request = self.clients.s3.create_bucket().bucket(&self.bucket);
        let _ = request.set_create_bucket_configuration(place).send().await;
    }

    async fn upload(&self, key: &str, body: Vec<u8>) -> Result<String> {
        let s3 = &self.clients.s3;
        let there = s3.head_object().bucket(&self.bucket).key(key).send().await.is_ok();
        if !there {
            s3.put_object()
                .bucket(&self.bucket)
                .key(key)
                .body(ByteStream::from(body))
                .send()
                .await
                .map_err(|cause| Error::because(format!("uploading {key}"), &cause))?;
        }
        Ok(format!("s3://{}/{key}", self.bucket))
    }
}

/// Creates or updates a CloudFormation stack and waits for it.
///
/// # Errors
/// When it ends in any other state than complete: the message has the failures' reasons.
pub async fn apply(
    clients: &Clients,
    name: &str,
    body: &str,
    parameters: &[(&str, &str)],
) -> Result<CfnStack> {
    let cloudformation = &clients.cloudformation;
    let capabilities =
        vec![Capability::CapabilityIam, Capability::CapabilityNamedIam, Capability::CapabilityAutoExpand];
    let parameters: Vec<Parameter> = parameters
        .iter()
        .map(|(name, value)| Parameter::builder().parameter_key(*name).parameter_value(*value).build())
        .collect();
    if describe(clients, name).await?.is_none() {
        cloudformation
            .create_stack()
            .stack_name(name)
            .template_body(body)
            .set_parameters(Some(parameters))
            .set_capabilities(Some(capabilities))
            .send()
            .await
            .map_err(|cause| Error::because(format!("creating stack {name}"), &cause))?;
    } else {
        let updated = cloudformation
            .update_stack()
            .stack_name(name)
            .template_body(body)
            .set_parameters(Some(parameters))
            .set_capabilities(Some(capabilities))
            .send()
            .await;
        if let Err(cause) = updated {
            let error = Error::because(format!("updating stack {name}"), &cause);
            if !error.to_string().contains("No updates are to be performed") {
                return Err(error);
            }
        }
    }
    settled(clients, name).await
}

async fn settled(clients: &Clients, name: &str) -> Result<CfnStack> {
    let deadline = Instant::now() + DEPLOYED_WITHIN;
    loop {
        let stack =
            describe(clients, name).await?.ok_or_else(|| Error::new(format!("stack {name} is gone")))?;
        match stack.stack_status() {
            Some(StackStatus::CreateComplete | StackStatus::UpdateComplete) => return Ok(stack),
            Some(status) if !status.as_str().ends_with("_IN_PROGRESS") => {
                let reasons = failures(clients, name).await;
                return Err(Error::new(format!("stack {name} ended {status}{reasons}")));
            }
            _ if Instant::now() >= deadline => {
                return Err(Error::new(format!("stack {name} is not complete after {DEPLOYED_WITHIN:?}")));
            }
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn describe(clients: &Clients, name: &str) -> Result<Option<CfnStack>> {
    match clients.cloudformation.describe_stacks().stack_name(name).send().await {
        Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
        Err(cause) => {
            let error = Error::because(format!("describing stack {name}"), &cause);
            if error.to_string().contains("does not exist") { Ok(None) } else { Err(error) }
        }
    }
}

async fn failures(clients: &Clients, name: &str) -> String {
    let Ok(answer) = clients.cloudformation.describe_stack_events().stack_name(name).send().await else {
        return String::new();
    };
    let mut text = String::new();
    for event in answer.stack_events().iter().rev() {
        let failed = event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"));
        if failed {
            let id = event.logical_resource_id().unwrap_or_default();
            text.push_str(&format!(
                "\n  {id}: {}",
                event.resource_status_reason().unwrap_or("no reason given")
            ));
        }
    }
    text
}

fn read(path: &str) -> Result<String> {
    let path = project::root().join(path);
    fs::read_to_string(&path).map_err(|cause| Error::file(&path, cause))
}
