//! `holdfast cost` on the whole stack: a plan is estimated with and without AWS, and what costs and nobody needs is planted and
//! found by name, while what is needed is not listed.

use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::Tag;
use holdfast_testkit::clients::HOME_REGION;
use holdfast_tests::World;
use holdfast_tests::world::{holdfast, until};
use serde_json::{Value, json};

const WEST: &str = "us-west-2";
const PATIENCE: Duration = Duration::from_secs(90);
/// Hexadecimal digits such as names end in.
const DIGITS: &str = "0123456789";

/// Runs a verb; its exit code and what it printed as JSON.
async fn json_of(arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["cost"];
    all.extend(arguments);
    all.extend(["--output", "json"]);
    let (code, said, error) = holdfast(&all).await;
    (code, serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}")))
}

fn example() -> String {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../docs/examples/holdfast.yaml").to_str().expect("a path").to_owned()
}

/// A table that has every price of the example's Regions, the same everywhere.
fn prices() -> String {
    let price = |price: f64| json!({"price": price, "asOf": "2026-11-22", "source": "test"});
    let region = || {
        json!({"snapshotStorage": price(0.1), "instanceStorage": price(0.2), "instanceHour": {"db.t4g.medium": price(0.05)},
               "transfer": {"toOthers": price(0.02)}, "key": price(1.0), "endpointHour": price(0.01),
               "functionRequests": price(0.2), "functionGbSecond": price(0.00001), "transitions": price(0.025)})
    };
    let regions = json!({HOME_REGION: region(), WEST: region(), "eu-west-1": region()});
    let table = json!({"version": 1, "currency": "USD", "asOf": "2026-11-22", "note": "test", "sources": {"test": "test"},
                       "regions": regions});
    let path = std::env::temp_dir().join(format!("holdfast-prices-{}.json", std::process::id()));
    std::fs::write(&path, table.to_string()).expect("a file");
    path.to_str().expect("a path").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_plan_is_estimated_with_and_without_aws() {
    let (example, prices) = (example(), prices());
    let base = ["plan", &example, "--region", HOME_REGION, "--after-months", "12"];

    // WHEN every size and every price is said, THEN everything is known, by part
    let (code, found) = json_of(&[&base[..], &["--size-gib", "100", "--prices", &prices]].concat()).await;
    assert_eq!((code, &found["estimate"]["total"]["missing"]), (0, &json!([])), "{found:#}");
    let databases = found["estimate"]["databases"].as_array().expect("databases");
    assert_eq!(databases.len(), 3, "{found:#}");
    let parts = databases[0]["parts"].as_array().expect("parts");
    let kinds: Vec<String> =
        parts.iter().map(|part| format!("{} {}", part["kind"], part["region"]).replace('"', "")).collect();
    for kind in [
        "snapshot-storage us-east-1",
        "copy-storage us-west-2",
        "copy-storage eu-west-1",
        "transfer us-west-2",
        "temporary-instance us-east-1",
        "temporary-instance eu-west-1",
        "transitions us-east-1",
        "function-time us-west-2",
    ] {
        assert!(kinds.iter().any(|one| one == kind), "{kind}: {kinds:?}");
    }
    let total = &found["estimate"]["total"]["cost"];
    assert!(total["estimate"].as_f64() < total["upper"].as_f64(), "{total}");
    let (code, text, _) =
        holdfast(&[&["cost"], &base[..], &["--size-gib", "100", "--prices", &prices]].concat()).await;
    println!("{text}");
    assert!(code == 0 && text.contains("In all "), "{text}");

    // AND by the built-in table, prices that nobody could find are named, and the sum says that it lacks them
    let (code, found) = json_of(&[&base[..], &["--size-gib", "100"]].concat()).await;
    let missing = found["estimate"]["total"]["missing"].to_string();
    assert_eq!(code, 3, "{found:#}");
    assert!(
        missing.contains("the built-in price table has no price snapshotStorage of us-west-2"),
        "{missing}"
    );

    // WHEN RDS is asked, and has no such database, THEN its size is not known
    let (code, found) = json_of(&[&base[..], &["--prices", &prices]].concat()).await;
    let missing = found["estimate"]["total"]["missing"].to_string();
    assert_eq!(code, 3, "{found:#}");
    assert!(missing.contains("the size of prod-db is not known"), "{missing}");

    // AND a Region that has no prices is an error that says what to do
    let (code, _, said) =
        holdfast(&["cost", "plan", &example, "--region", "me-central-1", "--size-gib", "100"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("has no prices of me-central-1") && said.contains("--prices"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_estimated_as_large_as_rds_says_and_as_long_as_its_proofs_took() {
    // GIVEN a database with a proven backup
    let world = World::new("cost-plan").await;
    let backup =
        json!({"databaseId": world.database, "runId": "run-1", "targetRegions": [], "deadlineMinutes": 10});
    assert_eq!(world.run(&backup).await.output["validation"]["verdict"], "VALID");
    let file = std::env::temp_dir().join(format!("holdfast-cost-{}.yaml", std::process::id()));
    let text = format!(
        "version: 1\nname: cost\ndatabases:\n  - id: {}\n    environment: production\n    targets: []\n",
        world.database
    );
    std::fs::write(&file, text).expect("a file");

    // WHEN its plan is estimated without a word about it
    let file = file.to_str().expect("a path");
    let (code, found) = json_of(&["plan", file, "--region", HOME_REGION, "--prices", &prices()]).await;

    // THEN its size is RDS's, and its proofs take as long as the one that was made
    assert_eq!(code, 0, "{found:#}");
    let database = &found["estimate"]["databases"][0];
    assert_eq!(database["sizeGib"], json!(20.0), "{database:#}");
    let parts = database["parts"].as_array().expect("parts");
    let proofs = parts.iter().find(|part| part["kind"] == "temporary-instance").expect("proofs");
    let assumed = proofs["assumed"].as_str().expect("text");
    assert!(
        assumed.contains("average of the newest 1: ") && assumed.contains("billed as ten minutes"),
        "{proofs:#}"
    );
}

async fn make(rds: &Client, id: &str, tags: &[(&str, String)]) {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build());
    let create = rds.create_db_instance().db_instance_identifier(id).engine("postgres");
    let create = create.db_instance_class("db.t4g.medium").allocated_storage(20).master_username("owner");
    let create = create.set_tags(Some(tags.collect())).master_user_password("Cost-secret-1");
    create.send().await.expect("an instance");
}

/// A complete snapshot of the test's database, with these tags.
async fn snapshot(world: &World, id: &str, tags: &[(&str, &str)]) {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    let create = world.home.rds.create_db_snapshot().db_snapshot_identifier(id);
    let create = create.db_instance_identifier(&world.database).set_tags(Some(tags.collect()));
    create.send().await.expect("a snapshot");
    until("the snapshot", PATIENCE, async || {
        (world.snapshot(HOME_REGION, id).await?.status() == Some("available")).then_some(())
    })
    .await;
}

/// What is listed whose name has the test's database in it: name, and whether it is certain.
fn listed(found: &Value, database: &str) -> Vec<(String, bool)> {
    let all = found["orphans"].as_array().expect("orphans").iter();
    let mut all: Vec<(String, bool)> = all
        .map(|one| (one["id"].as_str().expect("an id").to_owned(), one["certain"] == true))
        .filter(|(id, _)| id.contains(database))
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_needs_is_found_by_name_and_what_is_needed_is_not_listed() {
    // GIVEN a database with five proven backups of one day, of which the rules keep three, one more on hold, and no leftovers
    let world = World::without_database("cost").await;
    let db = world.database.clone();
    world.create_instance(&db, None).await;
    let backup = |number: usize| format!("{db}-{number:010x}");
    for number in 1..=6 {
        let operation = backup(number);
        let mut tags = vec![
            ("holdfast:operation", operation.as_str()),
            ("holdfast:database", db.as_str()),
            ("holdfast:verdict", "VALID"),
        ];
        if number == 1 {
            tags.push(("holdfast:hold", "case 4711"));
        }
        snapshot(&world, &format!("holdfast-{operation}"), &tags).await;
    }
    // AND what is left over: an expired temporary instance in a target Region, what a swap kept, a snapshot that lost its tag
    let (temporary, old) = (format!("hfv-{db}-{DIGITS}"), format!("{db}-old-{DIGITS}"));
    let tags = [
        ("holdfast:operation", format!("{db}-{DIGITS}")),
        ("holdfast:database", db.clone()),
        ("holdfast:temporary", "validation".to_owned()),
        ("holdfast:expires-at", "2026-01-01T00:00:00Z".to_owned()),
        ("holdfast:requested-at", "2025-12-31T20:00:00Z".to_owned()),
    ];
    make(&world.region(WEST).rds, &temporary, &tags).await;
    make(&world.home.rds, &old, &[]).await;
    let lost = format!("holdfast-{db}-aaaaaaaaaa");
    snapshot(&world, &lost, &[]).await;
    let prices = prices();

    // WHEN it is asked what nobody needs
    let (code, found) = json_of(&["orphans", "--prices", &prices]).await;

    // THEN each is named, and nothing else of this database
    assert_eq!(code, 3, "{found:#}");
    let expected = [
        (temporary.clone(), true),
        (format!("holdfast-{}", backup(2)), true),
        (format!("holdfast-{}", backup(3)), true),
        (lost, false),
        (old.clone(), false),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(listed(&found, &db), expected, "{found:#}");
    // AND it says since when, and what it costs: 730 h at 0.05, and 20 GiB at 0.2
    let mut all = found["orphans"].as_array().expect("orphans").iter();
    let one = all.find(|one| one["id"] == json!(temporary)).expect("it");
    assert_eq!((&one["region"], &one["since"]), (&json!(WEST), &json!("2025-12-31T20:00:00Z")), "{one:#}");
    assert_eq!(one["monthly"], json!(40.5), "{one:#}");
    // AND a person reads the same
    let (code, text, _) = holdfast(&["cost", "orphans", "--prices", &prices]).await;
    println!("{text}");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains(&format!("NOT NEEDED     us-west-2  temporary-instance  {temporary}")), "{text}");

    // WHEN the state table cannot be read
    let (code, blind) = json_of(&["orphans", "--prices", &prices, "--state-table", "no-such-table"]).await;

    // THEN that is named, and only what is certain without it is still listed
    assert_eq!(code, 3, "{blind:#}");
    assert!(blind["unseen"].to_string().contains("operations that have not ended"), "{blind:#}");
    assert_eq!(listed(&blind, &db), [(temporary.clone(), true)], "{blind:#}");

    // AND without knowing what retention keeps, no backup is called needless
    for function in ["", "no-such-function"] {
        let path = holdfast_testkit::project::binary("holdfast").expect("it is built");
        let mut command = tokio::process::Command::new(path);
        command.args(["cost", "orphans", "--output", "json"]);
        if function.is_empty() {
            command.env_remove("HOLDFAST_PRUNE_FUNCTION");
        } else {
            command.env("HOLDFAST_PRUNE_FUNCTION", function);
        }
        let output = command.output().await.expect("it runs");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(3), "{found:#}");
        let kept = listed(&found, &db);
        assert!(!kept.contains(&(format!("holdfast-{}", backup(2)), true)), "{kept:?}");
        assert!(found["unseen"].to_string().contains("the retention of the protection plan"), "{found:#}");
    }
}
