//! Who calls, and whether their role's policies let them. Roles and policies are the local cloud's.

mod policy;
pub(crate) mod resources;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::cloud::{ROOT_KEY, client};
use crate::error::RdsError;
use crate::lock;
pub(crate) use policy::Context;
use policy::{Decision, Policy, Request, evaluate};

/// How long a role's policies are believed.
const FRESH: Duration = Duration::from_secs(3);

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// May do everything.
    Root,
    /// A function's session of its role.
    Role { session_arn: String, role: String },
    /// Anybody: nothing is enforced.
    Open(String),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Role { session_arn, .. } => session_arn,
            Self::Open(access_key) => access_key,
        })
    }
}

/// Holds calls against the local cloud's roles.
pub(crate) struct Iam {
    endpoint: String,
    account: String,
    regions: Mutex<BTreeSet<String>>,
    /// By access key.
    sessions: Mutex<HashMap<String, Principal>>,
    /// By role name.
    policies: Mutex<HashMap<String, (Instant, Vec<Policy>)>>,
}

impl Iam {
    pub(crate) fn new(endpoint: &str, account: &str, home_region: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            account: account.to_owned(),
            regions: Mutex::new([home_region.to_owned()].into()),
            sessions: Mutex::default(),
            policies: Mutex::default(),
        }
    }

    /// Finds out whose access key it is. A worker's key follows from its function and its role.
    pub(crate) async fn identify(&self, access_key: &str, region: &str) -> Result<Principal, RdsError> {
        // The account's number is what workers get when the cloud itself enforces nothing.
        if access_key == ROOT_KEY || access_key == self.account {
            return Ok(Principal::Root);
        }
        lock(&self.regions).insert(region.to_owned());
        if let Some(known) = lock(&self.sessions).get(access_key) {
            return Ok(known.clone());
        }
        let regions = lock(&self.regions).clone();
        for region in regions {
            if let Err(cause) = self.learn_functions(&region).await {
                tracing::warn!(%region, cause, "cannot list the cloud's functions");
            }
        }
        lock(&self.sessions).get(access_key).cloned().ok_or_else(|| {
            let why = "The security token included in the request is invalid.";
            RdsError::with_status("InvalidClientTokenId", 403, why)
        })
    }

    async fn learn_functions(&self, region: &str) -> Result<(), String> {
        let lambda = client!(aws_sdk_lambda, &self.endpoint, region);
        let mut marker = None;
        loop {
            let page =
                lambda.list_functions().set_marker(marker).send().await.map_err(|cause| {
                    aws_smithy_types::error::display::DisplayErrorContext(cause).to_string()
                })?;
            for function in page.functions() {
                let (Some(arn), Some(role)) = (function.function_arn(), function.role()) else { continue };
                let digest = hex::encode(Sha256::digest(format!("{arn}:{role}")));
                let role = role.rsplit('/').next().unwrap_or(role).to_owned();
                let session: String =
                    function.function_name().unwrap_or("ministack-lambda").chars().take(64).collect();
                let session_arn = format!("arn:aws:sts::{}:assumed-role/{role}/{session}", self.account);
                let access_key = format!("ASIA{}", digest[..16].to_ascii_uppercase());
                lock(&self.sessions).insert(access_key, Principal::Role { session_arn, role });
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(());
            }
        }
    }

    /// Whether the caller may do this to that.
    pub(crate) async fn authorize(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), RdsError> {
        let Principal::Role { session_arn, role } = principal else { return Ok(()) };
        let policies = self.policies_of(role).await;
        let decision = match &policies {
            Ok(policies) => evaluate(policies, &Request { action, resource, context }),
            Err(cause) => {
                tracing::warn!(%role, cause, "cannot read the role's policies: refused");
                Decision::Denied
            }
        };
        let why = match decision {
            Decision::Allowed => return Ok(()),
            Decision::NotAllowed => format!("because no identity-based policy allows the {action} action"),
            Decision::Denied => "with an explicit deny in an identity-based policy".to_owned(),
        };
        let message = format!(
            "User: {session_arn} is not authorized to perform: {action} on resource: {resource} {why}"
        );
        Err(RdsError::with_status("AccessDenied", 403, message))
    }

    /// Whether the trust policy of a role names a service.
    pub(crate) async fn may_take(&self, service: &str, role_arn: &str) -> bool {
        let iam = client!(aws_sdk_iam, &self.endpoint, "us-east-1");
        let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let found = iam.get_role().role_name(name).send().await.ok().and_then(|answer| answer.role);
        let trust = found.and_then(|role| role.assume_role_policy_document).unwrap_or_default();
        percent_decode_str(&trust).decode_utf8_lossy().contains(&format!("\"{service}\""))
    }

    async fn policies_of(&self, role: &str) -> Result<Vec<Policy>, String> {
        if let Some((read, policies)) = lock(&self.policies).get(role)
            && read.elapsed() < FRESH
        {
            return Ok(policies.clone());
        }
        let policies = self.read_policies(role).await?;
        lock(&self.policies).insert(role.to_owned(), (Instant::now(), policies.clone()));
        Ok(policies)
    }

    async fn read_policies(&self, role: &str) -> Result<Vec<Policy>, String> {
        fn why(cause: impl std::error::Error) -> String {
            aws_smithy_types::error::display::DisplayErrorContext(cause).to_string()
        }
        let iam = client!(aws_sdk_iam, &self.endpoint, "us-east-1");
        let mut documents = Vec::new();
        let inline = iam.list_role_policies().role_name(role).send().await.map_err(why)?;
        for name in inline.policy_names() {
            let found = iam.get_role_policy().role_name(role).policy_name(name).send().await.map_err(why)?;
            documents.push(found.policy_document);
        }
        let attached = iam.list_attached_role_policies().role_name(role).send().await.map_err(why)?;
        for arn in attached.attached_policies().iter().filter_map(|policy| policy.policy_arn()) {
            let policy = iam.get_policy().policy_arn(arn).send().await.map_err(why)?;
            let version = policy.policy.and_then(|policy| policy.default_version_id);
            let found = iam
                .get_policy_version()
                .policy_arn(arn)
                .version_id(version.as_deref().unwrap_or("v1"))
                .send()
                .await
                .map_err(why)?;
            documents.extend(found.policy_version.and_then(|version| version.document));
        }
        documents
            .iter()
            .map(|document| {
                // IAM answers documents percent-encoded.
                let text = if document.trim_start().starts_with('{') {
                    document.into()
                } else {
                    percent_decode_str(document).decode_utf8_lossy()
                };
                Policy::parse(&text)
            })
            .collect()
    }
}
