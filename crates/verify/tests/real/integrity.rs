//! Data that disagrees with itself is named.

use holdfast_core::validation::CheckResult::*;

use crate::server::Server;

/// Past every constraint, as a faulty replica would.
async fn behind_the_back(server: &Server, sql: &str) {
    server.sql("shop", &format!("SET session_replication_role = replica; {sql}")).await;
}

#[tokio::test]
async fn orphans_sequences_and_indexes_are_named() {
    let server = Server::start().await;
    server.shop("shop").await;
    behind_the_back(
        &server,
        "DELETE FROM customers WHERE id IN (10, 20); UPDATE lines SET placed = NULL WHERE line = 5;
        UPDATE tree SET parent = 99 WHERE id = 3; INSERT INTO logins VALUES ('nobody')",
    )
    .await;
    server.sql("shop", "SELECT setval('lines_line_seq', 17); SELECT setval('countdown', -3);
        SELECT setval('steps_n_seq', 31); SELECT setval('\"My Schema\".\"''); DROP TABLE customers; --_%I_seq\"', 1, false);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'lines_by_sku'::regclass").await;
    let seen = server.verify().await;
    seen.all_passed_but(&[("foreign-keys", "shop"), ("indexes", "shop"), ("sequences", "shop")]);

    // Partitioned, self-referring, MATCH FULL, and with the equality of an extension's type.
    seen.expect(
        "foreign-keys",
        "shop",
        Failed,
        "orders_customer_fkey on public.orders",
        "8 rows of public.orders without a match in public.customers",
    );
    seen.expect("foreign-keys", "shop", Failed, "\"lines of; orders\" on public.lines", "1 row");
    seen.expect("foreign-keys", "shop", Failed, "tree_parent_fkey on public.tree", "1 row");
    seen.expect("foreign-keys", "shop", Failed, "logins_login_fkey on public.logins", "3 rows");
    assert_eq!(seen.check("foreign-keys", "shop").findings.len(), 4);

    seen.expect(
        "sequences",
        "shop",
        Failed,
        "public.lines_line_seq",
        "stands at 17 while public.lines.line has reached 2001",
    );
    seen.expect(
        "sequences",
        "shop",
        Failed,
        "public.countdown",
        "stands at -3 while public.down.n has reached -5",
    );
    seen.expect("sequences", "shop", Failed, "public.steps_n_seq", "stands at 31");
    seen.expect(
        "sequences",
        "shop",
        Failed,
        r#""My Schema"."'); DROP TABLE customers; --_%I_seq""#,
        "not yet used",
    );
    assert_eq!(seen.check("sequences", "shop").findings.len(), 4);
    assert!(seen.reason("sequences", "shop").contains("public.codes"));

    seen.expect("indexes", "shop", Failed, "public.lines_by_sku", "is invalid; it belongs to public.lines");
    assert_eq!(seen.check("indexes", "shop").findings.len(), 1);
}

#[tokio::test]
async fn isolation_and_inventory_are_shown() {
    let server = Server::start_with(&[("max_logical_replication_workers", "4")]).await;
    let seen = server.verify().await;
    seen.expect("isolation", "instance", Errored, "max_logical_replication_workers", "is 4");
    seen.expect("inventory", "instance", Failed, "the instance", "nothing to validate");

    server
        .sql(
            "postgres",
            "CREATE SUBSCRIPTION \"from; prod\" CONNECTION 'host=nowhere.invalid' PUBLICATION p
        WITH (connect = false)",
        )
        .await;
    let seen =
        server.verify_with(&holdfast_verify::Options { expect_isolated: false, ..Default::default() }).await;
    assert!(seen.outcome.checks.iter().all(|check| check.name != "isolation"));

    let server = Server::start().await;
    server
        .sql(
            "postgres",
            "CREATE SUBSCRIPTION \"from; prod\" CONNECTION 'host=nowhere.invalid' PUBLICATION p
        WITH (connect = false); CREATE TABLE t ()",
        )
        .await;
    let seen = server.verify().await;
    seen.all_passed_but(&[]);
    assert!(seen.reason("isolation", "instance").contains("postgres.\"from; prod\""));
}
