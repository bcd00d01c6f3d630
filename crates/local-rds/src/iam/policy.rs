//! A small evaluator of IAM policies: what this project's policies use, and deny for the rest.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::names::glob;

/// Condition keys in lower case, each with its values.
pub(crate) type Context = BTreeMap<String, Vec<String>>;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) context: &'a Context,
}

/// What the policies say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it, or a policy cannot be understood.
    Denied,
}

/// One policy document.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Patterns {
    inverted: bool,
    patterns: Vec<String>,
}

#[derive(Clone, Debug)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

impl Policy {
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(document).map_err(|cause| cause.to_string())?;
        let statements = match value.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().map(Statement::parse).collect(),
            Some(one) => Statement::parse(one).map(|statement| vec![statement]),
            None => Err("no Statement".to_owned()),
        };
        Ok(Self { statements: statements? })
    }
}

impl Statement {
    fn parse(value: &Value) -> Result<Self, String> {
        let allows = match value.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            other => return Err(format!("Effect {other:?}")),
        };
        let mut conditions = Vec::new();
        for (operator, keys) in value.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                let key = key.to_ascii_lowercase();
                conditions.push(Condition { operator: operator.clone(), key, values: texts(values) });
            }
        }
        Ok(Self {
            allows,
            actions: Patterns::parse(value, "Action", "NotAction")?,
            resources: Patterns::parse(value, "Resource", "NotResource")?,
            conditions,
        })
    }

    fn applies(&self, request: &Request<'_>) -> bool {
        let action = request.action.to_ascii_lowercase();
        self.actions.match_text(|pattern| glob(&pattern.to_ascii_lowercase(), &action))
            && self.resources.match_text(|pattern| glob(pattern, request.resource))
            // What is not understood never allows, and always denies.
            && self.conditions.iter().all(|condition| condition.holds(request.context).unwrap_or(!self.allows))
    }
}

impl Patterns {
    fn parse(value: &Value, name: &str, inverse: &str) -> Result<Self, String> {
        match (value.get(name), value.get(inverse)) {
            (Some(list), None) => Ok(Self { inverted: false, patterns: texts(list) }),
            (None, Some(list)) => Ok(Self { inverted: true, patterns: texts(list) }),
            _ => Err(format!("neither {name} nor {inverse}")),
        }
    }

    fn match_text(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.inverted
    }
}

