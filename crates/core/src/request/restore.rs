//! The input of a restore: which recovery point, where to, and what it is to be like there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::baseline::{Login, login};
use super::swap::{self, Swap};
use super::validation::{RawValidation, Validation, validation};
use super::{MAX_REQUEST_BYTES, deadline_minutes, strictly, user_tags};
use crate::blueprint::Monitoring;
use crate::error::{Error, Result};
use crate::ids::{DatabaseId, OperationId, Region, RunId};
use crate::tags::Tags;

/// A restore that is asked for, with every default filled in. This is what the record keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRequest {
    /// Whose backups are looked at; it need not be there any more.
    pub database_id: DatabaseId,
    /// Which run this is.
    pub run_id: RunId,
    /// The Region of the backup and of what is made of it.
    pub region: Region,
    /// Which recovery point.
    pub from: RestoreFrom,
    /// The instance that is made: the database's own identifier unless the input says another; with a swap a name beside it.
    pub target_id: DatabaseId,
    /// What it is like, where it is not to be as it was.
    #[serde(default)]
    pub options: RestoreOptions,
    /// How what came back is validated.
    pub validation: Validation,
    /// How it is logged in to for that; as its backup did, when the input does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login: Option<Login>,
    /// Whether, and how, what was restored takes the database's place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub swap: Option<Swap>,
    /// Stop once the recovery point is found and everything it refers to is there.
    #[serde(default)]
    pub verify_only: bool,
    /// Minutes from the execution's start after which the operation gives up.
    pub deadline_minutes: f64,
}

/// Which recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestoreFrom {
    /// This snapshot, whatever is known of it.
    Snapshot(String),
    /// The newest backup that was found VALID, of data from this time at the latest.
    NewestValidated(Option<Timestamp>),
    /// The database as it was at this time, or at the latest that can be had.
    PointInTime(Option<Timestamp>),
}

/// What the new instance is like; what is not said is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RestoreOptions {
    /// Classes to try, in order, until one has capacity.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instance_classes: Vec<String>,
    /// Whether it has a standby in another zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_az: Option<bool>,
    /// `DBSubnetGroupName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_group: Option<String>,
    /// Ids of VPC security groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    /// `DBParameterGroupName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_group: Option<String>,
    /// `OptionGroupName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_group: Option<String>,
    /// `gp3`, `io2`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    /// GiB of storage, where it is to be more than it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_storage: Option<u32>,
    /// Provisioned IOPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iops: Option<u32>,
    /// MiB per second, of gp3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_throughput: Option<u32>,
    /// Performance Insights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance_insights: Option<PerformanceInsights>,
    /// Enhanced Monitoring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<EnhancedMonitoring>,
    /// Whether it cannot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// Whether it has a public address: not, unless this says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publicly_accessible: Option<bool>,
    /// Where it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Days of automated backups, 0 to 35.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_retention_days: Option<u32>,
    /// Whether IAM tokens are passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_authentication: Option<bool>,
    /// `CACertificateIdentifier`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
    /// Logs that go to CloudWatch: `postgresql`, `upgrade`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_exports: Option<Vec<String>>,
    /// Tags beside those that it had.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// Performance Insights of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PerformanceInsights {
    /// Whether they are on.
    pub enabled: bool,
    /// Their key; AWS's own when it is not said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kms_key_id: Option<String>,
    /// Days they are kept; 7 when it is not said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retention_days: Option<u32>,
}

impl PerformanceInsights {
    /// These, when they are on.
    pub fn on(self) -> Option<Self> {
        self.enabled.then_some(self)
    }
}

/// Enhanced Monitoring of an instance, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnhancedMonitoring {
    /// Seconds between two looks; 0 is off.
    pub interval_seconds: u32,
    /// The role that writes down what is seen; needed when it is on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role_arn: Option<String>,
}

impl EnhancedMonitoring {
    /// `MonitoringInterval` (Amazon RDS API Reference, CreateDBInstance).
    const INTERVALS: [u32; 7] = [0, 1, 5, 10, 15, 30, 60];

    /// This, when it is on.
    pub fn on(self) -> Option<Monitoring> {
        let Self { interval_seconds, role_arn } = self;
        role_arn.filter(|_| interval_seconds > 0).map(|role_arn| Monitoring { interval_seconds, role_arn })
    }

