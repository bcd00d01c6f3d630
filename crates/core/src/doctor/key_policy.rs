//! A key's own policy and its grants, as far as they say for certain that somebody is shut out.
//!
//! IAM's simulation takes no resource policy for a role (IAM API Reference, SimulatePrincipalPolicy: "Simulation of
//! resource-based policies isn't supported for IAM roles"). What counts of a key's policy here is only what needs no evaluation
//! of conditions: whether anything in it could let a role in at all, and whether a statement denies everything to everybody.

use serde_json::Value;

use super::{At, Check, KeyFacts, Notes};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Region;

/// Grants that a key can have (AWS KMS Developer Guide, "Resource quotas": Grants per KMS key).
const MAX_GRANTS: u32 = 50_000;
/// A key of which so much is used is warned of, in percent.
const WARN_PERCENT: u32 = 90;

/// Why a role cannot be let in by a key's policy; `None` when something in it may let the role in.
///
/// "Unless the key policy explicitly allows it, you cannot use IAM policies to allow access to a KMS key" (AWS KMS Developer
/// Guide, "Key policies in AWS KMS"): a statement that allows the account leaves it to IAM, one that allows the role does it
/// itself. Conditions, actions and ids of principals are not judged: a statement that may let the role in counts as one that does.
///
/// # Errors
/// When the policy is no policy.
pub fn shut_out(policy: &str, role_arn: &str) -> Result<Option<String>> {
    let unreadable = |why: &str| Error::new(ErrorKind::Internal, format!("the key's policy: {why}"));
    let policy: Value = serde_json::from_str(policy).map_err(|error| unreadable(&error.to_string()))?;
    let statements = one_or_more(&policy["Statement"]);
    if statements.is_empty() {
        return Err(unreadable("it has no statement"));
    }
    // arn:aws:iam::123456789012:role/name
    let account = role_arn.split(':').nth(4).unwrap_or_default();
    let role = role_arn.rsplit('/').next().unwrap_or(role_arn);
    let with_effect = |effect: &str| {
        statements.iter().filter(move |statement| statement["Effect"] == effect).copied().collect::<Vec<_>>()
    };
    if let Some(denied) = with_effect("Deny").into_iter().find(|statement| denies_everybody(statement)) {
        let id = denied["Sid"].as_str().map_or_else(String::new, |id| format!(" {id}"));
        return Ok(Some(format!("the key's own policy denies everything to everybody (statement{id})")));
    }
    if with_effect("Allow").into_iter().any(|statement| may_let_in(statement, account, role)) {
        return Ok(None);
    }
    Ok(Some(format!(
        "the key's own policy names neither account {account} nor role {role}: what IAM allows the role does not count for this key"
    )))
}

/// Every key action to every principal, without a condition.
fn denies_everybody(statement: &Value) -> bool {
    let everything = |action: &&Value| matches!(action.as_str(), Some("*" | "kms:*"));
    let everybody =
        |principal: &Value| principal == "*" || one_or_more(&principal["AWS"]).contains(&&Value::from("*"));
    let conditional = statement["Condition"].as_object().is_some_and(|conditions| !conditions.is_empty());
    !conditional
        && everybody(&statement["Principal"])
        && one_or_more(&statement["Action"]).iter().any(everything)
}

/// Whether a statement's principals could include the role.
fn may_let_in(statement: &Value, account: &str, role: &str) -> bool {
    let principal = &statement["Principal"];
    if principal.is_null() {
        // NotPrincipal: everybody but some.
        return true;
    }
    if principal == "*" {
        return true;
    }
    one_or_more(&principal["AWS"]).iter().filter_map(|one| one.as_str()).any(|one| {
        let of_account = one == account || one.ends_with(&format!(":iam::{account}:root"));
        // The role itself, or a session of it.
        let of_role = one.split('/').any(|part| part == role);
        // The unique id of a role, such as AROAEXAMPLE: whose it is, is not judged.
        let by_id = one.starts_with("ARO") || one.starts_with("AID");
        one == "*" || of_account || of_role || by_id
    })
}

fn one_or_more(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        Value::Null => vec![],
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    }
}

