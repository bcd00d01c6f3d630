//! The input of the restore workflow, from flags and an optional file; flags win.

use serde_json::{Map, Value, json};

use super::Restore;
use super::summary::RecoveryPoint;
use crate::Error;
use crate::request::{login, member, object};

/// The ways to name a recovery point: a flag replaces whichever the file names.
const POINTS: [&str; 4] = ["snapshotId", "at", "restoreTime", "latestRestorable"];

/// The workflow's input. `now` becomes the run id when nobody gave one.
///
/// # Errors
/// `Usage` when the file cannot be read or is not a JSON object.
pub(super) fn build(args: &Restore, now: &str) -> Result<Value, Error> {
    let mut input = match &args.how.input {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?;
            object(&text)?
        }
        None => Map::new(),
    };
    input.insert("databaseId".to_owned(), json!(args.database));
    input.entry("runId").or_insert_with(|| json!(now));
    let point = [
        ("snapshotId", args.snapshot.as_ref().map(|id| json!(id))),
        ("at", args.at.as_ref().map(|time| json!(time))),
        ("restoreTime", args.restore_time.as_ref().map(|time| json!(time))),
        ("latestRestorable", args.latest.then(|| json!(true))),
    ];
    if point.iter().any(|(_, named)| named.is_some()) {
        input.retain(|name, _| !POINTS.contains(&name.as_str()));
    }
    let login = login(args.how.login_secret.as_deref(), args.how.login_user.as_deref());
    let others = [
        ("runId", args.how.run_id.as_ref().map(|run| json!(run))),
        ("targetId", args.how.target.as_ref().map(|target| json!(target))),
        ("region", args.how.region.as_ref().map(|region| json!(region))),
        ("login", login),
        ("deadlineMinutes", args.how.deadline_minutes.map(|minutes| json!(minutes))),
        ("verifyOnly", args.how.verify_only.then(|| json!(true))),
    ];
    set(&mut input, point.into_iter().chain(others));
    if args.how.no_validation {
        member(&mut input, "validation")?.insert("enabled".to_owned(), json!(false));
    }
    swap(&mut input, args)?;
    options(&mut input, args)?;
    Ok(Value::Object(input))
}

/// What the flags say of a swap; what a file says of it besides stays.
fn swap(input: &mut Map<String, Value>, args: &Restore) -> Result<(), Error> {
    if !args.how.swap {
        return Ok(());
    }
    input.remove("targetId");
    if !input.get("swap").is_some_and(Value::is_object) {
        input.insert("swap".to_owned(), json!({}));
    }
    let swap = member(input, "swap")?;
    let record = args.how.record.as_ref().map(|(zone, name)| json!({"hostedZoneId": zone, "name": name}));
    let fields = [
        ("oldInstance", args.how.stop_old.then(|| json!("stop"))),
        ("record", record),
        ("secretArn", args.how.swap_secret.as_ref().map(|arn| json!(arn))),
    ];
    set(swap, fields.into_iter());
    if !args.how.smoke_urls.is_empty() {
        let urls: Vec<Value> = args.how.smoke_urls.iter().map(|url| json!({"url": url})).collect();
        member(swap, "smokeChecks")?.insert("http".to_owned(), json!(urls));
    }
    Ok(())
}

fn options(input: &mut Map<String, Value>, args: &Restore) -> Result<(), Error> {
    let list = |values: &[String]| (!values.is_empty()).then(|| json!(values));
    let options = [
        ("instanceClasses", list(&args.how.classes)),
        ("subnetGroup", args.how.subnet_group.as_ref().map(|name| json!(name))),
        ("securityGroups", list(&args.how.security_groups)),
        ("parameterGroup", args.how.parameter_group.as_ref().map(|name| json!(name))),
        ("optionGroup", args.how.option_group.as_ref().map(|name| json!(name))),
        ("multiAz", args.how.multi_az.map(|wanted| json!(wanted))),
        ("performanceInsights", args.how.no_performance_insights.then(|| json!({"enabled": false}))),
        ("monitoring", args.how.no_monitoring.then(|| json!({"intervalSeconds": 0}))),
    ];
    if options.iter().any(|(_, given)| given.is_some()) {
        set(member(input, "options")?, options.into_iter());
    }
    if !args.how.tags.is_empty() {
        let tags = member(member(input, "options")?, "tags")?;
        tags.extend(args.how.tags.iter().map(|(key, value)| (key.clone(), json!(value))));
    }
    Ok(())
}

