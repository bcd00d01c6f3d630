//! The input of the backup workflow, from flags and an optional file; flags win.

use serde_json::{Map, Value, json};

use crate::{Error, arguments};

/// What the flags of `backup create` say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The database to back up.
    pub database: String,
    /// The run; makes two starts the same operation.
    pub run_id: Option<String>,
    /// daily, weekly, monthly, yearly.
    pub tier: Option<String>,
    /// Where copies go.
    pub target_regions: Vec<TargetRegion>,
    /// Tags for the snapshot and its copies.
    pub tags: Vec<(String, String)>,
    /// Take the backup without proving it.
    pub no_validation: bool,
    /// Share of the copies that is restored in its Region and held against the backup.
    pub copy_share: Option<f64>,
    /// How the source is logged in to.
    pub login: Option<Value>,
    /// When to give up.
    pub deadline_minutes: Option<u32>,
}

/// A Region and the key for the copy in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRegion {
    /// Such as `us-west-2`.
    pub region: String,
    /// Key id, ARN or alias, in that Region.
    pub kms_key_id: String,
}

/// Refuses copies to where the backups are. `flag`: how the Regions were named; `machine`: the ARN of the workflow of home.
///
/// # Errors
/// `Usage` naming the flag and the Region.
pub fn elsewhere(flag: &str, targets: &[TargetRegion], machine: &str) -> Result<(), Error> {
    let home = machine.split(':').nth(3).unwrap_or_default();
    if targets.iter().any(|target| target.region == home) {
        return Err(Error::Usage(format!(
            "{flag}: {home} is where the backup itself is; name another Region"
        )));
    }
    Ok(())
}

/// Where copies go when nobody says: in words, for it is the workflow that knows.
pub(crate) const DEFAULT_TARGETS: &str = "the Regions, and encrypted with the key, that this deployment names by default \
    (TargetRegions and TargetKmsKeyId of its stack)";

/// Where copies go, and with which key: the target Regions of an input.
pub(crate) fn copied_to(targets: &[Value]) -> String {
    let text = |target: &Value, name: &str| target[name].as_str().map(str::to_owned);
    let one = |target: &Value| {
        let region = text(target, "region").unwrap_or_default();
        let key = text(target, "kmsKeyId").unwrap_or_else(|| DEFAULT_KEY.to_owned());
        format!("{region} (encrypted with {key})")
    };
    targets.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The ways to log in, as an input names them: a flag replaces whichever the file names.
const LOGINS: [&str; 2] = ["secretArn", "iamUser"];

/// How a database is logged in to, as an input says it; `None` when nobody said.
pub fn login(secret: Option<&str>, user: Option<&str>) -> Option<Value> {
    let secret = secret.map(|arn| json!({"secretArn": arn}));
    secret.or_else(|| user.map(|user| json!({"iamUser": user})))
}

/// The key that `infra/region.yaml` makes in a target Region.
const DEFAULT_KEY: &str = "alias/holdfast";

impl std::str::FromStr for TargetRegion {
    type Err = String;

    /// Reads `us-west-2=alias/mine`, or `us-west-2` alone for the key of `infra/region.yaml`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (region, key) = text.split_once('=').unwrap_or((text, DEFAULT_KEY));
        if key.is_empty() {
            return Err("write REGION=KEY, such as us-west-2=alias/holdfast".to_owned());
        }
        Ok(Self { region: arguments::region(region)?, kms_key_id: key.to_owned() })
    }
}

/// Reads `KEY=VALUE`; the value may be empty.
///
/// # Errors
/// When there is no key or no `=`.
pub fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// The workflow's input.
///
/// `now` becomes the run id when nobody gave one, so that the input says which run it is.
///
/// # Errors
/// `Usage` when the file is not a JSON object, or a Region is named twice.
pub fn build(file: Option<&str>, flags: &Flags, now: &str) -> Result<Value, Error> {
    let mut input = match file {
        Some(text) => object(text)?,
        None => Map::new(),
    };
    input.insert("databaseId".to_owned(), json!(flags.database));
    if let Some(run) = &flags.run_id {
        input.insert("runId".to_owned(), json!(run));
    } else {
        input.entry("runId").or_insert_with(|| json!(now));
    }
    if let Some(tier) = &flags.tier {
        input.insert("tier".to_owned(), json!(tier));
    }
    if let Some(minutes) = flags.deadline_minutes {
        input.insert("deadlineMinutes".to_owned(), json!(minutes));
    }
    if !flags.target_regions.is_empty() {
        input.insert("targetRegions".to_owned(), targets(&flags.target_regions)?);
    }
    if !flags.tags.is_empty() {
        let tags = member(&mut input, "tags")?;
        tags.extend(flags.tags.iter().map(|(key, value)| (key.clone(), json!(value))));
    }
    if flags.no_validation {
        member(&mut input, "validation")?.insert("enabled".to_owned(), json!(false));
    }
    if let Some(Value::Object(login)) = &flags.login {
        let baseline = member(&mut input, "baseline")?;
        baseline.retain(|name, _| !LOGINS.contains(&name.as_str()));
        baseline.extend(login.clone());
    }
    if let Some(share) = flags.copy_share {
        member(&mut input, "validation")?.insert("copyShare".to_owned(), json!(share));
    }
    Ok(Value::Object(input))
}

