//! `holdfast replicate`: copies a backup that is there to further Regions, and follows that.

use clap::Args;
use holdfast_aws::config::Aws;
use holdfast_aws::rds::RdsApi;
use holdfast_core::ids::{DatabaseId, OperationId, Region};
use holdfast_core::ports::Rds as _;
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::tags;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::backup::{Output, create};
use crate::cloud::{self, Cloud};
use crate::deployed::Table;
use crate::ops::list;
use crate::paint::Paint;
use crate::render::moment;
use crate::request::{self, TargetRegion};
use crate::screen::Screen;
use crate::summary::{Status, Summary, Verdict};
use crate::{Error, arguments, ask, exit};

/// Copy a backup that is there to further Regions: the newest that was found VALID, or one that is named.
///
/// A copy that is there already is left as it is. A backup that was refused is not copied.
#[derive(Debug, Args)]
pub struct Replicate {
    /// Whose backup is copied.
    #[arg(value_parser = arguments::database)]
    database: String,
    /// Copy to this Region, encrypted with this key of that Region; repeat for more. Without =KEY: alias/holdfast. Default: where
    /// backups of this deployment go.
    #[arg(long = "to", value_name = "REGION=KEY")]
    to: Vec<TargetRegion>,
    /// The operation that took the backup (holdfast points). Default: the newest that was found VALID.
    #[arg(long, value_name = "OPERATION", value_parser = arguments::operation)]
    backup: Option<String>,
    /// Restore this share of the copies in their Regions, and hold them against the backup: from 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = arguments::share)]
    copy_share: Option<f64>,
    /// The run: the same database and run are the same replication. Default: now.
    #[arg(long, value_parser = arguments::run_id)]
    run_id: Option<String>,
    /// Give up after this many minutes.
    #[arg(long, value_name = "MINUTES", value_parser = arguments::minutes)]
    deadline_minutes: Option<u32>,
    /// Do not say first what will be copied, and do not ask.
    #[arg(long)]
    yes: bool,
    /// Start it and return at once.
    #[arg(long)]
    no_wait: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// The workflow (Output ReplicationStateMachineArn of the stack).
    #[arg(long, env = "HOLDFAST_REPLICATION_STATE_MACHINE_ARN", value_name = "ARN")]
    state_machine_arn: String,
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` before anything was started; `Aws` when AWS could not be asked.
pub async fn run(args: Replicate, table: Table) -> Result<u8, Error> {
    request::elsewhere("--to", &args.to, &args.state_machine_arn)?;
    ask::possible(args.yes, "a replication")?;
    let mut input = input(&args, &create::now());
    let cloud = Cloud::from_env(table.name().await?).await;
    if let Some(backup) = &args.backup
        // What cannot be read here is refused by the workflow, before it copies anything.
        && let Ok(Some(record)) = list::item(&cloud, backup).await
    {
        provable(&args, backup, record["verdict"].as_str())?;
    }
    if !args.yes {
        let newest = match args.backup {
            Some(_) => None,
            None => newest(&args).await,
        };
        if let Some((backup, _)) = &newest {
            // What is shown is what is copied, whatever becomes the newest meanwhile.
            input["backup"] = json!(backup);
        }
        eprint!("{}", intended(&args, newest.as_ref(), &input));
        if !ask::agreed("Copy it?").await? {
            eprintln!("Nothing was copied.");
            return Ok(exit::FAILED);
        }
    }
    let execution = create::start(&cloud.sfn, &args.state_machine_arn, &input).await?;
    let operation = create::operation(OperationId::of_replication, &args.state_machine_arn, &input);
    if args.no_wait {
        return Ok(create::started(&execution, operation.as_ref(), &input, args.output));
    }
    let outcome =
        create::follow(&cloud, &execution, Screen::beside(args.output)).await.of(operation.as_ref());
    Ok(create::report(&outcome, "replication", &execution, &cloud.table, args.output))
}

/// Refuses the proof of copies whose backup left nothing that they could be held against. `verdict`: the record's of that backup.
fn provable(args: &Replicate, backup: &str, verdict: Option<&str>) -> Result<(), Error> {
    let wanted = args.copy_share.is_some_and(|share| share > 0.0);
    if wanted && verdict == Some(holdfast_core::validation::Verdict::NotRun.as_str()) {
        return Err(Error::Usage(format!(
            "--copy-share: {backup} was never proven, so there is nothing that its copies could be held against: leave the share \
             out, and they are not proven either, or copy a backup that was found VALID (holdfast points {})",
            args.database
        )));
    }
    Ok(())
}

fn input(args: &Replicate, now: &str) -> Value {
    let mut input = json!({
        "databaseId": args.database,
        "runId": args.run_id.as_deref().unwrap_or(now),
    });
    if !args.to.is_empty() {
        let target = |to: &TargetRegion| json!({"region": to.region, "kmsKeyId": to.kms_key_id});
        input["targetRegions"] = args.to.iter().map(target).collect();
    }
    if let Some(backup) = &args.backup {
        input["backup"] = json!(backup);
    }
    if let Some(share) = args.copy_share {
        input["validation"] = json!({"copyShare": share});
    }
    if let Some(minutes) = args.deadline_minutes {
        input["deadlineMinutes"] = json!(minutes);
    }
    input
}

/// The backup that would be copied when nobody names one, as the workflow finds it (`replicate-to-region`), and when its data is
/// from. `None` when there is none, or it cannot be looked up: the workflow says so before it copies anything.
async fn newest(args: &Replicate) -> Option<(OperationId, Timestamp)> {
    let aws = Aws::of_command(cloud::configuration().await).ok()?;
    let home = Region::parse(args.state_machine_arn.split(':').nth(3)?).ok()?;
    let database = DatabaseId::parse(&args.database).ok()?;
    let all = RdsApi::new(&aws).manual_snapshots(&home).await.ok()?;
    newest_of(&all, &database)
}

fn newest_of(all: &[Snapshot], database: &DatabaseId) -> Option<(OperationId, Timestamp)> {
    let valid = |snapshot: &&Snapshot| {
        snapshot.database() == database.as_str()
            && snapshot.status == SnapshotStatus::Available
            && snapshot.tags.get(tags::VERDICT).map(String::as_str)
                == Some(holdfast_core::validation::Verdict::Valid.as_str())
    };
    let named = |snapshot: &Snapshot| {
        let id = OperationId::parse(snapshot.tags.get(tags::OPERATION)?).ok()?;
        (snapshot.id == id.snapshot_id()).then_some((id, snapshot.taken_at?))
    };
    all.iter().filter(valid).filter_map(named).max_by_key(|(id, taken_at)| (*taken_at, id.clone()))
}

/// What the person is asked to agree to.
fn intended(args: &Replicate, newest: Option<&(OperationId, Timestamp)>, input: &Value) -> String {
    let database = &args.database;
    let which = match (&args.backup, newest) {
        (Some(backup), _) => format!("The backup of {database} that {backup} took"),
        (None, Some((backup, taken_at))) => format!(
            "The newest backup of {database} that was found VALID, {backup} (data of {}),",
            moment(&taken_at.to_string())
        ),
        (None, None) => format!(
            "The newest backup of {database} that was found VALID (which one that is, the workflow finds out: none could be found from here)"
        ),
    };
    let to = match input["targetRegions"].as_array() {
        Some(targets) => request::copied_to(targets),
        None => request::DEFAULT_TARGETS.to_owned(),
    };
    format!(
        "{which} is copied to {to}.\nRDS bills the transfer between Regions once, and each copy's storage until it is pruned.\n"
    )
}

/// What happened, in one sentence.
pub(crate) fn headline(summary: &Summary, paint: Paint) -> String {
    let database = &summary.database_id;
    let there = |there: bool| {
        let regions = summary.replicas.iter().filter(move |(_, copy)| copy.is_available() == there);
        regions.map(|(region, _)| region.as_str()).collect::<Vec<_>>().join(", ")
    };
    let proven = summary.backup.as_ref().is_some_and(|backup| backup.verdict == Verdict::Valid);
    match summary.status {
        // Whoever copies what nobody proved has copies that nobody proved.
        Status::Succeeded if !proven => paint.warn(&format!(
            "▲ The backup of {database} is in {}. It was never proven, and neither is the copy.",
            there(true)
        )),
        Status::Succeeded => paint.good(&format!("✔ The backup of {database} is in {}.", there(true))),
        Status::Partial if there(false).is_empty() => paint.warn(&format!(
            "▲ The backup of {database} is in {}, but not all that was wanted is known of it.",
            there(true)
        )),
        Status::Partial => paint.warn(&format!(
            "▲ The backup of {database} is in {}, but not in {}.",
            there(true),
            there(false)
        )),
        Status::Failed => paint.bad(&format!("✘ No Region got a copy of a backup of {database}.")),
        Status::Unknown => {
            paint.bad(&format!("? The replication of {database} ended in a way this version does not know."))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        replicate: Replicate,
    }

    fn parse(arguments: &[&str]) -> Replicate {
        let given = ["replicate", "prod-db", "--state-machine-arn", "arn"].iter().chain(arguments);
        Command::try_parse_from(given).unwrap_or_else(|error| panic!("{error}")).replicate
    }

    #[test]
    fn what_is_not_said_is_left_to_the_workflow() {
        let input = |arguments: &[&str]| input(&parse(arguments), "2026-11-20T06:00:00Z");
        assert_eq!(input(&[]), json!({"databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z"}));
        assert_eq!(
            input(&[
                "--to",
                "eu-west-1",
                "--to",
                "us-west-2=alias/x",
                "--backup",
                "prod-db-r1-0123456789",
                "--copy-share",
                "1",
                "--run-id",
                "r9",
                "--deadline-minutes",
                "60"
            ]),
            json!({"databaseId": "prod-db", "runId": "r9", "backup": "prod-db-r1-0123456789",
                "targetRegions": [{"region": "eu-west-1", "kmsKeyId": "alias/holdfast"},
                    {"region": "us-west-2", "kmsKeyId": "alias/x"}],
                "validation": {"copyShare": 1.0}, "deadlineMinutes": 60})
        );
    }

    #[test]
    fn what_nobody_proved_has_no_copies_that_can_be_proven() {
        let asked = |share: &str, verdict: Option<&str>| {
            let args = parse(&["--backup", "prod-db-r1-0123456789", "--copy-share", share]);
            provable(&args, "prod-db-r1-0123456789", verdict)
        };
        let refused = asked("0.5", Some("NOT_RUN")).unwrap_err();
        assert!(matches!(&refused, Error::Usage(said) if said.contains("was never proven")), "{refused}");
        for (share, verdict) in [("0", Some("NOT_RUN")), ("1", Some("VALID")), ("1", None)] {
            assert!(asked(share, verdict).is_ok(), "{share} {verdict:?}");
        }
    }

    #[test]
    fn a_person_reads_what_is_copied_where() {
        let said = |arguments: &[&str], newest: Option<&(OperationId, Timestamp)>| {
            let args = parse(arguments);
            intended(&args, newest, &input(&args, "r1"))
        };
        let found =
            (OperationId::parse("prod-db-r1-0123456789").unwrap(), "2026-11-20T06:00:04Z".parse().unwrap());
        let text = said(&["--to", "eu-west-1", "--to", "us-west-2=alias/x"], Some(&found));
        assert!(
            text.starts_with(
                "The newest backup of prod-db that was found VALID, prod-db-r1-0123456789 (data of 2026-11-20 06:00:04Z), is \
                 copied to eu-west-1 (encrypted with alias/holdfast), us-west-2 (encrypted with alias/x).\n"
            ),
            "{text}"
        );
        let text = said(&["--backup", "prod-db-r1-0123456789"], None);
        assert!(text.contains("that prod-db-r1-0123456789 took is copied to the Regions"), "{text}");
        // Whose default decides, and what could not be looked up, is said.
        assert!(text.contains("(TargetRegions and TargetKmsKeyId of its stack)"), "{text}");
        assert!(said(&[], None).contains("none could be found from here"));
    }

    fn available() -> Snapshot {
        Snapshot {
            id: String::new(),
            arn: String::new(),
            region: Region::parse("us-east-1").unwrap(),
            instance_id: String::new(),
            status: SnapshotStatus::Available,
            percent: 100,
            size_gib: 20,
            encrypted: true,
            kms_key_id: None,
            taken_at: None,
            engine: "postgres".to_owned(),
            engine_version: "18.1".to_owned(),
            source_region: None,
            source_arn: None,
            tags: tags::Tags::new(),
        }
    }

    #[test]
    fn the_backup_that_is_named_is_the_one_that_the_workflow_would_find() {
        let database = DatabaseId::parse("prod-db").unwrap();
        let snapshot = |run: &str, taken_at: &str, verdict: &str, of: &str, is_copy: bool| {
            let operation = format!("prod-db-{run}-0123456789");
            let id = if is_copy { format!("other-{operation}") } else { format!("holdfast-{operation}") };
            Snapshot {
                id,
                instance_id: of.to_owned(),
                taken_at: Some(taken_at.parse().unwrap()),
                tags: [(tags::OPERATION, operation.as_str()), (tags::VERDICT, verdict)]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
                ..available()
            }
        };
        let all = [
            snapshot("r1", "2026-11-20T06:00:00Z", "VALID", "prod-db", false),
            snapshot("r2", "2026-11-20T12:00:00Z", "VALID", "prod-db", false),
            snapshot("r3", "2026-11-20T18:00:00Z", "INVALID", "prod-db", false),
            snapshot("r4", "2026-11-20T18:00:00Z", "VALID", "other-db", false),
            snapshot("r5", "2026-11-20T18:00:00Z", "VALID", "prod-db", true),
        ];
        let found = newest_of(&all, &database).unwrap();
        assert_eq!(found.0.as_str(), "prod-db-r2-0123456789");
        assert_eq!(newest_of(&all[2..], &database), None);
    }

    #[test]
    fn the_headline_names_who_has_a_copy_and_who_has_not() {
        let of = |verdict: &str, status: &str, replicas: Value| {
            let json = json!({"operationId": "o", "databaseId": "prod-db", "type": "REPLICATION", "status": status,
                "replicas": replicas, "backup": {"operationId": "b", "verdict": verdict}});
            headline(&serde_json::from_value(json).unwrap(), Paint::PLAIN)
        };
        let said = |status: &str, replicas: Value| of("VALID", status, replicas);
        let (there, not) = (json!({"status": "AVAILABLE"}), json!({"status": "FAILED"}));
        assert_eq!(
            said("SUCCEEDED", json!({"us-west-2": there})),
            "✔ The backup of prod-db is in us-west-2."
        );
        assert_eq!(
            said("PARTIAL", json!({"us-west-2": there, "eu-west-1": not})),
            "▲ The backup of prod-db is in us-west-2, but not in eu-west-1."
        );
        assert!(said("PARTIAL", json!({"us-west-2": there})).starts_with("▲"));
        for unproven in ["NOT_RUN", "SPLENDID"] {
            let text = of(unproven, "SUCCEEDED", json!({"us-west-2": there}));
            assert!(
                text.starts_with("▲") && text.contains("never proven, and neither is the copy"),
                "{text}"
            );
        }
        assert_eq!(said("FAILED", json!({})), "✘ No Region got a copy of a backup of prod-db.");
        assert!(said("DANCING", json!({})).starts_with("?"));
    }
}