fn set<'a>(object: &mut Map<String, Value>, fields: impl Iterator<Item = (&'a str, Option<Value>)>) {
    for (name, value) in fields {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    }
}

/// The same as a question: a run of its own that makes nothing.
pub(super) fn only_verified(input: &Value) -> Value {
    let mut asked = input.clone();
    let run = asked["runId"].as_str().unwrap_or_default().to_owned();
    asked["runId"] = json!(format!("{run}.plan"));
    asked["verifyOnly"] = json!(true);
    asked
}

/// The same of the snapshot that was shown: what becomes the newest while somebody reads was not agreed to. A log has only more
/// by then, which is what whoever asks for the latest of it wants.
pub(super) fn of_point(mut input: Value, point: &RecoveryPoint) -> Value {
    if let (Some(id), None, Some(fields)) = (&point.id, &point.resource_id, input.as_object_mut()) {
        fields.retain(|name, _| !POINTS.contains(&name.as_str()));
        fields.insert("snapshotId".to_owned(), json!(id));
    }
    input
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        restore: Restore,
    }

    fn args(flags: &[&str]) -> Restore {
        let all = ["restore", "prod-db", "--state-machine-arn", "arn"].iter().chain(flags);
        Command::try_parse_from(all).unwrap().restore
    }

    #[test]
    fn the_database_is_enough() {
        let input = build(&args(&[]), "2026-11-20T06:00:00Z").unwrap();
        assert_eq!(input, json!({"databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z"}));
        let asked = only_verified(&input);
        assert_eq!(
            asked,
            json!({"databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z.plan", "verifyOnly": true})
        );
    }

    #[test]
    fn what_is_started_is_the_snapshot_that_was_shown_and_a_log_stays_a_log() {
        let snapshot = RecoveryPoint { id: Some("holdfast-x".to_owned()), ..RecoveryPoint::default() };
        let input = |flags: &[&str]| build(&args(flags), "r1").unwrap();
        for flags in [&[][..], &["--at", "2026-11-20T06:00:00Z"], &["--snapshot", "holdfast-x"]] {
            assert_eq!(
                of_point(input(flags), &snapshot),
                json!({"databaseId": "prod-db", "runId": "r1", "snapshotId": "holdfast-x"})
            );
        }
        let log = RecoveryPoint { resource_id: Some("db-A".to_owned()), ..RecoveryPoint::default() };
        let latest = input(&["--latest"]);
        assert_eq!(of_point(latest.clone(), &log), latest);
    }

    #[test]
    fn flags_win_over_the_file_and_a_recovery_point_replaces_another() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = r#"{"databaseId": "other", "at": "2026-11-01T00:00:00Z", "surprise": true,
                       "options": {"multiAz": true, "port": 5433, "tags": {"a": "1", "b": "2"}}}"#;
        std::fs::write(file.path(), text).unwrap();
        let input = build(
            &args(&[
                "--input",
                file.path().to_str().unwrap(),
                "--restore-time",
                "2026-11-20T05:59:55Z",
                "--target",
                "prod-db-2",
                "--class",
                "db.m6g.large",
                "--class",
                "db.m6i.large",
                "--multi-az",
                "false",
                "--no-performance-insights",
                "--no-monitoring",
                "--tag",
                "b=3",
                "--login-user",
                "reader",
                "--no-validation",
                "--run-id",
                "r1",
            ]),
            "now",
        )
        .unwrap();
        assert_eq!(
            input,
            json!({"databaseId": "prod-db", "runId": "r1", "restoreTime": "2026-11-20T05:59:55Z", "surprise": true,
                   "targetId": "prod-db-2", "login": {"iamUser": "reader"}, "validation": {"enabled": false},
                   "options": {"multiAz": false, "port": 5433, "tags": {"a": "1", "b": "3"},
                               "performanceInsights": {"enabled": false}, "monitoring": {"intervalSeconds": 0},
                               "instanceClasses": ["db.m6g.large", "db.m6i.large"]}})
        );
    }

    #[test]
    fn two_recovery_points_are_one_too_many() {
        let all =
            ["restore", "prod-db", "--state-machine-arn", "arn", "--latest", "--at", "2026-11-20T05:59:55Z"];
        assert!(Command::try_parse_from(all).is_err());
    }
}