impl Condition {
    /// `None` for an operator that is not known.
    fn holds(&self, context: &Context) -> Option<bool> {
        let (set, operator) = match self.operator.split_once(':') {
            Some((set, operator)) => (set, operator),
            None => ("", self.operator.as_str()),
        };
        let actual = context.get(&self.key).filter(|values| !values.is_empty());
        if operator == "Null" {
            let wanted = self.values.first()?.eq_ignore_ascii_case("true");
            return Some(actual.is_none() == wanted);
        }
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let compare: fn(&str, &str) -> bool = match operator.replacen("Not", "", 1).as_str() {
            "StringEquals" => |wanted, actual| wanted == actual,
            "StringEqualsIgnoreCase" | "Bool" => |wanted, actual| wanted.eq_ignore_ascii_case(actual),
            "StringLike" | "ArnLike" | "ArnEquals" => glob,
            _ => return None,
        };
        let negated = operator.contains("Not");
        let one = |actual: &String| self.values.iter().any(|wanted| compare(wanted, actual)) != negated;
        match (set, actual) {
            ("" | "ForAnyValue", None) => Some(if_exists || (negated && set.is_empty())),
            ("ForAllValues", None) => Some(true),
            ("" | "ForAnyValue", Some(values)) => Some(values.iter().any(one)),
            ("ForAllValues", Some(values)) => Some(values.iter().all(one)),
            _ => None,
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(flag) => vec![flag.to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// A denial wins over any permission.
pub(crate) fn evaluate(policies: &[Policy], request: &Request<'_>) -> Decision {
    let statements = || policies.iter().flat_map(|policy| &policy.statements);
    let applies = |allows| statements().any(|found| found.allows == allows && found.applies(request));
    if applies(false) {
        Decision::Denied
    } else if applies(true) {
        Decision::Allowed
    } else {
        Decision::NotAllowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = "arn:aws:rds:us-east-1:000000000000:snapshot:holdfast-a";

    fn decide(statements: &str, action: &str, resource: &str, context: &[(&str, &[&str])]) -> Decision {
        let policy =
            Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#)).unwrap();
        let context = context
            .iter()
            .map(|(key, values)| {
                (key.to_ascii_lowercase(), values.iter().map(|value| (*value).to_owned()).collect())
            })
            .collect();
        evaluate(&[policy], &Request { action, resource, context: &context })
    }

    #[test]
    fn actions_and_resources_match_with_wildcards() {
        let policy = r#"{"Effect":"Allow","Action":["rds:Describe*","RDS:deletedbsnapshot"],
                         "Resource":"arn:aws:rds:*:*:snapshot:holdfast-*"}"#;
        assert_eq!(decide(policy, "rds:DeleteDBSnapshot", SNAPSHOT, &[]), Decision::Allowed);
        assert_eq!(decide(policy, "rds:DescribeDBSnapshots", SNAPSHOT, &[]), Decision::Allowed);
        assert_eq!(decide(policy, "rds:CreateDBSnapshot", SNAPSHOT, &[]), Decision::NotAllowed);
        let other = "arn:aws:rds:us-east-1:000000000000:snapshot:mine";
        assert_eq!(decide(policy, "rds:DeleteDBSnapshot", other, &[]), Decision::NotAllowed);
    }

    #[test]
    fn a_denial_wins() {
        let policy = r#"[{"Effect":"Allow","Action":"*","Resource":"*"},
                         {"Effect":"Deny","NotAction":"rds:Describe*","Resource":"*"}]"#;
        assert_eq!(decide(policy, "rds:DeleteDBSnapshot", SNAPSHOT, &[]), Decision::Denied);
        assert_eq!(decide(policy, "rds:DescribeDBSnapshots", SNAPSHOT, &[]), Decision::Allowed);
    }

    #[test]
    fn conditions_on_tags() {
        let owned = r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
            "StringEquals":{"aws:ResourceTag/holdfast:temporary":"validation"},
            "Null":{"aws:ResourceTag/holdfast:operation":"false"}}}"#;
        let tags: &[(&str, &[&str])] = &[
            ("aws:ResourceTag/holdfast:temporary", &["validation"]),
            ("aws:ResourceTag/holdfast:operation", &["x"]),
        ];
        assert_eq!(decide(owned, "rds:DeleteDBInstance", SNAPSHOT, tags), Decision::Allowed);
        assert_eq!(decide(owned, "rds:DeleteDBInstance", SNAPSHOT, &tags[..1]), Decision::NotAllowed);
        assert_eq!(decide(owned, "rds:DeleteDBInstance", SNAPSHOT, &tags[1..]), Decision::NotAllowed);
    }

    #[test]
    fn set_operators_and_missing_keys() {
        let keys = r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["holdfast:*","Environment"]}}}"#;
        let with = |values| decide(keys, "rds:AddTagsToResource", SNAPSHOT, &[("aws:TagKeys", values)]);
        assert_eq!(with(&["holdfast:operation", "Environment"]), Decision::Allowed);
        assert_eq!(with(&["holdfast:operation", "Owner"]), Decision::NotAllowed);
        assert_eq!(decide(keys, "rds:X", SNAPSHOT, &[]), Decision::Allowed, "ForAllValues of nothing");
        let if_exists = r#"{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"StringEqualsIfExists":{"aws:RequestedRegion":["us-east-1"]}}}"#;
        assert_eq!(decide(if_exists, "rds:X", SNAPSHOT, &[]), Decision::Allowed);
        let elsewhere: &[(&str, &[&str])] = &[("aws:RequestedRegion", &["eu-west-1"])];
        assert_eq!(decide(if_exists, "rds:X", SNAPSHOT, elsewhere), Decision::NotAllowed);
    }

    #[test]
    fn an_unknown_operator_never_allows_and_always_denies() {
        let allow = r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Odd":{"a":"b"}}}"#;
        assert_eq!(decide(allow, "rds:X", SNAPSHOT, &[]), Decision::NotAllowed);
        let deny = format!(
            r#"[{{"Effect":"Allow","Action":"*","Resource":"*"}},{}]"#,
            allow.replace("Allow", "Deny")
        );
        assert_eq!(decide(&deny, "rds:X", SNAPSHOT, &[]), Decision::Denied);
    }
}