/// A JSON object.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::Usage("the input file must hold a JSON object".to_owned())),
        Err(error) => Err(Error::Usage(format!("the input file is not JSON: {error}"))),
    }
}

/// The member of that name, made when it is not there.
pub(crate) fn member<'a>(
    input: &'a mut Map<String, Value>,
    name: &str,
) -> Result<&'a mut Map<String, Value>, Error> {
    input
        .entry(name)
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .ok_or_else(|| Error::Usage(format!("{name} in the input file must be a JSON object")))
}

fn targets(targets: &[TargetRegion]) -> Result<Value, Error> {
    for (place, target) in targets.iter().enumerate() {
        if targets[..place].iter().any(|earlier| earlier.region == target.region) {
            return Err(Error::Usage(format!("--target-region names {} twice", target.region)));
        }
    }
    Ok(targets.iter().map(|target| json!({"region": target.region, "kmsKeyId": target.kms_key_id})).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Flags {
        Flags { database: "prod-db".to_owned(), ..Flags::default() }
    }

    #[test]
    fn the_least_input_is_the_database_and_the_run() {
        let input = build(None, &flags(), "2026-11-20T06:00:00Z").unwrap();
        assert_eq!(input, json!({"databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z"}));
    }

    #[test]
    fn where_a_backup_is_it_is_not_copied_to() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:holdfast-backup-replication";
        let to = |region: &str| elsewhere("--to", &[region.parse().unwrap()], machine);
        assert!(to("us-west-2").is_ok() && elsewhere("--to", &[], machine).is_ok());
        assert!(
            to("us-east-1")
                .unwrap_err()
                .to_string()
                .contains("--to: us-east-1 is where the backup itself is")
        );
    }

    #[test]
    fn flags_win_over_the_file_and_the_rest_of_it_stays() {
        let file = r#"{"databaseId": "other", "runId": "r1", "tags": {"a": "1", "b": "2"},
                       "baseline": {"depth": "catalog", "secretArn": "arn:other"},
                       "validation": {"instanceClass": "db.t4g.large"}, "surprise": true}"#;
        let flags = Flags {
            tags: vec![("b".to_owned(), "3".to_owned())],
            target_regions: vec!["us-west-2".parse().unwrap(), "eu-west-1=alias/mine".parse().unwrap()],
            no_validation: true,
            deadline_minutes: Some(60),
            tier: Some("weekly".to_owned()),
            copy_share: Some(0.5),
            login: login(None, Some("holdfast_reader")),
            ..flags()
        };
        assert_eq!(
            build(Some(file), &flags, "now").unwrap(),
            json!({"databaseId": "prod-db", "runId": "r1", "tier": "weekly", "deadlineMinutes": 60,
                   "tags": {"a": "1", "b": "3"}, "surprise": true,
                   "baseline": {"depth": "catalog", "iamUser": "holdfast_reader"},
                   "validation": {"instanceClass": "db.t4g.large", "enabled": false, "copyShare": 0.5},
                   "targetRegions": [{"region": "us-west-2", "kmsKeyId": "alias/holdfast"},
                                     {"region": "eu-west-1", "kmsKeyId": "alias/mine"}]})
        );
    }

    #[test]
    fn nonsense_is_refused_before_anything_starts() {
        assert!(matches!(build(Some("[1]"), &flags(), "now"), Err(Error::Usage(_))));
        assert!(matches!(build(Some("{"), &flags(), "now"), Err(Error::Usage(_))));
        let twice = Flags {
            target_regions: vec!["us-west-2".parse().unwrap(), "us-west-2=k".parse().unwrap()],
            ..flags()
        };
        assert!(matches!(build(None, &twice, "now"), Err(Error::Usage(_))));
        let tagged = Flags { tags: vec![("a".to_owned(), String::new())], ..flags() };
        assert!(matches!(build(Some(r#"{"tags": []}"#), &tagged, "now"), Err(Error::Usage(_))));
        for wrong in ["=k", "us-west-2=", "eu-wst-1", "mars-1=alias/x"] {
            assert!(wrong.parse::<TargetRegion>().is_err(), "{wrong}");
        }
        assert!(parse_tag("novalue").is_err());
    }
}
