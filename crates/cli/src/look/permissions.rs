//! What a role may do, as IAM simulates it: nothing is used, and nothing is written.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use holdfast_aws::classify::{classify, code};
use holdfast_core::doctor::Decision;
use holdfast_core::{Error, ErrorKind, Result};

/// What the health check does with a target Region's key before each backup.
const ON_KEYS: [&str; 2] = ["kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"];

/// Whether the policies of `role` allow what the health check does with a key. A key's own policy is no part of it: see
/// `holdfast_core::doctor`.
///
/// # Errors
/// What the call met.
pub(super) async fn may_use(client: &Client, role: &str, key_arn: &str) -> Result<bool> {
    let results = asked(client, role, &ON_KEYS, key_arn).await?.unwrap_or_default();
    let allowed = |action: &&str| {
        results.iter().any(|result| {
            result.eval_action_name() == *action
                && *result.eval_decision() == PolicyEvaluationDecisionType::Allowed
        })
    };
    Ok(ON_KEYS.iter().all(allowed))
}

/// What IAM says of one action of a role on one resource. A role that is not there may nothing.
///
/// # Errors
/// What the call met; `OutcomeUnknown` when its answer says nothing of the action.
pub(super) async fn decision(client: &Client, role: &str, action: &str, resource: &str) -> Result<Decision> {
    let Some(results) = asked(client, role, &[action], resource).await? else {
        return Ok(Decision::Denied("there is no such role".to_owned()));
    };
    let result = results.iter().find(|result| result.eval_action_name().eq_ignore_ascii_case(action));
    result.map(read).ok_or_else(|| {
        let message = format!("SimulatePrincipalPolicy {role}: the answer leaves {action} out");
        Error::new(ErrorKind::OutcomeUnknown, message)
    })
}

/// What IAM simulates; `None` when there is no such role.
async fn asked(
    client: &Client,
    role: &str,
    actions: &[&str],
    resource: &str,
) -> Result<Option<Vec<EvaluationResult>>> {
    let answer = client
        .simulate_principal_policy()
        .policy_source_arn(role)
        .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
        .resource_arns(resource)
        .send()
        .await;
    match answer {
        Ok(answer) => Ok(Some(answer.evaluation_results.unwrap_or_default())),
        Err(error) if code(&error) == Some("NoSuchEntity") => Ok(None),
        Err(error) => Err(classify(&format!("SimulatePrincipalPolicy {role}"), &error)),
    }
}

fn read(result: &EvaluationResult) -> Decision {
    if *result.eval_decision() == PolicyEvaluationDecisionType::Allowed {
        return Decision::Allowed;
    }
    let denied = *result.eval_decision() == PolicyEvaluationDecisionType::ExplicitDeny;
    let missing = result.missing_context_values();
    if !denied && !missing.is_empty() {
        return Decision::Depends(missing.to_vec());
    }
    let organization = result.organizations_decision_detail();
    if organization.is_some_and(|detail| !detail.allowed_by_organizations()) {
        return Decision::Denied("a policy of the organization does not allow it".to_owned());
    }
    let boundary = result.permissions_boundary_decision_detail();
    if boundary.is_some_and(|detail| !detail.allowed_by_permissions_boundary()) {
        return Decision::Denied("its permissions boundary does not allow it".to_owned());
    }
    if !denied {
        return Decision::Denied("no statement allows it".to_owned());
    }
    let named = result.matched_statements().iter().find_map(|statement| {
        let line = statement.start_position().map(|at| format!(", line {}", at.line()));
        Some(format!("policy {}{}", statement.source_policy_id()?, line.unwrap_or_default()))
    });
    Decision::Denied(named.map_or_else(
        || "a statement denies it".to_owned(),
        |named| format!("a statement denies it ({named})"),
    ))
}

#[cfg(test)]
mod tests {
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::mocked;

