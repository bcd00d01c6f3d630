//! `holdfast doctor` on the whole stack: faults are planted in the local cloud, and each one is named.

use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use holdfast_testkit::clients::HOME_REGION;
use holdfast_testkit::project::binary;
use holdfast_tests::World;
use holdfast_tests::world::{holdfast_without, until};
use serde_json::{Value, json};

const WEST: &str = "us-west-2";
/// A role that is not there.
const NOBODY: &str = "arn:aws:iam::000000000000:role/nobody";
/// A Region that no other test has anything in.
const EMPTY: &str = "ap-southeast-2";

/// Checks that have something to look at in a healthy database.
const LOOKED_AT: [&str; 19] = [
    "source",
    "schedule",
    "key",
    "key-permission",
    "key-policy",
    "key-grants",
    "role-permission",
    "backup-proof",
    "copy",
    "drift",
    "reference",
    "blueprint",
    "name",
    "sharing",
    "tags",
    "deployment",
    "instance-quota",
    "storage-quota",
    "automated-backups",
];

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a verb as a user would: its exit code, what it printed, and what it complained about.
async fn holdfast(arguments: &[&str]) -> (i32, String, String) {
    let path = binary("holdfast").expect("the command is built");
    let output = tokio::process::Command::new(path).args(arguments).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// What doctor says of the test's database.
async fn doctor(database: &str) -> (i32, Value) {
    let (code, said, error) = holdfast(&["doctor", database, "--output", "json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}"));
    (code, said["databases"][0].clone())
}

/// `check region severity` of each finding about something that contains `subject`.
fn findings(diagnosis: &Value, subject: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let all = diagnosis["findings"].as_array().expect("findings").iter();
    all.filter(|finding| text(&finding["subject"]).contains(subject))
        .map(|finding| ["check", "region", "severity"].map(|name| text(&finding[name])).join(" "))
        .collect()
}

fn of(diagnosis: &Value, severity: &str) -> Vec<Value> {
    let all = diagnosis["findings"].as_array().expect("findings").iter();
    all.filter(|finding| finding["severity"] == severity).cloned().collect()
}

/// A parameter, an option and a subnet group of this name.
async fn make_groups(rds: &Client, name: &str, family: &str) {
    let group = rds.create_db_parameter_group().db_parameter_group_name(name);
    group.db_parameter_group_family(family).description("test").send().await.expect("a parameter group");
    let group = rds.create_option_group().option_group_name(name).engine_name("postgres");
    let group = group.major_engine_version(family.trim_start_matches("postgres"));
    group.option_group_description("test").send().await.expect("an option group");
    let group = rds.create_db_subnet_group().db_subnet_group_name(name).subnet_ids("subnet-00000001");
    group.db_subnet_group_description("test").send().await.expect("a subnet group");
}

/// A setting of the stack.
fn setting(name: &str) -> String {
    std::env::var(name).expect("a setting of the stack")
}

async fn schedule(world: &World, state: Option<ScheduleState>, role: &str, regions: &Value) {
    let machine = setting("HOLDFAST_BACKUP_STATE_MACHINE_ARN");
    let input = json!({"databaseId": world.database, "runId": "<aws.scheduler.scheduled-time>",
                       "targetRegions": regions});
    let target = Target::builder().arn(machine).role_arn(role);
    let target = target.input(input.to_string()).build().expect("a target");
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().expect("a window");
    let scheduler = world.scheduler();
    match state {
        None => drop(
            scheduler
                .create_schedule()
                .name(&world.database)
                .schedule_expression("rate(6 hours)")
                .flexible_time_window(window)
                .target(target)
                .send()
                .await
                .expect("a schedule"),
        ),
        Some(state) => drop(
            scheduler
                .update_schedule()
                .name(&world.database)
                .schedule_expression("rate(6 hours)")
                .flexible_time_window(window)
                .target(target)
                .state(state)
                .send()
                .await
                .expect("another schedule"),
        ),
    }
}

/// A database with groups of its own, a schedule, an older backup and one that is proven and copied under a key of its
/// own. The answer is that key, and the older backup.
async fn healthy(world: &World) -> (String, String) {
    world.create_instance(&world.database, None).await;
    world.sql(include_str!("data/shop.sql")).await;
    let version = world.instance(&world.database).await.expect("the database").engine_version.expect("one");
    let family = format!("postgres{}", version.split('.').next().expect("a major version"));
    let west = world.region(WEST);
    make_groups(&world.home.rds, &world.database, &family).await;
    make_groups(&west.rds, &world.database, &family).await;
    let group = world.home.ec2.create_security_group().group_name(&world.database).description("test");
    let group = group.send().await.expect("a security group").group_id.expect("an id");
    let change = world.home.rds.modify_db_instance().db_instance_identifier(&world.database);
    let change = change.vpc_security_group_ids(group);
    let change = change.db_parameter_group_name(&world.database).option_group_name(&world.database);
    let change = change.db_subnet_group_name(&world.database).deletion_protection(true);
    change.backup_retention_period(3).apply_immediately(true).send().await.expect("a change");
    until("the change to be made", PATIENCE, async || {
        let found = world.instance(&world.database).await?;
        let made = found.deletion_protection() == Some(true) && found.backup_retention_period() == Some(3);
        (made && found.db_instance_status() == Some("available")).then_some(())
    })
    .await;
    let key = west.kms.create_key().send().await.expect("a key");
    let key = key.key_metadata().expect("its metadata").key_id().to_owned();
    let alias = format!("alias/{}", world.database);
    west.kms.create_alias().alias_name(&alias).target_key_id(&key).send().await.expect("an alias");
    let regions = json!([{"region": WEST, "kmsKeyId": alias}]);
    schedule(world, None, &setting("HOLDFAST_SCHEDULE_ROLE_ARN"), &regions).await;
    let older = json!({"databaseId": world.database, "runId": "run-0", "targetRegions": [],
                       "validation": {"enabled": false}, "deadlineMinutes": 10});
    assert_eq!(world.run(&older).await.output["status"], "SUCCEEDED");
    let backup = json!({"databaseId": world.database, "runId": "run-1", "targetRegions": regions, "deadlineMinutes": 10});
    let ended = world.run(&backup).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    assert_eq!(ended.output["validation"]["verdict"], "VALID", "{ended:?}");
    (key, world.operation("run-0").snapshot_id())
}

/// How the test's database stands.
async fn status(database: &str) -> (i32, Value) {
    let (code, said, error) = holdfast(&["status", database, "--output", "json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}"));
    (code, said["databases"][0].clone())
}

/// Whether a part of the score is held.
fn part(status: &Value, name: &str) -> Value {
    let mut parts = status["compliance"]["parts"].as_array().expect("parts").iter();
    parts.find(|part| part["name"] == name).expect("the part")["held"].clone()
}

/// Sees how the healthy database stands before a restore was ever made, and after.
async fn stands(world: &World) {
    // GIVEN two backups, the second one proven and copied, WHEN nobody ever restored it
    let (code, found) = status(&world.database).await;
    // THEN it is counted, and the time to be back has a lower bound and is not held
    let backups = &found["backups"];
    let counts = ["total", "valid", "last24Hours", "crossRegion", "encrypted"].map(|name| &backups[name]);
    assert_eq!(counts, [&json!(2), &json!(1), &json!(2), &json!(1), &json!(3)], "{found:#}");
    assert!(backups["oldest"].as_str() < backups["newest"].as_str(), "{found:#}");
    let copy = &found["replication"][0];
    assert_eq!(
        (&copy["region"], &copy["copies"], &copy["behindSeconds"]),
        (&json!(WEST), &json!(1), &json!(0.0))
    );
    let time = &found["recovery"]["time"];
    assert_eq!((&time["measuredBy"], &time["held"]), (&json!("VALIDATION"), &Value::Null), "{found:#}");
    assert!(time["seconds"].as_f64() > Some(0.0), "{found:#}");
    let point = &found["recovery"]["point"];
    assert!(point["byLogSeconds"].as_f64() < point["byBackupSeconds"].as_f64(), "{found:#}");
    assert_eq!(
        (point["held"].clone(), &point["seconds"]),
        (json!(true), &point["byLogSeconds"]),
        "{found:#}"
    );
    assert_eq!((code, &found["compliance"]["score"]), (3, &json!(80)), "{found:#}");

    // WHEN it is restored under another name, THEN that is measured, and both objectives are held
    let drill = json!({"databaseId": world.database, "runId": "drill-1", "deadlineMinutes": 10,
                       "targetId": format!("{}-drill", world.database), "validation": {"enabled": false}});
    let ended = world.restore(&drill).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    let (code, found) = status(&world.database).await;
    let time = &found["recovery"]["time"];
    assert_eq!((&time["measuredBy"], &time["held"]), (&json!("RESTORE"), &json!(true)), "{found:#}");
    let settled = ended.output["restore"]["timings"]["settledSeconds"].as_f64();
    assert!(time["seconds"].as_f64() >= settled, "{found:#}");
    assert_eq!((code, &found["compliance"]["score"]), (0, &json!(95)), "{found:#}");
    assert_eq!(part(&found, "retention"), json!(false), "one of three: {found:#}");
    // AND a person reads the same
    let (code, text, _) = holdfast(&["status", &world.database]).await;
    println!("{text}");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("compliance        95 of 100\n"), "{text}");
}

