//! Whole-stack tests of bringing a database back: real rows, real logs, IAM enforced.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use holdfast_tests::World;
use holdfast_tests::world::{holdfast, until};
use serde_json::{Value, json};

const ROWS: &str = "select (select count(*) from customers) + (select count(*) from orders)
                          + (select count(*) from order_lines)";

/// What RDS does in the background may take this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn operation(world: &World, run: &str) -> OperationId {
    OperationId::of_restore(
        &Region::parse("us-east-1").expect("a Region"),
        &DatabaseId::parse(&world.database).expect("a database id"),
        &RunId::parse(run).expect("a run id"),
    )
}

fn input(world: &World, run: &str, more: Value) -> Value {
    let mut input = json!({"databaseId": world.database, "runId": run, "deadlineMinutes": 10});
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    input
}

/// Takes a backup that is proven and not copied.
async fn backup(world: &World, run: &str, login: Value) {
    let backup = json!({"databaseId": world.database, "runId": run, "targetRegions": [], "baseline": login,
                        "deadlineMinutes": 10});
    let ended = world.run(&backup).await;
    assert_eq!(ended.output["validation"]["verdict"], "VALID", "{ended:?}");
}

/// Makes a security group in a network: in the default one without one.
async fn security_group(world: &World, vpc: Option<&str>) -> String {
    let create = world.home.ec2.create_security_group().group_name(&world.database).description("test");
    let made = create.set_vpc_id(vpc.map(str::to_owned)).send().await.expect("a security group");
    made.group_id().expect("an id").to_owned()
}

/// The role of Enhanced Monitoring that this test's database has.
async fn monitoring_role(world: &World) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                       "Principal": {"Service": "monitoring.rds.amazonaws.com"}}]});
    let create = world.iam().create_role().role_name(format!("{}-monitoring", world.database));
    let made = create.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
    made.role().expect("a role").arn().to_owned()
}