    /// IAM that answers with these results, as it writes them.
    fn iam(results: &'static [&'static str]) -> Client {
        let answer = mock!(Client::simulate_principal_policy)
            .match_requests(|asked| {
                asked.policy_source_arn() == Some("arn:role")
                    && asked.resource_arns() == ["arn:key".to_owned()]
                    // IAM takes no resource policy for a role.
                    && asked.resource_policy().is_none()
            })
            .then_http_response(|| {
                let members: String = results.iter().map(|one| format!("<member>{one}</member>")).collect();
                let inside = format!("<EvaluationResults>{members}</EvaluationResults>");
                let action = "SimulatePrincipalPolicy";
                let body = format!(
                    "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{inside}\
                     </{action}Result></{action}Response>"
                );
                mocked::response(200, body)
            });
        mocked::client!(aws_sdk_iam, &[&answer])
    }

    const LOOK: &str = "<EvalActionName>kms:DescribeKey</EvalActionName><EvalDecision>allowed</EvalDecision>";
    const USE: &str = "<EvalActionName>kms:GenerateDataKeyWithoutPlaintext</EvalActionName><EvalDecision>allowed</EvalDecision>";
    const NO_LOOK: &str =
        "<EvalActionName>kms:DescribeKey</EvalActionName><EvalDecision>explicitDeny</EvalDecision>";
    const NO_USE: &str = "<EvalActionName>kms:GenerateDataKeyWithoutPlaintext</EvalActionName><EvalDecision>implicitDeny</EvalDecision>";

    #[tokio::test]
    async fn a_role_may_use_a_key_when_both_actions_are_allowed() {
        let asked = async |results| may_use(&iam(results), "arn:role", "arn:key").await.unwrap();
        assert!(asked(&[LOOK, USE]).await);
        assert!(!asked(&[LOOK, NO_USE]).await);
        assert!(!asked(&[NO_LOOK, USE]).await);
        assert!(!asked(&[LOOK]).await, "an answer that leaves one out allows it not");
    }

    #[tokio::test]
    async fn a_decision_says_why_as_far_as_iam_does() {
        let asked = async |results| decision(&iam(results), "arn:role", "kms:GenerateMac", "arn:key").await;
        let denied = |why: &str| Ok(Decision::Denied(why.to_owned()));
        assert_eq!(
            asked(&["<EvalActionName>kms:GenerateMac</EvalActionName><EvalDecision>allowed</EvalDecision>"])
                .await,
            Ok(Decision::Allowed)
        );
        const IMPLICIT: &str =
            "<EvalActionName>kms:GenerateMac</EvalActionName><EvalDecision>implicitDeny</EvalDecision>";
        assert_eq!(asked(&[IMPLICIT]).await, denied("no statement allows it"));
        assert_eq!(
            asked(&["<EvalActionName>kms:GenerateMac</EvalActionName><EvalDecision>explicitDeny</EvalDecision>\
                     <MatchedStatements><member><SourcePolicyId>stop</SourcePolicyId><StartPosition><Line>3</Line>\
                     <Column>5</Column></StartPosition></member></MatchedStatements>"])
            .await,
            denied("a statement denies it (policy stop, line 3)")
        );
        assert_eq!(
            asked(&[
                "<EvalActionName>kms:GenerateMac</EvalActionName><EvalDecision>implicitDeny</EvalDecision>\
                     <PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false\
                     </AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
            ])
            .await,
            denied("its permissions boundary does not allow it")
        );
        assert_eq!(
            asked(&[
                "<EvalActionName>kms:GenerateMac</EvalActionName><EvalDecision>implicitDeny</EvalDecision>\
                     <OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations>\
                     </OrganizationsDecisionDetail>"
            ])
            .await,
            denied("a policy of the organization does not allow it")
        );
        assert_eq!(
            asked(&[
                "<EvalActionName>kms:GenerateMac</EvalActionName><EvalDecision>implicitDeny</EvalDecision>\
                     <MissingContextValues><member>kms:ViaService</member></MissingContextValues>"
            ])
            .await,
            Ok(Decision::Depends(vec!["kms:ViaService".to_owned()]))
        );
        assert_eq!(asked(&[LOOK]).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    }

    #[tokio::test]
    async fn a_role_that_is_not_there_may_nothing_and_what_could_not_be_asked_is_not_known() {
        let refused = async |code: &'static str| {
            let rule = mock!(Client::simulate_principal_policy).then_http_response(move || {
                let body = format!(
                    "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                     <Code>{code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"
                );
                mocked::response(400, body)
            });
            let client = mocked::client!(aws_sdk_iam, &[&rule]);
            decision(&client, "arn:role", "states:StartExecution", "arn:machine").await
        };
        assert_eq!(refused("NoSuchEntity").await, Ok(Decision::Denied("there is no such role".to_owned())));
        assert_eq!(refused("AccessDenied").await.unwrap_err().kind, ErrorKind::AccessDenied);
    }
}
