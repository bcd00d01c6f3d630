//! What is proven, said and written.

use serde_json::json;

use crate::server::{Server, manifest};

#[tokio::test]
async fn what_was_written_is_found_again_and_a_changed_row_is_not() {
    let server = Server::start().await;
    let file = server.path("manifest.json");
    server.verify(&["--write", &file]).await.ended(0).says(&[
        "✔ localhost:",
        "VALID",
        "2,000 rows",
        "written to",
    ]);
    let written = std::fs::read(&file).unwrap();
    assert_eq!(manifest(file.as_ref())["databases"]["shop"]["tables"]["public.orders"]["rows"], 1000);

    server
        .verify(&["--against", &file])
        .await
        .ended(0)
        .says(&["exactly what the manifest says", "against manifest"]);

    // A value changed, and as many rows as before. What was proven before stays written.
    server.sql("shop", "UPDATE orders SET total = total + 0.01 WHERE id = 7").await;
    let found = server.verify(&["--against", &file, "--write", &file]).await;
    found.ended(1).says(&["✘", "INVALID", "shop.public.orders: ", "not written: the verdict is INVALID"]);
    assert!(!found.output.contains("Lines\": its"), "{}", found.output);
    assert_eq!(std::fs::read(&file).unwrap(), written);

    let found = server.verify(&["--against", &file, "--output", "json"]).await;
    let json = found.ended(1).json();
    assert_eq!(json["verdict"], "INVALID");
    let checks = json["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["result"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(
        (&failed[0]["name"], &failed[0]["findings"][0]["object"]),
        (&json!("against-manifest"), &json!("shop.public.orders"))
    );
    assert_eq!((&json["rows"], &json["tables"], &json["manifest"]), (&json!(2000), &json!(2), &json!(null)));

    // And back: the same rows are the same, whatever happened to them meanwhile.
    server.sql("shop", "UPDATE orders SET total = total - 0.01 WHERE id = 7").await;
    let json = server.verify(&["--against", &file, "--output", "json"]).await.ended(0).json();
    assert_eq!((&json["verdict"], &json["issues"]), (&json!("VALID"), &json!([])));
}

#[tokio::test]
async fn the_flags_reach_the_proof() {
    let server = Server::start().await;
    let list = |expect: &str| {
        json!([{"name": "a thousand orders", "database": "shop", "sql": "SELECT count(*) FROM public.orders", "expect": expect}])
            .to_string()
    };
    let holds = server.write("holds.json", &list("= 1000"));
    let fails = server.write("fails.json", &list("> 1000"));
    server.verify(&["--assertions", &holds]).await.ended(0).says(&["assertion: a thousand orders"]);
    server.verify(&["--assertions", &fails]).await.ended(1).says(&["assertion: a thousand orders", "failed"]);

    // What is switched off is said as clearly as what was done.
    let checks = server.write("checks.json", r#"{"foreignKeys": "off", "content": {"samplePercent": 50}}"#);
    let file = server.path("manifest.json");
    let sampled = server.verify(&["--checks", &checks, "--write", &file]).await;
    sampled.ended(0).says(&["Not checked", "foreign keys of shop", "content of shop", "public.orders"]);
    assert!(manifest(file.as_ref())["databases"]["shop"]["tables"].as_object().unwrap().is_empty());

    server.verify(&["--cryptographic", "--write", &file, "--connections", "3"]).await.ended(0);
    let digest = &manifest(file.as_ref())["databases"]["shop"]["tables"]["public.orders"]["digest"];
    assert_eq!(digest.as_str().map(str::len), Some(64));

    // What there was no time for is no success.
    let sleeps = json!([{"name": "sleeps", "database": "shop", "sql": "SELECT pg_sleep(600) IS NULL", "expect": "true"}]);
    let sleeps = server.write("sleeps.json", &sleeps.to_string());
    let late = server.verify(&["--assertions", &sleeps, "--time-budget", "15s"]).await;
    late.ended(5).says(&["▲", "is not proven", "INCONCLUSIVE", "assertion: sleeps"]);

    // A server that could run the jobs of a restored copy is not isolated.
    server
        .verify(&["--expect-isolated"])
        .await
        .ended(5)
        .says(&["isolation", "max_logical_replication_workers"]);
}

#[tokio::test]
async fn only_when_asked_is_the_one_extension_created() {
    let server = Server::start().await;
    let extensions = async || -> i64 {
        let client = server.connect("shop").await;
        let sql = "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    server.verify(&[]).await.ended(0).says(&["Not checked", "amcheck"]);
    assert_eq!(extensions().await, 0);
    let made = server.verify(&["--create-extensions"]).await;
    assert!(!made.ended(0).output.contains("amcheck cannot be had"), "{}", made.output);
    assert_eq!(extensions().await, 1);
}