/// Drops the instance as somebody would by mistake: without a final snapshot. Its automated backups are kept.
async fn drop_database(world: &World, id: &str) {
    let delete = world.home.rds.delete_db_instance().db_instance_identifier(id);
    delete.skip_final_snapshot(true).delete_automated_backups(false).send().await.expect("it goes");
    until("the database to be gone", PATIENCE, async || world.instance(id).await.is_none().then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_comes_back_with_every_row_and_all_its_settings() {
    // GIVEN a database with settings of its own, a proven backup of it, and nothing else
    let world = World::new("back-lost").await;
    let secret = world.reader(true).await;
    let change = world.home.rds.modify_db_instance().db_instance_identifier(&world.database);
    let change = change.backup_retention_period(3).preferred_maintenance_window("sun:05:00-sun:05:30");
    let role = monitoring_role(&world).await;
    let change = change.monitoring_interval(60).monitoring_role_arn(&role);
    change.enable_performance_insights(true).apply_immediately(true).send().await.expect("a change");
    until("the settings to be made", PATIENCE, async || {
        let found = world.instance(&world.database).await?;
        let made =
            found.backup_retention_period() == Some(3) && found.performance_insights_enabled() == Some(true);
        (made && found.db_instance_status() == Some("available")).then_some(())
    })
    .await;
    let rows = world.number(&world.database, ROWS).await;
    backup(&world, "run-1", json!({"secretArn": secret})).await;
    let was = world.instance(&world.database).await.expect("the database");
    drop_database(&world, &world.database).await;

    // WHEN it is asked back, and nothing else is said
    let ended = world.restore(&input(&world, "back-1", json!({}))).await;

    // THEN every row is there, proven to be what the backup held
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let summary = &ended.output;
    assert_eq!(summary["status"], "SUCCEEDED", "{summary:#}");
    assert_eq!(summary["validation"]["verdict"], "VALID", "{summary:#}");
    let checks = summary["validation"]["checks"].as_array().expect("checks");
    assert!(checks.iter().any(|check| check["name"] == "against-manifest"), "{summary:#}");
    assert_eq!(world.number(&world.database, ROWS).await, rows);
    // AND it is what it was, as far as that is said of an instance
    let is = world.instance(&world.database).await.expect("the database");
    assert_eq!(summary["restore"]["differences"], json!([]), "{summary:#}");
    assert_eq!(is.db_instance_class(), was.db_instance_class());
    assert_eq!(is.backup_retention_period(), Some(3));
    assert_eq!(is.performance_insights_enabled(), Some(true));
    assert_eq!(is.performance_insights_kms_key_id(), was.performance_insights_kms_key_id());
    assert_eq!((is.monitoring_interval(), is.monitoring_role_arn()), (Some(60), Some(role.as_str())));
    assert_eq!(is.preferred_maintenance_window(), Some("sun:05:00-sun:05:30"));
    assert_eq!(is.kms_key_id(), was.kms_key_id());
    assert_ne!(is.dbi_resource_id(), was.dbi_resource_id());
    // AND the record says what it came from, what is lost, and how long it took
    let id = operation(&world, "back-1");
    let record = world.record(&id).await.expect("a record");
    assert_eq!((&record["type"], &record["status"]), (&json!("RESTORE"), &json!("SUCCEEDED")));
    assert_eq!(record["plan"]["recoveryPoint"]["id"], world.operation("run-1").snapshot_id());
    assert_eq!(record["plan"]["recoveryPoint"]["verdict"], "VALID");
    assert!(record["plan"]["lost"]["seconds"].as_f64().expect("seconds") > 0.0, "{record:#}");
    assert!(record["restore"]["timings"]["availableSeconds"].as_f64().expect("seconds") > 0.0, "{record:#}");
    let phases: Vec<&Value> =
        record["checkpoints"].as_array().expect("checkpoints").iter().map(|point| &point["name"]).collect();
    assert_eq!(phases, ["PLANNING", "RESTORING", "VALIDATING", "CLEANING_UP", "SUCCEEDED"]);
    let report = world.document(&id.report_key()).await.expect("a report");
    assert_eq!(report["validationDetails"]["verdict"], "VALID");

    // WHEN the same is started again, THEN the answer is the same and nothing more is made
    let made = world.effects("RestoreDBInstanceFromDBSnapshot").await;
    let again = world.restore(&input(&world, "back-1", json!({}))).await;
    assert_eq!(again.output, *summary);
    // AND another restore never overwrites what is there
    let refused = world.restore(&input(&world, "back-2", json!({}))).await;
    assert_eq!(refused.error, "Holdfast.NameTaken", "{refused:?}");
    assert!(refused.cause.contains("a restore never overwrites; name another targetId"), "{}", refused.cause);
    assert_eq!(world.effects("RestoreDBInstanceFromDBSnapshot").await, made);
    // AND when the account has no room for another, that is what it is called, whatever classes there are
    let beside = format!("{}-2", world.database);
    let full = json!({"action": "RestoreDBInstanceFromDBSnapshot",
                      "effect": {"type": "error", "code": "InstanceQuotaExceeded"}});
    let fault = world.fault(full).await;
    let options =
        json!({"targetId": beside, "options": {"instanceClasses": ["db.t4g.medium", "db.t4g.large"]}});
    let refused = world.restore(&input(&world, "back-4", options)).await;
    assert_eq!(refused.error, "Holdfast.InstanceQuotaExceeded", "{refused:?}");
    assert!(world.instance(&beside).await.is_none());
    world.heal(fault).await;
    // AND once the role of its Enhanced Monitoring is gone, that is known before anything is made
    let name = role.rsplit('/').next().expect("a name");
    world.iam().delete_role().role_name(name).send().await.expect("it goes");
    let asked = json!({"verifyOnly": true, "targetId": beside});
    let refused = world.restore(&input(&world, "back-3", asked)).await;
    assert_eq!(refused.error, "Holdfast.ReferenceUnresolved", "{refused:?}");
    assert!(refused.cause.contains(&format!("Enhanced Monitoring role {role} is not there")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_back_as_it_was_just_before_a_bad_delete() {
    // GIVEN a database whose log is kept, and a DELETE that nobody wanted
    let world = World::new("back-pitr").await;
    let secret = world.reader(true).await;
    let rows = world.number(&world.database, ROWS).await;
    let before: String = world
        .text_of(
            &world.database,
            "select to_char(clock_timestamp() at time zone 'UTC', \
        'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
        )
        .await;
    // RDS restores to whole seconds: the mistake has to be in a later one than the moment that is asked for.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.sql("delete from order_lines; delete from orders where id % 2 = 0").await;
    until("the log to be kept until then", PATIENCE, async || {
        let latest = *world.instance(&world.database).await?.latest_restorable_time()?;
        let wanted: jiff::Timestamp = before.parse().expect("a time");
        (latest.secs() > wanted.as_second() + 1).then_some(())
    })
    .await;

    // WHEN it is asked for as it was before, beside the one that is there
    let target = format!("{}-before", world.database);
    let more = json!({"restoreTime": before, "targetId": target, "login": {"secretArn": secret}});
    let ended = world.restore(&input(&world, "back-1", more)).await;

    // THEN every row is there, and what could not be held against anything is said
    let summary = &ended.output;
    assert_eq!(summary["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(world.number(&target, ROWS).await, rows);
    assert!(world.number(&world.database, ROWS).await < rows);
    let unheld = summary["validation"]["notChecked"].as_array().expect("what was not checked");
    assert!(unheld.iter().any(|unheld| unheld["check"] == "against-manifest"), "{summary:#}");
    assert_eq!(summary["plan"]["recoveryPoint"]["kind"], "pointInTime");

    // AND the times that can be had are told, by the command as well
    let (code, said, complaint) = holdfast(&["pitr", &world.database, "--output", "json"]).await;
    assert_eq!(code, 0, "{said}{complaint}");
    let window: Value = serde_json::from_str(&said).expect("JSON");
    let (first, last) = (&window["window"]["earliest"], &window["window"]["latest"]);
    assert!(first.as_str() < Some(before.as_str()) && Some(before.as_str()) < last.as_str(), "{window:#}");
    let (code, said, _) = holdfast(&["pitr", "no-such-db"]).await;
    assert!(code == 1 && said.contains("There are no automated backups of no-such-db"), "{said}");
    // AND a time that cannot be had is refused with the times that can
    for time in ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let more = json!({"restoreTime": time, "targetId": format!("{target}-2")});
        let refused = world.restore(&input(&world, &format!("at-{}", &time[..4]), more)).await;
        assert_eq!(refused.error, "Holdfast.OutsideRestoreWindow", "{refused:?}");
        assert!(refused.cause.contains(": from 20"), "{}", refused.cause);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_before_anything_is_made() {
    // GIVEN a proven backup of a database with a security group of its own
    let world = World::new("back-refs").await;
    let secret = world.reader(true).await;
    let group = security_group(&world, None).await;
    let change = world.home.rds.modify_db_instance().db_instance_identifier(&world.database);
    change.vpc_security_group_ids(&group).send().await.expect("a change");
    backup(&world, "run-1", json!({"secretArn": secret})).await;
    let made = world.effects("RestoreDBInstanceFromDBSnapshot").await;
    let target = json!(format!("{}-copy", world.database));

    // WHEN it is asked whether it could be brought back, THEN it could, and nothing is made
    let ended = world.restore(&input(&world, "ask-1", json!({"verifyOnly": true, "targetId": target}))).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    let references = ended.output["plan"]["references"].as_array().expect("references");
    assert!(
        references.iter().any(|one| one["name"] == json!(group) && one["problem"].is_null()),
        "{references:?}"
    );
    // AND while the database is there, it can be asked all the same: that its name is taken is said beside it
    let asked = world.restore(&input(&world, "ask-0", json!({"verifyOnly": true}))).await;
    assert_eq!(asked.output["status"], "SUCCEEDED", "{asked:?}");
    assert!(
        asked.output["plan"]["nameTaken"].as_str().is_some_and(|why| why.contains("--swap")),
        "{asked:?}"
    );
    // WHEN groups are named that are not there, THEN all of them are told at once, with what to do
    let options =
        json!({"subnetGroup": "nowhere-net", "parameterGroup": "nowhere-pg", "optionGroup": "nowhere-og"});
    let more = json!({"verifyOnly": true, "targetId": target, "options": options});
    let refused = world.restore(&input(&world, "ask-2", more)).await;
    assert_eq!(refused.error, "Holdfast.ReferenceUnresolved", "{refused:?}");
    for named in [
        "subnet group nowhere-net",
        "parameter group nowhere-pg",
        "option group nowhere-og",
        "options.subnetGroup",
    ] {
        assert!(refused.cause.contains(named), "{} does not name {named}", refused.cause);
    }
    // AND security groups are looked up where the restore would be: the one that it had is gone since, and others are not there
    // or in another network
    let ec2 = &world.home.ec2;
    ec2.delete_security_group().group_id(&group).send().await.expect("it goes");
    let net = ec2.create_vpc().cidr_block("10.99.0.0/16").send().await.expect("another network");
    let net = net.vpc().and_then(|vpc| vpc.vpc_id()).expect("an id").to_owned();
    let far = security_group(&world, Some(&net)).await;
    for (run, options, named) in [
        ("ask-gone", json!({}), format!("security group {group} is not there")),
        ("ask-far", json!({"securityGroups": [far]}), format!("security group {far} is in {net}")),
        (
            "ask-odd",
            json!({"securityGroups": ["sg-nowhere"]}),
            "security group sg-nowhere is not there".to_owned(),
        ),
    ] {
        let more = json!({"targetId": target, "options": options});
        let refused = world.restore(&input(&world, run, more)).await;
        assert_eq!(refused.error, "Holdfast.ReferenceUnresolved", "{refused:?}");
        assert!(refused.cause.contains(&named), "{} does not name {named}", refused.cause);
    }
    // AND what the functions wrote of it is found by its id, the refusal among it
    let id = operation(&world, "ask-2");
    let (code, said, complaint) = holdfast(&["ops", "logs", id.as_str(), "--output", "json"]).await;
    assert_eq!(code, 0, "{said}{complaint}");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |function: &str| lines.iter().filter(|line| line["function"] == function).collect::<Vec<_>>();
    assert!(!of("update-state").is_empty() && !of("workflow").is_empty(), "{said}");
    let refusal = of("restore-database")
        .into_iter()
        .find(|line| line["fields"]["error.name"] == "Holdfast.ReferenceUnresolved");
    assert!(refusal.is_some_and(|line| line["level"] == "ERROR"), "{said}");
    let time = |line: &Value| {
        line["time"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time")
    };
    assert!(lines.windows(2).all(|pair| time(&pair[0]) <= time(&pair[1])), "{said}");
    let only = ["ops", "logs", id.as_str(), "--function", "restore-database"];
    let (code, said, _) = holdfast(&only).await;
    assert!(code == 0 && said.contains("restore-database") && !said.contains("update-state"), "{said}");
    let (code, _, complaint) = holdfast(&["ops", "logs", "nothing"]).await;
    assert!(code == 1 && complaint.contains("nothing"), "{code}: {complaint}");
    // WHEN no backup is that old, or there is no such snapshot, THEN that is said
    for (run, more) in [
        ("ask-3", json!({"at": "2020-01-01T00:00:00Z", "targetId": target})),
        ("ask-4", json!({"snapshotId": "nothing", "targetId": target})),
    ] {
        let refused = world.restore(&input(&world, run, more)).await;
        assert_eq!(refused.error, "Holdfast.RecoveryPointNotFound", "{refused:?}");
    }
    assert_eq!(world.effects("RestoreDBInstanceFromDBSnapshot").await, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_brought_back_in_the_region_that_holds_it() {
    // GIVEN a proven backup with a copy in another Region
    let world = World::new("back-west").await;
    let secret = world.reader(true).await;
    let rows = world.number(&world.database, ROWS).await;
    let backup = json!({"databaseId": world.database, "runId": "run-1", "baseline": {"secretArn": secret},
                        "targetRegions": [{"region": "us-west-2"}], "deadlineMinutes": 10});
    let ended = world.run(&backup).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");

    // WHEN that Region is asked to prove it by one command, THEN it does; and what is no backup there is no proof
    let id = world.operation("run-1");
    let validate = [
        "validate",
        id.as_str(),
        "--region",
        "us-west-2",
        "--run-id",
        "again-1",
        "--yes",
        "--output",
        "json",
    ];
    let (code, said, complaint) = holdfast(&validate).await;
    assert_eq!(code, 0, "{said}{complaint}");
    let proven: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(proven["validation"]["verdict"], "VALID", "{proven:#}");
    let (code, said, complaint) =
        holdfast(&["validate", "other-db-r1-0123456789", "--region", "us-west-2", "--yes"]).await;
    assert!(code == 1 && said.contains("is not proven"), "{code}: {said}{complaint}");

    // WHEN it is asked for there
    let more = json!({"region": "us-west-2"});
    let ended = world.restore(&input(&world, "back-1", more)).await;

    // THEN it is there, with every row, under the key of the copy, and the one at home is what it was
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["validation"]["verdict"], "VALID", "{ended:?}");
    let there = world.region("us-west-2").rds.describe_db_instances();
    let there = there.db_instance_identifier(&world.database).send().await.expect("it is there");
    let there = there.db_instances().first().expect("it is there");
    assert!(there.kms_key_id().expect("a key").contains("us-west-2"), "{there:?}");
    assert_eq!(world.number(&world.database, ROWS).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_execution_was_deleted_is_resumed_and_another_is_cancelled() {
    // GIVEN a proven backup, and two restores of it that have got as far as an instance
    let world = World::new("back-again").await;
    let secret = world.reader(true).await;
    let rows = world.number(&world.database, ROWS).await;
    backup(&world, "run-1", json!({"secretArn": secret})).await;
    let target = |run: &str| format!("{}-{run}", world.database);
    let restoring = async |run: &str| {
        let execution = world.start_restore(&input(&world, run, json!({"targetId": target(run)}))).await;
        until("the instance to be made", PATIENCE, async || world.instance(&target(run)).await).await;
        execution
    };

    // WHEN the execution of one is gone, as if it had never been
    let execution = restoring("again-1").await;
    world.home.sfn.stop_execution().execution_arn(&execution).send().await.expect("it stops");
    let id = operation(&world, "again-1");
    let (machine, _) = execution.rsplit_once(':').expect("an ARN");
    world.set_owner(&id, &format!("{machine}:deleted")).await;

    // THEN nobody is told that it goes on: not by the list, nor by a look at it, nor by waiting for it
    let (code, said, _) = holdfast(&["ops", "list", "--running", "--output", "json", &world.database]).await;
    let listed: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &listed[0]["execution"]["status"]), (0, &json!("GONE")), "{said}");
    for verb in ["describe", "wait"] {
        let (code, said, _) = holdfast(&["ops", verb, id.as_str()]).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("nobody works on it"), "{said}");
        assert!(said.contains(&format!("holdfast ops resume {id}")) && !said.contains("going on"), "{said}");
    }
    // AND nobody goes on with it where nobody can agree
    let (code, _, asked) = holdfast(&["ops", "resume", id.as_str()]).await;
    assert!(code == 2 && asked.contains("nobody is there: say --yes"), "{asked}");
    assert_eq!(holdfast(&["ops", "describe", id.as_str()]).await.0, 1, "it is as dead as before");
    // AND one command goes on with it, to the end, with what it had made
    let (code, said, complaint) =
        holdfast(&["ops", "resume", id.as_str(), "--yes", "--output", "json"]).await;
    assert_eq!(code, 0, "{said}{complaint}");
    let summary: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        (&summary["status"], &summary["validation"]["verdict"]),
        (&json!("SUCCEEDED"), &json!("VALID"))
    );
    assert_eq!(world.number(&target("again-1"), ROWS).await, rows);
    let record = world.record(&id).await.expect("a record");
    let points = record["checkpoints"].as_array().expect("checkpoints");
    assert!(points.iter().any(|point| point["name"] == "TAKEN_OVER"), "{record:#}");
    // AND once it has ended, it says how
    let (code, said, _) = holdfast(&["ops", "resume", id.as_str()]).await;
    assert!(code == 0 && said.contains("is back, and what it holds is proven"), "{said}");

    // WHEN another is to be ended and nobody can be asked, THEN it is not
    let execution = restoring("again-2").await;
    let id = operation(&world, "again-2");
    let (code, _, asked) = holdfast(&["ops", "cancel", id.as_str()]).await;
    assert!(code == 2 && asked.contains("nobody is there: say --yes"), "{asked}");
    let still =
        world.home.sfn.describe_execution().execution_arn(&execution).send().await.expect("it is there");
    assert_eq!(*still.status(), ExecutionStatus::Running);
    // AND with --yes it ends, and names what it leaves
    let (code, said, complaint) =
        holdfast(&["ops", "cancel", id.as_str(), "--yes", "--output", "json"]).await;
    assert_eq!(code, 0, "{said}{complaint}");
    let summary: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(summary["failure"]["name"], "Holdfast.Cancelled", "{summary:#}");
    assert!(summary["leftovers"].to_string().contains(&target("again-2")), "{summary:#}");
    assert!(world.instance(&target("again-2")).await.is_some());
    let (code, _, said) = holdfast(&["ops", "cancel", id.as_str(), "--yes"]).await;
    assert!(code == 1 && said.contains("there is nothing to cancel"), "{said}");
    let (_, said, _) = holdfast(&["ops", "describe", id.as_str()]).await;
    assert!(said.contains("was cancelled, as asked"), "{said}");
}