/// Sees that doctor does not pass over a restore workflow that is gone, nor over one that nobody named.
async fn restores_are_looked_at(database: &str) {
    let gone = setting("HOLDFAST_RESTORE_STATE_MACHINE_ARN") + "-gone";
    let asked = ["doctor", database, "--output", "json", "--restore-state-machine-arn", &gone];
    let (code, said, error) = holdfast(&asked).await;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}"));
    let found = findings(&said["databases"][0], &gone);
    assert_eq!((code, found), (1, vec![format!("deployment {HOME_REGION} FAILS_ON_THE_DAY")]), "{said:#}");
    let unnamed = ["HOLDFAST_RESTORE_STATE_MACHINE_ARN".to_owned()];
    let (code, said, error) = holdfast_without(&unnamed, &["doctor", database, "--output", "json"]).await;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}"));
    let found = findings(&said["databases"][0], "restore workflow");
    assert_eq!((code, found), (3, vec![format!("deployment {HOME_REGION} NOT_CHECKED")]), "{said:#}");
}

/// Plants what is wrong at home; the answer is the key of the database.
async fn plant_at_home(world: &World, older: &str) -> String {
    let (id, rds) = (&world.database, &world.home.rds);
    let source = world.instance(id).await.expect("the database").kms_key_id.expect("a key");
    let deletion = world.home.kms.schedule_key_deletion().key_id(&source).pending_window_in_days(7);
    deletion.send().await.expect("pending deletion");
    world.tune(json!({"maxManualSnapshotsIn": {EMPTY: 0}})).await;
    let snapshot = world.snapshot(HOME_REGION, older).await.expect("the older backup");
    let groups = world.instance(id).await.expect("the database").vpc_security_groups.unwrap_or_default();
    let group = groups[0].vpc_security_group_id().expect("an id");
    world.home.ec2.delete_security_group().group_id(group).send().await.expect("gone");
    let forget = rds.remove_tags_from_resource().tag_keys("holdfast:operation");
    forget.resource_name(snapshot.db_snapshot_arn().expect("an ARN")).send().await.expect("forgotten");
    let change = rds.modify_db_instance().db_instance_identifier(id).apply_immediately(true);
    let change = change.backup_retention_period(0).deletion_protection(false);
    change.send().await.expect("another setting");
    until("the change to be made", PATIENCE, async || {
        (world.instance(id).await?.backup_retention_period() == Some(0)).then_some(())
    })
    .await;
    source
}