    fn check(&self) -> Result<()> {
        let seconds = self.interval_seconds;
        if !Self::INTERVALS.contains(&seconds) {
            return Err(Error::invalid(format!(
                "options.monitoring.intervalSeconds: {seconds} is not 0, 1, 5, 10, 15, 30 or 60"
            )));
        }
        let is_role = |arn: &String| arn.starts_with("arn:") && arn.contains(":role/");
        if seconds > 0 && !self.role_arn.as_ref().is_some_and(is_role) {
            return Err(Error::invalid(
                "options.monitoring.roleArn: name a role such as arn:aws:iam::123456789012:role/rds-monitoring-role, or \
                 intervalSeconds 0",
            ));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    database_id: String,
    run_id: Option<String>,
    region: Option<String>,
    snapshot_id: Option<String>,
    at: Option<String>,
    restore_time: Option<String>,
    #[serde(default)]
    latest_restorable: bool,
    target_id: Option<String>,
    options: Option<RestoreOptions>,
    validation: Option<RawValidation>,
    login: Option<RawLogin>,
    swap: Option<Value>,
    #[serde(default)]
    verify_only: bool,
    deadline_minutes: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawLogin {
    secret_arn: Option<String>,
    iam_user: Option<String>,
}

impl RestoreRequest {
    /// Reads an execution's input. `started_at` (the execution's start) is the run id when none is given, `home` the Region
    /// when none is named.
    ///
    /// # Errors
    /// `InvalidInput`, one sentence naming the field and what is allowed.
    pub fn parse(input: &Value, started_at: &str, home: &Region) -> Result<Self> {
        let raw: Raw = strictly(input)?;
        let database_id = DatabaseId::parse(&raw.database_id)?;
        let from = from(&raw)?;
        let run_id = RunId::parse(raw.run_id.as_deref().unwrap_or(started_at))?;
        let swap = swap::swap(raw.swap.as_ref())?;
        let target_id = match (raw.target_id.as_deref(), &swap) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "targetId: a swap gives what it restores the database's own name; leave one of the two out",
                ));
            }
            (None, Some(_)) => {
                swap::beside(&database_id, &OperationId::of_restore(home, &database_id, &run_id))?
            }
            (Some(target), None) => DatabaseId::parse(target)
                .map_err(|error| Error::invalid(error.message.replacen("databaseId", "targetId", 1)))?,
            (None, None) => database_id.clone(),
        };
        let validation = validation(raw.validation.unwrap_or_default())?;
        if validation.copy_share > 0.0 {
            return Err(Error::invalid("validation.copyShare: a restore makes no copies; leave it out"));
        }
        let request = RestoreRequest {
            run_id,
            region: raw.region.as_deref().map_or_else(|| Ok(home.clone()), Region::parse)?,
            from,
            target_id,
            options: options(raw.options.unwrap_or_default())?,
            validation,
            login: raw.login.map(|raw| login("login", raw.secret_arn, raw.iam_user)).transpose()?,
            swap,
            verify_only: raw.verify_only,
            deadline_minutes: deadline_minutes(raw.deadline_minutes)?,
            database_id,
        };
        let bytes = serde_json::to_vec(&request).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_REQUEST_BYTES {
            return Err(Error::invalid(format!(
                "input: {bytes} bytes with its defaults, {MAX_REQUEST_BYTES} allowed; move long assertions into views"
            )));
        }
        Ok(request)
    }
}

/// At most one of the ways to name a recovery point; without any, the newest backup that was found VALID.
fn from(raw: &Raw) -> Result<RestoreFrom> {
    let named = [
        ("snapshotId", raw.snapshot_id.is_some()),
        ("at", raw.at.is_some()),
        ("restoreTime", raw.restore_time.is_some()),
        ("latestRestorable", raw.latest_restorable),
    ];
    let named: Vec<&str> = named.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    if named.len() > 1 {
        return Err(Error::invalid(format!("{}: each names a recovery point; name one", named.join(", "))));
    }
    let time = |field: &str, text: &Option<String>| {
        let parsed = text.as_deref().map(str::parse::<Timestamp>).transpose();
        parsed.map_err(|_| {
            let text = text.as_deref().unwrap_or_default();
            Error::invalid(format!("{field}: {text:?} is not a time such as 2026-11-20T06:00:00Z"))
        })
    };
    if let Some(id) = &raw.snapshot_id {
        let well_formed = (1..=255).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c));
        if !well_formed {
            return Err(Error::invalid(format!("snapshotId: {id:?} is not the identifier of a DB snapshot")));
        }
        return Ok(RestoreFrom::Snapshot(id.to_ascii_lowercase()));
    }
    if raw.latest_restorable || raw.restore_time.is_some() {
        return Ok(RestoreFrom::PointInTime(time("restoreTime", &raw.restore_time)?));
    }
    Ok(RestoreFrom::NewestValidated(time("at", &raw.at)?))
}