pub(super) fn examine(region: &Region, key: &KeyFacts, notes: &mut Notes) {
    let at = At { check: Check::KeyPolicy, region };
    match &key.policy {
        None => {}
        Some(Err(error)) => notes.unknown(at, &key.id, error),
        Some(Ok(policy)) => {
            let mut open = true;
            for role in &key.roles {
                match shut_out(policy, role) {
                    Ok(None) => continue,
                    Ok(Some(why)) => notes.warns(
                        at,
                        &key.id,
                        format!("{} fail unless a grant lets them: {why}", key.used_for),
                        "allow the account in the key's policy (kms:PutKeyPolicy, principal arn:aws:iam::ACCOUNT:root), so that IAM \
                         decides, or the role itself",
                    ),
                    Err(error) => notes.unknown(at, &key.id, &error),
                }
                open = false;
            }
            if open && !key.roles.is_empty() {
                notes.good(at, &key.id, "nothing in it shuts Holdfast's roles out for certain");
            }
        }
    }
    let at = At { check: Check::KeyGrants, region };
    match &key.grants {
        None => {}
        Some(Err(error)) => notes.unknown(at, &key.id, error),
        Some(Ok(used)) => grants(at, key, *used, notes),
    }
}

fn grants(at: At<'_>, key: &KeyFacts, used: u32, notes: &mut Notes) {
    let said = format!("{used} of {MAX_GRANTS} grants");
    let advice =
        "retire grants of what is gone (kms:ListGrants, kms:RevokeGrant), or use another key for what is new";
    if used >= MAX_GRANTS {
        let what = format!("{} fail: RDS can have no further grant on the key: {said}", key.used_for);
        notes.fails(at, &key.id, what, advice);
    } else if used >= MAX_GRANTS / 100 * WARN_PERCENT {
        let what = format!(
            "hardly any grant of RDS has room on the key: {said}; without one, {} fail",
            key.used_for
        );
        notes.warns(at, &key.id, what, advice);
    } else {
        notes.good(at, &key.id, said);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/service-role/holdfast-copy";

    fn judged(statements: Value) -> Result<Option<String>> {
        shut_out(&json!({"Version": "2012-10-17", "Statement": statements}).to_string(), ROLE)
    }

    fn allow(principal: Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"})
    }

    #[test]
    fn a_policy_that_may_let_the_role_in_is_not_called_shut() {
        for principal in [
            json!("*"),
            json!({"AWS": "*"}),
            json!({"AWS": "123456789012"}),
            json!({"AWS": "arn:aws:iam::123456789012:root"}),
            json!({"AWS": ["arn:aws:iam::999999999999:root", ROLE]}),
            json!({"AWS": "arn:aws:sts::123456789012:assumed-role/holdfast-copy/session"}),
            json!({"AWS": "AROAEXAMPLEID"}),
        ] {
            assert_eq!(judged(json!([allow(principal.clone())])), Ok(None), "{principal}");
            assert_eq!(judged(allow(principal)), Ok(None), "one statement need not be a list");
        }
        // Whatever its conditions are.
        let managed = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*",
                             "Condition": {"StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}}});
        assert_eq!(judged(json!([managed])), Ok(None));
        let others =
            json!({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}, "Action": "kms:*"});
        assert_eq!(judged(json!([others])), Ok(None));
    }

    #[test]
    fn a_policy_that_names_neither_account_nor_role_shuts_it_out() {
        for principal in [
            json!({"AWS": "arn:aws:iam::999999999999:root"}),
            json!({"AWS": "arn:aws:iam::123456789012:role/other"}),
            json!({"AWS": "arn:aws:iam::123456789012:user/admin"}),
            json!({"Service": "rds.amazonaws.com"}),
        ] {
            let why = judged(json!([allow(principal.clone())])).unwrap().unwrap();
            assert!(
                why.contains("neither account 123456789012 nor role holdfast-copy"),
                "{principal}: {why}"
            );
        }
        let allowed = allow(json!({"AWS": "arn:aws:iam::123456789012:root"}));
        let deny = |condition: Value| json!({"Sid": "Stop", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Condition": condition});
        let why = judged(json!([allowed, deny(json!({}))])).unwrap().unwrap();
        assert!(why.contains("denies everything to everybody (statement Stop)"), "{why}");
        let bound = deny(json!({"Bool": {"aws:SecureTransport": "false"}}));
        assert_eq!(judged(json!([allowed, bound])), Ok(None), "a condition is not judged");
    }

    #[test]
    fn what_is_no_policy_is_not_judged() {
        assert!(shut_out("{", ROLE).is_err());
        assert!(shut_out("{}", ROLE).is_err());
    }
}