/// Plants what is wrong in the target Region.
async fn plant_in_the_west(world: &World, key: &str) {
    let (id, west) = (&world.database, world.region(WEST));
    // A policy that lets nobody of this account in, and a statement that denies what copies take, of this database's alone.
    let foreign = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::999999999999:root"}}]});
    west.kms.put_key_policy().key_id(key).policy(foreign.to_string()).send().await.expect("a policy");
    let stop = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "rds:CopyDBSnapshot",
        "Resource": format!("arn:aws:rds:*:*:snapshot:holdfast-{id}-*")}]});
    let iam = world.iam();
    let role = copying_role(&iam).await;
    let put = iam.put_role_policy().role_name(role).policy_name(id);
    put.policy_document(stop.to_string()).send().await.expect("a statement");
    west.kms.disable_key().key_id(key).send().await.expect("disabled");
    west.rds.delete_db_subnet_group().db_subnet_group_name(id).send().await.expect("gone");
    west.rds.delete_db_parameter_group().db_parameter_group_name(id).send().await.expect("gone");
    west.rds.delete_option_group().option_group_name(id).send().await.expect("gone");
    let taken = west.rds.create_db_instance().db_instance_identifier(id).engine("postgres");
    let taken = taken.db_instance_class("db.t4g.micro").allocated_storage(20).master_username("other");
    taken.master_user_password("Other-secret-1").send().await.expect("somebody else's");
}