/// Refuses what RDS would refuse half an hour later, as far as it can be known here.
fn options(options: RestoreOptions) -> Result<RestoreOptions> {
    for class in &options.instance_classes {
        if !class.starts_with("db.") || class.len() > 40 {
            return Err(Error::invalid(format!(
                "options.instanceClasses: {class:?} is not a DB instance class such as db.m6g.large"
            )));
        }
    }
    if options.security_groups.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::invalid(
            "options.securityGroups: an empty list would mean the default group of the network; leave it out or name one",
        ));
    }
    if let Some(days) = options.backup_retention_days.filter(|days| *days > 35) {
        return Err(Error::invalid(format!("options.backupRetentionDays: {days} is not from 0 to 35")));
    }
    if let Some(port) = options.port.filter(|port| *port < 1150) {
        return Err(Error::invalid(format!("options.port: {port} is not from 1150 to 65535")));
    }
    if let Some(monitoring) = &options.monitoring {
        monitoring.check()?;
    }
    user_tags(options.tags.clone()).map_err(|error| Error::invalid(format!("options.{}", error.message)))?;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(input: &Value) -> Result<RestoreRequest> {
        RestoreRequest::parse(input, "2026-11-20T06:00:00Z", &Region::parse("us-east-1").unwrap())
    }

    fn with(more: Value) -> Value {
        let mut input = json!({"databaseId": "prod-db"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    }

    #[test]
    fn the_database_is_enough_and_its_newest_proven_backup_comes_back_under_its_name() {
        let request = parse(&json!({"databaseId": "Prod-DB"})).unwrap();
        assert_eq!((request.database_id.as_str(), request.target_id.as_str()), ("prod-db", "prod-db"));
        assert_eq!(request.region.as_str(), "us-east-1");
        assert_eq!(request.from, RestoreFrom::NewestValidated(None));
        assert_eq!(request.options, RestoreOptions::default());
        assert!(request.validation.enabled && !request.verify_only && request.login.is_none());
        let again: RestoreRequest = serde_json::from_value(serde_json::to_value(&request).unwrap()).unwrap();
        assert_eq!(again, request);
    }

    #[test]
    fn a_recovery_point_is_named_in_one_way() {
        let time: Timestamp = "2026-11-20T05:59:55Z".parse().unwrap();
        for (more, from) in [
            (json!({"snapshotId": "holdfast-X"}), RestoreFrom::Snapshot("holdfast-x".into())),
            (json!({"at": "2026-11-20T05:59:55Z"}), RestoreFrom::NewestValidated(Some(time))),
            (json!({"restoreTime": "2026-11-20T05:59:55Z"}), RestoreFrom::PointInTime(Some(time))),
            (json!({"latestRestorable": true}), RestoreFrom::PointInTime(None)),
        ] {
            assert_eq!(parse(&with(more)).unwrap().from, from);
        }
        let error =
            parse(&with(json!({"at": "2026-11-20T05:59:55Z", "latestRestorable": true}))).unwrap_err();
        assert!(error.message.starts_with("at, latestRestorable: each names"), "{error}");
    }

    #[test]
    fn a_swap_restores_beside_and_knows_both_names_from_the_start() {
        let request = parse(&with(json!({"swap": true, "runId": "r1"}))).unwrap();
        assert_eq!(request.swap, Some(Swap::default()));
        let digits = request.target_id.as_str().strip_prefix("prod-db-new-").unwrap().to_owned();
        assert_eq!(digits.len(), 10);
        let operation = OperationId::of_restore(
            &Region::parse("us-east-1").unwrap(),
            &request.database_id,
            &request.run_id,
        );
        assert!(operation.as_str().ends_with(&digits));
        assert_eq!(
            swap::aside(&request.database_id, &operation).unwrap().as_str(),
            format!("prod-db-old-{digits}")
        );
        assert_eq!(parse(&with(json!({"swap": false}))).unwrap().swap, None);
        // A name of 63 characters, the longest, still has names beside it.
        let long = "a".repeat(63);
        let id = |text: &str| DatabaseId::parse(text).unwrap();
        // What is set aside is known by its name, cut or not, and nothing else is.
        for database in ["prod-db", &long] {
            let aside = swap::aside(&id(database), &operation).unwrap();
            assert!(swap::is_aside(&id(database), &aside), "{aside}");
        }
        for other in [
            "prod-db-old-012345678",
            "prod-db-new-0123456789",
            "prod-db-old-holidays22",
            "prod-old-0123456789",
        ] {
            assert!(!swap::is_aside(&id("prod-db"), &id(other)), "{other}");
        }
        let beside = parse(&json!({"databaseId": long, "swap": true})).unwrap().target_id;
        assert_eq!(beside.as_str().len(), 63);
        let full = json!({"oldInstance": "stop", "record": {"hostedZoneId": "/hostedzone/Z1AB", "name": "Db.Example.com."},
            "secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:app", "smokeChecks": {
                "http": [{"url": "https://shop.example.com/health"}], "withinSeconds": 30,
                "sql": [{"name": "there are orders", "sql": "select count(*) > 0 from orders", "expect": "true"}]}});
        let swap = parse(&with(json!({"swap": full}))).unwrap().swap.unwrap();
        let record = swap.record.unwrap();
        assert_eq!((record.hosted_zone_id.as_str(), record.name.as_str()), ("Z1AB", "db.example.com"));
        assert_eq!((swap.smoke_checks.http[0].status, swap.smoke_checks.within_seconds), (200, 30));
    }

    #[test]
    fn a_swap_that_cannot_be_names_the_field() {
        let http = |check: Value| json!({"smokeChecks": {"http": [check]}});
        for (swap, expected) in [
            (json!("yes"), "swap: \"yes\" is neither true, false nor an object"),
            (json!({"old": "stop"}), "swap.old: unknown field"),
            (json!({"oldInstance": "delete"}), "swap.oldInstance: unknown variant `delete`"),
            (json!({"secretArn": "app"}), "swap.secretArn: it is not the ARN of a secret"),
            (
                json!({"record": {"hostedZoneId": "z 1", "name": "db.example.com"}}),
                "swap.record.hostedZoneId: \"z 1\"",
            ),
            (json!({"record": {"hostedZoneId": "Z1", "name": "db"}}), "swap.record.name: \"db\""),
            (http(json!({"url": "shop/health"})), "swap.smokeChecks.http.url: \"shop/health\""),
            (http(json!({"url": "https://"})), "swap.smokeChecks.http.url: \"https://\""),
            (http(json!({"url": "https://me:secret@shop/"})), "swap.smokeChecks.http.url: it names a user"),
            (http(json!({"url": "https://shop/", "status": 99})), "swap.smokeChecks.http.status: 99"),
            (json!({"smokeChecks": {"withinSeconds": 0}}), "swap.smokeChecks.withinSeconds: 0"),
            (
                json!({"smokeChecks": {"http": vec![json!({"url": "https://a/"}); 11]}}),
                "swap.smokeChecks.http: 11 given",
            ),
            (
                json!({"smokeChecks": {"sql": [{"name": " ", "sql": "select true", "expect": "true"}]}}),
                "swap.smokeChecks.sql: \" \"",
            ),
        ] {
            let error = parse(&with(json!({"swap": swap}))).unwrap_err();
            assert!(error.message.contains(expected), "{swap} gave {:?}", error.message);
        }
        let error = parse(&with(json!({"swap": true, "targetId": "other"}))).unwrap_err();
        assert!(error.message.starts_with("targetId: a swap gives"), "{error}");
    }

    #[test]
    fn bad_input_names_the_field() {
        for (more, expected) in [
            (json!({"snapshot": "x"}), "input.snapshot"),
            (json!({"snapshotId": "a b"}), "snapshotId: \"a b\""),
            (json!({"at": "yesterday"}), "at: \"yesterday\" is not a time"),
            (json!({"restoreTime": "06:00"}), "restoreTime: \"06:00\" is not a time"),
            (json!({"targetId": "9"}), "targetId: \"9\""),
            (json!({"region": "moon"}), "region: \"moon\""),
            (json!({"options": {"instanceClass": "db.m6g.large"}}), "input.options.instanceClass"),
            (json!({"options": {"instanceClasses": ["m6g"]}}), "options.instanceClasses: \"m6g\""),
            (json!({"options": {"securityGroups": []}}), "options.securityGroups: an empty list"),
            (json!({"options": {"backupRetentionDays": 36}}), "options.backupRetentionDays: 36"),
            (json!({"options": {"port": 22}}), "options.port: 22"),
            (json!({"options": {"tags": {"aws:x": "y"}}}), "options.tags: \"aws:x\""),
            (json!({"options": {"performanceInsights": {"on": true}}}), "performanceInsights"),
            (
                json!({"options": {"monitoring": {"intervalSeconds": 7, "roleArn": "arn:aws:iam::1:role/m"}}}),
                "options.monitoring.intervalSeconds: 7 is not 0, 1, 5",
            ),
            (json!({"options": {"monitoring": {"intervalSeconds": 60}}}), "options.monitoring.roleArn: name"),
            (
                json!({"options": {"monitoring": {"intervalSeconds": 60, "roleArn": "m"}}}),
                "options.monitoring.roleArn: name",
            ),
            (json!({"login": {}}), "login: name either secretArn or iamUser"),
            (json!({"login": {"iamUser": "a b"}}), "login.iamUser: \"a b\""),
            (json!({"validation": {"copyShare": 1}}), "validation.copyShare: a restore makes no copies"),
            (json!({"deadlineMinutes": 0}), "deadlineMinutes"),
        ] {
            let error = parse(&with(more.clone())).unwrap_err();
            assert_eq!(error.kind, crate::ErrorKind::InvalidInput);
            assert!(error.message.contains(expected), "{more} gave {:?}", error.message);
        }
    }
}
