//! What the last validated backup had must still be there.

use holdfast_core::validation::CheckResult::*;
use holdfast_verify::Options;

use crate::server::Server;

#[tokio::test]
async fn missing_tables_fail_and_other_drift_is_named() {
    let server = Server::start().await;
    server.shop("shop").await;
    server.database("old", "CREATE TABLE t ()").await;
    let reference = server.verify().await.outcome.manifest;
    let against = |allowed: &[&str]| Options {
        reference: Some(reference.clone()),
        allow_missing_tables: allowed.iter().map(|entry| entry.to_string()).collect(),
        ..Options::default()
    };

    let seen = server.verify_with(&against(&[])).await;
    seen.all_passed_but(&[]);
    assert!(seen.reason("schema", "shop").contains("as in the last validated backup"));

    server
        .sql("shop", "DROP TABLE tree; DROP TABLE \"My Schema\".\"we\"\"ird; drop\"; CREATE TABLE fresh ()")
        .await;
    server.sql("postgres", "DROP DATABASE old").await;
    let seen = server.verify_with(&against(&[])).await;
    let message = "was in the last validated backup and is missing now";
    seen.expect("schema", "shop", Failed, "public.tree", message);
    seen.expect("schema", "shop", Failed, r#""My Schema"."we""ird; drop""#, message);
    seen.expect("schema", "old", Failed, "old", message);
    assert_eq!(seen.check("schema", "shop").findings.len(), 2);
    assert!(seen.reason("schema", "shop").contains("table public.fresh: is new"));
    seen.all_passed_but(&[("schema", "shop"), ("schema", "old")]);

    let seen =
        server.verify_with(&against(&["shop.public.tree", "shop.My Schema.we\"ird; drop", "old.*"])).await;
    seen.all_passed_but(&[]);

    let mut options = against(&[]);
    options.reference.as_mut().unwrap().algorithm = "holdfast-0".into();
    let seen = server.verify_with(&options).await;
    seen.all_passed_but(&[]);
    assert!(
        seen.reason("schema", "shop").contains("not comparable with the last validated backup (holdfast-0)")
    );
}
