//! The real templates into the local cloud.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use aws_sdk_cloudformation::types::{Capability, Stack as CfnStack, StackStatus};
use aws_sdk_s3::primitives::ByteStream;
use sha2::{Digest, Sha256};

use crate::{
    Error, Result, Stack,
    clients::{Clients, HOME_REGION},
    package, project, template,
};

/// Regions that `infra/region.yaml` is deployed to.
pub const TARGET_REGIONS: [&str; 2] = ["us-west-2", "eu-west-1"];
/// The stack of `template.yaml`.
pub const STACK_NAME: &str = "holdfast";

const REGION_STACK_NAME: &str = "holdfast-region";
const ARTIFACTS: &str = "holdfast-local-artifacts";
const DEPLOYED_WITHIN: Duration = Duration::from_secs(180);

/// What the template says about itself once it is deployed.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// The state table.
    pub state_table: String,
    /// The bucket of reports.
    pub metadata_bucket: String,
    /// The backup workflow.
    pub backup_state_machine_arn: String,
}

/// Deploys the home stack and the target Regions' at the same time.
pub(crate) async fn everything(stack: &Stack) -> Result<Outputs> {
    let region_template = read("infra/region.yaml")?;
    let regions = async {
        for region in TARGET_REGIONS {
            apply(&stack.clients(region), REGION_STACK_NAME, &region_template).await?;
        }
        Ok::<_, Error>(())
    };
    let (home, regions) = tokio::join!(home(stack), regions);
    regions?;
    home
}

async fn home(stack: &Stack) -> Result<Outputs> {
    let clients = stack.clients(HOME_REGION);
    let text = read("template.yaml")?;
    let text = packaged(&clients, &text).await?;
    let deployed = apply(&clients, STACK_NAME, &text).await?;
    let output = |key: &str| {
        deployed
            .outputs()
            .iter()
            .find(|output| output.output_key() == Some(key))
            .and_then(|output| output.output_value())
            .map(str::to_owned)
            .ok_or_else(|| Error::new(format!("template.yaml has no Output {key}")))
    };
    Ok(Outputs {
        state_table: output("StateTableName")?,
        metadata_bucket: output("MetadataBucketName")?,
        backup_state_machine_arn: output("BackupStateMachineArn")?,
    })
}

/// Uploads code and definitions; the answer is the template with their addresses. Names carry the
/// content's hash, so a template changes exactly when something in it does.
async fn packaged(clients: &Clients, text: &str) -> Result<String> {
    let wanted = template::wanted(text)?;
    // Already there is as good as made.
    let _ = clients.s3.create_bucket().bucket(ARTIFACTS).send().await;
    let mut code = BTreeMap::new();
    for (binary, package) in package::all(&wanted.binaries)? {
        let body = fs::read(&package.path).map_err(|cause| Error::file(&package.path, cause))?;
        code.insert(binary, upload(clients, &package.key, body).await?);
    }
    let mut definitions = BTreeMap::new();
    for path in wanted.definitions {
        let body = read(&path)?.into_bytes();
        let key = format!("{}-{}", hex::encode(&Sha256::digest(&body)[..8]), path.replace('/', "-"));
        definitions.insert(path, upload(clients, &key, body).await?);
    }
    template::rewrite(text, &code, &definitions)
}

async fn upload(clients: &Clients, key: &str, body: Vec<u8>) -> Result<String> {
    let there = clients.s3.head_object().bucket(ARTIFACTS).key(key).send().await.is_ok();
    if !there {
        clients
            .s3
            .put_object()
            .bucket(ARTIFACTS)
            .key(key)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|cause| Error::because(format!("uploading {key}"), &cause))?;
    }
    Ok(format!("s3://{ARTIFACTS}/{key}"))
}

/// Creates or updates a CloudFormation stack and waits for it.
///
/// # Errors
/// When it ends in any other state than complete: the message has the failures' reasons.
pub async fn apply(clients: &Clients, name: &str, body: &str) -> Result<CfnStack> {
    let cloudformation = &clients.cloudformation;
    let capabilities =
        vec![Capability::CapabilityIam, Capability::CapabilityNamedIam, Capability::CapabilityAutoExpand];
    if describe(clients, name).await?.is_none() {
        cloudformation
            .create_stack()
            .stack_name(name)
            .template_body(body)
            .set_capabilities(Some(capabilities))
            .send()
            .await
            .map_err(|cause| Error::because(format!("creating stack {name}"), &cause))?;
    } else {
        let updated = cloudformation
            .update_stack()
            .stack_name(name)
            .template_body(body)
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