/// The name of the role that copies.
async fn copying_role(iam: &aws_sdk_iam::Client) -> String {
    let roles = iam.list_roles().send().await.expect("roles");
    let mut names = roles.roles().iter().map(|role| role.role_name());
    names.find(|name| name.contains("ReplicateToRegionFunction")).expect("the role").to_owned()
}

/// What is found of that: the subject, and check, Region and severity.
fn planted(id: &str, source: &str, older: &str) -> Vec<(String, String)> {
    let (id, source, older) = (id.to_owned(), source.to_owned(), older.to_owned());
    vec![
        (format!("alias/{id}"), format!("key {WEST} FAILS_ON_THE_DAY")),
        (format!("alias/{id}"), format!("key-policy {WEST} WARNING")),
        ("rds:CopyDBSnapshot".to_owned(), format!("role-permission {WEST} FAILS_ON_THE_DAY")),
        ("states:StartExecution".to_owned(), format!("role-permission {HOME_REGION} FAILS_ON_THE_DAY")),
        (source, format!("key {HOME_REGION} FAILS_ON_THE_DAY")),
        (format!("subnet group {id}"), format!("reference {WEST} FAILS_ON_THE_DAY")),
        (format!("parameter group {id}"), format!("reference {WEST} FAILS_ON_THE_DAY")),
        (format!("option group {id}"), format!("reference {WEST} FAILS_ON_THE_DAY")),
        ("manual snapshots".to_owned(), format!("snapshot-quota {EMPTY} FAILS_ON_THE_DAY")),
        ("alias/holdfast".to_owned(), format!("key {EMPTY} FAILS_ON_THE_DAY")),
        ("backup-validation".to_owned(), format!("deployment {EMPTY} FAILS_ON_THE_DAY")),
        (id.clone(), format!("copy {EMPTY} FAILS_ON_THE_DAY")),
        ("security group ".to_owned(), format!("reference {HOME_REGION} FAILS_ON_THE_DAY")),
        (older, format!("tags {HOME_REGION} WARNING")),
        (id.clone(), format!("automated-backups {HOME_REGION} FAILS_ON_THE_DAY")),
        (id.clone(), format!("deletion-protection {HOME_REGION} WARNING")),
        (id.clone(), format!("drift {HOME_REGION} WARNING")),
        (id, format!("name {WEST} FAILS_ON_THE_DAY")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_of_a_healthy_database_and_each_planted_fault_is_named() {
    // GIVEN a database with groups of its own, a schedule, and a proven backup with a copy
    let world = World::without_database("doctor").await;
    let id = world.database.clone();
    let (key, older) = healthy(&world).await;

    // WHEN doctor looks, THEN nothing would fail, everything could be looked at, and all of it was
    let (code, found) = doctor(&id).await;
    assert_eq!((of(&found, "FAILS_ON_THE_DAY"), of(&found, "NOT_CHECKED")), (vec![], vec![]), "{found:#}");
    assert!(code == 0 || code == 3, "{code}: {found:#}");
    assert_eq!(found["targetRegions"], json!([WEST]));
    // Its security group is there at home, and home's alone.
    assert_eq!(findings(&found, "security group"), [format!("reference {WEST} WARNING")], "{found:#}");
    let looked: Vec<&str> =
        found["inOrder"].as_array().expect("a list").iter().filter_map(|one| one["check"].as_str()).collect();
    for check in LOOKED_AT {
        assert!(looked.contains(&check), "{check}: {found:#}");
    }

    // AND what it cannot look at, it names
    world
        .fault(json!({"action": "DescribeDBSnapshotAttributes", "times": 1,
                      "effect": {"type": "error", "code": "AccessDenied", "message": "no", "status": 403}}))
        .await;
    let (code, blind) = doctor(&id).await;
    let unseen = of(&blind, "NOT_CHECKED");
    assert_eq!((code, unseen.len(), &unseen[0]["check"]), (3, 1, &json!("sharing")), "{blind:#}");
    assert!(unseen[0]["what"].as_str().expect("text").contains("AccessDenied"), "{unseen:?}");
    restores_are_looked_at(&id).await;
    stands(&world).await;

    // WHEN faults are planted
    let source = plant_at_home(&world, &older).await;
    plant_in_the_west(&world, &key).await;
    let regions = json!([{"region": WEST, "kmsKeyId": format!("alias/{id}")}, {"region": EMPTY}]);
    schedule(&world, Some(ScheduleState::Disabled), NOBODY, &regions).await;

    // AND while the schedule is disabled, the newest backup's own request says where copies go
    let (code, disabled) = doctor(&id).await;
    assert_eq!(code, 1, "{disabled:#}");
    assert_eq!(
        findings(&disabled, &format!("default/{id}")),
        [format!("schedule {HOME_REGION} FAILS_ON_THE_DAY")],
        "{disabled:#}"
    );
    schedule(&world, Some(ScheduleState::Enabled), NOBODY, &regions).await;
    let (code, found) = doctor(&id).await;

    // THEN each is named, where it is, with what it is
    assert_eq!(code, 1, "{found:#}");
    for (subject, finding) in planted(&id, &source, &older) {
        let about = findings(&found, &subject);
        assert!(about.contains(&finding), "{finding} of {subject}: {about:?} in {found:#}");
    }
    assert_eq!(of(&found, "NOT_CHECKED"), [Value::Null; 0], "{found:#}");
    // AND it does not stand as it did
    let (code, status) = status(&id).await;
    assert_eq!(code, 3, "{status:#}");
    assert_eq!(status["recovery"]["point"]["byLogSeconds"], Value::Null, "{status:#}");
    assert_eq!(
        (part(&status, "copy-elsewhere"), part(&status, "recovery-time")),
        (json!(false), json!(true))
    );
    assert!(status["compliance"]["score"].as_u64() < Some(80), "{status:#}");
    // AND a person reads the same
    let (code, text, _) = holdfast(&["doctor", &id]).await;
    assert_eq!(code, 1, "{text}");
    println!("{text}");
    assert!(
        text.contains(&format!(
            "A restore there fails with ReferenceUnresolved: subnet group {id} is not there."
        )),
        "{text}"
    );
    assert!(text.contains("To do: enable the key (kms:EnableKey)."), "{text}");
    // AND one Region alone has nothing of the others
    let (_, only, _) = holdfast(&["doctor", &id, "--region", EMPTY, "--output", "json"]).await;
    let only: Value = serde_json::from_str(&only).expect("JSON");
    let regions = only["databases"][0]["findings"].as_array().expect("findings").iter();
    assert!(regions.clone().count() > 2 && regions.clone().all(|one| one["region"] == EMPTY), "{only:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_anybody_can_read_is_named() {
    // GIVEN a database that is not encrypted, and snapshots of it that somebody made public
    let world = World::without_database("doctor-open").await;
    let rds = &world.home.rds;
    let create = rds.create_db_instance().db_instance_identifier(&world.database).engine("postgres");
    let create = create.db_instance_class("db.t4g.micro").allocated_storage(20).master_username("owner");
    create.master_user_password("Open-secret-1").send().await.expect("a database");
    until("the database to be available", PATIENCE, async || {
        (world.instance(&world.database).await?.db_instance_status() == Some("available")).then_some(())
    })
    .await;
    // One that is named like a backup, and one that somebody took before a migration.
    let all = [format!("holdfast-{}", world.database), format!("{}-before-migration", world.database)];
    for public in &all {
        let create = rds.create_db_snapshot().db_snapshot_identifier(public);
        create.db_instance_identifier(&world.database).send().await.expect("a snapshot");
        until("the snapshot", PATIENCE, async || {
            let ready = world.snapshot(HOME_REGION, public).await?.status() == Some("available");
            let idle = world.instance(&world.database).await?.db_instance_status() == Some("available");
            (ready && idle).then_some(())
        })
        .await;
        let share = rds.modify_db_snapshot_attribute().db_snapshot_identifier(public);
        share.attribute_name("restore").values_to_add("all").send().await.expect("public");
    }

    // WHEN doctor looks
    let (code, found) = doctor(&world.database).await;

    // THEN it says so, and that there is no backup at all
    assert_eq!(code, 1, "{found:#}");
    let home = |check: &str, severity: &str| format!("{check} {HOME_REGION} {severity}");
    for public in &all {
        assert!(findings(&found, public).contains(&home("sharing", "FAILS_ON_THE_DAY")), "{found:#}");
    }
    let about = findings(&found, &world.database);
    for finding in [
        home("encryption", "WARNING"),
        home("backup-age", "FAILS_ON_THE_DAY"),
        home("schedule", "WARNING"),
        home("blueprint", "WARNING"),
    ] {
        assert!(about.contains(&finding), "{finding}: {found:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_an_error_that_says_what_to_do() {
    let (code, _, said) = holdfast(&["doctor", "no--name"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("databaseId: \"no--name\" is not a DB instance identifier"), "{said}");
    let (code, _, said) = holdfast(&["doctor", "prod-db", "--region", "west"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("a Region is written such as us-west-2"), "{said}");
}

/// In CloudShell nobody has set anything: the outputs of the stack say where everything is.
#[tokio::test(flavor = "multi_thread")]
async fn the_binary_alone_finds_what_is_deployed() {
    let ours = |name: &String| name.starts_with("HOLDFAST_") || name.starts_with("DR_");
    let settings: Vec<String> = std::env::vars().map(|(name, _)| name).filter(ours).collect();
    assert!(settings.iter().any(|name| name == "HOLDFAST_RESTORE_STATE_MACHINE_ARN"), "{settings:?}");
    let alone = async |arguments: &[&str]| holdfast_without(&settings, arguments).await;
    // A workflow that was found ran, and says that there is no such backup.
    let (code, said, complaint) =
        alone(&["restore", "nobody-at-all", "--verify-only", "--output", "json"]).await;
    assert_eq!(code, 1, "{complaint}");
    assert!(said.contains("Holdfast.RecoveryPointNotFound"), "{said}\n{complaint}");
    let (code, said, complaint) = alone(&["points", "nobody-at-all"]).await;
    assert_eq!(code, 1, "{said}{complaint}");
    assert!(said.starts_with("There is no backup of nobody-at-all"), "{said}");
    // The state table is the one of the stack: an operation that is not there is looked for in it.
    let (code, _, complaint) = alone(&["ops", "describe", "nobody-at-all-r1-0123456789"]).await;
    assert_eq!(code, 1, "{complaint}");
    let table = std::env::var("DR_STATE_TABLE_NAME").expect("a table");
    assert!(complaint.contains(&format!("in table {table}:")), "{complaint}");
    let (code, _, complaint) =
        alone(&["ops", "cancel", "nobody-at-all-r1-0123456789", "--stack", "nowhere"]).await;
    assert_eq!(code, 2, "{complaint}");
    assert!(complaint.contains("there is no stack nowhere in us-east-1"), "{complaint}");
    // A stack that is not there is named; what was forgotten is told without asking anybody.
    let (code, _, complaint) = alone(&["points", "nobody-at-all", "--stack", "nowhere"]).await;
    assert_eq!(code, 2, "{complaint}");
    assert!(complaint.contains("there is no stack nowhere in us-east-1"), "{complaint}");
    let (code, _, complaint) = alone(&["restore"]).await;
    assert_eq!(code, 2, "{complaint}");
    assert!(complaint.contains("<DATABASE>") && !complaint.contains("--state-machine-arn"), "{complaint}");
}
