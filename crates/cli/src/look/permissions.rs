//! What a role may do, as IAM simulates it: nothing is used, and nothing is written.

use aws_sdk_iam::Client;
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
pub(super) async fn may_use(client: &Client, role: &str, key_arn: &str) -> Result<bool> {
    let answer = client
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

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::retry::RetryConfig;
    use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_iam::operation::simulate_principal_policy::SimulatePrincipalPolicyOutput;
    use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType as Decision};
    use aws_smithy_mocks::{MockResponseInterceptor, create_mock_http_client, mock};

    use super::*;

    /// What comes of these decisions on the two actions.
    async fn asked(decisions: &'static [(&'static str, Decision)]) -> bool {
        let answer = mock!(Client::simulate_principal_policy)
            .match_requests(|asked| {
                asked.policy_source_arn() == Some("arn:role")
                    && asked.resource_arns() == ["arn:key".to_owned()]
            })
            .then_output(|| {
                let results = decisions.iter().map(|(action, decision)| {
                    let result = EvaluationResult::builder().eval_action_name(*action);
                    result.eval_decision(decision.clone()).build().unwrap()
                });
                SimulatePrincipalPolicyOutput::builder()
                    .set_evaluation_results(Some(results.collect()))
                    .build()
            });
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("a", "b", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(create_mock_http_client())
            .interceptor(MockResponseInterceptor::new().with_rule(&answer));
        may_use(&Client::from_conf(config.build()), "arn:role", "arn:key").await.unwrap()
    }

    #[tokio::test]
    async fn a_role_may_use_a_key_when_both_actions_are_allowed() {
        const LOOK: &str = ON_KEYS[0];
        const USE: &str = ON_KEYS[1];
        assert!(asked(&[(LOOK, Decision::Allowed), (USE, Decision::Allowed)]).await);
        assert!(!asked(&[(LOOK, Decision::Allowed), (USE, Decision::ImplicitDeny)]).await);
        assert!(!asked(&[(LOOK, Decision::ExplicitDeny), (USE, Decision::Allowed)]).await);
        assert!(!asked(&[(LOOK, Decision::Allowed)]).await, "an answer that leaves one out allows it not");
    }
}
