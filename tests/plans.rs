//! Protection plans on the whole stack: applied by the command, to the Scheduler and the metadata bucket; what they store
//! is acted by.
//!
//! One test applies plans: the stored settings are one object of the stack. Its databases are its own, and so is its
//! group of schedules.

use std::time::Duration;

use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use holdfast_testkit::clients::{HOME_REGION, config};
use holdfast_testkit::project::binary;
use holdfast_tests::World;
use holdfast_tests::world::{tag, until};
use serde_json::{Value, json};

/// What the Scheduler replaces by the time that was scheduled; the local one does not.
const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";

const GROUP: &str = "t-plans";

/// A schedule in the group that no plan has.
const BY_HAND: &str = "t-plans-by-hand";

/// The local Scheduler looks every ten seconds; the backup takes some more.
const PATIENCE: Duration = Duration::from_secs(90);

fn setting(name: &str) -> String {
    std::env::var(name).expect("a setting of the stack")
}

fn scheduler() -> aws_sdk_scheduler::Client {
    aws_sdk_scheduler::Client::new(&config(&setting("AWS_ENDPOINT_URL"), HOME_REGION))
}

/// Runs `holdfast plan`; exit code, what it printed, what it complained of.
async fn plan(arguments: &[&str]) -> (i32, String, String) {
    let path = binary("holdfast").expect("the command is built");
    let mut command = tokio::process::Command::new(path);
    let output = command.arg("plan").args(arguments).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

/// Writes the file of a plan: the test's database with these schedules, kept for so many weeks, and `others`.
fn file(world: &World, schedules: &str, weeks: u32, others: &str) -> String {
    let db = &world.database;
    let text = format!(
        "version: 1
name: t-plans
defaults:
  targets: [us-west-2]
  validation: {{enabled: false}}
databases:
  - id: {db}
    environment: production
    schedules:
      daily: {{every: 6h, at: \"00:10\"}}
{schedules}    retention: {{daily: 1, weekly: {weeks}, monthly: 0, yearly: 0, minimum: 1, inspectionDays: 0}}
{others}"
    );
    let path = std::env::temp_dir().join(format!("holdfast-{db}-{}.yaml", std::process::id()));
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a path").to_owned()
}

async fn names() -> Vec<String> {
    let answer = scheduler().list_schedules().group_name(GROUP).send().await.expect("schedules");
    let mut names: Vec<String> =
        answer.schedules().iter().map(|schedule| schedule.name().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_applied_changed_and_acted_by() {
    // GIVEN a database, another that carries a tag, and a group of schedules
    let world = World::new("plans").await;
    let tagged = format!("{}-tagged", world.database);
    world.create_instance(&tagged, None).await;
    let arn = world.instance(&tagged).await.expect("it").db_instance_arn.expect("an ARN");
    let team = aws_sdk_rds::types::Tag::builder().key("Team").value(&world.database).build();
    world.home.rds.add_tags_to_resource().resource_name(arn).tags(team).send().await.expect("a tag");
    scheduler().create_schedule_group().name(GROUP).send().await.expect("a group");
    let others = format!("  - tagged: {{Team: {}}}\n    environment: staging\n", world.database);
    let path = file(&world, "      weekly: {on: sunday, at: \"03:00\"}\n", 1, &others);
    let path = path.as_str();

    // WHEN it is looked at, THEN everything would be made, and nothing is
    let (code, shown, said) = plan(&["diff", path, "--group", GROUP]).await;
    assert_eq!(code, 3, "{said}");
    assert!(shown.contains(&format!("tags Team={}: {tagged}", world.database)), "{shown}");
    assert!(shown.contains("Schedules: 3 to make, 0 to change, 0 to delete"), "{shown}");
    assert!(names().await.is_empty());
    // AND nobody is asked where nobody is
    let (code, _, said) = plan(&["apply", path, "--group", GROUP]).await;
    assert!(code == 2 && said.contains("say --yes"), "{code} {said}");

    // WHEN it is applied
    let (code, shown, said) = plan(&["apply", path, "--group", GROUP, "--yes"]).await;
    assert_eq!(code, 0, "{shown}{said}");
    // THEN the schedules are there, with all that makes a start sure
    let (daily, weekly) =
        (format!("production-{}-daily", world.database), format!("production-{}-weekly", world.database));
    assert_eq!(names().await, [daily.clone(), weekly.clone(), format!("staging-{tagged}-daily")]);
    let target = is_made(&world, &weekly).await;
    // AND a second time nothing is written
    let stored = world.writes("protection/").await;
    for verb in [&["diff", path, "--group", GROUP][..], &["apply", path, "--group", GROUP, "--yes"]] {
        let (code, shown, said) = plan(verb).await;
        assert!(code == 0 && shown.contains("Nothing to change"), "{shown}{said}");
    }
    assert_eq!(world.writes("protection/").await, stored);

    starts_backups(&world, &target).await;
    prunes_by_the_plan(&world).await;
    changes_only_what_differs(&world, &daily, &weekly, &tagged).await;
}

/// Looks at a schedule from top to bottom; the answer is what it starts.
async fn is_made(world: &World, weekly: &str) -> Target {
    let schedule = scheduler().get_schedule().group_name(GROUP).name(weekly).send().await.expect("it");
    assert_eq!(schedule.schedule_expression(), Some("cron(0 3 ? * SUN *)"));
    assert_eq!(schedule.state(), Some(&ScheduleState::Enabled));
    let window = schedule.flexible_time_window().expect("a window");
    assert_eq!(
        (window.mode(), window.maximum_window_in_minutes()),
        (&FlexibleTimeWindowMode::Flexible, Some(15))
    );
    let target = schedule.target().expect("a target").clone();
    assert_eq!(target.arn(), world.resource("BackupStateMachine").await);
    assert_eq!(target.role_arn(), setting("HOLDFAST_SCHEDULE_ROLE_ARN"));
    let dead_letters = target.dead_letter_config().and_then(|letters| letters.arn()).expect("dead letters");
    assert_eq!(dead_letters, setting("HOLDFAST_SCHEDULE_DEAD_LETTERS_ARN"));
    let retry = target.retry_policy().expect("a retry policy");
    assert_eq!(
        (retry.maximum_retry_attempts(), retry.maximum_event_age_in_seconds()),
        (Some(10), Some(3600))
    );
    let input = input(&target);
    let target_regions = json!([{"region": "us-west-2", "kmsKeyId": "alias/holdfast"}]);
    assert_eq!(
        input,
        json!({"databaseId": world.database, "runId": SCHEDULED_TIME, "tier": "weekly",
               "targetRegions": target_regions, "validation": {"enabled": false}})
    );
    target
}

fn input(target: &Target) -> Value {
    serde_json::from_str(target.input().expect("an input")).expect("JSON")
}

/// The Scheduler starts the workflow with a schedule's target, and the run is named after the time: once by the local
/// Scheduler itself, once as it would next Sunday.
async fn starts_backups(world: &World, target: &Target) {
    let filled = |time: &str| input(target).to_string().replace(SCHEDULED_TIME, time);
    let times = ["2026-11-15T03:00:00Z", "2026-11-22T03:00:00Z"];
    let at_once = Target::builder()
        .arn(target.arn())
        .role_arn(target.role_arn())
        .input(filled(times[0]))
        .build()
        .expect("a target");
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().expect("a window");
    let once = scheduler().create_schedule().group_name(GROUP).name(BY_HAND).target(at_once);
    let once = once.schedule_expression("at(2026-01-01T00:00:00)").flexible_time_window(window);
    once.send().await.expect("a schedule by hand");
    until("the backup that the schedule starts", PATIENCE, async || {
        let record = world.record(&world.operation(times[0])).await?;
        (record["status"] == "SUCCEEDED").then_some(())
    })
    .await;
    let ended = world.run(&serde_json::from_str(&filled(times[1])).expect("JSON")).await;
    assert_eq!(ended.output["status"], "SUCCEEDED", "{ended:?}");
    for time in times {
        for region in [HOME_REGION, "us-west-2"] {
            let id = world.operation(time).snapshot_id();
            let snapshot = world.snapshot(region, &id).await.expect("the backup");
            assert_eq!(tag(&snapshot, "holdfast:tier"), Some("weekly"), "{region}");
        }
    }
}

/// The deployed function keeps of this database what the plan says, and of others what it was deployed to keep.
async fn prunes_by_the_plan(world: &World) {
    let asked = json!({"action": "plan", "databases": [world.database]});
    let planned = world.invoke("PruneBackupsFunction", &asked).await;
    assert_eq!(
        (&planned["totals"]["keep"], &planned["totals"]["delete"]),
        (&json!(2), &json!(2)),
        "{planned:#}"
    );
    assert_eq!(planned["ownPolicies"][&world.database]["daily"], 1, "{planned:#}");
    assert_eq!(planned["policy"]["daily"], 7, "{planned:#}");
}

/// A changed plan changes what it changes, and what has left it goes; what is not in its group is not looked at.
async fn changes_only_what_differs(world: &World, daily: &str, weekly: &str, tagged: &str) {
    let untouched = scheduler().get_schedule().group_name(GROUP).name(daily).send().await.expect("it");
    let path = file(world, "", 2, "");
    let path = path.as_str();
    let (code, shown, said) = plan(&["apply", path, "--group", GROUP, "--yes"]).await;
    assert_eq!(code, 0, "{shown}{said}");
    for line in [
        &format!("- {weekly}"),
        &format!("- staging-{tagged}-daily"),
        &format!("- {BY_HAND}"),
        "retention.weekly: 1 → 2",
        &format!("- {tagged}  its backups stay"),
        "Schedules: 0 to make, 0 to change, 3 to delete",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert_eq!(names().await, [daily]);
    let after = scheduler().get_schedule().group_name(GROUP).name(daily).send().await.expect("it");
    assert_eq!(after.last_modification_date(), untouched.last_modification_date());
    let stored = world.document("protection/plan.json").await.expect("the settings");
    assert_eq!(stored["databases"][&world.database]["retention"]["weekly"], 2);
    assert_eq!(stored["databases"].as_object().expect("databases").len(), 1);

    by_hand_is_set_right(path, daily).await;
    faults_change_nothing(path, daily).await;
    std::fs::remove_file(path).expect("the file goes");
}

/// What somebody has changed by hand is seen, and set right.
async fn by_hand_is_set_right(path: &str, daily: &str) {
    let after = scheduler().get_schedule().group_name(GROUP).name(daily).send().await.expect("it");
    let target = after.target().expect("a target").clone();
    let window = after.flexible_time_window().expect("a window").clone();
    let disable = scheduler().update_schedule().group_name(GROUP).name(daily).state(ScheduleState::Disabled);
    let disable = disable.schedule_expression("rate(1 days)").target(target).flexible_time_window(window);
    disable.send().await.expect("a change");
    let (code, shown, _) = plan(&["diff", path, "--group", GROUP, "--output", "json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let fields: Vec<&str> = shown["schedules"][0]["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .filter_map(|field| field["field"].as_str())
        .collect();
    assert_eq!((code, fields), (3, vec!["description", "expression", "state"]), "{shown:#}");
    let (code, shown, said) = plan(&["apply", path, "--group", GROUP, "--yes"]).await;
    assert!(code == 0 && shown.contains("state: DISABLED → ENABLED"), "{shown}{said}");
}

/// A group that is not there is not taken for an empty one, and a plan that is refused changes nothing.
async fn faults_change_nothing(path: &str, daily: &str) {
    let (code, _, said) = plan(&["diff", path, "--group", "t-nobodys"]).await;
    assert!(code == 2 && said.contains("there is no schedule group t-nobodys in us-east-1"), "{said}");

    std::fs::write(
        path,
        "version: 1\nname: shop\ndatabases:\n  - id: nobody-here\n    environmnt: production\n",
    )
    .expect("a file");
    let (code, _, said) = plan(&["apply", path, "--group", GROUP, "--yes"]).await;
    assert!(
        code == 2 && said.contains(&format!("{path}:5:5: databases[0].environmnt: unknown key")),
        "{said}"
    );
    assert_eq!(names().await, [daily]);
}
