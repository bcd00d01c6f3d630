//! What a role may do, as IAM simulates it: nothing is used, and nothing is written.

use aws_config::SdkConfig;
use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use holdfast_aws::classify::classify;
use holdfast_core::Result;

/// What the health check does with a target Region's key before each backup.
const ON_KEYS: [&str; 2] = ["kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"];

/// Whether the policies of `role` allow what the health check does with a key. A key's own policy is not simulated: the keys of
/// Holdfast's stacks leave it to IAM.
///
/// # Errors
/// What the call met.
pub(super) async fn may_use(config: &SdkConfig, role: &str, key_arn: &str) -> Result<bool> {
    let answer = aws_sdk_iam::Client::new(config)
        .simulate_principal_policy()
        .policy_source_arn(role)
        .set_action_names(Some(ON_KEYS.map(str::to_owned).to_vec()))
        .resource_arns(key_arn)
        .send()
        .await
        .map_err(|error| classify(&format!("SimulatePrincipalPolicy {role}"), &error))?;
    let results = answer.evaluation_results();
    let allowed = |action: &&str| {
        results.iter().any(|result| {
            result.eval_action_name() == *action
                && *result.eval_decision() == PolicyEvaluationDecisionType::Allowed
        })
    };
    Ok(ON_KEYS.iter().all(allowed))
}
