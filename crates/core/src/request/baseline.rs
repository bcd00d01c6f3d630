//! The part of the input that lets the source itself be read.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::DatabaseId;
use crate::validation::BaselineDepth as Depth;

/// Whether and how the source is read around the snapshot, so that the restored copy can be held against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaselineRequest {
    /// How to log in.
    #[serde(flatten)]
    pub login: Login,
    /// How much is read.
    pub depth: Depth,
    /// The read replica whose rows are read instead of the source's, when the depth is full.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replica: Option<DatabaseId>,
    /// Whether a backup without its baseline counts as not proven.
    pub required: bool,
}

/// How to log in to the source. Where it listens is what RDS says, never the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Login {
    /// A secret in Secrets Manager: `{"username": ..., "password": ...}` as RDS makes it, or the password of the master
    /// user alone.
    SecretArn(String),
    /// A user that authenticates with IAM tokens (Amazon RDS User Guide, "IAM database authentication").
    IamUser(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawBaseline {
    secret_arn: Option<String>,
    iam_user: Option<String>,
    depth: Option<Depth>,
    replica: Option<String>,
    required: Option<bool>,
}

/// Fills in the defaults: catalog and statistics only, and no proof without them.
pub(super) fn baseline(raw: RawBaseline, database: &DatabaseId) -> Result<BaselineRequest> {
    let login = login("baseline", raw.secret_arn, raw.iam_user)?;
    let depth = raw.depth.unwrap_or_default();
    let replica = raw.replica.as_deref().map(DatabaseId::parse).transpose();
    let replica = replica
        .map_err(|error| Error::invalid(error.message.replacen("databaseId", "baseline.replica", 1)))?;
    if let Some(replica) = &replica {
        if depth != Depth::Full {
            return Err(Error::invalid(
                "baseline.replica: only rows are read from a replica, and the depth is catalog; set it to full",
            ));
        }
        if replica == database {
            return Err(Error::invalid(format!("baseline.replica: {replica} is the database itself")));
        }
    }
    Ok(BaselineRequest { login, depth, replica, required: raw.required.unwrap_or(true) })
}

/// The one way to log in that `place` of the input names.
pub(super) fn login(place: &str, secret_arn: Option<String>, user: Option<String>) -> Result<Login> {
    match (secret_arn, user) {
        (Some(arn), None) => secret(place, arn),
        (None, Some(user)) => iam_user(place, user),
        (None, None) | (Some(_), Some(_)) => {
            Err(Error::invalid(format!("{place}: name either secretArn or iamUser")))
        }
    }
}

fn secret(place: &str, arn: String) -> Result<Login> {
    secret_arn(place, &arn)?;
    Ok(Login::SecretArn(arn))
}

/// Refuses what is not the ARN of a secret.
pub(super) fn secret_arn(place: &str, arn: &str) -> Result<()> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let well_formed = matches!(parts[..], ["arn", partition, "secretsmanager", region, account, "secret", name]
        if partition.starts_with("aws") && !region.is_empty() && account.len() == 12 && !name.is_empty())
        && arn.len() <= 2048;
    if !well_formed {
        return Err(Error::invalid(format!(
            "{place}.secretArn: it is not the ARN of a secret (arn:aws:secretsmanager:Region:account:secret:name)"
        )));
    }
    Ok(())
}

/// Signed as it stands into a token, so it is held to what needs no quoting anywhere.
fn iam_user(place: &str, user: String) -> Result<Login> {
    let well_formed = (1..=63).contains(&user.len())
        && user.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !well_formed {
        return Err(Error::invalid(format!(
            "{place}.iamUser: {user:?} is not 1-63 characters of letters, digits and _.-"
        )));
    }
    Ok(Login::IamUser(user))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:holdfast/prod-db-AbCdEf";

    fn parse(input: Value) -> Result<BaselineRequest> {
        let raw = serde_json::from_value(input).map_err(|error| Error::invalid(error.to_string()))?;
        baseline(raw, &DatabaseId::parse("prod-db").unwrap())
    }

    #[test]
    fn a_login_is_enough_and_the_rest_has_defaults() {
        let asked = parse(json!({"iamUser": "holdfast_reader"})).unwrap();
        assert_eq!(asked.login, Login::IamUser("holdfast_reader".into()));
        assert_eq!((asked.depth, asked.replica.clone(), asked.required), (Depth::Catalog, None, true));
        let full =
            json!({"secretArn": SECRET, "depth": "full", "replica": "PROD-db-replica", "required": false});
        let full = parse(full).unwrap();
        assert_eq!(full.replica.as_ref().unwrap().as_str(), "prod-db-replica");
        for asked in [asked, full] {
            let again: BaselineRequest = serde_json::from_value(json!(asked)).unwrap();
            assert_eq!(again, asked);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (input, named) in [
            (json!({}), "either secretArn or iamUser"),
            (json!({"secretArn": SECRET, "iamUser": "a"}), "either secretArn or iamUser"),
            (json!({"secretArn": "my-secret"}), "baseline.secretArn"),
            (json!({"secretArn": "arn:aws:s3:::bucket"}), "baseline.secretArn"),
            (json!({"iamUser": "a b"}), "baseline.iamUser"),
            (json!({"iamUser": ""}), "baseline.iamUser"),
            (json!({"iamUser": "a", "depth": "deep"}), "deep"),
            (json!({"iamUser": "a", "password": "p"}), "password"),
            (json!({"iamUser": "a", "depth": "full", "replica": "a--b"}), "baseline.replica"),
            (json!({"iamUser": "a", "depth": "full", "replica": "prod-db"}), "the database itself"),
            (json!({"iamUser": "a", "replica": "prod-db-replica"}), "set it to full"),
        ] {
            let error = parse(input.clone()).unwrap_err();
            assert!(error.message.contains(named), "{input} gave {:?}", error.message);
        }
    }
}
